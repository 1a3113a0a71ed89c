//! The latest entries of something that accounts have a history of: bounded for each account, and altogether.

use codec::{Coded, DecodeError, Reader};
use model::{AccountId, MarketId, TimeNs};

use crate::page::Page;
use crate::slab::{Chain, Groups, List, Slab};

/// An entry of a history.
pub(crate) trait Entry: Coded {
    /// What it is told apart by within its group, rising.
    type Id: Copy + PartialOrd;
    /// Whose, and of which market the group is.
    fn group(&self) -> (AccountId, MarketId);
    fn id(&self) -> Self::Id;
    fn time_ns(&self) -> TimeNs;
}

/// The latest entries of each group and of all together, in the order in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Latest<T> {
    slab: Slab<T>,
    groups: Groups<List>,
    everybody: List,
    kept_per_group: usize,
    kept: usize,
}

impl<T: Entry> Latest<T> {
    pub(crate) fn new(kept_per_group: usize, kept: usize) -> Self {
        Self { slab: Slab::new(), groups: Groups::new(), everybody: List::EMPTY, kept_per_group, kept }
    }

    /// The entries of a group that are `wanted`.
    pub(crate) fn of(
        &self,
        (account, market): (AccountId, MarketId),
        page: &Page<T::Id>,
        wanted: impl Fn(&T) -> bool,
    ) -> Vec<&T> {
        let Some(list) = self.groups.find(account, market) else { return Vec::new() };
        let covered = list
            .iter(&self.slab, Chain::Group)
            .filter(|entry| wanted(entry) && page.covers(entry.id(), entry.time_ns()))
            .collect();
        page.cut(covered)
    }

    pub(crate) fn push(&mut self, entry: T) {
        let (account, market) = entry.group();
        let group = self.groups.enter(account, market, List::EMPTY);
        let slot = self.slab.insert(entry, group);
        self.groups[group].push_back(&mut self.slab, Chain::Group, slot);
        self.everybody.push_back(&mut self.slab, Chain::Everybody, slot);
        if self.groups[group].len() > self.kept_per_group {
            let oldest = self.groups[group].front().expect("a list that is too long is not empty");
            self.forget(oldest);
        }
        if self.everybody.len() > self.kept {
            let oldest = self.everybody.front().expect("a list that is too long is not empty");
            self.forget(oldest);
        }
    }

    fn forget(&mut self, slot: u32) {
        let group = self.slab.group(slot);
        self.groups[group].remove(&mut self.slab, Chain::Group, slot);
        self.everybody.remove(&mut self.slab, Chain::Everybody, slot);
        self.slab.release(slot);
    }

    /// Oldest first.
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        u64::try_from(self.everybody.len()).expect("fits").encode(out);
        self.everybody.iter(&self.slab, Chain::Everybody).for_each(|entry| entry.encode(out));
    }

    /// What [`Self::save`] wrote, behind what is there.
    pub(crate) fn load(mut self, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        for _ in 0..u64::decode(input)? {
            self.push(T::decode(input)?);
        }
        Ok(self)
    }
}
