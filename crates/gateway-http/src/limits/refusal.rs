//! Who asks too much, and what is said of it.

use axum::http::StatusCode;
use model::TimeNs;

use super::Interval;
use crate::errors::ApiError;

/// One limit that was exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Over a limit of an address.
    TooMuch { of: Counted, limit: u32, interval: Interval, retry_after_s: u32 },
    /// Over it for so long that nothing is answered any more.
    Banned { until: TimeNs, retry_after_s: u32 },
}

/// What there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    Weight,
    Requests,
    Sockets,
    Orders,
}

impl Refusal {
    fn too_much(of: Counted, limit: u32, interval: Interval, now: TimeNs) -> Self {
        Self::TooMuch { of, limit, interval, retry_after_s: interval.seconds_left(now) }
    }

    pub(super) fn weight(limit: u32, now: TimeNs) -> Self {
        Self::too_much(Counted::Weight, limit, Interval::MINUTE, now)
    }

    pub(super) fn requests(limit: u32, now: TimeNs) -> Self {
        Self::too_much(Counted::Requests, limit, Interval::FIVE_MINUTES, now)
    }

    pub(super) fn sockets(limit: u32, now: TimeNs) -> Self {
        Self::too_much(Counted::Sockets, limit, Interval::FIVE_MINUTES, now)
    }

    pub(super) fn orders(limit: u32, interval: Interval, now: TimeNs) -> Self {
        Self::too_much(Counted::Orders, limit, interval, now)
    }

    pub(super) fn banned(until: TimeNs, now: TimeNs) -> Self {
        let left_ms = until.as_millis().saturating_sub(now.as_millis());
        let retry_after_s = u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
        Self::Banned { until, retry_after_s }
    }

    /// For the count of refusals.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::TooMuch { of: Counted::Weight, .. } => "weight",
            Self::TooMuch { of: Counted::Requests, .. } => "requests",
            Self::TooMuch { of: Counted::Sockets, .. } => "websocket_attempts",
            Self::TooMuch { of: Counted::Orders, .. } => "orders",
            Self::Banned { .. } => "banned",
        }
    }
}

/// Source of the texts: errors.md, -1003 and -1015.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        const POLLING: &str = "Please use WebSocket Streams for live updates to avoid polling the API.";
        let (status, code, message, retry_after_s) = match refusal {
            Refusal::TooMuch { of, limit, interval: Interval { unit, number, .. }, retry_after_s } => {
                let (code, message) = match of {
                    Counted::Weight => (
                        -1003,
                        format!(
                            "Too much request weight used; current limit is {limit} request weight per {number} {unit}. {POLLING}"
                        ),
                    ),
                    Counted::Requests => (
                        -1003,
                        format!(
                            "Too many requests; current limit is {limit} requests per {number} {unit}. {POLLING}"
                        ),
                    ),
                    Counted::Sockets => (
                        -1003,
                        format!(
                            "Too many WebSocket connection attempts; current limit is {limit} attempts per {number} {unit}."
                        ),
                    ),
                    Counted::Orders => (
                        -1015,
                        format!("Too many new orders; current limit is {limit} orders per {number} {unit}."),
                    ),
                };
                (StatusCode::TOO_MANY_REQUESTS, code, message, retry_after_s)
            }
            Refusal::Banned { until, retry_after_s } => (
                StatusCode::IM_A_TEAPOT,
                -1003,
                format!(
                    "Way too much request weight used; IP banned until {}. Please use WebSocket Streams for live updates to avoid \
                     bans.",
                    until.as_millis()
                ),
                retry_after_s,
            ),
        };
        Self { status, retry_after: Some(retry_after_s), ..Self::new(code, message) }
    }
}
