//! Exchanges of several partitions from outside: killed under load, grown by one more, with markets that move, with files that
//! do not belong together, and with settings that do not fit.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use acceptance::lasting_addresses;
use serde_json::{Value, json};

use crate::crashes::custody::Operator;
use crate::crashes::files::{change, copy, journal_segments};
use crate::crashes::world::{Habits, World, settings};
use crate::http::Connection;
use crate::program::{Addresses, Ended, Program, rialto, run, serve, verify};
use crate::random::Random;

const fn spread_over(partitions: u8) -> Habits {
    Habits { snapshot_every: 200, partitions, ..Habits::NO_SNAPSHOTS }
}

/// Moves a market from one partition to another and on, until the exchange is gone; how often it has arrived.
fn move_about(addresses: &Addresses, token: &str, partitions: u8) -> u32 {
    let Ok(mut operator) = Operator::open(addresses, token) else { return 0 };
    let mut arrived = 0;
    for to in (0..partitions).cycle() {
        let Ok(answer) = operator.ask("POST", "markets/ETHBTC/move", &json!({ "to": to }).to_string()) else {
            break;
        };
        match answer.status {
            200 => arrived += 1,
            // It is there already, or still on its way, or the exchange stops.
            409 | 500.. => {}
            _ => panic!("{answer:?}"),
        }
    }
    arrived
}

/// Accounts and markets of which some live together and some apart, and a market that never rests: what was acknowledged holds,
/// the books are what the traders know of, and money adds up to the atom over all journals.
#[test]
fn nothing_acknowledged_is_lost_by_kill_9_with_several_partitions() {
    let mut moves = 0;
    for partitions in [2, 3] {
        let mut random = Random::new(1_000 + u64::from(partitions));
        let (mut world, mut program, mut addresses) = World::new(&mut random, 6, spread_over(partitions));
        world.check(&addresses);
        world.traders.iter_mut().for_each(|trader| trader.market_moves = true);
        for round in 0..8 {
            let answers = 50 + random.below(400);
            let token = world.token.clone();
            moves += world.load(&addresses, 150, |tally| {
                std::thread::scope(|scope| {
                    let moving = scope.spawn(|| move_about(&addresses, &token, partitions));
                    tally.wait_for(answers);
                    program.kill();
                    moving.join().unwrap()
                })
            });
            if round % 3 == 0 {
                verify(&world.data).well();
            }
            (program, addresses) = world.start().listening();
            world.check(&addresses);
        }
        verify(&world.data).well();
        // It may say that a market is not where the settings have it.
        let ended = program.terminate();
        assert!(ended.status.success(), "{ended:?}");
        verify(&world.data).well();
    }
    assert!(moves > 16, "a market arrived {moves} times");
}

fn add(data: &Path) -> Ended {
    let mut command = rialto(["partition", "add", "--data"]);
    command.arg(data);
    run(command)
}

fn ask(addresses: &Addresses, path: &str) -> Value {
    Connection::open(&addresses.public).unwrap().ask("GET", path, "", "").unwrap().good()
}

/// Accounts stay where they are, markets go when they are told to, and nobody who trades notices but by the pause.
#[test]
fn a_partition_is_added_and_a_market_moves_there_with_its_orders() {
    let habits = spread_over(1);
    let (mut world, program, addresses) = World::new(&mut Random::new(5), 4, habits);
    world.load(&addresses, 100, |tally| tally.wait_for(u64::MAX));
    world.check(&addresses);
    let mut in_use = rialto(["partition", "add", "--data"]);
    in_use.arg(&world.data);
    run(in_use).refused(&["is in use by"]);
    program.terminate().well();

    // The settings first: refused, with the command that makes it so.
    let more = Habits { partitions: 2, ..habits };
    world.set(more);
    let refused = world.start().listens().err().expect("it does not start");
    refused.refused(&["count = 2", "has 1", "rialto partition add"]);
    let added = add(&world.data).well();
    assert!(added.stdout.contains("Next: set count = 2"), "{added:?}");
    world.set(habits);
    world.start().listens().err().expect("it does not start").refused(&["set count = 2"]);

    fs::write(&world.config, two(&world.data)).unwrap();
    let (program, addresses) = world.start().listening();
    let token = world.token.clone();
    let operate = |line: &str| -> Command {
        let mut command = rialto([]);
        command.args(line.split(' ')).args(["--admin", &format!("http://{}", addresses.admin)]);
        command.env("RIALTO_ADMIN_TOKEN", &token);
        command
    };
    world.check_books(&addresses);
    run(operate("partition move ETHBT --to 1")).refused(&["ETHBT", "ETHBTC"]);
    let book = ask(&addresses, "/api/v3/depth?symbol=ETHBTC&limit=5000");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut connection = Connection::open(&addresses.public).unwrap();
            let mut looks = 0;
            while !is_over.load(Ordering::Relaxed) || looks < 10 {
                let path = "/api/v3/depth?symbol=ETHBTC&limit=5000";
                let now = connection.ask("GET", path, "", "").unwrap().good();
                assert_eq!(
                    (&book["bids"], &book["asks"]),
                    (&now["bids"], &now["asks"]),
                    "the book moves whole"
                );
                looks += 1;
            }
        });
        for to in [1, 0, 1, 0, 1, 0, 1, 0, 1] {
            let moved = run(operate(&format!("partition move ETHBTC --to {to}"))).well();
            assert!(moved.stdout.contains(&format!("The market ETHBTC is in partition {to}")), "{moved:?}");
        }
        is_over.store(true, Ordering::Relaxed);
        looking.join().unwrap();
    });
    let list: Value = serde_json::from_str(&run(operate("partition list --json")).well().stdout).unwrap();
    assert_eq!(list[1]["markets"], json!(["ETHBTC"]), "{list}");
    world.load(&addresses, 60, |tally| tally.wait_for(u64::MAX));
    program.kill();
    let (program, addresses) = world.start().listening();
    world.check_books(&addresses);
    let ended = program.terminate();
    assert!(ended.stdout.contains("2 partitions: 0 (BTCUSDT), 1 (ETHBTC)."), "{ended:?}");
    verify(&world.data).well();
}

/// Two partitions, and nothing about markets.
fn two(data: &Path) -> String {
    let text = settings(data, spread_over(2));
    let (before, behind) = text.split_once("[partitions.markets]\n").unwrap();
    let (_, rest) = behind.split_once('\n').unwrap();
    format!("{before}{rest}")
}

/// A kill between the two journals used to be possible anywhere: whatever is half there, the next try finishes.
#[test]
fn an_addition_that_was_broken_off_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
    fs::write(&config, settings(&data, spread_over(1))).unwrap();
    let (program, _) = Program::spawn(serve(&config)).listening();
    program.terminate().well();
    let whole = folder.path().join("whole");
    copy(&data, &whole);
    add(&whole).well();

    // Only folders; and a journal that says whose it is, of which the first has not heard.
    for with_journal in ["", "partition-1"] {
        let half = folder.path().join(format!("half{with_journal}"));
        copy(&data, &half);
        if with_journal.is_empty() {
            for name in ["journal", "events", "snapshots"] {
                fs::create_dir_all(half.join("partition-1").join(name)).unwrap();
            }
        } else {
            copy(&whole.join(with_journal), &half.join(with_journal));
        }
        fs::write(&config, settings(&half, spread_over(1))).unwrap();
        let refused = Program::spawn(serve(&config)).listens().err().expect("it does not start");
        refused.refused(&["partition 1 was begun and not finished", "rialto partition add"]);
        add(&half).well();
        fs::write(&config, settings(&half, spread_over(2))).unwrap();
        let (program, _) = Program::spawn(serve(&config)).listening();
        let ended = program.terminate();
        assert!(ended.status.success(), "{ended:?}");
        assert!(
            ended.stderr.contains("rialto partition move ETHBTC --to 1"),
            "the settings would have it elsewhere: {ended:?}"
        );
        verify(&half).well();
    }
}

/// Killed at any moment of its first start, an exchange of three partitions has everything afterwards.
#[test]
fn a_founding_that_was_broken_off_is_finished() {
    let mut random = Random::new(9);
    for _ in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
        fs::write(&config, settings(&data, spread_over(3))).unwrap();
        let program = Program::spawn(serve(&config));
        let steps = 1 + random.below(14);
        let seen = || {
            let folders = ["", "partition-1", "partition-2"].map(|folder| data.join(folder));
            let count = |folder: &Path| fs::read_dir(folder).map_or(0, |entries| entries.count() as u64);
            folders.iter().map(|folder| count(folder) + count(&folder.join("events"))).sum::<u64>()
        };
        let _ = (0..50_000).any(|_| seen() >= steps);
        program.kill();
        let (program, addresses) = Program::spawn(serve(&config)).listening();
        let info = ask(&addresses, "/api/v3/exchangeInfo");
        assert_eq!(info["symbols"].as_array().expect("a list").len(), 2);
        let ended = program.terminate().well();
        assert!(ended.stdout.contains("3 partitions: 0 (BTCUSDT), 1 (no market), 2 (ETHBTC)."), "{ended:?}");
        verify(&data).well();
    }
}

#[test]
fn a_demo_keeps_the_partitions_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let demo = |partitions: &str| {
        let mut command = rialto(["demo", "--demo", "off", "--listen", "127.0.0.1:0"]);
        command.args(["--admin-listen", "127.0.0.1:0", "--partitions", partitions, "--data"]);
        command.arg(folder.path().join("data"));
        Program::spawn(command)
    };
    let (program, _) = demo("2").listening();
    let ended = program.terminate().well();
    assert!(ended.stdout.contains("2 partitions: 0 (BTCUSDT, ETHBTC), 1 (ETHUSDT)."), "{ended:?}");
    assert!(!ended.stdout.contains("Recovered"), "nothing was lost: {ended:?}");
    let other = |partitions| demo(partitions).listens().err().expect("it does not start");
    other("3").refused(&["--partitions says 3", "has 2", "rialto partition add", "leave --partitions out"]);
    other("1").refused(&["--partitions says 1", "Partitions cannot be taken away"]);
}

#[test]
fn only_some_markets_take_orders() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
    fs::write(&config, settings(&data, spread_over(2))).unwrap();
    let only = |markets: &str| {
        let mut command = serve(&config);
        command.args(["--markets", markets]);
        Program::spawn(command)
    };
    only("BTCUSD").listens().err().expect("it does not start").refused(&["no market 'BTCUSD'", "BTCUSDT"]);
    only("BTCUSDT,XRP*").listens().err().expect("it does not start").refused(&["no market is like 'XRP*'"]);
    let (program, addresses) = only("ETH*").listening();
    let info = ask(&addresses, "/api/v3/exchangeInfo");
    let status = |symbol: &str| {
        let symbols = info["symbols"].as_array().expect("a list").iter();
        symbols.clone().find(|told| told["symbol"] == symbol).expect("it is listed")["status"].clone()
    };
    assert_eq!((status("ETHBTC"), status("BTCUSDT")), ("TRADING".into(), "BREAK".into()));
    program.terminate().well();
}

/// A journal that is older than the others lacks what they were told from it.
#[test]
fn a_partition_of_yesterday_does_not_verify() {
    let (mut world, program, addresses) = World::new(&mut Random::new(6), 6, spread_over(2));
    world.load(&addresses, 60, |tally| tally.wait_for(u64::MAX));
    program.terminate().well();
    let old = world.data.join("../old");
    copy(&world.data.join("partition-1"), &old);
    let (program, addresses) = world.start().listening();
    let mut operator = Operator::open(&addresses, &world.token).unwrap();
    operator.settled();
    world.load(&addresses, 60, |tally| tally.wait_for(u64::MAX));
    program.terminate().well();
    verify(&world.data).well();
    fs::remove_dir_all(world.data.join("partition-1")).unwrap();
    copy(&old, &world.data.join("partition-1"));
    verify(&world.data).refused(&["partition"]);
}

/// Commands find an exchange of several partitions as they find one of one.
#[test]
fn a_damaged_file_is_named_with_its_partition() {
    let (mut world, program, addresses) = World::new(&mut Random::new(8), 4, spread_over(2));
    world.load(&addresses, 60, |tally| tally.wait_for(u64::MAX));
    program.terminate().well();
    let segments = journal_segments(&world.data.join("partition-1"));
    change(&segments[0], |file| file[16] ^= 0x10);
    world.start().listens().err().expect("it does not start").refused(&[
        "partition 1",
        "journal/",
        "is damaged",
    ]);
    verify(&world.data).refused(&["partition 1", "journal/", "is damaged"]);
}

#[test]
fn the_doctor_counts_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
    let at = lasting_addresses();
    let text = |partitions| {
        let text = settings(&data, spread_over(partitions));
        text.replacen("127.0.0.1:0", &at[0], 1).replacen("127.0.0.1:0", &at[1], 1)
    };
    fs::write(&config, text(2)).unwrap();
    let (program, _) = Program::spawn(serve(&config)).listening();
    program.terminate().well();
    let doctor = || {
        let mut command = rialto(["doctor", "--config"]);
        command.arg(&config);
        run(command)
    };
    assert!(doctor().stdout.contains("2, as the settings say"));
    fs::write(&config, text(1)).unwrap();
    assert!(doctor().stdout.contains("set count = 2 under [partitions]"));
}
