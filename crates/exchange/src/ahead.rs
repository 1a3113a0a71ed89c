//! Looking ahead: what the next commands of a batch will need is asked for before they are applied. It changes nothing but
//! the time that they take; see [`orderbook::fetch_ahead`].
//!
//! What a command needs is found in steps, each by way of the one before: a cell of a table, the order that it names, that
//! order's seat, the seat's balance. So a group of commands is looked at in rounds, one step of each command a round: by the time
//! that a round is over, what its first look has asked for is nearly there, and the processor waits for a whole group once
//! instead of for each command.

use arrayvec::ArrayVec;
use model::{
    AccountId, Amount, Command, Event, FromMarket, Letter, Liquidity, MarketId, OrderCommand, OrderId,
    OrderKind, OrderRef, PlaceContractOrder, PlaceOrder, Sequenced, Side,
};
use orderbook::{Book, Order, fetch_ahead, fetch_all, fetch_whole};

use crate::Partition;
use crate::accounts::Accounts;
use crate::market::Market;
use crate::open_orders::{Balances, Named, OpenOrder, OpenOrders, Seat};

/// So many commands are looked at together. More would push out what is asked for before it is used.
const TOGETHER: usize = 32;
/// What takes the most of them is an order that trades at once.
const STEPS: u8 = 6;

type Group<T> = ArrayVec<T, TOGETHER>;

/// An order that will be placed at a spot market, with what was found of it so far.
struct Placing<'a> {
    place: &'a PlaceOrder,
    book: &'a Book,
    /// At once, as it seems.
    trades: bool,
    seat: Option<&'a Seat<Balances>>,
}

/// An order that will trade with somebody.
struct Taking<'a> {
    book: &'a Book,
    /// The side that it will trade with.
    counter: Side,
    /// The first order there.
    sought: Sought<'a, Balances, Amount>,
}

/// An open order that will be looked for, with what was found of it so far.
struct Sought<'a, S, H> {
    account: AccountId,
    market: MarketId,
    open: Option<&'a OpenOrder<H>>,
    seat: Option<&'a Seat<S>>,
    resting: Option<&'a Order>,
}

/// An open order that will be looked for, as it is named.
struct Asked<'a, S, H> {
    order: &'a OrderRef,
    sought: Sought<'a, S, H>,
}

impl Partition {
    /// Applies commands that follow each other, as [`Self::apply`] does, and after each of them tells of all events so far. Faster
    /// than one by one: what they need is asked for together.
    #[inline]
    pub fn apply_all(
        &mut self,
        inputs: &[Sequenced<Command>],
        events: &mut Vec<Event>,
        mut applied: impl FnMut(&Self, &[Event]),
    ) {
        for group in inputs.chunks(TOGETHER) {
            self.look_ahead(group);
            for input in group {
                self.apply(input, events);
                applied(self, events);
            }
        }
    }

    /// Looks at commands that come next.
    fn look_ahead(&self, group: &[Sequenced<Command>]) {
        let (mut placing, mut taking, mut asked) =
            (Group::new_const(), Group::new_const(), Group::new_const());
        let (mut placing_contract, mut asked_at_contract) = (Group::new_const(), Group::new_const());
        for input in group {
            match need(&input.command) {
                Need::Place(place) => {
                    if let Some(Market { book, .. }) = self.markets.get(place.market) {
                        let trades = trades_at_once(book, place.side, &place.kind);
                        if trades {
                            let (counter, sought) =
                                (place.side.opposite(), Sought::new(place.account, place.market));
                            taking.push(Taking { book, counter, sought });
                        }
                        placing.push(Placing { place, book, trades, seat: None });
                    }
                }
                Need::PlaceContract(place) => placing_contract.push(place),
                Need::Order(account, market, order) => {
                    if self.catalog.contract(market).is_some() {
                        asked_at_contract.push(Asked { order, sought: Sought::new(account, market) });
                    } else {
                        asked.push(Asked { order, sought: Sought::new(account, market) });
                    }
                }
                Need::Nothing => {}
            }
        }
        let Accounts { open, futures, ledger, .. } = &self.accounts;
        for step in 1..=STEPS {
            for placing in &mut placing {
                self.look_at_new(step, placing);
            }
            for taking in &mut taking {
                self.look_at_taking(step, taking);
            }
            for asked in &mut asked {
                self.look_at_asked(step, asked, open);
                if step == 4
                    && let (Some(seat), Some(order)) = (asked.sought.seat, asked.sought.open)
                {
                    fetch_ahead(ledger.balance(seat.pays_from(order.side())));
                }
            }
            for place in &mut placing_contract {
                self.look_at_new_of_contract(step, place);
            }
            for asked in &mut asked_at_contract {
                self.look_at_stake(step, asked.sought.account, asked.sought.market);
                self.look_at_asked(step, asked, &futures.open);
            }
        }
    }

    /// Looks at letters that will be delivered next: at the orders that were traded with, each of which somebody else owns.
    #[inline]
    pub(crate) fn look_at_letters(&self, letters: &[Letter]) {
        // An order that has traded with nobody causes two letters at the most.
        if letters.len() > 2 {
            self.look_at_makers(letters);
        }
    }

    fn look_at_makers(&self, letters: &[Letter]) {
        let Accounts { open, futures, .. } = &self.accounts;
        let (mut makers, mut at_contracts) = (Group::new_const(), Group::new_const());
        for letter in letters {
            if let Letter::ToAccount {
                account,
                market,
                order,
                body: FromMarket::Filled { liquidity: Liquidity::Maker, .. },
            } = letter
            {
                // Those for which there is no room go without.
                let _ = if self.catalog.contract(*market).is_some() {
                    futures.open.fetch_index(*order);
                    at_contracts.try_push((*account, *market, *order)).is_ok()
                } else {
                    open.fetch_index(*order);
                    makers.try_push((*order, Sought::new(*account, *market))).is_ok()
                };
            }
        }
        for step in 1..=3 {
            for (order, sought) in &mut makers {
                self.look_at_traded(step, *order, sought);
            }
            for (account, market, order) in &at_contracts {
                self.look_at_stake(step, *account, *market);
                match step {
                    1 => futures.open.fetch_order(*order),
                    2 => {
                        if let Some(order) = futures.open.find(*order).map(|slot| futures.open.order(slot)) {
                            futures.open.fetch_name(&Named::new(*account, &order.client_order_id));
                            futures.open.fetch_around(order);
                        }
                    }
                    _ => self.look_at_list_of_seats(*account),
                }
            }
        }
    }

    /// An open order that somebody will trade with, behind the look for its number: the order, what it is linked to, both balances.
    #[inline]
    fn look_at_traded<'a>(&'a self, step: u8, order: OrderId, sought: &mut Sought<'a, Balances, Amount>) {
        let Accounts { open, ledger, .. } = &self.accounts;
        match step {
            1 => {
                sought.open = open.find(order).map(|slot| open.order(slot));
                sought.open.map(fetch_whole);
            }
            2 => {
                let Some(order) = sought.open else { return };
                open.fetch_name(&Named::new(sought.account, &order.client_order_id));
                open.fetch_around(order);
                sought.seat = Some(open.seat(order.seat));
                sought.seat.map(fetch_whole);
            }
            _ => {
                if let Some(seat) = sought.seat {
                    fetch_ahead(ledger.balance(seat.stake.base));
                    fetch_ahead(ledger.balance(seat.stake.quote));
                }
            }
        }
    }

    /// An order that will trade at once: the first that it will trade with, if nobody comes before it.
    #[inline]
    fn look_at_taking<'a>(&'a self, step: u8, taking: &mut Taking<'a>) {
        let Taking { book, counter, sought } = taking;
        let orders = &self.markets.orders;
        match step {
            1 => {
                if let Some(best) = book.best(*counter) {
                    book.fetch_level(*counter, best);
                }
            }
            2 => {
                sought.resting = book.first(orders, *counter);
                sought.resting.map(fetch_whole);
            }
            3 => {
                let Some(resting) = sought.resting else { return };
                orders.fetch_index(resting.id);
                self.accounts.open.fetch_index(resting.id);
                book.fetch_around(orders, resting);
                sought.account = resting.account;
            }
            _ => {
                let Some(resting) = sought.resting else { return };
                self.look_at_traded(step.saturating_sub(3), resting.id, sought);
            }
        }
    }

    /// An order that will be placed.
    #[inline]
    fn look_at_new<'a>(&'a self, step: u8, placing: &mut Placing<'a>) {
        let PlaceOrder { account, market, side, .. } = *placing.place;
        let Accounts { open, ledger, .. } = &self.accounts;
        let price = placing.place.kind.price_ticks();
        match step {
            1 => {
                self.accounts.fetch_account(account);
                open.fetch_seat_cell(account, market);
                open.fetch_name(&Named::new(account, &placing.place.client_order_id));
                if let Some(price) = price {
                    placing.book.fetch_leaf(side, price);
                }
            }
            2 => {
                placing.seat = open.guess_seat(account, market);
                match placing.seat {
                    Some(seat) => fetch_whole(seat),
                    // It will take one, between two balances.
                    None => {
                        ledger.opened_at(account).map(fetch_ahead);
                    }
                }
                if let Some(price) = price {
                    placing.book.fetch_level(side, price);
                }
            }
            3 => {
                match placing.seat {
                    Some(seat) => {
                        fetch_ahead(ledger.balance(seat.pays_from(side)));
                        if placing.trades {
                            fetch_ahead(ledger.balance(seat.pays_from(side.opposite())));
                        }
                        open.fetch_last(seat);
                    }
                    None => {
                        ledger.opened_at(account).map(Vec::as_slice).map(fetch_all);
                    }
                }
                if let Some(price) = price {
                    placing.book.fetch_back(&self.markets.orders, side, price);
                }
            }
            _ => {}
        }
    }

    /// An order at a contract that will be placed.
    #[inline]
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
                if let Some(seat) = open.guess_seat(account, market) {
                    open.fetch_last(seat);
                }
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
        if !trades_at_once(&listed.book, place.side, &place.kind) {
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

    /// An open order. One that its owner has named is found a step later than one that goes by its number.
    #[inline]
    fn look_at_asked<'a, S, H>(&'a self, step: u8, asked: &mut Asked<'a, S, H>, open: &'a OpenOrders<S, H>) {
        let Asked { order, sought } = asked;
        match (step, *order) {
            (1, OrderRef::Client(name)) => open.fetch_name(&Named::new(sought.account, name)),
            (1, OrderRef::Id(id) | OrderRef::Both((id, _))) => {
                open.fetch_index(*id);
                self.markets.orders.fetch_index(*id);
            }
            (2, OrderRef::Client(name)) => {
                sought.open = open.guess_named(&Named::new(sought.account, name));
                sought.open.map(fetch_whole);
            }
            (2, OrderRef::Id(id) | OrderRef::Both((id, _))) => {
                sought.open = open.find(*id).map(|slot| open.order(slot));
                sought.open.map(fetch_whole);
                sought.resting = self.markets.orders.find(*id).map(|slot| &self.markets.orders[slot]);
                sought.resting.map(fetch_whole);
            }
            (3, order) => {
                let Some(found) = sought.open else { return };
                sought.seat = Some(open.seat(found.seat));
                sought.seat.map(fetch_whole);
                open.fetch_around(found);
                self.accounts.fetch_account(sought.account);
                match order {
                    OrderRef::Client(_) => {
                        open.fetch_index(found.id);
                        self.markets.orders.fetch_index(found.id);
                    }
                    OrderRef::Id(_) | OrderRef::Both(_) => {
                        open.fetch_name(&Named::new(sought.account, &found.client_order_id));
                        self.look_around(sought);
                    }
                }
            }
            (4, OrderRef::Client(_)) => {
                let Some(found) = sought.open else { return };
                sought.resting = self.markets.orders.find(found.id).map(|slot| &self.markets.orders[slot]);
                sought.resting.map(fetch_whole);
            }
            (5, OrderRef::Client(_)) => self.look_around(sought),
            (4, OrderRef::Id(_) | OrderRef::Both(_)) | (6, OrderRef::Client(_)) => self.look_at_level(sought),
            _ => {}
        }
    }

    /// What an order at rest is linked to.
    #[inline]
    fn look_around<S, H>(&self, sought: &Sought<'_, S, H>) {
        if let (Some(resting), Some(listed)) = (sought.resting, self.markets.get(sought.market)) {
            listed.book.fetch_around(&self.markets.orders, resting);
        }
    }

    /// The level of an order at rest.
    #[inline]
    fn look_at_level<S, H>(&self, sought: &Sought<'_, S, H>) {
        if let (Some(resting), Some(listed)) = (sought.resting, self.markets.get(sought.market)) {
            listed.book.fetch_level(resting.side, resting.price_ticks);
        }
    }
}

impl<S, H> Sought<'_, S, H> {
    const fn new(account: AccountId, market: MarketId) -> Self {
        Self { account, market, open: None, seat: None, resting: None }
    }
}

/// Whether an order trades as soon as it comes, if nobody comes before it.
fn trades_at_once(book: &Book, side: Side, kind: &OrderKind) -> bool {
    match *kind {
        OrderKind::Market { .. } | OrderKind::MarketQuote { .. } => true,
        OrderKind::Limit { price_ticks, .. } => book.crosses(side, price_ticks),
        OrderKind::LimitMaker { .. } | OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => false,
    }
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
