//! The WebSocket API: the endpoints of REST by their names there, sessions, and the order of requests.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway_http::{GatewaySettings, SocketSettings};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::http::{Trader, now_ms};
use crate::socket::Socket;
use crate::world::{World, assert_fields};

const PATH: &str = "/ws-api/v3";

/// `params` with key, timestamp and signature, as the WebSocket API wants them.
fn signed(trader: &Trader, params: &Value) -> Value {
    let mut params = params.as_object().expect("parameters have names").clone();
    params.insert("apiKey".to_owned(), trader.key.clone().into());
    params.insert("timestamp".to_owned(), now_ms().into());
    let sorted: BTreeMap<_, _> = params.iter().collect();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let payload: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    params.insert("signature".to_owned(), trader.sign(&payload.join("&")).into());
    params.into()
}

fn request(id: impl Into<Value>, method: &str, params: &Value) -> String {
    json!({"id": id.into(), "method": method, "params": params}).to_string()
}

#[track_caller]
fn ask(socket: &mut Socket, method: &str, params: &Value) -> Value {
    socket.send(&request("the-id", method, params));
    let answer = socket.next();
    assert_eq!(answer["id"], "the-id");
    answer
}

#[track_caller]
fn fine(socket: &mut Socket, method: &str, params: &Value) -> Value {
    let answer = ask(socket, method, params);
    assert_eq!(answer["status"], 200, "{method}: {answer}");
    answer["result"].clone()
}

#[track_caller]
fn refused(socket: &mut Socket, method: &str, params: &Value) -> (u64, i64) {
    let answer = ask(socket, method, params);
    (answer["status"].as_u64().unwrap(), answer["error"]["code"].as_i64().expect("an error has a code"))
}

fn limit_order(side: &str, quantity: &str, price: &str) -> Value {
    json!({"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price})
}

#[test]
fn an_order_lives_over_the_websocket_api_as_over_rest() {
    let (world, alice, bob) = World::open();
    let mut socket = Socket::open(world.public, PATH);
    let mut order = limit_order("BUY", "0.5", "49000");
    order["newClientOrderId"] = "first".into();
    let placed = fine(&mut socket, "order.place", &signed(&alice, &order));
    // LIMIT without a response type is FULL, as over REST.
    assert_fields(
        &placed,
        "symbol orderId clientOrderId transactTime price origQty executedQty status fills",
    );
    assert_eq!((&placed["status"], &placed["clientOrderId"]), (&"NEW".into(), &"first".into()));
    let id = placed["orderId"].as_u64().unwrap();

    let status =
        fine(&mut socket, "order.status", &signed(&alice, &json!({"symbol": "BTCUSDT", "orderId": id})));
    assert_eq!(status, alice.get("/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}")).ok());
    let open = fine(&mut socket, "openOrders.status", &signed(&alice, &json!({})));
    assert_eq!(open, json!([status]));

    let amended = json!({"symbol": "BTCUSDT", "orderId": id, "newQty": "0.4"});
    let amended = fine(&mut socket, "order.amend.keepPriority", &signed(&alice, &amended));
    assert_eq!(amended["amendedOrder"]["qty"], "0.40000000");

    let replace = json!({
        "symbol": "BTCUSDT", "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": id, "side": "BUY", "type": "LIMIT",
        "timeInForce": "GTC", "quantity": 0.3, "price": 49100,
    });
    let replaced = fine(&mut socket, "order.cancelReplace", &signed(&alice, &replace));
    assert_eq!(replaced["cancelResult"], "SUCCESS");
    let id = replaced["newOrderResponse"]["orderId"].as_u64().unwrap();

    let sold = fine(&mut socket, "order.place", &signed(&bob, &limit_order("SELL", "0.1", "49100")));
    assert_eq!(sold["status"], "FILLED");
    let trades = fine(&mut socket, "myTrades", &signed(&alice, &json!({"symbol": "BTCUSDT"})));
    assert_eq!(trades, alice.get("/api/v3/myTrades", "symbol=BTCUSDT").ok());
    assert_eq!(trades.as_array().unwrap().len(), 1);

    let cancel = json!({"symbol": "BTCUSDT", "orderId": id});
    assert_eq!(fine(&mut socket, "order.cancel", &signed(&alice, &cancel))["status"], "CANCELED");
    assert_eq!(refused(&mut socket, "order.cancel", &signed(&alice, &cancel)), (400, -2011));
    fine(&mut socket, "order.place", &signed(&alice, &limit_order("BUY", "0.1", "48000")));
    let all = fine(&mut socket, "openOrders.cancelAll", &signed(&alice, &json!({"symbol": "BTCUSDT"})));
    assert_eq!(all.as_array().unwrap().len(), 1);
    let orders = fine(&mut socket, "allOrders", &signed(&alice, &json!({"symbol": "BTCUSDT"})));
    assert_eq!(orders, alice.get("/api/v3/allOrders", "symbol=BTCUSDT").ok());
    let account = fine(&mut socket, "account.status", &signed(&alice, &json!({})));
    assert_eq!(account["balances"], alice.get("/api/v3/account", "").ok()["balances"]);
    fine(&mut socket, "account.commission", &signed(&alice, &json!({"symbol": "BTCUSDT"})));
    fine(&mut socket, "account.rateLimits.orders", &signed(&alice, &json!({})));
    assert_eq!(
        fine(&mut socket, "order.test", &signed(&alice, &limit_order("BUY", "0.1", "48000"))),
        json!({})
    );
}

#[test]
fn a_replacement_that_fails_by_half_tells_both_halves() {
    let (world, alice, _) = World::open();
    let mut socket = Socket::open(world.public, PATH);
    let replace = json!({
        "symbol": "BTCUSDT", "cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": 99, "side": "BUY", "type": "LIMIT",
        "timeInForce": "GTC", "quantity": "0.3", "price": "49100",
    });
    let answer = ask(&mut socket, "order.cancelReplace", &signed(&alice, &replace));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&409.into(), &(-2021).into()));
    assert_eq!(answer["error"]["data"]["cancelResult"], "FAILURE");
    assert_eq!(answer["error"]["data"]["newOrderResult"], "SUCCESS");
}

#[test]
fn what_everybody_may_see_is_the_same_over_both_doors() {
    let (world, alice, bob) = World::open();
    alice.rest("BUY", "0.5", "49000");
    bob.place("side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.2&price=49000").ok();
    let mut socket = Socket::open(world.public, PATH);
    let symbol = json!({"symbol": "BTCUSDT"});
    for (method, path) in [
        ("depth", "depth?symbol=BTCUSDT"),
        ("trades.recent", "trades?symbol=BTCUSDT"),
        ("trades.historical", "historicalTrades?symbol=BTCUSDT"),
        ("trades.aggregate", "aggTrades?symbol=BTCUSDT"),
        ("avgPrice", "avgPrice?symbol=BTCUSDT"),
        ("ticker.price", "ticker/price?symbol=BTCUSDT"),
        ("ticker.book", "ticker/bookTicker?symbol=BTCUSDT"),
    ] {
        let there = world.get(&format!("/api/v3/{path}")).ok();
        assert_eq!(fine(&mut socket, method, &symbol), there, "{method}");
        assert_eq!(fine(&mut socket, &format!("v3/{method}"), &symbol), there, "{method}");
    }
    assert_eq!(fine(&mut socket, "ping", &json!({})), json!({}));
    assert!(fine(&mut socket, "time", &json!({}))["serverTime"].is_u64());
    assert_eq!(fine(&mut socket, "exchangeInfo", &symbol)["symbols"][0]["symbol"], "BTCUSDT");
    let several = json!({"symbols": ["BTCUSDT"]});
    assert_eq!(fine(&mut socket, "exchangeInfo", &several)["symbols"].as_array().unwrap().len(), 1);
    let candles = json!({"symbol": "BTCUSDT", "interval": "1m", "limit": 1});
    assert_eq!(fine(&mut socket, "klines", &candles)[0][5], "0.20000000");
    assert_eq!(fine(&mut socket, "uiKlines", &candles)[0][5], "0.20000000");
    assert_eq!(fine(&mut socket, "ticker.24hr", &symbol)["lastPrice"], "49000.00");
    let hour = json!({"symbol": "BTCUSDT", "windowSize": "1h"});
    assert_eq!(fine(&mut socket, "ticker", &hour)["lastPrice"], "49000.00");
    assert_eq!(refused(&mut socket, "ticker", &json!({"windowSize": "1h"})), (400, -1102));
}

#[test]
fn what_cannot_be_answered_is_told_why() {
    let (world, alice, bob) = World::open();
    let mut socket = Socket::open(world.public, PATH);
    for text in ["", "x", "[1,2]", "{\"id\":"] {
        socket.send(text);
        let answer = socket.next();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &(-1135).into()), "{text}");
    }
    assert_eq!(refused(&mut socket, "order.fly", &json!({})), (400, -1020));
    assert_eq!(refused(&mut socket, "depth", &json!({})), (400, -1102));
    assert_eq!(refused(&mut socket, "depth", &json!({"symbol": "NOPE"})), (400, -1121));
    assert_eq!(refused(&mut socket, "depth", &json!({"symbol": "BTCUSDT", "colour": "red"})), (400, -1104));
    let order = limit_order("BUY", "0.1", "48000");
    assert_eq!(refused(&mut socket, "order.place", &order), (401, -1002), "nobody is logged on");
    let mut forged = signed(&alice, &order);
    forged["apiKey"] = bob.key.clone().into();
    assert_eq!(refused(&mut socket, "order.place", &forged), (400, -1022));
    let mut changed = signed(&alice, &order);
    changed["quantity"] = "0.2".into();
    assert_eq!(refused(&mut socket, "order.place", &changed), (400, -1022));
    let mut nameless = signed(&alice, &order);
    nameless["apiKey"] = "".into();
    assert_eq!(refused(&mut socket, "order.place", &nameless), (401, -2014));
    let reader = world.key(alice.account, &["read"]);
    assert_eq!(refused(&mut socket, "order.place", &signed(&reader, &order)), (401, -2015));
    fine(&mut socket, "account.status", &signed(&reader, &json!({})));

    let over_rest = world.get(PATH);
    assert_eq!((over_rest.status, &over_rest.body["code"]), (426, &(-1020).into()));
}

#[test]
fn ids_come_back_and_rate_limits_are_told_unless_not_wanted() {
    let (world, ..) = World::open();
    let mut socket = Socket::open(world.public, PATH);
    for id in [json!(7), json!("e2a85d9f-07a5-4f94-8d5f-789dc3deb097"), Value::Null] {
        socket.send(&request(id.clone(), "ping", &json!({})));
        let answer = socket.next();
        assert_eq!(answer["id"], id);
        assert!(answer["rateLimits"].is_array(), "{answer}");
    }
    let quiet = ask(&mut socket, "ping", &json!({"returnRateLimits": false}));
    assert_eq!(quiet.get("rateLimits"), None);
    let mut socket = Socket::open(world.public, "/ws-api/v3?returnRateLimits=false&timeUnit=MICROSECOND");
    assert_eq!(ask(&mut socket, "ping", &json!({})).get("rateLimits"), None);
    assert!(ask(&mut socket, "ping", &json!({"returnRateLimits": true}))["rateLimits"].is_array());
    assert!(fine(&mut socket, "time", &json!({}))["serverTime"].as_u64().unwrap() > 1_000_000_000_000_000);
    assert!(Socket::try_open(world.public, "/ws-api/v3?timeUnit=DAY").is_none());
}

/// A cancel that is sent behind its order finds it, although nobody waited for an answer in between.
#[test]
fn requests_reach_the_exchange_in_the_order_in_which_they_were_sent() {
    let sockets = SocketSettings { max_requests_in_flight: 5, ..SocketSettings::default() };
    for settings in [GatewaySettings::default(), GatewaySettings { sockets, ..GatewaySettings::default() }] {
        let (world, alice, _) = World::open_with(settings);
        let mut socket = Socket::open(world.public, PATH);
        // No more at once than may be open: where the market is apart, an order that is cancelled counts until that is told.
        for numbers in [0..150, 150..300] {
            for number in numbers.clone() {
                let mut order = limit_order("BUY", "0.001", "48000");
                order["newClientOrderId"] = format!("order-{number}").into();
                socket.send(&request(2 * number, "order.place", &signed(&alice, &order)));
                let cancel = json!({"symbol": "BTCUSDT", "origClientOrderId": format!("order-{number}")});
                socket.send(&request(2 * number + 1, "order.cancel", &signed(&alice, &cancel)));
            }
            let requests = 2 * numbers.start..2 * numbers.end;
            let mut answered: Vec<u64> = requests
                .clone()
                .map(|_| {
                    let answer = socket.next();
                    assert_eq!(answer["status"], 200, "{answer}");
                    answer["id"].as_u64().unwrap()
                })
                .collect();
            answered.sort_unstable();
            assert!(answered.into_iter().eq(requests), "each is answered once");
        }
    }
}

#[test]
fn what_was_asked_before_the_stop_is_answered_and_the_stop_is_told() {
    let (mut world, alice, _) = World::open();
    let mut socket = Socket::open(world.public, PATH);
    fine(&mut socket, "order.place", &signed(&alice, &limit_order("BUY", "0.1", "48000")));
    world.begin_to_stop();
    let (messages, code) = socket.rest();
    assert_eq!(messages.last().expect("a farewell")["event"]["e"], "serverShutdown");
    assert_eq!(code, Some(tungstenite::protocol::frame::coding::CloseCode::Away));
    world.stop_serving();
}

/// A key pair of the client's own, and what a session signs with.
struct Pair {
    key: String,
    pair: Ed25519KeyPair,
}

impl Pair {
    fn of(world: &World, account: u64, permissions: &[&str]) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let public_key = STANDARD.encode(pair.public_key().as_ref());
        let body = json!({"permissions": permissions, "public_key": public_key});
        let key = world.done("POST", &format!("/accounts/{account}/keys"), &body);
        Self { key: key["key"].as_str().unwrap().to_owned(), pair }
    }

    fn logon(&self) -> Value {
        let timestamp = now_ms();
        let payload = format!("apiKey={}&timestamp={timestamp}", self.key);
        let signature = STANDARD.encode(self.pair.sign(payload.as_bytes()).as_ref());
        json!({"apiKey": self.key, "timestamp": timestamp, "signature": signature})
    }
}

fn in_time(params: &Value) -> Value {
    let mut params = params.clone();
    params["timestamp"] = now_ms().into();
    params
}

#[test]
fn who_is_logged_on_need_not_sign() {
    let (world, alice, bob) = World::open();
    let pair = Pair::of(&world, alice.account, &["read", "trade"]);
    let mut socket = Socket::open(world.public, PATH);
    let status = fine(&mut socket, "session.status", &json!({}));
    assert_eq!((&status["apiKey"], &status["authorizedSince"]), (&Value::Null, &Value::Null));
    assert_eq!(
        refused(&mut socket, "session.logon", &signed(&alice, &json!({}))),
        (400, -4056),
        "HMAC cannot"
    );
    let mut forged = pair.logon();
    forged["timestamp"] = (now_ms() + 1).into();
    assert_eq!(refused(&mut socket, "session.logon", &forged), (400, -1022));

    let logon = fine(&mut socket, "session.logon", &pair.logon());
    assert_fields(&logon, "apiKey authorizedSince connectedSince returnRateLimits serverTime userDataStream");
    assert_eq!(logon["apiKey"], pair.key);
    let placed = fine(&mut socket, "order.place", &in_time(&limit_order("BUY", "0.1", "48000")));
    assert_eq!(placed["status"], "NEW");
    let late = json!({"symbol": "BTCUSDT", "timestamp": now_ms() - 60_000});
    assert_eq!(refused(&mut socket, "openOrders.cancelAll", &late), (400, -1021));
    assert_eq!(
        refused(&mut socket, "account.status", &json!({})),
        (400, -1102),
        "a time is needed all the same"
    );
    // Somebody else's signature counts for its own request.
    assert_eq!(fine(&mut socket, "openOrders.status", &signed(&bob, &json!({}))), json!([]));
    assert_eq!(fine(&mut socket, "openOrders.status", &in_time(&json!({}))).as_array().unwrap().len(), 1);

    let mut reader = Socket::open(world.public, PATH);
    fine(&mut reader, "session.logon", &Pair::of(&world, alice.account, &["read"]).logon());
    assert_eq!(
        refused(&mut reader, "openOrders.cancelAll", &in_time(&json!({"symbol": "BTCUSDT"}))),
        (401, -2015)
    );

    // A key that is revoked meanwhile is none.
    world.done("DELETE", &format!("/keys/{}", pair.key), &Value::Null);
    assert_eq!(refused(&mut socket, "account.status", &in_time(&json!({}))), (401, -2015));
    assert_eq!(fine(&mut socket, "session.logout", &json!({}))["apiKey"], Value::Null);
    assert_eq!(refused(&mut socket, "account.status", &in_time(&json!({}))), (401, -1002));
}

#[test]
fn subscriptions_begin_and_end_with_what_they_belong_to() {
    let (world, alice, bob) = World::open();
    let pair = Pair::of(&world, alice.account, &["read"]);
    let mut socket = Socket::open(world.public, PATH);
    let listed = |socket: &mut Socket| fine(socket, "session.subscriptions", &json!({}));
    assert_eq!(refused(&mut socket, "userDataStream.subscribe", &json!({})), (401, -1002));
    fine(&mut socket, "session.logon", &pair.logon());
    assert_eq!(fine(&mut socket, "userDataStream.subscribe", &json!({})), json!({"subscriptionId": 0}));
    assert_eq!(refused(&mut socket, "userDataStream.subscribe", &json!({})), (400, -2035));
    let of_alice = signed(&alice, &json!({}));
    assert_eq!(refused(&mut socket, "userDataStream.subscribe.signature", &of_alice), (400, -2035));
    let of_bob = signed(&bob, &json!({}));
    assert_eq!(
        fine(&mut socket, "userDataStream.subscribe.signature", &of_bob),
        json!({"subscriptionId": 1})
    );
    assert_eq!(listed(&mut socket), json!([{"subscriptionId": 0}, {"subscriptionId": 1}]));
    assert_eq!(fine(&mut socket, "session.status", &json!({}))["userDataStream"], true);

    fine(&mut socket, "session.logout", &json!({}));
    assert_eq!(listed(&mut socket), json!([{"subscriptionId": 1}]), "bob's does not belong to the session");
    assert_eq!(
        refused(&mut socket, "userDataStream.unsubscribe", &json!({"subscriptionId": 0})),
        (400, -2036)
    );
    assert_eq!(fine(&mut socket, "userDataStream.unsubscribe", &json!({"subscriptionId": 1})), json!({}));
    assert_eq!(listed(&mut socket), json!([]));
    let again = fine(&mut socket, "userDataStream.subscribe.signature", &signed(&bob, &json!({})));
    assert_eq!(again, json!({"subscriptionId": 2}), "no id is used twice");
    assert_eq!(fine(&mut socket, "userDataStream.unsubscribe", &json!({})), json!({}));
    assert_eq!(fine(&mut socket, "session.status", &json!({}))["userDataStream"], false);
}

/// The events of one subscription until the one that `is_last`.
fn events_until(socket: &mut Socket, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let message = socket.next();
        assert_eq!(message["subscriptionId"], 0, "{message}");
        let event = message["event"].clone();
        let last = is_last(&event);
        events.push(event);
        if last {
            return events;
        }
    }
}

/// What an account is told over its socket is what REST tells when it is asked.
#[test]
fn the_events_of_an_account_tell_what_rest_tells() {
    let (world, alice, bob) = World::open();
    let mut socket = Socket::open(world.public, PATH);
    fine(&mut socket, "userDataStream.subscribe.signature", &signed(&alice, &json!({})));
    let id = alice.rest("BUY", "0.5", "49000");
    bob.place("side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.2&price=49000").ok();
    alice.send("DELETE", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}")).ok();
    let deposit =
        json!({"account": alice.account, "asset": "BTC", "amount": "0.25", "reference": "one-more"});
    world.done("POST", "/deposits", &deposit);
    let events = events_until(&mut socket, |event| event["e"] == "balanceUpdate");

    let reports: Vec<&Value> = events.iter().filter(|event| event["e"] == "executionReport").collect();
    let told: Vec<_> = reports.iter().map(|report| (&report["x"], &report["X"], &report["z"])).collect();
    assert_eq!(
        told,
        [
            (&"NEW".into(), &"NEW".into(), &"0.00000000".into()),
            (&"TRADE".into(), &"PARTIALLY_FILLED".into(), &"0.20000000".into()),
            (&"CANCELED".into(), &"CANCELED".into(), &"0.20000000".into()),
        ]
    );
    let order = alice.get("/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}")).ok();
    let last = reports[2];
    for (there, here) in [
        ("symbol", "s"),
        ("orderId", "i"),
        ("price", "p"),
        ("origQty", "q"),
        ("executedQty", "z"),
        ("cummulativeQuoteQty", "Z"),
        ("status", "X"),
        ("side", "S"),
        ("type", "o"),
        ("timeInForce", "f"),
        ("updateTime", "T"),
    ] {
        assert_eq!(order[there], last[here], "{there}");
    }
    let trade = &alice.get("/api/v3/myTrades", "symbol=BTCUSDT").ok()[0];
    for (there, here) in [("id", "t"), ("price", "L"), ("qty", "l"), ("commission", "n"), ("isMaker", "m")] {
        assert_eq!(trade[there], reports[1][here], "{there}");
    }

    assert_eq!(
        (&events.last().unwrap()["a"], &events.last().unwrap()["d"]),
        (&"BTC".into(), &"0.25000000".into())
    );
    let account = alice.get("/api/v3/account", "").ok();
    let balance = |asset: &str| {
        let balances = account["balances"].as_array().unwrap();
        balances.iter().find(|balance| balance["asset"] == asset).unwrap().clone()
    };
    let positions = events.iter().filter(|event| event["e"] == "outboundAccountPosition");
    let mut usdt =
        positions.filter_map(|event| event["B"].as_array()?.iter().find(|entry| entry["a"] == "USDT"));
    let usdt = usdt.next_back().expect("the order held some");
    assert_eq!((&usdt["f"], &usdt["l"]), (&balance("USDT")["free"], &balance("USDT")["locked"]));
}

/// A key that is revoked, or loses its permission, hears nothing more, also where it was let in before.
#[test]
fn events_end_with_the_right_to_hear_them() {
    let (world, alice, bob) = World::open();
    for spoil in ["revoke", "change"] {
        let mut socket = Socket::open(world.public, PATH);
        let heard = world.key(alice.account, &["read"]);
        fine(&mut socket, "userDataStream.subscribe.signature", &signed(&heard, &json!({})));
        fine(&mut socket, "userDataStream.subscribe.signature", &signed(&bob, &json!({})));
        // A deposit from before may be told only now, where another partition tells it.
        let mut next = || loop {
            let event = socket.next();
            if event["event"]["e"] != "balanceUpdate" {
                return event;
            }
        };
        alice.rest("BUY", "0.1", "48000");
        let first = next();
        assert_eq!((&first["subscriptionId"], &first["event"]["e"]), (&0.into(), &"executionReport".into()));
        let position = next();
        assert_eq!(position["event"]["e"], "outboundAccountPosition");

        let path = format!("/keys/{}", heard.key);
        match spoil {
            "revoke" => world.done("DELETE", &path, &Value::Null),
            _ => world.done("PUT", &path, &json!({"permissions": ["trade"]})),
        };
        alice.rest("BUY", "0.1", "48000");
        bob.rest("BUY", "0.1", "48000");
        assert_eq!(next()["subscriptionId"], 1, "alice's came before, and was not told");
    }
}
