//! Algo orders: what waits for a price of a contract, and the latest of what does not any more, with what became of the orders that
//! were placed for them.
//!
//! Refused ones never were algo orders and are not here.

use std::collections::{BTreeMap, BTreeSet};

use codec::{Coded, DecodeError, Reader, coded_enum, coded_struct};
use model::{
    AccountId, AlgoEndReason, AlgoId, AlgoOrderEnded, AlgoOrderTriggered, Amount, ClientOrderId, Event,
    MarketId, OrderId, PriceTicks, QtyLots, Reject, TimeNs,
};

use crate::ViewSettings;
use crate::page::Page;

/// How far an algo order is. Source: Binance USD-M, event `ALGO_UPDATE`, where the names on the wire are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlgoStatus {
    /// It waits for its price: `NEW`.
    New,
    /// Its price has come, and its order is on its way to the market: `TRIGGERING`.
    Triggering,
    /// Its order is at the market: `TRIGGERED`.
    Triggered,
    /// Its order has ended: `FINISHED`.
    Finished,
    /// Its owner cancelled it: `CANCELED`.
    Canceled,
    /// The exchange ended it: `EXPIRED`.
    Expired,
    /// Its order was refused: `REJECTED`.
    Rejected,
}
coded_enum!(AlgoStatus, "a status of an algo order" {
    0 => New, 1 => Triggering, 2 => Triggered, 3 => Finished, 4 => Canceled, 5 => Expired, 6 => Rejected,
});

/// The order that was placed for an algo order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its number.
    pub order: OrderId,
    /// The price that has triggered it.
    pub price_ticks: PriceTicks,
    /// When.
    pub triggered_ns: TimeNs,
    /// What of it has traded.
    pub executed_lots: QtyLots,
    /// Price x quantity of that, in atoms of the settlement asset.
    pub executed_value: Amount,
}
coded_struct!(Placed { order, price_ticks, triggered_ns, executed_lots, executed_value });

/// An algo order, waiting or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlgoOrder {
    /// As it was accepted.
    pub accepted: model::AlgoOrder,
    /// How far it is.
    pub status: AlgoStatus,
    /// When it was accepted.
    pub accepted_ns: TimeNs,
    /// When it last changed, or its order did.
    pub updated_ns: TimeNs,
    /// Of one that trails from an activation price: the price from which on it follows, once that has come.
    pub tracks_from: Option<PriceTicks>,
    /// The order that was placed for it, once its price has come and there was margin for it.
    pub placed: Option<Placed>,
    /// The rule that its order broke, where that was refused.
    pub reject: Option<Reject>,
    /// When it stopped waiting, counted over all algo orders; 0 while it waits.
    over: u64,
    /// True when looking for its name finds it; a later one of the same name takes that away.
    named: bool,
}
coded_struct!(AlgoOrder {
    accepted,
    status,
    accepted_ns,
    updated_ns,
    tracks_from,
    placed,
    reject,
    over,
    named,
});

impl AlgoOrder {
    /// True while it waits for its price.
    pub const fn is_open(&self) -> bool {
        self.over == 0
    }
}

/// What an account has at a contract.
#[derive(Clone, Debug, Default)]
struct Group {
    open: BTreeSet<AlgoId>,
    /// By when they stopped waiting.
    past: BTreeMap<u64, AlgoId>,
}

/// All algo orders that are kept.
#[derive(Clone, Debug)]
pub struct AlgoOrders {
    orders: BTreeMap<AlgoId, AlgoOrder>,
    groups: BTreeMap<(AccountId, MarketId), Group>,
    names: BTreeMap<(AccountId, ClientOrderId), AlgoId>,
    /// Orders that were placed and have not ended.
    placed: BTreeMap<OrderId, AlgoId>,
    /// Of everybody, by when they stopped waiting.
    past: BTreeMap<u64, AlgoId>,
    last_over: u64,
    kept_per_account: usize,
    kept: usize,
}

impl AlgoOrders {
    pub(crate) fn new(settings: &ViewSettings) -> Self {
        Self {
            orders: BTreeMap::new(),
            groups: BTreeMap::new(),
            names: BTreeMap::new(),
            placed: BTreeMap::new(),
            past: BTreeMap::new(),
            last_over: 0,
            kept_per_account: settings.orders_kept_per_account,
            kept: settings.orders_kept,
        }
    }

    /// Whether there never was one, or none is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The one of that number, while it is kept.
    pub fn by_id(&self, algo: AlgoId) -> Option<&AlgoOrder> {
        self.orders.get(&algo)
    }

    /// The latest that took this name, at any contract, while it is kept. Those without a name are not found by it.
    pub fn by_client_id(&self, account: AccountId, client_algo_id: ClientOrderId) -> Option<&AlgoOrder> {
        self.names.get(&(account, client_algo_id)).map(|algo| &self.orders[algo])
    }

    /// The one for which an order was placed that is open still.
    pub fn by_order(&self, order: OrderId) -> Option<&AlgoOrder> {
        self.placed.get(&order).map(|algo| &self.orders[algo])
    }

    /// Those of an account that wait at one contract, by ascending number.
    pub fn open_in(&self, account: AccountId, market: MarketId) -> Vec<&AlgoOrder> {
        let group = self.groups.get(&(account, market));
        group.into_iter().flat_map(|group| &group.open).map(|algo| &self.orders[algo]).collect()
    }

    /// Those of an account that wait at all contracts, by ascending number: in the order in which they were accepted.
    pub fn open(&self, account: AccountId) -> Vec<&AlgoOrder> {
        let groups = self.groups.range((account, MarketId(0))..=(account, MarketId(u32::MAX)));
        let open: BTreeSet<AlgoId> = groups.flat_map(|(_, group)| &group.open).copied().collect();
        open.iter().map(|algo| &self.orders[algo]).collect()
    }

    /// Those of an account at one contract that wait no longer, by ascending number. The page's times mean when they were accepted.
    pub fn past(&self, account: AccountId, market: MarketId, page: &Page<AlgoId>) -> Vec<&AlgoOrder> {
        let group = self.groups.get(&(account, market));
        let past = group.into_iter().flat_map(|group| group.past.values());
        self.covered(past, page)
    }

    /// As [`Self::past`], with those that wait.
    pub fn all(&self, account: AccountId, market: MarketId, page: &Page<AlgoId>) -> Vec<&AlgoOrder> {
        let group = self.groups.get(&(account, market));
        let both = group.into_iter().flat_map(|group| group.open.iter().chain(group.past.values()));
        self.covered(both, page)
    }

    fn covered<'a>(
        &'a self,
        algos: impl Iterator<Item = &'a AlgoId>,
        page: &Page<AlgoId>,
    ) -> Vec<&'a AlgoOrder> {
        let orders = algos.map(|algo| &self.orders[algo]);
        let mut covered: Vec<&AlgoOrder> =
            orders.filter(|order| page.covers(order.accepted.algo, order.accepted_ns)).collect();
        covered.sort_unstable_by_key(|order| order.accepted.algo);
        page.cut(covered)
    }

    /// Takes in what an event tells of algo orders, or of the orders that were placed for them. `tick_lot` says what a tick times a
    /// lot is worth at a contract.
    pub(crate) fn see(&mut self, event: &Event, time_ns: TimeNs, tick_lot: impl Fn(MarketId) -> Amount) {
        match event {
            Event::AlgoOrderAccepted(accepted) => self.accepted(accepted, time_ns),
            Event::AlgoOrderTracks(tracks) => {
                let order = self.waiting(tracks.algo);
                order.tracks_from = Some(tracks.price_ticks);
                order.updated_ns = time_ns;
            }
            Event::AlgoOrderTriggered(triggered) => self.triggered(*triggered, time_ns),
            Event::AlgoOrderEnded(ended) => self.ended(ended, time_ns),
            Event::ContractOrderAccepted(accepted) => {
                if let Some(order) = self.order_of(accepted.order) {
                    order.status = AlgoStatus::Triggered;
                    order.updated_ns = time_ns;
                }
            }
            Event::ContractFilled(filled) => {
                let value = |market| {
                    let tick_lots = i128::from(filled.price_ticks.0).checked_mul(filled.qty_lots.0.into());
                    let value = tick_lots.and_then(|tick_lots| tick_lots.checked_mul(tick_lot(market).0));
                    Amount(value.expect("terms bound price x quantity"))
                };
                if let Some(order) = self.order_of(filled.order) {
                    let placed = order.placed.as_mut().expect("its order was placed");
                    placed.executed_lots += filled.qty_lots;
                    placed.executed_value += value(filled.market);
                    order.updated_ns = time_ns;
                }
            }
            Event::OrderEnded(ended) => {
                if let Some(order) = self.order_of(ended.order) {
                    order.status = AlgoStatus::Finished;
                    order.updated_ns = time_ns;
                    self.placed.remove(&ended.order);
                }
            }
            _ => {}
        }
    }

    fn accepted(&mut self, accepted: &model::AlgoOrder, time_ns: TimeNs) {
        let named = !accepted.client_algo_id.is_empty();
        let order = AlgoOrder {
            accepted: *accepted,
            status: AlgoStatus::New,
            accepted_ns: time_ns,
            updated_ns: time_ns,
            tracks_from: None,
            placed: None,
            reject: None,
            over: 0,
            named,
        };
        if named {
            let name = (accepted.account, accepted.client_algo_id);
            if let Some(before) = self.names.insert(name, accepted.algo) {
                self.orders.get_mut(&before).expect("a name leads to one that is kept").named = false;
            }
        }
        self.group(&order).open.insert(accepted.algo);
        let before = self.orders.insert(accepted.algo, order);
        assert!(before.is_none(), "an algo order is accepted once");
    }

    fn group(&mut self, order: &AlgoOrder) -> &mut Group {
        self.groups.entry((order.accepted.account, order.accepted.market)).or_default()
    }

    fn waiting(&mut self, algo: AlgoId) -> &mut AlgoOrder {
        let order = self.orders.get_mut(&algo).expect("an event names an algo order that was accepted");
        assert!(order.is_open(), "what does not wait any more does not change so");
        order
    }

    /// The algo order for which an order was placed, as long as it is kept.
    fn order_of(&mut self, order: OrderId) -> Option<&mut AlgoOrder> {
        let algo = self.placed.get(&order)?;
        Some(self.orders.get_mut(algo).expect("an order was placed for one that is kept"))
    }

    fn triggered(&mut self, triggered: AlgoOrderTriggered, time_ns: TimeNs) {
        let AlgoOrderTriggered { algo, price_ticks, order, .. } = triggered;
        let waiting = self.waiting(algo);
        waiting.status = AlgoStatus::Triggering;
        waiting.placed = Some(Placed {
            order,
            price_ticks,
            triggered_ns: time_ns,
            executed_lots: QtyLots::ZERO,
            executed_value: Amount::ZERO,
        });
        self.placed.insert(order, algo);
        self.is_over(algo, time_ns);
    }

    fn ended(&mut self, ended: &AlgoOrderEnded, time_ns: TimeNs) {
        let Some(order) = self.orders.get_mut(&ended.algo) else {
            // Its order was on its way, and it was forgotten meanwhile.
            return;
        };
        (order.status, order.reject) = match ended.reason {
            AlgoEndReason::Canceled => (AlgoStatus::Canceled, None),
            AlgoEndReason::PositionGone | AlgoEndReason::Liquidated | AlgoEndReason::Deleveraged => {
                (AlgoStatus::Expired, None)
            }
            AlgoEndReason::Refused { reject } => (AlgoStatus::Rejected, Some(reject)),
        };
        order.updated_ns = time_ns;
        if let Some(placed) = order.placed {
            self.placed.remove(&placed.order);
        } else {
            self.is_over(ended.algo, time_ns);
        }
    }

    /// One waits no longer. Forgets those that are too many with it.
    fn is_over(&mut self, algo: AlgoId, time_ns: TimeNs) {
        self.last_over = self.last_over.checked_add(1).expect("a counter never runs out");
        let over = self.last_over;
        let order = self.orders.get_mut(&algo).expect("it has waited");
        (order.over, order.updated_ns) = (over, time_ns);
        let place = (order.accepted.account, order.accepted.market);
        let group = self.groups.get_mut(&place).expect("it has waited there");
        group.open.remove(&algo);
        group.past.insert(over, algo);
        self.past.insert(over, algo);
        let is_too_many = group.past.len() > self.kept_per_account;
        let oldest = group.past.values().next().copied().filter(|_| is_too_many);
        if let Some(algo) = oldest {
            self.forget(algo);
        }
        self.forget_the_oldest();
    }

    /// No more are kept of everybody than may be.
    fn forget_the_oldest(&mut self) {
        while self.past.len() > self.kept
            && let Some(algo) = self.past.values().next().copied()
        {
            self.forget(algo);
        }
    }

    fn forget(&mut self, algo: AlgoId) {
        let order = self.orders.remove(&algo).expect("it is kept");
        self.past.remove(&order.over);
        let place = (order.accepted.account, order.accepted.market);
        let group = self.groups.get_mut(&place).expect("it was there");
        group.past.remove(&order.over);
        if group.past.is_empty() && group.open.is_empty() {
            self.groups.remove(&place);
        }
        if order.named {
            self.names.remove(&(order.accepted.account, order.accepted.client_algo_id));
        }
        if let Some(placed) = order.placed {
            self.placed.remove(&placed.order);
        }
    }

    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        self.last_over.encode(out);
        self.orders.values().cloned().collect::<Vec<_>>().encode(out);
    }

    /// With smaller settings than before it keeps less.
    pub(crate) fn load(settings: &ViewSettings, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut loaded = Self::new(settings);
        loaded.last_over = Coded::decode(input)?;
        for order in Vec::<AlgoOrder>::decode(input)? {
            let algo = order.accepted.algo;
            if order.named {
                loaded.names.insert((order.accepted.account, order.accepted.client_algo_id), algo);
            }
            if let (Some(placed), AlgoStatus::Triggering | AlgoStatus::Triggered) =
                (order.placed, order.status)
            {
                loaded.placed.insert(placed.order, algo);
            }
            if order.is_open() {
                loaded.group(&order).open.insert(algo);
            } else {
                loaded.group(&order).past.insert(order.over, algo);
                loaded.past.insert(order.over, algo);
            }
            loaded.orders.insert(algo, order);
        }
        let too_many = loaded.groups.values().flat_map(|group| {
            group.past.values().take(group.past.len().saturating_sub(loaded.kept_per_account))
        });
        for algo in too_many.copied().collect::<Vec<_>>() {
            loaded.forget(algo);
        }
        loaded.forget_the_oldest();
        Ok(loaded)
    }
}
