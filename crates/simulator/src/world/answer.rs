//! What an answer must say: one result for each thing that was asked, never none and never two.

use model::{ClientOrderId, Command, EndReason, Event, ExpiryReason, OrderRef, PlaceOrder, ReplaceMode};

use super::node::Told;

/// Panics where a complete answer has another number of results than its command.
pub fn check(command: &Command, told: &Told) {
    let events = || told.parts.iter().flat_map(|(_, events)| events);
    let refused = events().filter(|event| matches!(event, Event::Rejected { .. })).count();
    let count = |is_it: &dyn Fn(&Event) -> bool| events().filter(|event| is_it(event)).count();
    let canceled = |of: &OrderRef, whose, market| {
        count(&|event| match event {
            Event::OrderEnded(ended) => {
                let is_it = match of {
                    OrderRef::Id(id) | OrderRef::Both((id, _)) => ended.order == *id,
                    OrderRef::Client(_) => ended.account == whose && ended.market == market,
                };
                is_it && ended.reason == EndReason::Canceled
            }
            _ => false,
        })
    };
    let placed = |place: &PlaceOrder| {
        count(&|event| match event {
            Event::OrderAccepted(accepted) => {
                (accepted.account, accepted.market, accepted.client_order_id)
                    == (place.account, place.market, place.client_order_id)
            }
            _ => false,
        })
    };
    let (done, wanted) = match command {
        Command::PlaceOrder(place) => (placed(place), 1..=1),
        Command::CancelOrder(cancel) => (canceled(&cancel.order, cancel.account, cancel.market), 1..=1),
        Command::CancelAllOrders(all) => {
            let any = OrderRef::Client(ClientOrderId::EMPTY);
            (canceled(&any, all.account, all.market), 1..=usize::MAX)
        }
        Command::ReplaceOrder(replace) => {
            let place = &replace.place;
            let canceled = canceled(&replace.cancel, place.account, place.market);
            let placed = placed(place);
            assert!(
                replace.mode == ReplaceMode::AllowFailure || placed <= canceled,
                "nothing is placed where nothing was cancelled: {command:?} was answered with {told:#?}"
            );
            let done = canceled + placed;
            // Refused by the rules of the new order, before anything is cancelled; or two results.
            (done, if done == 0 { 1..=2 } else { 2..=2 })
        }
        Command::AmendOrder(amend) => {
            let amended = count(&|event| match event {
                Event::OrderAmended(amended) => {
                    (amended.account, amended.market) == (amend.account, amend.market)
                }
                Event::OrderEnded(ended) => {
                    ended.reason == EndReason::Expired(ExpiryReason::ExchangeCanceled)
                        && (ended.account, ended.market) == (amend.account, amend.market)
                }
                _ => false,
            });
            (amended, 1..=1)
        }
        Command::Deposit(deposit) => {
            let done = |event: &Event| match event {
                Event::Deposited(deposited) => deposited.reference == deposit.reference,
                _ => false,
            };
            (count(&done), 1..=1)
        }
        Command::RequestWithdrawal(request) => {
            let done = |event: &Event| match event {
                Event::WithdrawalRequested(requested) => requested.reference == request.reference,
                _ => false,
            };
            (count(&done), 1..=1)
        }
        Command::SettleWithdrawal(settle) => {
            let done = |event: &Event| match event {
                Event::WithdrawalSettled(settled) => settled.withdrawal == settle.withdrawal,
                _ => false,
            };
            (count(&done), 1..=1)
        }
        Command::CreateAccount(_) => (count(&|event| matches!(event, Event::AccountCreated { .. })), 1..=1),
        Command::AddMarketTo(_) | Command::ChangeMarket(_) => {
            (count(&|event| matches!(event, Event::MarketAdded { .. })), 1..=1)
        }
        Command::MoveMarket(_) => (count(&|event| matches!(event, Event::MarketMoving { .. })), 1..=1),
        other => unreachable!("no client asks for {}", other.name()),
    };
    assert!(wanted.contains(&(done + refused)), "{command:?} was answered with {told:#?}");
}
