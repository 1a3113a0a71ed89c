//! Perpetual contracts in Redis: orders come in for them, and the cache has them beside the spot markets of the same names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use codec::{Coded as _, Reader};
use journal::{DataDir, Durable, FrameBuffer, JournalWriter};
use model::{Command, Event, Seq, TimeNs};
use redis::pipe;
use serde_json::Value;

use super::world::{Fields, STREAM, World};
use super::{event_log, until};
use crate::http::{Connection, Signer};

/// A contract that is called as the spot market is, whose prices it goes by.
const CONTRACT: &str = "[[contract]]\nname = \"BTCUSDT\"\nbase = \"BTC\"\nquote = \"USDT\"\ntick_size = \"0.1\"\nlot_size = \"0.001\"\n\
    initial_price = \"60000\"\n[contract.perpetual]\nfund = \"insurance\"\n";

type Hash = BTreeMap<String, String>;

fn hash(world: &World, key: &str) -> Hash {
    world.redis.ask(&["HGETALL", key])
}

fn of_contract(what: &str) -> String {
    format!("{{rialto:contract:BTCUSDT}}:{what}")
}

fn of_account(name: &str, what: &str) -> String {
    format!("{{rialto:account:{name}}}:{what}")
}

/// What a field of a hash has in it.
fn object(hash: &Hash, field: &str) -> Value {
    let text = hash.get(field).unwrap_or_else(|| panic!("{field} is not in {hash:?}"));
    serde_json::from_str(text).expect("it is JSON")
}

/// A trader at the API.
struct Trader {
    connection: Connection,
    signer: Signer,
}

impl Trader {
    fn of(world: &World, account: u64) -> Self {
        let (key, secret) = world.operator().create_key(account);
        let connection = Connection::open(&world.addresses.public).expect("it listens");
        Self { connection, signer: Signer::new(&key, &secret) }
    }

    fn asks(&mut self, verb: &str, path: &str, query: &str) -> Value {
        self.connection.signed(verb, path, &self.signer, query).expect("it answers").good()
    }
}

/// All that Redis shows of the contract and of who has something there; without what the time changes by itself.
fn shown(world: &World) -> BTreeMap<String, Hash> {
    let set = |key: String| {
        let found: Hash = world.redis.ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]);
        (key, found)
    };
    let mut all: BTreeMap<String, Hash> = ["bids", "asks"].map(|what| set(of_contract(what))).into();
    for key in [of_contract("ticker"), of_contract("mark")] {
        let mut found = hash(world, &key);
        for moving in ["time", "markPrice", "lastFundingRate"] {
            found.entry(moving.to_owned()).and_modify(String::clear);
        }
        all.insert(key, found);
    }
    for name in ["alice", "bob"] {
        for what in ["balance", "cross", "positions", "open", "algo"] {
            let key = of_account(name, &format!("futures:{what}"));
            all.insert(key.clone(), hash(world, &key));
        }
    }
    let trades: Vec<(String, Hash)> = world.redis.ask(&["XRANGE", &of_contract("trades"), "-", "+"]);
    all.extend(trades.into_iter().map(|(id, fields)| (format!("trade {id}"), fields)));
    all
}

#[test]
fn the_cache_has_contracts_beside_spot_markets_of_the_same_names() {
    for partitions in [1, 2] {
        has_contracts(&mut World::new(partitions, &format!("[redis.cache]\ndepth_levels = 2\n{CONTRACT}")));
    }
}

fn has_contracts(world: &mut World) {
    let [mut alice, mut bob] = world.accounts.map(|account| Trader::of(world, account));
    for trader in [&mut alice, &mut bob] {
        trader.asks("POST", "/sapi/v1/asset/transfer", "type=MAIN_UMFUTURE&asset=USDT&amount=20000");
    }
    // The spot market has a book and no trades, the contract both.
    let spot = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.5&price=59000";
    alice.asks("POST", "/api/v3/order", spot);
    bob.asks("POST", "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=ISOLATED");
    let order = |side: &str, quantity: &str, price: &str, more: &str| {
        format!(
            "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity={quantity}&price={price}{more}"
        )
    };
    alice.asks("POST", "/fapi/v1/order", &order("BUY", "1", "59990.5", "&newClientOrderId=mine"));
    bob.asks("POST", "/fapi/v1/order", &order("SELL", "0.4", "59990.5", ""));
    let closes = order("SELL", "0.1", "61000", "&reduceOnly=true");
    alice.asks("POST", "/fapi/v1/order", &closes);
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_MARKET&triggerPrice=50000&quantity=0.2&algoType=CONDITIONAL&clientAlgoId=stop";
    alice.asks("POST", "/fapi/v1/algoOrder", stop);

    let positions = of_account("alice", "futures:positions");
    // Accounts and contracts are written by themselves, and streams behind the rest.
    let events = |name: &str| world.entries(&of_account(name, "events"));
    until("the cache has all of it", || {
        let alices = events("alice");
        let count = |kind: &str| alices.iter().filter(|event| event.get("event") == kind).count();
        let has = |name: &str, what: &str| hash(world, &of_account(name, &format!("futures:{what}"))).len();
        (count("algoAccepted"), count("income"), has("alice", "algo"), has("alice", "open")) == (1, 2, 1, 2)
            && (has("alice", "positions"), has("bob", "positions")) == (1, 1)
            && world.redis.ask::<usize>(&["ZCARD", &of_contract("asks")]) == 1
            && world.redis.ask::<usize>(&["ZCARD", "{rialto:market:BTCUSDT}:bids"]) == 1
            && world.entries(&of_contract("events")).iter().any(|event| event.get("event") == "trade")
            && hash(world, &of_contract("mark")).get("openInterest").is_some_and(|open| open == "0.40000000")
    });
    let all = shown(world);
    assert_eq!(all[&of_contract("bids")], [("59990.5:0.60000000".into(), "59990.5".into())].into());
    assert_eq!(all[&of_contract("asks")], [("61000.0:0.10000000".into(), "61000".into())].into());
    assert_eq!(all[&of_contract("ticker")]["lastPrice"], "59990.5");
    assert_eq!(all["trade 1-0"]["qty"], "0.40000000");
    let mark = &all[&of_contract("mark")];
    assert_eq!((mark["indexPrice"].as_str(), mark["interestRate"].as_str()), ("60000.0", "0.00010000"));
    assert!(mark["nextFundingTime"].parse::<u64>().is_ok_and(|time| time > 0), "{mark:?}");
    // And the spot market of this name is what it was.
    let spot: Hash = world.redis.ask(&["ZRANGE", "{rialto:market:BTCUSDT}:bids", "0", "-1", "WITHSCORES"]);
    assert_eq!(spot, [("59000:0.50000000".into(), "59000".into())].into());
    assert_eq!(world.redis.ask::<u8>(&["EXISTS", "{rialto:market:BTCUSDT}:trades"]), 0);
    assert_eq!(world.redis.ask::<u8>(&["EXISTS", "{rialto:market:BTCUSDT}:mark"]), 0);

    let position = object(&all[&positions], "BTCUSDT:BOTH");
    let says = |name: &str| position[name].as_str().unwrap_or_default();
    assert_eq!((says("positionAmt"), says("entryPrice")), ("0.40000000", "59990.500"), "{position}");
    assert_eq!((says("marginType"), says("leverage")), ("cross", "20"), "{position}");
    let of_bob = object(&all[&of_account("bob", "futures:positions")], "BTCUSDT:BOTH");
    assert_eq!((&of_bob["positionAmt"], &of_bob["marginType"]), (&"-0.40000000".into(), &"isolated".into()));
    let atoms = |text: &str| crate::crashes::money::atoms(text);
    let amount = |name: &str, what: &str| atoms(&all[&of_account(name, &format!("futures:{what}"))]["USDT"]);
    assert_eq!(amount("alice", "balance"), amount("alice", "cross"));
    let margin = atoms(of_bob["isolatedWallet"].as_str().expect("text"));
    assert!(margin > 0);
    assert_eq!(amount("bob", "balance") - amount("bob", "cross"), margin);
    let told = alice.asks("GET", "/fapi/v2/balance", "");
    assert_eq!(told[0]["balance"], all[&of_account("alice", "futures:balance")]["USDT"].as_str());
    let open = &all[&of_account("alice", "futures:open")];
    let objects: Vec<Value> = open.keys().map(|order| object(open, order)).collect();
    let mine = objects.iter().find(|order| order["clientOrderId"] == "mine").expect("it is open");
    assert_eq!((&mine["executedQty"], &mine["status"]), (&"0.40000000".into(), &"PARTIALLY_FILLED".into()));
    assert!(objects.iter().any(|order| order["reduceOnly"] == true), "{objects:?}");
    let waiting = &all[&of_account("alice", "futures:algo")];
    let stop = object(waiting, waiting.keys().next().expect("one waits"));
    assert_eq!((&stop["clientAlgoId"], &stop["triggerPrice"]), (&"stop".into(), &"50000.0".into()), "{stop}");

    // What happened, in the order in which it did; what came into the wallet is what the API tells.
    let events = events("alice");
    let of_contracts = events.iter().filter(|event| event.get("market") == "futures");
    let kinds: Vec<&str> =
        of_contracts.map(|event| event.get("event")).filter(|kind| *kind != "income").collect();
    assert_eq!(kinds, ["accepted", "filled", "accepted", "algoAccepted"], "{events:?}");
    let filled = events.iter().find(|event| event.get("event") == "filled").expect("she has bought");
    filled.says(&[("symbol", "BTCUSDT"), ("price", "59990.5"), ("qty", "0.40000000"), ("feeAsset", "USDT")]);
    let income: Vec<(&str, &str)> = events
        .iter()
        .filter(|event| event.get("event") == "income")
        .map(|event| (event.get("incomeType"), event.get("income")))
        .collect();
    let told = alice.asks("GET", "/fapi/v1/income", "");
    let told: Vec<(&str, &str)> = told
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["incomeType"].as_str().expect("text"), one["income"].as_str().expect("text")))
        .collect();
    assert_eq!(income, told);
    let kinds: Vec<&str> = income.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["TRANSFER", "COMMISSION"]);
    world
        .entries(&of_contract("events"))
        .last()
        .expect("a trade")
        .says(&[("event", "trade"), ("side", "SELL")]);

    // Redis has lost everything.
    let before = shown(world);
    world.redis.kill();
    world.redis.forget();
    world.redis.start_again();
    until("the cache is there again", || shown(world) == before);
    // What was there before is not told again, and what comes is.
    let events = |world: &World| world.entries(&of_account("alice", "events"));
    until("her stream begins anew", || !events(world).is_empty());
    let begun: Vec<String> = events(world).iter().map(|event| event.get("event").to_owned()).collect();
    assert_eq!(begun, ["begin"]);
    // She closes her position, and what waited for it is cancelled.
    alice.asks("DELETE", "/fapi/v1/algoOpenOrders", "symbol=BTCUSDT");
    alice.asks("DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT");
    bob.asks("POST", "/fapi/v1/order", &order("BUY", "0.4", "60010", ""));
    alice.asks("POST", "/fapi/v1/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.4&reduceOnly=true");
    until("nothing is left at the contract", || {
        let all = shown(world);
        ["alice", "bob"].iter().all(|name| {
            let is_empty = |what: &str| all[&of_account(name, &format!("futures:{what}"))].is_empty();
            ["positions", "open", "algo"].into_iter().all(is_empty)
        }) && all[&of_contract("mark")]["openInterest"] == "0.00000000"
    });
    let profit =
        |world: &World| events(world).into_iter().find(|event| event.get("incomeType") == "REALIZED_PNL");
    until("she is told what she has won", || profit(world).is_some());
    profit(world).expect("just seen").says(&[
        ("income", "7.80000000"),
        ("symbol", "BTCUSDT"),
        ("tradeId", "2"),
    ]);
}

/// A position is liquidated: everybody is told of the order that closed it, its owner of all, and the fund of what it gets.
#[test]
fn a_liquidation_is_told() {
    for partitions in [1, 2] {
        is_liquidated(&World::new(partitions, &format!("[redis.cache]\n{CONTRACT}")));
    }
}

fn is_liquidated(world: &World) {
    let [mut alice, mut bob] = world.accounts.map(|account| Trader::of(world, account));
    for trader in [&mut alice, &mut bob] {
        trader.asks("POST", "/sapi/v1/asset/transfer", "type=MAIN_UMFUTURE&asset=USDT&amount=20000");
    }
    bob.asks("POST", "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=ISOLATED");
    let order = |side: &str, quantity: &str, price: &str| {
        format!("symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity={quantity}&price={price}")
    };
    alice.asks("POST", "/fapi/v1/order", &order("BUY", "0.4", "60000"));
    bob.asks("POST", "/fapi/v1/order", &order("SELL", "0.4", "60000"));
    alice.asks("POST", "/fapi/v1/order", &order("SELL", "0.4", "62000"));
    // The spot market makes the index price: 8 % more is more than his margin can bear.
    alice.asks("POST", "/api/v3/order", &order("SELL", "0.01", "64800"));
    bob.asks("POST", "/api/v3/order", &order("BUY", "0.01", "64800"));

    let all = |key: &str| world.entries(key);
    let told = |key: &str, name: &str, value: &str| {
        let mut found = None;
        until("it is told", || {
            found = all(key).into_iter().find(|event| event.get(name) == value);
            found.is_some()
        });
        found.expect("just seen")
    };
    let order = told(&of_contract("events"), "event", "liquidation");
    order.says(&[
        ("side", "BUY"),
        ("executedQty", "0.40000000"),
        ("avgPrice", "62000.00000000"),
        ("status", "FILLED"),
    ]);
    assert!(order.0.iter().all(|(name, _)| !name.contains("rder")), "nobody is told whose it was: {order:?}");
    let bobs = of_account("bob", "events");
    told(&bobs, "status", "BEGUN").says(&[
        ("event", "liquidation"),
        ("symbol", "BTCUSDT"),
        ("positionSide", "BOTH"),
    ]);
    told(&bobs, "status", "ENDED").says(&[("event", "liquidation"), ("symbol", "BTCUSDT")]);
    let placed = told(&bobs, "type", "LIQUIDATION");
    assert_eq!(placed.get("clientOrderId"), format!("autoclose-{}", placed.get("orderId")));
    told(&bobs, "incomeType", "REALIZED_PNL").says(&[("income", "-800.00000000")]);
    let paid = told(&bobs, "incomeType", "INSURANCE_CLEAR");
    let received = told(&of_account("insurance", "events"), "incomeType", "INSURANCE_CLEAR");
    assert_eq!(paid.get("income"), format!("-{}", received.get("income")));
    let funds = hash(world, &of_account("insurance", "futures:balance"));
    assert_eq!(funds["USDT"], received.get("income"));
}

/// A journal that ended long ago, with positions of all kinds: what it settled is there, and what has become due since then.
#[test]
fn settlements_and_positions_of_before_are_shown() {
    const JOURNAL: &str = include_str!("../../../../exchange/tests/golden/v7/journal.hex");
    let world = World::over(1, "[redis.cache]\n", |data| {
        let directory = DataDir::open(data).expect("there is nothing yet");
        let settings = journal::Settings { journal_segment_bytes: 1 << 20, ..journal::Settings::default() };
        let (_, mut journal) = JournalWriter::open(directory.storage(), &settings, Durable::GENESIS)
            .expect("there is nothing yet");
        let mut frame = FrameBuffer::new();
        for (line, seq) in JOURNAL.lines().zip(1..) {
            let byte = |at| u8::from_str_radix(&line[at..at + 2], 16).expect("a line is bytes");
            let bytes: Vec<u8> = (0..line.len()).step_by(2).map(byte).collect();
            let mut input = Reader::new(&bytes);
            let time_ns = TimeNs::decode(&mut input).expect("a time");
            let command = Command::decode(&mut input).expect("a command");
            frame.begin(Seq(seq), time_ns);
            frame.push(|out| command.encode(out));
            journal.append(&mut frame).expect("there is room");
        }
        seal(&data.join("master.key"));
    });
    let of = |what: &str| format!("{{rialto:contract:BTCUSDT_PERP}}:{what}");
    until("there is another settlement", || world.entries(&of("funding")).len() == 2);
    let settlements = world.entries(&of("funding"));
    let mut connection = Connection::open(&world.addresses.public).expect("it listens");
    let told =
        connection.ask("GET", "/fapi/v1/fundingRate?symbol=BTCUSDT_PERP", "", "").expect("it answers").good();
    let told = told.as_array().expect("a list");
    assert_eq!(told.len(), 2);
    for (settlement, told) in settlements.iter().zip(told) {
        let of = |name: &str| told[name].as_str().map_or_else(|| told[name].to_string(), str::to_owned);
        for name in ["fundingRate", "fundingTime", "markPrice"] {
            assert_eq!(settlement.get(name), of(name));
        }
    }
    // Accounts are written behind the contracts.
    let positions = |name: &str| hash(&world, &of_account(name, "futures:positions"));
    until("there are the positions", || !positions("carol").is_empty() && positions("fred").len() == 2);
    assert_eq!(object(&positions("carol"), "BTCUSDT_PERP:BOTH")["marginType"], "isolated");
    let hedged = positions("fred");
    assert_eq!(hedged.keys().collect::<Vec<_>>(), ["ETHUSDT_PERP:LONG", "ETHUSDT_PERP:SHORT"]);
    assert_eq!(object(&hedged, "ETHUSDT_PERP:SHORT")["positionAmt"], "-0.50000000");
}

/// A directory that has a journal has a master key, too.
fn seal(file: &Path) {
    fs::write(file, "5a".repeat(32)).expect("a file");
    fs::set_permissions(file, Permissions::from_mode(0o600)).expect("it is ours");
}

/// `account=alice side=BUY ...` as an entry.
fn add(world: &World, fields: &str) -> String {
    let pairs: Vec<(&str, &str)> =
        fields.split(' ').map(|pair| pair.split_once('=').expect("a name and a value")).collect();
    world.add(&pairs)
}

fn reply_to(world: &World, entry: &str) -> Fields {
    let mut found = None;
    until("it is answered", || {
        let replies = world.entries(&format!("{STREAM}:replies"));
        found = replies.into_iter().find(|reply| reply.get("entry") == entry);
        found.is_some()
    });
    found.expect("just seen")
}

#[test]
fn orders_for_contracts_come_in_and_their_results_go_out() {
    for partitions in [1, 2] {
        contract_orders(&World::new(partitions, CONTRACT));
    }
}

fn contract_orders(world: &World) {
    for account in world.accounts {
        let transfer = "type=MAIN_UMFUTURE&asset=USDT&amount=20000";
        Trader::of(world, account).asks("POST", "/sapi/v1/asset/transfer", transfer);
    }
    let sell = "account=bob symbol=BTCUSDT market=futures side=SELL type=LIMIT timeInForce=GTC quantity=0.4 price=60000";
    let rests = reply_to(world, &add(world, sell));
    rests.says(&[
        ("result", "OK"),
        ("action", "NEW"),
        ("market", "futures"),
        ("symbol", "BTCUSDT"),
        ("status", "NEW"),
    ]);
    rests.says(&[("executedQty", "0.00000000"), ("cumQuote", "0.00000000")]);

    let alice = |more: &str| add(world, &format!("account=alice symbol=BTCUSDT market=futures {more}"));
    let buy = "side=BUY type=LIMIT quantity=0.1 price=59990.5 timeInForce=GTX newClientOrderId=mine";
    let entries = [
        alice("side=BUY type=MARKET quantity=0.1"),
        alice(buy),
        alice("side=SELL type=STOP_MARKET stopPrice=50000 closePosition=true newClientOrderId=stop"),
        alice("action=AMEND origClientOrderId=mine quantity=0.2 price=59980 timeInForce=GTX"),
        alice("action=CANCEL origClientOrderId=mine"),
        alice("action=CANCEL clientAlgoId=stop"),
        alice("action=CANCEL_ALL_ALGO"),
        alice("side=BUY type=LIMIT timeInForce=GTC quantity=0.1 price=59000 reduceOnly=true"),
        alice("side=BUY type=LIMIT timeInForce=GTD goodTillDate=4000000000000 quantity=0.1 price=59000"),
        alice("side=BUY type=MARKET quantity=100"),
        alice("action=CANCEL_ALL"),
    ];
    let replies = entries.each_ref().map(|entry| reply_to(world, entry));
    let [bought, rests, waits, amended, cancelled, waits_no_more, none_waits, ..] = &replies;
    bought.says(&[("status", "FILLED"), ("avgPrice", "60000.00000000"), ("cumQuote", "6000.00000000")]);
    assert_eq!(bought.get("clientOrderId"), format!("r0-{}", entries[0]), "the entry gives it a name");
    rests.says(&[("status", "NEW"), ("clientOrderId", "mine"), ("origQty", "0.10000000")]);
    waits.says(&[("result", "OK"), ("action", "NEW"), ("clientAlgoId", "stop"), ("status", "NEW")]);
    let order = rests.get("orderId");
    amended.says(&[("action", "AMEND"), ("orderId", order), ("price", "59980.0"), ("origQty", "0.20000000")]);
    cancelled.says(&[("action", "CANCEL"), ("status", "CANCELED"), ("orderId", order)]);
    waits_no_more.says(&[("action", "CANCEL"), ("status", "CANCELED"), ("algoId", waits.get("algoId"))]);
    none_waits.says(&[("result", "REFUSED"), ("action", "CANCEL_ALL_ALGO"), ("code", "-2011")]);
    let [.., opens, until_a_date, too_much, all] = &replies;
    opens.says(&[("result", "REFUSED"), ("code", "-2022"), ("msg", "ReduceOnly Order is rejected.")]);
    until_a_date.says(&[("result", "OK"), ("status", "NEW")]);
    too_much.says(&[("result", "REFUSED"), ("code", "-2019"), ("msg", "Margin is insufficient.")]);
    all.says(&[("action", "CANCEL_ALL"), ("status", "CANCELED"), ("orderId", until_a_date.get("orderId"))]);

    // Without a word the name is the spot market's; what makes no sense is put aside, with the reason.
    let spot = "account=alice symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=0.1 price=59000";
    let spot = reply_to(world, &add(world, spot));
    spot.says(&[("result", "OK"), ("market", ""), ("cummulativeQuoteQty", "0.00000000")]);
    let off_the_tick = alice("side=BUY type=LIMIT timeInForce=GTC quantity=0.1 price=59000.05");
    let dead = format!("{STREAM}:dead");
    until("it is put aside", || world.entries(&dead).len() == 1);
    world.entries(&dead)[0].says(&[("entry", &off_the_tick), ("code", "-1111"), ("field:market", "futures")]);
    world.drained();
}

/// A stream for one contract alone: its entries need not name it.
#[test]
fn a_stream_can_be_for_one_contract() {
    let world = World::new(1, &format!("contract = \"BTCUSDT\"\n{CONTRACT}"));
    let refused = reply_to(&world, &add(&world, "account=alice side=BUY type=MARKET quantity=0.1"));
    refused.says(&[("market", "futures"), ("symbol", "BTCUSDT"), ("code", "-2019")]);
    let elsewhere = add(&world, "account=alice market=spot side=BUY type=MARKET quantity=0.1");
    let dead = format!("{STREAM}:dead");
    until("it is put aside", || world.entries(&dead).len() == 1);
    world.entries(&dead)[0].says(&[
        ("entry", &elsewhere),
        ("reason", "This stream is for the contract BTCUSDT; orders for another market go to another one."),
    ]);
}

/// Orders at the contract and at the spot market of its name, while the exchange and Redis are killed in turns.
#[test]
fn orders_for_contracts_are_done_once_whoever_is_killed() {
    for partitions in [1, 2] {
        killed_in_turns(&mut World::new(
            partitions,
            &format!("lease_ms = 2000\nread_max = 100\nin_flight_max = 500\n{CONTRACT}"),
        ));
    }
}

fn killed_in_turns(world: &mut World) {
    const ROUNDS: usize = 4;
    const A_ROUND: usize = 400;
    for account in world.accounts {
        let transfer = "type=MAIN_UMFUTURE&asset=USDT&amount=20000";
        Trader::of(world, account).asks("POST", "/sapi/v1/asset/transfer", transfer);
    }
    let mut sent: BTreeSet<String> = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut orders = pipe();
        for number in 0..A_ROUND {
            let account = if number % 2 == 0 { "alice" } else { "bob" };
            let order =
                orders.cmd("XADD").arg(STREAM).arg("*").arg(&["account", account, "symbol", "BTCUSDT"]);
            order.arg(&["side", "BUY", "type", "LIMIT", "timeInForce", "IOC", "price", "59000"]);
            order.arg(&["quantity", "0.001", "newClientOrderId", &format!("{round}-{number}")]);
            if number % 3 != 0 {
                order.arg(&["market", "futures"]);
                if number % 7 == 0 {
                    // There is nothing that it could reduce.
                    order.arg(&["reduceOnly", "true"]);
                }
            }
        }
        let taken: usize = world.redis.ask(&["XLEN", &format!("{STREAM}:replies")]);
        let ids: Vec<String> = orders.query(&mut world.redis.connect()).expect("Redis is there");
        sent.extend(ids);
        until("it is in the middle of it", || {
            world.redis.ask::<usize>(&["XLEN", &format!("{STREAM}:replies")]) > taken
        });
        if round % 2 == 1 {
            world.redis.kill();
            world.redis.start_again();
        }
        if round != 1 {
            world.kill();
            world.start_again();
        }
    }
    world.drained();
    world.replies(sent.len());
    // Redis has forgotten how far the group was: everything comes again, and nothing of it is done or answered again.
    let _: () = world.redis.ask(&["XGROUP", "SETID", STREAM, "rialto", "0"]);
    until("everything has come again", || {
        let headers = format!("authorization: Bearer {}\r\n", world.token);
        let mut admin = Connection::open(&world.addresses.admin).expect("it listens");
        let told = admin.ask("GET", "/metrics", &headers, "").expect("it answers").body;
        let name = "rialto_redis_entries_repeated_total{stream=\"orders\"} ";
        let again =
            told.lines().find_map(|line| line.strip_prefix(name)).and_then(|count| count.parse().ok());
        again.is_some_and(|again: usize| again >= sent.len())
    });
    world.drained();
    world.terminate();
    let replies = world.replies(0);
    assert_eq!(replies.len(), sent.len(), "one result each");
    let answered: BTreeSet<String> = replies.iter().map(|reply| reply.get("entry").to_owned()).collect();
    assert_eq!(answered, sent);
    let (mut taken, mut placed) = (0, BTreeSet::new());
    for event in event_log(&world.data) {
        match event {
            Event::EntryTaken { .. } => taken += 1,
            Event::ContractOrderAccepted(accepted) => {
                assert!(placed.insert(accepted.client_order_id.to_string()), "{accepted:?} was placed twice");
            }
            Event::OrderAccepted(accepted) => {
                assert!(placed.insert(accepted.client_order_id.to_string()), "{accepted:?} was placed twice");
            }
            _ => {}
        }
    }
    let refused = replies.iter().filter(|reply| reply.get("result") == "REFUSED").count();
    let too_many = (0..A_ROUND).filter(|number| number % 3 != 0 && number % 7 == 0).count();
    assert_eq!(refused, ROUNDS * too_many);
    assert_eq!((taken, placed.len()), (sent.len(), sent.len() - refused));
    crate::program::verify(&world.data).well();
}
