//! What an operator watches: metrics and health.

use gateway_http::{GatewaySettings, HealthSettings};

use crate::http::Connection;
use crate::world::{TOKEN, World};

/// The number of a line of the metrics.
pub fn metric(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{line} is missing in\n{text}")).parse().expect("a number")
}

pub fn metrics(world: &World) -> String {
    let headers = format!("authorization: Bearer {TOKEN}\r\n");
    let answer = Connection::open(world.admin).send("GET", "/metrics", &headers, "");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    answer.text
}

#[test]
fn what_happens_is_counted() {
    let (world, alice, bob) = World::open();
    alice.rest("SELL", "0.1", "60000");
    bob.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.05&price=60000").ok();
    bob.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=900&price=60000").error();
    world.get("/api/v3/klines?symbol=NONE&interval=1m").error();
    // Snapshots are taken often here. What partitions have to tell each other, and the views, comes a moment behind the answers.
    let is_at_rest = |text: &str| {
        metric(text, "rialto_snapshots_written_total") >= 1.0
            && metric(text, "rialto_views_lag_commands") < 1.0
            && metric(text, "rialto_commands_waiting") < 1.0
    };
    let mut text = metrics(&world);
    while !is_at_rest(&text) {
        world.get("/api/v3/time").ok();
        text = metrics(&world);
    }
    for (line, number) in [
        ("rialto_commands_total{command=\"place_order\",outcome=\"accepted\"}", 2.0),
        ("rialto_commands_total{command=\"place_order\",outcome=\"insufficient_balance\"}", 1.0),
        ("rialto_http_requests_total{endpoint=\"/api/v3/order\",verb=\"POST\",status=\"200\"}", 2.0),
        ("rialto_http_requests_total{endpoint=\"/api/v3/order\",verb=\"POST\",status=\"400\"}", 1.0),
        ("rialto_http_requests_total{endpoint=\"/api/v3/klines\",verb=\"GET\",status=\"400\"}", 1.0),
        ("rialto_http_request_seconds_count{endpoint=\"/api/v3/order\"}", 3.0),
        ("rialto_open_orders", 1.0),
        ("rialto_accounts", 2.0),
    ] {
        assert!((metric(&text, line) - number).abs() < 0.1, "{line}\n{text}");
    }
    let batches = metric(&text, "rialto_journal_sync_seconds_count");
    assert!(metric(&text, "rialto_snapshot_age_seconds") < 60.0);
    assert!(metric(&text, "rialto_snapshots_failed_total") < 0.5);
    assert!(metric(&text, "rialto_connections{port=\"admin\"}") > 0.5, "at least the one that asks");
    assert!(batches >= 10.0 && metric(&text, "rialto_batch_commands_sum") >= batches);
    assert!(metric(&text, "process_resident_memory_bytes") > 1e6 && metric(&text, "process_open_fds") > 3.0);
}

#[test]
fn metrics_are_for_the_operator_unless_the_settings_open_them() {
    let world = World::empty(GatewaySettings::default());
    let ask = |world: &World, address| {
        let _ = world;
        Connection::open(address).send("GET", "/metrics", "", "").status
    };
    assert_eq!(ask(&world, world.admin), 401);
    assert_eq!(ask(&world, world.public), 404);
    let open = World::empty(GatewaySettings { open_metrics: true, ..GatewaySettings::default() });
    assert_eq!(ask(&open, open.admin), 200);
}

#[test]
fn ready_is_who_would_take_an_order() {
    let folder = tempfile::tempdir().unwrap();
    let health = |min_free_bytes| HealthSettings {
        data_dir: Some(folder.path().to_owned()),
        min_free_bytes,
        ..HealthSettings::default()
    };
    let world = World::empty(GatewaySettings { health: health(1), ..GatewaySettings::default() });
    for address in [world.public, world.admin] {
        let ask = |path| Connection::open(address).send("GET", path, "", "");
        assert_eq!(ask("/health/live").ok()["status"], "live");
        assert_eq!(ask("/health/ready").ok()["status"], "ready");
    }
    world.ingress.stop();
    let stopped = world.get("/health/ready");
    assert_eq!((stopped.status, &stopped.body["status"]), (503, &"not ready".into()));
    assert_eq!(stopped.body["reason"], "the exchange is stopping or has stopped");
    assert_eq!(world.get("/health/live").status, 200);

    let full = World::empty(GatewaySettings { health: health(u64::MAX), ..GatewaySettings::default() });
    let answer = full.get("/health/ready");
    assert_eq!(answer.status, 503);
    assert!(answer.body["reason"].as_str().unwrap().contains("MiB are free"), "{}", answer.body);
}
