//! From an order's number to its slot without hashing: the numbers that one partition gives out are dense, so their high part
//! names a page and their low part a place in it. What a page takes is free for another one when its last order has ended. Until
//! then a number may lead where somebody else is by now, so that an order can end without the memory of its number: whoever asks
//! compares.

use std::collections::VecDeque;

use model::{OrderId, PartitionId};

use crate::fetch_ahead;

const PAGE_BITS: u32 = 10;
const PAGE_IDS: usize = 1 << PAGE_BITS;
const NOTHING: u32 = u32::MAX;

/// The slots of so many numbers that follow each other.
type Block = [u32; PAGE_IDS];

/// Numbers with the same high part.
#[derive(Clone, Copy)]
struct Page {
    /// Where their slots are: [`NOBODYS`] where none of them is open.
    block: u32,
    /// How many of them are open.
    used: u32,
}

/// The block in which nothing ever is.
const NOBODYS: u32 = 0;

impl Page {
    const EMPTY: Self = Self { block: NOBODYS, used: 0 };

    #[inline]
    fn block(self) -> usize {
        usize::try_from(self.block).expect("blocks fit into memory")
    }
}

/// A map from order numbers to slots that costs one memory access to ask, and none to forget.
///
/// Memory: 4 bytes for each number of a page in which any order is open, so about 4 KiB for one lonely old order. All of it in one
/// piece, which grows: a large one has huge pages of memory, small ones here and there would not.
#[derive(Default)]
pub struct IdIndex {
    /// Of the first partition.
    first: Numbers,
    /// Of the others, from the second on.
    others: Vec<Numbers>,
}

impl IdIndex {
    #[inline]
    fn numbers(&self, id: OrderId) -> Option<&Numbers> {
        if id.is_of_first_partition() {
            Some(&self.first)
        } else {
            self.others.get(id.partition().index().saturating_sub(1))
        }
    }

    #[inline]
    fn numbers_mut(&mut self, id: OrderId) -> &mut Numbers {
        if id.is_of_first_partition() { &mut self.first } else { self.numbers_of(id.partition()) }
    }

    /// Of another partition than the first. By itself, so that one partition does not carry it along.
    #[inline(never)]
    fn numbers_of(&mut self, other: PartitionId) -> &mut Numbers {
        assert!(other.0 < PartitionId::MAX_COUNT, "orders are numbered by partitions that exist");
        while self.others.len() < other.index() {
            self.others.push(Numbers::default());
        }
        &mut self.others[other.index().saturating_sub(1)]
    }

    /// Where an order is, if it is anywhere.
    #[inline]
    pub fn guess(&self, id: OrderId) -> Option<u32> {
        self.numbers(id)?.guess(id)
    }

    /// Asks for the memory that [`Self::guess`] will look into.
    #[inline]
    pub fn fetch_ahead(&self, id: OrderId) {
        if let Some(cell) = self.numbers(id).and_then(|numbers| numbers.cell(id)) {
            fetch_ahead(cell);
        }
    }

    /// Where it says where an order is, for whoever looks there and may enter it.
    #[inline]
    pub fn entry(&mut self, id: OrderId) -> Entry<'_> {
        self.numbers_mut(id).entry(id)
    }

    /// Forgets an order, which must be there. Its number may still lead to where it was.
    #[inline]
    pub fn remove(&mut self, id: OrderId) {
        self.numbers_mut(id).remove(id);
    }
}

/// Where it says where an order is.
pub struct Entry<'a> {
    cell: &'a mut u32,
    used: &'a mut u32,
}

impl Entry<'_> {
    /// As [`IdIndex::guess`].
    #[inline]
    pub fn guess(&self) -> Option<u32> {
        (*self.cell != NOTHING).then_some(*self.cell)
    }

    /// Enters the order, which must not be there.
    #[inline]
    pub fn enter(self, slot: u32) {
        assert!(slot != NOTHING, "there are fewer than 2^32 - 1 slots");
        *self.cell = slot;
        *self.used = self.used.saturating_add(1);
    }
}

/// The numbers of one partition.
struct Numbers {
    /// The number of the page at the front.
    first_page: u64,
    pages: VecDeque<Page>,
    blocks: Vec<Block>,
    /// Blocks in which nothing is.
    free: Vec<u32>,
}

impl Default for Numbers {
    fn default() -> Self {
        let blocks = vec![[NOTHING; PAGE_IDS]];
        Self { first_page: 0, pages: VecDeque::new(), blocks, free: Vec::new() }
    }
}

fn split(id: OrderId) -> (u64, usize) {
    let place = usize::try_from(id.0 & ((1 << PAGE_BITS) - 1)).expect("a place is below 1,024");
    (id.0 >> PAGE_BITS, place)
}

impl Numbers {
    #[inline]
    fn guess(&self, id: OrderId) -> Option<u32> {
        let slot = *self.cell(id)?;
        (slot != NOTHING).then_some(slot)
    }

    #[inline]
    fn cell(&self, id: OrderId) -> Option<&u32> {
        let (page, place) = split(id);
        let at = usize::try_from(page.checked_sub(self.first_page)?).ok()?;
        Some(&self.blocks[self.pages.get(at)?.block()][place])
    }

    #[inline]
    fn entry(&mut self, id: OrderId) -> Entry<'_> {
        let (number, place) = split(id);
        if self.pages.is_empty() {
            self.first_page = number;
        }
        while number < self.first_page {
            self.pages.push_front(Page::EMPTY);
            self.first_page = self.first_page.saturating_sub(1);
        }
        let mut at = usize::try_from(number.saturating_sub(self.first_page)).expect("pages fit into memory");
        if self.pages.len() <= at {
            self.leave_last_page();
            if self.pages.is_empty() {
                self.first_page = number;
            }
            at = usize::try_from(number.saturating_sub(self.first_page)).expect("pages fit into memory");
        }
        while self.pages.len() <= at {
            self.pages.push_back(Page::EMPTY);
        }
        if self.pages[at].block == NOBODYS {
            self.pages[at].block = self.take_block();
        }
        let page = &mut self.pages[at];
        Entry { cell: &mut self.blocks[page.block()][place], used: &mut page.used }
    }

    /// Where a page may have its slots.
    #[cold]
    fn take_block(&mut self) -> u32 {
        if let Some(block) = self.free.pop() {
            self.blocks[usize::try_from(block).expect("blocks fit into memory")].fill(NOTHING);
            return block;
        }
        self.blocks.push([NOTHING; PAGE_IDS]);
        u32::try_from(self.blocks.len().saturating_sub(1)).expect("fewer than 2^32 blocks")
    }

    #[inline]
    fn remove(&mut self, id: OrderId) {
        let (number, _) = split(id);
        let at = usize::try_from(number.saturating_sub(self.first_page)).expect("pages fit into memory");
        let page = &mut self.pages[at];
        page.used = page.used.checked_sub(1).expect("an order that ends is in the index");
        // The last page stays for the numbers to come.
        if page.used == 0 && at.saturating_add(1) < self.pages.len() {
            self.give_back(at);
        }
    }

    /// No more numbers come for the last page: if all its orders have ended already, no removal will give it back.
    fn leave_last_page(&mut self) {
        let last = self.pages.len().saturating_sub(1);
        if self.pages.back().is_some_and(|page| page.used == 0) {
            self.give_back(last);
        }
    }

    fn give_back(&mut self, at: usize) {
        let Page { block, .. } = std::mem::replace(&mut self.pages[at], Page::EMPTY);
        if block != NOBODYS {
            self.free.push(block);
        }
        while self.pages.front().is_some_and(|page| page.block == NOBODYS) {
            self.pages.pop_front();
            self.first_page = self.first_page.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_and_go_with_their_orders() {
        let mut index = Numbers::default();
        for id in 1..=5_000 {
            index.entry(OrderId(id)).enter(u32::try_from(id).unwrap());
        }
        for id in 1..=4_999 {
            assert_eq!(index.guess(OrderId(id)), Some(u32::try_from(id).unwrap()));
            index.remove(OrderId(id));
        }
        assert_eq!(index.pages.len(), 1, "only the page of the last order is left");
        assert_eq!(index.guess(OrderId(5_000)), Some(5_000));
        assert_eq!(index.guess(OrderId(1)), None, "nobody is where its page was");
        let blocks = index.blocks.len();
        index.entry(OrderId(7)).enter(7);
        assert_eq!(index.blocks.len(), blocks, "what was given back is used again");
        assert_eq!(index.guess(OrderId(7)), Some(7), "an older number may come back, as in a snapshot");
        assert_eq!(index.guess(OrderId(8)), None, "a page that is used again begins empty");
        assert_eq!(index.guess(OrderId(u64::MAX)), None);
    }

    /// A page whose orders had all ended before the next page began was never given back: in a market of nothing but
    /// immediate orders, four bytes for each order there ever was.
    #[test]
    fn pages_of_short_lives_are_given_back() {
        let mut index = Numbers::default();
        for id in 1..=50_000 {
            index.entry(OrderId(id)).enter(0);
            index.remove(OrderId(id));
        }
        assert_eq!((index.pages.len(), index.blocks.len()), (1, 2));
        index.entry(OrderId(90_000)).enter(1);
        index.entry(OrderId(95_000)).enter(2);
        assert_eq!((index.guess(OrderId(90_000)), index.guess(OrderId(95_000))), (Some(1), Some(2)));
        index.remove(OrderId(90_000));
        index.remove(OrderId(95_000));
        assert_eq!(index.pages.len(), 1);
    }

    #[test]
    fn each_partition_has_numbers_of_its_own() {
        let mut index = IdIndex::default();
        let ids = [0, 3, 31].map(|partition| OrderId::first_of(PartitionId(partition)));
        for (slot, id) in (0..).zip(ids) {
            index.entry(id).enter(slot);
        }
        assert_eq!(ids.map(|id| index.guess(id)), [Some(0), Some(1), Some(2)]);
        assert_eq!(index.guess(OrderId::first_of(PartitionId(2))), None);
        index.remove(ids[1]);
        assert_eq!(index.guess(ids[1]), Some(1), "it is forgotten, and nobody has come in its place");
    }
}
