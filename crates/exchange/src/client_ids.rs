//! Which open order an account calls by a name. Open addressing over slots: the names themselves stay with their orders,
//! and a lookup hashes once.

use model::{AccountId, ClientOrderId};

const VACANT: u32 = u32::MAX;

/// A hash of an account's name for an order.
pub fn hash(account: AccountId, name: &ClientOrderId) -> u32 {
    // Multiply and fold, two words at a time. Names are padded with zeros, so the length needs no treatment of its own. No
    // word of visible ASCII is `ODD`, so no product loses a word.
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let fold = |state: u64, one: u64, other: u64| {
        let product = u128::from(state ^ one).wrapping_mul(u128::from(other ^ ODD));
        let bytes = product.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        let low = u64::from_le_bytes(low.try_into().expect("eight bytes"));
        let high = u64::from_le_bytes(high.try_into().expect("eight bytes"));
        low ^ high.rotate_left(23)
    };
    let (words, rest) = name.padded().as_chunks::<8>();
    let [a, b, c, d] = [0, 1, 2, 3].map(|word| u64::from_le_bytes(words[word]));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let state = fold(0x51_7C_C1_B7_27_22_0A_95, account.0, u64::from_le_bytes(last));
    let state = fold(fold(state, a, b), c, d);
    let bytes = (state ^ (state >> 32)).to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A set of order slots by hash. Whoever asks compares the names.
pub struct ClientIds {
    /// The hash beside the slot, so that growing and removing need not look at the orders.
    cells: Vec<(u32, u32)>,
    used: usize,
}

impl Default for ClientIds {
    fn default() -> Self {
        Self { cells: vec![(0, VACANT); 1_024], used: 0 }
    }
}

impl ClientIds {
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
            assert!(self.cells[vacated].1 != VACANT, "an open order's name is in the index");
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
    fn names_are_found_while_they_are_there() {
        let mut ids = ClientIds::default();
        // Few hashes, many slots: long runs, over the end of the table too.
        let hash_of = |slot: u32| if slot.is_multiple_of(3) { 1_023 } else { slot % 7 };
        for slot in 0..5_000 {
            ids.insert(hash_of(slot), slot);
            if slot % 2 == 1 {
                ids.remove(hash_of(slot), slot);
            }
        }
        for slot in 0..5_000 {
            let found = ids.find(hash_of(slot), |other| other == slot);
            assert_eq!(found.is_some(), slot % 2 == 0, "slot {slot}");
        }
    }

    #[test]
    fn the_hash_tells_accounts_and_names_apart() {
        let name = |text: &str| ClientOrderId::new(text).unwrap();
        let hashes: std::collections::BTreeSet<u32> = (0..100_u64)
            .flat_map(|account| {
                (0..100).map(move |order| hash(AccountId(account), &name(&format!("order-{order}"))))
            })
            .collect();
        assert!(hashes.len() > 9_990, "{} different hashes of 10,000", hashes.len());
    }
}
