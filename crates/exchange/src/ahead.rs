//! Looking ahead: what the next commands of a batch will need is asked for while the ones before them are applied. It changes
//! nothing but the time that they take; see [`orderbook::fetch_ahead`].
//!
//! What a command needs is found in steps, each by way of the one before, so it is looked at several times. An order that is
//! named by its owner takes one step more than one that is named by its number.

use std::num::NonZeroU8;

use model::{
    AccountId, Command, MarketId, OrderCommand, OrderId, OrderKind, OrderRef, PlaceContractOrder, PlaceOrder,
    Sequenced, Side,
};
use orderbook::{fetch_ahead, fetch_whole};

use crate::Partition;
use crate::accounts::Accounts;
use crate::open_orders::{Balances, Named, OpenOrders, Seat};

/// The looks, and how many commands ahead each is.
const LOOKS: [(u8, usize); 6] = [(1, 18), (2, 15), (3, 12), (4, 9), (5, 6), (6, 3)];
/// How many commands ahead a command itself is asked for.
const COMMAND: usize = 24;

impl Partition {
    /// Looks at commands that come soon, the next one first.
    #[inline]
    pub fn look_ahead(&self, coming: &[Sequenced<Command>]) {
        if let Some(input) = coming.get(COMMAND) {
            fetch_whole(input);
        }
        for &(look, ahead) in &LOOKS {
            let Some(input) = coming.get(ahead) else { continue };
            // What is not at a contract takes a step less.
            let step = NonZeroU8::new(look.saturating_sub(1));
            match (need(&input.command), step) {
                (Need::Place(place), Some(step)) => self.look_at_new(step.get(), place),
                (Need::PlaceContract(place), _) => self.look_at_new_of_contract(look, place),
                (Need::Order(account, market, order), step) => {
                    let Accounts { open, futures, ledger, .. } = &self.accounts;
                    let is_contract = self.catalog.contract(market).is_some();
                    if is_contract {
                        self.look_at_stake(look, account, market);
                    }
                    let Some(step) = step else { continue };
                    let order = (account, market, order);
                    if is_contract {
                        self.look_at_open(step.get(), order, &futures.open, &|_, _, _| ());
                    } else {
                        let beside = |look, seat: &Seat<Balances>, side| {
                            if look == Beside::Second {
                                fetch_ahead(ledger.balance(seat.pays_from(side)));
                            }
                        };
                        self.look_at_open(step.get(), order, open, &beside);
                    }
                }
                (Need::Place(_), None) | (Need::Nothing, _) => {}
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
            // Only a name is looked at five times, and a contract six times.
            _ => {}
        }
    }

    /// An order at a contract that will be placed.
    fn look_at_new_of_contract(&self, look: u8, place: &PlaceContractOrder) {
        let PlaceContractOrder { account, market, side, .. } = *place;
        let open = &self.accounts.futures.open;
        self.look_at_stake(look, account, market);
        if look > 1 {
            self.look_at_maker(look, place);
        }
        match look {
            1 => self.accounts.fetch_account(account),
            2 => self.look_at_quantity(account, market),
            4 => {
                open.fetch_for_placing(account, market);
                self.look_at_list_of_seats(account);
                if let (Some(price), Some(listed)) = (place.kind.price_ticks(), self.markets.get(market)) {
                    listed.book.fetch_level(side, price);
                }
            }
            5 => {
                open.fetch_name(&Named::new(account, &place.client_order_id));
                if let (Some(price), Some(listed)) = (place.kind.price_ticks(), self.markets.get(market)) {
                    listed.book.fetch_back(&self.markets.orders, side, price);
                }
            }
            _ => {}
        }
    }

    /// The order that one at a contract will trade with first, if it trades at once and nobody comes before it.
    fn look_at_maker(&self, look: u8, place: &PlaceContractOrder) {
        let Some(listed) = self.markets.get(place.market) else { return };
        let trades = match place.kind {
            OrderKind::Market { .. } => true,
            OrderKind::Limit { price_ticks, .. } => listed.book.crosses(place.side, price_ticks),
            OrderKind::LimitMaker { .. }
            | OrderKind::MarketQuote { .. }
            | OrderKind::StopMarket { .. }
            | OrderKind::StopLimit { .. } => false,
        };
        if !trades {
            return;
        }
        let Some(maker) = listed.book.first(&self.markets.orders, place.side.opposite()) else { return };
        let Accounts { futures, ledger, .. } = &self.accounts;
        match look {
            2 => fetch_ahead(maker),
            3 => {
                futures.open.fetch_index(maker.id);
                ledger.first_wallet_at(maker.account).map(fetch_ahead);
                self.look_at_quantity(maker.account, place.market);
            }
            4 => {
                futures.open.fetch_order(maker.id);
                self.look_at_wallet(maker.account);
            }
            5 => {
                if let Some((seat, _)) = futures.open.seat_of(maker.id) {
                    fetch_whole(seat);
                }
            }
            _ => self.look_at_list_of_seats(maker.account),
        }
    }

    /// What an account has at a contract: first where its seat is named and which wallet it has, then both, and what the wallet
    /// backs. In hedge mode it has other seats.
    #[inline]
    fn look_at_stake(&self, look: u8, account: AccountId, market: MarketId) {
        let Accounts { futures, ledger, .. } = &self.accounts;
        match look {
            1 => {
                futures.open.fetch_seat_cell(account, market);
                ledger.first_wallet_at(account).map(fetch_ahead);
            }
            2 => {
                if let Some(seat) = futures.open.guess_seat(account, market) {
                    fetch_whole(seat);
                }
                self.look_at_wallet(account);
            }
            _ => {}
        }
    }

    /// What the contract's side knows of an account's position.
    #[inline]
    fn look_at_quantity(&self, account: AccountId, market: MarketId) {
        if let Some(holders) = self.markets.get(market).and_then(|listed| listed.holders.as_ref()) {
            holders.quantities.fetch_ahead(account);
        }
    }

    /// An account has one wallet, as a rule, which backs all that it has, and what it will have.
    #[inline]
    fn look_at_wallet(&self, account: AccountId) {
        let Accounts { futures, ledger, .. } = &self.accounts;
        if let Some(wallet) = ledger.first_wallet(account) {
            fetch_ahead(ledger.wallet(wallet));
            if let Some(backs) = futures.backs(wallet) {
                fetch_whole(backs);
            }
        }
    }

    /// Where the list of the seats begins that an account's wallet backs: a new one comes into it.
    #[inline]
    fn look_at_list_of_seats(&self, account: AccountId) {
        let Accounts { futures, ledger, .. } = &self.accounts;
        let backs = ledger.first_wallet(account).and_then(|wallet| futures.backs(wallet));
        if let Some(first) = backs.and_then(|backs| backs.seats.first()) {
            fetch_ahead(first);
        }
    }

    /// An open order. Spot and contracts keep theirs apart, and have other things `beside`.
    #[inline]
    fn look_at_open<S, H>(
        &self,
        look: u8,
        (account, market, order): (AccountId, MarketId, &OrderRef),
        open: &OpenOrders<S, H>,
        beside: &impl Fn(Beside, &Seat<S>, Side),
    ) {
        match order {
            OrderRef::Id(id) | OrderRef::Both((id, _)) => {
                self.look_at_order(look, (account, market, *id), open, beside);
            }
            OrderRef::Client(name) => {
                self.look_at_named(look, (account, market), &Named::new(account, name), open, beside);
            }
        }
    }

    /// An order that is named by its number.
    #[inline]
    fn look_at_order<S, H>(
        &self,
        look: u8,
        (account, market, id): (AccountId, MarketId, OrderId),
        open: &OpenOrders<S, H>,
        beside: &impl Fn(Beside, &Seat<S>, Side),
    ) {
        match look {
            1 => {
                self.accounts.fetch_account(account);
                open.fetch_index(id);
                self.markets.orders.fetch_index(id);
            }
            2 => {
                open.fetch_order(id);
                self.markets.orders.fetch_order(id);
            }
            3 => {
                self.look_around(market, id, open);
                if let Some((seat, order)) = open.seat_of(id) {
                    beside(Beside::First, seat, order.side());
                }
            }
            4 => {
                if let Some((seat, order)) = open.seat_of(id) {
                    beside(Beside::Second, seat, order.side());
                    open.fetch_name(&Named::new(account, &order.client_order_id));
                }
            }
            _ => {}
        }
    }

    /// An order that is named by its owner.
    #[inline]
    fn look_at_named<S, H>(
        &self,
        look: u8,
        (account, market): (AccountId, MarketId),
        named: &Named,
        open: &OpenOrders<S, H>,
        beside: &impl Fn(Beside, &Seat<S>, Side),
    ) {
        match look {
            1 => {
                self.accounts.fetch_account(account);
                open.fetch_name(named);
            }
            2 => open.fetch_named(named),
            _ => {
                let Some(id) = open.guess_named(named).map(|order| order.id) else { return };
                match look {
                    3 => self.markets.orders.fetch_index(id),
                    4 => {
                        self.markets.orders.fetch_order(id);
                        if let Some((seat, order)) = open.seat_of(id) {
                            beside(Beside::First, seat, order.side());
                        }
                    }
                    _ => {
                        self.look_around(market, id, open);
                        if let Some((seat, order)) = open.seat_of(id) {
                            beside(Beside::Second, seat, order.side());
                        }
                    }
                }
            }
        }
    }

    /// What an order's two halves are linked to.
    fn look_around<S, H>(&self, market: MarketId, id: OrderId, open: &OpenOrders<S, H>) {
        open.fetch_around(id);
        if let Some(listed) = self.markets.get(market) {
            listed.book.fetch_around(&self.markets.orders, id);
        }
    }
}

/// Which of two looks it is at what an open order is beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    First,
    Second,
}

/// What a command will look for.
enum Need<'a> {
    Place(&'a PlaceOrder),
    PlaceContract(&'a PlaceContractOrder),
    Order(AccountId, MarketId, &'a OrderRef),
    Nothing,
}

fn need(command: &Command) -> Need<'_> {
    match command {
        Command::PlaceOrder(place) => Need::Place(place),
        Command::PlaceContractOrder(place) => Need::PlaceContract(place),
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
            OrderCommand::PlaceContract(place) => Need::PlaceContract(place),
            OrderCommand::CancelAll(_)
            | OrderCommand::PlaceGoodTillDate(_)
            | OrderCommand::Modify(_)
            | OrderCommand::PlaceAlgo(_)
            | OrderCommand::CancelAlgo(_)
            | OrderCommand::CancelAllAlgos(_) => Need::Nothing,
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
