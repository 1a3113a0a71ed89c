//! Segments behind a snapshot, removed or used again. An old life's frames never come back.

use crate::world::{Case, Known, Toy, batch, check_events, live, open, small};
use ::journal::faulty::FaultyStorage;
use ::journal::{
    Behind, Durable, JournalError, JournalWriter, Recovery, SnapshotStore, Survey, SyncedEvents,
};
use model::Seq;
use std::collections::BTreeSet;
use std::sync::Arc;

fn segments(disk: &FaultyStorage) -> BTreeSet<String> {
    disk.paths().into_iter().filter(|path| path.starts_with("journal/")).collect()
}

/// Commands until there are some segments; then a snapshot at the end.
fn snapshot_at_the_end(disk: &FaultyStorage) -> (Recovery, ::journal::DurableSnapshot, Toy) {
    let mut recovery = Recovery::open(&disk.storage(), &small()).unwrap();
    let mut toy = Toy::NEW;
    let mut end = Durable::GENESIS;
    for _ in 0..40 {
        let mut frame = toy.next_batch();
        end = recovery.journal.append(&mut frame).unwrap();
        recovery.events.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
    }
    let synced: SyncedEvents = recovery.events.sync().unwrap();
    let proof = recovery
        .snapshots
        .write(
            end,
            toy.position(),
            synced,
            recovery.journal.time_ns(),
            &[("toy", &toy.save()), ("filler", &crate::world::filler(Seq(toy.seq)))],
        )
        .unwrap();
    (recovery, proof, toy)
}

#[test]
fn removing_keeps_the_snapshots_own_batch_and_all_behind_it() {
    let disk = FaultyStorage::new();
    let (mut recovery, proof, toy) = snapshot_at_the_end(&disk);
    let before = segments(&disk);
    assert_eq!(recovery.journal.remove_behind(&proof, Behind::Remove).unwrap(), before.len() - 1);
    assert_eq!(segments(&disk).len(), 1);
    assert_eq!(recovery.journal.remove_behind(&proof, Behind::Remove).unwrap(), 0);
    drop(recovery);
    disk.crash(2);

    let error = Survey::read(&disk.storage(), Durable::GENESIS).unwrap_err();
    assert!(matches!(error, JournalError::Removed { wanted: Seq(1), .. }), "{error}");
    let mut known = Known { acknowledged: toy.seq, attempted: toy.seq, snapshot: toy.seq };
    let toy = live(&disk.storage(), &mut known, 6).unwrap();
    check_events(&disk.storage(), 1, &toy);
}

/// The recycled file is full of frames with right checksums; whatever is appended over them, only the new ones count,
/// at every moment and after every power cut.
#[test]
fn frames_of_an_earlier_life_are_never_read() {
    let disk = FaultyStorage::new();
    let (mut recovery, proof, toy) = snapshot_at_the_end(&disk);
    recovery.journal.remove_behind(&proof, Behind::Recycle).unwrap();
    assert_eq!(segments(&disk).iter().filter(|path| path.contains("spare-")).count(), 2, "two files wait");
    let fresh_files = disk.paths().len();

    let mut toy = toy;
    let mut recycled_seen = 0;
    for _ in 0..14 {
        let mut frame = toy.next_batch();
        let end = recovery.journal.append(&mut frame).unwrap();
        recovery.events.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
        let survey = Survey::read(&disk.storage(), end).unwrap();
        assert_eq!((survey.end, survey.torn), (end, None));
        let path = segments(&disk).into_iter().rfind(|path| !path.contains("spare-")).unwrap();
        let header = disk.bytes(&path);
        recycled_seen += u32::from(header[52] == 1);
    }
    assert!(recycled_seen > 3, "it was about recycled segments");
    let new_events = disk.paths().iter().filter(|path| path.starts_with("events/")).count();
    assert!(disk.paths().len() <= fresh_files + new_events + 3, "recycled files were used");
    drop(recovery);
    let mut known = Known { acknowledged: toy.seq, attempted: toy.seq, snapshot: 0 };
    for seed in 0..8 {
        disk.crash(seed);
        live(&disk.storage(), &mut known, 0).unwrap();
    }
}

/// The worst case made by hand: right behind the last new frame there begins an old frame with the very sequence that
/// is expected next. Only its generation is wrong.
#[test]
fn an_old_frame_in_just_the_right_place_is_not_the_next_one() {
    let disk = FaultyStorage::new();
    let mut known = Known::default();
    live(&disk.storage(), &mut known, 3).unwrap();
    let storage = disk.storage();
    let survey = Survey::read(&storage, Durable::GENESIS).unwrap();
    let path = crate::world::FIRST;
    let before = disk.bytes(path);
    let (_, mut writer) = open(&storage).unwrap();
    let next = survey.end.seq().next().get();
    writer.append(&mut batch(next, 2, 30)).unwrap();
    let mut bytes = disk.bytes(path);
    let at = before.iter().zip(&bytes).position(|(old, new)| old != new).unwrap();
    // Generation 1 becomes generation 0, and the header's checksum is right again.
    bytes[at + 32] = 0;
    let sum = crc32c::crc32c(&bytes[at..at + 52]);
    bytes[at + 52..at + 56].copy_from_slice(&sum.to_le_bytes());
    // As in a recycled segment.
    bytes[52] = 1;
    let sum = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&sum.to_le_bytes());
    disk.put(path, &bytes);
    let survey = Survey::read(&storage, Durable::GENESIS).unwrap();
    assert_eq!((survey.end.seq().get(), survey.torn), (next - 1, None));
}

/// A file that waits has the size of an earlier setting: it is not used.
#[test]
fn a_spare_of_another_size_is_removed() {
    let disk = FaultyStorage::new();
    let (mut recovery, proof, toy) = snapshot_at_the_end(&disk);
    recovery.journal.remove_behind(&proof, Behind::Recycle).unwrap();
    drop(recovery);
    let settings = ::journal::Settings { journal_segment_bytes: 20 << 10, ..small() };
    let storage = disk.storage();
    let known = SnapshotStore::new(&storage, 2).newest_valid().unwrap().snapshot.unwrap().journal();
    let (_, mut writer) = JournalWriter::open(&storage, &settings, known).unwrap();
    let mut seq = toy.seq;
    for _ in 0..40 {
        writer.append(&mut batch(seq + 1, 1, 3000)).unwrap();
        seq += 1;
    }
    assert!(segments(&disk).iter().all(|path| !path.contains("spare-")), "{:?}", segments(&disk));
    let storage: Arc<dyn ::journal::Storage> = disk.storage();
    assert_eq!(Survey::read(&storage, known).unwrap().end.seq(), Seq(seq));
}

/// Several segments go at once: whatever part of that a power cut keeps, there is never a hole.
#[test]
fn a_power_cut_while_removing_leaves_no_hole() {
    for behind in [Behind::Remove, Behind::Recycle] {
        let mut finished = false;
        for call in 0.. {
            for seed in 0..12 {
                let _case = Case(format!("{behind:?}, power off at call {call}, seed {seed}"));
                let disk = FaultyStorage::new();
                let (mut recovery, proof, toy) = snapshot_at_the_end(&disk);
                disk.power_off_at_call(disk.call_count() + call);
                finished = recovery.journal.remove_behind(&proof, behind).is_ok();
                drop(recovery);
                disk.crash(seed);
                let mut known = Known { acknowledged: toy.seq, attempted: toy.seq, snapshot: toy.seq };
                live(&disk.storage(), &mut known, 1).expect("a start after a power cut");
            }
            if finished {
                assert!(call > 4, "several segments: {call} calls");
                break;
            }
        }
    }
}

/// Also when the snapshot's batch is the last one of its segment: a start looks for it.
#[test]
fn the_snapshots_own_batch_is_never_removed() {
    for batches in 1..30 {
        let _case = Case(format!("a snapshot after batch {batches}"));
        let disk = FaultyStorage::new();
        let mut recovery = Recovery::open(&disk.storage(), &small()).unwrap();
        let mut toy = Toy::NEW;
        let mut proof = None;
        for at in 1..=batches + 8 {
            let mut frame = toy.next_batch();
            let end = recovery.journal.append(&mut frame).unwrap();
            recovery.events.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
            if at == batches {
                let synced = recovery.events.sync().unwrap();
                let sections: [(&str, &[u8]); 2] =
                    [("toy", &toy.save()), ("filler", &crate::world::filler(Seq(toy.seq)))];
                let time_ns = frame.time_ns();
                proof =
                    Some(recovery.snapshots.write(end, toy.position(), synced, time_ns, &sections).unwrap());
            }
        }
        recovery.journal.remove_behind(&proof.unwrap(), Behind::Remove).unwrap();
        drop(recovery);
        let mut known = Known { acknowledged: toy.seq, attempted: toy.seq, snapshot: 0 };
        live(&disk.storage(), &mut known, 1).unwrap();
    }
}
