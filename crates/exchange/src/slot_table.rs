//! From a hash to a slot: open addressing, for what has no number of its own. Names and keys stay with what lies in the slots.

use orderbook::fetch_ahead;

const VACANT: u32 = u32::MAX;

/// A set of slots by hash. Whoever asks compares.
pub struct SlotTable {
    /// The hash beside the slot, so that growing and removing need not look at what lies there.
    cells: Vec<(u32, u32)>,
    used: usize,
}

impl Default for SlotTable {
    fn default() -> Self {
        Self { cells: vec![(0, VACANT); 1_024], used: 0 }
    }
}

impl SlotTable {
    fn mask(&self) -> usize {
        self.cells.len().saturating_sub(1)
    }

    fn home(&self, hash: u32) -> usize {
        usize::try_from(hash).expect("a hash fits into memory") & self.mask()
    }

    fn after(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }

    /// The slot with this hash for which `is_it` holds.
    #[inline]
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let (cell_hash, slot) = self.cells[at];
            if slot == VACANT {
                return None;
            }
            if cell_hash == hash && is_it(slot) {
                return Some(slot);
            }
            at = self.after(at);
        }
    }

    /// Asks for the memory that [`Self::find`] will look into.
    #[inline]
    pub fn fetch_ahead(&self, hash: u32) {
        fetch_ahead(&self.cells[self.home(hash)]);
    }

    /// The first slot with this hash, unasked: nearly always the one that will be found.
    #[inline]
    pub fn guess(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a slot, which must not be there.
    pub fn insert(&mut self, hash: u32, slot: u32) {
        // At most three quarters full: runs stay short, and ten million names take 13 bytes each instead of 27.
        if self.used.saturating_mul(4) >= self.cells.len().saturating_mul(3) {
            let grown = self.cells.len().saturating_mul(2);
            let old = std::mem::replace(&mut self.cells, vec![(0, VACANT); grown]);
            for (hash, slot) in old.into_iter().filter(|(_, slot)| *slot != VACANT) {
                self.put(hash, slot);
            }
        }
        self.put(hash, slot);
        self.used = self.used.saturating_add(1);
    }

    fn put(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        while self.cells[at].1 != VACANT {
            at = self.after(at);
        }
        self.cells[at] = (hash, slot);
    }

    /// Removes a slot, which must be there.
    pub fn remove(&mut self, hash: u32, slot: u32) {
        let mut vacated = self.home(hash);
        while self.cells[vacated].1 != slot {
            assert!(self.cells[vacated].1 != VACANT, "what is removed is in the table");
            vacated = self.after(vacated);
        }
        // Move up whoever would no longer be found behind the vacated cell.
        let mut at = self.after(vacated);
        while self.cells[at].1 != VACANT {
            let from_home = at.wrapping_sub(self.home(self.cells[at].0)) & self.mask();
            let from_vacated = at.wrapping_sub(vacated) & self.mask();
            if from_home >= from_vacated {
                self.cells[vacated] = self.cells[at];
                vacated = at;
            }
            at = self.after(at);
        }
        self.cells[vacated] = (0, VACANT);
        self.used = self.used.saturating_sub(1);
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
}
