//! One price, and the orders resting there in arrival order.

use model::QtyLots;

use crate::{Order, OrderSlot, Orders};

/// A FIFO queue threaded through the order slab: joining, filling and cancelling are all O(1).
#[derive(Clone, Copy, Debug)]
pub struct Level {
    front: OrderSlot,
    back: OrderSlot,
    open_lots: QtyLots,
}

impl Level {
    /// Nobody.
    pub const EMPTY: Self = Self { front: OrderSlot::NONE, back: OrderSlot::NONE, open_lots: QtyLots::ZERO };

    /// The order that trades first.
    #[inline]
    pub fn front(&self) -> Option<OrderSlot> {
        (self.front != OrderSlot::NONE).then_some(self.front)
    }

    /// The order that trades last.
    #[inline]
    pub fn back(&self) -> Option<OrderSlot> {
        (self.back != OrderSlot::NONE).then_some(self.back)
    }

    /// All that can trade here.
    #[inline]
    pub fn open_lots(&self) -> QtyLots {
        self.open_lots
    }

    /// Joins the back of the queue. Time priority is nothing but the order of these calls.
    pub fn push_back(&mut self, orders: &mut Orders, joining: OrderSlot) {
        assert!(orders[joining].open_lots > QtyLots::ZERO, "a finished order never rests");
        orders[joining].prev = self.back;
        orders[joining].next = OrderSlot::NONE;
        if self.back == OrderSlot::NONE {
            self.front = joining;
        } else {
            orders[self.back].next = joining;
        }
        self.back = joining;
        self.open_lots += orders[joining].open_lots;
    }

    /// Takes `lots` away from an order of this level, which keeps its place.
    #[inline]
    pub fn reduce(&mut self, orders: &mut Orders, slot: OrderSlot, lots: QtyLots) {
        orders[slot].open_lots -= lots;
        self.open_lots -= lots;
    }

    /// The order at the front has traded so much. Where nothing of it is left, `next` comes to the front, if there is anybody. What
    /// is open here now.
    #[inline]
    pub fn fill(&mut self, lots: QtyLots, next: Option<OrderSlot>) -> QtyLots {
        self.open_lots -= lots;
        if let Some(next) = next {
            self.go_on(next);
        }
        self.open_lots
    }

    /// The order at the front is gone, and `next` comes to the front, if there is anybody. It still names who was before it: that
    /// is asked of nobody at the front, so its memory need not be touched.
    #[inline]
    fn go_on(&mut self, next: OrderSlot) {
        self.front = next;
        if next == OrderSlot::NONE {
            self.back = OrderSlot::NONE;
        }
    }

    /// Leaves the queue, with whatever is still open.
    pub fn unlink(&mut self, orders: &mut Orders, leaving: OrderSlot) {
        let Order { prev, next, open_lots, .. } = orders[leaving];
        self.open_lots -= open_lots;
        if self.front == leaving {
            return self.go_on(next);
        }
        orders[prev].next = next;
        if next == OrderSlot::NONE {
            self.back = prev;
        } else {
            orders[next].prev = prev;
        }
    }
}
