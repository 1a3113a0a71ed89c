//! What an account may see of its positions beside their figures: how their margins came about, how soon they would be deleveraged.

use std::time::Duration;

use gateway_http::FuturesSettings;
use serde_json::{Value, json};

use crate::contracts::{listed, listed_with, mark_becomes, place, set_index};
use crate::futures_stream::listen;
use crate::http::Trader;

const ISOLATED: &str = "symbol=BTCUSDT&marginType=ISOLATED";

#[test]
fn a_margin_has_a_history() {
    let (world, alice, bob) = listed();
    let changes = |params: &str| {
        let all = alice.get("/fapi/v1/positionMargin/history", &format!("symbol=BTCUSDT{params}")).ok();
        let change = |change: &Value| {
            let text = |field: &str| change[field].as_str().unwrap().to_owned();
            format!("{} {} {} {}", change["type"], text("deltaType"), text("amount"), text("positionSide"))
        };
        all.as_array().unwrap().iter().map(change).collect::<Vec<_>>()
    };
    assert_eq!(changes(""), [""; 0]);
    alice.send("POST", "/fapi/v1/marginType", ISOLATED).ok();
    alice.send("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=10").ok();
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000");
    place(&alice, "side=BUY&type=MARKET&quantity=0.1");
    for moved in ["amount=70.5&type=1", "amount=20&type=2"] {
        alice.send("POST", "/fapi/v1/positionMargin", &format!("symbol=BTCUSDT&{moved}")).ok();
    }
    place(&bob, "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.05&price=50000");
    place(&alice, "side=SELL&type=MARKET&quantity=0.05");
    // A tenth of 5,000 and the fee of 2.5; then half of what is there, less the fee of 1.25.
    let all = [
        "1 TRADE 502.500000 BOTH",
        "1 USER_ADJUST 70.500000 BOTH",
        "2 USER_ADJUST 20.000000 BOTH",
        "2 TRADE 274.000000 BOTH",
    ];
    assert_eq!(changes(""), all);
    assert_eq!(changes("&type=1"), all[..2]);
    assert_eq!(changes("&type=2"), all[2..]);
    assert_eq!(changes("&limit=1"), all[3..], "the latest");
    assert_eq!(changes("&startTime=0&limit=1"), all[..1], "the first from there on");
    assert_eq!(changes("&endTime=1"), [""; 0]);
    let first = &alice.get("/fapi/v1/positionMargin/history", "symbol=BTCUSDT").ok()[0];
    assert_eq!((&first["symbol"], &first["asset"]), (&json!("BTCUSDT"), &json!("USDT")));
    assert_eq!(bob.get("/fapi/v1/positionMargin/history", "symbol=BTCUSDT").ok(), json!([]));

    let refused = |params: &str, code: i64, text: &str| {
        alice.get("/fapi/v1/positionMargin/history", params).assert_error(400, code, text);
    };
    refused("", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.");
    refused("symbol=NONE", -1121, "Invalid symbol.");
    let text = "Data sent for parameter 'type' is not valid: 1 is margin that was added, 2 margin that was taken out; \
                leave it out for both.";
    refused("symbol=BTCUSDT&type=3", -1130, text);
    let reader = world.key(alice.account, &["read"]);
    assert_eq!(reader.get("/fapi/v1/positionMargin/history", "symbol=BTCUSDT").error().1, -2015);
}

#[test]
fn who_has_won_most_with_most_leverage_is_deleveraged_first() {
    let now = FuturesSettings { adl_refresh: Duration::ZERO, ..FuturesSettings::default() };
    let (world, alice, bob) = listed_with(now);
    set_index(&world, "50000");
    let quantile = |trader: &Trader| trader.get("/fapi/v1/adlQuantile", "").ok();
    let of_one_way = |quantile: u8| json!([{ "symbol": "BTCUSDT", "adlQuantile": { "LONG": 0, "SHORT": 0, "BOTH": quantile } }]);
    assert_eq!(quantile(&alice), json!([]), "no position, no place");
    let named = alice.get("/fapi/v1/adlQuantile", "symbol=BTCUSDT").ok();
    assert_eq!(named, of_one_way(0));

    // Five are long; those who have put in less have more leverage.
    let longs: Vec<Trader> = ["carol", "dave", "erin", "frank"].map(|name| world.trader(name)).into();
    for (trader, wallet) in longs.iter().zip([1_000, 2_000, 4_000, 8_000]) {
        let moved = format!("type=MAIN_UMFUTURE&asset=USDT&amount={wallet}");
        trader.send("POST", "/sapi/v1/asset/transfer", &moved).ok();
    }
    let longs: Vec<&Trader> = longs.iter().chain([&alice]).collect();
    for trader in &longs {
        place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000");
        place(trader, "side=BUY&type=MARKET&quantity=0.1");
    }
    mark_becomes(&world, "51000.0", "51000.0");
    for (trader, fifth) in longs.iter().zip([4, 3, 2, 1, 0]) {
        assert_eq!(quantile(trader), of_one_way(fifth));
        assert_eq!(trader.get("/fapi/v3/positionRisk", "").ok()[0]["adl"], fifth);
    }
    // The only one who is short has lost.
    assert_eq!(quantile(&bob), of_one_way(0));

    // In hedge mode each position has a place; where a wallet backs both, the better one is told of both.
    let gina = world.trader("gina");
    gina.send("POST", "/sapi/v1/asset/transfer", "type=MAIN_UMFUTURE&asset=USDT&amount=50000").ok();
    gina.send("POST", "/fapi/v1/positionSide/dual", "dualSidePosition=true").ok();
    let both_sides = json!([{ "symbol": "BTCUSDT", "adlQuantile": { "LONG": 0, "SHORT": 0, "HEDGE": 0 } }]);
    assert_eq!(gina.get("/fapi/v1/adlQuantile", "symbol=BTCUSDT").ok(), both_sides);
    gina.send("POST", "/fapi/v1/marginType", ISOLATED).ok();
    assert_eq!(gina.get("/fapi/v1/adlQuantile", "symbol=BTCUSDT").ok(), of_one_way(0));
    alice.get("/fapi/v1/adlQuantile", "symbol=NONE").assert_error(400, -1121, "Invalid symbol.");
}

/// While a ranking serves, nobody else's position changes a place.
#[test]
fn a_ranking_serves_for_a_while() {
    let (world, alice, bob) = listed();
    set_index(&world, "50000");
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000");
    place(&alice, "side=BUY&type=MARKET&quantity=0.1");
    mark_becomes(&world, "51000.0", "51000.0");
    let adl = |trader: &Trader| trader.get("/fapi/v3/positionRisk", "").ok()[0]["adl"].as_u64().unwrap();
    assert_eq!(adl(&alice), 4);
    let carol = world.trader("carol");
    carol.send("POST", "/sapi/v1/asset/transfer", "type=MAIN_UMFUTURE&asset=USDT&amount=400").ok();
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50500");
    place(&carol, "side=BUY&type=MARKET&quantity=0.1");
    // Both would be the first of those who were there before.
    assert_eq!((adl(&alice), adl(&carol)), (4, 4));
}

/// Nobody buys what is liquidated and the fund is empty, so the first in the ranking is closed against it, and nobody else.
#[test]
fn who_is_told_to_be_the_first_is_deleveraged() {
    let now = FuturesSettings { adl_refresh: Duration::ZERO, ..FuturesSettings::default() };
    let (world, alice, bob) = listed_with(now);
    set_index(&world, "50000");
    alice.send("POST", "/sapi/v1/asset/transfer", "type=UMFUTURE_MAIN&asset=USDT&amount=6650").ok();
    let [carol, dave, erin] = [("carol", 2_000), ("dave", 4_000), ("erin", 8_000)].map(|(name, wallet)| {
        let trader = world.trader(name);
        let moved = format!("type=MAIN_UMFUTURE&asset=USDT&amount={wallet}");
        trader.send("POST", "/sapi/v1/asset/transfer", &moved).ok();
        trader
    });
    for (short, long) in [(&erin, &bob), (&dave, &bob), (&carol, &alice)] {
        place(short, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.3&price=50000");
        place(long, "side=BUY&type=MARKET&quantity=0.3");
    }
    mark_becomes(&world, "45000.0", "45000.0");
    let held = |trader: &Trader| {
        let risks = trader.get("/fapi/v3/positionRisk", "").ok();
        let risk = |risk: &Value| (risk["positionAmt"].as_str().unwrap().to_owned(), risk["adl"].clone());
        risks.as_array().unwrap().iter().map(risk).collect::<Vec<_>>()
    };
    let short = |adl: u8| vec![("-0.30000000".to_owned(), json!(adl))];
    assert_eq!([&carol, &dave, &erin].map(held), [4, 3, 1].map(short));

    // Alice has put in 3,350: at 38,000 she has lost more.
    let (mut socket, _) = listen(&world, &carol);
    set_index(&world, "38000");
    while socket.next()["a"]["P"][0]["pa"] != "0.00000000" {}
    assert_eq!([&carol, &dave, &erin].map(held), [vec![], short(4), short(2)]);
    assert_eq!(held(&alice), []);
}
