//! A dead man's switch: an account that has said nothing for so long has its orders at a contract cancelled. The clock that
//! commands bring fires it, with the first command at or behind its time. Source: Binance USD-M "Auto-Cancel All Open Orders".

use std::collections::{BTreeMap, BTreeSet};

use model::{AccountId, Event, MarketId, MarketStatus, Reject, SetCountdown, TimeNs};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::messages::Mail;

/// Where a market is halted, nothing can be cancelled: it is tried again after so long.
const AGAIN_AFTER_NS: u64 = 1_000_000_000;

/// When accounts' orders are cancelled, unless they say otherwise before.
pub struct Countdowns {
    /// The first of them; [`TimeNs::NEVER`] where there is none. Every command looks at it.
    next_ns: TimeNs,
    at: BTreeMap<(AccountId, MarketId), TimeNs>,
    by_time: BTreeSet<(TimeNs, AccountId, MarketId)>,
}

impl Default for Countdowns {
    fn default() -> Self {
        Self { next_ns: TimeNs::NEVER, at: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl Countdowns {
    /// Whether one has run out.
    #[inline]
    pub fn are_due(&self, now: TimeNs) -> bool {
        self.next_ns <= now
    }

    /// All of them, by account and contract.
    pub fn all(&self) -> impl Iterator<Item = (AccountId, MarketId, TimeNs)> {
        self.at.iter().map(|((account, market), at)| (*account, *market, *at))
    }

    /// How many there are by time, which is how many there are.
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether it is known when this one runs out.
    pub fn has(&self, account: AccountId, market: MarketId, at: TimeNs) -> bool {
        self.by_time.contains(&(at, account, market))
    }

    pub fn set(&mut self, account: AccountId, market: MarketId, at: Option<TimeNs>) {
        let before = match at {
            Some(at) => self.at.insert((account, market), at),
            None => self.at.remove(&(account, market)),
        };
        if let Some(before) = before {
            self.by_time.remove(&(before, account, market));
        }
        if let Some(at) = at {
            self.by_time.insert((at, account, market));
        }
        self.next_ns = self.by_time.first().map_or(TimeNs::NEVER, |(at, ..)| *at);
    }

    fn pop_due(&mut self, now: TimeNs) -> Option<(AccountId, MarketId)> {
        let (_, account, market) = *self.by_time.first().filter(|(at, ..)| *at <= now)?;
        self.set(account, market, None);
        Some((account, market))
    }
}

impl Accounts {
    pub fn set_countdown(
        &mut self,
        catalog: &Catalog,
        set: &SetCountdown,
        now: TimeNs,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let SetCountdown { account, market, countdown_ns, .. } = *set;
        catalog.market(market)?;
        catalog.contract(market).ok_or(Reject::NotContract { market })?;
        self.account(account)?;
        let fires_ns = (countdown_ns != 0).then(|| TimeNs(now.0.saturating_add(countdown_ns)));
        self.futures.countdowns.set(account, market, fires_ns);
        events.push(Event::CountdownSet { account, market, fires_ns });
        Ok(())
    }

    /// Cancels the orders of those whose time has come, no more than `budget` accounts. Returns what is left of that.
    pub fn fire_countdowns(
        &mut self,
        catalog: &Catalog,
        now: TimeNs,
        mail: &mut Mail,
        events: &mut Vec<Event>,
        mut budget: u32,
    ) -> u32 {
        while budget > 0
            && let Some((account, market)) = self.futures.countdowns.pop_due(now)
        {
            budget = budget.saturating_sub(1);
            let terms = catalog.market(market).expect("a countdown is at a listed contract");
            if terms.status == MarketStatus::Halt {
                let again = TimeNs(now.0.saturating_add(AGAIN_AFTER_NS));
                self.futures.countdowns.set(account, market, Some(again));
                continue;
            }
            events.push(Event::CountdownFired { account, market });
            if let Some(wallet) = self.ledger.find_wallet(account, terms.quote) {
                self.cancel_all_at(wallet, Some(market), mail);
            }
        }
        budget
    }
}
