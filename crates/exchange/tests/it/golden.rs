//! Golden bytes: a journal, its events and the state that it leads to, as the first program with this version wrote them.
//! They are read for ever, and an old journal tells a new program the same story. (A new version starts with a folder that
//! has nothing but its `story.txt`; the first run of the tests writes the rest, which is never written again.)

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use codec::{Coded, EventChain, Reader};
use exchange::{Partition, SnapshotError};
use expect_test::expect_file;
use model::{AccountId, Command, Event, EventSeq, KeyKind, PartitionId, Seq, Sequenced, Side, TimeNs};

use crate::story::Story;
use crate::world::World;
use crate::{sources, spread};

/// Version 1, and version 2, which has API keys of several kinds with labels and address ranges.
const VERSIONS: [&str; 2] = ["v1", "v2"];

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version)
}

/// The lines of a golden file, as bytes; written first if there are none yet.
fn lines(version: &str, name: &str, first: impl FnOnce() -> Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let path = folder(version).join(name);
    if !path.exists() {
        let text: String = first().iter().map(|line| hex(line) + "\n").collect();
        fs::write(&path, text).unwrap();
    }
    fs::read_to_string(path).unwrap().lines().map(unhex).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(line: &str) -> Vec<u8> {
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect()
}

/// Time and command of each line.
pub fn journal(version: &str) -> Vec<(TimeNs, Command)> {
    let told = || told_in(version).iter().map(line).collect();
    lines(version, "journal.hex", told).iter().map(|line| read(line)).collect()
}

fn line(input: &Sequenced<Command>) -> Vec<u8> {
    let mut bytes = Vec::new();
    input.time_ns.encode(&mut bytes);
    input.command.encode(&mut bytes);
    bytes
}

fn read(line: &[u8]) -> (TimeNs, Command) {
    let mut input = Reader::new(line);
    let read = (TimeNs::decode(&mut input).unwrap(), Command::decode(&mut input).unwrap());
    input.finish().unwrap();
    read
}

/// The journal applied, with the events of each command.
fn applied(version: &str) -> (World, Vec<Vec<Event>>) {
    let mut world = World::default();
    let mut events = Vec::new();
    for (time_ns, command) in journal(version) {
        world.time_ns = time_ns;
        events.push(world.apply(command));
    }
    (world, events)
}

fn snapshot_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.chunks(64).map(<[u8]>::to_vec).collect()
}

#[test]
fn an_old_journal_tells_the_same_story() {
    for version in VERSIONS {
        let (world, events) = applied(version);
        let told: Vec<Vec<u8>> = events
            .iter()
            .map(|events| {
                let mut bytes = Vec::new();
                for event in events {
                    event.encode(&mut bytes);
                }
                bytes
            })
            .collect();
        assert_eq!(lines(version, "events.hex", || told.clone()), told, "{version}");
        let state = world.partition.snapshot();
        assert_eq!(lines(version, "snapshot.hex", || snapshot_lines(&state)).concat(), state, "{version}");
    }
}

#[test]
fn an_old_snapshot_opens() {
    for (version, number) in VERSIONS.into_iter().zip(1..) {
        let (world, events) = applied(version);
        let told = || snapshot_lines(&world.partition.snapshot());
        let golden = lines(version, "snapshot.hex", told).concat();
        assert_eq!(golden[0], number, "a snapshot begins with its version");
        let restored = Partition::restore(&golden).unwrap();
        restored.assert_invariants();
        assert_eq!(restored.snapshot(), golden, "{version}");
        expect_file![folder(version).join("state.txt")].assert_eq(&picture(&restored, &events));
    }
}

/// What a program sees of the state, and the hashes that other machines must come to.
fn picture(partition: &Partition, events: &[Vec<Event>]) -> String {
    let mut out = format!("seq {}, time {} ns\n", partition.seq(), partition.time_ns());
    for (asset, terms) in partition.catalog().assets() {
        // As version 1 had it: nothing is elsewhere where one partition is alone.
        let totals = format!("{:?}", partition.totals(asset).unwrap()).replace(", elsewhere: Amount(0)", "");
        // Nor is anything at contracts where there are none.
        let none = ", wallets: Amount(0), open_cost: Amount(0), settling: Amount(0)";
        let totals = totals.replace(none, "");
        writeln!(out, "\n{terms:?}\n{totals}").unwrap();
    }
    for (market, terms) in partition.catalog().markets() {
        writeln!(out, "\n{terms:?}").unwrap();
        for side in [Side::Sell, Side::Buy] {
            for (order, account, price, open) in partition.queue(market, side).unwrap() {
                writeln!(out, "{side:?} order {order} of account {account}: {open} lots at {price} ticks")
                    .unwrap();
            }
        }
    }
    for account in (1..).map(AccountId) {
        let Ok(balances) = partition.balances(account) else { break };
        writeln!(out).unwrap();
        for balance in balances {
            writeln!(out, "{balance:?}").unwrap();
        }
    }
    writeln!(out).unwrap();
    for (name, key) in partition.api_keys() {
        write!(out, "{name} of {}: {} bytes, {:b}", key.account, key.sealed.len(), key.permissions).unwrap();
        // As version 1 had it, and what came later behind it.
        if key.kind != KeyKind::HmacSha256 {
            write!(out, ", {:?}", key.kind).unwrap();
        }
        if !key.label.is_empty() {
            write!(out, ", called {}", key.label).unwrap();
        }
        for range in &key.ip_ranges {
            write!(out, ", from {range}").unwrap();
        }
        writeln!(out).unwrap();
    }
    // One batch a command, as a journal may have it.
    let mut chain = EventChain::default();
    let mut next_event = EventSeq(1);
    for (seq, events) in (1..).map(Seq).zip(events) {
        let mut bytes = Vec::new();
        for event in events {
            codec::encode_event(0, event, &mut bytes);
        }
        chain.extend(seq, TimeNs(0), next_event, &bytes);
        next_event = EventSeq(next_event.0 + u64::try_from(events.len()).unwrap());
    }
    writeln!(out, "\nstate hash {}\nevent chain {}", hex(&partition.state_hash()), hex(&chain.0)).unwrap();
    out
}

#[test]
fn what_is_no_snapshot_is_refused() {
    for version in VERSIONS {
        let (world, _) = applied(version);
        let bytes = world.partition.snapshot();
        for len in 0..bytes.len() {
            let read = Partition::restore(&bytes[..len]);
            assert!(matches!(read, Err(SnapshotError::Decode(_))), "the first {len} bytes are no snapshot");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(Partition::restore(&longer), Err(SnapshotError::Decode(_))), "a byte too many");
        let mut newer = bytes;
        newer[0] = 10;
        let error = Partition::restore(&newer).err().expect("a newer version is refused");
        assert_eq!(error, SnapshotError::Version { found: 10 });
        assert!(error.to_string().contains("use a newer program"));
    }
}

/// The second of three partitions, in the middle of things: orders on their way, an amendment, a market that moves, a withdrawal
/// that was asked for, envelopes that nobody has taken yet.
#[test]
fn a_partition_that_is_not_alone_opens_for_ever() {
    let restored = opens_for_ever("v3", spread::in_the_middle_of_things);
    assert!(restored.unconfirmed(PartitionId(0)) > 0 && restored.unconfirmed(PartitionId(2)) > 0);
}

/// The same, with a source whose entries have come once, twice, too late and out of order.
#[test]
fn a_partition_with_sources_opens_for_ever() {
    opens_for_ever("v4", || {
        let mut journal = spread::in_the_middle_of_things();
        let last = journal.last().expect("it has begun").clone();
        let order = |command: &Command| sources::from_source(1, command).is_some();
        let orders = journal.iter().map(|input| input.command.clone()).filter(order);
        let mut commands = vec![sources::register(PartitionId(1), "orders", 2)];
        for (number, command) in (1..).zip(orders.collect::<Vec<_>>()) {
            commands.extend(
                [0, 1, 3].map(|back| sources::from_source(number * 2 - back.min(number), &command).unwrap()),
            );
        }
        journal.extend(commands.into_iter().map(|command| Sequenced { command, ..last.clone() }));
        journal
    });
}

/// Orders that wait for a price, and orders with marks.
#[test]
fn a_partition_where_orders_wait_opens_for_ever() {
    let restored = opens_for_ever("v5", || told_in("v5"));
    assert!(restored.waiting(model::MarketId(0)).unwrap().next().is_some());
}

/// Contracts, with all that there is to them.
#[test]
fn a_partition_with_contracts_opens_for_ever() {
    let restored = opens_for_ever("v6", || told_in("v6"));
    assert!(!restored.open_interest(model::MarketId(1)).is_zero());
}

/// Positions that have margin of their own, and accounts that have two of them.
#[test]
fn a_partition_with_isolated_positions_and_hedges_opens_for_ever() {
    let restored = opens_for_ever("v7", || told_in("v7"));
    let margin =
        |account| restored.position_margin(AccountId(account), model::MarketId(1), model::PositionSide::Both);
    assert!(margin(2) == Some(model::Amount::ZERO) && margin(4) > Some(model::Amount::ZERO));
    let short =
        |account| restored.position_of(AccountId(account), model::MarketId(2), model::PositionSide::Short);
    assert!(!short(6).is_none() && !short(7).is_none(), "both of hedge mode, and one of them isolated");
}

/// Algo orders of all sorts, and a list of them that is behind: with a price that it has seen in part, and an order behind that.
#[test]
fn a_partition_where_algo_orders_wait_opens_for_ever() {
    let restored = opens_for_ever("v8", || told_in("v8"));
    assert!(restored.has_work());
    let waiting = restored.algo_orders().map(|order| order.client_algo_id.to_string());
    let named: Vec<_> = waiting.filter(|name| !name.is_empty()).collect();
    assert_eq!(named, ["my-stop", "behind"]);
}

/// Contracts, one of which waits to be told who is deleveraged first, while that is being found out. (A story that comes so far has
/// thousands of accounts, so here it stands before the state of another one.)
#[test]
fn a_partition_that_ranks_positions_opens_for_ever() {
    let written = || {
        let (market, side) = (model::MarketId(1), Side::Buy);
        let mut rankings = Vec::new();
        vec![(market, side)].encode(&mut rankings);
        true.encode(&mut rankings);
        (market, side).encode(&mut rankings);
        AccountId(3).encode(&mut rankings);
        vec![(AccountId(2), (1_500_000_000_000_i128, model::QtyLots(7)))].encode(&mut rankings);
        let mut bytes = vec![9];
        rankings.encode(&mut bytes);
        let mut partition = Partition::default();
        for input in told_in("v6") {
            partition.apply(&input, &mut Vec::new());
        }
        bytes.extend(partition.snapshot());
        snapshot_lines(&bytes)
    };
    let golden = lines("v9", "snapshot.hex", written).concat();
    let restored = Partition::restore(&golden).unwrap();
    assert!(restored.has_work(), "somebody waits for the ranking");
    assert_eq!(hex(&restored.snapshot()), hex(&golden));
    for len in 0..golden.len() {
        assert!(Partition::restore(&golden[..len]).is_err(), "the first {len} bytes are no snapshot");
    }
}

/// The commands of a story that lies beside what came of it.
fn told_in(version: &str) -> Vec<Sequenced<Command>> {
    let mut story = Story::default();
    let text = fs::read_to_string(folder(version).join("story.txt")).unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix("> ")) {
        story.tell(line);
    }
    story.world.journal
}

fn opens_for_ever(version: &str, story: impl FnOnce() -> Vec<Sequenced<Command>>) -> Partition {
    let told = || story().iter().map(line).collect();
    let mut partition = Partition::default();
    let mut events = Vec::new();
    for (time_ns, command) in lines(version, "journal.hex", told).iter().map(|line| read(line)) {
        let input = Sequenced { seq: partition.seq().next(), time_ns, command };
        partition.apply(&input, &mut events);
    }
    let written = |event: &Event| {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        bytes
    };
    let events: Vec<_> = events.iter().map(written).collect();
    assert_eq!(lines(version, "events.hex", || events.clone()), events);
    let state = partition.snapshot();
    let golden = lines(version, "snapshot.hex", || snapshot_lines(&state)).concat();
    assert_eq!((format!("v{}", golden[0]), hex(&golden)), (version.to_owned(), hex(&state)));
    let restored = Partition::restore(&golden).unwrap();
    assert_eq!(hex(&restored.snapshot()), hex(&golden));
    for len in 0..golden.len() {
        assert!(Partition::restore(&golden[..len]).is_err(), "the first {len} bytes are no snapshot");
    }
    restored
}
