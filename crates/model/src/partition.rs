//! Partitions: which one an account, an order or a withdrawal belongs to. None of it needs a table: an account's place follows
//! from its number, that of an order or a withdrawal is written into its number.

use std::fmt;

use crate::{AccountId, AlgoId, OrderId, Seq, WithdrawalId};

/// A partition, from 0. The first one has the directory: what is listed, who there is, and the API keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u8);

impl PartitionId {
    /// The first partition, which has the directory.
    pub const FIRST: Self = Self(0);
    /// Most partitions that an exchange can have: numbers of orders stay below 2^53 and begin with that of their partition.
    pub const MAX_COUNT: u8 = 32;

    /// Its place in a list of all partitions.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Bits of a counter below the partition's number.
const COUNTER_BITS: u32 = 48;

/// The partition in the high bits of a number that was given out by [`OrderId::first_of`] and what follows it. Whatever else
/// somebody sends as a number leads to a partition that does not exist.
#[inline]
const fn partition_of(number: u64) -> PartitionId {
    let [low, high, ..] = (number >> COUNTER_BITS).to_le_bytes();
    PartitionId(if high == 0 && low < PartitionId::MAX_COUNT { low } else { u8::MAX })
}

impl OrderId {
    /// The first number that a partition gives out: its own number, then 48 bits that count from 1.
    pub const fn first_of(partition: PartitionId) -> Self {
        Self(((partition.0 as u64) << COUNTER_BITS) + 1)
    }

    /// The partition of the account that the order belongs to; one that does not exist for numbers that nobody gave out.
    #[inline]
    pub const fn partition(self) -> PartitionId {
        partition_of(self.0)
    }

    /// True when that is the first partition; quicker than asking which.
    #[inline]
    pub const fn is_of_first_partition(self) -> bool {
        self.0 >> COUNTER_BITS == 0
    }
}

impl WithdrawalId {
    /// The first number that a partition gives out: its own number, then 48 bits that count from 1.
    pub const fn first_of(partition: PartitionId) -> Self {
        Self(((partition.0 as u64) << COUNTER_BITS) + 1)
    }

    /// The partition of the account that the withdrawal belongs to; one that does not exist for numbers that nobody gave out.
    #[inline]
    pub const fn partition(self) -> PartitionId {
        partition_of(self.0)
    }
}

impl AlgoId {
    /// The first number that a partition gives out: its own number, then 48 bits that count from 1.
    pub const fn first_of(partition: PartitionId) -> Self {
        Self(((partition.0 as u64) << COUNTER_BITS) + 1)
    }
}

/// From `first_account` on, accounts are spread over `count` partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The first account of this spread.
    pub first_account: AccountId,
    /// Over how many partitions, from the first.
    pub count: u8,
}

/// How accounts are spread. A partition that is added changes nothing for the accounts that are there: a new [`Spread`] begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions {
    spreads: Vec<Spread>,
}

impl Default for Partitions {
    /// One partition.
    fn default() -> Self {
        Self { spreads: vec![Spread { first_account: AccountId(1), count: 1 }] }
    }
}

impl Partitions {
    /// The spreads that [`Self::spreads`] gave; `None` when they are none: at least one, growing, the first from account 1 on.
    pub fn from_spreads(spreads: Vec<Spread>) -> Option<Self> {
        let first = spreads.first()?;
        let grows = spreads
            .windows(2)
            .all(|pair| pair[0].first_account <= pair[1].first_account && pair[0].count < pair[1].count);
        let bounded = spreads.iter().all(|spread| (1..=PartitionId::MAX_COUNT).contains(&spread.count));
        (first.first_account == AccountId(1) && grows && bounded).then_some(Self { spreads })
    }

    /// Oldest first.
    pub fn spreads(&self) -> &[Spread] {
        &self.spreads
    }

    /// How many there are.
    #[inline]
    pub fn count(&self) -> u8 {
        self.spreads.last().map_or(1, |spread| spread.count)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.count()).map(PartitionId)
    }

    /// There is one more, which gets its share of the accounts from `first_account` on.
    pub fn add(&mut self, first_account: AccountId) {
        let count = self.count().saturating_add(1);
        assert!(count <= PartitionId::MAX_COUNT, "there are at most 32 partitions");
        self.spreads.push(Spread { first_account, count });
    }

    /// Where an account lives: by the hash of its number, over the partitions that there were when it was created.
    pub fn home(&self, account: AccountId) -> PartitionId {
        let spread = self.spreads.iter().rev().find(|spread| spread.first_account <= account);
        let count = u64::from(spread.map_or(1, |spread| spread.count));
        // The finalizer of SplitMix64: neighbours in number are no neighbours in place.
        let mut hash = account.0;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        PartitionId(u8::try_from(hash % count).expect("fewer than 256 partitions"))
    }
}

/// The command that a message goes back to: where it was sequenced, and its place there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Whose journal has it.
    pub partition: PartitionId,
    /// Its place there.
    pub seq: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_its_partition() {
        assert_eq!(OrderId(1).partition(), PartitionId(0));
        assert_eq!(OrderId::first_of(PartitionId(0)), OrderId(1));
        let last = OrderId::first_of(PartitionId(31));
        assert_eq!((last.partition(), last.0 < 1 << 53), (PartitionId(31), true));
        assert_eq!(OrderId(u64::MAX).partition(), PartitionId(u8::MAX));
        assert_eq!(WithdrawalId::first_of(PartitionId(3)).partition(), PartitionId(3));
    }

    #[test]
    fn a_partition_that_is_added_moves_no_account() {
        let mut partitions = Partitions::default();
        let before: Vec<_> = (1..1_000).map(|id| partitions.home(AccountId(id))).collect();
        assert!(before.iter().all(|home| *home == PartitionId(0)));
        partitions.add(AccountId(1_000));
        partitions.add(AccountId(1_000));
        let after: Vec<_> = (1..1_000).map(|id| partitions.home(AccountId(id))).collect();
        assert_eq!(before, after);
        let mut used = [0_u32; 3];
        for id in 1_000..4_000 {
            used[partitions.home(AccountId(id)).index()] += 1;
        }
        assert!(used.iter().all(|used| (900..1_100).contains(used)), "evenly spread: {used:?}");
    }

    /// The hash is part of every journal: were it another one, accounts would be looked for where they are not.
    #[test]
    fn the_spread_is_the_same_for_ever() {
        let mut partitions = Partitions::default();
        partitions.add(AccountId(1));
        partitions.add(AccountId(1));
        let homes: Vec<u8> = (1..=12).map(|id| partitions.home(AccountId(id)).0).collect();
        assert_eq!(homes, [1, 1, 2, 2, 0, 1, 1, 1, 0, 2, 2, 1]);
    }
}
