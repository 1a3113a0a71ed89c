//! Perpetual contracts: the operator lists and changes them, feeds tell prices, accounts trade at them and are told of it.

use std::time::Duration;

use gateway_http::{FuturesSettings, GatewaySettings, SocketSettings};
use serde_json::{Value, json};

use crate::http::{Connection, Trader};
use crate::socket::Socket;
use crate::world::World;

#[track_caller]
fn refused(world: &World, method: &str, path: &str, body: &Value) -> (u16, String) {
    let answer = world.operate(method, path, body);
    (answer.status, answer.body["error"].as_str().expect("it is an error").to_owned())
}

fn contract(sources: &Value) -> Value {
    json!({
        "name": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick_size": "0.1", "lot_size": "0.001",
        "initial_price": "50000", "perpetual": { "fund": "house", "sources": sources },
    })
}

/// With a contract of the name of the spot market, and money of both traders in their futures wallets.
pub fn listed() -> (World, Trader, Trader) {
    listed_with(FuturesSettings::default())
}

pub fn listed_with(futures: FuturesSettings) -> (World, Trader, Trader) {
    // Without pings a socket that is told nothing ends with its client's patience.
    let sockets = SocketSettings { ping_interval: Duration::from_hours(1), ..SocketSettings::default() };
    let settings = GatewaySettings { futures, sockets, ..GatewaySettings::default() };
    let (world, alice, bob) = World::open_with(settings);
    world.done("POST", "/accounts", &json!({ "name": "house" }));
    world.done("POST", "/contracts", &contract(&json!([{}])));
    for trader in [&alice, &bob] {
        let moved = "type=MAIN_UMFUTURE&asset=USDT&amount=10000";
        assert!(trader.send("POST", "/sapi/v1/asset/transfer", moved).ok()["tranId"].is_u64());
    }
    (world, alice, bob)
}

pub fn place(trader: &Trader, params: &str) -> Value {
    let params = format!("symbol=BTCUSDT&newOrderRespType=RESULT&{params}");
    trader.send("POST", "/fapi/v1/order", &params).ok()
}

pub fn set_index(world: &World, price: &str) {
    world.done("PUT", "/contracts/BTCUSDT/index-price", &json!({ "price": price }));
}

/// So many messages, one a second, are waited for a price at the most.
const PATIENCE: u32 = 30;

/// Sets the index price, and waits until the mark price is what it has to be then.
pub fn mark_becomes(world: &World, index: &str, mark: &str) {
    let mut marks = Socket::open(world.public, "/market/ws/btcusdt@markPrice@1s");
    set_index(world, index);
    let mut is_told = || {
        let told = marks.next();
        (told["i"].as_str(), told["p"].as_str()) == (Some(index), Some(mark))
    };
    assert!((0..PATIENCE).any(|_| is_told()), "the mark price does not become {mark}");
}

#[test]
fn the_operator_lists_a_contract_beside_a_market_of_the_same_name() {
    let (world, ..) = World::open();
    assert_eq!(
        refused(&world, "POST", "/contracts", &contract(&json!([{}]))),
        (400, "fund: there is no account 'house'; open it first".to_owned())
    );
    world.done("POST", "/accounts", &json!({ "name": "house" }));
    assert_eq!(
        refused(&world, "POST", "/contracts", &contract(&json!([{ "spot": "DOGEUSDT" }]))),
        (400, "sources: there is no spot market 'DOGEUSDT'".to_owned())
    );
    let sources = json!([{ "spot": "BTCUSDT", "weight": 2 }, { "weight": 1 }]);
    let added = world.done("POST", "/contracts", &contract(&sources));
    assert_eq!((&added["perpetual"]["sources"], &added["perpetual"]["fund"]), (&sources, &json!("house")));
    assert_eq!(refused(&world, "POST", "/contracts", &contract(&sources)).1, "the name is taken");

    let change = json!({ "taker_fee": "0.001", "perpetual": { "default_leverage": 5 } });
    let changed = world.done("PUT", "/contracts/BTCUSDT", &change);
    assert_eq!(
        (&changed["taker_fee"], &changed["perpetual"]["default_leverage"]),
        (&json!("0.001000"), &json!(5))
    );
    assert_eq!(
        refused(&world, "PUT", "/contracts/NONE", &change),
        (404, "there is no contract 'NONE'".to_owned())
    );
    let spot = world.done("GET", "/markets", &json!(null));
    assert!(spot.as_array().unwrap().iter().all(|market| market["perpetual"].is_null()));
    assert_eq!(world.done("GET", "/contracts", &json!(null)).as_array().unwrap().len(), 1);
    assert_eq!(world.get("/fapi/v1/exchangeInfo").ok()["symbols"][0]["contractType"], "PERPETUAL");
}

#[test]
fn a_feed_tells_a_price() {
    let (world, ..) = listed();
    let told = world.done("PUT", "/contracts/BTCUSDT/index-price", &json!({ "price": "50100.5" }));
    assert_eq!((&told["source"], &told["price"]), (&json!(0), &json!("50100.5")));
    assert_eq!(
        refused(&world, "PUT", "/contracts/BTCUSDT/index-price", &json!({ "price": "50100", "source": 3 })).0,
        400
    );
    assert_eq!(
        refused(&world, "PUT", "/contracts/BTCUSDT/index-price", &json!({ "price": "50100.55" })).1,
        "Filter failure: PRICE_FILTER"
    );
}

#[test]
fn accounts_trade_and_are_told_of_it() {
    let (world, alice, bob) = listed();
    let key = Connection::open(world.public).send("POST", "/fapi/v1/listenKey", &alice.key_header(), "").ok();
    let key = key["listenKey"].as_str().unwrap();
    let mut socket = Socket::open(world.public, &format!("/private/ws?listenKey={key}"));
    let mut trades = Socket::open(world.public, "/market/stream?streams=btcusdt@trade");
    // Both are subscribed once they answer.
    for socket in [&mut socket, &mut trades] {
        socket.ask(&json!({ "method": "LIST_SUBSCRIPTIONS", "id": 1 }));
    }
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000");
    let bought = place(&alice, "side=BUY&type=MARKET&quantity=0.1");
    assert_eq!((&bought["status"], &bought["avgPrice"]), (&json!("FILLED"), &json!("50000.000000")));

    let mut told = Vec::new();
    while told.last().is_none_or(|event: &Value| event["e"] != "ACCOUNT_UPDATE") {
        told.push(socket.next());
    }
    let executions: Vec<&Value> = told
        .iter()
        .filter(|event| event["e"] == "ORDER_TRADE_UPDATE")
        .map(|event| &event["o"]["X"])
        .collect();
    assert_eq!(executions, ["NEW", "FILLED"]);
    let update = &told.last().unwrap()["a"];
    assert_eq!((&update["m"], &update["P"][0]["pa"]), (&json!("ORDER"), &json!("0.10000000")));
    // The fee of the taker: 5,000 at 0.0005.
    assert_eq!(update["B"][0]["wb"], "9997.500000");
    let trade = trades.next();
    assert_eq!((&trade["stream"], &trade["data"]["p"]), (&json!("btcusdt@trade"), &json!("50000.0")));

    // The spot market of the same name has seen nothing of it.
    assert_eq!(world.get("/api/v3/trades?symbol=BTCUSDT").ok(), json!([]));
    assert_eq!(alice.get("/api/v3/openOrders", "symbol=BTCUSDT").ok(), json!([]));
}

#[test]
fn what_was_told_is_there_after_a_restart() {
    let (world, alice, bob) = listed();
    for trader in [&alice, &bob] {
        trader.send("POST", "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=ISOLATED").ok();
    }
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.3&price=50000");
    place(&alice, "side=BUY&type=MARKET&quantity=0.1");
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_MARKET&triggerPrice=40000&closePosition=true";
    alice.send("POST", "/fapi/v1/algoOrder", stop).ok();
    let asked = [
        ("/fapi/v3/positionRisk", ""),
        ("/fapi/v1/allOrders", "symbol=BTCUSDT"),
        ("/fapi/v1/userTrades", "symbol=BTCUSDT"),
        ("/fapi/v1/income", ""),
        ("/fapi/v1/positionMargin/history", "symbol=BTCUSDT"),
        ("/fapi/v1/openAlgoOrders", ""),
    ];
    let answers = |world: &World| {
        [&alice, &bob].map(|trader| {
            let trader = Trader { address: world.public, ..trader.clone() };
            asked.map(|(path, params)| trader.get(path, params).ok())
        })
    };
    let before = answers(&world);
    assert!(before.iter().all(|of_one| of_one[..5].iter().all(|answer| *answer != json!([]))));
    let world = world.restart();
    assert_eq!(answers(&world), before);
}

/// `[{"symbol":"BTCUSDT",…}]`, as a form has it.
fn in_a_list(fields: &str) -> String {
    format!("%5B%7B%22symbol%22%3A%22BTCUSDT%22{fields}%7D%5D")
}

#[test]
fn an_order_in_a_list_with_a_field_that_nobody_knows_is_refused() {
    let (_world, alice, _bob) = listed();
    let known = "%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22LIMIT%22%2C%22timeInForce%22%3A%22GTC%22\
                 %2C%22quantity%22%3A%220.1%22%2C%22price%22%3A%2250000%22";
    let send = |method: &str, fields: &str| {
        alice.send(method, "/fapi/v1/batchOrders", &format!("batchOrders={}", in_a_list(fields))).ok()
    };
    assert_eq!(send("POST", known)[0]["status"], "NEW");
    for method in ["POST", "PUT"] {
        let outcome = send(method, &format!("{known}%2C%22quantiti%22%3A%221%22"));
        assert_eq!(outcome[0]["code"], -1104, "{method}: {outcome}");
    }
}
