//! Calls that fail while the machine runs on: a full disk, a failing sync, a short write. The writer stops at once and
//! says why; the next start finds everything acknowledged.

use crate::world::{Case, Known, Toy, batch, check_events, live, open, with_batches};
use ::journal::JournalError;
use ::journal::faulty::{CallKind, Failure, FaultyStorage};

const BATCHES: usize = 14;

/// One run with one failing call, the start after it, and a power cut after that.
fn survive(failure: Failure) {
    let disk = FaultyStorage::new();
    live(&disk.storage(), &mut Known::default(), BATCHES).unwrap();
    let calls = disk.call_count();
    let mut failed = 0;
    for call in 0..calls {
        for seed in 0..2 {
            let _case = Case(format!("{failure:?} at call {call}, then a power cut with seed {}", seed * 2));
            let disk = FaultyStorage::new();
            let mut known = Known::default();
            disk.fail_call(call, failure);
            if let Err(error) = live(&disk.storage(), &mut known, BATCHES) {
                failed += 1;
                check_sentence(&error, failure);
            }
            disk.restart();
            live(&disk.storage(), &mut known, 2).expect("a start after a failure");
            disk.crash(seed * 2);
            let toy: Toy =
                live(&disk.storage(), &mut known, 2).expect("a start after a failure and a power cut");
            check_events(&disk.storage(), 1, &toy);
        }
    }
    assert_eq!(failed, calls * 2, "no failure goes unnoticed");
}

fn check_sentence(error: &JournalError, failure: Failure) {
    let text = error.to_string();
    assert!(matches!(error, JournalError::Io { .. }), "{text}");
    match failure {
        Failure::DiskFull | Failure::ShortWrite => {
            assert!(error.is_full_disk(), "{text}");
            assert!(text.contains("free space and start again"), "{text}");
        }
        Failure::Io => assert!(text.contains("Look at the disk"), "{text}"),
    }
}

#[test]
fn a_full_disk_at_any_call_loses_nothing_acknowledged() {
    survive(Failure::DiskFull);
}

#[test]
fn a_short_write_at_any_call_loses_nothing_acknowledged() {
    survive(Failure::ShortWrite);
}

#[test]
fn an_input_output_error_at_any_call_loses_nothing_acknowledged() {
    survive(Failure::Io);
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_tried_again() {
    for (which, failure) in
        [(0, Failure::Io), (0, Failure::ShortWrite), (1, Failure::Io), (1, Failure::DiskFull)]
    {
        let disk = with_batches(2, 10);
        let (_, mut writer) = open(&disk.storage()).unwrap();
        disk.fail_call(disk.call_count() + which, failure);
        let cause = writer.append(&mut batch(7, 3, 10)).unwrap_err();
        let calls = disk.call_count();
        for _ in 0..3 {
            let error = writer.append(&mut batch(7, 3, 10)).unwrap_err();
            assert!(matches!(error, JournalError::Poisoned { .. }), "{error}");
            assert!(error.to_string().contains(&cause.to_string()), "{error}");
        }
        assert_eq!(disk.call_count(), calls, "a poisoned writer leaves the disk alone");
    }
}

#[test]
fn a_failed_sync_of_the_event_log_poisons_it_too() {
    let disk = FaultyStorage::new();
    let storage = disk.storage();
    let mut recovery = ::journal::Recovery::open(&storage, &crate::world::small()).unwrap();
    let mut toy = Toy::NEW;
    let frame = toy.next_batch();
    recovery.events.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
    disk.fail_call(disk.call_count(), Failure::Io);
    assert!(matches!(recovery.events.sync().unwrap_err(), JournalError::Io { .. }));
    assert!(matches!(recovery.events.sync().unwrap_err(), JournalError::Poisoned { .. }));
    assert_eq!(disk.calls().last().map(|call| call.what), Some(CallKind::Sync), "one sync, not two");
}
