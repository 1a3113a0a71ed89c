//! What everybody is told of contracts beside the present: candles of the premium, what was open, which side accounts were on.

use serde_json::{Value, json};

use crate::contracts::{listed, mark_becomes, place};
use crate::http::now_ms;

#[test]
fn the_premium_has_candles() {
    let (world, alice, _bob) = listed();
    let candles = |params: &str| world.get(&format!("/fapi/v1/premiumIndexKlines?symbol=BTCUSDT&{params}"));
    assert_eq!(candles("interval=1m").ok(), json!([]));
    // Bids 0.4 % above the index, more than the impact notional.
    place(&alice, "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50200");
    mark_becomes(&world, "50000.0", "50000.0");
    let told = candles("interval=1h&limit=1").ok();
    let row = told[0].as_array().unwrap();
    assert_eq!(row.len(), 12);
    assert!(row[1..5].iter().all(|price| *price == "0.00400000"), "{row:?}");
    assert_eq!((&row[5], &row[7], &row[11]), (&json!("0.00000000"), &json!("0.000000"), &json!("0")));
    assert!(row[8].as_u64().unwrap() >= 1);
    candles("").assert_error(
        400,
        -1102,
        "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.",
    );
    candles("interval=1y").assert_error(400, -1120, "Invalid interval.");
}

/// Their rows come with the ends of five minutes: what is in them, the tests of `futures::statistics` and of the views say.
#[test]
fn statistics_are_asked_for_by_contract_and_period() {
    let (world, alice, bob) = listed();
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.3&price=50000");
    place(&alice, "side=BUY&type=MARKET&quantity=0.1");
    for name in ["openInterestHist", "globalLongShortAccountRatio", "takerlongshortRatio"] {
        let ask = |params: &str| world.get(&format!("/futures/data/{name}?{params}"));
        let rows = ask("symbol=BTCUSDT&period=5m").ok();
        // Five minutes may just have ended.
        let rows = rows.as_array().unwrap();
        let is_past = |row: &Value| row["timestamp"].as_u64().unwrap() <= now_ms();
        assert!(rows.len() <= 1 && rows.iter().all(is_past), "{rows:?}");
        assert_eq!(ask("symbol=BTCUSDT&period=1d&endTime=1").ok(), json!([]));
        let missing =
            |what: &str| format!("Mandatory parameter '{what}' was not sent, was empty/null, or malformed.");
        ask("symbol=BTCUSDT").assert_error(400, -1102, &missing("period"));
        ask("period=5m").assert_error(400, -1102, &missing("symbol"));
        ask("symbol=NONE&period=5m").assert_error(400, -1121, "Invalid symbol.");
        let text = "Data sent for parameter 'period' is not valid: it is one of 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d.";
        ask("symbol=BTCUSDT&period=3m").assert_error(400, -1130, text);
    }
}
