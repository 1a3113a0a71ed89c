use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use model::{AccountId, Liquidity, TimeNs};
use serde_json::{Value, json};

use super::{LimitSettings, Limits, OrderCounts, Refusal};
use crate::errors::ApiError;

const START_MS: u64 = 1_700_000_100_000;

/// So long after a moment at which five minutes begin.
fn after(ms: u64) -> TimeNs {
    TimeNs::from_millis(START_MS + ms)
}

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

fn limits(change: impl FnOnce(&mut LimitSettings)) -> Limits {
    let mut settings = LimitSettings::default();
    change(&mut settings);
    Limits::new(settings)
}

fn told(refused: Result<impl std::fmt::Debug, Refusal>) -> (u16, i32, String, u32) {
    let error = ApiError::from(refused.expect_err("it is too much"));
    (
        error.status.as_u16(),
        error.code,
        error.message.into_owned(),
        error.retry_after.expect("there is a time"),
    )
}

#[test]
fn weight_is_counted_by_the_minute_of_the_clock() {
    let limits = limits(|settings| settings.weight_per_minute = 100);
    assert_eq!(limits.weigh(address(1), 60, after(59_000)), Ok(60));
    assert_eq!(limits.weigh(address(1), 40, after(59_999)), Ok(100));
    assert_eq!(
        told(limits.weigh(address(1), 1, after(59_999))),
        (
            429,
            -1003,
            "Too much request weight used; current limit is 100 request weight per 1 MINUTE. Please use WebSocket Streams for \
             live updates to avoid polling the API."
                .to_owned(),
            1
        )
    );
    assert_eq!(limits.weigh(address(2), 1, after(59_999)), Ok(1), "another's weight");
    assert_eq!(limits.weigh(address(1), 1, after(60_000)), Ok(1), "another minute");
    let (.., seconds) = told(limits.weigh(address(1), 100, after(60_500)));
    assert_eq!(seconds, 60, "rounded up");
}

#[test]
fn requests_and_sockets_are_counted_by_five_minutes() {
    let limits = limits(|settings| {
        (settings.requests_per_5_minutes, settings.socket_attempts_per_5_minutes) = (2, 1);
    });
    assert!(limits.enter(address(1), after(0)).is_ok() && limits.enter(address(1), after(60_000)).is_ok());
    let (status, code, text, _) = told(limits.enter(address(1), after(60_000)));
    assert_eq!((status, code), (429, -1003));
    assert!(text.starts_with("Too many requests; current limit is 2 requests per 5 MINUTE."), "{text}");

    assert_eq!(limits.open_socket(address(2), after(0)), Ok(()));
    assert_eq!(limits.weight_used(address(2), after(0)), 2);
    assert_eq!(told(limits.open_socket(address(2), after(0))).0, 429);
    assert_eq!(limits.open_socket(address(2), after(300_000)), Ok(()));
}

#[test]
fn who_goes_on_is_banned_for_longer_each_time() {
    let limits = limits(|settings| {
        settings.weight_per_minute = 1;
        settings.refusals_before_ban = 3;
        (settings.first_ban, settings.longest_ban) = (Duration::from_mins(2), Duration::from_secs(400));
    });
    let mut now_ms = 0;
    for seconds in [120, 240, 400, 400] {
        assert_eq!(limits.weigh(address(1), 1, after(now_ms)), Ok(1));
        for _ in 0..3 {
            assert_eq!(told(limits.weigh(address(1), 1, after(now_ms))).0, 429);
        }
        let until = START_MS + now_ms + seconds * 1_000;
        assert_eq!(
            told(limits.weigh(address(1), 1, after(now_ms))),
            (
                418,
                -1003,
                format!(
                    "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates \
                     to avoid bans."
                ),
                u32::try_from(seconds).unwrap()
            )
        );
        assert_eq!(told(limits.enter(address(1), after(now_ms))).0, 418, "nothing is answered any more");
        assert_eq!(limits.banned(after(now_ms)), 1);
        assert_eq!(limits.enter(address(2), after(now_ms)), Ok(()), "others are not");
        // A minute begins: bans end there, for their lengths are multiples of 20 seconds.
        now_ms = (now_ms + seconds * 1_000).next_multiple_of(60_000);
        assert_eq!(limits.enter(address(1), after(now_ms)), Ok(()));
    }
    // So long ago that it is forgotten.
    now_ms += 1_000_000_000;
    for _ in 0..4 {
        let _ = limits.weigh(address(1), 1, after(now_ms));
    }
    assert_eq!(told(limits.weigh(address(1), 1, after(now_ms))), {
        let (status, code, text, _) = told(limits.enter(address(1), after(now_ms)));
        (status, code, text, 120)
    });
}

#[test]
fn the_exempt_are_counted_and_never_refused() {
    let limits = limits(|settings| {
        settings.weight_per_minute = 1;
        settings.requests_per_5_minutes = 1;
        settings.orders_per_day = 1;
        settings.refusals_before_ban = 1;
    });
    let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
    for used in 1..=10 {
        assert_eq!(limits.enter(here, after(0)), Ok(()));
        assert_eq!(limits.weigh(here, 1, after(0)), Ok(used));
        assert_eq!(limits.place(AccountId(1), here, 1, after(0)).map(|counts| counts.day), Ok(used));
    }
    assert!(limits.connections_for(here).is_none());
    assert_eq!(limits.connections_for(address(1)), Some(500));
}

#[test]
fn zero_is_no_limit() {
    let limits = limits(|settings| {
        settings.weight_per_minute = 0;
        settings.requests_per_5_minutes = 0;
        settings.socket_attempts_per_5_minutes = 0;
        settings.orders_per_10_seconds = 0;
        settings.orders_per_day = 0;
        settings.connections_per_address = 0;
    });
    for _ in 0..100 {
        assert!(
            limits.enter(address(1), after(0)).is_ok() && limits.open_socket(address(1), after(0)).is_ok()
        );
        assert!(limits.weigh(address(1), 1_000_000_000, after(0)).is_ok());
        assert!(limits.place(AccountId(1), address(1), 1_000, after(0)).is_ok());
    }
    assert!(limits.rules().is_empty() && limits.told(address(1), Some(AccountId(1)), after(0)).is_empty());
    assert!(limits.connections_for(address(1)).is_none());
}

#[test]
fn orders_are_limited_by_account() {
    let limits = limits(|settings| (settings.orders_per_10_seconds, settings.orders_per_day) = (3, 5));
    let place = |account, ms| limits.place(AccountId(account), address(1), 1, after(ms));
    for count in 1..=3 {
        assert_eq!(place(1, 1_000), Ok(OrderCounts { ten_seconds: count, day: count }));
    }
    assert_eq!(
        told(place(1, 1_000)),
        (429, -1015, "Too many new orders; current limit is 3 orders per 10 SECOND.".to_owned(), 9)
    );
    assert!(place(2, 1_000).is_ok(), "another account");
    assert_eq!(place(1, 10_000), Ok(OrderCounts { ten_seconds: 1, day: 4 }));
    assert_eq!(place(1, 10_000), Ok(OrderCounts { ten_seconds: 2, day: 5 }));
    let (_, _, text, seconds) = told(place(1, 10_000));
    assert_eq!(text, "Too many new orders; current limit is 5 orders per 1 DAY.");
    assert!(seconds > 3_600);
    limits.first_fill(AccountId(1), Liquidity::Maker, after(11_000));
    assert_eq!(limits.orders(AccountId(1), after(11_000)), OrderCounts { ten_seconds: 0, day: 0 });
}

/// The vector is Binance's own table.
#[test]
fn unfilled_orders_are_counted_as_in_the_documents() {
    let vector: Value =
        serde_json::from_str(include_str!("../../tests/vectors/unfilled_order_count.json")).unwrap();
    for table in ["taker", "maker"] {
        let limits = limits(|_| {});
        let steps = vector[table].as_array().unwrap();
        assert!(!steps.is_empty());
        for step in steps {
            let (what, expected) = (step[0].as_str().unwrap(), &step[1]);
            if what.starts_with("place") {
                limits.place(AccountId(1), address(1), 1, after(0)).unwrap();
            } else if what.contains("first fill taker") {
                limits.first_fill(AccountId(1), Liquidity::Taker, after(0));
            } else if what.contains("first fill maker") {
                limits.first_fill(AccountId(1), Liquidity::Maker, after(0));
            }
            let OrderCounts { ten_seconds, day } = limits.orders(AccountId(1), after(0));
            assert_eq!((&json!(ten_seconds), &json!(day)), (expected, expected), "{table}: {what}");
        }
    }
}

#[test]
fn what_is_told_is_what_is_counted() {
    let limits = limits(|_| {});
    limits.weigh(address(1), 7, after(0)).unwrap();
    limits.place(AccountId(1), address(1), 2, after(0)).unwrap();
    let limit = |kind: &str, interval: &str, number: u32, limit: u32| json!({"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit});
    let with = |mut limit: Value, count: u32| {
        limit["count"] = count.into();
        limit
    };
    let weight = limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000);
    let (ten_seconds, day) = (limit("ORDERS", "SECOND", 10, 100), limit("ORDERS", "DAY", 1, 200_000));
    assert_eq!(json!(limits.told(address(1), None, after(0))), json!([with(weight.clone(), 7)]));
    assert_eq!(
        json!(limits.told(address(1), Some(AccountId(1)), after(0))),
        json!([with(ten_seconds.clone(), 2), with(day.clone(), 2), with(weight.clone(), 7)])
    );
    assert_eq!(
        json!(limits.rules()),
        json!([
            weight,
            ten_seconds,
            day,
            limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
            limit("CONNECTIONS", "MINUTE", 5, 300)
        ])
    );
}

#[test]
fn the_memory_of_addresses_is_bounded_and_keeps_the_banned() {
    let limits = limits(|settings| {
        settings.weight_per_minute = 1;
        settings.refusals_before_ban = 1;
        settings.addresses_kept = 160;
    });
    for _ in 0..3 {
        let _ = limits.weigh(address(1), 1, after(0));
    }
    assert_eq!(limits.banned(after(0)), 1);
    for network in 0..10_000_u128 {
        let flood = IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (network << 64)));
        limits.weigh(flood, 1, after(1)).unwrap();
        // The rest of the network is the same client.
        let IpAddr::V6(first) = flood else { unreachable!() };
        let neighbour = IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | 7));
        assert_eq!(limits.weight_used(neighbour, after(1)), 1);
    }
    assert!(limits.addresses.len() <= 160, "{}", limits.addresses.len());
    assert_eq!(limits.banned(after(1)), 1);
}
