//! Snapshots: whole or not there, the newest few kept, a damaged one passed over.

use crate::world::{Case, Known, Toy, live, small};
use ::journal::faulty::{CallKind, FaultyStorage};
use ::journal::{Fault, JournalError, Recovery, Snapshot, SnapshotStore};
use model::Seq;

fn path(seq: u64) -> String {
    format!("snapshots/{seq:020}.snap")
}

/// A disk that has lived for some snapshots; the sequences of those that are kept.
fn with_snapshots() -> (FaultyStorage, Known, Vec<u64>) {
    let disk = FaultyStorage::new();
    let mut known = Known::default();
    live(&disk.storage(), &mut known, 14).unwrap();
    let kept = SnapshotStore::new(&disk.storage(), 2).list().unwrap();
    (disk, known, kept.into_iter().map(Seq::get).collect())
}

#[test]
fn the_newest_are_kept_and_read_back() {
    let (disk, known, kept) = with_snapshots();
    assert_eq!((kept.len(), kept[1]), (2, known.snapshot));
    let store = SnapshotStore::new(&disk.storage(), 2);
    for seq in kept {
        let snapshot = store.read(Seq(seq)).unwrap();
        let toy = Toy::load(&snapshot);
        assert_eq!((toy.seq, snapshot.seq()), (seq, Seq(seq)));
        assert_eq!((snapshot.events(), snapshot.journal().seq()), (toy.position(), Seq(seq)));
        assert_eq!(snapshot.section_names().collect::<Vec<_>>(), ["toy", "filler"]);
        assert_eq!(snapshot.section("views"), None);
    }
}

#[test]
fn a_damaged_newest_one_is_passed_over_with_a_warning() {
    let disk = FaultyStorage::new();
    let mut known = Known::default();
    let toy = live(&disk.storage(), &mut known, 3).unwrap();
    // Two snapshots with all of the journal kept.
    let mut seqs = Vec::new();
    let mut toy = toy;
    for _ in 0..2 {
        let mut recovery = Recovery::open(&disk.storage(), &small()).unwrap();
        let mut replayed = recovery.snapshot.as_ref().map_or(Toy::NEW, Toy::load);
        let mut replay = recovery.replay().unwrap();
        while let Some(batch) = replay.next().unwrap() {
            recovery
                .events
                .expect_or_append(&mut replayed.apply(batch.first_seq, batch.records.clone()))
                .unwrap();
        }
        let mut frame = toy.next_batch();
        let end = recovery.journal.append(&mut frame).unwrap();
        recovery.events.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
        let synced = recovery.events.sync().unwrap();
        let sections: [(&str, &[u8]); 2] =
            [("toy", &toy.save()), ("filler", &crate::world::filler(Seq(toy.seq)))];
        recovery.snapshots.write(end, toy.position(), synced, frame.time_ns(), &sections).unwrap();
        seqs.push(toy.seq);
    }
    known = Known { acknowledged: toy.seq, attempted: toy.seq, snapshot: seqs[0] };
    let newest = path(seqs[1]);
    let whole = disk.bytes(&newest);
    for at in (0..whole.len()).step_by(3).chain(whole.len() - 4..whole.len()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        disk.put(&newest, &bytes);
        let recovery = Recovery::open(&disk.storage(), &small()).unwrap();
        assert_eq!(recovery.snapshot.as_ref().map(Snapshot::seq), Some(Seq(seqs[0])), "byte {at}");
        assert_eq!(recovery.damaged_snapshots.len(), 1);
        assert_eq!(
            (recovery.damaged_snapshots[0].path.as_str(), recovery.damaged_snapshots[0].seq.get()),
            (newest.as_str(), seqs[1])
        );
        assert_eq!(recovery.warnings().len(), 1);
        assert!(recovery.warnings()[0].contains(&newest));
    }
    for len in [0, 5, 95, 99, whole.len() - 1] {
        disk.put(&newest, &whole[..len]);
        let recovery = Recovery::open(&disk.storage(), &small()).unwrap();
        assert!(matches!(recovery.damaged_snapshots[0].fault, Fault::Cut | Fault::Size { .. }), "{len}");
    }
    live(&disk.storage(), &mut known, 24).unwrap();
    // All damaged: from the beginning.
    for seq in SnapshotStore::new(&disk.storage(), 2).list().unwrap() {
        disk.put(&path(seq.get()), b"RIALTOSN what is this");
    }
    known.snapshot = 0;
    let error = live(&disk.storage(), &mut known, 1).unwrap_err();
    assert!(matches!(error, JournalError::Removed { .. }), "the run above removed the beginning: {error}");
}

#[test]
fn a_snapshot_ahead_of_the_journal_is_refused_even_when_it_is_damaged() {
    for damaged in [false, true] {
        let (disk, _, kept) = with_snapshots();
        for path in disk.paths().into_iter().filter(|path| path.starts_with("journal/")) {
            disk.lose(&path);
        }
        if damaged {
            for seq in &kept {
                disk.put(&path(*seq), b"no");
            }
        }
        let error = Recovery::open(&disk.storage(), &small()).unwrap_err();
        let JournalError::AheadOfJournal { seq, end: Seq(0), .. } = &error else { panic!("{error}") };
        assert_eq!(seq.get(), kept[1]);
    }
}

#[test]
fn a_newer_format_is_refused_and_not_passed_over() {
    let (disk, _, kept) = with_snapshots();
    let newest = path(kept[1]);
    let mut bytes = disk.bytes(&newest);
    bytes[8] = 2;
    let sum = crc32c::crc32c(&bytes[..12]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    disk.put(&newest, &bytes);
    let error = Recovery::open(&disk.storage(), &small()).unwrap_err();
    assert!(matches!(error, JournalError::NewerVersion { found: 2, known: 1, .. }), "{error}");
}

/// Every call of writing one snapshot, and what each kind of power cut leaves: the old one or the new one, whole.
#[test]
fn a_power_cut_at_any_call_of_a_snapshot_leaves_one_that_is_whole() {
    let before = |disk: &FaultyStorage| {
        let mut known = Known::default();
        live(&disk.storage(), &mut known, 7).unwrap();
        known
    };
    let disk = FaultyStorage::new();
    let mut known = before(&disk);
    let first = disk.call_count();
    live(&disk.storage(), &mut known, 4).unwrap();
    let calls = disk.calls();
    let of_snapshot = |at: &usize| calls[*at].path.starts_with("snapshots");
    let points: Vec<usize> = (first..calls.len()).filter(of_snapshot).collect();
    let kinds: Vec<CallKind> = points.iter().map(|at| calls[*at].what).collect();
    let rename = kinds.iter().position(|kind| *kind == CallKind::Rename).unwrap();
    assert_eq!(kinds[rename - 1..rename + 2], [CallKind::Sync, CallKind::Rename, CallKind::SyncFolder]);
    for point in points {
        for seed in 0..16 {
            let _case = Case(format!("power off at call {point}, seed {seed}"));
            let disk = FaultyStorage::new();
            let mut known = before(&disk);
            disk.power_off_at_call(point);
            live(&disk.storage(), &mut known, 4).unwrap_err();
            disk.crash(seed);
            let recovery = Recovery::open(&disk.storage(), &small()).unwrap();
            assert!(recovery.damaged_snapshots.is_empty(), "call {point}, seed {seed}");
            let seq = recovery.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq().get());
            assert!(seq >= known.snapshot && seq <= known.acknowledged, "call {point}, seed {seed}");
            assert!(disk.paths().iter().all(|path| !path.contains(".tmp")), "{:?}", disk.paths());
            drop(recovery);
            live(&disk.storage(), &mut known, 4).unwrap();
        }
    }
}

#[test]
#[should_panic(expected = "a snapshot is written when the event log is synced to its position")]
fn a_snapshot_before_the_events_are_synced_is_the_callers_bug() {
    let disk = FaultyStorage::new();
    let mut recovery = Recovery::open(&disk.storage(), &small()).unwrap();
    let early = recovery.events.sync().unwrap();
    let mut toy = Toy::NEW;
    let mut frame = toy.next_batch();
    let end = recovery.journal.append(&mut frame).unwrap();
    recovery.events.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
    let _ = recovery.snapshots.write(end, toy.position(), early, frame.time_ns(), &[]);
}

#[test]
fn an_old_one_goes_only_when_the_new_one_is_durable() {
    let (disk, ..) = with_snapshots();
    let calls: Vec<_> = disk.calls().into_iter().filter(|call| call.path.starts_with("snapshots")).collect();
    let mut durable = 0;
    let mut removed = 0;
    for at in 1..calls.len() {
        match calls[at].what {
            CallKind::SyncFolder if calls[at - 1].what == CallKind::Rename => durable += 1,
            CallKind::Remove => {
                assert_eq!(durable - removed, 3, "the two that are kept, and the one that goes");
                removed += 1;
            }
            _ => {}
        }
    }
    assert!(removed > 0);
}
