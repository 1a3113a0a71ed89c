//! From a hash to a slot: open addressing, for what no list by number would suit. Names and keys stay with what lies in the slots.
//!
//! Cells lie in buckets of one line of memory each. Whoever finds no room in his own goes into the next, so nearly every
//! question is answered by one line, and without a branch for each cell.

use crate::fetch_ahead;

const VACANT: u32 = u32::MAX;
const CELLS: usize = 8;
const LAST: usize = CELLS - 1;

/// A bit for each cell that holds `what`, the lowest for the first: all cells at once, since a branch for each is guessed wrong.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(
    unsafe_code,
    reason = "the processor's own comparison of four numbers at once, which the compiler does not find by itself"
)]
fn cells_with(cells: &[u32; CELLS], what: u32) -> u32 {
    use std::arch::x86_64::{
        _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_loadu_si128, _mm_movemask_ps, _mm_set1_epi32,
    };

    let half = cells.as_ptr().cast();
    // SAFETY: every processor of this kind has SSE2, and two halves of four cells are what there is.
    let (first, second) = unsafe {
        let what = _mm_set1_epi32(what.cast_signed());
        let with = |half| _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_loadu_si128(half), what)));
        (with(half), with(half.add(1)))
    };
    (first | (second << 4)).cast_unsigned()
}

/// As above, for other processors.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn cells_with(cells: &[u32; CELLS], what: u32) -> u32 {
    const BITS: [u32; CELLS] = [1, 2, 4, 8, 16, 32, 64, 128];
    cells.iter().zip(BITS).fold(0, |all, (cell, bit)| all | if *cell == what { bit } else { 0 })
}

fn place_of(bit: u32) -> usize {
    usize::try_from(bit).expect("bits fit into memory")
}

/// One line of memory. The cells in use are the first ones.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    /// Beside the slots, so that growing and removing need not look at what lies there.
    hashes: [u32; CELLS],
    slots: [u32; CELLS],
}

impl Bucket {
    const EMPTY: Self = Self { hashes: [0; CELLS], slots: [VACANT; CELLS] };

    #[inline]
    fn is_full(&self) -> bool {
        self.slots[LAST] != VACANT
    }

    /// How many cells are in use.
    #[inline]
    fn used(&self) -> usize {
        place_of(cells_with(&self.slots, VACANT).trailing_zeros()).min(CELLS)
    }

    /// The slots in use whose hash this is.
    #[inline]
    fn slots_with(&self, hash: u32) -> impl Iterator<Item = u32> + use<'_> {
        let mut left = cells_with(&self.hashes, hash);
        let slots = std::iter::from_fn(move || {
            let slot = self.slots.get(place_of(left.trailing_zeros()))?;
            left &= left.wrapping_sub(1);
            Some(*slot)
        });
        slots.filter(|slot| *slot != VACANT)
    }

    /// Adds a cell where there is room.
    #[inline]
    fn push(&mut self, hash: u32, slot: u32) {
        let at = self.used();
        (self.hashes[at], self.slots[at]) = (hash, slot);
    }

    /// Takes a cell out; the last one takes its place.
    #[inline]
    fn take(&mut self, at: usize) -> (u32, u32) {
        let taken = (self.hashes[at], self.slots[at]);
        let last = self.used().saturating_sub(1);
        (self.hashes[at], self.slots[at]) = (self.hashes[last], self.slots[last]);
        self.slots[last] = VACANT;
        taken
    }

    /// The cells in use.
    fn cells(&self) -> impl Iterator<Item = (u32, u32)> + use<> {
        self.hashes.into_iter().zip(self.slots).take_while(|(_, slot)| *slot != VACANT)
    }
}

/// A set of slots by hash. Whoever asks compares.
#[derive(Clone, Debug)]
pub struct SlotTable {
    buckets: Vec<Bucket>,
    used: usize,
}

impl Default for SlotTable {
    fn default() -> Self {
        Self { buckets: vec![Bucket::EMPTY], used: 0 }
    }
}

impl SlotTable {
    fn mask(&self) -> usize {
        self.buckets.len().saturating_sub(1)
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        usize::try_from(hash).expect("a hash fits into memory") & self.mask()
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }

    /// How many buckets it is from one to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    /// The slot with this hash for which `is_it` holds.
    #[inline]
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let bucket = &self.buckets[at];
            if let Some(slot) = bucket.slots_with(hash).find(|slot| is_it(*slot)) {
                return Some(slot);
            }
            if !bucket.is_full() {
                return None;
            }
            at = self.after(at);
        }
    }

    /// Asks for the memory that [`Self::find`] will look into.
    #[inline]
    pub fn fetch_ahead(&self, hash: u32) {
        fetch_ahead(&self.buckets[self.home(hash)]);
    }

    /// The first slot with this hash, unasked: nearly always the one that will be found.
    #[inline]
    pub fn guess(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a slot, which must not be there.
    pub fn insert(&mut self, hash: u32, slot: u32) {
        // At most three quarters full: few find their bucket full, and ten million names take 13 bytes each instead of 27.
        if self.used.saturating_mul(4) >= self.buckets.len().saturating_mul(CELLS).saturating_mul(3) {
            self.grow();
        }
        self.put(hash, slot);
        self.used = self.used.saturating_add(1);
    }

    #[cold]
    fn grow(&mut self) {
        let grown = self.buckets.len().saturating_mul(2);
        let old = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; grown]);
        for (hash, slot) in old.iter().flat_map(Bucket::cells) {
            self.put(hash, slot);
        }
    }

    #[inline]
    fn put(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        while self.buckets[at].is_full() {
            at = self.after(at);
        }
        self.buckets[at].push(hash, slot);
    }

    /// Removes a slot, which must be there.
    pub fn remove(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        let cell = loop {
            let bucket = &self.buckets[at];
            let cell = cells_with(&bucket.slots, slot).trailing_zeros();
            if cell != u32::BITS {
                break place_of(cell);
            }
            assert!(bucket.is_full(), "what is removed is in the table");
            at = self.after(at);
        };
        let was_full = self.buckets[at].is_full();
        self.buckets[at].take(cell);
        self.used = self.used.saturating_sub(1);
        if was_full {
            self.move_up(at);
        }
    }

    /// Somebody has left a bucket that was full: one who has gone past it, for want of room, comes back. Behind a bucket with
    /// room is nobody who has.
    #[cold]
    fn move_up(&mut self, mut vacated: usize) {
        let mut at = self.after(vacated);
        loop {
            let bucket = &self.buckets[at];
            let was_full = bucket.is_full();
            let has_passed = |(hash, _)| self.distance(self.home(hash), at) >= self.distance(vacated, at);
            let passed = bucket.cells().position(has_passed);
            if let Some(cell) = passed {
                let (hash, slot) = self.buckets[at].take(cell);
                self.buckets[vacated].push(hash, slot);
                vacated = at;
            }
            if !was_full {
                return;
            }
            at = self.after(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_while_they_are_there() {
        let mut table = SlotTable::default();
        // Few hashes, many slots: long runs, over the end of the table too.
        let hash_of = |slot: u32| if slot.is_multiple_of(3) { 1_023 } else { slot % 7 };
        for slot in 0..5_000 {
            table.insert(hash_of(slot), slot);
            if slot % 2 == 1 {
                table.remove(hash_of(slot), slot);
            }
        }
        for slot in 0..5_000 {
            let found = table.find(hash_of(slot), |other| other == slot);
            assert_eq!(found.is_some(), slot % 2 == 0, "slot {slot}");
        }
    }

    /// Slots come and go, at most `most` of them at once, out of `of`; each is found while it is there, and no other.
    fn come_and_go(of: u32, most: usize, hash_of: impl Fn(u32) -> u32) -> SlotTable {
        let mut table = SlotTable::default();
        let mut there = std::collections::BTreeSet::new();
        for step in 0..40_000_u32 {
            let slot = step.wrapping_mul(7_919).checked_rem(of).expect("there are some");
            if there.remove(&slot) {
                table.remove(hash_of(slot), slot);
            } else if there.len() < most {
                there.insert(slot);
                table.insert(hash_of(slot), slot);
            }
            if step.is_multiple_of(97) {
                for slot in 0..of {
                    let found = table.find(hash_of(slot), |other| other == slot);
                    assert_eq!(found.is_some(), there.contains(&slot), "slot {slot} at step {step}");
                }
            }
        }
        table
    }

    #[test]
    fn whoever_leaves_hides_nobody() {
        // As full as a table gets.
        let table = come_and_go(1_100, 760, |slot| slot.wrapping_mul(0x9E37_79B9) >> 7);
        assert_eq!(table.buckets.len(), 128, "it has not grown");
        // Nearly all want to be in few buckets, which lie around the end, so that they go far past those.
        come_and_go(331, 200, |slot| if slot % 5 == 0 { slot } else { 125 + slot % 4 });
    }
}
