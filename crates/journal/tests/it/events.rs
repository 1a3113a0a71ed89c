//! The event log: cut after a crash, derived again, compared; read while it grows.

use crate::world::{Case, Known, Toy, check_events, live, processes_and_locks, small};
use ::journal::faulty::{Failure, FaultyStorage};
use ::journal::{DataDir, EventLogReader, EventLogWriter, EventPosition, JournalError, Kept, Recovery};
use model::Seq;

const FIRST: &str = "events/00000000000000000001.seg";
const SECOND: &str = "events/00000000000000000002.seg";

/// A log with the events of `batches`, and the state behind them.
fn log(batches: usize) -> (FaultyStorage, Toy) {
    let disk = FaultyStorage::new();
    let (cut, mut writer) =
        EventLogWriter::open(&disk.storage(), &small(), Seq(0), EventPosition::GENESIS).unwrap();
    assert_eq!(cut, None);
    let mut toy = Toy::NEW;
    for _ in 0..batches {
        let frame = toy.next_batch();
        writer.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
    }
    assert_eq!(writer.position(), toy.position());
    writer.sync().unwrap();
    (disk, toy)
}

/// Derives everything again and says how many frames were still there.
fn derive(writer: &mut EventLogWriter, batches: usize) -> Result<usize, JournalError> {
    let mut toy = Toy::NEW;
    let mut existing = 0;
    for _ in 0..batches {
        let frame = toy.next_batch();
        let kept = writer.expect_or_append(&mut toy.apply(frame.first_seq(), frame.records()))?;
        existing += usize::from(kept == Kept::Existing);
    }
    assert_eq!(writer.position(), toy.position());
    Ok(existing)
}

#[test]
fn a_tail_cut_at_any_byte_is_derived_again_and_comes_out_equal() {
    let (disk, toy) = log(6);
    let whole = disk.bytes(FIRST);
    for cut in 0..whole.len() {
        for keeps_length in [false, true] {
            let mut bytes = whole.clone();
            bytes[cut..].fill(0);
            bytes.truncate(if keeps_length { whole.len() } else { cut });
            disk.put(FIRST, &bytes);
            let (tail, mut writer) =
                EventLogWriter::open(&disk.storage(), &small(), Seq(toy.seq), EventPosition::GENESIS)
                    .unwrap();
            let existing = derive(&mut writer, 6).unwrap();
            assert!(existing < 6 || bytes == whole);
            assert!(tail.is_some() || cut == whole.len() || !keeps_length, "cut at {cut}");
            assert_eq!(disk.bytes(FIRST), whole, "cut at {cut}");
        }
    }
    check_events(&disk.storage(), 1, &toy);
}

#[test]
fn a_bad_frame_cuts_off_later_files_too() {
    let (disk, toy) = log(400);
    let before: Vec<(String, Vec<u8>)> =
        disk.paths().into_iter().map(|path| (path.clone(), disk.bytes(&path))).collect();
    assert!(before.len() >= 3, "several files: {}", before.len());
    for damage in ["flip", "lose", "empty"] {
        for (path, bytes) in &before {
            disk.put(path, bytes);
        }
        let mut bytes = disk.bytes(SECOND);
        match damage {
            "flip" => bytes[200] ^= 1,
            "empty" => bytes.clear(),
            _ => {}
        }
        disk.put(SECOND, &bytes);
        if damage == "lose" {
            disk.lose(SECOND);
        }
        let (cut, mut writer) =
            EventLogWriter::open(&disk.storage(), &small(), Seq(toy.seq), EventPosition::GENESIS).unwrap();
        assert!(cut.is_some_and(|cut| cut.bytes > 0), "{damage}");
        let existing = derive(&mut writer, 400).unwrap();
        assert!(existing > 10 && existing < 400, "{damage}: {existing}");
        for (path, bytes) in &before {
            assert_eq!(&disk.bytes(path), bytes, "{damage}: {path}");
        }
    }
}

#[test]
fn events_of_commands_that_the_journal_does_not_have_are_refused() {
    let (disk, toy) = log(6);
    let whole = disk.bytes(FIRST);
    let open =
        |end| EventLogWriter::open(&disk.storage(), &small(), Seq(end), EventPosition::GENESIS).map(|_| ());
    let error = open(toy.seq - 1).unwrap_err();
    let JournalError::AheadOfJournal { what, seq, end } = &error else { panic!("{error}") };
    assert_eq!((what.as_str(), seq.get(), end.get()), (FIRST, toy.seq, toy.seq - 1));
    assert!(error.to_string().contains("acknowledged batches are missing"), "{error}");
    // Also when a bad frame lies before them.
    let mut bytes = whole;
    bytes[64 + 50] ^= 1;
    disk.put(FIRST, &bytes);
    let error = open(toy.seq - 1).unwrap_err();
    assert!(matches!(error, JournalError::AheadOfJournal { .. }), "{error}");
    assert_eq!(disk.bytes(FIRST), bytes, "refusing changes nothing");
    open(toy.seq).unwrap();
}

#[test]
fn events_that_come_out_differently_are_refused_with_their_sequence() {
    let (disk, toy) = log(6);
    let (_, mut writer) =
        EventLogWriter::open(&disk.storage(), &small(), Seq(toy.seq), EventPosition::GENESIS).unwrap();
    let mut other = Toy::NEW;
    let mut seq = 0;
    for at in 0..3 {
        let frame = other.next_batch();
        seq = frame.first_seq().get();
        let mut events = other.apply(frame.first_seq(), frame.records());
        if at == 2 {
            let mut differently = ::journal::EventFrame::new();
            differently.begin(frame.first_seq(), frame.time_ns(), model::EventSeq(1));
            differently.finish(frame.last_seq(), [7; 32]);
            events = differently;
        }
        let outcome = writer.expect_or_append(&mut events);
        assert_eq!(outcome.is_err(), at == 2);
        if let Err(error) = outcome {
            let JournalError::EventsDiffer { seq: named, .. } = &error else { panic!("{error}") };
            assert_eq!(named.get(), seq, "{error}");
        }
    }
    assert!(seq > 0);
}

#[test]
fn only_the_chain_differing_is_noticed() {
    let (disk, toy) = log(2);
    let (_, mut writer) =
        EventLogWriter::open(&disk.storage(), &small(), Seq(toy.seq), EventPosition::GENESIS).unwrap();
    let mut other = Toy { chain: [1; 32], ..Toy::NEW };
    let frame = other.next_batch();
    let error = writer.expect_or_append(&mut other.apply(frame.first_seq(), frame.records())).unwrap_err();
    let JournalError::EventsDiffer { difference, .. } = &error else { panic!("{error}") };
    assert_eq!(difference, "the hash chain");
}

#[test]
#[should_panic(expected = "the journal is replayed to its end")]
fn appending_before_everything_is_compared_is_the_callers_bug() {
    let (disk, toy) = log(2);
    let (_, mut writer) =
        EventLogWriter::open(&disk.storage(), &small(), Seq(toy.seq), EventPosition::GENESIS).unwrap();
    let mut toy = toy;
    let frame = toy.next_batch();
    writer.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
}

/// Before a snapshot everything was synced, so what is missing there was lost or damaged later.
#[test]
fn a_log_that_does_not_reach_the_snapshot_is_refused() {
    let disk = FaultyStorage::new();
    let mut known = Known::default();
    live(&disk.storage(), &mut known, 8).unwrap();
    let whole = disk.bytes(FIRST);
    let refused = |expected: bool| {
        let outcome = Recovery::open(&disk.storage(), &small()).map(|_| ());
        match outcome {
            Err(JournalError::EventsMissing { seq, .. }) => {
                assert_eq!((seq.get(), expected), (known.snapshot, true));
            }
            Err(other) => panic!("{other}"),
            Ok(()) => assert!(!expected),
        }
    };
    refused(false);
    for at in [0, 70, 64 + 96 + 3, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        disk.put(FIRST, &bytes);
        refused(true);
    }
    disk.lose(FIRST);
    refused(true);
    disk.put(FIRST, &whole);
    refused(false);
}

#[test]
fn a_reader_follows_a_growing_log_across_files() {
    let disk = FaultyStorage::new();
    let storage = disk.storage();
    let mut early = EventLogReader::open(&storage, Seq(1)).unwrap();
    assert!(early.next().unwrap().is_none(), "nothing there yet");
    let (_, mut writer) = EventLogWriter::open(&storage, &small(), Seq(0), EventPosition::GENESIS).unwrap();
    let mut toy = Toy::NEW;
    for _ in 0..400 {
        assert!(early.next().unwrap().is_none());
        let frame = toy.next_batch();
        writer.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
        let batch = early.next().unwrap().expect("what was just written");
        assert_eq!(batch.position(), toy.position());
    }
    assert!(disk.paths().len() >= 3);
    for from in [1, 2, 50, toy.seq] {
        check_events(&storage, from, &toy);
    }
}

/// The reader was further than what the disk kept: it waits until the same events are there again.
#[test]
fn a_reader_that_was_ahead_of_the_file_goes_on_where_it_was() {
    for seed in 0..12 {
        let _case = Case(format!("seed {seed}"));
        let disk = FaultyStorage::new();
        let mut known = Known::default();
        live(&disk.storage(), &mut known, 6).unwrap();
        let toy = live(&disk.storage(), &mut known, 3).unwrap();
        let storage = disk.storage();
        let mut reader = EventLogReader::open(&storage, Seq(1)).unwrap();
        let mut position = EventPosition::GENESIS;
        while let Some(batch) = reader.next().unwrap() {
            position = batch.position();
        }
        assert_eq!(position, toy.position());
        disk.crash(seed);
        let toy = live(&storage, &mut known, 2).unwrap();
        let mut reader = EventLogReader::open(&storage, position.seq.next()).unwrap();
        let batch = reader.next().unwrap().expect("what came after");
        assert_eq!(batch.first_seq, position.seq.next(), "seed {seed}");
        assert_eq!(batch.first_event_seq, position.event_seq.next(), "seed {seed}");
        check_events(&storage, 1, &toy);
    }
}

#[test]
fn a_reader_finds_damage_in_the_middle() {
    let (disk, _) = log(6);
    let mut bytes = disk.bytes(FIRST);
    bytes[64 + 100] ^= 1;
    disk.put(FIRST, &bytes);
    let storage = disk.storage();
    let mut reader = EventLogReader::open(&storage, Seq(1)).unwrap();
    let error = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("damage is not the end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, JournalError::Damaged { path, .. } if path == FIRST), "{error}");
}

/// Several files since the last sync.
#[test]
fn a_sync_covers_every_file() {
    let (disk, toy) = log(400);
    assert!(disk.paths().len() >= 3);
    disk.crash(0);
    check_events(&disk.storage(), 1, &toy);
}

/// A failed sync leaves events that can be read and are not on the disk. When the next start finds them equal, and its
/// sync succeeds, they must be there.
#[test]
fn events_that_are_found_equal_after_a_failed_sync_are_written_again() {
    for seed in 0..20 {
        let _case = Case(format!("seed {seed}"));
        let disk = FaultyStorage::new();
        let (_, mut writer) =
            EventLogWriter::open(&disk.storage(), &small(), Seq(0), EventPosition::GENESIS).unwrap();
        let mut toy = Toy::NEW;
        for _ in 0..400 {
            let frame = toy.next_batch();
            writer.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
        }
        // Every file's sync, one start each: nothing of any of them is sure to be there.
        for failing in 0..disk.paths().len() {
            disk.fail_call(disk.call_count() + failing, Failure::Io);
            writer.sync().unwrap_err();
            disk.restart();
            (_, writer) =
                EventLogWriter::open(&disk.storage(), &small(), Seq(toy.seq), EventPosition::GENESIS)
                    .unwrap();
            assert_eq!(derive(&mut writer, 400).unwrap(), 400, "the page cache still shows them");
        }
        writer.sync().unwrap();
        disk.crash(seed);
        check_events(&disk.storage(), 1, &toy);
    }
}

/// The same with one reader that stays open while the writing process is gone, and files that the disk has forgotten.
#[test]
fn a_reader_goes_on_in_files_that_were_made_again() {
    let _alone = processes_and_locks();
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path()).unwrap();
    let open =
        |end| EventLogWriter::open(dir.storage(), &small(), Seq(end), EventPosition::GENESIS).unwrap().1;
    let mut writer = open(0);
    let mut toy = Toy::NEW;
    let append = |writer: &mut EventLogWriter, toy: &mut Toy| {
        let frame = toy.next_batch();
        writer.append(&mut toy.apply(frame.first_seq(), frame.records())).unwrap();
    };
    (0..400).for_each(|_| append(&mut writer, &mut toy));
    let mut reader = EventLogReader::open(dir.storage(), Seq(1)).unwrap();
    while reader.next().unwrap().is_some() {}
    drop(writer);

    let newest =
        std::fs::read_dir(folder.path().join("events")).unwrap().map(|entry| entry.unwrap().path()).max();
    std::fs::remove_file(newest.unwrap()).unwrap();
    assert!(reader.next().unwrap().is_none());
    let mut writer = open(toy.seq);
    assert!(reader.next().unwrap().is_none());
    assert!(derive(&mut writer, 400).unwrap() < 400);
    for _ in 0..200 {
        assert!(reader.next().unwrap().is_none(), "nothing comes twice");
        append(&mut writer, &mut toy);
        assert_eq!(reader.next().unwrap().expect("what was just written").position(), toy.position());
    }
}
