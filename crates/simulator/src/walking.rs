//! The walking market: streams of messages to a book whose middle price moves, the same on every machine.
//!
//! It is the workload that the field compares its books with: 1,000,000 new orders in ticks of 0.005, the middle walking as a
//! geometric Brownian motion, passive orders at power-law depth (exponent 2.23, most of them 8 ticks out), 15 %
//! immediate-or-cancel; of the others 20 % modified (80 % of these by one tick) and 95 % cancelled; and 2 % of the cancels
//! followed by a message that comes too late, a second cancel or a modify. Five [scenarios](Scenario) differ in how far the
//! middle goes.
//!
//! What that description leaves open is fixed here:
//! * The middle begins at 40,000 ticks (200.00) and moves once in 10 new orders, by a step that is about normal (twelve dice).
//!   The deviation of a step is whatever makes the walk 2 % wide, highest to lowest. Where the price swings farther than that,
//!   the walk has a drift as well, a line from point to point ([`Scenario`]): an undirected walk that comes so far in so few
//!   orders would run over each order before anybody could cancel it.
//! * Depth: one to 4,096 ticks from the middle, which is where nobody places. Up to 8 ticks out the density rises in
//!   proportion, from there it falls as the distance to the power of -2.23.
//! * Sides are even. Sizes are 10 lots and more, twice as much a quarter as often, at most 1,000.
//! * An immediate order aims at the touch: it goes one or two ticks beyond the middle.
//! * An order lives for [`SHORTEST_LIFE`] new orders and more, twice as long half as often, at most 10,000 times that; then it
//!   is cancelled, if it is one of the 95 %. A modify comes at any time of that life, as likely as at any other.
//! * A modify that is not by one tick, up or down alike, puts the order to a fresh price and size.
//! * Whoever sends these messages knows what has traded, as clients do: an order that has traded in full is neither modified
//!   nor cancelled. So the generator keeps a book, the obvious one, which is no yardstick; what it counts is what any book must
//!   come to ([`Totals`]).
//! * What is late comes within 100 new orders of the cancel.
//!
//! Whole numbers only: there is nothing in here that two machines round differently.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use model::Side;

use crate::random::Random;
use crate::trace;

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A limit order, good till cancelled.
    New = 0,
    /// A limit order, immediate or cancel.
    Immediate = 1,
    /// Cancels an order.
    Cancel = 2,
    /// Cancels an order and enters it again, behind all others at its new price, with another quantity.
    Modify = 3,
}

/// One message to a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it asks for.
    pub kind: Kind,
    /// Of the order: of a cancelled one too.
    pub side: Side,
    /// In lots; zero for [`Kind::Cancel`].
    pub qty: u32,
    /// New orders are numbered from 1 without gaps; a cancel or a modify names one of them.
    pub id: u64,
    /// In ticks: of a cancelled order too.
    pub price: i64,
}

impl Message {
    /// The message's byte form, little-endian: kind, side, two zeros, quantity, id, price.
    pub fn to_bytes(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[0] = self.kind as u8;
        bytes[1] = self.side as u8;
        bytes[4..8].copy_from_slice(&self.qty.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.price.to_le_bytes());
        bytes
    }
}

impl From<trace::Record> for Message {
    fn from(record: trace::Record) -> Self {
        let trace::Record { kind, side, qty, id, price } = record;
        let kind = match kind {
            trace::Kind::Add | trace::Kind::Take => Kind::New,
            trace::Kind::Cancel => Kind::Cancel,
        };
        Self { kind, side, qty, id, price }
    }
}

/// New orders of a whole stream.
pub const ORDERS: u32 = 1_000_000;
/// Where the middle begins, in ticks of 0.005.
pub const START_TICKS: i64 = 40_000;
/// The shortest life of an order, counted in new orders.
pub const SHORTEST_LIFE: u64 = 50;
/// The seed of the streams that are measured.
pub const SEED: u64 = 4;

/// What the middle does, beside its walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// It stays where it is and does not even walk, so that a deep book grows around it.
    Static,
    /// It walks: 2 %.
    Normal,
    /// It falls by 25 % in the first half of the stream, and comes back in the second.
    Swing25,
    /// The same with 40 %.
    Swing40,
    /// When 40 % of the stream are over it falls by 60 % within 2 % of the stream, and recovers by half of that until 60 %.
    FlashCrash,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Static, Self::Normal, Self::Swing25, Self::Swing40, Self::FlashCrash];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Normal => "normal",
            Self::Swing25 => "swing-25",
            Self::Swing40 => "swing-40",
            Self::FlashCrash => "flash-crash",
        }
    }

    /// How wide the walk is, highest to lowest, in thousandths of its beginning.
    const fn walk_permille(self) -> i128 {
        match self {
            Self::Static => 0,
            Self::Normal | Self::Swing25 | Self::Swing40 | Self::FlashCrash => 20,
        }
    }

    /// Where the drift has brought the price: at so much of the stream, to so much of the walk; all in thousandths.
    const fn drift_permille(self) -> &'static [(i128, i128)] {
        match self {
            Self::Static | Self::Normal => &[(0, 1_000), (1_000, 1_000)],
            Self::Swing25 => &[(0, 1_000), (500, 750), (1_000, 1_000)],
            Self::Swing40 => &[(0, 1_000), (500, 600), (1_000, 1_000)],
            Self::FlashCrash => &[(0, 1_000), (400, 1_000), (420, 400), (600, 700), (1_000, 700)],
        }
    }
}

/// What is in a stream, and what a correct book makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// New orders, immediate ones included.
    pub orders: u64,
    /// Of those, immediate ones.
    pub immediate: u64,
    /// Orders that were to be modified when they came.
    pub to_modify: u64,
    /// Modifies that find their order.
    pub modifies: u64,
    /// Of those, by one tick.
    pub one_tick: u64,
    /// Orders that were to be cancelled when they came.
    pub to_cancel: u64,
    /// Cancels that find their order.
    pub cancels: u64,
    /// Cancels of what is gone.
    pub late_cancels: u64,
    /// Modifies of what is gone.
    pub late_modifies: u64,
    /// The most orders that rest at a time.
    pub most_resting: u64,
    /// How many rest at the end.
    pub left: u64,
    /// The middle's lowest and highest, in ticks.
    pub lowest: i64,
    /// See there.
    pub highest: i64,
    /// Trades.
    pub trades: u64,
    /// Lots traded.
    pub volume: u64,
    /// Wrapping sum over trades of `maker id x lots + (price << 20)`.
    pub check: u64,
}

/// A stream, with what should come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The messages in their order.
    pub messages: Vec<Message>,
    /// For checking the book that has answered them.
    pub totals: Totals,
}

impl Stream {
    /// Makes the stream with so many new orders; the same one for the same seed, for ever.
    pub fn new(scenario: Scenario, orders: u32, seed: u64) -> Self {
        let mut maker = Maker::new(scenario, orders, seed);
        for number in 0..u64::from(orders) {
            maker.do_what_is_due(number);
            maker.middle = maker.middles[usize::try_from(number / STEP_ORDERS).expect("a place in the walk")];
            maker.new_order(number);
        }
        maker.do_what_is_due(u64::MAX);
        maker.totals.left = maker.resting;
        Self { messages: maker.messages, totals: maker.totals }
    }
}

/// The longest life of an order, in shortest ones.
const LONGEST_LIVES: u32 = 10_000;
/// The middle moves once in so many new orders.
const STEP_ORDERS: u64 = 10;
/// Within so many new orders of a cancel comes what is late.
const LATE_ORDERS: u32 = 100;
/// Nobody places farther from the middle, in ticks.
const FARTHEST: usize = 4_096;
/// Most place so far from the middle, in ticks.
const HUMP: u64 = 8;

/// Millionths of a tick.
const MICRO: i128 = 1_000_000;
/// The deviation of a step is counted in parts of this.
const PER_UNIT: i128 = 1_000_000_000_000;

/// The middle in millionths of a tick, step by step, for draws in thousandths of `deviation`.
fn walk(draws: &[i64], deviation: i128) -> impl Iterator<Item = i128> {
    draws.iter().scan(i128::from(START_TICKS) * MICRO, move |middle, &draw| {
        *middle += *middle * i128::from(draw) * deviation / (1_000 * PER_UNIT);
        Some(*middle)
    })
}

/// Highest less lowest.
fn width(walk: impl Iterator<Item = i128>) -> i128 {
    let (lowest, highest) = walk.fold((i128::MAX, i128::MIN), |(low, high), at| (low.min(at), high.max(at)));
    highest - lowest
}

/// The middle in ticks for each step of a stream.
fn middles(scenario: Scenario, steps: usize, random: &mut Random) -> Vec<i64> {
    let draws: Vec<_> = (0..steps).map(|_| random.bell()).collect();
    let wanted = i128::from(START_TICKS) * MICRO * scenario.walk_permille() / 1_000;
    // The least deviation, up to a thousandth of it, with which the walk is as wide as wanted.
    let (mut too_low, mut enough) = (0, if wanted == 0 { 0 } else { PER_UNIT / 1_000_000 });
    while width(walk(&draws, enough)) < wanted {
        (too_low, enough) = (enough, enough * 2);
    }
    while enough - too_low > enough / 1_000 {
        let between = i128::midpoint(too_low, enough);
        if width(walk(&draws, between)) < wanted { too_low = between } else { enough = between }
    }
    let ticks = |at: usize, micro: i128| {
        let drifted = micro * drift_ppm(scenario.drift_permille(), at, steps) / 1_000_000;
        i64::try_from(drifted / MICRO).expect("a price that fits")
    };
    walk(&draws, enough).enumerate().map(|(at, micro)| ticks(at, micro)).collect()
}

/// Where a drift is at a step, in millionths of the walk.
fn drift_ppm(points: &[(i128, i128)], step: usize, steps: usize) -> i128 {
    let whole = |number: usize| i128::try_from(number).expect("a number of steps");
    let at_ppm = whole(step) * 1_000_000 / whole(steps);
    let next =
        points.iter().position(|&(at, _)| at_ppm < at * 1_000).expect("a stream ends at its last point");
    let ((from_at, from), (to_at, to)) = (points[next - 1], points[next]);
    from * 1_000 + (to - from) * (at_ppm - from_at * 1_000) / (to_at - from_at)
}

/// How likely each distance from the middle is: running sums of weights, the first for one tick.
fn depth() -> Vec<u32> {
    /// Of the likeliest distance; all of them together stay below 2^32.
    const HEAVIEST: u128 = 1 << 28;
    let weight = |distance: u64| {
        if distance <= HUMP {
            return HEAVIEST * u128::from(distance) / u128::from(HUMP);
        }
        (HEAVIEST << 32) / to_the_2_23((u128::from(distance) << 32) / u128::from(HUMP))
    };
    let mut sum = 0;
    let sums = (1..=FARTHEST as u64).map(|distance| {
        sum += weight(distance);
        u32::try_from(sum).expect("weights stay below 2^32")
    });
    sums.collect()
}

/// A number of at least one to the power of 2.23; both in parts of 2^32. The power's fraction is taken apart into halves,
/// quarters and so on, which are square roots.
fn to_the_2_23(base: u128) -> u128 {
    const FRACTION: u32 = 987_842_478; // 0.23 x 2^32
    let mut power = ((base * base) >> 32).max(1);
    let mut root = base;
    for bit in (0..32).rev() {
        root = (root << 32).isqrt();
        if FRACTION >> bit & 1 == 1 {
            power = (power * root) >> 32;
        }
    }
    power
}

/// An order by its id, kept after its end so that an id is an index.
struct Order {
    side: Side,
    price: i64,
    /// What is left; zero where it does not rest.
    open: u32,
    /// How often it has been entered: its older entries in the queues mean nothing.
    entries: u32,
}

/// Something that will be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Plan {
    Modify { id: u64, by_one_tick: bool },
    Cancel { id: u64 },
    CancelAgain { id: u64 },
    ModifyLate { id: u64 },
}

/// An order's id, and which of its entries this is.
type Entry = (u64, u32);

struct Maker {
    random: Random,
    middles: Vec<i64>,
    middle: i64,
    depth: Vec<u32>,
    orders: Vec<Order>,
    /// By rank: the price for sells, its negative for buys.
    queues: [BTreeMap<i64, VecDeque<Entry>>; 2],
    /// When, in new orders; what was planned first comes first.
    plans: BinaryHeap<Reverse<(u64, u64, Plan)>>,
    planned: u64,
    resting: u64,
    messages: Vec<Message>,
    totals: Totals,
}

impl Maker {
    fn new(scenario: Scenario, orders: u32, seed: u64) -> Self {
        assert!(orders > 0, "a stream has orders");
        let mut random = Random::new(seed, scenario as u64);
        let steps = usize::try_from(u64::from(orders).div_ceil(STEP_ORDERS)).expect("a number of steps");
        let middles = middles(scenario, steps, &mut random);
        let totals = Totals {
            lowest: *middles.iter().min().expect("a stream has orders"),
            highest: *middles.iter().max().expect("a stream has orders"),
            ..Totals::default()
        };
        Self {
            random,
            middle: START_TICKS,
            middles,
            depth: depth(),
            orders: Vec::new(),
            queues: [BTreeMap::new(), BTreeMap::new()],
            plans: BinaryHeap::new(),
            planned: 0,
            resting: 0,
            messages: Vec::new(),
            totals,
        }
    }

    fn distance(&mut self) -> i64 {
        let all = *self.depth.last().expect("there are distances");
        let drawn = self.random.below(all);
        let shorter = self.depth.partition_point(|&sum| sum <= drawn);
        i64::try_from(shorter).expect("a distance") + 1
    }

    fn passive_price(&mut self, side: Side) -> i64 {
        match side {
            Side::Buy => self.middle - self.distance(),
            Side::Sell => self.middle + self.distance(),
        }
    }

    fn touching_price(&mut self, side: Side) -> i64 {
        let beyond = 1 + i64::from(self.random.below(2));
        match side {
            Side::Buy => self.middle + beyond,
            Side::Sell => self.middle - beyond,
        }
    }

    fn size(&mut self) -> u32 {
        u32::try_from(self.random.less_heavy(100) / 100).expect("a size")
    }

    fn plan(&mut self, due: u64, plan: Plan) {
        self.plans.push(Reverse((due, self.planned, plan)));
        self.planned += 1;
    }

    fn new_order(&mut self, number: u64) {
        let id = number + 1;
        let side = if self.random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let immediate = self.random.below(100) < 15;
        let qty = self.size();
        let price = if immediate { self.touching_price(side) } else { self.passive_price(side) };
        let kind = if immediate { Kind::Immediate } else { Kind::New };
        self.orders.push(Order { side, price, open: 0, entries: 0 });
        self.totals.orders += 1;
        self.messages.push(Message { kind, side, qty, id, price });
        let left = self.trade(side, price, qty);
        if immediate {
            self.totals.immediate += 1;
            return;
        }
        self.enter(id, price, left);

        let life = SHORTEST_LIFE * self.random.heavy(LONGEST_LIVES).unsigned_abs() / 1_000;
        if self.random.below(100) < 20 {
            self.totals.to_modify += 1;
            let by_one_tick = self.random.below(100) < 80;
            let when = 1 + u64::from(self.random.below(u32::try_from(life).expect("a life")));
            self.plan(number + when, Plan::Modify { id, by_one_tick });
        }
        if self.random.below(100) < 95 {
            self.totals.to_cancel += 1;
            self.plan(number + life, Plan::Cancel { id });
        }
    }

    fn do_what_is_due(&mut self, now: u64) {
        while let Some(&Reverse((due, _, plan))) = self.plans.peek() {
            if due > now {
                break;
            }
            self.plans.pop();
            match plan {
                Plan::Modify { id, by_one_tick } => self.modify(id, by_one_tick),
                Plan::Cancel { id } => self.cancel(id, due),
                Plan::CancelAgain { id } => {
                    self.totals.late_cancels += 1;
                    self.say(Kind::Cancel, id, 0);
                }
                Plan::ModifyLate { id } => {
                    self.totals.late_modifies += 1;
                    let qty = self.size();
                    self.say(Kind::Modify, id, qty);
                }
            }
        }
    }

    /// A message about an order, at the price that it has or had.
    fn say(&mut self, kind: Kind, id: u64, qty: u32) {
        let &Order { side, price, .. } = &self.orders[index(id)];
        self.messages.push(Message { kind, side, qty, id, price });
    }

    fn modify(&mut self, id: u64, by_one_tick: bool) {
        let &Order { side, price, open, .. } = &self.orders[index(id)];
        if open == 0 {
            return;
        }
        let (price, qty) = if by_one_tick {
            self.totals.one_tick += 1;
            (if self.random.below(2) == 0 { price - 1 } else { price + 1 }, open)
        } else {
            (self.passive_price(side), self.size())
        };
        self.totals.modifies += 1;
        self.end(id);
        self.orders[index(id)].price = price;
        self.say(Kind::Modify, id, qty);
        let left = self.trade(side, price, qty);
        self.enter(id, price, left);
    }

    fn cancel(&mut self, id: u64, now: u64) {
        if self.orders[index(id)].open == 0 {
            return;
        }
        self.totals.cancels += 1;
        self.say(Kind::Cancel, id, 0);
        self.end(id);
        if self.random.below(100) < 2 {
            let due = now + 1 + u64::from(self.random.below(LATE_ORDERS));
            let again = self.random.below(2) == 0;
            self.plan(due, if again { Plan::CancelAgain { id } } else { Plan::ModifyLate { id } });
        }
    }

    /// Puts an order behind all others at its price, if anything is left of it.
    fn enter(&mut self, id: u64, price: i64, left: u32) {
        if left == 0 {
            return;
        }
        let order = &mut self.orders[index(id)];
        (order.open, order.entries) = (left, order.entries + 1);
        let (side, entry) = (order.side, (id, order.entries));
        self.queues[side as usize].entry(rank(side, price)).or_default().push_back(entry);
        self.resting += 1;
        self.totals.most_resting = self.totals.most_resting.max(self.resting);
    }

    /// Takes an order off the book. Its entry stays until it comes to the front: so nothing needs to be searched.
    fn end(&mut self, id: u64) {
        self.orders[index(id)].open = 0;
        self.resting -= 1;
    }

    /// Trades as far as the price allows; what is left.
    fn trade(&mut self, side: Side, price: i64, qty: u32) -> u32 {
        let counter = side.opposite();
        let worst = rank(counter, price);
        let mut left = qty;
        while left > 0
            && let Some(mut level) = self.queues[counter as usize].first_entry()
            && *level.key() <= worst
        {
            let Some(&(maker, entry)) = level.get().front() else {
                level.remove();
                continue;
            };
            let order = &mut self.orders[index(maker)];
            if order.open == 0 || order.entries != entry {
                level.get_mut().pop_front();
                continue;
            }
            let lots = left.min(order.open);
            left -= lots;
            order.open -= lots;
            let at = order.price.unsigned_abs();
            if order.open == 0 {
                level.get_mut().pop_front();
                self.resting -= 1;
            }
            self.totals.trades += 1;
            self.totals.volume += u64::from(lots);
            self.totals.check = self.totals.check.wrapping_add(maker * u64::from(lots) + (at << 20));
        }
        left
    }
}

/// A price as its side counts it: the lower, the better.
fn rank(side: Side, price: i64) -> i64 {
    match side {
        Side::Buy => -price,
        Side::Sell => price,
    }
}

/// Where an order is kept.
fn index(id: u64) -> usize {
    usize::try_from(id).expect("an id is an index") - 1
}
