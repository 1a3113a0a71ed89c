//! Entries that stay where they are, and the lists threaded through them.
//!
//! Slots are private: none reaches an answer or a saved byte, so loading may number them anew.

use std::ops::{Index, IndexMut};

use model::{AccountId, MarketId};

use crate::catalog::account_index;

/// No slot.
const NONE: u32 = u32::MAX;

/// A 32-bit position as an index.
#[inline]
pub(crate) fn at(position: u32) -> usize {
    usize::try_from(position).expect("32 bits fit an index")
}

/// Which of an entry's two pairs of links a list runs through.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chain {
    /// Entries of one account in one market.
    Group,
    /// Entries of everybody.
    Everybody,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    prev: u32,
    next: u32,
}

impl Links {
    const LOOSE: Self = Self { prev: NONE, next: NONE };
}

#[derive(Clone, Debug)]
struct Entry<T> {
    item: T,
    group: u32,
    links: [Links; 2],
}

/// Entries in slots; a slot that is given back is the next to be used.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    /// Puts `item` into a slot, in no list yet. `group` is its account's place in its market.
    pub(crate) fn insert(&mut self, item: T, group: u32) -> u32 {
        let entry = Entry { item, group, links: [Links::LOOSE; 2] };
        if let Some(slot) = self.free.pop() {
            self.entries[at(slot)] = entry;
            slot
        } else {
            let slot = u32::try_from(self.entries.len()).expect("fewer than 2^32 entries are kept");
            assert!(slot != NONE, "fewer than 2^32 entries are kept");
            self.entries.push(entry);
            slot
        }
    }

    /// Gives a slot back. It is in no list any more.
    pub(crate) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    #[inline]
    pub(crate) fn group(&self, slot: u32) -> u32 {
        self.entries[at(slot)].group
    }

    #[inline]
    fn links(&mut self, slot: u32, chain: Chain) -> &mut Links {
        let links = &mut self.entries[at(slot)].links;
        match chain {
            Chain::Group => &mut links[0],
            Chain::Everybody => &mut links[1],
        }
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, slot: u32) -> &T {
        &self.entries[at(slot)].item
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut T {
        &mut self.entries[at(slot)].item
    }
}

/// A queue threaded through a slab: joining at the back and leaving from anywhere take the same few steps at any length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    front: u32,
    back: u32,
    len: usize,
}

impl List {
    pub(crate) const EMPTY: Self = Self { front: NONE, back: NONE, len: 0 };

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn front(&self) -> Option<u32> {
        (self.front != NONE).then_some(self.front)
    }

    pub(crate) fn push_back<T>(&mut self, slab: &mut Slab<T>, chain: Chain, slot: u32) {
        *slab.links(slot, chain) = Links { prev: self.back, next: NONE };
        if self.back == NONE {
            self.front = slot;
        } else {
            slab.links(self.back, chain).next = slot;
        }
        self.back = slot;
        self.len = self.len.saturating_add(1);
    }

    pub(crate) fn remove<T>(&mut self, slab: &mut Slab<T>, chain: Chain, slot: u32) {
        let Links { prev, next } = std::mem::replace(slab.links(slot, chain), Links::LOOSE);
        if prev == NONE {
            assert_eq!(self.front, slot, "an entry leaves the list that it is in");
            self.front = next;
        } else {
            slab.links(prev, chain).next = next;
        }
        if next == NONE {
            assert_eq!(self.back, slot, "an entry leaves the list that it is in");
            self.back = prev;
        } else {
            slab.links(next, chain).prev = prev;
        }
        self.len = self.len.checked_sub(1).expect("a list that is left was not empty");
    }

    /// From front to back.
    pub(crate) fn iter<T>(self, slab: &Slab<T>, chain: Chain) -> impl Iterator<Item = &T> {
        let mut slot = self.front;
        std::iter::from_fn(move || {
            if slot == NONE {
                return None;
            }
            let entry = &slab.entries[at(slot)];
            slot = match chain {
                Chain::Group => entry.links[0].next,
                Chain::Everybody => entry.links[1].next,
            };
            Some(&entry.item)
        })
    }
}

/// Something for each account in each market where it has been.
#[derive(Clone, Debug)]
pub(crate) struct Groups<T> {
    /// For each account, its markets in ascending order and where their groups are.
    by_account: Vec<Vec<(MarketId, u32)>>,
    groups: Vec<T>,
}

impl<T> Groups<T> {
    pub(crate) const fn new() -> Self {
        Self { by_account: Vec::new(), groups: Vec::new() }
    }

    /// The group of an account in a market, if there is one.
    pub(crate) fn find(&self, account: AccountId, market: MarketId) -> Option<&T> {
        let markets = self.by_account.get(account_index(account)?)?;
        let found = markets.binary_search_by_key(&market, |(market, _)| *market).ok()?;
        Some(&self[markets[found].1])
    }

    /// The group of an account in a market; `empty` where there is none yet.
    pub(crate) fn enter(&mut self, account: AccountId, market: MarketId, empty: T) -> u32 {
        let index = account_index(account).expect("accounts count from 1");
        if self.by_account.len() <= index {
            self.by_account.resize_with(index.saturating_add(1), Vec::new);
        }
        let markets = &mut self.by_account[index];
        match markets.binary_search_by_key(&market, |(market, _)| *market) {
            Ok(found) => markets[found].1,
            Err(place) => {
                let group = u32::try_from(self.groups.len()).expect("fewer than 2^32 accounts in markets");
                self.groups.push(empty);
                markets.insert(place, (market, group));
                group
            }
        }
    }

    /// The groups of an account, by market.
    pub(crate) fn of(&self, account: AccountId) -> impl Iterator<Item = &T> {
        let markets = account_index(account).and_then(|index| self.by_account.get(index));
        markets.into_iter().flatten().map(|(_, group)| &self[*group])
    }

    /// All groups, by account and market.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.by_account.iter().flatten().map(|(_, group)| &self[*group])
    }
}

impl<T> Index<u32> for Groups<T> {
    type Output = T;
    #[inline]
    fn index(&self, group: u32) -> &T {
        &self.groups[at(group)]
    }
}

impl<T> IndexMut<u32> for Groups<T> {
    #[inline]
    fn index_mut(&mut self, group: u32) -> &mut T {
        &mut self.groups[at(group)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forgetting would not bound memory if slots were not used again.
    #[test]
    fn a_slot_that_was_given_back_is_used_again() {
        let mut slab = Slab::new();
        let mut list = List::EMPTY;
        for item in 0..10 {
            let slot = slab.insert(item, 0);
            list.push_back(&mut slab, Chain::Everybody, slot);
            if list.len() > 3 {
                let oldest = list.front().expect("three are in it");
                list.remove(&mut slab, Chain::Everybody, oldest);
                slab.release(oldest);
            }
        }
        assert_eq!(list.iter(&slab, Chain::Everybody).copied().collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(slab.entries.len(), 4);
    }
}
