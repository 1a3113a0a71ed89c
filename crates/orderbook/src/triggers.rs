//! Orders that wait for a price: stop-loss, take-profit and trailing orders. They are on no book; a price that comes by takes
//! out those that it triggers, and touches no others. Which price that is (the last trade's, say) is the caller's matter.
//! Source: semantics 1.6.
//!
//! An order with a stop price lies in a heap, the nearest price first. Most are cancelled long before their price comes, so
//! whoever leaves stays in the heap until it comes to its top, or until half of those there have left. An order that trails
//! lies, once it follows the price, among those of its side and its distance. There, whoever came first has seen every price
//! that those behind it have seen, so its extreme is at least as good: the extremes form runs, a new best price makes one run
//! of the last few, and the first run is the first to be triggered. So a price costs a step for each distance in use, for each
//! order that it triggers, and for each that has left and would have been triggered before, however many wait.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use model::{AccountId, OrderId, PlaceMessage, PriceTicks, QtyLots, Side, Trigger, WaitingOrder};

use crate::{SlotTable, fetch_ahead, fetch_whole};

/// An order that waits, or one that has left.
#[derive(Clone, Debug)]
struct Waiting {
    place: PlaceMessage,
    amends: u16,
    /// Its place in the order of acceptance; [`Waiting::GONE`] of one that has left.
    number: u64,
    /// Its place among those of its side and distance; `None` while it waits for a stop price.
    follows: Option<u64>,
}

impl Waiting {
    /// The number that nobody has who waits.
    const GONE: u64 = u64::MAX;
}

/// What a price has done to an order that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// It follows the price from now on.
    Tracks {
        /// Which order.
        order: OrderId,
        /// Whose it is.
        account: AccountId,
    },
    /// It waits no longer.
    Triggered {
        /// The order.
        place: PlaceMessage,
        /// How often it was amended.
        amends: u16,
    },
}

impl Touched {
    /// Which order.
    #[inline]
    pub fn order(&self) -> OrderId {
        match self {
            Self::Tracks { order, .. } => *order,
            Self::Triggered { place, .. } => place.order,
        }
    }
}

/// The orders of one side and distance that follow the price.
#[derive(Clone, Debug, Default)]
struct Trail {
    /// In the order in which they began to follow it.
    slots: BTreeMap<u64, u32>,
    /// The first of each run, and its extreme: the first runs have the best. The first may have left, but somebody is there.
    runs: VecDeque<(u64, PriceTicks)>,
}

impl Trail {
    /// Adds an order that has seen nothing better than `extreme`, and no price that the others have not seen.
    fn push(&mut self, number: u64, slot: u32, extreme: PriceTicks) {
        self.slots.insert(number, slot);
        if self.runs.back().is_none_or(|(_, last)| *last != extreme) {
            self.runs.push_back((number, extreme));
        }
    }

    /// Where the run is that an order belongs to.
    fn run_of(&self, number: u64) -> usize {
        let behind = self.runs.partition_point(|(first, _)| *first <= number);
        behind.checked_sub(1).expect("whoever follows the price is in a run")
    }

    /// An order leaves.
    fn remove(&mut self, number: u64) {
        let run = self.run_of(number);
        self.slots.remove(&number);
        let (first, _) = self.runs[run];
        let behind = self.runs.get(run.saturating_add(1)).map_or(u64::MAX, |(first, _)| *first);
        if self.slots.range(first..behind).next().is_none() {
            self.runs.remove(run);
        }
    }

    /// A price has come by: it is the extreme of all that have seen nothing better.
    fn follow(&mut self, side: Side, price: PriceTicks) {
        let mut beaten = None;
        while let Some((first, extreme)) = self.runs.back()
            && beats(side, price, *extreme)
        {
            beaten = Some(*first);
            self.runs.pop_back();
        }
        if let Some(first) = beaten {
            self.runs.push_back((first, price));
        }
    }

    /// Takes the first orders of the first run, no more than `most`, if `price` triggers it; `None` when there is nothing more
    /// to take out.
    fn trigger(&mut self, side: Side, bips: u16, price: PriceTicks, most: usize) -> Option<Vec<u32>> {
        let (_, extreme) = *self.runs.front()?;
        if !is_turned(side, bips, extreme, price) {
            return None;
        }
        let behind = self.runs.get(1).map_or(u64::MAX, |(first, _)| *first);
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(first) = self.slots.first_entry()
            && *first.key() < behind
        {
            taken.push(first.remove());
        }
        if self.slots.range(..behind).next().is_none() {
            self.runs.pop_front();
        }
        Some(taken)
    }

    fn extreme(&self, number: u64) -> PriceTicks {
        self.runs[self.run_of(number)].1
    }
}

/// Whether a price is better than an extreme: higher for a sell, lower for a buy.
fn beats(side: Side, price: PriceTicks, extreme: PriceTicks) -> bool {
    match side {
        Side::Buy => price < extreme,
        Side::Sell => price > extreme,
    }
}

/// Whether the price has turned back from an extreme by the distance.
fn is_turned(side: Side, bips: u16, extreme: PriceTicks, price: PriceTicks) -> bool {
    let price = i128::from(price.0).saturating_mul(i128::from(Trigger::BIPS));
    let (extreme, one, bips) = (i128::from(extreme.0), i128::from(Trigger::BIPS), i128::from(bips));
    match side {
        Side::Buy => price >= extreme.saturating_mul(one.saturating_add(bips)),
        Side::Sell => price <= extreme.saturating_mul(one.saturating_sub(bips)),
    }
}

/// What an order that follows the price has seen before the first price: anything is better.
const fn worst(side: Side) -> PriceTicks {
    match side {
        Side::Buy => PriceTicks(i64::MAX),
        Side::Sell => PriceTicks(0),
    }
}

/// That an order waits for a stop price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Awaited {
    /// The price where it has to rise to it, its negative where it has to fall: the lowest is reached first.
    rank: PriceTicks,
    /// The order's place in the order of acceptance.
    number: u64,
    /// Where the order is, unless it has left.
    slot: u32,
}

/// Those that wait for prices on one side, and some that have left.
#[derive(Clone, Debug, Default)]
struct Stops(BinaryHeap<Reverse<Awaited>>);

impl Stops {
    /// The one whose price comes first; of several the oldest. Those before it that have left are forgotten.
    fn nearest(&mut self, waiting: &[Waiting]) -> Option<Awaited> {
        while let Some(Reverse(stop)) = self.0.peek() {
            if is_waiting(waiting, stop) {
                return Some(*stop);
            }
            self.0.pop();
        }
        None
    }
}

fn is_waiting(waiting: &[Waiting], awaited: &Awaited) -> bool {
    waiting[at(awaited.slot)].number == awaited.number
}

fn at(slot: u32) -> usize {
    usize::try_from(slot).expect("slots fit into memory")
}

/// The numbers of orders that follow each other are spread over all hashes.
fn hash(order: OrderId) -> u32 {
    let bytes = order.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// All orders of one market that wait for one sort of price.
#[derive(Clone, Debug)]
pub struct Triggers {
    /// All that wait, and places for others.
    waiting: Vec<Waiting>,
    vacant: Vec<u32>,
    /// Where each of them is.
    slots: SlotTable,
    /// Those that wait for their stop price or one above.
    rising: Stops,
    /// Those that wait for it or one below.
    falling: Stops,
    trails: BTreeMap<(Side, u16), Trail>,
    next_number: u64,
    /// A price above this one and below the next does nothing.
    low: PriceTicks,
    high: PriceTicks,
}

impl Default for Triggers {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            vacant: Vec::new(),
            slots: SlotTable::default(),
            rising: Stops::default(),
            falling: Stops::default(),
            trails: BTreeMap::new(),
            next_number: 0,
            low: PriceTicks(i64::MIN),
            high: PriceTicks(i64::MAX),
        }
    }
}

impl Triggers {
    /// How many orders wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.waiting.len().saturating_sub(self.vacant.len())
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that wait, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &PlaceMessage> {
        let mut places: Vec<_> = self.all().map(|waiting| &waiting.place).collect();
        places.sort_unstable_by_key(|place| place.order);
        places.into_iter()
    }

    fn all(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().filter(|waiting| waiting.number != Waiting::GONE)
    }

    #[inline]
    fn slot(&self, order: OrderId) -> Option<u32> {
        self.slots.find(hash(order), |slot| self.waiting[at(slot)].place.order == order)
    }

    fn waiting(&self, order: OrderId) -> Option<&Waiting> {
        Some(&self.waiting[at(self.slot(order)?)])
    }

    /// An order that waits.
    pub fn find(&self, order: OrderId) -> Option<&PlaceMessage> {
        self.waiting(order).map(|waiting| &waiting.place)
    }

    /// How often an order was amended that waits.
    pub fn amends(&self, order: OrderId) -> Option<u16> {
        self.waiting(order).map(|waiting| waiting.amends)
    }

    /// Asks for the memory that names an order's place.
    #[inline]
    pub fn fetch_slot(&self, order: OrderId) {
        self.slots.fetch_ahead(hash(order));
    }

    /// The look behind [`Self::fetch_slot`]: the order.
    #[inline]
    pub fn fetch(&self, order: OrderId) {
        let waiting = self.slots.guess(hash(order)).and_then(|slot| self.waiting.get(at(slot)));
        waiting.map(fetch_whole);
    }

    /// Asks for where the next order will be, and its stop price.
    #[inline]
    pub fn fetch_vacant(&self, side: Side, trigger: Trigger) {
        let stops = if trigger.rises(side) { &self.rising } else { &self.falling };
        stops.0.as_slice().last().map(fetch_ahead);
        self.waiting.get(at(self.vacant_slot())).map(fetch_whole);
    }

    /// Takes in an order that has a trigger. `last` is the last price that came by, which has not reached its stop price.
    pub fn add(&mut self, place: PlaceMessage, last: Option<PriceTicks>) {
        let trigger = place.kind.trigger().expect("only orders with a trigger wait");
        let extreme = trigger.stop_ticks.is_none().then(|| last.unwrap_or(worst(place.side)));
        let number = self.next_number;
        self.insert(&WaitingOrder { number, place, amends: 0, extreme_ticks: extreme });
    }

    /// Takes in an order again, as [`Self::list`] had it. Those that follow the price must come as they stand there.
    pub fn insert(&mut self, waiting: &WaitingOrder) {
        let WaitingOrder { number, place, amends, extreme_ticks } = *waiting;
        let (side, trigger) = (place.side, place.kind.trigger().expect("only orders with a trigger wait"));
        let slot = self.vacant_slot();
        let follows = match (extreme_ticks, trigger.trailing_bips, trigger.stop_ticks) {
            (Some(extreme), Some(bips), _) => Some(self.follow(side, bips, slot, extreme)),
            (_, _, Some(stop)) => {
                let rises = trigger.rises(side);
                let (rank, stops) = if rises { (stop, &mut self.rising) } else { (-stop, &mut self.falling) };
                stops.0.push(Reverse(Awaited { rank, number, slot }));
                if rises {
                    self.high = self.high.min(stop);
                } else {
                    self.low = self.low.max(stop);
                }
                None
            }
            (_, _, None) => unreachable!("an order waits for a stop price, or follows the price"),
        };
        self.next_number = self.next_number.max(number).checked_add(1).expect("a counter never runs out");
        let waiting = Waiting { place, amends, number, follows };
        if self.vacant.pop().is_some() {
            self.waiting[at(slot)] = waiting;
        } else {
            self.waiting.push(waiting);
        }
        self.slots.insert(hash(place.order), slot);
        if follows.is_some() {
            self.look();
        }
    }

    /// Where the next one will be.
    fn vacant_slot(&self) -> u32 {
        let behind = || u32::try_from(self.waiting.len()).expect("fewer than 2^32 orders wait");
        self.vacant.last().copied().unwrap_or_else(behind)
    }

    /// Forgets an order that waits. What it was.
    fn forget(&mut self, slot: u32) -> Waiting {
        let place = &mut self.waiting[at(slot)];
        let waiting = place.clone();
        place.number = Waiting::GONE;
        self.vacant.push(slot);
        self.slots.remove(hash(waiting.place.order), slot);
        waiting
    }

    /// From now on an order follows the price: its place among those that do.
    fn follow(&mut self, side: Side, bips: u16, slot: u32, extreme: PriceTicks) -> u64 {
        let trail = self.trails.entry((side, bips)).or_default();
        let last = trail.slots.last_key_value().map(|(number, _)| *number);
        let number = last.map_or(0, |last| last.checked_add(1).expect("a counter never runs out"));
        trail.push(number, slot, extreme);
        number
    }

    /// Takes an order out, if it waits.
    pub fn remove(&mut self, order: OrderId) -> Option<PlaceMessage> {
        let Waiting { place, follows, .. } = self.forget(self.slot(order)?);
        let (side, trigger) = (place.side, place.kind.trigger().expect("only orders with a trigger wait"));
        let is_nearest = if let Some(number) = follows {
            let trail = (side, trigger.trailing_bips.expect("only trailing orders follow the price"));
            let others = self.trails.get_mut(&trail).expect("it is on a trail");
            others.remove(number);
            if others.slots.is_empty() {
                self.trails.remove(&trail);
            }
            true
        } else {
            let stop = trigger.stop_ticks.expect("whoever does not follow the price has a stop price");
            self.low == stop || self.high == stop
        };
        if is_nearest {
            self.look();
        }
        self.tidy();
        Some(place)
    }

    /// Forgets those that have left where they are more than those that wait.
    fn tidy(&mut self) {
        let most = self.len().saturating_add(8).saturating_mul(2);
        let Self { waiting, rising, falling, .. } = self;
        if rising.0.len().saturating_add(falling.0.len()) > most {
            for stops in [rising, falling] {
                stops.0.retain(|Reverse(stop)| is_waiting(waiting, stop));
            }
        }
    }

    /// Makes an order smaller, which waits on in its place: `qty` is its total quantity now, `held` what is held for that.
    pub fn amend(&mut self, order: OrderId, qty: QtyLots, held: model::Amount) {
        let slot = self.slot(order).expect("it waits");
        let waiting = &mut self.waiting[at(slot)];
        waiting.place.kind.set_qty_lots(qty);
        waiting.place.held = held;
        waiting.amends = waiting.amends.saturating_add(1);
    }

    /// Whether a price does anything to anybody.
    #[inline]
    pub fn are_touched_by(&self, price: PriceTicks) -> bool {
        price <= self.low || self.high <= price
    }

    /// A price has come by: what it has done, in the order in which the orders were accepted.
    pub fn see(&mut self, price: PriceTicks) -> Vec<Touched> {
        self.see_some(price, usize::MAX)
    }

    /// As [`Self::see`], but the price does something to no more than `most` orders. Where [`Self::are_touched_by`] says afterwards
    /// that there are more, it has to be seen again before any other price is, and before another order is added.
    pub fn see_some(&mut self, price: PriceTicks, most: usize) -> Vec<Touched> {
        let Self { waiting, rising, falling, .. } = self;
        let mut reached = Vec::new();
        for (stops, rank) in [(rising, price), (falling, -price)] {
            while reached.len() < most
                && let Some(stop) = stops.nearest(waiting)
                && stop.rank <= rank
            {
                stops.0.pop();
                reached.push((stop.number, stop.slot));
            }
        }
        let mut left = most.saturating_sub(reached.len());
        let mut triggered = Vec::new();
        for ((side, bips), trail) in &mut self.trails {
            trail.follow(*side, price);
            while left > 0
                && let Some(slots) = trail.trigger(*side, *bips, price, left)
            {
                left = left.saturating_sub(slots.len());
                triggered.extend(slots);
            }
        }
        self.trails.retain(|_, trail| !trail.slots.is_empty());

        // Behind those that follow the price already, which have seen this one too.
        let mut touched = Vec::new();
        reached.sort_unstable();
        for (number, slot) in reached {
            let PlaceMessage { order, account, side, kind, .. } = self.waiting[at(slot)].place;
            if let Some(bips) = kind.trigger().and_then(|trigger| trigger.trailing_bips) {
                let follows = self.follow(side, bips, slot, price);
                self.waiting[at(slot)].follows = Some(follows);
                touched.push((number, Touched::Tracks { order, account }));
            } else {
                triggered.push(slot);
            }
        }
        for slot in triggered {
            let Waiting { place, amends, number, .. } = self.forget(slot);
            touched.push((number, Touched::Triggered { place, amends }));
        }
        touched.sort_unstable_by_key(|(number, _)| *number);
        self.look();
        touched.into_iter().map(|(_, touched)| touched).collect()
    }

    /// Looks for the nearest prices that do anything.
    fn look(&mut self) {
        let Self { waiting, rising, falling, .. } = self;
        self.low = falling.nearest(waiting).map_or(PriceTicks(i64::MIN), |stop| -stop.rank);
        self.high = rising.nearest(waiting).map_or(PriceTicks(i64::MAX), |stop| stop.rank);
        for ((side, bips), trail) in &self.trails {
            let (Some((_, best)), Some((_, last))) = (trail.runs.front(), trail.runs.back()) else {
                continue;
            };
            let (one, bips) = (i128::from(Trigger::BIPS), i128::from(*bips));
            let turned = |factor: i128| i128::from(best.0).saturating_mul(factor);
            match side {
                // The next better price is lower; a turn is upwards.
                Side::Buy => {
                    let above = turned(one.saturating_add(bips));
                    let turn = above.checked_add(one.saturating_sub(1)).and_then(|up| up.checked_div(one));
                    let turn = turn.and_then(|turn| i64::try_from(turn).ok()).unwrap_or(i64::MAX);
                    self.high = self.high.min(PriceTicks(turn));
                    self.low = self.low.max(PriceTicks(last.0.saturating_sub(1)));
                }
                Side::Sell => {
                    let turn = turned(one.saturating_sub(bips)).checked_div(one).unwrap_or(0);
                    let turn = i64::try_from(turn).expect("no higher than the extreme");
                    self.low = self.low.max(PriceTicks(turn));
                    self.high = self.high.min(PriceTicks(last.0.saturating_add(1)));
                }
            }
        }
    }

    /// All that wait, as they are to be taken in again; the same for equal states. Those that follow the price come behind the
    /// others, best extreme first, and those of one distance in the order in which they follow it.
    pub fn list(&self) -> Vec<WaitingOrder> {
        let mut by_number: Vec<&Waiting> = self.all().collect();
        by_number.sort_unstable_by_key(|waiting| waiting.number);
        let listed = |(number, waiting): (u64, &&Waiting)| {
            let Waiting { place, amends, follows, .. } = **waiting;
            let follows = follows.map(|follows| {
                let bips = place.kind.trigger().and_then(|trigger| trigger.trailing_bips);
                let trail = (place.side, bips.expect("only trailing orders follow the price"));
                (trail, follows)
            });
            let extreme_ticks = follows.map(|(trail, follows)| self.trails[&trail].extreme(follows));
            (follows, WaitingOrder { number, place, amends, extreme_ticks })
        };
        let mut list: Vec<_> = (0..).zip(&by_number).map(listed).collect();
        list.sort_by_key(|(follows, waiting)| {
            let extreme = waiting.extreme_ticks.map(|extreme| match waiting.place.side {
                Side::Buy => extreme,
                Side::Sell => -extreme,
            });
            (extreme, *follows)
        });
        list.into_iter().map(|(_, waiting)| waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use model::{Amount, OrderKind, SelfTradePrevention, TradeGroup, TriggerKind};

    use super::*;

    #[test]
    fn those_who_have_left_are_forgotten() {
        let mut triggers = Triggers::default();
        for number in 1..=10_000 {
            let order = OrderId(number);
            let stop = i64::try_from(number % 500).unwrap();
            let kind = OrderKind::StopMarket {
                qty_lots: QtyLots(1),
                trigger: TriggerKind::StopLoss,
                stop_ticks: PriceTicks(if number % 2 == 0 { 2_000 + stop } else { 1_000 - stop }),
                trailing_bips: 0,
            };
            let side = if number % 2 == 0 { Side::Buy } else { Side::Sell };
            let (account, trade_group) = (AccountId(1), TradeGroup::NONE);
            let (self_trade_prevention, held) = (SelfTradePrevention::None, Amount(1));
            let place = PlaceMessage { order, account, trade_group, side, kind, self_trade_prevention, held };
            triggers.add(place, Some(PriceTicks(1_500)));
        }
        for number in 1..=9_950 {
            triggers.remove(OrderId(number)).expect("it waits");
        }
        assert_eq!(triggers.len(), 50);
        let held = triggers.rising.0.len() + triggers.falling.0.len();
        assert!(held <= 2 * (50 + 8), "{held} are held of 50");
    }
}
