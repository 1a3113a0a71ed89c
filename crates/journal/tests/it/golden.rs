//! Files of format version 1, byte for byte: they open for ever, and this program still writes them.
//! `JOURNAL_WRITE_GOLDEN=1 cargo test golden` makes those that are missing; it never changes one.

use crate::world::{Toy, small};
use ::journal::faulty::FaultyStorage;
use ::journal::{Durable, FrameBuffer, Recovery, SkipMark, Survey, skip};
use model::{Seq, TimeNs};
use std::path::{Path, PathBuf};

fn files() -> [(&'static str, PathBuf); 3] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    [
        ("journal/00000000000000000001.seg", folder.join("v1-journal.seg")),
        ("events/00000000000000000001.seg", folder.join("v1-events.seg")),
        ("snapshots/00000000000000000005.snap", folder.join("v1.snap")),
    ]
}

/// Four batches, a skip mark, their events, a snapshot after the third batch.
fn written_today() -> FaultyStorage {
    let disk = FaultyStorage::new();
    let mut recovery = Recovery::open(&disk.storage(), &small()).unwrap();
    let mut toy = Toy::NEW;
    for at in 0..4 {
        let mut frame = toy.next_batch();
        let end = recovery.journal.append(&mut frame).unwrap();
        let mut events = toy.apply(frame.first_seq(), frame.records());
        if at == 3 {
            // Nobody was told of the last batch yet, so one of its commands may be marked; its events come at the next start.
            drop(recovery);
            skip(&disk.storage(), &small(), Seq(6), "panics when it rains").unwrap();
            recovery = Recovery::open(&disk.storage(), &small()).unwrap();
            recovery.events.expect_or_append(&mut events).unwrap();
            break;
        }
        recovery.events.append(&mut events).unwrap();
        if at == 2 {
            let synced = recovery.events.sync().unwrap();
            let sections: [(&str, &[u8]); 2] =
                [("toy", &toy.save()), ("filler", &crate::world::filler(Seq(toy.seq)))];
            recovery.snapshots.write(end, toy.position(), synced, frame.time_ns(), &sections).unwrap();
        }
    }
    drop(recovery);
    disk
}

#[test]
fn version_1_is_still_what_is_written() {
    let disk = written_today();
    for (path, golden) in files() {
        let today = disk.bytes(path);
        if std::env::var_os("JOURNAL_WRITE_GOLDEN").is_some() && !golden.exists() {
            std::fs::write(&golden, &today).unwrap();
        }
        let bytes = std::fs::read(&golden).unwrap();
        let differs = bytes.iter().zip(&today).position(|(golden, today)| golden != today);
        assert_eq!((bytes.len(), None), (today.len(), differs), "{}", golden.display());
    }
}

#[test]
fn version_1_opens() {
    let disk = FaultyStorage::new();
    for (path, golden) in files() {
        disk.put(path, &std::fs::read(golden).unwrap());
    }
    let mut recovery = Recovery::open(&disk.storage(), &small()).unwrap();
    assert_eq!(recovery.warnings(), Vec::<String>::new());
    let mark = SkipMark { seq: Seq(6), reason: "panics when it rains".to_owned() };
    assert_eq!(recovery.survey.skip_marks, [mark]);
    let snapshot = recovery.snapshot.as_ref().unwrap();
    assert_eq!((snapshot.seq(), snapshot.time_ns()), (Seq(5), TimeNs(1_700_000_000_000_004_000)));
    let mut toy = Toy::load(snapshot);
    let mut replay = recovery.replay().unwrap();
    let batch = replay.next().unwrap().unwrap();
    assert_eq!((batch.first_seq, batch.count, batch.time_ns), (Seq(6), 1, TimeNs(1_700_000_000_000_006_000)));
    recovery.events.expect_or_append(&mut toy.apply(batch.first_seq, batch.records.clone())).unwrap();
    assert!(replay.next().unwrap().is_none());

    let survey = Survey::read(&disk.storage(), Durable::GENESIS).unwrap();
    assert_eq!((survey.end.seq(), survey.end.checksum()), (Seq(6), CHECKSUM_AT_THE_END));
    let mut frame = FrameBuffer::new();
    frame.begin(Seq(7), recovery.journal.time_ns());
    frame.push(|_| ());
    recovery.journal.append(&mut frame).unwrap();
}

/// Of the last batch in the golden segment.
const CHECKSUM_AT_THE_END: u32 = 3_865_535_779;
