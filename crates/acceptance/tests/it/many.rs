//! Many connections at once, beside clients that do what they must not: `rialto bench many` with fewer of each. That nobody is
//! dropped, that everybody is served without a gap, and that a connection costs little. How fast is not asked here.

use serde_json::Value;

use crate::yardsticks::measured;

/// Memory that one connection may cost: a socket with ten streams, or a REST connection.
const MOST_BYTES_EACH: u64 = 100 << 10;

#[test]
fn many_connections_are_served_beside_harmful_ones() {
    let rows = measured(&[
        "many",
        "--sockets",
        "500",
        "--rest-connections",
        "200",
        "--storm",
        "200",
        "--seconds",
        "3",
    ]);
    let [rest_alone, sockets_alone, rest_beside, sockets_beside] = rows.as_slice() else {
        panic!("four rows: {rows:#?}")
    };
    for row in [rest_alone, rest_beside] {
        assert_eq!(row["rejects"], 0, "{row:#}");
        // Each asks every two seconds, for three; how many are still under way at the end does not matter.
        assert!(row["commands"].as_u64().unwrap() >= 200, "{row:#}");
    }
    for row in [sockets_alone, sockets_beside] {
        assert_eq!(row["rejects"], 0, "somebody was dropped or missed something: {row:#}");
        assert!(row["commands"].as_u64().unwrap() > 500, "{row:#}");
    }
    let figure = |name: &str| sockets_beside["figures"][name].as_u64().unwrap();
    assert_eq!((figure("connections"), figure("dropped"), figure("orders_refused")), (700, 0, 0));
    assert!(figure("storm_connections") >= 200 && figure("garbage_connections") >= 20, "{sockets_beside:#}");
    assert!(figure("abandoned_sockets") >= 60, "{sockets_beside:#}");
    for kind in ["idle_connections", "half_frames", "slow_readers"] {
        assert_eq!(figure(kind), 50, "{kind}");
    }
    assert_eq!(
        (figure("greedy"), figure("greedy_dropped")),
        (10, 10),
        "who asks for megabytes and reads nothing"
    );
    let each = figure("memory_each_bytes");
    assert!(each <= MOST_BYTES_EACH, "a connection takes {each} bytes");
}

#[test]
fn subscribers_of_a_busy_market_stay_in_step() {
    let rows =
        measured(&["streams", "--subscribers", "50", "--events", "1000", "--trades", "40", "--seconds", "3"]);
    let [events, depth, oldest, trades] = rows.as_slice() else { panic!("four rows: {rows:#?}") };
    for row in &rows {
        assert_eq!(row["rejects"], 0, "{row:#}");
    }
    let count = |row: &Value| row["commands"].as_u64().unwrap();
    assert!(count(events) > 1_000, "{events:#}");
    assert_eq!(count(depth), count(oldest));
    assert!(count(depth) > 50 * 10 && count(trades) > 50 * 40, "{depth:#} {trades:#}");
    assert_eq!(count(trades) % 50, 0, "everybody gets all trades: {trades:#}");
    assert_eq!(count(depth) % 50, 0, "everybody gets all updates: {depth:#}");
}
