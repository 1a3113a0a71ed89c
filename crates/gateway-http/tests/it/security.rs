//! Who may do what, and until when.

use serde_json::json;

use crate::http::{Connection, now_ms};
use crate::limits::hold;
use crate::world::World;

const ORDER: &str = "/api/v3/order";
const LIMIT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100";

#[test]
fn parameters_may_stand_in_the_query_in_the_body_or_in_both() {
    let (world, alice, _) = World::open();
    let mut connection = Connection::open(world.public);
    let key = alice.key_header();
    let in_query = connection.send("POST", &format!("{ORDER}?{}", alice.signed(LIMIT)), &key, "").ok();
    assert_eq!(in_query["status"], "NEW");

    let (query, body) = (LIMIT, format!("price=200&newClientOrderId=mixed&timestamp={}", now_ms()));
    let signature = alice.sign(&format!("{query}{body}"));
    let target = format!("{ORDER}?{query}&signature={signature}");
    let mixed = connection.send("POST", &target, &key, &body).ok();
    assert_eq!(
        (&mixed["clientOrderId"], &mixed["price"]),
        (&json!("mixed"), &json!("100.00")),
        "the query wins"
    );

    let json_type = format!("{key}content-type: application/json\r\n");
    let odd = connection.send("POST", ORDER, &json_type, &alice.signed(LIMIT)).ok();
    let cancel = format!("symbol=BTCUSDT&orderId={}", odd["orderId"]);
    connection.send("DELETE", ORDER, &key, &alice.signed(&cancel)).ok();
    assert_eq!(
        connection.send("GET", "/api/v3/openOrders", &key, &alice.signed("")).ok().as_array().unwrap().len(),
        2
    );
}

#[test]
fn escaped_bytes_are_signed_as_they_are() {
    let (_world, alice, _) = World::open();
    let placed =
        alice.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100&newClientOrderId=a%3Ab").ok();
    assert_eq!(placed["clientOrderId"], "a:b");
}

#[test]
fn what_waits_longer_than_its_window_is_not_executed() {
    let (world, alice, _) = World::open();
    let held = hold(&world);
    let before = world.ingress.waiting();
    let late = alice.clone();
    let placing = std::thread::spawn(move || late.send("POST", ORDER, &format!("{LIMIT}&recvWindow=200")));
    // Its time was written before it has come so far; one that took longer than its window is refused at the door.
    while world.ingress.waiting() == before && !placing.is_finished() {
        std::thread::yield_now();
    }
    let come = now_ms();
    while now_ms() <= come + 200 {
        std::thread::yield_now();
    }
    drop(held);
    let refused = placing.join().expect("it is answered");
    refused.assert_error(400, -1021, "Timestamp for this request is outside of the recvWindow.");
    assert_eq!(alice.get("/api/v3/openOrders", "").ok(), json!([]));
}

#[test]
fn wrong_keys_and_signatures_are_refused_as_binance_does() {
    let (world, alice, bob) = World::open();
    let mut connection = Connection::open(world.public);
    let signed = alice.signed("");
    let mut account =
        |headers: &str, query: &str| connection.send("GET", &format!("/api/v3/account?{query}"), headers, "");
    account("", &signed).assert_error(401, -2014, "API-key format invalid.");
    account("X-MBX-APIKEY: nobody\r\n", &signed).assert_error(
        401,
        -2015,
        "Invalid API-key, IP, or permissions for action.",
    );
    account(&bob.key_header(), &signed).assert_error(400, -1022, "Signature for this request is not valid.");
    account(&alice.key_header(), &format!("timestamp={}", now_ms())).assert_error(
        400,
        -1102,
        "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.",
    );
    let old = format!("timestamp={}", now_ms() - 6_000);
    let old = format!("{old}&signature={}", alice.sign(&old));
    account(&alice.key_header(), &old).assert_error(
        400,
        -1021,
        "Timestamp for this request is outside of the recvWindow.",
    );
    let early = format!("timestamp={}", now_ms() + 5_000);
    let early = format!("{early}&signature={}", alice.sign(&early));
    account(&alice.key_header(), &early).assert_error(
        400,
        -1021,
        "Timestamp for this request was 1000ms ahead of the server's time.",
    );
    assert_eq!(account(&alice.key_header(), &signed).status, 200);
}

#[test]
fn a_key_may_do_what_it_was_given() {
    let (world, alice, _) = World::open();
    let reader = world.key(alice.account, &["read"]);
    reader.get("/api/v3/account", "").ok();
    reader.send("POST", ORDER, LIMIT).assert_error(
        401,
        -2015,
        "Invalid API-key, IP, or permissions for action.",
    );
    let trader = world.key(alice.account, &["trade"]);
    trader.send("POST", ORDER, LIMIT).ok();
    trader.get("/api/v3/account", "").assert_error(
        401,
        -2015,
        "Invalid API-key, IP, or permissions for action.",
    );
}

#[test]
fn a_revoked_key_signs_nothing_more() {
    let (world, alice, _) = World::open();
    alice.get("/api/v3/account", "").ok();
    world.done("DELETE", &format!("/keys/{}", alice.key), &json!(null));
    let refused = alice.get("/api/v3/account", "");
    refused.assert_error(401, -2015, "Invalid API-key, IP, or permissions for action.");
    let again = world.operate("DELETE", &format!("/keys/{}", alice.key), &json!(null));
    assert_eq!((again.status, &again.body), (404, &json!({"error": "there is no such API key"})));
}
