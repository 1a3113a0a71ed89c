//! Marks for commands that panic.

use crate::world::{batch, expected, open, read_from, small, with_batches};
use ::journal::faulty::FaultyStorage;
use ::journal::{Durable, JournalError, SkipMark, Survey, skip};
use model::Seq;

#[test]
fn a_mark_is_found_by_every_start_and_takes_no_sequence() {
    let disk = with_batches(3, 20);
    skip(&disk.storage(), &small(), Seq(5), "divides by zero, ticket 12").unwrap();
    disk.crash(0);
    let mark = SkipMark { seq: Seq(5), reason: "divides by zero, ticket 12".to_owned() };
    for _ in 0..2 {
        let (survey, mut writer) = open(&disk.storage()).unwrap();
        assert_eq!(survey.skip_marks, std::slice::from_ref(&mark));
        let next = survey.end.seq().next().get();
        writer.append(&mut batch(next, 3, 20)).unwrap();
    }
    assert_eq!(read_from(&disk.storage(), 1).unwrap(), expected(15, 20));
}

#[test]
fn a_mark_at_the_end_leaves_the_position_of_the_last_command() {
    let disk = with_batches(3, 20);
    let before = Survey::read(&disk.storage(), Durable::GENESIS).unwrap().end;
    skip(&disk.storage(), &small(), Seq(9), "").unwrap();
    let after = Survey::read(&disk.storage(), before).unwrap();
    assert_eq!((after.end, after.skip_marks.len()), (before, 1));
}

#[test]
fn only_commands_that_are_there_can_be_marked_and_only_once() {
    let disk = with_batches(3, 20);
    let mark = |seq| skip(&disk.storage(), &small(), Seq(seq), "why");
    for wrong in [0, 10, 1000] {
        let error = mark(wrong).unwrap_err();
        let JournalError::NotInJournal { seq, oldest: Seq(1), end: Seq(9) } = error else {
            panic!("{error}")
        };
        assert_eq!(seq, Seq(wrong));
    }
    mark(9).unwrap();
    let error = mark(9).unwrap_err();
    assert!(
        matches!(&error, JournalError::AlreadySkipped { seq: Seq(9), reason } if reason == "why"),
        "{error}"
    );
    mark(1).unwrap();
    let error = skip(&disk.storage(), &small(), Seq(2), &"x".repeat(1025)).unwrap_err();
    assert!(matches!(error, JournalError::ReasonTooLong { .. }), "{error}");
    assert_eq!(open(&disk.storage()).unwrap().0.skip_marks.len(), 2);
    let empty = FaultyStorage::new();
    let error = skip(&empty.storage(), &small(), Seq(1), "why").unwrap_err();
    assert!(matches!(error, JournalError::NotInJournal { .. }), "{error}");
}

#[test]
fn a_mark_that_does_not_fit_opens_the_next_segment() {
    let disk = with_batches(40, 60);
    let mut marks = 0;
    for seq in 1..=40 {
        skip(&disk.storage(), &small(), Seq(seq), &"reason ".repeat(100)).unwrap();
        marks += 1;
        assert_eq!(Survey::read(&disk.storage(), Durable::GENESIS).unwrap().skip_marks.len(), marks);
    }
    assert!(disk.paths().len() > 2);
    let (_, mut writer) = open(&disk.storage()).unwrap();
    writer.append(&mut batch(121, 1, 60)).unwrap();
    assert_eq!(read_from(&disk.storage(), 1).unwrap(), expected(121, 60));
}

#[test]
fn a_power_cut_while_marking_leaves_the_mark_whole_or_away() {
    for call in 0.. {
        let disk = with_batches(3, 20);
        disk.power_off_at_call(disk.call_count() + call);
        let marked = skip(&disk.storage(), &small(), Seq(5), "why").is_ok();
        disk.crash(call as u64);
        let (survey, _) = open(&disk.storage()).unwrap();
        assert_eq!(survey.end.seq(), Seq(9));
        assert!(!survey.skip_marks.is_empty() || !marked);
        if marked {
            assert!(call > 5);
            break;
        }
    }
}
