//! One side of a book: its levels by price, best first.
//!
//! Prices are grouped into leaves of 32 neighbouring ticks with a bitmap of those in use, and the next level is nearly always
//! the next set bit. Which leaf comes after an emptied one, a tree knows. A leaf by its key is found at hand: under the low
//! bits of its key, of which there are twice as many as leaves, so that neighbours never stand in each other's way. What two
//! leaves far from each other share is found through the tree. So a price that walks far costs memory only where orders are.
//!
//! Both sides are kept by *rank*: the price for asks, its negative for bids. The best level has the lowest rank.

use std::collections::BTreeMap;

use arrayvec::ArrayVec;
use model::{PriceTicks, QtyLots, Side};

use crate::level::Level;
use crate::{OrderSlot, Orders, fetch_ahead};

const LEAF_BITS: u32 = 5;
const LEAF_LEVELS: usize = 1 << LEAF_BITS;
/// So many levels are looked at ahead of an order that will trade: it may ask for more than anybody has.
const LEVELS_AHEAD: usize = 16;

/// A price as its side counts it: the lower, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(i64);

impl Rank {
    /// Worse than any.
    pub const NOWHERE: Self = Self(i64::MAX);

    /// Of any number: what is looked at ahead was not checked yet.
    #[inline]
    pub fn new(side: Side, price: PriceTicks) -> Self {
        match side {
            Side::Buy => Self(price.0.wrapping_neg()),
            Side::Sell => Self(price.0),
        }
    }

    #[inline]
    pub fn price(self, side: Side) -> PriceTicks {
        match side {
            Side::Buy => PriceTicks(self.0.wrapping_neg()),
            Side::Sell => PriceTicks(self.0),
        }
    }

    /// The leaf's key, and the level's place in it.
    #[inline]
    fn split(self) -> (i64, usize) {
        let place = usize::try_from(self.0.rem_euclid(1 << LEAF_BITS)).expect("a place is below 32");
        (self.0 >> LEAF_BITS, place)
    }

    #[inline]
    fn join(key: i64, place: u32) -> Self {
        Self((key << LEAF_BITS) | i64::from(place))
    }
}

struct Leaf {
    /// Bit n is set when somebody rests at place n.
    occupied: u32,
    levels: [Level; LEAF_LEVELS],
}

/// One side's levels.
#[derive(Default)]
pub struct SideLevels {
    keys: BTreeMap<i64, u32>,
    leaves: Vec<Leaf>,
    free: Vec<u32>,
    best: Option<Rank>,
    /// Leaves in use by the low bits of their keys; a power of two of places, or none.
    at_hand: Vec<AtHand>,
}

/// A leaf in use, or no key.
#[derive(Clone, Copy)]
struct AtHand {
    key: i64,
    leaf: u32,
}

impl AtHand {
    const NOTHING: Self = Self { key: i64::MIN, leaf: 0 };
}

/// Orders of a level that were asked for, from its front on.
struct Queue {
    first: OrderSlot,
    last: OrderSlot,
    count: usize,
    /// How much is wanted of the last one and those behind it, which have that much; zero where the last one was seen to be enough.
    lots: QtyLots,
}

fn at(leaf: u32) -> usize {
    usize::try_from(leaf).expect("leaves fit into memory")
}

impl SideLevels {
    /// Asks for those that so many lots will trade with at levels up to `worst`, and tells of them in that order: of no more than
    /// `most`, at 16 levels.
    ///
    /// One of each level a round: an order names the one behind it, so that whoever went through one level after the other would
    /// wait for each of them.
    pub fn makers(
        &self,
        orders: &Orders,
        (wanted, worst): (QtyLots, Rank),
        most: usize,
        mut tell: impl FnMut(OrderSlot),
    ) {
        let mut queues = ArrayVec::<Queue, LEVELS_AHEAD>::new();
        let mut missing = wanted;
        let levels = self.iter().take_while(|(rank, _)| *rank <= worst);
        for (_, level) in levels.take(LEVELS_AHEAD.min(most)) {
            let lots = missing.min(level.open_lots());
            if let Some(first) = level.front() {
                fetch_ahead(&orders[first]);
                queues.push(Queue { first, last: first, count: 1, lots });
            }
            missing -= lots;
            if missing.is_zero() {
                break;
            }
        }
        let mut room = most.saturating_sub(queues.len());
        let mut goes_on = true;
        while goes_on && room > 0 {
            goes_on = false;
            for queue in queues.iter_mut().filter(|queue| !queue.lots.is_zero()) {
                let last = &orders[queue.last];
                queue.lots -= queue.lots.min(last.open_lots);
                if !queue.lots.is_zero() && room > 0 {
                    queue.last = last.next;
                    queue.count = queue.count.saturating_add(1);
                    room = room.saturating_sub(1);
                    fetch_ahead(&orders[queue.last]);
                    goes_on = true;
                }
            }
        }
        for queue in queues {
            let mut slot = queue.first;
            for _ in 0..queue.count {
                tell(slot);
                slot = orders[slot].next;
            }
            // What comes behind those that there was no room for does not come next.
            if !queue.lots.is_zero() {
                break;
            }
        }
    }

    /// The best level in use.
    #[inline]
    pub fn best(&self) -> Option<Rank> {
        self.best
    }

    #[inline]
    fn leaf(&mut self, key: i64) -> Option<u32> {
        match self.at_hand.get(self.place_at_hand(key)) {
            Some(at_hand) if at_hand.key == key => Some(at_hand.leaf),
            Some(_) => self.leaf_from_tree(key),
            None => None,
        }
    }

    #[cold]
    fn leaf_from_tree(&mut self, key: i64) -> Option<u32> {
        let leaf = *self.keys.get(&key)?;
        let place = self.place_at_hand(key);
        self.at_hand[place] = AtHand { key, leaf };
        Some(leaf)
    }

    /// Behind the end where there are no places.
    #[inline]
    fn place_at_hand(&self, key: i64) -> usize {
        let low = usize::try_from(key.cast_unsigned() & u64::from(u32::MAX)).expect("32 bits fit");
        low & self.at_hand.len().saturating_sub(1)
    }

    /// Makes as many places as it takes for twice the leaves in use.
    #[cold]
    fn widen(&mut self) {
        let places = self.keys.len().saturating_mul(2).next_power_of_two();
        self.at_hand = vec![AtHand::NOTHING; places];
        for (&key, &leaf) in &self.keys {
            let low = usize::try_from(key.cast_unsigned() & u64::from(u32::MAX)).expect("32 bits fit");
            self.at_hand[low & places.saturating_sub(1)] = AtHand { key, leaf };
        }
    }

    /// Asks for where it says which leaf a level is in.
    #[inline]
    pub fn fetch_leaf(&self, rank: Rank) {
        if let Some(at_hand) = self.at_hand.get(self.place_at_hand(rank.split().0)) {
            fetch_ahead(at_hand);
        }
    }

    /// Asks for the memory of a level, if its leaf is at hand.
    #[inline]
    pub fn fetch_level(&self, rank: Rank) {
        if let Some(level) = self.level_at_hand(rank) {
            fetch_ahead(level);
        }
    }

    /// Asks for where it says which levels are in use: for whoever will use a new one, or the last order of one.
    #[inline]
    pub fn fetch_bitmap(&self, rank: Rank) {
        if let Some((leaf, _)) = self.leaf_at_hand(rank) {
            fetch_ahead(&leaf.occupied);
        }
    }

    /// The leaf of a level, if it is at hand, and the level's place in it.
    #[inline]
    fn leaf_at_hand(&self, rank: Rank) -> Option<(&Leaf, usize)> {
        let (key, place) = rank.split();
        let at_hand = self.at_hand.get(self.place_at_hand(key)).filter(|at_hand| at_hand.key == key)?;
        Some((&self.leaves[at(at_hand.leaf)], place))
    }

    /// A level, if its leaf is at hand.
    #[inline]
    pub fn level_at_hand(&self, rank: Rank) -> Option<&Level> {
        let (leaf, place) = self.leaf_at_hand(rank)?;
        Some(&leaf.levels[place])
    }

    /// A level in use.
    #[inline]
    pub fn level_mut(&mut self, rank: Rank) -> &mut Level {
        let (key, place) = rank.split();
        let leaf = self.leaf(key).expect("a level with orders has a leaf");
        &mut self.leaves[at(leaf)].levels[place]
    }

    /// The level at `rank`, which somebody is about to join.
    #[inline]
    pub fn level_to_join(&mut self, rank: Rank) -> &mut Level {
        let (key, place) = rank.split();
        let leaf = match self.leaf(key) {
            Some(leaf) => leaf,
            None => self.add_leaf(key),
        };
        if self.best.is_none_or(|best| rank < best) {
            self.best = Some(rank);
        }
        let Leaf { occupied, levels } = &mut self.leaves[at(leaf)];
        let level = &mut levels[place];
        // The bitmap lies in another line of memory.
        if level.front().is_none() {
            *occupied |= 1 << place;
        }
        level
    }

    fn add_leaf(&mut self, key: i64) -> u32 {
        // One that is free was left by all of its levels, so they are empty.
        let leaf = self.free.pop().unwrap_or_else(|| {
            self.leaves.push(Leaf { occupied: 0, levels: [Level::EMPTY; LEAF_LEVELS] });
            u32::try_from(self.leaves.len().saturating_sub(1)).expect("leaves are fewer than orders")
        });
        self.keys.insert(key, leaf);
        if self.keys.len().saturating_mul(2) > self.at_hand.len() {
            self.widen();
        } else {
            let place = self.place_at_hand(key);
            self.at_hand[place] = AtHand { key, leaf };
        }
        leaf
    }

    /// The level at `rank` has just lost its last order.
    pub fn level_emptied(&mut self, rank: Rank) {
        let (key, place) = rank.split();
        let leaf = self.leaf(key).expect("a level that was in use has a leaf");
        let occupied = {
            let leaf = &mut self.leaves[at(leaf)];
            leaf.occupied &= !(1 << place);
            leaf.occupied
        };
        if self.best == Some(rank) {
            self.best = if occupied == 0 {
                self.first_after(key)
            } else {
                Some(Rank::join(key, occupied.trailing_zeros()))
            };
        }
        if occupied == 0 {
            self.keys.remove(&key);
            let place = self.place_at_hand(key);
            if self.at_hand[place].key == key {
                self.at_hand[place] = AtHand::NOTHING;
            }
            self.free.push(leaf);
        }
    }

    fn first_after(&self, key: i64) -> Option<Rank> {
        let (&key, &leaf) = self.keys.range(key.saturating_add(1)..).next()?;
        Some(Rank::join(key, self.leaves[at(leaf)].occupied.trailing_zeros()))
    }

    /// All levels in use, best first.
    pub fn iter(&self) -> impl Iterator<Item = (Rank, &Level)> {
        self.keys.iter().flat_map(|(&key, &leaf)| {
            let leaf = &self.leaves[at(leaf)];
            let mut left = leaf.occupied;
            std::iter::from_fn(move || {
                let place = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                let level = leaf.levels.get(at(place))?;
                Some((Rank::join(key, place), level))
            })
        })
    }

    /// Whether `wanted` can trade at levels up to `worst`, all orders counted; where it cannot, whether the levels end before
    /// that one.
    pub fn has(&self, wanted: QtyLots, worst: Rank) -> Result<(), Missing> {
        let mut missing = wanted;
        for (rank, level) in self.iter() {
            if rank > worst {
                return Err(Missing::BehindWorst);
            }
            missing -= missing.min(level.open_lots());
            if missing.is_zero() {
                return Ok(());
            }
        }
        Err(Missing::Everywhere)
    }
}

/// Why levels do not have what is wanted.
pub enum Missing {
    /// There are others, which are worse.
    BehindWorst,
    /// There are no others.
    Everywhere,
}
