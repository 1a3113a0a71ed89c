//! Orders: what is open, and the latest of what is over.
//!
//! Refused orders never were orders and are not here.

use codec::{Coded, DecodeError, Reader};
use hashbrown::HashTable;
use model::{
    AccountId, Amount, ClientOrderId, ContractFilled, ContractOrderAccepted, ContractOrderModified,
    EndReason, ExpiryReason, MarketId, MarketTerms, OrderAccepted, OrderAmended, OrderCause, OrderEnded,
    OrderFilled, OrderId, OrderKind, OrderPrevented, OrderTracks, OrderTriggered, PositionSide, PriceTicks,
    QtyLots, SelfTradePrevention, Side, TimeInForce, TimeNs, Trigger,
};

use crate::ViewSettings;
use crate::hash::Hasher;
use crate::page::Page;
use crate::slab::{Chain, Groups, List, Slab};

/// How far an order is. Source: semantics 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Accepted; nothing of it has traded.
    New,
    /// A part of it has traded.
    PartiallyFilled,
    /// It has traded.
    Filled,
    /// Its owner cancelled it.
    Canceled,
    /// The rules of its type, or the exchange, ended it.
    Expired,
    /// Self-trade prevention ended it.
    ExpiredInMatch,
}

/// What an order at a contract has beside what every order has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtContract {
    /// It only makes the position smaller.
    pub reduce_only: bool,
    /// Which position it is for.
    pub position_side: PositionSide,
    /// Who has placed it.
    pub cause: OrderCause,
    /// Its rest expires then (GTD); `None` where it has no date.
    pub good_till_ns: Option<TimeNs>,
}

/// The position side stands in one byte with what was there before it, and so does whether there is a date, which is behind the rest;
/// zero is that of one-way mode.
impl Coded for AtContract {
    fn encode(&self, out: &mut Vec<u8>) {
        let position_side = match self.position_side {
            PositionSide::Both => 0,
            PositionSide::Long => 2,
            PositionSide::Short => 4,
        };
        let has_date = if self.good_till_ns.is_some() { 8 } else { 0 };
        out.push(u8::from(self.reduce_only) | position_side | has_date);
        self.cause.encode(out);
        if let Some(good_till_ns) = self.good_till_ns {
            good_till_ns.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = u8::decode(input)?;
        let position_side = match (tag & 7) >> 1 {
            0 if tag < 16 => PositionSide::Both,
            1 if tag < 16 => PositionSide::Long,
            2 if tag < 16 => PositionSide::Short,
            _ => return Err(DecodeError::UnknownTag { what: "an order at a contract", tag }),
        };
        let cause = Coded::decode(input)?;
        let good_till_ns = if tag & 8 == 8 { Some(Coded::decode(input)?) } else { None };
        Ok(Self { reduce_only: tag & 1 == 1, position_side, cause, good_till_ns })
    }
}

/// An order, open or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// What kind, as it was accepted, or modified at a contract; after an amendment its quantity is that of `qty_lots`.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// Its name now; may be empty.
    pub client_order_id: ClientOrderId,
    /// Its name as it was accepted; another than `client_order_id` only when an amendment gave it a new one.
    pub original_client_order_id: ClientOrderId,
    /// Its total quantity now, what has traded included; for an order by amount what it has come to
    /// so far.
    pub qty_lots: QtyLots,
    /// What has traded.
    pub executed_lots: QtyLots,
    /// What self-trade prevention took off.
    pub prevented_lots: QtyLots,
    /// The price of what has traded, fees apart, in quote atoms.
    pub cumulative_quote: Amount,
    /// What is held for it, in atoms of quote (a buy) or base (a sell); nothing at contracts.
    pub held: Amount,
    /// When it was accepted.
    pub accepted_ns: TimeNs,
    /// When it last changed.
    pub updated_ns: TimeNs,
    /// Why it ended, unless it is open.
    pub end: Option<EndReason>,
    /// How often it was amended.
    pub amends: u16,
    /// Its latest encounter with an order of its owner.
    pub prevented_match: Option<u64>,
    /// What an order at a contract has beside; `None` in spot markets.
    pub at_contract: Option<AtContract>,
    /// When the price came that it waited for; 0 before that, and for an order that never waited.
    triggered_ns: TimeNs,
    /// Since when it has followed the price, as a trailing order does; 0 before that.
    tracks_ns: TimeNs,
    /// True when looking for its name finds it; a later order of the same name takes that away.
    named: bool,
}

impl Order {
    /// As it is when it was accepted just now. What has become of one that is known from elsewhere is put into its fields, and
    /// [`Self::waited`].
    pub fn accepted(accepted: &OrderAccepted, time_ns: TimeNs) -> Self {
        Self {
            id: accepted.order,
            account: accepted.account,
            market: accepted.market,
            side: accepted.side,
            kind: accepted.kind,
            self_trade_prevention: accepted.self_trade_prevention,
            client_order_id: accepted.client_order_id,
            original_client_order_id: accepted.client_order_id,
            qty_lots: accepted.kind.qty_lots().unwrap_or(QtyLots::ZERO),
            executed_lots: QtyLots::ZERO,
            prevented_lots: QtyLots::ZERO,
            cumulative_quote: Amount::ZERO,
            held: accepted.held,
            accepted_ns: time_ns,
            updated_ns: time_ns,
            end: None,
            amends: 0,
            prevented_match: None,
            at_contract: None,
            triggered_ns: TimeNs(0),
            // Without a stop price it follows from the start.
            tracks_ns: match accepted.kind.trigger() {
                Some(Trigger { stop_ticks: None, .. }) => time_ns,
                Some(_) | None => TimeNs(0),
            },
            named: true,
        }
    }

    /// Since when it has followed the price, and since when it has taken part in its market, of one that waited for a price.
    pub fn waited(&mut self, tracks_ns: Option<TimeNs>, triggered_ns: Option<TimeNs>) {
        self.tracks_ns = tracks_ns.unwrap_or(TimeNs(0));
        self.triggered_ns = triggered_ns.unwrap_or(TimeNs(0));
    }

    /// How far it is.
    pub const fn status(&self) -> OrderStatus {
        match self.end {
            None if self.executed_lots.is_zero() => OrderStatus::New,
            None => OrderStatus::PartiallyFilled,
            Some(EndReason::Filled) => OrderStatus::Filled,
            Some(EndReason::Canceled) => OrderStatus::Canceled,
            Some(EndReason::Expired(_)) => OrderStatus::Expired,
            Some(EndReason::ExpiredInMatch) => OrderStatus::ExpiredInMatch,
        }
    }

    /// Why it expired, if it did.
    pub const fn expiry_reason(&self) -> Option<ExpiryReason> {
        match self.end {
            Some(EndReason::Expired(reason)) => Some(reason),
            None | Some(EndReason::Filled | EndReason::Canceled | EndReason::ExpiredInMatch) => None,
        }
    }

    /// True until it ends.
    pub const fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Its limit price, where it has one.
    pub const fn price_ticks(&self) -> Option<PriceTicks> {
        self.kind.price_ticks()
    }

    /// How long it may live; good till cancelled where its kind has no choice.
    pub const fn time_in_force(&self) -> TimeInForce {
        match self.kind {
            OrderKind::Limit { time_in_force, .. } | OrderKind::StopLimit { time_in_force, .. } => {
                time_in_force
            }
            OrderKind::LimitMaker { .. }
            | OrderKind::Market { .. }
            | OrderKind::MarketQuote { .. }
            | OrderKind::StopMarket { .. } => TimeInForce::Gtc,
        }
    }

    /// The amount it was placed for (`quoteOrderQty`), in quote atoms; zero for an order by quantity.
    pub const fn original_quote(&self) -> Amount {
        match self.kind {
            OrderKind::MarketQuote { quote_amount } => quote_amount,
            OrderKind::Limit { .. }
            | OrderKind::LimitMaker { .. }
            | OrderKind::Market { .. }
            | OrderKind::StopMarket { .. }
            | OrderKind::StopLimit { .. } => Amount::ZERO,
        }
    }

    /// Since when it has taken part in its market; `None` while it waits for a price, and when it ended so.
    pub fn working_ns(&self) -> Option<TimeNs> {
        if self.kind.trigger().is_none() {
            return Some(self.accepted_ns);
        }
        (self.triggered_ns != TimeNs(0)).then_some(self.triggered_ns)
    }

    /// Since when it has followed the price, as a trailing order does; `None` while it does not.
    pub fn trailing_ns(&self) -> Option<TimeNs> {
        (self.tracks_ns != TimeNs(0)).then_some(self.tracks_ns)
    }

    /// What may still trade; zero once it is over.
    pub fn open_lots(&self) -> QtyLots {
        if self.is_open() { self.qty_lots - self.executed_lots - self.prevented_lots } else { QtyLots::ZERO }
    }
}

/// Orders of one account in one market.
#[derive(Clone, Copy, Debug)]
struct Group {
    open: List,
    /// In the order in which they ended.
    finished: List,
}

impl Group {
    const EMPTY: Self = Self { open: List::EMPTY, finished: List::EMPTY };
}

/// All orders that are kept.
#[derive(Clone, Debug)]
pub struct Orders {
    slab: Slab<Order>,
    groups: Groups<Group>,
    /// Of everybody, in the order in which they ended.
    finished: List,
    by_id: HashTable<u32>,
    by_name: HashTable<u32>,
    hasher: Hasher,
    open_count: usize,
    kept_per_account: usize,
    kept: usize,
}

impl Orders {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self {
            slab: Slab::new(),
            groups: Groups::new(),
            finished: List::EMPTY,
            by_id: HashTable::new(),
            by_name: HashTable::new(),
            hasher: Hasher::new(settings.hash_seed),
            open_count: 0,
            kept_per_account: settings.orders_kept_per_account,
            kept: settings.orders_kept,
        }
    }

    /// The order of that number, open or over, while it is kept.
    pub fn by_id(&self, order: OrderId) -> Option<&Order> {
        self.slot_of(order).map(|slot| &self.slab[slot])
    }

    /// The latest order that took this name in this market, open or over, while it is kept and has that name. Orders without
    /// a name are not found by it.
    pub fn by_client_id(
        &self,
        account: AccountId,
        market: MarketId,
        client_order_id: &ClientOrderId,
    ) -> Option<&Order> {
        self.slot_of_name(account, market, client_order_id).map(|slot| &self.slab[slot])
    }

    /// The open orders of an account in one market, by ascending number.
    pub fn open_in(&self, account: AccountId, market: MarketId) -> Vec<&Order> {
        self.groups.find(account, market).map_or_else(Vec::new, |group| self.open_of(*group))
    }

    /// The open orders of an account in all markets, by ascending number: in the order in which they were accepted.
    pub fn open(&self, account: AccountId) -> Vec<&Order> {
        let mut open: Vec<&Order> =
            self.groups.of(account).flat_map(|group| group.open.iter(&self.slab, Chain::Group)).collect();
        open.sort_unstable_by_key(|order| order.id);
        open
    }

    /// How many orders an account has open in one market.
    pub fn open_count_in(&self, account: AccountId, market: MarketId) -> usize {
        self.groups.find(account, market).map_or(0, |group| group.open.len())
    }

    /// How many orders are open altogether.
    pub const fn open_count(&self) -> usize {
        self.open_count
    }

    /// Orders of an account in one market, open and over, by ascending number. The page's times mean when an order was
    /// accepted.
    pub fn all(&self, account: AccountId, market: MarketId, page: &Page<OrderId>) -> Vec<&Order> {
        let Some(group) = self.groups.find(account, market) else { return Vec::new() };
        let finished = group.finished.iter(&self.slab, Chain::Group);
        let mut covered: Vec<&Order> = group
            .open
            .iter(&self.slab, Chain::Group)
            .chain(finished)
            .filter(|order| page.covers(order.id, order.accepted_ns))
            .collect();
        covered.sort_unstable_by_key(|order| order.id);
        page.cut(covered)
    }

    fn open_of(&self, group: Group) -> Vec<&Order> {
        let mut open: Vec<&Order> = group.open.iter(&self.slab, Chain::Group).collect();
        open.sort_unstable_by_key(|order| order.id);
        open
    }

    fn slot_of(&self, order: OrderId) -> Option<u32> {
        self.by_id.find(self.hasher.order(order), |slot| self.slab[*slot].id == order).copied()
    }

    fn slot_of_name(&self, account: AccountId, market: MarketId, name: &ClientOrderId) -> Option<u32> {
        let hash = self.hasher.client(account, market, name);
        self.by_name
            .find(hash, |slot| {
                let order = &self.slab[*slot];
                order.account == account && order.market == market && order.client_order_id == *name
            })
            .copied()
    }

    fn open_slot(&self, order: OrderId) -> u32 {
        let slot = self.slot_of(order).expect("an event names an order that was accepted");
        assert!(self.slab[slot].is_open(), "an order that has ended does not change any more");
        slot
    }

    pub(crate) fn accepted(&mut self, accepted: &OrderAccepted, time_ns: TimeNs) {
        self.insert(Order::accepted(accepted, time_ns));
    }

    pub(crate) fn contract_accepted(&mut self, accepted: &ContractOrderAccepted, time_ns: TimeNs) {
        let &ContractOrderAccepted {
            order,
            account,
            market,
            side,
            kind,
            self_trade_prevention,
            client_order_id,
            reduce_only,
            position_side,
            cause,
        } = accepted;
        let at_contract = AtContract { reduce_only, position_side, cause, good_till_ns: None };
        // Margin is reserved by wallet, not held by order.
        let held = Amount::ZERO;
        let accepted = OrderAccepted {
            order,
            account,
            market,
            side,
            kind,
            self_trade_prevention,
            client_order_id,
            held,
        };
        self.insert(Order { at_contract: Some(at_contract), ..Order::accepted(&accepted, time_ns) });
    }

    pub(crate) fn good_till(&mut self, order: OrderId, good_till_ns: TimeNs) {
        let slot = self.open_slot(order);
        let at_contract = self.slab[slot].at_contract.as_mut().expect("only orders at contracts have a date");
        at_contract.good_till_ns = Some(good_till_ns);
    }

    pub(crate) fn contract_modified(&mut self, modified: &ContractOrderModified, time_ns: TimeNs) {
        let slot = self.open_slot(modified.order);
        let order = &mut self.slab[slot];
        order.kind = modified.kind;
        order.self_trade_prevention = modified.self_trade_prevention;
        order.qty_lots = modified.kind.qty_lots().expect("an order at a contract has a quantity");
        order.amends = order.amends.saturating_add(1);
        order.updated_ns = time_ns;
        order.check();
    }

    pub(crate) fn contract_filled(&mut self, filled: &ContractFilled, terms: &MarketTerms, time_ns: TimeNs) {
        let slot = self.open_slot(filled.order);
        let order = &mut self.slab[slot];
        assert_eq!(
            (order.account, order.market, order.side),
            (filled.account, filled.market, filled.side),
            "a fill is told to the owner of the order"
        );
        order.executed_lots += filled.qty_lots;
        order.cumulative_quote += terms.notional(filled.price_ticks, filled.qty_lots);
        order.updated_ns = time_ns;
        order.check();
    }

    pub(crate) fn filled(&mut self, filled: &OrderFilled, terms: &MarketTerms, time_ns: TimeNs) {
        let slot = self.open_slot(filled.order);
        let order = &mut self.slab[slot];
        assert_eq!(
            (order.account, order.market, order.side),
            (filled.account, filled.market, filled.side),
            "a fill is told to the owner of the order"
        );
        let notional = terms.notional(filled.price_ticks, filled.qty_lots);
        order.executed_lots += filled.qty_lots;
        order.count_by_amount();
        order.cumulative_quote += notional;
        order.held -= filled.released;
        order.pay(filled.price_ticks, filled.qty_lots, terms);
        order.updated_ns = time_ns;
        order.check();
    }

    /// Answers which way the order goes.
    pub(crate) fn prevented(
        &mut self,
        prevented: &OrderPrevented,
        terms: &MarketTerms,
        time_ns: TimeNs,
    ) -> Side {
        let slot = self.open_slot(prevented.order);
        let order = &mut self.slab[slot];
        order.prevented_lots += prevented.prevented_lots;
        order.count_by_amount();
        order.held -= prevented.released;
        if prevented.mode == SelfTradePrevention::Transfer {
            order.pay(prevented.price_ticks, prevented.prevented_lots, terms);
        }
        order.prevented_match = Some(prevented.prevented_match);
        order.updated_ns = time_ns;
        order.check();
        order.side
    }

    pub(crate) fn tracks(&mut self, tracks: &OrderTracks, time_ns: TimeNs) {
        let slot = self.open_slot(tracks.order);
        let order = &mut self.slab[slot];
        (order.tracks_ns, order.updated_ns) = (time_ns, time_ns);
    }

    /// Answers which way the order goes.
    pub(crate) fn triggered(&mut self, triggered: &OrderTriggered, time_ns: TimeNs) -> Side {
        let slot = self.open_slot(triggered.order);
        let order = &mut self.slab[slot];
        (order.triggered_ns, order.updated_ns) = (time_ns, time_ns);
        order.held += triggered.held;
        order.side
    }

    /// Answers which way the order goes.
    pub(crate) fn amended(&mut self, amended: &OrderAmended, time_ns: TimeNs) -> Side {
        let slot = self.open_slot(amended.order);
        if self.slab[slot].client_order_id != amended.client_order_id {
            self.forget_name(slot);
            self.slab[slot].client_order_id = amended.client_order_id;
            self.take_name(slot);
        }
        let order = &mut self.slab[slot];
        order.qty_lots = amended.qty_lots;
        order.held -= amended.released;
        order.amends = order.amends.saturating_add(1);
        order.updated_ns = time_ns;
        order.check();
        order.side
    }

    /// Answers which way the order went.
    pub(crate) fn ended(&mut self, ended: &OrderEnded, time_ns: TimeNs) -> Side {
        let slot = self.open_slot(ended.order);
        let order = &mut self.slab[slot];
        order.end = Some(ended.reason);
        order.held -= ended.released;
        order.updated_ns = time_ns;
        assert!(order.held.is_zero(), "all that is held for an order is released when it ends");

        let side = order.side;
        let group = self.slab.group(slot);
        self.groups[group].open.remove(&mut self.slab, Chain::Group, slot);
        self.open_count = self.open_count.checked_sub(1).expect("an open order was counted");
        self.keep(slot);
        side
    }

    /// Takes an order in, open or over.
    fn insert(&mut self, order: Order) {
        let (id, open, named) = (order.id, order.is_open(), order.named);
        let group = self.groups.enter(order.account, order.market, Group::EMPTY);
        let slot = self.slab.insert(order, group);
        let Self { slab, by_id, hasher, .. } = self;
        let hasher = *hasher;
        by_id.insert_unique(hasher.order(id), slot, |slot| hasher.order(slab[*slot].id));
        if named {
            self.take_name(slot);
        }
        if open {
            self.groups[group].open.push_back(&mut self.slab, Chain::Group, slot);
            self.open_count = self.open_count.saturating_add(1);
        } else {
            self.keep(slot);
        }
    }

    /// Joins the finished orders, of which the oldest may have to go.
    fn keep(&mut self, slot: u32) {
        let group = self.slab.group(slot);
        let finished = &mut self.groups[group].finished;
        finished.push_back(&mut self.slab, Chain::Group, slot);
        self.finished.push_back(&mut self.slab, Chain::Everybody, slot);
        if finished.len() > self.kept_per_account {
            let oldest = finished.front().expect("a list that is too long is not empty");
            self.forget(oldest);
        }
        if self.finished.len() > self.kept {
            let oldest = self.finished.front().expect("a list that is too long is not empty");
            self.forget(oldest);
        }
    }

    fn forget(&mut self, slot: u32) {
        let (id, group) = (self.slab[slot].id, self.slab.group(slot));
        self.groups[group].finished.remove(&mut self.slab, Chain::Group, slot);
        self.finished.remove(&mut self.slab, Chain::Everybody, slot);
        self.forget_name(slot);
        let found = self.by_id.find_entry(self.hasher.order(id), |other| *other == slot);
        found.expect("every order is found by its number").remove();
        self.slab.release(slot);
    }

    /// Lets the order be found by its name, and no other. Any number of orders may have no name.
    fn take_name(&mut self, slot: u32) {
        if self.slab[slot].client_order_id.is_empty() {
            self.slab[slot].named = false;
            return;
        }
        let Self { slab, by_name, hasher, .. } = self;
        let hasher = *hasher;
        let order = &slab[slot];
        let (account, market, name) = (order.account, order.market, order.client_order_id);
        let hash = hasher.client(account, market, &name);
        let found = by_name.find_mut(hash, |other| {
            let other = &slab[*other];
            other.account == account && other.market == market && other.client_order_id == name
        });
        if let Some(found) = found {
            let before = std::mem::replace(found, slot);
            assert!(!slab[before].is_open(), "names of open orders are unique");
            slab[before].named = false;
        } else {
            by_name.insert_unique(hash, slot, |slot| {
                let order = &slab[*slot];
                hasher.client(order.account, order.market, &order.client_order_id)
            });
        }
        slab[slot].named = true;
    }

    fn forget_name(&mut self, slot: u32) {
        let order = &self.slab[slot];
        if order.named {
            let hash = self.hasher.client(order.account, order.market, &order.client_order_id);
            let found = self.by_name.find_entry(hash, |other| *other == slot);
            found.expect("an order that has its name is found by it").remove();
            self.slab[slot].named = false;
        }
    }

    /// Open orders by account and market, then finished ones in the order in which they ended.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        let open = self.groups.iter().flat_map(|group| group.open.iter(&self.slab, Chain::Group));
        save_list(self.open_count, open, out);
        save_list(self.finished.len(), self.finished.iter(&self.slab, Chain::Everybody), out);
    }

    /// As [`Self::save`], of orders at contracts.
    pub(crate) fn save_at_contracts(&self, out: &mut Vec<u8>) {
        self.save(out);
        let open = self.groups.iter().flat_map(|group| group.open.iter(&self.slab, Chain::Group));
        let all = open.chain(self.finished.iter(&self.slab, Chain::Everybody));
        all.for_each(|order| order.at_contract.expect("all of them are at contracts").encode(out));
    }

    pub(crate) fn load_at_contracts(
        settings: &ViewSettings,
        input: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let mut loaded = Vec::new();
        for _list in 0..2 {
            for _ in 0..u64::decode(input)? {
                loaded.push(Order::decode(input)?);
            }
        }
        let mut orders = Self::new(settings);
        for order in loaded {
            orders.insert(Order { at_contract: Some(Coded::decode(input)?), ..order });
        }
        Ok(orders)
    }

    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut orders = Self::new(settings);
        for _list in 0..2 {
            for _ in 0..u64::decode(input)? {
                orders.insert(Order::decode(input)?);
            }
        }
        Ok(orders)
    }
}

fn save_list<'a>(len: usize, orders: impl Iterator<Item = &'a Order>, out: &mut Vec<u8>) {
    u64::try_from(len).expect("fits").encode(out);
    orders.for_each(|order| order.encode(out));
}

impl Order {
    /// The quantity of an order by amount is known only as it goes.
    fn count_by_amount(&mut self) {
        if matches!(self.kind, OrderKind::MarketQuote { .. }) {
            self.qty_lots = self.executed_lots + self.prevented_lots;
        }
    }

    /// Pays for this quantity out of what is held.
    fn pay(&mut self, price: PriceTicks, qty: QtyLots, terms: &MarketTerms) {
        self.held -= match self.side {
            Side::Buy => terms.notional(price, qty),
            Side::Sell => terms.base_amount(qty),
        };
    }

    fn check(&self) {
        assert!(self.held >= Amount::ZERO, "no more is taken out of a hold than is in it");
        assert!(self.open_lots() >= QtyLots::ZERO, "no more trades than was ordered");
    }
}

/// The times of an order that waits, or did, stand behind the rest: the first orders knew no such thing.
impl Coded for Order {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        self.account.encode(out);
        self.market.encode(out);
        self.side.encode(out);
        self.kind.encode(out);
        self.self_trade_prevention.encode(out);
        self.client_order_id.encode(out);
        self.original_client_order_id.encode(out);
        self.qty_lots.encode(out);
        self.executed_lots.encode(out);
        self.prevented_lots.encode(out);
        self.cumulative_quote.encode(out);
        self.held.encode(out);
        self.accepted_ns.encode(out);
        self.updated_ns.encode(out);
        self.end.encode(out);
        self.amends.encode(out);
        self.prevented_match.encode(out);
        self.named.encode(out);
        if self.kind.trigger().is_some() {
            self.triggered_ns.encode(out);
            self.tracks_ns.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut order = Self {
            id: Coded::decode(input)?,
            account: Coded::decode(input)?,
            market: Coded::decode(input)?,
            side: Coded::decode(input)?,
            kind: Coded::decode(input)?,
            self_trade_prevention: Coded::decode(input)?,
            client_order_id: Coded::decode(input)?,
            original_client_order_id: Coded::decode(input)?,
            qty_lots: Coded::decode(input)?,
            executed_lots: Coded::decode(input)?,
            prevented_lots: Coded::decode(input)?,
            cumulative_quote: Coded::decode(input)?,
            held: Coded::decode(input)?,
            accepted_ns: Coded::decode(input)?,
            updated_ns: Coded::decode(input)?,
            end: Coded::decode(input)?,
            amends: Coded::decode(input)?,
            prevented_match: Coded::decode(input)?,
            at_contract: None,
            named: Coded::decode(input)?,
            triggered_ns: TimeNs(0),
            tracks_ns: TimeNs(0),
        };
        if order.kind.trigger().is_some() {
            order.triggered_ns = Coded::decode(input)?;
            order.tracks_ns = Coded::decode(input)?;
        }
        Ok(order)
    }
}
