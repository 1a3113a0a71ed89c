//! Power cuts at every single call, on a disk that keeps any part of what was not synced. Everything acknowledged is
//! there, nothing else is, and the next start works.

use crate::world::{Case, Known, Toy, check_events, live};
use ::journal::faulty::{Failure, FaultyStorage};
use proptest::prelude::*;

/// Long enough for several segments, snapshots and recycled files.
const BATCHES: usize = 22;

fn calls_of_a_run() -> usize {
    let disk = FaultyStorage::new();
    let toy = live(&disk.storage(), &mut Known { attempted: 0, ..Known::default() }, BATCHES).unwrap();
    check_events(&disk.storage(), 1, &toy);
    disk.call_count()
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_acknowledged() {
    let calls = calls_of_a_run();
    assert!(calls > 150, "a run worth cutting: {calls}");
    let mut cut = 0;
    for call in 0..calls {
        for seed in 0..4 {
            let seed = (call as u64) * 4 + seed;
            let _case = Case(format!("power off at call {call}, seed {seed}"));
            let disk = FaultyStorage::new();
            let mut known = Known::default();
            disk.power_off_at_call(call);
            cut += usize::from(live(&disk.storage(), &mut known, BATCHES).is_err());
            disk.crash(seed);
            let toy = live(&disk.storage(), &mut known, 5).expect("a start after a power cut");
            check_events(&disk.storage(), 1, &toy);
        }
    }
    assert!(cut >= calls * 3, "most runs were cut: {cut} of {}", calls * 4);
}

/// The start itself is cut: while it wipes, writes again, cuts the event log.
#[test]
fn a_power_cut_during_the_start_after_a_power_cut_loses_nothing() {
    let calls = calls_of_a_run();
    for call in (0..calls).step_by(5) {
        let seed = call as u64 + 2;
        for second in 0.. {
            let _case =
                Case(format!("power off at call {call}, seed {seed}, then at call {second} of the start"));
            let disk = FaultyStorage::new();
            let mut known = Known::default();
            disk.power_off_at_call(call);
            let _ = live(&disk.storage(), &mut known, BATCHES);
            disk.crash(seed);
            disk.power_off_at_call(disk.call_count() + second);
            let finished = live(&disk.storage(), &mut known, 1).is_ok();
            disk.crash(seed * 7 + second as u64);
            live(&disk.storage(), &mut known, 1).expect("a start after two power cuts");
            if finished {
                break;
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Clean,
    Killed,
    Crash(u64),
}

#[derive(Clone, Copy, Debug)]
struct Life {
    batches: usize,
    trouble: Option<(usize, Trouble)>,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Fails(Failure),
    PowerOff,
}

fn life() -> impl Strategy<Value = Life> {
    let trouble = prop_oneof![
        Just(Trouble::Fails(Failure::DiskFull)),
        Just(Trouble::Fails(Failure::Io)),
        Just(Trouble::Fails(Failure::ShortWrite)),
        Just(Trouble::PowerOff),
    ];
    let end = prop_oneof![Just(End::Clean), Just(End::Killed), any::<u64>().prop_map(End::Crash)];
    (0_usize..14, proptest::option::weighted(0.7, (0_usize..150, trouble)), end)
        .prop_map(|(batches, trouble, end)| Life { batches, trouble, end })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any history of troubled lives ends in one in which everything that was ever acknowledged is there.
    #[test]
    fn nothing_acknowledged_is_ever_lost(lives in prop::collection::vec(life(), 1..9)) {
        let disk = FaultyStorage::new();
        let mut known = Known::default();
        for life in lives {
            match life.trouble {
                None => {}
                Some((call, Trouble::Fails(failure))) => disk.fail_call(disk.call_count() + call, failure),
                Some((call, Trouble::PowerOff)) => disk.power_off_at_call(disk.call_count() + call),
            }
            let outcome = live(&disk.storage(), &mut known, life.batches);
            if let Err(error) = &outcome {
                prop_assert!(life.trouble.is_some(), "without trouble: {error}");
            }
            match life.end {
                End::Clean | End::Killed if disk.is_off() => disk.crash(7),
                End::Clean => {}
                End::Killed => disk.restart(),
                End::Crash(seed) => disk.crash(seed),
            }
            // What was to fail later does not reach into the next life.
            if !matches!(life.end, End::Crash(_)) {
                disk.restart();
            }
        }
        let toy: Toy = live(&disk.storage(), &mut known, 3).expect("a life without trouble");
        check_events(&disk.storage(), 1, &toy);
    }
}
