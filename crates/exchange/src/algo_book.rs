//! Algo orders that wait, as their accounts' partition keeps them: by number, by name, by account and contract, and by the price
//! that they wait for. Both prices of a contract are told to every partition, so nothing is asked of the contract until an order
//! is placed.
//!
//! Of each contract there are four lists, one for each price that its orders go by, with and without price protection. A price
//! takes out of a list those that it triggers and touches no others; one that is protected is shown prices only while mark price
//! and last price are near each other. What a price has triggered is done in bounded parts, so a list may be behind: then what comes
//! meanwhile, be it prices or orders, waits in its turn, and nobody is triggered by a price from before he came.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{
    AccountId, AlgoId, AlgoOrder, AlgoPlaces, AlgoTrigger, Amount, ClientOrderId, ContractTerms, MarketId,
    OrderId, OrderKind, PlaceMessage, PositionSide, PriceTicks, QtyLots, SelfTradePrevention, Side,
    TradeGroup, Trigger, TriggerKind, WorkingPrice,
};
use orderbook::{Touched, Triggers};

/// Which of a contract's prices are shown to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sees {
    pub market: MarketId,
    pub working_price: WorkingPrice,
    pub is_protected: bool,
}

impl Sees {
    pub fn of(order: &AlgoOrder) -> Self {
        let AlgoOrder { market, working_price, price_protect, .. } = *order;
        Self { market, working_price, is_protected: price_protect }
    }
}

/// What a list has not taken in yet, because it is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Price {
        price_ticks: PriceTicks,
    },
    /// An order, and the price when it came.
    Order {
        place: PlaceMessage,
        price_ticks: PriceTicks,
    },
}

/// Those that see the same prices.
#[derive(Clone, Default)]
pub struct AlgoList {
    pub triggers: Triggers,
    /// The price in front may have been seen in part.
    pub heard: VecDeque<Heard>,
}

impl AlgoList {
    fn has_orders(&self) -> bool {
        !self.triggers.is_empty() || self.heard.iter().any(|heard| matches!(heard, Heard::Order { .. }))
    }

    fn hear(&mut self, price_ticks: PriceTicks) {
        if !self.heard.is_empty() || self.triggers.are_touched_by(price_ticks) {
            self.heard.push_back(Heard::Price { price_ticks });
        }
    }

    fn add(&mut self, place: PlaceMessage, price_ticks: PriceTicks) {
        if self.heard.is_empty() {
            self.triggers.add(place, Some(price_ticks));
        } else {
            self.heard.push_back(Heard::Order { place, price_ticks });
        }
    }

    fn remove(&mut self, order: OrderId) {
        if self.triggers.remove(order).is_none() {
            self.heard.retain(|heard| !matches!(heard, Heard::Order { place, .. } if place.order == order));
        }
    }

    /// Takes in what comes next: an order, or no more than `most` of what a price does.
    fn go_on(&mut self, most: usize) -> Option<(PriceTicks, Vec<Touched>)> {
        match *self.heard.front()? {
            Heard::Order { place, price_ticks: price } => {
                self.heard.pop_front();
                self.triggers.add(place, Some(price));
                Some((price, Vec::new()))
            }
            Heard::Price { price_ticks: price } => {
                let touched = self.triggers.see_some(price, most);
                if !self.triggers.are_touched_by(price) {
                    self.heard.pop_front();
                }
                Some((price, touched))
            }
        }
    }
}

/// All that wait, of all accounts of a partition.
#[derive(Default)]
pub struct Algos {
    pub waiting: BTreeMap<AlgoId, AlgoOrder>,
    pub names: BTreeMap<(AccountId, ClientOrderId), AlgoId>,
    at_contract: BTreeMap<(AccountId, MarketId), BTreeSet<AlgoId>>,
    pub lists: BTreeMap<Sees, AlgoList>,
    /// Lists that have not taken in all that they were told.
    pub behind: BTreeSet<Sees>,
    /// Orders that were placed for algo orders, until their markets have accepted or refused them.
    pub asked: BTreeMap<OrderId, AlgoId>,
    /// How many there ever were.
    pub given: u64,
}

impl Algos {
    /// Whether nobody waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a list has not taken in all that it was told.
    #[inline]
    pub fn has_work(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Those of an account that wait at a contract, oldest first.
    pub fn of(&self, account: AccountId, market: MarketId) -> impl Iterator<Item = &AlgoOrder> {
        let algos = self.at_contract.get(&(account, market)).into_iter().flatten();
        algos.map(|algo| self.waiting.get(algo).expect("whoever waits at a contract waits"))
    }

    pub fn count(&self, account: AccountId, market: MarketId) -> usize {
        self.at_contract.get(&(account, market)).map_or(0, BTreeSet::len)
    }

    /// The one that its owner calls so.
    pub fn find_named(&self, account: AccountId, name: ClientOrderId) -> Option<AlgoId> {
        self.names.get(&(account, name)).copied()
    }

    /// Takes in an order. `price` is the one that it goes by, as it is now.
    pub fn add(&mut self, order: AlgoOrder, price: PriceTicks) {
        self.know(&order);
        self.lists.entry(Sees::of(&order)).or_default().add(waits_as(&order), price);
    }

    /// As [`Self::add`], where it is on its list already.
    pub fn know(&mut self, order: &AlgoOrder) {
        self.waiting.insert(order.algo, *order);
        self.at_contract.entry((order.account, order.market)).or_default().insert(order.algo);
        if !order.client_algo_id.is_empty() {
            self.names.insert((order.account, order.client_algo_id), order.algo);
        }
    }

    /// Forgets an order that is on no list any more.
    fn forget(&mut self, algo: AlgoId) -> AlgoOrder {
        let order = self.waiting.remove(&algo).expect("whoever is triggered has waited");
        let place = (order.account, order.market);
        let at_contract = self.at_contract.get_mut(&place).expect("whoever waits, waits at a contract");
        at_contract.remove(&algo);
        if at_contract.is_empty() {
            self.at_contract.remove(&place);
        }
        self.names.remove(&(order.account, order.client_algo_id));
        order
    }

    /// Takes out an order that waits.
    pub fn remove(&mut self, algo: AlgoId) -> AlgoOrder {
        let order = self.forget(algo);
        let sees = Sees::of(&order);
        self.lists.get_mut(&sees).expect("whoever waits is on a list").remove(OrderId(algo.0));
        self.tidy(sees);
        order
    }

    /// Nothing is kept of a list without orders, and only one that has something to take in is behind.
    fn tidy(&mut self, sees: Sees) {
        let list = self.lists.get(&sees).filter(|list| list.has_orders());
        let is_behind = list.is_some_and(|list| !list.heard.is_empty());
        if list.is_none() {
            self.lists.remove(&sees);
        }
        if !is_behind {
            self.behind.remove(&sees);
        }
    }

    /// One of a contract's two prices has changed.
    #[cold]
    pub fn hear(&mut self, market: MarketId, mark: PriceTicks, last: PriceTicks) {
        let is_apart = are_apart(mark, last);
        for (working_price, price_ticks) in [(WorkingPrice::Contract, last), (WorkingPrice::Mark, mark)] {
            for is_protected in [false, true] {
                let sees = Sees { market, working_price, is_protected };
                let shown = self.lists.get_mut(&sees).filter(|_| !(is_protected && is_apart));
                let Some(shown) = shown else { continue };
                shown.hear(price_ticks);
                if !shown.heard.is_empty() {
                    self.behind.insert(sees);
                }
            }
        }
    }

    /// A list that is behind takes in what comes next: what a price has done, to no more than `most` orders. `None` when none is
    /// behind.
    pub fn go_on(&mut self, most: usize) -> Option<(PriceTicks, Vec<Reached>)> {
        let sees = *self.behind.first()?;
        let list = self.lists.get_mut(&sees).expect("a list that is behind is there");
        let (price, touched) = list.go_on(most).expect("it has something to take in");
        let reached = touched.into_iter().map(|touched| match touched {
            Touched::Tracks { order, .. } => {
                Reached::Tracks(*self.waiting.get(&AlgoId(order.0)).expect("whoever is on a list waits"))
            }
            Touched::Triggered { place, .. } => Reached::Triggered(self.forget(AlgoId(place.order.0))),
        });
        let reached = reached.collect();
        self.tidy(sees);
        Some((price, reached))
    }
}

/// What a price has done to an algo order.
pub enum Reached {
    /// It follows the price from now on.
    Tracks(AlgoOrder),
    /// It waits no longer.
    Triggered(AlgoOrder),
}

/// Whether protected orders are shown nothing.
pub fn are_apart(mark: PriceTicks, last: PriceTicks) -> bool {
    let apart = i128::from(mark.0).abs_diff(i128::from(last.0)).saturating_mul(1_000_000);
    let most = i128::from(mark.0).saturating_mul(i128::from(ContractTerms::TRIGGER_PROTECT_PPM));
    apart > most.unsigned_abs()
}

/// What an algo order waits for, in the words of spot orders.
pub fn trigger_of(order: &AlgoTrigger) -> Trigger {
    match *order {
        AlgoTrigger::Reaches { kind, trigger_ticks } => {
            Trigger { kind, stop_ticks: Some(trigger_ticks), trailing_bips: None }
        }
        // A better price activates it.
        AlgoTrigger::Trails { activation_ticks, callback_permille } => Trigger {
            kind: TriggerKind::TakeProfit,
            stop_ticks: activation_ticks,
            trailing_bips: Some(callback_permille.saturating_mul(10)),
        },
    }
}

/// As it waits on its list: only whose it is, which way it goes and what it waits for counts there.
fn waits_as(order: &AlgoOrder) -> PlaceMessage {
    let Trigger { kind, stop_ticks, trailing_bips } = trigger_of(&order.trigger);
    PlaceMessage {
        order: OrderId(order.algo.0),
        account: order.account,
        trade_group: TradeGroup::NONE,
        side: order.side,
        kind: OrderKind::StopMarket {
            qty_lots: QtyLots(1),
            trigger: kind,
            stop_ticks: stop_ticks.unwrap_or(PriceTicks::ZERO),
            trailing_bips: trailing_bips.unwrap_or(0),
        },
        self_trade_prevention: SelfTradePrevention::None,
        held: Amount::ZERO,
    }
}

/// Whether it closes this position by an order of this side.
pub fn closes(order: &AlgoOrder, side: Side, position_side: PositionSide) -> bool {
    order.places == AlgoPlaces::ClosesPosition && order.side == side && order.position_side == position_side
}
