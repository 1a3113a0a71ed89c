//! A rival: one array with a place for each price there can be, and bitmaps of those in use. Nothing is faster as long as the
//! part in use fits into the caches.

use model::Side;
use simulator::walking::{Kind, Message};

use super::contender::Contender;
use super::places::index;
use super::report::{Report, Reports};

/// Prices are below this.
const TICKS: usize = 1 << 21;
/// No order: slots are counted from one, so that an empty level is all zeros and untouched memory costs nothing.
const NOBODY: u32 = 0;

#[derive(Clone, Copy, Default)]
struct Level {
    front: u32,
    back: u32,
    /// All that is open, which a feed would tell.
    open: u64,
}

#[derive(Clone, Copy, Default)]
struct Order {
    id: u64,
    price: u32,
    open: u32,
    side: u8,
    prev: u32,
    next: u32,
}

/// A level for each price. A price belongs to one side at a time, as a book is never crossed.
pub struct Flat {
    levels: Vec<Level>,
    /// Of buyers and of sellers.
    used: [Bitmap; 2],
    best: [Option<usize>; 2],
    orders: Vec<Order>,
    free: u32,
    slots: Vec<u32>,
}

impl Default for Flat {
    fn default() -> Self {
        Self {
            levels: vec![Level::default(); TICKS],
            used: [Bitmap::new(), Bitmap::new()],
            best: [None; 2],
            orders: vec![Order::default()],
            free: NOBODY,
            slots: Vec::new(),
        }
    }
}

fn at(slot: u32) -> usize {
    usize::try_from(slot).expect("a slot fits")
}

impl Flat {
    fn rest(&mut self, arriving: &Message, open: u32) {
        let side = arriving.side as usize;
        let price = usize::try_from(arriving.price).expect("a price is in the array");
        let level = &mut self.levels[price];
        let order = Order {
            id: arriving.id,
            price: u32::try_from(price).expect("a price is in the array"),
            open,
            side: arriving.side as u8,
            prev: level.back,
            next: NOBODY,
        };
        let slot = if self.free == NOBODY {
            self.orders.push(order);
            u32::try_from(self.orders.len() - 1).expect("fewer orders than that")
        } else {
            let slot = self.free;
            self.free = self.orders[at(slot)].next;
            self.orders[at(slot)] = order;
            slot
        };
        if level.back == NOBODY {
            level.front = slot;
            self.used[side].set(price);
            let better = match (arriving.side, self.best[side]) {
                (_, None) => true,
                (Side::Buy, Some(best)) => price > best,
                (Side::Sell, Some(best)) => price < best,
            };
            if better {
                self.best[side] = Some(price);
            }
        } else {
            self.orders[at(level.back)].next = slot;
        }
        level.back = slot;
        level.open += u64::from(open);
        let id = index(arriving.id);
        if self.slots.len() <= id {
            self.slots.resize(id + 1, NOBODY);
        }
        self.slots[id] = slot;
    }

    /// Takes an order out of its level and frees its slot.
    fn remove(&mut self, slot: u32) {
        let Order { id, price, open, side, prev, next } = self.orders[at(slot)];
        let (price, side) = (at(price), usize::from(side));
        let level = &mut self.levels[price];
        level.open -= u64::from(open);
        if prev == NOBODY {
            level.front = next;
        } else {
            self.orders[at(prev)].next = next;
        }
        if next == NOBODY {
            level.back = prev;
        } else {
            self.orders[at(next)].prev = prev;
        }
        if level.front == NOBODY {
            self.used[side].clear(price);
            if self.best[side] == Some(price) {
                self.best[side] = if side == Side::Buy as usize {
                    self.used[side].last_below(price)
                } else {
                    self.used[side].first_above(price)
                };
            }
        }
        self.orders[at(slot)].next = self.free;
        self.free = slot;
        self.slots[index(id)] = NOBODY;
    }
}

impl Contender for Flat {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        let counter = arriving.side.opposite() as usize;
        let worst = usize::try_from(arriving.price).expect("a price is in the array");
        let mut left = arriving.qty;
        while left > 0
            && let Some(best) = self.best[counter]
        {
            let accepts = match arriving.side {
                Side::Buy => best <= worst,
                Side::Sell => best >= worst,
            };
            if !accepts {
                break;
            }
            let level = &mut self.levels[best];
            let slot = level.front;
            let maker = &mut self.orders[at(slot)];
            let qty = left.min(maker.open);
            left -= qty;
            maker.open -= qty;
            level.open -= u64::from(qty);
            let (id, done) = (maker.id, maker.open == 0);
            let price = i64::from(maker.price);
            reports.tell(Report::Trade { maker: id, taker: arriving.id, price, qty });
            if done {
                self.remove(slot);
            }
        }
        if left > 0 && arriving.kind != Kind::Immediate {
            self.rest(arriving, left);
        }
    }

    fn cancel(&mut self, order: u64) -> bool {
        match self.slots.get(index(order)) {
            Some(&slot) if slot != NOBODY => {
                self.remove(slot);
                true
            }
            Some(_) | None => false,
        }
    }
}

/// Which levels are used: a bit for each, a bit for each 64 of those, and so for each 64 of those.
struct Bitmap([Vec<u64>; 3]);

impl Bitmap {
    fn new() -> Self {
        Self([6, 12, 18].map(|bits| vec![0; TICKS >> bits]))
    }

    fn set(&mut self, mut at: usize) {
        for tier in &mut self.0 {
            tier[at / 64] |= 1 << (at % 64);
            at /= 64;
        }
    }

    fn clear(&mut self, mut at: usize) {
        for tier in &mut self.0 {
            tier[at / 64] &= !(1 << (at % 64));
            if tier[at / 64] != 0 {
                return;
            }
            at /= 64;
        }
    }

    fn first_above(&self, at: usize) -> Option<usize> {
        let mut at = at + 1;
        for (number, tier) in self.0.iter().enumerate() {
            let rest = tier.get(at / 64)? & (u64::MAX << (at % 64));
            if rest != 0 {
                return Some(self.descend_first(number, at / 64 * 64 + lowest(rest)));
            }
            at = at / 64 + 1;
        }
        let top = &self.0[2];
        let word = (at..top.len()).find(|&word| top[word] != 0)?;
        Some(self.descend_first(2, word * 64 + lowest(top[word])))
    }

    fn last_below(&self, mut at: usize) -> Option<usize> {
        for (number, tier) in self.0.iter().enumerate() {
            let rest = tier[at / 64] & !(u64::MAX << (at % 64));
            if rest != 0 {
                return Some(self.descend_last(number, at / 64 * 64 + highest(rest)));
            }
            at /= 64;
        }
        let top = &self.0[2];
        let word = (0..at).rev().find(|&word| top[word] != 0)?;
        Some(self.descend_last(2, word * 64 + highest(top[word])))
    }

    /// From a bit of a tier down to the first level that it stands for.
    fn descend_first(&self, number: usize, found: usize) -> usize {
        self.0[..number].iter().rev().fold(found, |found, tier| found * 64 + lowest(tier[found]))
    }

    /// From a bit of a tier down to the last level that it stands for.
    fn descend_last(&self, number: usize, found: usize) -> usize {
        self.0[..number].iter().rev().fold(found, |found, tier| found * 64 + highest(tier[found]))
    }
}

fn lowest(word: u64) -> usize {
    word.trailing_zeros() as usize
}

fn highest(word: u64) -> usize {
    word.ilog2() as usize
}
