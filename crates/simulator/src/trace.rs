//! The traces S (shallow, lives in the caches) and D (deep, bound by memory): seeded streams of order-book operations,
//! the same on every machine, for measuring books alone or a whole partition.
//!
//! The generator matches the flow itself, in an obvious first-in-first-out book, because a cancel must name an order that
//! still rests and a take must know what it will meet. That book is part of the definition of the trace and no yardstick:
//! nothing here is measured. The records are pinned by their SHA-256 in the tests.

use std::collections::VecDeque;

use model::Side;

use crate::random::Random;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A limit order that rests.
    Add = 0,
    /// A limit order, good till cancelled, that trades in full as it arrives.
    Take = 1,
    /// Cancels an order that rests.
    Cancel = 2,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it does.
    pub kind: Kind,
    /// Of the order: of a cancelled one too.
    pub side: Side,
    /// In lots; 1 to 100 for [`Kind::Add`], above zero for [`Kind::Take`], zero for [`Kind::Cancel`].
    pub qty: u32,
    /// Adds and takes are numbered from 1 without gaps; a cancel names one of them.
    pub id: u64,
    /// In ticks: of a cancelled order too.
    pub price: i64,
}

impl Record {
    /// The record's byte form, little-endian: kind, side, two zeros, quantity, id, price.
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

/// The numbers that make a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Price around which orders are placed, in ticks; it never moves.
    pub mid: i64,
    /// Orders lie 1 to this many ticks away from it.
    pub range: u32,
    /// So many adds come first.
    pub warm: u32,
    /// So many operations follow.
    pub operations: u32,
    /// With fewer orders resting, every operation is an add.
    pub fewest: usize,
    /// With more orders resting, an add becomes a cancel.
    pub most: usize,
}

impl Shape {
    /// Some 500 to 2,000 resting orders on 200 levels.
    pub const SHALLOW: Self =
        Self { mid: 50_000, range: 100, warm: 1_000, operations: 1_000_000, fewest: 500, most: 2_000 };
    /// Some million resting orders on 100,000 levels.
    pub const DEEP: Self = Self {
        mid: 1_000_000,
        range: 50_000,
        warm: 1_000_000,
        operations: 1_000_000,
        fewest: 500_000,
        most: 2_000_000,
    };
}

/// What a correct book makes of a trace, the warm-up included except where said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Adds after the warm-up.
    pub adds: u64,
    /// Takes.
    pub takes: u64,
    /// Cancels.
    pub cancels: u64,
    /// Trades.
    pub trades: u64,
    /// Lots traded.
    pub volume: u64,
    /// Wrapping sum over trades of `maker id x lots + (price << 20)`.
    pub check: u64,
}

/// A trace, with what should come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The operations in their order, warm-up first.
    pub records: Vec<Record>,
    /// For checking the book that has worked through them.
    pub totals: Totals,
}

impl Trace {
    /// Makes a trace; the same one for the same shape, for ever.
    ///
    /// Panics when `range` is not below `mid`, or when no order may ever rest.
    pub fn new(shape: &Shape) -> Self {
        assert!(i64::from(shape.range) < shape.mid && shape.range > 0, "all prices are above zero");
        assert!(shape.fewest > 0 && shape.most >= shape.fewest, "there is always something to cancel");
        let mut maker = Maker::new(shape);
        for _ in 0..shape.warm {
            maker.add();
        }
        maker.trace.totals.adds = 0;
        for _ in 0..shape.operations {
            maker.operation();
        }
        maker.trace
    }
}

/// An order by its id, kept after its end so that an id is an index.
struct Order {
    side: Side,
    price: i64,
    /// What is left; zero once it has ended.
    open: u32,
    /// Its place among the resting ids; meaningless once it has ended.
    live_at: usize,
}

/// One side of the book: a queue of ids per price, by distance from the mid price (1 is the best).
struct Queues {
    levels: Vec<VecDeque<u64>>,
    /// No order rests nearer than this; one may rest here.
    nearest: usize,
}

impl Queues {
    fn new(range: u32) -> Self {
        let levels = usize::try_from(range).expect("a range fits") + 1;
        Self { levels: (0..levels).map(|_| VecDeque::new()).collect(), nearest: levels }
    }

    /// Ids in price-time order; the ended ones are still among them.
    fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.levels[self.nearest.min(self.levels.len())..].iter().flatten().copied()
    }
}

struct Maker<'a> {
    shape: &'a Shape,
    random: Random,
    orders: Vec<Order>,
    live: Vec<u64>,
    live_on: [usize; 2],
    book: [Queues; 2],
    trace: Trace,
}

impl<'a> Maker<'a> {
    fn new(shape: &'a Shape) -> Self {
        let all = shape.warm as usize + shape.operations as usize;
        Self {
            shape,
            random: Random::from_state(Random::TRACES),
            orders: Vec::with_capacity(all),
            live: Vec::new(),
            live_on: [0; 2],
            book: [Queues::new(shape.range), Queues::new(shape.range)],
            trace: Trace { records: Vec::with_capacity(all), totals: Totals::default() },
        }
    }

    fn operation(&mut self) {
        let drawn = match self.random.below(100) {
            0..50 => Kind::Add,
            50..60 => Kind::Take,
            _ => Kind::Cancel,
        };
        let live = self.live.len();
        if live < self.shape.fewest {
            self.add();
        } else if live > self.shape.most && drawn == Kind::Add {
            self.cancel();
        } else {
            match drawn {
                Kind::Add => self.add(),
                Kind::Take => self.take(),
                Kind::Cancel => self.cancel(),
            }
        }
    }

    fn draw_side(&mut self) -> Side {
        if self.random.below(2) == 0 { Side::Buy } else { Side::Sell }
    }

    fn next_id(&self) -> u64 {
        self.orders.len() as u64 + 1
    }

    fn add(&mut self) {
        let side = self.draw_side();
        let distance = 1 + self.random.below(self.shape.range);
        let qty = 1 + self.random.below(100);
        let price = match side {
            Side::Buy => self.shape.mid - i64::from(distance),
            Side::Sell => self.shape.mid + i64::from(distance),
        };
        let id = self.next_id();
        self.orders.push(Order { side, price, open: qty, live_at: self.live.len() });
        self.live.push(id);
        self.live_on[side as usize] += 1;
        let queues = &mut self.book[side as usize];
        queues.levels[distance as usize].push_back(id);
        queues.nearest = queues.nearest.min(distance as usize);
        self.trace.records.push(Record { kind: Kind::Add, side, qty, id, price });
        self.trace.totals.adds += 1;
    }

    fn cancel(&mut self) {
        let live = u32::try_from(self.live.len()).expect("fewer orders rest than there are operations");
        let id = self.live[self.random.below(live) as usize];
        let order = &self.orders[index(id)];
        self.trace.records.push(Record {
            kind: Kind::Cancel,
            side: order.side,
            qty: 0,
            id,
            price: order.price,
        });
        self.trace.totals.cancels += 1;
        self.end(id);
    }

    fn take(&mut self) {
        let side = self.draw_side();
        let wanted = 1 + self.random.below(3) as usize;
        let seen = wanted.min(self.live_on[side.opposite() as usize]);
        if seen == 0 {
            return self.add();
        }
        let makers = self.best(side.opposite(), seen);
        let (&last, firsts) = makers.split_last().expect("one order at least is seen");
        let price = self.orders[index(last)].price;
        let half_of_last = self.orders[index(last)].open.div_ceil(2);
        let qty = firsts.iter().map(|&id| self.orders[index(id)].open).sum::<u32>() + half_of_last;

        let id = self.next_id();
        self.orders.push(Order { side, price, open: 0, live_at: 0 });
        self.trace.records.push(Record { kind: Kind::Take, side, qty, id, price });
        self.trace.totals.takes += 1;
        for &maker in firsts {
            self.fill(maker, self.orders[index(maker)].open);
        }
        self.fill(last, half_of_last);
    }

    /// The first `count` orders of a side in price-time order. Forgets ended ones on the way.
    fn best(&mut self, side: Side, count: usize) -> Vec<u64> {
        let queues = &mut self.book[side as usize];
        // Ended orders stay in their queues until they come to the front: a cancel then needs no search.
        while let Some(level) = queues.levels.get_mut(queues.nearest) {
            match level.front() {
                Some(&id) if self.orders[index(id)].open > 0 => break,
                Some(_) => {
                    level.pop_front();
                }
                None => queues.nearest += 1,
            }
        }
        queues.ids().filter(|&id| self.orders[index(id)].open > 0).take(count).collect()
    }

    fn fill(&mut self, maker: u64, qty: u32) {
        let order = &mut self.orders[index(maker)];
        order.open -= qty;
        let totals = &mut self.trace.totals;
        totals.trades += 1;
        totals.volume += u64::from(qty);
        let price = u64::try_from(order.price).expect("prices are above zero");
        totals.check = totals.check.wrapping_add(maker * u64::from(qty) + (price << 20));
        if order.open == 0 {
            self.end(maker);
        }
    }

    /// Takes an order off the list of resting ids; the last of the list moves into its place.
    fn end(&mut self, id: u64) {
        let order = &mut self.orders[index(id)];
        order.open = 0;
        let at = order.live_at;
        self.live_on[order.side as usize] -= 1;
        self.live.swap_remove(at);
        if let Some(&moved) = self.live.get(at) {
            self.orders[index(moved)].live_at = at;
        }
    }
}

/// Where an order is kept.
fn index(id: u64) -> usize {
    usize::try_from(id).expect("an id is an index") - 1
}
