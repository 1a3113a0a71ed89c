//! Appending, reading back, changing segments, being read while written.

use crate::world::{batch, expected, open, processes_and_locks, read_from, small, with_batches};
use ::journal::faulty::{CallKind, FaultyStorage};
use ::journal::{
    DataDir, Durable, FrameBuffer, JournalError, JournalReader, JournalWriter, Preparation, Settings, Survey,
};
use model::{Seq, TimeNs};

#[test]
fn what_was_appended_is_read_back_across_segments_and_starts() {
    let disk = FaultyStorage::new();
    let mut end = 0;
    for start in 0..5 {
        let (survey, mut writer) = open(&disk.storage()).unwrap();
        assert_eq!((survey.end.seq(), survey.torn), (Seq(end), None), "start {start}");
        assert_eq!(writer.end(), survey.end);
        for _ in 0..7 {
            let durable = writer.append(&mut batch(end + 1, 4, 700)).unwrap();
            end += 4;
            assert_eq!((durable, durable.seq()), (writer.end(), Seq(end)));
        }
    }
    assert_eq!(read_from(&disk.storage(), 1).unwrap(), expected(end, 700));
    assert!(disk.paths().len() > 5, "it was about several segments: {:?}", disk.paths());
}

#[test]
fn a_batch_is_one_write_and_one_sync() {
    let disk = FaultyStorage::new();
    let (_, mut writer) = open(&disk.storage()).unwrap();
    let before = disk.call_count();
    writer.append(&mut batch(1, 50, 100)).unwrap();
    let kinds: Vec<CallKind> = disk.calls()[before..].iter().map(|call| call.what).collect();
    assert_eq!(kinds, [CallKind::WriteAt, CallKind::Sync]);
}

#[test]
fn reading_begins_with_the_batch_that_has_the_sequence() {
    let disk = with_batches(20, 900);
    for from in 1..=61 {
        let commands = read_from(&disk.storage(), from).unwrap();
        let first = (from - 1) / 3 * 3 + 1;
        assert_eq!(commands, expected(60, 900).split_off(usize::try_from(first - 1).unwrap()), "from {from}");
    }
}

#[test]
fn a_known_position_in_the_middle_saves_reading_what_is_before_it() {
    let disk = with_batches(20, 900);
    let storage = disk.storage();
    let whole = Survey::read(&storage, Durable::GENESIS).unwrap();
    let mut reader = JournalReader::open(&storage, &whole, Seq(1)).unwrap();
    while let Some(batch) = reader.next().unwrap() {
        let survey = Survey::read(&storage, batch.end).unwrap();
        assert_eq!((survey.end, survey.time_ns), (whole.end, whole.time_ns));
    }
    let reads = |known| {
        let before = disk.call_count();
        Survey::read(&storage, known).unwrap();
        disk.calls()[before..].iter().filter(|call| call.what == CallKind::ReadAt).count()
    };
    assert!(reads(whole.end) < reads(Durable::GENESIS));
}

#[test]
fn a_position_of_another_journal_is_refused() {
    let storage = with_batches(5, 100).storage();
    let other = with_batches(5, 101).storage();
    let known = Survey::read(&other, Durable::GENESIS).unwrap().end;
    let error = Survey::read(&storage, known).unwrap_err();
    assert!(matches!(error, JournalError::OtherJournal { seq: Seq(15), .. }), "{error}");
    let ahead = Survey::read(&with_batches(8, 100).storage(), Durable::GENESIS).unwrap().end;
    let error = Survey::read(&storage, ahead).unwrap_err();
    let JournalError::AheadOfJournal { seq: Seq(24), end: Seq(15), .. } = error else { panic!("{error}") };
    let error = Survey::read(&FaultyStorage::new().storage(), ahead).unwrap_err();
    assert!(matches!(error, JournalError::AheadOfJournal { seq: Seq(24), end: Seq(0), .. }), "{error}");
}

#[test]
fn a_batch_that_fits_no_segment_is_refused_and_the_writer_goes_on() {
    let disk = FaultyStorage::new();
    let (_, mut writer) = open(&disk.storage()).unwrap();
    let largest = writer.max_frame_bytes();
    let mut fits = batch(1, 1, largest - 56 - 4 - 8);
    assert_eq!(fits.frame_bytes(), largest);
    let error = writer.append(&mut batch(1, 1, largest - 56 - 4 - 8 + 1)).unwrap_err();
    assert!(matches!(error, JournalError::BatchTooLarge { .. }), "{error}");
    writer.append(&mut fits).unwrap();
    writer.append(&mut batch(2, 3, 10)).unwrap();
    assert_eq!(open(&disk.storage()).unwrap().0.end.seq(), Seq(4));
}

#[test]
fn empty_records_and_records_of_zeros_come_back() {
    let disk = FaultyStorage::new();
    let (_, mut writer) = open(&disk.storage()).unwrap();
    let mut frame = FrameBuffer::new();
    frame.begin(Seq(1), TimeNs(5));
    frame.push(|_| ());
    frame.push(|bytes| bytes.extend_from_slice(&[0; 300]));
    frame.push(|_| ());
    assert_eq!((frame.count(), frame.last_seq(), frame.records().count()), (3, Seq(3), 3));
    writer.append(&mut frame).unwrap();
    assert_eq!(frame.records().map(<[u8]>::len).collect::<Vec<_>>(), [0, 300, 0]);
    let read = read_from(&disk.storage(), 1).unwrap();
    assert_eq!(read, [(1, vec![]), (2, vec![0; 300]), (3, vec![])]);
}

#[test]
#[should_panic(expected = "a gap or a repeat in the order of commands")]
fn a_batch_that_leaves_a_gap_is_the_sequencers_bug() {
    let (_, mut writer) = open(&FaultyStorage::new().storage()).unwrap();
    writer.append(&mut batch(2, 1, 10)).unwrap();
}

#[test]
#[should_panic(expected = "clock never runs backwards")]
fn time_that_goes_back_is_the_sequencers_bug() {
    let (_, mut writer) = open(&FaultyStorage::new().storage()).unwrap();
    writer.append(&mut batch(1, 1, 10)).unwrap();
    let mut frame = FrameBuffer::new();
    frame.begin(Seq(2), TimeNs(1));
    frame.push(|_| ());
    writer.append(&mut frame).unwrap();
}

/// The helper thread prepares segments on real files; restarts adopt what it has prepared.
#[test]
fn segments_prepared_in_the_background_are_used() {
    let _alone = processes_and_locks();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { preparation: Preparation::Background, ..small() };
    let mut end = 0;
    for _ in 0..3 {
        let dir = DataDir::open(folder.path()).unwrap();
        let (survey, mut writer) = JournalWriter::open(dir.storage(), &settings, Durable::GENESIS).unwrap();
        assert_eq!(survey.end.seq(), Seq(end));
        for _ in 0..20 {
            writer.append(&mut batch(end + 1, 3, 900)).unwrap();
            end += 3;
        }
    }
    let dir = DataDir::open_read_only(folder.path()).unwrap();
    assert_eq!(read_from(dir.storage(), 1).unwrap(), expected(end, 900));
}

#[test]
fn progress_goes_from_nothing_to_all() {
    let storage = with_batches(20, 900).storage();
    let survey = Survey::read(&storage, Durable::GENESIS).unwrap();
    let mut reader = JournalReader::open(&storage, &survey, Seq(1)).unwrap();
    let mut before = 0;
    while reader.next().unwrap().is_some() {
        assert!(reader.bytes_read() > before && reader.bytes_read() <= reader.bytes_total());
        before = reader.bytes_read();
    }
    assert_eq!(before, reader.bytes_total());
    assert!(reader.next().unwrap().is_none(), "the end stays the end");
}
