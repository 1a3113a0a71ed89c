//! What the clock tells an account that listens: that little is missing to a liquidation, and that its listen key has run out.

use std::time::Duration;

use gateway_http::FuturesSettings;
use serde_json::{Value, json};

use crate::contracts::{listed, listed_with, place, set_index};
use crate::http::{Connection, Trader};
use crate::socket::Socket;
use crate::world::World;

/// A socket that hears what happens to an account, and the listen key.
pub fn listen(world: &World, trader: &Trader) -> (Socket, String) {
    let key =
        Connection::open(world.public).send("POST", "/fapi/v1/listenKey", &trader.key_header(), "").ok();
    let key = key["listenKey"].as_str().unwrap().to_owned();
    let mut socket = Socket::open(world.public, &format!("/private/ws?listenKey={key}"));
    // It is subscribed once it answers.
    socket.ask(&json!({ "method": "LIST_SUBSCRIPTIONS", "id": 1 }));
    (socket, key)
}

/// Everything up to the second message of a mark price.
fn told_until(socket: &mut Socket, mark: &str) -> Vec<Value> {
    let (mut told, mut seen, mut prices) = (Vec::new(), 0, 0);
    while seen < 2 {
        let message = socket.next();
        prices += usize::from(message["e"] == "markPriceUpdate");
        assert!(prices < 30, "the mark price does not become {mark}");
        if message["e"] == "markPriceUpdate" {
            seen += usize::from(message["p"] == mark);
        } else {
            told.push(message);
        }
    }
    told
}

#[test]
fn a_margin_call_comes_once_before_a_liquidation() {
    let (world, alice, bob) = listed();
    set_index(&world, "50000");
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=50000");
    place(&alice, "side=BUY&type=MARKET&quantity=1");
    let (mut socket, _) = listen(&world, &alice);
    socket.ask(&json!({ "method": "SUBSCRIBE", "params": ["btcusdt@markPrice@1s"], "id": 2 }));
    // 9,975 are in the wallet. At 40,300 she has 275 left and needs 161.2; at 40,210 she has 185 and needs 160.84.
    set_index(&world, "40300");
    assert_eq!(told_until(&mut socket, "40300.0"), [json!(null); 0]);
    set_index(&world, "40210");
    let told = told_until(&mut socket, "40210.0");
    let [call] = &told[..] else { panic!("one call, not {told:?}") };
    assert!(call["E"].is_u64());
    let position = json!({
        "s": "BTCUSDT", "ps": "BOTH", "pa": "1.00000000", "mt": "CROSSED", "iw": "0.000000",
        "mp": "40210.0", "up": "-9790.000000", "mm": "160.840000",
    });
    assert_eq!((&call["e"], &call["cw"]), (&json!("MARGIN_CALL"), &json!("9975.000000")));
    assert_eq!(call["p"], json!([position]));
    set_index(&world, "40205");
    assert_eq!(told_until(&mut socket, "40205.0"), [json!(null); 0], "it was told");
}

#[test]
fn nobody_is_called_who_does_not_want_it() {
    let (world, alice, bob) =
        listed_with(FuturesSettings { margin_call_ppm: 0, ..FuturesSettings::default() });
    set_index(&world, "50000");
    place(&bob, "side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=50000");
    place(&alice, "side=BUY&type=MARKET&quantity=1");
    let (mut socket, _) = listen(&world, &alice);
    socket.ask(&json!({ "method": "SUBSCRIBE", "params": ["btcusdt@markPrice@1s"], "id": 2 }));
    set_index(&world, "40210");
    assert_eq!(told_until(&mut socket, "40210.0"), [json!(null); 0]);
}

#[test]
fn who_listens_is_told_when_the_listen_key_runs_out() {
    let life = Duration::from_secs(3);
    let (world, alice, bob) =
        listed_with(FuturesSettings { listen_key_life: life, ..FuturesSettings::default() });
    let (mut raw, key) = listen(&world, &alice);
    let mut combined = Socket::open(world.public, &format!("/private/stream?listenKey={key}"));
    let (mut bobs, _) = listen(&world, &bob);

    let expired = raw.next();
    assert_eq!((&expired["e"], &expired["listenKey"]), (&json!("listenKeyExpired"), &json!(key)));
    assert!(expired["E"].is_u64());
    let wrapped = combined.next();
    assert_eq!((&wrapped["stream"], &wrapped["data"]["listenKey"]), (&json!(key), &json!(key)));
    assert_eq!(bobs.next()["e"], "listenKeyExpired", "and he of his own");
    let kept = Connection::open(world.public).send("PUT", "/fapi/v1/listenKey", &alice.key_header(), "");
    kept.assert_error(400, -1125, "This listenKey does not exist.");

    // Nothing more comes under it. The connection stays, and takes another one.
    let (mut fresh, another) = listen(&world, &alice);
    assert_ne!(another, key);
    place(&alice, "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=40000");
    assert_eq!(fresh.next()["e"], "ORDER_TRADE_UPDATE");
    raw.send(&json!({ "method": "SUBSCRIBE", "params": [another], "id": 3 }).to_string());
    assert_eq!(raw.next(), json!({ "result": null, "id": 3 }), "no order before it");
}
