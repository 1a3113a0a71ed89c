//! How much a client may ask, over real sockets. Clients other than this machine are those that a proxy tells of.

use std::time::Duration;

use gateway_http::{GatewaySettings, LimitSettings};
use serde_json::{Value, json};

use crate::http::{Answer, Connection, Trader};
use crate::world::World;

/// This machine is a proxy, and nobody is exempt.
fn settings(change: impl FnOnce(&mut LimitSettings)) -> GatewaySettings {
    let mut limits = LimitSettings {
        exempt: Vec::new(),
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..LimitSettings::default()
    };
    change(&mut limits);
    GatewaySettings { limits, ..GatewaySettings::default() }
}

fn ask(connection: &mut Connection, from: &str, target: &str) -> Answer {
    connection.send("GET", target, &format!("X-Forwarded-For: {from}\r\n"), "")
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn place(trader: &Trader, from: &str, params: &str) -> Answer {
    let headers = format!("{}X-Forwarded-For: {from}\r\n", trader.key_header());
    let signed = trader.signed(&format!("symbol=BTCUSDT&type=LIMIT&timeInForce=GTC&{params}"));
    Connection::open(trader.address).send("POST", "/api/v3/order", &headers, &signed)
}

#[test]
fn too_much_weight_is_429_and_going_on_is_a_ban() {
    let world = World::empty(settings(|limits| {
        (limits.weight_per_minute, limits.refusals_before_ban) = (20, 5);
        limits.first_ban = Duration::from_mins(2);
    }));
    let mut connection = Connection::open(world.public);
    let first = ask(&mut connection, "192.0.2.1", "/api/v3/ticker/24hr");
    assert_eq!(first.status, 429, "it weighs 80");
    assert_eq!(
        first.error().2,
        "Too much request weight used; current limit is 20 request weight per 1 MINUTE. Please use WebSocket Streams for live \
         updates to avoid polling the API."
    );
    let retry_after: u32 = header(&first, "retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after));
    assert_eq!(header(&first, "x-mbx-used-weight-1m"), Some("80"));
    // A minute may begin meanwhile, so it takes some more, but not many.
    let banned = (0..100)
        .map(|_| ask(&mut connection, "192.0.2.1", "/api/v3/ticker/24hr"))
        .find(|answer| answer.status == 418)
        .expect("whoever goes on is banned");
    assert!(banned.error().2.starts_with("Way too much request weight used; IP banned until "));
    let again = ask(&mut connection, "192.0.2.1", "/nowhere");
    assert_eq!((again.status, again.error().1), (418, -1003), "whatever is asked");
    let retry_after: u32 = header(&again, "retry-after").unwrap().parse().unwrap();
    assert!((110..=120).contains(&retry_after), "{retry_after}");

    let other = ask(&mut connection, "192.0.2.2", "/api/v3/ping");
    assert_eq!((other.status, header(&other, "x-mbx-used-weight-1m")), (200, Some("1")));
    assert_eq!(header(&other, "x-mbx-used-weight"), Some("1"));
}

#[test]
fn too_many_requests_are_429_whatever_they_weigh() {
    let world = World::empty(settings(|limits| limits.requests_per_5_minutes = 3));
    let mut connection = Connection::open(world.public);
    let mut answers = (0..10).map(|_| ask(&mut connection, "192.0.2.1", "/nowhere"));
    let refused = answers.find(|answer| answer.status == 429).expect("ten are more than three, twice");
    assert!(refused.error().2.starts_with("Too many requests; current limit is 3 requests per 5 MINUTE."));
    assert_eq!(ask(&mut connection, "192.0.2.2", "/api/v3/ping").status, 200);
}

#[test]
fn a_header_of_somebody_else_is_not_believed() {
    let world = World::empty(settings(|limits| {
        limits.trusted_proxies = Vec::new();
        limits.requests_per_5_minutes = 3;
    }));
    let mut connection = Connection::open(world.public);
    let refused = (0..10).map(|at| ask(&mut connection, &format!("192.0.2.{at}"), "/api/v3/ping").status);
    assert!(refused.into_iter().any(|status| status == 429), "they all come from one address");
}

#[test]
fn this_machine_is_counted_and_not_refused() {
    let limits =
        LimitSettings { weight_per_minute: 1, requests_per_5_minutes: 1, ..LimitSettings::default() };
    let world = World::empty(GatewaySettings { limits, ..GatewaySettings::default() });
    let mut connection = Connection::open(world.public);
    let used: Vec<u32> = (0..5)
        .map(|_| connection.send("GET", "/api/v3/ping", "", ""))
        .map(|answer| header(&answer, "x-mbx-used-weight-1m").expect("told").parse().unwrap())
        .collect();
    assert!(used.iter().any(|used| *used > 1), "{used:?}");
}

#[test]
fn orders_are_counted_until_they_trade() {
    let (_world, alice, bob) = World::open_with(settings(|limits| {
        (limits.orders_per_10_seconds, limits.orders_per_day) = (0, 3);
    }));
    let sell = |price: u32| format!("side=SELL&quantity=0.1&price={price}");
    for day in ["1", "2"] {
        let placed = place(&alice, "192.0.2.1", &sell(60_000));
        assert_eq!((placed.status, header(&placed, "x-mbx-order-count-1d")), (200, Some(day)));
        assert!(header(&placed, "x-mbx-order-count-10s").is_some());
    }
    let counted = |trader: &Trader| trader.get("/api/v3/rateLimit/order", "").ok();
    assert_eq!(
        counted(&alice),
        json!([{"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 3, "count": 2}])
    );
    let refused = place(&alice, "192.0.2.9", "side=BUY&quantity=0.1");
    assert_eq!(refused.status, 400, "no price");
    let refused = place(&alice, "192.0.2.9", &sell(60_000));
    assert_eq!(refused.error(), (429, -1015, "Too many new orders; current limit is 3 orders per 1 DAY."));
    assert!(header(&refused, "retry-after").is_some());

    // The first fill as maker gives five back, not below zero; as taker it gives one.
    place(&bob, "192.0.2.2", "side=BUY&quantity=0.05&price=60000").ok();
    let count = |answer: &Value| answer[0]["count"].as_u64();
    assert_eq!((count(&counted(&alice)), count(&counted(&bob))), (Some(0), Some(0)));
    place(&alice, "192.0.2.1", &sell(61_000)).ok();
    place(&bob, "192.0.2.2", "side=BUY&quantity=0.05&price=60000").ok();
    assert_eq!(count(&counted(&alice)), Some(1), "that was its second fill");
}

#[test]
fn exchange_info_tells_the_true_limits() {
    let world = World::empty(settings(|limits| {
        (limits.weight_per_minute, limits.orders_per_day) = (77, 0);
    }));
    let told = world.get("/api/v3/exchangeInfo").ok()["rateLimits"].clone();
    assert_eq!(
        told,
        json!([
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 77},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
            {"rateLimitType": "CONNECTIONS", "interval": "MINUTE", "intervalNum": 5, "limit": 300},
        ])
    );
}

#[test]
fn too_many_attempts_to_open_a_websocket_are_429() {
    let world = World::empty(settings(|limits| limits.socket_attempts_per_5_minutes = 2));
    let headers = "X-Forwarded-For: 192.0.2.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let statuses: Vec<u16> =
        (0..6).map(|_| Connection::open(world.public).send("GET", "/ws", headers, "").status).collect();
    assert_eq!(statuses[0], 101);
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[test]
fn an_address_has_only_so_many_connections() {
    let world = World::empty(settings(|limits| {
        limits.trusted_proxies = Vec::new();
        limits.connections_per_address = 2;
    }));
    let mut open: Vec<Connection> = (0..2).map(|_| Connection::open(world.public)).collect();
    for connection in &mut open {
        assert_eq!(connection.send("GET", "/api/v3/ping", "", "").status, 200);
    }
    let mut third = Connection::open(world.public);
    let told = third.answer();
    assert_eq!(
        told.error(),
        (429, -1003, "Too many connections; current limit is 2 connections per address.")
    );
    assert!(third.is_closed());
    drop(open);
    while world.get("/api/v3/ping").status != 200 {
        std::thread::yield_now();
    }
}
