//! How much a client may ask: request weight and requests by address, attempts to open a WebSocket by address, unfilled
//! orders by account; and who goes on regardless is banned. Nothing here knows a socket or a clock: addresses and times come
//! in, refusals come out. Intervals are aligned to the clock.
//!
//! Source: rest-api.md "LIMITS", web-socket-api.md "Rate limits", `faqs/order_count_decrement.md`.

mod accounts;
mod addresses;
mod forwarded;
mod refusal;

use std::net::IpAddr;
use std::time::Duration;

use model::{AccountId, IpRange, Liquidity, TimeNs};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use forwarded::client_address;
pub(crate) use refusal::Refusal;

use accounts::Accounts;
use addresses::Addresses;

/// What clients may do in how much time. Of every limit, 0 means that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Request weight that an address may use in a minute. Default 6,000, as at Binance.
    pub weight_per_minute: u32,
    /// Requests that an address may send in five minutes, whatever they weigh. Default 61,000, as at Binance.
    pub requests_per_5_minutes: u32,
    /// Attempts of an address to open a WebSocket in five minutes. Default 300, as at Binance.
    pub socket_attempts_per_5_minutes: u32,
    /// Unfilled orders that an account may have placed in ten seconds. Default 100, as at Binance.
    pub orders_per_10_seconds: u32,
    /// Unfilled orders that an account may have placed in a day. Default 200,000, as at Binance.
    pub orders_per_day: u32,
    /// Refused requests in one minute after which an address is banned. Default 50.
    pub refusals_before_ban: u32,
    /// How long the first ban lasts; each further one lasts twice as long. Default 2 minutes.
    pub first_ban: Duration,
    /// How long a ban lasts at the most; so long after the last one, all bans are forgotten. Default 3 days.
    pub longest_ban: Duration,
    /// Connections that an address may have open at once. Default 500.
    pub connections_per_address: u32,
    /// Addresses that are remembered at once; the least active is forgotten for one more. At least 1. Default 100,000.
    pub addresses_kept: usize,
    /// Who is counted but never refused. Default: this machine.
    pub exempt: Vec<IpRange>,
    /// Whose `X-Forwarded-For` is believed. Default: nobody's.
    pub trusted_proxies: Vec<IpRange>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            weight_per_minute: 6_000,
            requests_per_5_minutes: 61_000,
            socket_attempts_per_5_minutes: 300,
            orders_per_10_seconds: 100,
            orders_per_day: 200_000,
            refusals_before_ban: 50,
            first_ban: Duration::from_mins(2),
            longest_ban: Duration::from_hours(72),
            connections_per_address: 500,
            addresses_kept: 100_000,
            exempt: ["127.0.0.0/8", "::1"].map(|range| range.parse().expect("a range")).into(),
            trusted_proxies: Vec::new(),
        }
    }
}

/// A length of time that something is counted in, aligned to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    /// As the wire calls it.
    unit: &'static str,
    number: u32,
    millis: u64,
}

impl Interval {
    const TEN_SECONDS: Self = Self { unit: "SECOND", number: 10, millis: 10_000 };
    const MINUTE: Self = Self { unit: "MINUTE", number: 1, millis: 60_000 };
    const FIVE_MINUTES: Self = Self { unit: "MINUTE", number: 5, millis: 300_000 };
    const DAY: Self = Self { unit: "DAY", number: 1, millis: 86_400_000 };

    /// Which of these intervals it is, counted since 1970.
    fn at(self, now: TimeNs) -> u64 {
        now.as_millis() / self.millis
    }

    /// Whole seconds until the next one, at least 1.
    fn seconds_left(self, now: TimeNs) -> u32 {
        let left = self.millis - now.as_millis() % self.millis;
        u32::try_from(left.div_ceil(1_000)).expect("at most a day")
    }
}

/// How much there was in one interval; an interval that is over counts nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    interval: u64,
    count: u32,
}

impl Count {
    fn now(self, interval: u64) -> u32 {
        if self.interval == interval { self.count } else { 0 }
    }

    fn add(&mut self, interval: u64, more: u32) -> u32 {
        *self = Self { interval, count: self.now(interval).saturating_add(more) };
        self.count
    }

    fn reduce(&mut self, interval: u64, less: u32) {
        *self = Self { interval, count: self.now(interval).saturating_sub(less) };
    }
}

/// Whether more than `limit` is too much.
const fn exceeds(count: u32, limit: u32) -> bool {
    limit > 0 && count > limit
}

/// One limit and what is used of it, as `rateLimits` and `rateLimit/order` tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RateLimit {
    rate_limit_type: &'static str,
    interval: &'static str,
    interval_num: u32,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

impl RateLimit {
    fn of(kind: &'static str, interval: Interval, limit: u32, count: Option<u32>) -> Option<Self> {
        let Interval { unit, number, .. } = interval;
        (limit > 0).then_some(Self {
            rate_limit_type: kind,
            interval: unit,
            interval_num: number,
            limit,
            count,
        })
    }
}

/// Orders that count against an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OrderCounts {
    pub(crate) ten_seconds: u32,
    pub(crate) day: u32,
}

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: LimitSettings,
    addresses: Addresses,
    accounts: Accounts,
}

const WEIGHT: &str = "REQUEST_WEIGHT";
const RAW: &str = "RAW_REQUESTS";
const ORDERS: &str = "ORDERS";
const CONNECTIONS: &str = "CONNECTIONS";

/// What an attempt to open a WebSocket weighs.
const SOCKET_WEIGHT: u32 = 2;

impl Limits {
    pub(crate) fn new(settings: LimitSettings) -> Self {
        let addresses = Addresses::new(settings.addresses_kept);
        Self { settings, addresses, accounts: Accounts::default() }
    }

    /// Whether `address` is counted without ever being refused.
    pub(crate) fn is_exempt(&self, address: IpAddr) -> bool {
        self.settings.exempt.iter().any(|range| range.contains(address))
    }

    /// Whether a connection from `address` brings the requests of others.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        self.settings.trusted_proxies.iter().any(|range| range.contains(address))
    }

    /// Who sent a request that came over a connection from `peer`.
    pub(crate) fn client<'h>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'h [u8]>,
    ) -> IpAddr {
        client_address(peer, forwarded_for, &self.settings.trusted_proxies)
    }

    /// One request from `address` has begun, of whatever weight.
    pub(crate) fn enter(&self, address: IpAddr, now: TimeNs) -> Result<(), Refusal> {
        let refused = self.addresses.with(address, now, |entry| {
            entry.check_ban(now)?;
            let count = entry.requests.add(Interval::FIVE_MINUTES.at(now), 1);
            if !exceeds(count, self.settings.requests_per_5_minutes) {
                return Ok(());
            }
            Err(entry.refuse(
                &self.settings,
                now,
                Refusal::requests(self.settings.requests_per_5_minutes, now),
            ))
        });
        self.unless_exempt(address, refused)
    }

    /// A request from `address` weighs `weight`: how much weight that makes in this minute.
    pub(crate) fn weigh(&self, address: IpAddr, weight: u32, now: TimeNs) -> Result<u32, Refusal> {
        let mut used = 0;
        let refused = self.addresses.with(address, now, |entry| {
            used = entry.weight.add(Interval::MINUTE.at(now), weight);
            if !exceeds(used, self.settings.weight_per_minute) {
                return Ok(());
            }
            Err(entry.refuse(&self.settings, now, Refusal::weight(self.settings.weight_per_minute, now)))
        });
        self.unless_exempt(address, refused).map(|()| used)
    }

    /// `address` wants to open a WebSocket.
    pub(crate) fn open_socket(&self, address: IpAddr, now: TimeNs) -> Result<(), Refusal> {
        let limit = self.settings.socket_attempts_per_5_minutes;
        let refused = self.addresses.with(address, now, |entry| {
            let count = entry.sockets.add(Interval::FIVE_MINUTES.at(now), 1);
            if !exceeds(count, limit) {
                return Ok(());
            }
            Err(entry.refuse(&self.settings, now, Refusal::sockets(limit, now)))
        });
        self.unless_exempt(address, refused)?;
        self.weigh(address, SOCKET_WEIGHT, now).map(|_| ())
    }

    fn unless_exempt(&self, address: IpAddr, refused: Result<(), Refusal>) -> Result<(), Refusal> {
        match refused {
            // Looked at last: nearly nobody is refused.
            Err(_) if self.is_exempt(address) => Ok(()),
            refused => refused,
        }
    }

    /// Counts `orders` new orders of `account`, sent from `address`, unless they are too many.
    pub(crate) fn place(
        &self,
        account: AccountId,
        address: IpAddr,
        orders: u32,
        now: TimeNs,
    ) -> Result<OrderCounts, Refusal> {
        let bounds = (self.settings.orders_per_10_seconds, self.settings.orders_per_day);
        self.accounts.place(account, orders, now, bounds).or_else(|refusal| {
            if self.is_exempt(address) {
                self.accounts.place(account, orders, now, (0, 0))
            } else {
                Err(refusal)
            }
        })
    }

    /// An order of `account` has traded for the first time.
    pub(crate) fn first_fill(&self, account: AccountId, liquidity: Liquidity, now: TimeNs) {
        self.accounts.first_fill(account, liquidity, now);
    }

    /// Orders that count against `account`.
    pub(crate) fn orders(&self, account: AccountId, now: TimeNs) -> OrderCounts {
        self.accounts.counts(account, now)
    }

    /// The limits that there are, without what is used of them: `exchangeInfo`.
    pub(crate) fn rules(&self) -> Vec<RateLimit> {
        let settings = &self.settings;
        [
            RateLimit::of(WEIGHT, Interval::MINUTE, settings.weight_per_minute, None),
            RateLimit::of(ORDERS, Interval::TEN_SECONDS, settings.orders_per_10_seconds, None),
            RateLimit::of(ORDERS, Interval::DAY, settings.orders_per_day, None),
            RateLimit::of(RAW, Interval::FIVE_MINUTES, settings.requests_per_5_minutes, None),
            RateLimit::of(CONNECTIONS, Interval::FIVE_MINUTES, settings.socket_attempts_per_5_minutes, None),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The order limits and what `account` has used of them: `rateLimit/order`.
    pub(crate) fn order_limits(&self, account: AccountId, now: TimeNs) -> Vec<RateLimit> {
        let (settings, counts) = (&self.settings, self.orders(account, now));
        [
            RateLimit::of(
                ORDERS,
                Interval::TEN_SECONDS,
                settings.orders_per_10_seconds,
                Some(counts.ten_seconds),
            ),
            RateLimit::of(ORDERS, Interval::DAY, settings.orders_per_day, Some(counts.day)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What the answers of the WebSocket API tell: with `placing`, the order limits of the account whose orders they are.
    pub(crate) fn told(&self, address: IpAddr, placing: Option<AccountId>, now: TimeNs) -> Vec<RateLimit> {
        let used = self.weight_used(address, now);
        let weight = RateLimit::of(WEIGHT, Interval::MINUTE, self.settings.weight_per_minute, Some(used));
        placing
            .map(|account| self.order_limits(account, now))
            .unwrap_or_default()
            .into_iter()
            .chain(weight)
            .collect()
    }

    /// Weight that `address` has used in this minute.
    pub(crate) fn weight_used(&self, address: IpAddr, now: TimeNs) -> u32 {
        self.addresses.look(address, |entry| entry.weight.now(Interval::MINUTE.at(now)))
    }

    /// How many addresses are banned now.
    pub(crate) fn banned(&self, now: TimeNs) -> usize {
        self.addresses.banned(now)
    }

    /// How many connections an address may have open at once; `None` for one that is not bounded.
    pub(crate) fn connections_for(&self, address: IpAddr) -> Option<u32> {
        let limit = self.settings.connections_per_address;
        (limit > 0 && !self.is_exempt(address) && !self.is_proxy(address)).then_some(limit)
    }
}

#[cfg(test)]
mod tests;
