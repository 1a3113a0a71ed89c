//! Asking for memory before it is needed. Commands come in batches, and what one of them looks into has nothing to do with
//! what the next one does; so the processor can fetch for several of them at once, if it is told a few commands ahead. Without
//! that it waits for each line of memory in turn, since each is found by way of the one before. Measured:
//! docs/decisions/0012-partition-speed.md.
#![allow(unsafe_code, reason = "the processor's hint is an unsafe function, whatever address it is given")]

use std::ptr;

use arrayvec::ArrayVec;
use model::{OrderId, PriceTicks, Side};

use crate::{Book, Order, Orders};

/// What the next messages to one book will need, looked at together: for whoever has a book and no partition around it.
pub struct LookAhead<'a> {
    book: &'a Book,
    orders: &'a Orders,
    placed: ArrayVec<(Side, PriceTicks), { LookAhead::TOGETHER }>,
    found: ArrayVec<(OrderId, Option<&'a Order>), { LookAhead::TOGETHER }>,
}

impl<'a> LookAhead<'a> {
    /// So many messages are looked at together: what more of them need would push out what the first have asked for.
    pub const TOGETHER: usize = 32;
    /// Nothing comes yet. `None` where there is nothing to look for.
    #[inline]
    pub fn at(book: &'a Book, orders: &'a Orders) -> Option<Self> {
        orders.are_far().then(|| Self {
            book,
            orders,
            placed: ArrayVec::new_const(),
            found: ArrayVec::new_const(),
        })
    }

    /// An order comes that may rest at this price. More than [`Self::TOGETHER`] are left alone.
    #[inline]
    pub fn places(&mut self, side: Side, price: PriceTicks) {
        let _ = self.placed.try_push((side, price));
    }

    /// This order will be looked for. More than [`Self::TOGETHER`] are left alone.
    #[inline]
    pub fn finds(&mut self, order: OrderId) {
        let _ = self.found.try_push((order, None));
    }

    /// Asks for all of it, one step of each message a round.
    pub fn look(self) {
        let Self { book, orders, placed, mut found } = self;
        for (side, price) in &placed {
            book.fetch_leaf(*side, *price);
        }
        for (id, _) in &found {
            orders.fetch_index(*id);
        }
        for (side, price) in &placed {
            book.fetch_level(*side, *price);
        }
        for (id, order) in &mut found {
            *order = orders.guess(*id).map(|slot| &orders[slot]);
            order.map(fetch_whole);
        }
        for (side, price) in &placed {
            book.fetch_back(orders, *side, *price);
        }
        for order in found.iter().filter_map(|(_, order)| *order) {
            book.fetch_around(orders, order);
        }
        for order in found.iter().filter_map(|(_, order)| *order) {
            book.fetch_level_of(order);
        }
    }
}

/// Asks for the lines of memory where a value begins and where it ends. Changes nothing, and needs nothing to come of it.
#[inline]
pub fn fetch_ahead<T>(value: &T) {
    let first = ptr::from_ref(value).cast::<u8>();
    fetch(first);
    // What is no larger than its alignment lies in one line.
    if size_of::<T>() > align_of::<T>() {
        fetch(first.wrapping_add(size_of::<T>().saturating_sub(1)));
    }
}

/// Asks for all lines of memory that a value lies in.
#[inline]
pub fn fetch_whole<T>(value: &T) {
    fetch_lines(ptr::from_ref(value).cast(), size_of::<T>());
}

#[inline]
fn fetch_lines(first: *const u8, bytes: usize) {
    const LINE: usize = 64;
    let mut at = 0;
    while at < bytes {
        fetch(first.wrapping_add(at));
        at = at.saturating_add(LINE);
    }
    fetch(first.wrapping_add(bytes.saturating_sub(1)));
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    // SAFETY: a hint, for which any address is allowed.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

/// Other processors go without.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch(_: *const u8) {}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_asked_for_stays_as_it_was() {
        let values = [[7_u64; 20]; 3];
        values.iter().for_each(super::fetch_ahead);
        values.iter().for_each(super::fetch_whole);
        super::fetch_ahead(&());
        assert_eq!(values, [[7; 20]; 3]);
    }
}
