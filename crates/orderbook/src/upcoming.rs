//! Who trades next at the best level of a side, as far as that is known. An order names the one behind it, so whoever sweeps a
//! level would wait for each order's memory before he could ask for the next one's. With a list he asks for all of them at once.
//!
//! A list grows a little whenever somebody comes to its side, by way of the order that was noted last. What it says may be out of
//! date (an order was cancelled, or became smaller), so it decides nothing but what is asked for. Where a better level comes and
//! goes in front of it, it stays: there are two.

use model::{MarketId, QtyLots, Side};

use crate::side::Rank;
use crate::{OrderSlot, Orders, fetch_ahead};

/// So many are known at the most of a level; a power of two.
const MOST: usize = 32;
/// So many are noted at the most when somebody has come to rest. The first of them is at hand, and the others are waited for.
pub const STEPS_AT_REST: u8 = 3;
/// As above, when somebody has traded, and is in a hurry.
pub const STEPS_BEHIND_A_TRADE: u8 = 1;

/// The first orders of the best level, and of another one that was the best before.
pub struct Upcoming {
    lists: [List; 2],
    /// Which of them was begun last.
    newest: usize,
    /// The level of which no more can be noted for now.
    done: Rank,
    /// Apart, so that markets lie close to each other.
    noted: Option<Box<[[Noted; MOST]; 2]>>,
}

/// What is known of a level.
#[derive(Clone, Copy)]
struct List {
    rank: Rank,
    /// Where the first of them is; those behind it follow, and begin again at the front.
    first: u8,
    count: u8,
}

impl Default for Upcoming {
    fn default() -> Self {
        Self { lists: [List::of(Rank::NOWHERE); 2], newest: 0, done: Rank::NOWHERE, noted: None }
    }
}

impl List {
    fn of(rank: Rank) -> Self {
        Self { rank, first: 0, count: 0 }
    }

    #[inline]
    fn place(self, number: u8) -> usize {
        usize::from(self.first.wrapping_add(number)) & MOST.saturating_sub(1)
    }
}

/// An order that is known.
#[derive(Clone, Copy)]
struct Noted {
    slot: OrderSlot,
    /// What was open of it when the next one was noted; the largest number where it is more, or not known yet.
    lots: u32,
}

impl Noted {
    const NOBODY: Self = Self { slot: OrderSlot::NONE, lots: 0 };
}

impl Upcoming {
    #[inline]
    fn of(&self, rank: Rank) -> Option<usize> {
        self.lists.iter().position(|list| list.rank == rank)
    }

    /// Anything was ever noted. Where it was not, nothing else need be asked.
    #[inline]
    pub fn is_used(&self) -> bool {
        self.noted.is_some()
    }

    /// All of this level is noted that there is room for, unless somebody has joined it or traded there since.
    #[inline]
    pub fn is_done(&self, level: Rank) -> bool {
        self.done == level
    }

    /// Notes more of the best level, at whose front this order is.
    pub fn note(
        &mut self,
        orders: &Orders,
        (market, side): (MarketId, Side),
        (best, front): (Rank, Option<OrderSlot>),
        steps: u8,
    ) {
        let at = self.of(best).unwrap_or_else(|| {
            self.newest ^= 1;
            self.lists[self.newest] = List::of(best);
            self.newest
        });
        let list = &mut self.lists[at];
        let noted = &mut self.noted.get_or_insert_with(|| Box::new([[Noted::NOBODY; MOST]; 2]))[at];
        for _ in 0..steps {
            let mut next = OrderSlot::NONE;
            if let Some(last) = list.count.checked_sub(1) {
                let newest = &mut noted[list.place(last)];
                let order = &orders[newest.slot];
                if order.rests_at(market, side, best.price(side)) {
                    next = order.next;
                    newest.lots = u32::try_from(order.open_lots.0).unwrap_or(u32::MAX);
                } else {
                    list.count = 0;
                }
            }
            if list.count == 0 {
                next = front.unwrap_or(OrderSlot::NONE);
            }
            if next == OrderSlot::NONE || usize::from(list.count) == MOST {
                self.done = best;
                return;
            }
            noted[list.place(list.count)] = Noted { slot: next, lots: u32::MAX };
            list.count = list.count.saturating_add(1);
            fetch_ahead(&orders[next]);
        }
    }

    /// An order of this level has traded and is gone, and with it those that came before it.
    #[inline(never)]
    pub fn pass(&mut self, rank: Rank, slot: OrderSlot) {
        let Some(noted) = &self.noted else { return };
        let Some(at) = self.of(rank) else { return };
        let list = &mut self.lists[at];
        while list.count > 0 {
            let first = noted[at][list.place(0)].slot;
            list.first = list.first.wrapping_add(1);
            list.count = list.count.saturating_sub(1);
            if first == slot {
                break;
            }
        }
    }

    /// Asks for those that so many lots will trade with at a level, behind the first.
    #[inline(never)]
    pub fn ask_for(&self, orders: &Orders, rank: Rank, wanted: QtyLots) {
        for slot in self.for_lots(rank, wanted).skip(1) {
            fetch_ahead(&orders[slot]);
        }
    }

    /// Those that so many lots will trade with at a level, as it seems.
    #[inline]
    pub fn for_lots(&self, rank: Rank, wanted: QtyLots) -> impl Iterator<Item = OrderSlot> + '_ {
        let known = self.of(rank).zip(self.noted.as_deref()).map(|(at, noted)| (self.lists[at], &noted[at]));
        let mut missing = wanted.0;
        known
            .into_iter()
            .flat_map(|(list, noted)| (0..list.count).map(move |number| noted[list.place(number)]))
            .map_while(move |noted| {
                if missing <= 0 {
                    return None;
                }
                missing = missing.saturating_sub(i64::from(noted.lots));
                Some(noted.slot)
            })
    }
}

#[cfg(test)]
mod tests {
    use model::{AccountId, OrderId, PriceTicks, SelfTradePrevention, TradeGroup};

    use super::*;
    use crate::{Before, Book, Incoming, Remainder, Report};

    const MARKET: MarketId = MarketId(7);

    struct Place {
        book: Book,
        orders: Orders,
        last: OrderId,
        reports: Vec<Report>,
    }

    impl Place {
        fn new() -> Self {
            Self { book: Book::new(MARKET), orders: Orders::default(), last: OrderId(0), reports: Vec::new() }
        }

        fn place(&mut self, side: Side, price: i64, lots: i64) -> OrderId {
            self.last = self.last.next();
            let incoming = Incoming {
                id: self.last,
                account: AccountId(1),
                trade_group: TradeGroup::NONE,
                side,
                worst_ticks: PriceTicks(price),
                max_lots: QtyLots(lots),
                max_tick_lots: crate::TickLots::MAX,
                remainder: Remainder::Rests,
                self_trade_prevention: SelfTradePrevention::None,
                slot: OrderSlot::UNKNOWN,
                before: Before::default(),
            };
            self.book.place(&mut self.orders, &incoming, &mut self.reports);
            self.last
        }

        fn cancel(&mut self, id: OrderId) {
            let slot = self.orders.find(id).expect("it rests");
            self.book.cancel(&mut self.orders, slot, &mut self.reports);
        }

        /// Whom a buy of so many lots would look at.
        fn makers(&self, lots: i64) -> Vec<u64> {
            let mut found = Vec::new();
            let wanted = (QtyLots(lots), None);
            self.book.makers(&self.orders, Side::Sell, wanted, |slot| found.push(self.orders[slot].id.0));
            found
        }
    }

    #[test]
    fn whoever_is_first_in_line_is_known() {
        let mut place = Place::new();
        for _ in 0..40 {
            place.place(Side::Sell, 100, 2);
        }
        assert_eq!(place.makers(5), [1, 2, 3], "two lots each");
        assert_eq!(place.makers(80), (1..=32).collect::<Vec<_>>(), "as many as there is room for");
        // The first two are gone, and the third in part.
        place.place(Side::Buy, 100, 5);
        assert_eq!(place.makers(3), [3, 4]);
        assert_eq!(place.makers(75), (3..=33).collect::<Vec<_>>(), "a trade notes one more");
    }

    #[test]
    fn a_better_level_comes_and_goes_in_front() {
        let mut place = Place::new();
        for _ in 0..10 {
            place.place(Side::Sell, 100, 1);
        }
        place.place(Side::Sell, 99, 1);
        assert_eq!(place.makers(4), [11, 1, 2, 3], "level by level");
        place.place(Side::Buy, 99, 1);
        assert_eq!(place.makers(4), [1, 2, 3, 4], "what was known of it before");
    }

    #[test]
    fn who_is_at_several_levels_is_known_in_order_and_up_to_the_worst_price() {
        let mut place = Place::new();
        for price in [100, 102, 100, 102, 101, 103, 102, 100] {
            place.place(Side::Sell, price, 2);
        }
        assert_eq!(place.makers(7), [1, 3, 8, 5], "half of the second level's");
        assert_eq!(place.makers(12), [1, 3, 8, 5, 2, 4]);
        assert_eq!(place.makers(1_000), [1, 3, 8, 5, 2, 4, 7, 6], "nobody has more");
        let mut found = 0;
        let wanted = (QtyLots(1_000), Some(PriceTicks(101)));
        place.book.makers(&place.orders, Side::Sell, wanted, |_| found += 1);
        assert_eq!(found, 4, "those behind the worst price are left alone");
        for _ in 0..100 {
            place.place(Side::Sell, 99, 1);
        }
        assert_eq!(place.makers(1_000).len(), 64, "no more than are worth it");
    }

    #[test]
    fn whoever_left_the_line_is_passed_over() {
        let mut place = Place::new();
        let orders: Vec<_> = (0..6).map(|_| place.place(Side::Sell, 100, 1)).collect();
        // Its place is taken by somebody who waits elsewhere.
        place.cancel(orders[1]);
        let elsewhere = place.place(Side::Sell, 200, 1);
        assert_eq!(place.makers(3), [1, elsewhere.0, 3], "nobody has told");
        place.place(Side::Buy, 100, 2);
        assert_eq!(place.makers(3), [4, 5, 6]);
        // The last that was noted is at another level by now, so the line is begun anew.
        place.cancel(orders[5]);
        place.place(Side::Sell, 300, 1);
        place.place(Side::Sell, 100, 1);
        assert_eq!(place.makers(9)[..3], [4, 5, 10]);
    }
}
