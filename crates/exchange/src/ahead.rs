//! Looking ahead: what the next commands of a batch will need is asked for while the ones before them are applied. It changes
//! nothing but the time that they take; see [`orderbook::fetch_ahead`].
//!
//! What a command needs is found in steps, each by way of the one before, so it is looked at several times. An order that is
//! named by its owner takes one step more than one that is named by its number.

use model::{AccountId, Command, OrderId, OrderRef, PlaceOrder, Sequenced};
use orderbook::fetch_ahead;

use crate::Partition;
use crate::open_orders::Named;

/// How many commands ahead each look is.
const LOOKS: [usize; 4] = [15, 11, 7, 3];

impl Partition {
    /// Looks at commands that come soon, the next one first.
    #[inline]
    pub fn look_ahead(&self, coming: &[Sequenced<Command>]) {
        let [first, second, third, fourth] = LOOKS.map(|ahead| coming.get(ahead).map(|input| need(&input.command)));
        first.into_iter().for_each(|need| self.first_look(need));
        second.into_iter().for_each(|need| self.second_look(need));
        third.into_iter().for_each(|need| self.third_look(need));
        fourth.into_iter().for_each(|need| self.fourth_look(need));
    }

    fn first_look(&self, need: Need<'_>) {
        match need {
            Need::Place(place) => {
                self.accounts.fetch_account(place.account);
                self.accounts.open.fetch_seat_cell(place.account, place.market);
            }
            Need::Order(account, OrderRef::Id(id) | OrderRef::Both((id, _))) => {
                self.accounts.fetch_account(account);
                self.fetch_index(*id);
            }
            Need::Order(account, OrderRef::Client(name)) => {
                self.accounts.fetch_account(account);
                self.accounts.open.fetch_name(&Named::new(account, name));
            }
            Need::Nothing => {}
        }
    }

    fn second_look(&self, need: Need<'_>) {
        match need {
            Need::Place(place) => self.accounts.open.fetch_seat(place.account, place.market),
            Need::Order(_, OrderRef::Id(id) | OrderRef::Both((id, _))) => {
                self.accounts.open.fetch_order(*id);
                self.markets.orders.fetch_order(*id);
            }
            Need::Order(account, OrderRef::Client(name)) => {
                self.accounts.open.fetch_named(&Named::new(account, name));
            }
            Need::Nothing => {}
        }
    }

    fn third_look(&self, need: Need<'_>) {
        match need {
            Need::Place(PlaceOrder { account, market, side, client_order_id, .. }) => {
                self.accounts.open.fetch_name(&Named::new(*account, client_order_id));
                if let Some(seat) = self.accounts.open.fetch_for_placing(*account, *market) {
                    fetch_ahead(self.accounts.ledger.balance(seat.pays_from(*side)));
                }
            }
            Need::Order(account, OrderRef::Id(id) | OrderRef::Both((id, _))) => {
                if let Some(order) = self.accounts.open.fetch_around(*id) {
                    self.accounts.open.fetch_name(&Named::new(account, &order.client_order_id));
                }
                self.markets.orders.fetch_neighbours(*id);
            }
            Need::Order(account, OrderRef::Client(name)) => {
                if let Some(order) = self.accounts.open.guess_named(&Named::new(account, name)) {
                    self.fetch_index(order.id);
                }
            }
            Need::Nothing => {}
        }
    }

    fn fourth_look(&self, need: Need<'_>) {
        match need {
            Need::Order(account, OrderRef::Client(name)) => {
                if let Some(order) = self.accounts.open.guess_named(&Named::new(account, name)) {
                    self.accounts.open.fetch_around(order.id);
                    self.markets.orders.fetch_order(order.id);
                }
            }
            Need::Place(_) | Need::Order(..) | Need::Nothing => {}
        }
    }

    fn fetch_index(&self, id: OrderId) {
        self.accounts.open.fetch_index(id);
        self.markets.orders.fetch_index(id);
    }
}

/// What a command will look for.
#[derive(Clone, Copy)]
enum Need<'a> {
    Place(&'a PlaceOrder),
    Order(AccountId, &'a OrderRef),
    Nothing,
}

fn need(command: &Command) -> Need<'_> {
    match command {
        Command::PlaceOrder(place) => Need::Place(place),
        Command::CancelOrder(cancel) => Need::Order(cancel.account, &cancel.order),
        Command::AmendOrder(amend) => Need::Order(amend.account, &amend.order),
        Command::ReplaceOrder(replace) => Need::Order(replace.place.account, &replace.cancel),
        Command::AddAsset(_)
        | Command::AddMarket(_)
        | Command::ChangeMarket(_)
        | Command::CreateAccount(_)
        | Command::CreateApiKey(_)
        | Command::RevokeApiKey(_)
        | Command::Deposit(_)
        | Command::RequestWithdrawal(_)
        | Command::SettleWithdrawal(_)
        | Command::CancelAllOrders(_)
        | Command::Tick
        | Command::Skip(_)
        | Command::AddApiKey(_)
        | Command::ChangeApiKey(_)
        | Command::ResealApiKey(_)
        | Command::AddMarketTo(_)
        | Command::MoveMarket(_)
        | Command::AddPartition
        | Command::JoinExchange(_)
        | Command::Deliver(_)
        | Command::Confirm(_)
        | Command::SkipEnvelope(_) => Need::Nothing,
    }
}
