//! Looking ahead: what the next commands of a batch will need is asked for while the ones before them are applied. It changes
//! nothing but the time that they take; see [`orderbook::fetch_ahead`].
//!
//! What a command needs is found in steps, each by way of the one before, so it is looked at several times. An order that is
//! named by its owner takes one step more than one that is named by its number.

use model::{AccountId, Command, MarketId, OrderCommand, OrderId, OrderRef, PlaceOrder, Sequenced};
use orderbook::fetch_ahead;

use crate::Partition;
use crate::open_orders::Named;

/// How many commands ahead each look is.
const LOOKS: [usize; 5] = [15, 12, 9, 6, 3];

impl Partition {
    /// Looks at commands that come soon, the next one first.
    #[inline]
    pub fn look_ahead(&self, coming: &[Sequenced<Command>]) {
        for (look, ahead) in (1..).zip(LOOKS) {
            let Some(input) = coming.get(ahead) else { continue };
            match need(&input.command) {
                Need::Place(place) => self.look_at_new(look, place),
                Need::Order(account, market, OrderRef::Id(id) | OrderRef::Both((id, _))) => {
                    self.look_at_order(look, account, market, *id);
                }
                Need::Order(account, market, OrderRef::Client(name)) => {
                    self.look_at_named(look, market, &Named::new(account, name));
                }
                Need::Nothing => {}
            }
        }
    }

    /// An order that will be placed.
    fn look_at_new(&self, look: u8, place: &PlaceOrder) {
        let PlaceOrder { account, market, side, .. } = *place;
        let open = &self.accounts.open;
        match look {
            1 => {
                self.accounts.fetch_account(account);
                open.fetch_seat_cell(account, market);
            }
            2 => open.fetch_seat(account, market),
            3 => {
                if let Some(seat) = open.fetch_for_placing(account, market) {
                    fetch_ahead(self.accounts.ledger.balance(seat.pays_from(side)));
                }
                if let (Some(price), Some(listed)) = (place.kind.price_ticks(), self.markets.get(market)) {
                    listed.book.fetch_level(side, price);
                }
            }
            4 => {
                open.fetch_name(&Named::new(account, &place.client_order_id));
                if let (Some(price), Some(listed)) = (place.kind.price_ticks(), self.markets.get(market)) {
                    listed.book.fetch_back(&self.markets.orders, side, price);
                }
            }
            // Only a name is looked at five times.
            _ => {}
        }
    }

    /// An order that is named by its number.
    fn look_at_order(&self, look: u8, account: AccountId, market: MarketId, id: OrderId) {
        match look {
            1 => {
                self.accounts.fetch_account(account);
                self.accounts.open.fetch_index(id);
                self.markets.orders.fetch_index(id);
            }
            2 => {
                self.accounts.open.fetch_order(id);
                self.markets.orders.fetch_order(id);
            }
            3 => self.look_around(market, id),
            4 => {
                if let Some((seat, order)) = self.accounts.open.seat_of(id) {
                    fetch_ahead(self.accounts.ledger.balance(seat.pays_from(order.side())));
                    self.accounts.open.fetch_name(&Named::new(account, &order.client_order_id));
                }
            }
            _ => {}
        }
    }

    /// An order that is named by its owner.
    fn look_at_named(&self, look: u8, market: MarketId, named: &Named) {
        let open = &self.accounts.open;
        match look {
            1 => open.fetch_name(named),
            2 => open.fetch_named(named),
            _ => {
                let Some(id) = open.guess_named(named).map(|order| order.id) else { return };
                match look {
                    3 => self.markets.orders.fetch_index(id),
                    4 => self.markets.orders.fetch_order(id),
                    _ => {
                        self.look_around(market, id);
                        if let Some((seat, order)) = open.seat_of(id) {
                            fetch_ahead(self.accounts.ledger.balance(seat.pays_from(order.side())));
                        }
                    }
                }
            }
        }
    }

    /// What an order's two halves are linked to.
    fn look_around(&self, market: MarketId, id: OrderId) {
        self.accounts.open.fetch_around(id);
        if let Some(listed) = self.markets.get(market) {
            listed.book.fetch_around(&self.markets.orders, id);
        }
    }
}

/// What a command will look for.
enum Need<'a> {
    Place(&'a PlaceOrder),
    Order(AccountId, MarketId, &'a OrderRef),
    Nothing,
}

fn need(command: &Command) -> Need<'_> {
    match command {
        Command::PlaceOrder(place) => Need::Place(place),
        Command::CancelOrder(cancel) => Need::Order(cancel.account, cancel.market, &cancel.order),
        Command::AmendOrder(amend) => Need::Order(amend.account, amend.market, &amend.order),
        Command::ReplaceOrder(replace) => {
            Need::Order(replace.place.account, replace.place.market, &replace.cancel)
        }
        Command::FromSource(from) => match &from.order {
            OrderCommand::Place(place) => Need::Place(place),
            OrderCommand::Cancel(cancel) => Need::Order(cancel.account, cancel.market, &cancel.order),
            OrderCommand::Amend(amend) => Need::Order(amend.account, amend.market, &amend.order),
            OrderCommand::Replace(replace) => {
                Need::Order(replace.place.account, replace.place.market, &replace.cancel)
            }
            OrderCommand::CancelAll(_) => Need::Nothing,
        },
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
        | Command::SkipEnvelope(_)
        | Command::RegisterSource(_)
        | Command::AddContract(_)
        | Command::ChangeContract(_)
        | Command::MoveFunds(_)
        | Command::PlaceContractOrder(_)
        | Command::ChangeLeverage(_)
        | Command::ChangeMarginType(_)
        | Command::MovePositionMargin(_)
        | Command::ChangePositionMode(_)
        | Command::SetIndexPrice(_)
        | Command::PlaceAlgoOrder(_)
        | Command::CancelAlgoOrder(_)
        | Command::CancelAllAlgoOrders(_)
        | Command::SetCountdown(_)
        | Command::ModifyContractOrder(_)
        | Command::PlaceGoodTillDate(_)
        | Command::Continue => Need::Nothing,
    }
}
