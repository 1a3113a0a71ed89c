//! Looking ahead: what the next commands of a batch will need is asked for before they are applied. It changes nothing but
//! the time that they take; see [`orderbook::fetch_ahead`].
//!
//! What a command needs is found in steps, each by way of the one before: a cell of a table, the order that it names, that
//! order's seat, the seat's balance. So a group of commands is looked at in rounds, one step of each command a round: by the time
//! that a round is over, what its first look has asked for is nearly there, and the processor waits for a whole group once
//! instead of for each command.

use arrayvec::ArrayVec;
use model::{
    AccountId, ClientOrderId, Command, Event, FromMarket, Letter, MarketId, OrderCommand, OrderKind,
    OrderRef, PlaceContractOrder, PlaceOrder, PriceTicks, QtyLots, Sequenced, Side,
};
use orderbook::{Book, OrderSlot, fetch_ahead, fetch_whole};

use crate::Partition;
use crate::accounts::Accounts;
use crate::futures::Stake;
use crate::market::Market;
use crate::messages::{Party, Posted, Trade};
use crate::open_orders::{Balances, Hint, Named, OpenOrders, Seat, SeatSlot};
use crate::place::paid_with;

/// So many commands are looked at together. More would push out what is asked for before it is used.
const TOGETHER: usize = 32;

type Group<T> = ArrayVec<T, TOGETHER>;

/// So many of those that an order will trade with are looked at before it is applied.
const MAKERS: usize = 64;

/// An order that will be placed at a spot market, with what was found of it so far.
struct Placing<'a> {
    /// Its place in the group.
    at: usize,
    place: &'a PlaceOrder,
    named: Named<'a>,
    listed: &'a Market,
    /// At once, as it seems.
    trades: bool,
    seat: Option<SeatSlot>,
}

/// An order that will trade with somebody.
struct Taking<'a> {
    /// Its place in the group.
    at: usize,
    book: &'a Book,
    /// The side that it will trade with.
    counter: Side,
    /// How much it wants.
    wanted: QtyLots,
    /// The worst price that it accepts, if it has one.
    worst: Option<PriceTicks>,
    /// The first order there.
    first: Option<OrderSlot>,
    /// How many are looked at of those that it will trade with first.
    makers: usize,
}

/// An order that will be looked for, with what was found of it so far.
struct Sought<'a, S> {
    slot: Option<OrderSlot>,
    seat: Option<&'a Seat<S>>,
}

/// An open order that will be looked for, as it is named.
struct Asked<'a, S> {
    /// Its place in the group.
    at: usize,
    account: AccountId,
    market: MarketId,
    order: &'a OrderRef,
    /// Empty where it goes by its number.
    named: Named<'a>,
    sought: Sought<'a, S>,
}

/// What comes next, each kind by itself, so that the processor guesses right which one it is.
#[derive(Default)]
struct Next<'a> {
    placing: Group<Placing<'a>>,
    taking: Group<Taking<'a>>,
    /// Whom all of those will trade with.
    makers: ArrayVec<Sought<'a, Balances>, MAKERS>,
    asked_by_name: Group<Asked<'a, Balances>>,
    asked_by_id: Group<Asked<'a, Balances>>,
    placing_contract: Group<&'a PlaceContractOrder>,
    asked_at_contract: Group<Asked<'a, Stake>>,
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
            let hints = self.look_ahead(group);
            for (input, hint) in group.iter().zip(hints) {
                self.apply_hinted(input, hint, events);
                applied(self, events);
            }
        }
    }

    /// Looks at commands that come next. What it finds of each.
    fn look_ahead(&self, group: &[Sequenced<Command>]) -> [Hint; TOGETHER] {
        let mut next = Next::default();
        for (at, input) in group.iter().enumerate() {
            match need(&input.command) {
                Need::Place(place) => {
                    // Whoever takes a contract for a spot market is refused later. Its book's orders are in another slab.
                    if let Some(listed) = self.markets.get(place.market)
                        && listed.holders.is_none()
                    {
                        let book = &listed.book;
                        let trades = trades_at_once(book, place.side, &place.kind);
                        if trades {
                            let counter = place.side.opposite();
                            let wanted = place.kind.qty_lots().unwrap_or(QtyLots(1));
                            let worst = place.kind.price_ticks();
                            let (first, makers) = (None, 0);
                            next.taking.push(Taking { at, book, counter, wanted, worst, first, makers });
                        }
                        let named = Named::new(place.account, &place.client_order_id);
                        next.placing.push(Placing { at, place, named, listed, trades, seat: None });
                    }
                }
                Need::PlaceContract(place) => {
                    if self.catalog.contract(place.market).is_some() {
                        next.placing_contract.push(place);
                    }
                }
                Need::Order(account, market, order) => {
                    if self.catalog.contract(market).is_some() {
                        next.asked_at_contract.push(Asked::new(at, account, market, order));
                    } else if let OrderRef::Client(_) = order {
                        next.asked_by_name.push(Asked::new(at, account, market, order));
                    } else {
                        next.asked_by_id.push(Asked::new(at, account, market, order));
                    }
                }
                Need::Nothing => {}
            }
        }
        self.look_at_all::<1>(&mut next);
        self.look_at_all::<2>(&mut next);
        self.look_at_all::<3>(&mut next);
        self.look_at_all::<4>(&mut next);
        self.look_at_all::<5>(&mut next);

        let mut hints = [Hint::NONE; TOGETHER];
        for placing in &next.placing {
            hints[placing.at] = Hint::to_place(placing.seat, &placing.named);
        }
        for asked in next.asked_by_name.iter().chain(&next.asked_by_id) {
            hints[asked.at] = Hint::to_find(asked.sought.slot);
        }
        for taking in &next.taking {
            hints[taking.at].makers = taking.makers;
        }
        for asked in &next.asked_at_contract {
            hints[asked.at] = Hint::to_find(asked.sought.slot);
        }
        hints
    }

    /// A round: one step of each.
    #[inline]
    fn look_at_all<'a, const STEP: u8>(&'a self, next: &mut Next<'a>) {
        let Accounts { open, futures, .. } = &self.accounts;
        for placing in &mut next.placing {
            self.look_at_new::<STEP>(placing);
        }
        for taking in &mut next.taking {
            self.look_at_taking::<STEP>(taking, &mut next.makers);
        }
        for maker in &mut next.makers {
            match STEP {
                3 => self.look_at_traded::<1>(maker),
                4 => self.look_at_traded::<2>(maker),
                5 => self.look_at_traded::<3>(maker),
                _ => {}
            }
        }
        for asked in &mut next.asked_by_name {
            self.look_at_asked::<STEP, _, _>(asked, open);
            self.look_at_payer::<STEP>(asked);
        }
        for asked in &mut next.asked_by_id {
            self.look_at_asked::<STEP, _, _>(asked, open);
            self.look_at_payer::<STEP>(asked);
        }
        for place in &mut next.placing_contract {
            self.look_at_new_of_contract(STEP, place);
        }
        for asked in &mut next.asked_at_contract {
            self.look_at_stake(STEP, asked.account, asked.market);
            self.look_at_asked::<STEP, _, _>(asked, &futures.open);
        }
    }

    /// Looks at letters that will be delivered next: at the orders that were traded with, each of which somebody else owns, but for
    /// so many that were looked at before. How many of those may be in what follows.
    #[inline]
    pub(crate) fn look_at_letters(&self, letters: &[Posted], looked_at: usize) -> usize {
        // An order causes three letters at the most, and one more for each maker.
        if letters.len() > looked_at.saturating_add(3) {
            self.look_at_makers(letters, looked_at);
        }
        if letters.len() == Self::LETTERS { looked_at.saturating_sub(letters.len()) } else { looked_at }
    }

    fn look_at_makers(&self, letters: &[Posted], looked_at: usize) {
        let Accounts { open, futures, .. } = &self.accounts;
        let mut makers = ArrayVec::<_, { Self::LETTERS }>::new();
        let mut at_contracts = ArrayVec::<_, { Self::LETTERS }>::new();
        let mut known = looked_at;
        for posted in letters {
            match posted {
                Posted::Trade(_) if known > 0 => known = known.saturating_sub(1),
                Posted::Trade(Trade { market, maker, .. }) => {
                    let Party { order, account, slot } = *maker;
                    if self.catalog.contract(*market).is_some() {
                        let slot = slot.known().or_else(|| futures.open.orders.guess(order));
                        at_contracts.push((account, *market, slot));
                    } else {
                        let slot = slot.known().or_else(|| open.orders.guess(order));
                        makers.push(Sought { slot, seat: None });
                    }
                }
                Posted::Letter {
                    letter: Letter::ToAccount { body: FromMarket::Triggered { .. }, .. },
                    slot,
                } => makers.push(Sought { slot: slot.known(), seat: None }),
                Posted::Letter { .. } => {}
            }
        }
        for step in 1..=3 {
            for sought in &mut makers {
                match step {
                    1 => self.look_at_traded::<1>(sought),
                    2 => self.look_at_traded::<2>(sought),
                    _ => self.look_at_traded::<3>(sought),
                }
            }
            for (account, market, slot) in &at_contracts {
                self.look_at_stake(step, *account, *market);
                match step {
                    1 => {
                        if let Some(slot) = slot {
                            futures.open.fetch_order(*slot);
                        }
                    }
                    2 => {
                        if let Some(kept) = slot.and_then(|slot| futures.open.kept(slot)) {
                            futures.open.fetch_name(&Named::new(*account, &kept.client_order_id));
                            futures.open.fetch_around(kept);
                        }
                    }
                    _ => self.look_at_list_of_seats(*account),
                }
            }
        }
    }

    /// An open order that somebody will trade with: the order, what it is linked to, both balances.
    #[inline]
    fn look_at_traded<'a, const STEP: u8>(&'a self, sought: &mut Sought<'a, Balances>) {
        let Accounts { open, ledger, .. } = &self.accounts;
        let Some(slot) = sought.slot else { return };
        match STEP {
            1 => open.fetch_order(slot),
            2 => {
                let Some(kept) = open.kept(slot) else { return };
                open.fetch_name(&Named::new(open.orders[slot].account, &kept.client_order_id));
                open.fetch_around(kept);
                sought.seat = Some(open.seat(kept.seat));
                sought.seat.map(fetch_whole);
            }
            3 => {
                if let Some(seat) = sought.seat {
                    fetch_ahead(ledger.purse(seat.stake.base));
                    fetch_ahead(ledger.purse(seat.stake.quote));
                }
            }
            _ => {}
        }
    }

    /// An order that will trade at once: those that it will trade with, if nobody comes before it.
    #[inline]
    fn look_at_taking<'a, const STEP: u8>(
        &'a self,
        taking: &mut Taking<'a>,
        makers: &mut ArrayVec<Sought<'a, Balances>, MAKERS>,
    ) {
        let Taking { book, counter, wanted, worst, first, makers: count, .. } = taking;
        match STEP {
            1 => book.fetch_best(*counter),
            2 => {
                if let Some(slot) = book.first(*counter) {
                    fetch_whole(&self.accounts.open.orders[slot]);
                }
            }
            // Those for which there is no room go without.
            3 => {
                let (orders, room) = (&self.accounts.open.orders, makers.remaining_capacity());
                book.makers(orders, *counter, (*wanted, *worst), room, |slot| {
                    makers.push(Sought { slot: Some(slot), seat: None });
                    *count = count.saturating_add(1);
                    *first = first.or(Some(slot));
                });
            }
            4 => {
                if let Some(slot) = *first {
                    let orders = &self.accounts.open.orders;
                    book.fetch_around(orders, &orders[slot]);
                }
            }
            _ => {}
        }
    }

    /// An order that will be placed.
    #[inline]
    fn look_at_new<'a, const STEP: u8>(&'a self, placing: &mut Placing<'a>) {
        let PlaceOrder { account, market, side, .. } = *placing.place;
        let Accounts { open, ledger, .. } = &self.accounts;
        let price = placing.place.kind.price_ticks();
        match STEP {
            1 => {
                self.accounts.fetch_account(account);
                open.fetch_seat_cell(account, market);
                open.fetch_name(&placing.named);
                if let Some(price) = price {
                    placing.listed.book.fetch_leaf(side, price);
                }
            }
            2 => {
                placing.seat = open.guess_seat(account, market);
                match placing.seat {
                    Some(seat) => {
                        fetch_whole(open.seat(seat));
                        if let Some(trigger) = placing.place.kind.trigger() {
                            open.fetch_waiting(seat);
                            placing.listed.triggers.fetch_vacant(side, trigger);
                        }
                    }
                    // It will take one, between two balances.
                    None => {
                        ledger.opened_at(account).map(fetch_ahead);
                    }
                }
                if let Some(price) = price {
                    placing.listed.book.fetch_level(side, price);
                }
            }
            3 => {
                match placing.seat {
                    Some(seat) => {
                        let seat = open.seat(seat);
                        fetch_ahead(ledger.purse(seat.pays_from(side)));
                        if placing.trades {
                            fetch_ahead(ledger.purse(seat.pays_from(side.opposite())));
                        }
                        open.fetch_last(seat);
                    }
                    None => {
                        if let Ok(terms) = self.catalog.market(market) {
                            ledger.named_at(account, terms.base).map(fetch_ahead);
                            ledger.named_at(account, terms.quote).map(fetch_ahead);
                        }
                    }
                }
                if let Some(price) = price {
                    placing.listed.book.fetch_back(&open.orders, side, price);
                }
            }
            4 => {
                if placing.seat.is_none()
                    && let Ok(terms) = self.catalog.market(market)
                    && let Some(slot) = ledger.find_slot(account, paid_with(terms, side))
                {
                    fetch_ahead(ledger.purse(slot));
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
                    open.fetch_last(open.seat(seat));
                }
                self.look_at_list_of_seats(account);
                if let (Some(price), Some(listed)) = (place.kind.price_ticks(), self.markets.get(market)) {
                    listed.book.fetch_level(side, price);
                }
            }
            5 => {
                open.fetch_name(&Named::new(account, &place.client_order_id));
                if let (Some(price), Some(listed)) = (place.kind.price_ticks(), self.markets.get(market)) {
                    listed.book.fetch_back(&open.orders, side, price);
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
        let Some(slot) = listed.book.first(place.side.opposite()) else { return };
        let Accounts { futures, ledger, .. } = &self.accounts;
        if look == 2 {
            return futures.open.fetch_order(slot);
        }
        let maker = futures.open.orders[slot].account;
        match look {
            3 => {
                ledger.first_wallet_at(maker).map(fetch_ahead);
                self.look_at_quantity(maker, place.market);
                if let Some(kept) = futures.open.kept(slot) {
                    fetch_whole(futures.open.seat(kept.seat));
                }
            }
            4 => self.look_at_wallet(maker),
            _ => self.look_at_list_of_seats(maker),
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
                    fetch_whole(futures.open.seat(seat));
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

    /// An open order.
    #[inline]
    fn look_at_asked<'a, const STEP: u8, S, H: Clone>(
        &'a self,
        asked: &mut Asked<'a, S>,
        open: &'a OpenOrders<S, H>,
    ) {
        let Asked { account, market, order, named, sought, .. } = asked;
        let slot = sought.slot;
        match STEP {
            1 => match order {
                OrderRef::Client(_) => open.fetch_name(named),
                OrderRef::Id(id) | OrderRef::Both((id, _)) => open.orders.fetch_index(*id),
            },
            2 => {
                sought.slot = match order {
                    OrderRef::Client(_) => open.guess_named(named),
                    OrderRef::Id(id) | OrderRef::Both((id, _)) => open.orders.guess(*id),
                };
                if let Some(slot) = sought.slot {
                    open.fetch_order(slot);
                }
                self.accounts.fetch_account(*account);
            }
            3 => {
                let Some((slot, kept)) = slot.and_then(|slot| Some((slot, open.kept(slot)?))) else {
                    return;
                };
                sought.seat = Some(open.seat(kept.seat));
                sought.seat.map(fetch_whole);
                open.fetch_around(kept);
                if !matches!(order, OrderRef::Client(_)) {
                    open.fetch_name(&Named::new(*account, &kept.client_order_id));
                }
                let order = &open.orders[slot];
                if order.waits {
                    open.fetch_waiting(kept.seat);
                }
                if let Some(listed) = self.markets.get(*market) {
                    if order.waits {
                        listed.triggers.fetch_slot(order.id);
                    } else {
                        listed.book.fetch_around(&open.orders, order);
                    }
                }
            }
            4 => {
                if let (Some(slot), Some(listed)) = (slot, self.markets.get(*market)) {
                    let order = &open.orders[slot];
                    if order.waits {
                        listed.triggers.fetch(order.id);
                    } else {
                        listed.book.fetch_level_of(order);
                    }
                }
            }
            _ => {}
        }
    }

    /// The balance that pays for an open order.
    #[inline]
    fn look_at_payer<const STEP: u8>(&self, asked: &Asked<'_, Balances>) {
        let Accounts { open, ledger, .. } = &self.accounts;
        if STEP == 4
            && let Sought { seat: Some(seat), slot: Some(slot) } = asked.sought
        {
            fetch_ahead(ledger.purse(seat.pays_from(open.orders[slot].side)));
        }
    }
}

impl<'a, S> Asked<'a, S> {
    #[inline]
    fn new(at: usize, account: AccountId, market: MarketId, order: &'a OrderRef) -> Self {
        let name = match order {
            OrderRef::Client(name) => name,
            OrderRef::Id(_) | OrderRef::Both(_) => const { &ClientOrderId::EMPTY },
        };
        let named = Named::new(account, name);
        Self { at, account, market, order, named, sought: Sought::NOTHING }
    }
}

impl<S> Sought<'_, S> {
    const NOTHING: Self = Self { slot: None, seat: None };
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
