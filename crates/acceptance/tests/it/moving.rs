//! The demo with its simulated traders: alive from the first second, the same after every reset, and again after a kill.

use std::path::Path;
use std::time::Instant;

use acceptance::Server;
use journal::{DataDir, EventLogReader};
use model::{Event, Seq};
use serde_json::Value;

use crate::http::{Connection, PATIENCE};
use crate::program::{Program, rialto, run, verify};

const MARKETS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "ETHBTC"];

/// A start as its users make it, with more arguments.
fn demo(data: &Path, arguments: &[&str]) -> Program {
    let mut command = rialto(["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"]);
    command.arg(data).args(arguments);
    Program::spawn(command)
}

fn ask(connection: &mut Connection, path: &str) -> Value {
    connection.ask("GET", path, "", "").expect("it listens").good()
}

/// Asks until the answer is as it should be.
fn ask_until(connection: &mut Connection, path: &str, is_fine: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = ask(connection, path);
        if is_fine(&answer) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{path}: {answer}");
    }
}

fn last_trade(connection: &mut Connection, market: &str) -> u64 {
    let trades = ask(connection, &format!("/api/v3/trades?symbol={market}&limit=1"));
    trades[0]["id"].as_u64().unwrap_or(0)
}

/// Waits until so many trades more are there.
fn more_trades(connection: &mut Connection, market: &str, more: u64) {
    let enough = last_trade(connection, market) + more;
    let path = format!("/api/v3/trades?symbol={market}&limit=1");
    ask_until(connection, &path, |trades| trades[0]["id"].as_u64().unwrap_or(0) >= enough);
}

/// Best bid and best ask, as numbers for people.
fn touch(connection: &mut Connection, market: &str) -> (f64, f64) {
    let path = format!("/api/v3/ticker/bookTicker?symbol={market}");
    let ticker = ask(connection, &path);
    let number = |field: &str| ticker[field].as_str().expect("a decimal").parse().expect("a decimal");
    (number("bidPrice"), number("askPrice"))
}

#[test]
fn it_is_alive_from_the_first_second() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[]);
    assert_eq!(server.keys.len(), 2, "the traders' keys are nobody's business");
    let mut connection = Connection::open(&server.address).unwrap();
    let began = Instant::now();
    for market in MARKETS {
        let path = format!("/api/v3/depth?symbol={market}&limit=100");
        let levels = |side: &Value| side.as_array().expect("a list").len();
        ask_until(&mut connection, &path, |book| levels(&book["bids"]) >= 20 && levels(&book["asks"]) >= 20);
        let path = format!("/api/v3/trades?symbol={market}&limit=10");
        ask_until(&mut connection, &path, |trades| levels(trades) >= 10);
        // The last minute may have begun just now, and have none.
        let path = format!("/api/v3/klines?symbol={market}&interval=1m&limit=10");
        let candles = ask(&mut connection, &path);
        let has_volume = |candle: &Value| candle[5] != "0.00000000";
        assert!(candles.as_array().expect("a list").iter().any(has_volume), "they have volume: {candles}");
        let path = format!("/api/v3/ticker/24hr?symbol={market}");
        let ticker = ask(&mut connection, &path);
        assert!(ticker["count"].as_u64().unwrap() >= 10, "{ticker}");
        let (bid, ask) = touch(&mut connection, market);
        assert!(0.0 < bid && bid < ask && ask < bid * 1.002, "{market}: {bid} to {ask}");
    }
    for contract in ["BTCUSDT", "ETHUSDT"] {
        let path = format!("/fapi/v1/depth?symbol={contract}&limit=100");
        let levels = |side: &Value| side.as_array().expect("a list").len();
        ask_until(&mut connection, &path, |book| levels(&book["bids"]) >= 20 && levels(&book["asks"]) >= 20);
        let path = format!("/fapi/v1/trades?symbol={contract}&limit=10");
        ask_until(&mut connection, &path, |trades| levels(trades) >= 10);
        let number = |text: &Value| text.as_str().expect("a decimal").parse::<f64>().expect("a decimal");
        let path = format!("/fapi/v1/ticker/bookTicker?symbol={contract}");
        let ticker = ask(&mut connection, &path);
        let (bid, ask_price) = (number(&ticker["bidPrice"]), number(&ticker["askPrice"]));
        let (spot, _) = touch(&mut connection, contract);
        assert!(bid < ask_price && (bid / spot - 1.0).abs() < 0.01, "{contract}: {ticker} beside {spot}");
        let path = format!("/fapi/v1/openInterest?symbol={contract}");
        let interest = ask(&mut connection, &path);
        assert!(number(&interest["openInterest"]) > 0.0, "{interest}");
    }
    println!("alive after {:?}", began.elapsed());
    more_trades(&mut connection, "BTCUSDT", 3);
    let (status, printed) = server.terminate();
    assert!(status.success(), "{printed}");
}

#[test]
fn off_means_that_nobody_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut connection = Connection::open(&server.address).unwrap();
    let book = ask(&mut connection, "/api/v3/depth?symbol=BTCUSDT");
    assert_eq!((&book["bids"], &book["asks"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    let (_, printed) = server.terminate();
    assert!(printed.contains("Stopped at command"), "{printed}");

    // A demo that was begun without them gets them when they are asked for.
    let (program, addresses) = demo(folder.path(), &["--demo", "busy"]).listening();
    let mut connection = Connection::open(&addresses.public).unwrap();
    more_trades(&mut connection, "ETHUSDT", 10);
    program.terminate().well();
}

/// What trades and books are made of, from the files: everything but times, keys, and the commands' own numbers, between
/// which ticks of the clock fall as they like.
fn told(data: &Path) -> Vec<Event> {
    let directory = DataDir::open_read_only(data).expect("it is there");
    let mut reader = EventLogReader::open(directory.storage(), Seq(1)).expect("it can be read");
    let mut told = Vec::new();
    while let Some(frame) = reader.next().expect("the event log can be read") {
        told.extend(sequencer::decode_batch(&frame).expect("events can be read").events.into_iter().filter(
            |event| {
                matches!(
                    event,
                    Event::Deposited(_)
                        | Event::OrderAccepted(_)
                        | Event::OrderFilled(_)
                        | Event::OrderPrevented(_)
                        | Event::OrderEnded(_)
                        | Event::Traded(_)
                        | Event::LevelChanged(_)
                )
            },
        ));
    }
    told
}

fn run_until_it_has_traded(data: &Path, arguments: &[&str]) -> (Vec<String>, Vec<Event>) {
    let (program, addresses) = demo(data, arguments).listening();
    let secrets = program.printed().iter().filter(|line| line.contains("    secret ")).cloned().collect();
    let mut connection = Connection::open(&addresses.public).unwrap();
    more_trades(&mut connection, "BTCUSDT", 300);
    program.terminate().well();
    (secrets, told(data))
}

#[test]
fn the_same_seed_tells_the_same_story_after_every_reset() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (keys, first) = run_until_it_has_traded(&data, &["--demo", "busy", "--seed", "5"]);
    let (same_keys, again) = run_until_it_has_traded(&data, &["--demo", "busy", "--reset"]);
    assert_eq!(keys, same_keys, "bots go on with the keys that they have");
    let both = first.len().min(again.len());
    assert!(both > 3_000, "{both} events");
    for (at, (first, again)) in first.iter().zip(&again).enumerate() {
        assert_eq!(first, again, "event {at} of {both}");
    }
    let (_, other) = run_until_it_has_traded(&data, &["--demo", "busy", "--reset", "--seed", "6"]);
    assert!(first.iter().zip(&other).any(|(first, other)| first != other), "another seed, another story");
}

#[test]
fn prices_start_where_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (data, prices) =
        (folder.path().join("data"), ["--price", "BTCUSDT=100000", "--price", "ETHUSDT=2500.50"]);
    let about = |connection: &mut Connection, market: &str, price: f64| {
        more_trades(connection, market, 1);
        let (bid, ask) = touch(connection, market);
        assert!((bid / price - 1.0).abs() < 0.02 && bid < ask, "{market}: {bid} to {ask}");
    };
    let (program, addresses) = demo(&data, &prices).listening();
    let mut connection = Connection::open(&addresses.public).unwrap();
    about(&mut connection, "BTCUSDT", 100_000.0);
    about(&mut connection, "ETHUSDT", 2_500.5);
    about(&mut connection, "ETHBTC", 0.025);
    program.terminate().well();
    // They go on where they were.
    let (program, addresses) = demo(&data, &["--demo", "busy"]).listening();
    let mut connection = Connection::open(&addresses.public).unwrap();
    about(&mut connection, "BTCUSDT", 100_000.0);
    // Until somebody takes them elsewhere, to where market orders with their bands alone do not get.
    let ask_for = |price: &str| {
        let mut command = rialto(["demo", "price", price, "--data"]);
        command.arg(&data);
        run(command)
    };
    ask_for("BTCUSDT=65000").well();
    let path = "/api/v3/ticker/bookTicker?symbol=BTCUSDT";
    let bid =
        |ticker: &Value| ticker["bidPrice"].as_str().expect("a decimal").parse::<f64>().expect("a decimal");
    ask_until(&mut connection, path, |ticker| bid(ticker) > 1.0 && bid(ticker) < 70_000.0);
    about(&mut connection, "BTCUSDT", 65_000.0);
    about(&mut connection, "ETHUSDT", 2_500.5);
    program.terminate().well();
    ask_for("BTCUSDT=70000").refused(&["no demo runs on", "--price"]);

    let wrong = |price: &str| {
        run({
            let mut command = rialto(["demo", "--price", price, "--data"]);
            command.arg(&data);
            command
        })
    };
    wrong("ETHBTC=0.05").refused(&["ETHBTC"]);
    wrong("BTCUSDT").refused(&["MARKET=PRICE"]);
    wrong("BTCUSDT=cheap").refused(&["initial_price"]);
}

/// Traders that were cut off in the middle of a step, and an exchange that was, come back and go on.
#[test]
fn killed_and_stopped_under_load_it_comes_back_and_moves() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for round in 0..4 {
        let (program, addresses) = demo(&data, &["--demo", "busy"]).listening();
        let mut connection = Connection::open(&addresses.public).unwrap();
        for market in MARKETS {
            more_trades(&mut connection, market, 5);
            let (best_bid, best_ask) = touch(&mut connection, market);
            assert!(best_bid < best_ask, "{market}: {best_bid} to {best_ask}");
            let book = ask(&mut connection, &format!("/api/v3/depth?symbol={market}&limit=1000"));
            let levels = book["bids"].as_array().expect("a list").len();
            assert!(levels < 200, "what was left behind is gone: {levels} levels");
        }
        if round % 2 == 0 {
            program.kill();
        } else {
            let ended = program.terminate();
            assert!(ended.status.success() && ended.stdout.contains("Stopped at command"), "{ended:?}");
        }
    }
    verify(&data).well();
}

#[test]
fn a_reset_is_for_demos_that_do_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let reset = || {
        let mut command =
            rialto(["demo", "reset", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"]);
        command.arg(&data);
        Program::spawn(command)
    };
    let (program, addresses) = demo(&data, &[]).listening();
    reset().wait().refused(&["cannot be reset while it runs", "in use by process"]);
    let mut connection = Connection::open(&addresses.public).unwrap();
    more_trades(&mut connection, "BTCUSDT", 1);
    program.terminate().well();

    let (program, _) = reset().listening();
    program.terminate().well();
    assert!(!told(&data).is_empty(), "it started again");

    std::fs::remove_file(data.join("DEMO")).unwrap();
    let events = told(&data).len();
    reset().wait().refused(&["is not the data directory of a demo", "Nothing was changed"]);
    assert_eq!(told(&data).len(), events);
}
