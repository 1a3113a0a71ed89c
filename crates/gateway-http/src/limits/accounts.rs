//! Unfilled orders by account: one more for each order placed, one less for the first fill as taker, five less for the first
//! as maker, never below zero; a cancelled or expired order stays counted. Source: `faqs/order_count_decrement.md`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{AccountId, Liquidity, TimeNs};

use super::{Count, Interval, OrderCounts, Refusal, exceeds};

/// Locks, so that accounts seldom wait for each other. A power of two.
const SHARDS: usize = 16;

#[derive(Clone, Copy, Debug, Default)]
struct Placed {
    ten_seconds: Count,
    day: Count,
}

/// All accounts that have placed an order since the start. Operators make accounts, so there is no end of memory in it.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    shards: [Mutex<HashMap<AccountId, Placed>>; SHARDS],
}

impl Accounts {
    fn shard(&self, account: AccountId) -> MutexGuard<'_, HashMap<AccountId, Placed>> {
        let at = usize::try_from(account.0 % SHARDS as u64).expect("small");
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts `orders` more, unless that is over one of the limits for ten seconds and a day.
    pub(super) fn place(
        &self,
        account: AccountId,
        orders: u32,
        now: TimeNs,
        (ten_seconds, day): (u32, u32),
    ) -> Result<OrderCounts, Refusal> {
        let mut shard = self.shard(account);
        let placed = shard.entry(account).or_default();
        let intervals = (Interval::TEN_SECONDS.at(now), Interval::DAY.at(now));
        let wanted = |count: Count, interval| count.now(interval).saturating_add(orders);
        if exceeds(wanted(placed.day, intervals.1), day) {
            return Err(Refusal::orders(day, Interval::DAY, now));
        }
        if exceeds(wanted(placed.ten_seconds, intervals.0), ten_seconds) {
            return Err(Refusal::orders(ten_seconds, Interval::TEN_SECONDS, now));
        }
        Ok(OrderCounts {
            ten_seconds: placed.ten_seconds.add(intervals.0, orders),
            day: placed.day.add(intervals.1, orders),
        })
    }

    pub(super) fn first_fill(&self, account: AccountId, liquidity: Liquidity, now: TimeNs) {
        let less = match liquidity {
            Liquidity::Taker => 1,
            Liquidity::Maker => 5,
        };
        if let Some(placed) = self.shard(account).get_mut(&account) {
            placed.ten_seconds.reduce(Interval::TEN_SECONDS.at(now), less);
            placed.day.reduce(Interval::DAY.at(now), less);
        }
    }

    pub(super) fn counts(&self, account: AccountId, now: TimeNs) -> OrderCounts {
        let placed = self.shard(account).get(&account).copied().unwrap_or_default();
        OrderCounts {
            ten_seconds: placed.ten_seconds.now(Interval::TEN_SECONDS.at(now)),
            day: placed.day.now(Interval::DAY.at(now)),
        }
    }
}
