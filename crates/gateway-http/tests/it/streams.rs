//! The market-data streams against the REST answers, under made-up flow.

use std::collections::{BTreeMap, HashSet};

use gateway_http::{GatewaySettings, SocketSettings};
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;

use crate::http::Trader;
use crate::socket::Socket;
use crate::world::{World, fields};

/// Dice that always fall the same way.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Asserts that `value` has these fields and no others.
#[track_caller]
fn assert_fields_are(value: &Value, wanted: &str) {
    let mut wanted: Vec<&str> = wanted.split(' ').collect();
    let mut there = fields(value);
    wanted.sort_unstable();
    there.sort_unstable();
    assert_eq!(there, wanted);
}

/// Places an order near 50,000 or cancels everything, now and then.
fn act(dice: &mut Dice, traders: &[&Trader]) {
    let trader = traders[usize::try_from(dice.below(traders.len() as u64)).unwrap()];
    if dice.below(12) == 0 {
        trader.send("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT");
        return;
    }
    let side = if dice.below(2) == 0 { "BUY" } else { "SELL" };
    let price = 49_999 + dice.below(3);
    let cents = dice.below(20) * 5;
    let quantity = 1 + dice.below(9);
    let order = if dice.below(6) == 0 {
        format!("side={side}&type=MARKET&quantity=0.00{quantity}")
    } else {
        format!("side={side}&type=LIMIT&timeInForce=GTC&quantity=0.00{quantity}&price={price}.{cents:02}")
    };
    trader.place(&order);
}

fn trade(alice: &Trader, bob: &Trader) {
    alice.rest("SELL", "1", "50000");
    bob.place("side=BUY&type=MARKET&quantity=0.4").ok();
}

#[test]
fn trades_are_told_as_they_happen() {
    let (world, alice, bob) = World::open();
    let mut trades = Socket::open(world.public, "/ws/btcusdt@trade");
    let mut aggregated = Socket::open(world.public, "/stream?streams=BTCUSDT@aggTrade&timeUnit=MICROSECOND");
    let mut best = Socket::open(world.public, "/ws/btcusdt@bookTicker");
    for socket in [&mut trades, &mut aggregated, &mut best] {
        socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
    }
    alice.rest("SELL", "1", "50000");
    alice.rest("SELL", "1", "50000");
    alice.rest("SELL", "1", "50000.05");
    bob.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=2.5&price=50001").ok();

    for (id, price, quantity) in
        [(1, "50000.00", "1.00000000"), (2, "50000.00", "1.00000000"), (3, "50000.05", "0.50000000")]
    {
        let told = trades.next();
        assert_fields_are(&told, "e E s t p q T m M");
        assert_eq!(
            (&told["e"], &told["s"], &told["t"], &told["p"], &told["q"], &told["m"]),
            (&json!("trade"), &json!("BTCUSDT"), &json!(id), &json!(price), &json!(quantity), &json!(false))
        );
    }
    let rest = world.get("/api/v3/aggTrades?symbol=BTCUSDT").ok();
    for (index, (first, last)) in [(1, 2), (3, 3)].into_iter().enumerate() {
        let told = aggregated.next();
        assert_eq!(told["stream"], "BTCUSDT@aggTrade");
        let told = &told["data"];
        assert_fields_are(told, "e E s a p q f l T m M");
        assert_eq!((&told["f"], &told["l"]), (&json!(first), &json!(last)));
        for field in ["a", "p", "q", "f", "l", "m", "M"] {
            assert_eq!(told[field], rest[index][field], "{field}");
        }
        assert_eq!(told["T"].as_u64().unwrap() / 1_000, rest[index]["T"].as_u64().unwrap(), "microseconds");
    }
    // One for each command that changed the best.
    for (bid, bid_qty, ask, ask_qty) in [
        ("0.00", "0.00000000", "50000.00", "1.00000000"),
        ("0.00", "0.00000000", "50000.00", "2.00000000"),
        ("0.00", "0.00000000", "50000.05", "0.50000000"),
    ] {
        let told = best.next();
        assert_fields_are(&told, "u s b B a A");
        assert_eq!(
            (&told["b"], &told["B"], &told["a"], &told["A"]),
            (&json!(bid), &json!(bid_qty), &json!(ask), &json!(ask_qty))
        );
    }
}

/// A book as the documents say how to keep one.
struct LocalBook {
    socket: Socket,
    bids: BTreeMap<String, String>,
    asks: BTreeMap<String, String>,
    /// 0 before the snapshot.
    update_id: u64,
    /// The last change of the event before.
    last: Option<u64>,
    buffered: Vec<Value>,
}

impl LocalBook {
    fn open(world: &World, speed: &str) -> Self {
        let socket = Socket::open(world.public, &format!("/ws/btcusdt@depth{speed}"));
        Self {
            socket,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            update_id: 0,
            last: None,
            buffered: Vec::new(),
        }
    }

    /// Takes in one event.
    fn step(&mut self, world: &World) {
        let event = self.socket.next();
        assert_fields_are(&event, "e E s U u b a");
        let first = event["U"].as_u64().unwrap();
        if let Some(last) = self.last {
            assert_eq!(first, last + 1, "events follow each other without gaps");
        }
        self.last = event["u"].as_u64();
        assert!(first <= self.last.unwrap(), "an interval without a change is not told");
        if self.update_id > 0 {
            self.apply(&event);
            return;
        }
        self.buffered.push(event);
        let snapshot = world.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").ok();
        let id = snapshot["lastUpdateId"].as_u64().unwrap();
        assert!(id >= self.buffered[0]["U"].as_u64().unwrap(), "what was told, REST shows too");
        self.update_id = id;
        let side = |name: &str| {
            let levels = snapshot[name].as_array().unwrap();
            levels.iter().map(|level| (text(&level[0]), text(&level[1]))).collect()
        };
        (self.bids, self.asks) = (side("bids"), side("asks"));
        for event in std::mem::take(&mut self.buffered) {
            if event["u"].as_u64().unwrap() > id {
                self.apply(&event);
            }
        }
    }

    fn apply(&mut self, event: &Value) {
        let (first, last) = (event["U"].as_u64().unwrap(), event["u"].as_u64().unwrap());
        if last <= self.update_id {
            return;
        }
        assert!(first <= self.update_id + 1, "the first event reaches into the snapshot");
        for (side, name) in [(&mut self.bids, "b"), (&mut self.asks, "a")] {
            for level in event[name].as_array().unwrap() {
                let (price, open) = (text(&level[0]), text(&level[1]));
                if open.bytes().all(|byte| byte == b'0' || byte == b'.') {
                    side.remove(&price);
                } else {
                    side.insert(price, open);
                }
            }
        }
        self.update_id = last;
    }

    /// Takes in events until the book is as far as REST's, and compares the two.
    fn assert_in_step(&mut self, world: &World) {
        let rest = world.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").ok();
        let id = rest["lastUpdateId"].as_u64().unwrap();
        while self.update_id < id {
            self.step(world);
        }
        assert_eq!(self.update_id, id, "nobody else is there");
        for (side, name) in [(&self.bids, "bids"), (&self.asks, "asks")] {
            let levels = rest[name].as_array().unwrap();
            let wanted: BTreeMap<String, String> =
                levels.iter().map(|level| (text(&level[0]), text(&level[1]))).collect();
            assert_eq!(*side, wanted, "{name}");
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("numbers are text").to_owned()
}

#[test]
fn a_book_kept_by_the_documents_is_always_in_step_with_rest_also_over_a_restart() {
    let (mut world, mut alice, mut bob) = World::open();
    let mut dice = Dice(2_026);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut books = [LocalBook::open(&world, "@100ms"), LocalBook::open(&world, "")];
        for book in &mut books {
            book.socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
        }
        for _ in 0..6 {
            for _ in 0..25 {
                act(&mut dice, &[&alice, &bob]);
            }
            books[0].assert_in_step(&world);
        }
        books[1].assert_in_step(&world);
        ids.push(books[0].update_id);
        world = world.restart();
        for trader in [&mut alice, &mut bob] {
            trader.address = world.public;
        }
    }
    assert!(ids[0] < ids[1], "numbers are never used again: {ids:?}");
}

#[test]
fn partial_books_are_the_best_of_the_book() {
    let (world, alice, bob) = World::open();
    let mut dice = Dice(7);
    let mut sockets = [5, 10, 20].map(|levels| {
        let socket = Socket::open(world.public, &format!("/ws/btcusdt@depth{levels}@100ms"));
        (levels, socket)
    });
    for _ in 0..40 {
        act(&mut dice, &[&alice, &bob]);
    }
    let rest = world.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").ok();
    for (levels, socket) in &mut sockets {
        let told = loop {
            let told = socket.next();
            if told["lastUpdateId"] == rest["lastUpdateId"] {
                break told;
            }
        };
        assert_fields_are(&told, "lastUpdateId bids asks");
        for side in ["bids", "asks"] {
            let best: Vec<&Value> = rest[side].as_array().unwrap().iter().take(*levels).collect();
            assert_eq!(told[side].as_array().unwrap().iter().collect::<Vec<_>>(), best, "{levels} {side}");
        }
    }
}

#[test]
fn tickers_tell_what_rest_tells() {
    let (world, alice, bob) = World::open();
    trade(&alice, &bob);
    let mut socket = Socket::open(
        world.public,
        "/stream?streams=btcusdt@ticker/btcusdt@miniTicker/!miniTicker@arr/btcusdt@avgPrice",
    );
    let mut seen = HashSet::new();
    while seen.len() < 4 {
        let told = socket.next();
        let (stream, told) = (text(&told["stream"]), told["data"].clone());
        let rest = world.get("/api/v3/ticker/24hr?symbol=BTCUSDT").ok();
        let same = |told: &Value, pairs: &[(&str, &str)]| {
            for (short, long) in pairs {
                assert_eq!(told[short], rest[long], "{stream} {short}");
            }
        };
        let mini = [
            ("c", "lastPrice"),
            ("o", "openPrice"),
            ("h", "highPrice"),
            ("l", "lowPrice"),
            ("v", "volume"),
            ("q", "quoteVolume"),
        ];
        match stream.as_str() {
            "btcusdt@ticker" => {
                assert_fields_are(&told, "e E s p P w x c Q b B a A o h l v q O C F L n");
                same(&told, &mini);
                same(
                    &told,
                    &[
                        ("p", "priceChange"),
                        ("P", "priceChangePercent"),
                        ("w", "weightedAvgPrice"),
                        ("x", "prevClosePrice"),
                        ("Q", "lastQty"),
                        ("b", "bidPrice"),
                        ("B", "bidQty"),
                        ("a", "askPrice"),
                        ("A", "askQty"),
                        ("F", "firstId"),
                        ("L", "lastId"),
                        ("n", "count"),
                    ],
                );
            }
            "btcusdt@miniTicker" => {
                assert_fields_are(&told, "e E s c o h l v q");
                same(&told, &mini);
            }
            "!miniTicker@arr" => {
                assert_eq!(told[0]["s"], "BTCUSDT");
                same(&told[0], &mini);
            }
            "btcusdt@avgPrice" => {
                assert_fields_are(&told, "e E s i w T");
                let average = world.get("/api/v3/avgPrice?symbol=BTCUSDT").ok();
                assert_eq!((&told["w"], &told["T"]), (&average["price"], &average["closeTime"]));
            }
            other => panic!("{other} was not asked for"),
        }
        seen.insert(stream);
    }
}

#[test]
fn candles_close_exactly_once_and_as_rest_has_them() {
    let (world, alice, bob) = World::open();
    let mut socket = Socket::open(
        world.public,
        "/stream?streams=btcusdt@kline_1s/btcusdt@kline_1m/btcusdt@kline_1M@+08:00",
    );
    socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
    trade(&alice, &bob);
    let mut closed: Vec<Value> = Vec::new();
    let mut under_way = HashSet::new();
    while closed.len() < 2 || under_way.len() < 3 {
        let told = socket.next();
        let k = &told["data"]["k"];
        assert_fields_are(&told["data"], "e E s k");
        assert_fields_are(k, "t T s i f L o c h l v n x q V Q B");
        if k["x"] == true && k["i"] == "1s" {
            closed.push(k.clone());
        }
        under_way.insert(text(&told["stream"]));
    }
    let mut open_times: Vec<u64> = closed.iter().map(|k| k["t"].as_u64().unwrap()).collect();
    open_times.dedup();
    assert_eq!(open_times.len(), closed.len(), "a candle closes once");
    let rest = world.get("/api/v3/klines?symbol=BTCUSDT&interval=1s").ok();
    for k in &closed {
        let row = rest.as_array().unwrap().iter().find(|row| row[0] == k["t"]).expect("REST has it too");
        for (field, column) in [
            ("o", 1),
            ("h", 2),
            ("l", 3),
            ("c", 4),
            ("v", 5),
            ("T", 6),
            ("q", 7),
            ("n", 8),
            ("V", 9),
            ("Q", 10),
        ] {
            assert_eq!(k[field], row[column], "{field}");
        }
    }
}

#[test]
fn who_falls_too_far_behind_is_told_so_and_dropped() {
    let sockets = SocketSettings { max_outbox_messages: 16, ..SocketSettings::default() };
    let (world, alice, bob) = World::open_with(GatewaySettings { sockets, ..GatewaySettings::default() });
    let mut socket = Socket::open(world.public, "/ws/btcusdt@trade");
    socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
    for _ in 0..200 {
        alice.rest("SELL", "0.001", "50000");
    }
    // 200 trades at once: far more than may wait.
    bob.place("side=BUY&type=MARKET&quantity=0.2").ok();
    assert_eq!(socket.rest().1, Some(CloseCode::Policy));
}

#[test]
fn who_reads_nothing_is_dropped_and_everybody_else_gets_everything() {
    let sockets = SocketSettings { max_outbox_bytes: 256 << 10, ..SocketSettings::default() };
    let (world, alice, bob) = World::open_with(GatewaySettings { sockets, ..GatewaySettings::default() });
    // The same stream under 128 names, so that the buffers of the kernel are soon full.
    let names: Vec<String> = (0..128).map(|case| format!("{}@trade", in_case("btcusdt", case))).collect();
    let mut silent = Socket::open(world.public, &format!("/stream?streams={}", names.join("/")));
    let mut reader = Socket::open(world.public, "/ws/btcusdt@trade");
    for socket in [&mut silent, &mut reader] {
        socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 1}));
    }
    let rounds = 3;
    for _ in 0..rounds {
        for _ in 0..200 {
            alice.rest("SELL", "0.001", "50000");
        }
        bob.place("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.2&price=50000").ok();
    }
    for id in 1..=200 * rounds {
        assert_eq!(reader.next()["t"], id);
    }
    assert!(silent.rest().0.len() < 128 * 200 * rounds, "the silent one was dropped");
}

/// Each bit of `case` decides about one letter.
fn in_case(text: &str, case: u32) -> String {
    let letter = |(place, letter): (usize, char)| {
        if case >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    text.chars().enumerate().map(letter).collect()
}
