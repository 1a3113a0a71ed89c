//! The operator's API.

use serde_json::{Value, json};

use crate::http::Connection;
use crate::world::{TOKEN, World, assert_fields, first_number};

#[track_caller]
fn refused(world: &World, method: &str, path: &str, body: &Value) -> (u16, String) {
    let answer = world.operate(method, path, body);
    let error = answer.body["error"].as_str();
    (answer.status, error.unwrap_or_else(|| panic!("no error: {}", answer.body)).to_owned())
}

#[test]
fn nothing_is_done_without_the_token() {
    let (world, ..) = World::open();
    for headers in ["", "authorization: Bearer wrong\r\n", &format!("authorization: {TOKEN}\r\n")] {
        let answer = Connection::open(world.admin).send("GET", "/admin/v1/status", headers, "");
        assert_eq!(answer.status, 401, "{headers}");
    }
    assert_eq!(Connection::open(world.public).send("GET", "/admin/v1/status", "", "").status, 404);
}

#[test]
fn the_document_is_served_to_who_shows_the_token() {
    let (world, ..) = World::open();
    assert_eq!(Connection::open(world.admin).send("GET", "/admin/v1/openapi.json", "", "").status, 401);
    let headers = format!("authorization: Bearer {TOKEN}\r\n");
    let answer = Connection::open(world.admin).send("GET", "/admin/v1/openapi.json", &headers, "");
    let document = answer.ok();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["paths"]["/admin/v1/keys/{key}"]["delete"]["operationId"], "deleteAdminV1KeysKey");
}

#[test]
fn money_comes_in_goes_out_and_adds_up() {
    let (world, alice, bob) = World::open();
    alice.rest("SELL", "1", "50000");
    bob.place("side=BUY&type=MARKET&quantity=0.3").ok();
    let asked = json!({"account": bob.account, "asset": "USDT", "amount": "100.5", "reference": "w1"});
    let first = world.done("POST", "/withdrawals", &asked);
    assert_eq!(first["withdrawal"], first_number(bob.account));
    assert_eq!(
        refused(&world, "POST", "/withdrawals", &asked),
        (409, "this reference was executed before".to_owned())
    );
    let asked = json!({"account": bob.account, "asset": "USDT", "amount": "50", "reference": "w2"});
    world.done("POST", "/withdrawals", &asked);
    let open = world.done("GET", "/withdrawals", &json!(null));
    assert_eq!((open.as_array().unwrap().len(), &open[0]["amount"]), (2, &json!("100.500000")));
    let [first, second] = [0, 1].map(|at| open[at]["withdrawal"].as_u64().unwrap());
    world.done("POST", &format!("/withdrawals/{first}/confirm"), &json!(null));
    world.done("POST", &format!("/withdrawals/{second}/release"), &json!(null));
    assert_eq!(world.done("GET", "/withdrawals", &json!(null)), json!([]));
    assert_eq!(
        refused(&world, "POST", &format!("/withdrawals/{first}/confirm"), &json!(null)),
        (404, format!("there is no open withdrawal {first}"))
    );

    let sheet = world.done("GET", "/balance-sheet", &json!(null));
    assert_eq!(
        sheet,
        json!([
            {"asset": "BTC", "deposited": "20.00000000", "withdrawn": "0.00000000", "free": "19.29955000",
                "held": "0.70000000", "fees": "0.00045000", "futures": "0.00000000", "in_flight": "0.00000000", "adds_up": true},
            {"asset": "USDT", "deposited": "2000000.000000", "withdrawn": "100.500000", "free": "1999884.500000",
                "held": "0.000000", "fees": "15.000000", "futures": "0.000000", "in_flight": "0.000000", "adds_up": true},
        ])
    );
}

#[test]
fn accounts_and_keys_are_listed() {
    let (world, alice, _) = World::open();
    let accounts = world.done("GET", "/accounts", &json!(null));
    assert_eq!(accounts.as_array().unwrap().len(), 2);
    assert_eq!((&accounts[0]["name"], &accounts[1]["account"]), (&json!("alice"), &json!(2)));
    let page = world.done("GET", "/accounts?from=2&limit=1", &json!(null));
    assert_eq!(page[0]["name"], "bob");
    let named = world.done("GET", "/accounts?name=bob", &json!(null));
    assert_eq!((named.as_array().unwrap().len(), &named[0]["account"]), (1, &json!(2)));
    assert_eq!(world.done("GET", "/accounts?name=Bob", &json!(null)), json!([]));
    let one = world.done("GET", "/accounts/1", &json!(null));
    assert_eq!(one["balances"][0], json!({"asset": "BTC", "free": "10.00000000", "held": "0.00000000"}));
    let keys = world.done("GET", "/accounts/1/keys", &json!(null));
    assert_eq!((&keys[0]["key"], &keys[0]["secret"]), (&json!(alice.key), &Value::Null));
    assert_eq!(keys[0]["permissions"], json!(["read", "trade", "withdraw"]));
    let status = world.done("GET", "/status", &json!(null));
    assert_fields(&status, "seq event_seq time server_time uptime_seconds accounts markets open_orders");
    assert_eq!((&status["accounts"], &status["markets"]), (&json!(2), &json!(1)));
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    let (world, ..) = World::open();
    let cases = [
        ("POST", "/accounts", json!({"name": "alice"}), 409, "the name is taken"),
        (
            "POST",
            "/accounts",
            json!({"name": "a b"}),
            400,
            "the name of an account: character 2 is not a visible ASCII character",
        ),
        ("GET", "/accounts/7", json!(null), 404, "there is no account 7"),
        ("GET", "/accounts/x", json!(null), 400, "an account is a number, not 'x'"),
        (
            "POST",
            "/accounts/1/keys",
            json!({"permissions": ["fly"]}),
            400,
            "a permission is read, trade or withdraw, not 'fly'",
        ),
        ("POST", "/accounts/7/keys", json!({"permissions": []}), 404, "there is no account 7"),
        (
            "POST",
            "/deposits",
            json!({"account": 1, "asset": "DOGE", "amount": "1", "reference": "r"}),
            404,
            "there is no asset 'DOGE'",
        ),
        (
            "POST",
            "/deposits",
            json!({"account": 1, "asset": "BTC", "amount": "0.000000001", "reference": "r"}),
            400,
            "amount '0.000000001': at most 8 decimals are possible here",
        ),
        (
            "POST",
            "/deposits",
            json!({"account": 1, "asset": "BTC", "amount": "0", "reference": "r"}),
            400,
            "the amount must be above zero, not 0 atoms",
        ),
        ("POST", "/assets", json!({"name": "X", "scale": 19}), 400, "the scale must be at most 18, not 19"),
        ("PUT", "/markets/NOSUCH", json!({}), 404, "there is no market 'NOSUCH'"),
        ("GET", "/nowhere", json!(null), 404, "there is no such path; they begin with /admin/v1/"),
    ];
    for (method, path, body, status, error) in cases {
        assert_eq!(refused(&world, method, path, &body), (status, error.to_owned()), "{path} {body}");
    }
    let (status, error) = refused(&world, "POST", "/accounts", &json!({"name": "carol", "colour": "red"}));
    assert_eq!(status, 400);
    assert!(error.contains("unknown field `colour`"), "{error}");
    let (_, error) = refused(&world, "POST", "/markets", &json!({"name": "ETHBTC", "max_pric": "1"}));
    assert!(error.contains("max_pric") || error.contains("missing field"), "{error}");
}

#[test]
fn markets_are_listed_and_changed_in_decimal_text() {
    let (world, alice, _) = World::open();
    world.done("POST", "/assets", &json!({"name": "ETH", "scale": 8}));
    let form = json!({"name": "ETHBTC", "base": "ETH", "quote": "BTC", "tick_size": "0.00001", "lot_size": "0.001",
        "initial_price": "0.05"});
    let listed = world.done("POST", "/markets", &form);
    assert_eq!((&listed["market"], &listed["max_price"]), (&json!(1), &json!("5.00000")));
    let placed = alice
        .send(
            "POST",
            "/api/v3/order",
            "symbol=ETHBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.05",
        )
        .ok();
    assert_eq!(placed["price"], "0.05000", "orders may follow at once");

    let unknown = world.operate(
        "POST",
        "/markets",
        &json!({"name": "A", "base": "ETH", "quote": "BTC",
        "tick_size": "1", "lot_size": "1", "initial_price": "1", "colour": "red"}),
    );
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    assert!(unknown.body["error"].as_str().unwrap().contains("colour"), "{}", unknown.body);

    let changed =
        world.done("PUT", "/markets/ETHBTC", &json!({"min_notional": "0.001", "taker_fee": "0.002"}));
    assert_eq!((&changed["min_notional"], &changed["taker_fee"]), (&json!("0.00100000"), &json!("0.002000")));
    assert_eq!(changed["maker_fee"], "0.001000", "the rest stays");
    let all = world.done("GET", "/markets", &json!(null));
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(world.done("GET", "/assets", &json!(null)).as_array().unwrap().len(), 3);
}
