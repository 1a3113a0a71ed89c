//! Orders through Redis: what comes in by a stream is done once and answered once, whoever is killed when.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use journal::{DataDir, EventLogReader};
use model::{Event, Seq};
use redis::{cmd, pipe};

use self::world::{STREAM, World};
use crate::http::{Connection, PATIENCE, Signer};

mod contracts;
mod world;

const BUY: [(&str, &str); 4] =
    [("account", "alice"), ("symbol", "BTCUSDT"), ("side", "BUY"), ("type", "LIMIT")];

#[test]
fn an_order_comes_in_and_its_result_goes_out() {
    for partitions in [1, 2] {
        orders_and_results(partitions);
    }
}

fn orders_and_results(partitions: u8) {
    let mut world = World::new(partitions, "lease_ms = 500\n");
    let with = |more: &[(&'static str, &'static str)]| [&BUY[..], more].concat();
    let sell = [("account", "bob"), ("symbol", "BTCUSDT"), ("side", "SELL"), ("type", "LIMIT")];
    let resting = [&sell[..], &[("timeInForce", "GTC"), ("quantity", "2"), ("price", "60000")]].concat();
    let mut added = vec![world.add(&resting)];
    // Accounts of different partitions do not wait for each other.
    world.replies(1);
    added.extend([
        world.add(&with(&[
            ("timeInForce", "GTC"),
            ("quantity", "0.5"),
            ("price", "60000"),
            ("newClientOrderId", "mine"),
        ])),
        world.add(&with(&[("timeInForce", "GTC"), ("quantity", "1000"), ("price", "60000")])),
        world.add(&with(&[("timeInForce", "GTC"), ("quantity", "0.001"), ("price", "1.5")])),
        world.add(&with(&[
            ("timeInForce", "IOC"),
            ("quantity", "0.001"),
            ("price", "1"),
            ("validUntil", "1"),
        ])),
    ]);
    let of_bob = [("account", "bob"), ("symbol", "BTCUSDT")];
    let replies = world.replies(4);
    let resting_order = replies[0].get("orderId").to_owned();
    let amend = [&of_bob[..], &[("action", "AMEND"), ("orderId", &resting_order), ("newQty", "1")]].concat();
    added.push(world.add(&amend));
    added.push(world.add(&[&of_bob[..], &[("action", "CANCEL"), ("orderId", &resting_order)]].concat()));
    added.push(world.add(&[&of_bob[..], &[("action", "CANCEL_ALL")]].concat()));

    let replies = world.replies(7);
    let dead = world.entries(&format!("{STREAM}:dead"));
    // An entry that makes no sense is put aside, with the reason; it has no result.
    let put_aside = added.remove(3);
    assert_eq!(dead.len(), 1);
    dead[0].says(&[("entry", &put_aside), ("code", "-1013"), ("field:price", "1.5")]);
    dead[0].says(&[("reason", "Filter failure: PRICE_FILTER")]);
    let by_entry: BTreeMap<&str, _> = replies.iter().map(|reply| (reply.get("entry"), reply)).collect();
    let reply = |index: usize| by_entry[added[index].as_str()];
    reply(0).says(&[
        ("result", "OK"),
        ("action", "NEW"),
        ("account", "bob"),
        ("status", "NEW"),
        ("executedQty", "0.00000000"),
    ]);
    reply(1).says(&[
        ("result", "OK"),
        ("clientOrderId", "mine"),
        ("status", "FILLED"),
        ("symbol", "BTCUSDT"),
    ]);
    reply(1).says(&[("executedQty", "0.50000000"), ("cummulativeQuoteQty", "30000.00000000")]);
    reply(2).says(&[("result", "REFUSED"), ("code", "-2010")]);
    reply(3).says(&[("result", "REFUSED"), ("code", "-1021")]);
    reply(4).says(&[("result", "OK"), ("action", "AMEND"), ("origQty", "1.00000000")]);
    reply(5).says(&[
        ("result", "OK"),
        ("action", "CANCEL"),
        ("status", "CANCELED"),
        ("orderId", &resting_order),
    ]);
    reply(6).says(&[
        ("result", "REFUSED"),
        ("action", "CANCEL_ALL"),
        ("code", "-2011"),
        ("msg", "Unknown order sent."),
    ]);
    world.drained();

    // A second instance waits as long as the first one lives, and reads when it does not.
    let (addresses, token) = world.other("lease_ms = 500\n");
    let active = |addresses: &str, token: &str| {
        let headers = format!("authorization: Bearer {token}\r\n");
        let told =
            Connection::open(addresses).and_then(|mut admin| admin.ask("GET", "/metrics", &headers, ""));
        let told = told.expect("it listens").body;
        told.lines()
            .find_map(|line| line.strip_prefix("rialto_redis_active{stream=\"orders\"} "))
            .map(str::to_owned)
    };
    assert_eq!(active(&world.addresses.admin, &world.token).as_deref(), Some("1"));
    assert_eq!(active(&addresses.admin, &token).as_deref(), Some("0"));
    world.kill();
    until("the spare reads", || active(&addresses.admin, &token).as_deref() == Some("1"));
}

#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// A result in a key of its own, which goes away.
#[test]
fn a_result_can_have_a_key_of_its_own() {
    let world = World::new(1, "replies = \"key\"\nreply_ttl_s = 60\nmarket = \"BTCUSDT\"\n");
    let fields = [("accountId", "1"), ("side", "BUY"), ("type", "MARKET"), ("quantity", "1")];
    let entry = world.add(&fields);
    let key = format!("{STREAM}:reply:{entry}");
    until("there is a result", || world.redis.ask::<u8>(&["EXISTS", &key]) == 1);
    let result: BTreeMap<String, String> = world.redis.ask(&["HGETALL", &key]);
    assert_eq!((result["status"].as_str(), result["account"].as_str()), ("EXPIRED", "alice"), "{result:?}");
    let left: i64 = world.redis.ask(&["TTL", &key]);
    assert!((1..=60).contains(&left));
    let elsewhere = world.add(&[&fields[..], &[("symbol", "ETHBTC")]].concat());
    until("it is put aside", || world.entries(&format!("{STREAM}:dead")).len() == 1);
    let dead = world.entries(&format!("{STREAM}:dead"));
    dead[0].says(&[
        ("entry", &elsewhere),
        ("reason", "This stream is for BTCUSDT; orders for ETHBTC go to another one."),
    ]);
}

/// Producers that push with `ZADD`: the lowest score first, and nothing lost where a script moves them.
#[test]
fn orders_come_in_by_a_sorted_set() {
    for take in ["script", "block", "poll"] {
        let set = format!("{{rialto}}:queue-{take}");
        let mut world = World::new(
            1,
            &format!("sorted_set = \"{set}\"\nsorted_set_take = \"{take}\"\nlease_ms = 500\nread_max = 50\n"),
        );
        let member = |number: usize| {
            let (side, price) = if number.is_multiple_of(7) { ("SELL", "10") } else { ("BUY", "50000") };
            let quantity = if number.is_multiple_of(7) { "100000" } else { "0.001" };
            format!(
                r#"{{"accountId":1,"symbol":"BTCUSDT","side":"{side}","type":"LIMIT","timeInForce":"IOC","price":"{price}","quantity":"{quantity}","ref":"{number}"}}"#
            )
        };
        let mut add = pipe();
        add.atomic().cmd("ZADD").arg(&set).arg(0.5).arg("nonsense").ignore();
        for number in (0..A_ROUND).rev() {
            add.cmd("ZADD").arg(&set).arg(number).arg(member(number)).ignore();
        }
        add.query::<()>(&mut world.redis.connect()).expect("Redis is there");
        if take == "script" {
            until("it is in the middle of it", || {
                world.redis.ask::<usize>(&["XLEN", &format!("{STREAM}:replies")]) > 0
            });
            world.kill();
            world.start_again();
        }
        let replies = world.replies(A_ROUND);
        let references: Vec<&str> = replies.iter().map(|reply| reply.get("ref")).collect();
        let expected: Vec<String> = (0..A_ROUND).map(|number| number.to_string()).collect();
        assert_eq!(references, expected, "each once, in the order of scores");
        let refused = replies.iter().filter(|reply| reply.get("result") == "REFUSED").count();
        assert_eq!(refused, A_ROUND.div_ceil(7));
        let dead = world.entries(&format!("{STREAM}:dead"));
        assert_eq!(dead.len(), 1, "{dead:?}");
        dead[0].says(&[("field:order", "nonsense"), ("code", "-1135")]);
        assert_eq!(world.redis.ask::<usize>(&["ZCARD", &set]), 0);
        world.terminate();
    }
}

/// What Redis shows of the exchange.
fn shown(world: &World) -> BTreeMap<String, BTreeMap<String, String>> {
    let market = |what: &str| format!("{{rialto:market:BTCUSDT}}:{what}");
    let account = |name: &str, what: &str| format!("{{rialto:account:{name}}}:{what}");
    let hash = |key: String| (key.clone(), world.redis.ask::<BTreeMap<String, String>>(&["HGETALL", &key]));
    let set = |key: String| {
        let found = world.redis.ask::<BTreeMap<String, String>>(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]);
        (key, found)
    };
    let mut all = BTreeMap::from([set(market("bids")), set(market("asks")), hash(market("ticker"))]);
    for name in ["alice", "bob"] {
        all.extend(["free", "held", "open"].map(|what| hash(account(name, what))));
    }
    // When it was looked at is no part of what there is.
    all.get_mut(&market("ticker")).expect("just put there").remove("time");
    let trades = market("trades");
    let entries: Vec<(String, BTreeMap<String, String>)> = world.redis.ask(&["XRANGE", &trades, "-", "+"]);
    all.extend(entries.into_iter().map(|(id, fields)| (format!("trade {id}"), fields)));
    all
}

/// The cache follows what happens, keeps nobody from trading when Redis stands still, and is there again when Redis has forgotten
/// everything.
#[test]
fn the_cache_follows_and_is_made_anew() {
    for partitions in [1, 2] {
        let mut world = World::new(partitions, "[redis.cache]\ndepth_levels = 2\n");
        follows_and_is_made_anew(&mut world);
    }
}

fn follows_and_is_made_anew(world: &mut World) {
    let order = |account, side, quantity, price| {
        [
            ("account", account),
            ("symbol", "BTCUSDT"),
            ("side", side),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
        ]
        .into_iter()
        .chain([("quantity", quantity), ("price", price)])
        .collect::<Vec<_>>()
    };
    for price in ["59000", "59001", "59002"] {
        world.add(&order("alice", "BUY", "0.5", price));
    }
    // Accounts of different partitions do not wait for each other.
    world.replies(3);
    world.add(&order("bob", "SELL", "0.7", "59002"));
    world.replies(4);
    world.add(&order("bob", "SELL", "1", "60001"));
    let last = world.add(&[("account", "alice"), ("symbol", "BTCUSDT"), ("action", "CANCEL_ALL")]);
    world.drained();
    world.add(&order("alice", "BUY", "0.25", "58500"));
    let answered = world.replies(7);
    assert!(answered.iter().any(|reply| reply.get("entry") == last && reply.get("result") == "OK"));
    let rests = answered.last().expect("there are some").get("orderId").to_owned();

    let is_there = |world: &World| {
        let all = shown(world);
        let of = |key: &str, field: &str| all[key].get(field).map_or("", String::as_str).to_owned();
        all["{rialto:account:alice}:open"].len() == 1
            && of("{rialto:market:BTCUSDT}:bids", "58500:0.25000000") == "58500"
            && of("{rialto:account:alice}:held", "USDT") == "14625.00000000"
    };
    until("the cache has the last order", || is_there(world));
    let all = shown(world);
    let of = |key: &str, field: &str| all[key].get(field).map_or("", String::as_str);
    // Bob met 0.5 at 59002, and 0.2 of his order rested there.
    assert_eq!(all["{rialto:market:BTCUSDT}:asks"].len(), 2, "{all:#?}");
    assert_eq!(of("{rialto:market:BTCUSDT}:asks", "59002:0.20000000"), "59002", "{all:#?}");
    assert_eq!(of("{rialto:market:BTCUSDT}:ticker", "lastPrice"), "59002");
    assert_eq!(of("{rialto:market:BTCUSDT}:ticker", "bidPrice"), "58500");
    assert_eq!(of("trade 1-0", "qty"), "0.50000000");
    assert_eq!(of("{rialto:account:bob}:held", "BTC"), "1.20000000");
    assert!(of("{rialto:account:alice}:open", &rests).contains("\"executedQty\":\"0.00000000\""), "{all:#?}");
    let events = world.entries("{rialto:account:alice}:events");
    let filled = events.iter().find(|event| event.get("event") == "filled").expect("alice has bought");
    filled.says(&[("symbol", "BTCUSDT"), ("price", "59002"), ("qty", "0.50000000"), ("feeAsset", "BTC")]);
    let events = world.entries("{rialto:market:BTCUSDT}:events");
    events.last().expect("there was a trade").says(&[("event", "trade"), ("id", "1"), ("side", "SELL")]);

    // Redis stands still: whoever trades does not notice.
    let (key, secret) = world.operator().create_key(2);
    world.redis.signal("STOP");
    let mut trader = Connection::open(&world.addresses.public).expect("it listens");
    let bob = Signer::new(&key, &secret);
    for _ in 0..20 {
        let query = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.001&price=70000";
        trader.signed("POST", "/api/v3/order", &bob, query).expect("it answers").good();
    }
    world.redis.signal("CONT");
    until("the cache has caught up", || shown(world)["{rialto:account:bob}:open"].len() == 22);

    // Redis has lost everything.
    let before = shown(world);
    world.redis.kill();
    world.redis.forget();
    world.redis.start_again();
    until("the cache is there again", || shown(world) == before);
    // And an exchange that was killed finds its cache and goes on with it.
    world.kill();
    world.start_again();
    world.add(&order("bob", "SELL", "0.25", "58500"));
    until("the cache goes on", || shown(world).contains_key("trade 2-0"));
    assert!(shown(world)["{rialto:account:alice}:open"].is_empty());
}

/// Producers as somebody would write them, in the languages of the documentation.
#[test]
fn producers_of_other_languages_add_orders_and_read_results() {
    let world = World::new(1, "");
    let (host, port) = world.redis.address.split_once(':').expect("an address has a port");
    for (script, name) in [
        ("redis_producer.py", "from-python"),
        ("redis_producer.mjs", "from-node"),
        ("redis_producer.php", "from-php"),
    ] {
        let mut command = crate::clients::interpreter(script);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script)).args([host, port]);
        let ended = command.output().expect("its interpreter is a program");
        assert!(ended.status.success(), "{script}: {}", String::from_utf8_lossy(&ended.stderr));
        let reply: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("it prints the result");
        assert_eq!(
            (reply["status"].as_str(), reply["clientOrderId"].as_str()),
            (Some("NEW"), Some(name)),
            "{reply}"
        );
    }
}

/// Thousands of orders, of which some are refused, while the exchange and Redis are killed in turns.
#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    for partitions in [1, 2] {
        killed_again_and_again(partitions);
    }
}

const ROUNDS: usize = 8;
const A_ROUND: usize = 600;

fn killed_again_and_again(partitions: u8) {
    let mut world = World::new(partitions, "lease_ms = 2000\nread_max = 100\nin_flight_max = 500\n");
    let mut sent: BTreeSet<String> = BTreeSet::new();
    for round in 0..ROUNDS {
        // Written in one go, so that something is on its way whenever somebody is killed.
        let mut orders = pipe();
        for number in 0..A_ROUND {
            // Every seventh is refused, for want of money.
            let quantity = if number % 7 == 0 { "1000" } else { "0.001" };
            let account = if number % 2 == 0 { "alice" } else { "bob" };
            orders
                .cmd("XADD")
                .arg(STREAM)
                .arg("*")
                .arg(&["account", account, "symbol", if number % 3 == 0 { "ETHBTC" } else { "BTCUSDT" }])
                .arg(&["side", "BUY", "type", "LIMIT", "timeInForce", "IOC"])
                .arg(&["price", if number % 3 == 0 { "0.01" } else { "50000" }])
                .arg(&[
                    "quantity",
                    if number % 3 == 0 && number % 7 == 0 {
                        "10000000"
                    } else if number % 3 == 0 {
                        "0.01"
                    } else {
                        quantity
                    },
                ])
                .arg(&["newClientOrderId", &format!("{round}-{number}")]);
        }
        // Counted first: a fast machine has answered all of them before their producer hears that they were taken.
        let taken: usize = world.redis.ask(&["XLEN", &format!("{STREAM}:replies")]);
        let ids: Vec<String> = orders.query(&mut world.redis.connect()).expect("Redis is there");
        sent.extend(ids);
        until("it is in the middle of it", || {
            world.redis.ask::<usize>(&["XLEN", &format!("{STREAM}:replies")]) > taken
        });
        match round % 4 {
            0 => world.kill(),
            1 => world.redis.kill(),
            2 => {
                world.kill();
                world.redis.kill();
            }
            _ => world.terminate(),
        }
        if round % 4 != 0 && round % 4 != 3 {
            world.redis.start_again();
        }
        if round % 4 != 1 {
            world.start_again();
        }
    }
    world.drained();
    let replies = world.replies(sent.len());
    let answered: Vec<&str> = replies.iter().map(|reply| reply.get("entry")).collect();
    assert_eq!(answered.len(), sent.len(), "one result each");
    assert_eq!(answered.iter().map(|entry| (*entry).to_owned()).collect::<BTreeSet<_>>(), sent);
    let refused = replies.iter().filter(|reply| reply.get("result") == "REFUSED").count();
    assert_eq!(refused, ROUNDS * A_ROUND.div_ceil(7), "as many as were too large");

    // Redis has forgotten how far the group was: everything comes again, and nothing of it is done or answered again.
    let _: () = world.redis.ask(&["XGROUP", "SETID", STREAM, "rialto", "0"]);
    // By their numbers: as texts, the tenth entry of a millisecond comes before the second one.
    let place = |id: &&String| {
        let (millis, count) = id.split_once('-').expect("an id has two numbers");
        let number = |text: &str| text.parse::<u64>().expect("an id has two numbers");
        (number(millis), number(count))
    };
    let last_sent = sent.iter().max_by_key(place);
    until("everything has come again", || {
        let groups: Vec<BTreeMap<String, redis::Value>> = world.redis.ask(&["XINFO", "GROUPS", STREAM]);
        redis::from_redis_value::<String>(groups[0]["last-delivered-id"].clone())
            .is_ok_and(|last| Some(&last) == last_sent)
    });
    world.drained();
    // Redis has lost the stream, and the new one begins with ids from before: they are put aside.
    let _: u8 = world.redis.ask(&["DEL", STREAM]);
    let mut late = cmd("XADD");
    late.arg(STREAM).arg("5-0").arg(&["account", "alice", "symbol", "BTCUSDT", "action", "CANCEL_ALL"]);
    let _: String = late.query(&mut world.redis.connect()).expect("Redis is there");
    let dead = format!("{STREAM}:dead");
    until("it is put aside", || world.redis.ask::<usize>(&["XLEN", &dead]) == 1);
    let dead = world.entries(&dead);
    dead[0].says(&[("entry", "5-0"), ("field:action", "CANCEL_ALL")]);
    assert!(dead[0].get("reason").starts_with("the id is not above "), "{dead:?}");
    world.terminate();
    assert_eq!(world.replies(0).len(), sent.len(), "no result was written twice");

    // What the event log says is what counts: every entry was taken once, every order placed once.
    let (mut taken, mut placed) = (BTreeSet::new(), BTreeSet::new());
    for events in event_log(&world.data) {
        match events {
            Event::EntryTaken { entry, .. } => assert!(taken.insert(entry), "{entry} was taken twice"),
            Event::OrderAccepted(accepted) => {
                assert!(placed.insert(accepted.client_order_id.to_string()), "{accepted:?} was placed twice");
            }
            _ => {}
        }
    }
    assert_eq!((taken.len(), placed.len()), (sent.len(), sent.len() - refused));
    crate::program::verify(&world.data).well();
}

/// All events of all partitions.
pub fn event_log(data: &Path) -> Vec<Event> {
    let directory = DataDir::open_read_only(data).expect("it is there");
    let mut all = Vec::new();
    for storage in directory.storages() {
        let mut reader = EventLogReader::open(storage, Seq(1)).expect("it can be read");
        while let Some(frame) = reader.next().expect("it can be read") {
            all.extend(sequencer::decode_batch(&frame).expect("it can be read").events);
        }
    }
    all
}
