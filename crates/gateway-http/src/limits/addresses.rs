//! What is counted by address. The memory is bounded: whoever has many addresses displaces those that were not seen for the
//! longest time, and those that are banned last of all.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::TimeNs;

use super::{Count, Interval, LimitSettings, Refusal};
use crate::subscriber::subscriber;

/// Locks, so that clients seldom wait for each other. A power of two.
const SHARDS: usize = 16;

/// One address, or one subscriber's network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) weight: Count,
    pub(super) requests: Count,
    pub(super) sockets: Count,
    /// Refusals in this minute.
    refused: Count,
    banned_until: TimeNs,
    /// Bans before, which make the next one longer.
    bans: u32,
    last_seen: TimeNs,
}

impl Entry {
    pub(super) fn check_ban(&self, now: TimeNs) -> Result<(), Refusal> {
        if now < self.banned_until { Err(Refusal::banned(self.banned_until, now)) } else { Ok(()) }
    }

    /// What to answer instead of `refusal`, which becomes a ban when there were too many before it.
    pub(super) fn refuse(&mut self, settings: &LimitSettings, now: TimeNs, refusal: Refusal) -> Refusal {
        let refused = self.refused.add(Interval::MINUTE.at(now), 1);
        if settings.refusals_before_ban == 0 || refused <= settings.refusals_before_ban {
            return refusal;
        }
        let longest_ns = nanos(settings.longest_ban);
        if now.0.saturating_sub(self.banned_until.0) > longest_ns {
            self.bans = 0;
        }
        let length_ns =
            nanos(settings.first_ban).saturating_mul(1_u64.checked_shl(self.bans).unwrap_or(u64::MAX));
        self.banned_until = TimeNs(now.0.saturating_add(length_ns.min(longest_ns)));
        self.bans = self.bans.saturating_add(1).min(63);
        self.refused = Count::default();
        Refusal::banned(self.banned_until, now)
    }

    /// Who is forgotten first: not the banned, then not the recent.
    fn worth(&self, now: TimeNs) -> (bool, TimeNs) {
        (now < self.banned_until, self.last_seen)
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

type Shard = HashMap<IpAddr, Entry>;

/// All of them.
#[derive(Debug)]
pub(super) struct Addresses {
    shards: [Mutex<Shard>; SHARDS],
    /// Which address is in which shard is nobody's business.
    placing: RandomState,
    kept_per_shard: usize,
}

impl Addresses {
    pub(super) fn new(kept: usize) -> Self {
        Self {
            shards: Default::default(),
            placing: RandomState::new(),
            kept_per_shard: kept.div_ceil(SHARDS).max(1),
        }
    }

    fn shard(&self, subscriber: IpAddr) -> MutexGuard<'_, Shard> {
        let hash = self.placing.hash_one(subscriber);
        lock(&self.shards[usize::try_from(hash % SHARDS as u64).expect("small")])
    }

    /// Changes what is known of `address`.
    pub(super) fn with<R>(&self, address: IpAddr, now: TimeNs, change: impl FnOnce(&mut Entry) -> R) -> R {
        let subscriber = subscriber(address);
        let mut shard = self.shard(subscriber);
        if shard.len() >= self.kept_per_shard && !shard.contains_key(&subscriber) {
            forget_half(&mut shard, now);
        }
        let entry = shard.entry(subscriber).or_default();
        entry.last_seen = now;
        change(entry)
    }

    /// Looks at what is known of `address`.
    pub(super) fn look<R: Default>(&self, address: IpAddr, look: impl FnOnce(&Entry) -> R) -> R {
        let subscriber = subscriber(address);
        self.shard(subscriber).get(&subscriber).map(look).unwrap_or_default()
    }

    pub(super) fn banned(&self, now: TimeNs) -> usize {
        let banned =
            |shard: &Mutex<Shard>| lock(shard).values().filter(|entry| now < entry.banned_until).count();
        self.shards.iter().map(banned).sum()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

/// Half at once, so that an address that is new costs little even when all are.
fn forget_half(shard: &mut Shard, now: TimeNs) {
    let mut worths: Vec<_> = shard.values().map(|entry| entry.worth(now)).collect();
    let middle = worths.len() / 2;
    let (_, median, _) = worths.select_nth_unstable(middle);
    let median = *median;
    shard.retain(|_, entry| entry.worth(now) > median);
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
