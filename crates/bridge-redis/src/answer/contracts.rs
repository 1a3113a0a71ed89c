//! The results of entries at perpetual contracts.

use dialect::contract_orders::api_error;
use dialect::{ApiError, Listing};
use model::{
    AccountId, AlgoEndReason, AlgoId, Amount, ClientOrderId, ContractFilled, ContractOrderAccepted,
    ContractOrderModified, EndReason, Event, OrderAction, OrderEnded, QtyLots, Reject,
};

use super::{Fields, status};

/// What was told of an account's orders at contracts.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    accepted: Option<ContractOrderAccepted>,
    fills: Vec<ContractFilled>,
    modified: Option<ContractOrderModified>,
    algo: Option<(AlgoId, ClientOrderId)>,
    algos_cancelled: Vec<AlgoId>,
}

impl Told {
    /// Takes in an event. What the entry has placed is told first: orders whose price it has brought about are placed behind it.
    pub(super) fn hear(&mut self, account: AccountId, event: &Event) {
        match event {
            Event::ContractOrderAccepted(accepted) if accepted.account == account => {
                self.accepted.get_or_insert_with(|| accepted.clone());
            }
            Event::ContractFilled(filled) if filled.account == account => self.fills.push(filled.clone()),
            Event::ContractOrderModified(modified) if modified.account == account => {
                self.modified.get_or_insert_with(|| modified.clone());
            }
            Event::AlgoOrderAccepted(accepted) if accepted.account == account => {
                self.algo.get_or_insert((accepted.algo, accepted.client_algo_id));
            }
            Event::AlgoOrderEnded(ended)
                if ended.account == account && ended.reason == AlgoEndReason::Canceled =>
            {
                self.algos_cancelled.push(ended.algo);
            }
            _ => {}
        }
    }

    /// What became of the entry; `None` when nothing was done.
    pub(super) fn done(
        &self,
        action: OrderAction,
        ended: &[OrderEnded],
        listing: &Listing,
    ) -> Option<Fields> {
        let mut fields: Fields = vec![("result", "OK".to_owned())];
        match action {
            OrderAction::Place => self.placed(ended, listing, &mut fields)?,
            OrderAction::Amend => {
                let modified = self.modified.as_ref()?;
                fields.push(("orderId", modified.order.to_string()));
                if let Some(price) = modified.kind.price_ticks() {
                    fields.push(("price", listing.price(price).to_string()));
                }
                if let Some(qty) = modified.kind.qty_lots() {
                    fields.push(("origQty", listing.quantity(qty).to_string()));
                }
                if let Some(ended) = ended.iter().find(|ended| ended.order == modified.order) {
                    fields.push(("status", status(Some(ended.reason), QtyLots::ZERO).to_owned()));
                }
            }
            OrderAction::Cancel | OrderAction::CancelAll => {
                let cancelled = ended.iter().filter(|ended| ended.reason == EndReason::Canceled);
                fields.push(("status", "CANCELED".to_owned()));
                fields.push(("orderId", listed(cancelled.map(|ended| ended.order))?));
            }
            OrderAction::PlaceAlgo => {
                let (algo, name) = self.algo?;
                fields.push(("algoId", algo.to_string()));
                fields.push(("clientAlgoId", name.to_string()));
                fields.push(("status", "NEW".to_owned()));
            }
            OrderAction::CancelAlgo | OrderAction::CancelAllAlgos => {
                fields.push(("status", "CANCELED".to_owned()));
                fields.push(("algoId", listed(self.algos_cancelled.iter().copied())?));
            }
            // No entry at a contract asks for it.
            OrderAction::Replace => return None,
        }
        Some(fields)
    }

    fn placed(&self, ended: &[OrderEnded], listing: &Listing, fields: &mut Fields) -> Option<()> {
        let accepted = self.accepted.as_ref()?;
        let fills = self.fills.iter().filter(|filled| filled.order == accepted.order);
        let (executed, quote) = fills.fold((QtyLots::ZERO, Amount::ZERO), |(lots, quote), filled| {
            (lots + filled.qty_lots, quote + listing.terms.notional(filled.price_ticks, filled.qty_lots))
        });
        let end = ended.iter().find(|ended| ended.order == accepted.order).map(|ended| ended.reason);
        fields.push(("orderId", accepted.order.to_string()));
        fields.push(("clientOrderId", accepted.client_order_id.to_string()));
        fields.push(("status", status(end, executed).to_owned()));
        if let Some(qty) = accepted.kind.qty_lots() {
            fields.push(("origQty", listing.quantity(qty).to_string()));
        }
        fields.push(("executedQty", listing.quantity(executed).to_string()));
        if let Some(average) = listing.average_price(quote, listing.terms.base_amount(executed)) {
            fields.push(("avgPrice", average.to_string()));
        }
        fields.push(("cumQuote", listing.quote_amount(quote).to_string()));
        Some(())
    }
}

/// Numbers with commas between; `None` when there are none.
fn listed(numbers: impl Iterator<Item = impl ToString>) -> Option<String> {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    if numbers.is_empty() { None } else { Some(numbers.join(",")) }
}

/// Why it was refused, as futures tell it.
pub(super) fn refusal(reject: &Reject, listing: &Listing) -> ApiError {
    api_error(reject, Some(listing))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dialect::sample::btcusdt_contract;
    use model::{
        AlgoOrder, AlgoOrderEnded, AlgoPlaces, AlgoTrigger, EntryId, Liquidity, MarketId, OrderCause,
        OrderId, OrderKind, PositionNow, PositionSide, PriceTicks, SelfTradePrevention, Side, TimeInForce,
        TimeNs, TradeId, WorkingPrice,
    };

    use super::super::Answer;
    use super::*;

    const MINE: AccountId = AccountId(7);
    const MARKET: MarketId = MarketId(1);
    const LIMIT: OrderKind = OrderKind::Limit {
        price_ticks: PriceTicks(1_000_000),
        qty_lots: QtyLots(500),
        time_in_force: TimeInForce::Gtc,
    };

    fn accepted(order: u64, name: &str) -> Event {
        Event::ContractOrderAccepted(ContractOrderAccepted {
            order: OrderId(order),
            account: MINE,
            market: MARKET,
            side: Side::Buy,
            position_side: PositionSide::Both,
            kind: LIMIT,
            self_trade_prevention: SelfTradePrevention::ExpireMaker,
            reduce_only: false,
            cause: OrderCause::Owner,
            client_order_id: ClientOrderId::new(name).unwrap(),
        })
    }

    fn filled(order: u64, account: AccountId, lots: i64) -> Event {
        Event::ContractFilled(ContractFilled {
            order: OrderId(order),
            account,
            market: MARKET,
            trade: TradeId(1),
            side: Side::Buy,
            position_side: PositionSide::Both,
            liquidity: Liquidity::Taker,
            price_ticks: PriceTicks(1_000_000),
            qty_lots: QtyLots(lots),
            fee: Amount(0),
            realized: Amount(0),
            now: PositionNow { qty_lots: QtyLots(lots), cost: Amount(0), wallet: Amount(0) },
        })
    }

    fn ended(order: u64, reason: EndReason) -> Event {
        let released = Amount(0);
        Event::OrderEnded(OrderEnded {
            order: OrderId(order),
            account: MINE,
            market: MARKET,
            reason,
            released,
        })
    }

    fn waits(algo: u64) -> Event {
        Event::AlgoOrderAccepted(Box::new(AlgoOrder {
            algo: AlgoId(algo),
            account: MINE,
            market: MARKET,
            side: Side::Sell,
            position_side: PositionSide::Both,
            trigger: AlgoTrigger::Trails { activation_ticks: None, callback_permille: 10 },
            places: AlgoPlaces::Order {
                kind: OrderKind::Market { qty_lots: QtyLots(1) },
                reduce_only: false,
            },
            working_price: WorkingPrice::Contract,
            price_protect: false,
            self_trade_prevention: SelfTradePrevention::ExpireMaker,
            client_algo_id: ClientOrderId::new("mine").unwrap(),
        }))
    }

    fn over(algo: u64, reason: AlgoEndReason) -> Event {
        Event::AlgoOrderEnded(Box::new(AlgoOrderEnded {
            algo: AlgoId(algo),
            account: MINE,
            market: MARKET,
            reason,
        }))
    }

    fn rejected(reject: Reject) -> Event {
        Event::Rejected { account: MINE, reject }
    }

    #[track_caller]
    fn says(action: OrderAction, events: &[Event], expected: &str) {
        let mut answer = Answer::new(EntryId((9 << 64) | 1), action, MINE, MARKET);
        answer.hear(TimeNs(5_000_000), events);
        let listing = Arc::new(btcusdt_contract());
        let fields = answer.fields("alice", Some(&listing));
        let text: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let text = text.join(" ");
        assert!(text.contains(" market=futures symbol=BTCUSDT ") && text.ends_with(expected), "{text}");
    }

    #[test]
    fn a_result_tells_what_became_of_the_order() {
        says(
            OrderAction::Place,
            &[accepted(4, "mine")],
            "result=OK orderId=4 clientOrderId=mine status=NEW origQty=0.50000000 executedQty=0.00000000 cumQuote=0.000000",
        );
        // An order that it has triggered is placed behind it, and is another one.
        says(
            OrderAction::Place,
            &[
                accepted(4, "mine"),
                filled(3, AccountId(8), 100),
                filled(4, MINE, 500),
                ended(4, EndReason::Filled),
                accepted(5, "stop"),
                filled(5, MINE, 20),
            ],
            "orderId=4 clientOrderId=mine status=FILLED origQty=0.50000000 executedQty=0.50000000 avgPrice=50000.000000 \
             cumQuote=25000.000000",
        );
        // Whoever is refused has placed nothing, whatever else was placed with the same command.
        says(
            OrderAction::Place,
            &[
                rejected(Reject::InsufficientMargin { needed: Amount(2), available: Amount(1) }),
                accepted(5, "stop"),
            ],
            "result=REFUSED code=-2019 msg=Margin is insufficient.",
        );
    }

    #[test]
    fn cancels_and_modifications_are_told() {
        let cancelled = [ended(4, EndReason::Canceled), ended(5, EndReason::Canceled)];
        says(OrderAction::CancelAll, &cancelled, "result=OK status=CANCELED orderId=4,5");
        says(
            OrderAction::Cancel,
            &[rejected(Reject::UnknownOrder)],
            "result=REFUSED code=-2011 msg=Unknown order sent.",
        );
        let modified = Event::ContractOrderModified(ContractOrderModified {
            order: OrderId(4),
            account: MINE,
            market: MARKET,
            kind: LIMIT,
            self_trade_prevention: SelfTradePrevention::ExpireMaker,
        });
        says(
            OrderAction::Amend,
            std::slice::from_ref(&modified),
            "result=OK orderId=4 price=50000.00 origQty=0.50000000",
        );
        says(
            OrderAction::Amend,
            &[modified, filled(4, MINE, 500), ended(4, EndReason::Filled)],
            "origQty=0.50000000 status=FILLED",
        );
        says(
            OrderAction::Amend,
            &[rejected(Reject::AmendChangesNothing)],
            "result=REFUSED code=-5027 msg=No need to modify the order.",
        );
    }

    #[test]
    fn an_order_that_waits_has_a_number_of_its_own() {
        says(OrderAction::PlaceAlgo, &[waits(6)], "result=OK algoId=6 clientAlgoId=mine status=NEW");
        let both = [over(6, AlgoEndReason::Canceled), over(7, AlgoEndReason::Canceled)];
        says(OrderAction::CancelAllAlgos, &both, "result=OK status=CANCELED algoId=6,7");
        let gone = [over(8, AlgoEndReason::PositionGone), over(6, AlgoEndReason::Canceled)];
        says(OrderAction::CancelAlgo, &gone, "result=OK status=CANCELED algoId=6");
        says(OrderAction::CancelAlgo, &[], "code=-1000 msg=The command was skipped by the operator.");
    }
}
