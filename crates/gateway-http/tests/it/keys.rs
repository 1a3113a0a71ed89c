//! API keys of both kinds, from the operator's request to what they may sign, and over a restart.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::http::{Answer, Connection, now_ms};
use crate::world::{World, first_number};

const LIMIT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=100";

/// A pair that only its client has, registered or not.
struct Pair {
    pair: Ed25519KeyPair,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { pair: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap(), key: String::new() }
    }

    fn public_half(&self) -> String {
        STANDARD.encode(self.pair.public_key().as_ref())
    }

    /// Registers the public half for an account.
    fn registered(mut self, world: &World, account: u64, body: Value) -> Self {
        let mut body = body;
        body["public_key"] = self.public_half().into();
        let told = world.done("POST", &format!("/accounts/{account}/keys"), &body);
        assert_eq!((&told["kind"], &told["secret"]), (&json!("ed25519"), &Value::Null));
        told["key"].as_str().unwrap().clone_into(&mut self.key);
        assert!(self.key.len() == 64 && self.key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        self
    }

    fn send(&self, world: &World, method: &str, path: &str, params: &str) -> Answer {
        let separator = if params.is_empty() { "" } else { "&" };
        let payload = format!("{params}{separator}timestamp={}", now_ms());
        let signature = STANDARD.encode(self.pair.sign(payload.as_bytes()));
        let escaped = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let header = format!("X-MBX-APIKEY: {}\r\n", self.key);
        let target = format!("{path}?{payload}&signature={escaped}");
        Connection::open(world.public).send(method, &target, &header, "")
    }
}

fn all() -> Value {
    json!({"permissions": ["read", "trade"]})
}

#[test]
fn an_ed25519_pair_signs_after_its_public_half_is_registered_and_after_a_restart() {
    let (world, ..) = World::open();
    let alice = Pair::new().registered(&world, 1, all());
    let placed = alice.send(&world, "POST", "/api/v3/order", LIMIT).ok();
    assert_eq!(placed["status"], "NEW");
    // Another pair under her key's name, and her pair under another's.
    let thief = Pair { key: alice.key.clone(), ..Pair::new() };
    thief.send(&world, "GET", "/api/v3/account", "").assert_error(
        400,
        -1022,
        "Signature for this request is not valid.",
    );
    let bob = Pair::new().registered(&world, 2, all());
    let mixed = Pair { key: bob.key.clone(), ..alice };
    assert_eq!(mixed.send(&world, "GET", "/api/v3/account", "").error().1, -1022);

    let alice = Pair { key: placed_key(&world), ..mixed };
    let world = world.restart();
    assert_eq!(alice.send(&world, "GET", "/api/v3/openOrders", "").ok().as_array().unwrap().len(), 1);
    world.done("DELETE", &format!("/keys/{}", alice.key), &json!(null));
    assert_eq!(alice.send(&world, "GET", "/api/v3/account", "").error().1, -2015);
}

/// The name of alice's key of the new kind.
fn placed_key(world: &World) -> String {
    let keys = world.done("GET", "/accounts/1/keys", &json!(null));
    let found = keys.as_array().unwrap().iter().find(|key| key["kind"] == "ed25519").unwrap();
    found["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_public_half_is_taken_as_clients_write_it_and_refused_with_the_reason() {
    let (world, ..) = World::open();
    let register = |public_key: &str| {
        world.operate("POST", "/accounts/1/keys", &json!({"permissions": ["read"], "public_key": public_key}))
    };
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAZGF3d2FRYkBCeqoGv/ULpSgHRudY9NUe6laLvzN0IEs=\n-----END PUBLIC KEY-----\n";
    assert_eq!(register(pem).status, 201);
    for (public_key, reason) in [
        ("", "neither a PEM"),
        ("-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----", "is a private key"),
        ("-----BEGIN RSA PUBLIC KEY-----\nMC4=\n-----END RSA PUBLIC KEY-----", "make an Ed25519 pair"),
    ] {
        let refused = register(public_key);
        let error = refused.body["error"].as_str().unwrap();
        assert!(refused.status == 400 && error.contains(reason), "{error}");
    }
}

#[test]
fn permissions_and_addresses_are_changed_and_listed() {
    let (world, alice, _) = World::open();
    let path = format!("/keys/{}", alice.key);
    let told = world.done("PUT", &path, &json!({"permissions": ["read"]}));
    assert_eq!((&told["permissions"], &told["ip_allow_list"]), (&json!(["read"]), &json!([])));
    alice.send("GET", "/api/v3/account", "").ok();
    alice.send("POST", "/api/v3/order", LIMIT).assert_error(
        401,
        -2015,
        "Invalid API-key, IP, or permissions for action.",
    );

    let list = json!({"ip_allow_list": ["2001:db8::/32", "192.0.2.7", "192.0.2.7/32"]});
    let told = world.done("PUT", &path, &list);
    let sorted = json!(["192.0.2.7", "2001:db8::/32"]);
    assert_eq!((&told["permissions"], &told["ip_allow_list"]), (&json!(["read"]), &sorted));
    assert_eq!(alice.send("GET", "/api/v3/account", "").error().1, -2015, "it comes from elsewhere");

    world.done("PUT", &path, &json!({"ip_allow_list": ["192.0.2.7", "127.0.0.0/8"]}));
    alice.send("GET", "/api/v3/account", "").ok();
    world.done("PUT", &path, &json!({"ip_allow_list": ["192.0.2.7", "2001:db8::/32"]}));

    let world = world.restart();
    let alice = crate::http::Trader { address: world.public, ..alice };
    assert_eq!(world.done("GET", "/accounts/1/keys", &json!(null))[0]["ip_allow_list"], sorted);
    assert_eq!(alice.send("GET", "/api/v3/account", "").error().1, -2015, "a restart changes nothing");
    world.done("PUT", &path, &json!({"ip_allow_list": [], "permissions": ["read", "trade"]}));
    assert_eq!(alice.send("POST", "/api/v3/order", LIMIT).ok()["status"], "NEW");

    let unknown = world.operate("PUT", "/keys/nobody", &json!({"permissions": []}));
    assert_eq!((unknown.status, &unknown.body["error"]), (404, &json!("there is no such API key")));
}

#[test]
fn a_wrong_allow_list_or_label_is_told_entry_by_entry() {
    let (world, ..) = World::open();
    let many: Vec<String> = (1..=31).map(|last| format!("192.0.2.{last}")).collect();
    for (body, error) in [
        (
            json!({"ip_allow_list": ["192.0.2.7", "example.org"]}),
            "ip_allow_list: 'example.org': it is no IPv4 or IPv6 address, such as 192.0.2.7 or 2001:db8::7",
        ),
        (
            json!({"ip_allow_list": ["10.1.2.3/8"]}),
            "ip_allow_list: '10.1.2.3/8': the address has bits behind its prefix; 10.0.0.0/8 is the range that begins like it",
        ),
        (
            json!({"ip_allow_list": ["192.0.2.0/33"]}),
            "ip_allow_list: '192.0.2.0/33': an address of this kind has only 32 bits",
        ),
        (
            json!({"ip_allow_list": many}),
            "ip_allow_list: 31 entries, where at most 30 are allowed; a range such as 192.0.2.0/24 is one",
        ),
        (json!({"label": "my bot"}), "label: character 3 is not a visible ASCII character"),
    ] {
        let mut body = body;
        body["permissions"] = json!(["read"]);
        let refused = world.operate("POST", "/accounts/1/keys", &body);
        assert_eq!((refused.status, &refused.body["error"]), (400, &json!(error)));
    }
    let told = world.done("POST", "/accounts/1/keys", &json!({"permissions": ["read"], "label": "my-bot"}));
    assert_eq!((&told["label"], &told["kind"]), (&json!("my-bot"), &json!("hmac-sha256")));
}

fn lines_of_the_master_key(world: &World) -> Vec<String> {
    std::fs::read_to_string(world.master_file()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_master_key_is_changed_while_everybody_trades_on() {
    let (world, alice, _) = World::open();
    let pair = Pair::new().registered(&world, 2, all());
    let before = lines_of_the_master_key(&world);
    let changed = world.done("POST", "/master-key/change", &json!(null));
    assert_eq!(changed, json!({"resealed": 3}), "alice's, bob's, and bob's other key");
    let after = lines_of_the_master_key(&world);
    assert!(after.len() == 1 && after != before);
    assert_eq!(alice.send("POST", "/api/v3/order", LIMIT).ok()["status"], "NEW");
    pair.send(&world, "GET", "/api/v3/account", "").ok();
    let later = world.key(1, &["read"]);

    let world = world.restart();
    let at_new_port = |trader: crate::http::Trader| crate::http::Trader { address: world.public, ..trader };
    at_new_port(alice).get("/api/v3/account", "").ok();
    at_new_port(later).get("/api/v3/account", "").ok();
    pair.send(&world, "GET", "/api/v3/account", "").ok();
}

#[test]
fn a_new_master_key_can_come_from_a_file_and_a_change_that_was_broken_off_is_finished() {
    let (world, alice, _) = World::open();
    let path = world.master_file();
    let old = lines_of_the_master_key(&world).remove(0);
    let refused = |body: Value| {
        world.operate("POST", "/master-key/change", &body).body["error"].as_str().unwrap().to_owned()
    };
    assert!(refused(json!({"new_key_file": "/nowhere/to/be/found"})).contains("/nowhere/to/be/found"));
    assert!(refused(json!({"new_key": "secret"})).contains("unknown field"));

    let new = "ab".repeat(32);
    let file = path.with_file_name("next.key");
    std::fs::write(&file, &new).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(json!({"new_key_file": &file})).contains("may be read by others"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        world.done("POST", "/master-key/change", &json!({"new_key_file": &file})),
        json!({"resealed": 2})
    );
    assert_eq!(lines_of_the_master_key(&world).join(" "), new);
    assert_eq!(
        world.done("POST", "/master-key/change", &json!({"new_key_file": &file})),
        json!({"resealed": 0}),
        "it seals with that one already"
    );

    // Broken off right behind the first step: a third key seals, and nothing was sealed with it yet.
    let third = "cd".repeat(32);
    std::fs::write(&path, format!("{third}\n{new}\n{old}\n")).unwrap();
    let world = world.restart();
    let alice = crate::http::Trader { address: world.public, ..alice };
    alice.get("/api/v3/account", "").ok();
    assert_eq!(world.done("POST", "/master-key/change", &json!(null)), json!({"resealed": 2}));
    assert_eq!(lines_of_the_master_key(&world), [third]);
    alice.get("/api/v3/account", "").ok();
}

#[test]
fn who_may_withdraw_asks_once_and_the_operator_decides() {
    let (world, alice, bob) = World::open();
    let path = "/sapi/v1/capital/withdraw/apply";
    let ask = "coin=BTC&address=bc1qxyz&amount=2.5&withdrawOrderId=w-1";
    let reader = world.key(1, &["read", "trade"]);
    assert_eq!(reader.send("POST", path, ask).error().1, -2015);

    let told = alice.send("POST", path, ask).ok();
    assert_eq!(told, json!({"id": first_number(alice.account).to_string()}));
    let open = world.done("GET", "/withdrawals", &json!(null));
    assert_eq!((&open[0]["reference"], &open[0]["amount"]), (&json!("1/w-1/bc1qxyz"), &json!("2.50000000")));
    alice.send("POST", path, ask).assert_error(
        400,
        -1130,
        "Data sent for parameter 'withdrawOrderId' is not valid.",
    );
    // The same words of somebody else are another request.
    let id = |told: Value| told["id"].as_str().unwrap().to_owned();
    let (alices, bobs) = (id(told), id(bob.send("POST", path, ask).ok()));
    assert_ne!(alices, bobs);
    world.done("POST", &format!("/withdrawals/{bobs}/release"), &json!(null));
    world.done("POST", &format!("/withdrawals/{alices}/confirm"), &json!(null));
    let account = world.done("GET", "/accounts/1", &json!(null));
    assert_eq!(account["balances"][0]["free"], "7.50000000");

    for (params, code) in [
        ("coin=BTC&address=bc1qxyz&amount=8", -2010),
        ("coin=BTC&address=bc1qxyz&amount=0", -1130),
        ("coin=BTC&address=bc1qxyz&amount=0.000000001", -1111),
        ("coin=DOGE&address=bc1qxyz&amount=1", -1130),
        ("coin=BTC&network=ETH&address=bc1qxyz&amount=1", -1130),
        ("coin=BTC&amount=1", -1102),
    ] {
        assert_eq!(alice.send("POST", path, params).error().1, code, "{params}");
    }
    alice.send("POST", path, "coin=BTC&network=BTC&address=bc1qxyz&amount=1").ok();
    alice.send("POST", path, "coin=BTC&address=bc1qxyz&amount=1").ok();
}

#[test]
fn a_key_is_told_what_it_may_do() {
    let (world, alice, _) = World::open();
    let ask = |trader: &crate::http::Trader| trader.get("/sapi/v1/account/apiRestrictions", "").ok();
    let told = ask(&alice);
    for (field, value) in [
        ("ipRestrict", false),
        ("enableReading", true),
        ("enableSpotAndMarginTrading", true),
        ("enableWithdrawals", true),
        ("enableFutures", false),
        ("enableMargin", false),
        ("enableInternalTransfer", false),
        ("permitsUniversalTransfer", false),
        ("enableVanillaOptions", false),
        ("enablePortfolioMarginTrading", false),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    assert!(now_ms().abs_diff(told["createTime"].as_u64().unwrap()) < 60_000);
    world.done(
        "PUT",
        &format!("/keys/{}", alice.key),
        &json!({"permissions": ["read"], "ip_allow_list": ["127.0.0.1"]}),
    );
    let told = ask(&alice);
    assert_eq!((&told["ipRestrict"], &told["enableSpotAndMarginTrading"]), (&json!(true), &json!(false)));
}
