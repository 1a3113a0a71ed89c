//! Files that a crash, a disk or an operator has damaged: what may be mended is mended, with a word about it; for everything
//! else the program refuses to start, says what and where in one line, and changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::base::{Base, Case, LAST};
use super::files::{
    Frame, change, checksum, copy, event_frames, event_segments, forge_event_frame, forge_section,
    journal_frames, journal_segments, relative, set_version, snapshots,
};
use crate::program::{rialto, run};

/// The last frame of the last segment.
fn last_frame(segments: &[PathBuf], frames: fn(&Path) -> Vec<Frame>) -> (&Path, Frame) {
    let segment = segments.last().expect("there is one");
    (segment, frames(segment).pop().expect("it has frames"))
}

/// What stands at the end of the journal and was not there before.
fn behind_the_end(case: &Case, bytes: &[u8]) -> (String, usize) {
    let segments = journal_segments(&case.data);
    let (segment, Frame { bytes: last, .. }) = last_frame(&segments, journal_frames);
    change(segment, |file| file[last.end..last.end + bytes.len()].copy_from_slice(bytes));
    (relative(segment), last.end)
}

#[test]
fn checksums_are_those_of_the_documents() {
    assert_eq!(checksum(b"123456789"), 0xE306_9283);
}

#[test]
fn pieces_of_an_unfinished_batch_are_dropped_with_a_warning() {
    let whole = {
        let case = Case::of(Base::grown());
        let segments = journal_segments(&case.data);
        let (segment, Frame { bytes, .. }) = last_frame(&segments, journal_frames);
        fs::read(segment).unwrap()[bytes].to_vec()
    };
    let half = &whole[..whole.len() / 2];
    let garbage: Vec<u8> = (1..=100).collect();
    for piece in [half, &whole[..56], &garbage, &[1]] {
        let case = Case::of(Base::grown());
        let (segment, at) = behind_the_end(&case, piece);
        // The zeros at the end of a piece cannot be told from those that were there.
        let told = piece.len() - piece.iter().rev().take_while(|byte| **byte == 0).count();
        let last_word = told.next_multiple_of(8);
        let warning = format!("{segment}: an unfinished last batch of ");
        let ended = case.starts(&[&warning]);
        let dropped = ended.stderr.split("batch of ").nth(1).and_then(|rest| rest.split(' ').next());
        let dropped: usize = dropped.and_then(|bytes| bytes.parse().ok()).expect("how much");
        assert!((told..=last_word).contains(&dropped), "{told} bytes: {ended:?}");
        assert!(ended.stderr.contains(&format!("at byte {at} was dropped")), "{ended:?}");
        case.verifies();
    }
}

/// The last batch is torn, and no event of it was seen: then nobody had been told.
#[test]
fn a_torn_last_batch_that_nobody_saw_is_dropped() {
    let damages: [fn(&mut [u8]); 3] =
        [|frame| frame[60..].fill(0), |frame| frame.fill(0xA5), |frame| *frame.last_mut().unwrap() ^= 0xFF];
    for damage in damages {
        let case = Case::of(Base::grown());
        let events = event_segments(&case.data);
        let (file, Frame { bytes, .. }) = last_frame(&events, event_frames);
        change(file, |file| file.truncate(bytes.start));
        let segments = journal_segments(&case.data);
        let (segment, Frame { bytes, .. }) = last_frame(&segments, journal_frames);
        change(segment, |file| damage(&mut file[bytes.clone()]));
        let warning = format!("{}: an unfinished last batch of ", relative(segment));
        case.starts_with(&Base::grown().before_last, &[&warning]);
        case.verifies();
    }
}

/// The same batch, when the event log has it: somebody may have been told.
#[test]
fn a_last_batch_that_somebody_saw_is_missed() {
    let case = Case::of(Base::grown());
    let segments = journal_segments(&case.data);
    let (segment, Frame { bytes, last_seq }) = last_frame(&segments, journal_frames);
    change(segment, |file| file[bytes].fill(0));
    let (at, end) = (last_seq.to_string(), (last_seq - 1).to_string());
    case.refuses(&["events/", &at, &end, "acknowledged batches are missing", "Restore the folder `journal`"]);
    case.does_not_verify(&["the event log", &at, &end, "acknowledged batches are missing"]);
}

#[test]
fn a_flipped_bit_in_the_middle_is_named_by_segment_and_offset() {
    for (segment, part, byte) in [(0, 2, 60), (1, 2, 80), (1, 3, 8), (1, 2, 40), (2, 5, 0)] {
        let case = Case::of(Base::grown());
        let segments = journal_segments(&case.data);
        let frames = journal_frames(&segments[segment]);
        let frame = &frames[frames.len() / part];
        change(&segments[segment], |file| file[frame.bytes.start + byte] ^= 0x10);
        let name = relative(&segments[segment]);
        let place = format!("byte {}:", frame.bytes.start);
        let next = format!("sequence there would be {}", frames[frames.len() / part - 1].last_seq + 1);
        let words = [name.as_str(), "is damaged at", &place, &next, "Nothing was changed"];
        case.refuses(&words);
        case.does_not_verify(&words);
    }
}

#[test]
fn a_damaged_header_of_a_segment_is_named() {
    for byte in [0, 16, 24, 63] {
        let case = Case::of(Base::grown());
        let segments = journal_segments(&case.data);
        change(&segments[1], |file| file[byte] ^= 0x10);
        case.refuses(&[&relative(&segments[1]), "is damaged at byte 0"]);
    }
    let case = Case::of(Base::grown());
    let segments = journal_segments(&case.data);
    change(&segments[1], |file| file.truncate(file.len() - 1));
    case.refuses(&[&relative(&segments[1]), "the file has 1048575 bytes, its header says 1048576"]);
}

#[test]
fn a_segment_that_is_not_there_is_named() {
    for segment in [0, 1] {
        let case = Case::of(Base::grown());
        let segments = journal_segments(&case.data);
        assert!(segments.len() >= 3, "a middle one");
        fs::remove_file(&segments[segment]).unwrap();
        let name = relative(&segments[segment]);
        match segment {
            // It might have been removed because a snapshot made it unnecessary; there is none.
            0 => case.refuses(&["the journal begins at sequence ", "1 has been removed"]),
            _ => case.refuses(&[&name, "is missing", &relative(&segments[segment + 1]), "Restore it"]),
        }
    }
    // The last one: the event log knows better.
    let case = Case::of(Base::grown());
    let segments = journal_segments(&case.data);
    for blank in super::files::listed(&case.data.join("journal"), ".seg").split_off(segments.len() - 1) {
        fs::remove_file(blank).unwrap();
    }
    case.refuses(&["acknowledged batches are missing"]);
    case.does_not_verify(&["acknowledged batches are missing"]);
    // One that had been prepared and never used is no loss.
    let case = Case::of(Base::grown());
    let segments = journal_segments(&case.data);
    for blank in super::files::listed(&case.data.join("journal"), ".seg").split_off(segments.len()) {
        fs::remove_file(blank).unwrap();
    }
    case.starts(&[]);
}

#[test]
fn a_journal_that_ends_before_a_snapshot_has_lost_something() {
    let case = Case::of(Base::with_snapshots());
    let newest = snapshots(&case.data).pop().unwrap();
    let seq: u64 = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let segments = journal_segments(&case.data);
    assert_eq!(segments.len(), 1, "little");
    let frames = journal_frames(&segments[0]);
    let cut = frames.iter().position(|frame| frame.last_seq >= seq).unwrap();
    change(&segments[0], |file| file[frames[cut].bytes.start..].fill(0));
    let end = frames[cut - 1].last_seq.to_string();
    let words = ["snapshot", &seq.to_string(), &end, "acknowledged batches are missing"];
    case.refuses(&words);
    // Also when the event log is gone, and when the snapshot cannot be read.
    for event in event_segments(&case.data) {
        fs::remove_file(event).unwrap();
    }
    case.refuses(&words);
    case.does_not_verify(&words);
    for snapshot in snapshots(&case.data) {
        change(&snapshot, |file| *file.last_mut().unwrap() ^= 1);
    }
    case.refuses(&words);
}

#[test]
fn snapshots_and_journals_of_different_directories_are_not_mixed() {
    let case = Case::of(Base::with_snapshots());
    fs::remove_dir_all(case.data.join("journal")).unwrap();
    copy(&Case::of(Base::grown()).data.join("journal"), &case.data.join("journal"));
    case.refuses(&["another batch at sequence", "from different directories"]);
}

/// Event log files of the same content, up to where one of them ends.
#[track_caller]
fn assert_same_events(case: &Case, base: &'static Base) {
    let before =
        event_segments(&Case::of(base).data).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    let now = event_segments(&case.data).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    assert_eq!(before.len(), now.len());
    assert!(before == now, "the events come out equal, byte for byte");
}

#[test]
fn an_event_log_without_snapshots_is_derived_again() {
    let damages: [fn(&Path); 5] = [
        |data| event_segments(data).iter().for_each(|path| fs::remove_file(path).unwrap()),
        |data| fs::remove_file(&event_segments(data)[1]).unwrap(),
        |data| {
            let path = &event_segments(data)[0];
            change(path, |file| file.truncate(file.len() / 2));
        },
        |data| {
            let path = &event_segments(data)[1];
            change(path, |file| {
                let middle = file.len() / 2;
                file[middle] ^= 1;
            });
        },
        |data| {
            let segments = event_segments(data);
            change(segments.last().unwrap(), |file| file.extend_from_slice(&[0xA5; 1_000]));
        },
    ];
    for damage in damages {
        let case = Case::of(Base::grown());
        assert!(event_segments(&case.data).len() >= 3, "a middle one");
        damage(&case.data);
        case.starts(&[]);
        assert_same_events(&case, Base::grown());
        case.verifies();
    }
}

/// With a snapshot the events before it would have to be derived from commands that are not applied any more.
#[test]
fn an_event_log_that_misses_a_snapshots_position_is_refused_and_the_way_out_works() {
    let damages: [fn(&Path); 3] = [
        |data| event_segments(data).iter().for_each(|path| fs::remove_file(path).unwrap()),
        |data| change(&event_segments(data)[0], |file| file.truncate(64 + 500)),
        |data| {
            let path = &event_segments(data)[0];
            let frames = event_frames(path);
            change(path, |file| file[frames[3].bytes.start + 100] ^= 1);
        },
    ];
    for damage in damages {
        let case = Case::of(Base::with_snapshots());
        damage(&case.data);
        let newest = snapshots(&case.data).pop().unwrap();
        let seq: u64 = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        case.refuses(&[
            "the event log does not contain the position of the snapshot at sequence",
            &seq.to_string(),
            "move the folders `events` and `snapshots` away",
        ]);
        for folder in ["events", "snapshots"] {
            fs::rename(case.data.join(folder), case.folder().join(folder)).unwrap();
        }
        case.starts(&[]);
        assert_same_events(&case, Base::with_snapshots());
        case.verifies();
    }
}

/// Events that are whole and right by themselves, but are not those that the journal gives.
#[test]
fn other_events_than_the_journal_gives_are_refused() {
    for byte in [40, 60, 100] {
        let case = Case::of(Base::grown());
        let segments = event_segments(&case.data);
        let (segment, frame) = last_frame(&segments, event_frames);
        forge_event_frame(segment, &frame, byte);
        let seq = frame.last_seq.to_string();
        case.refuses(&[&relative(segment), "has other events for sequence", &seq]);
        case.does_not_verify(&[&seq]);
    }
}

#[test]
fn a_damaged_snapshot_is_replaced_by_the_one_before() {
    let damages: [fn(&mut Vec<u8>); 4] =
        [|file| file[200] ^= 1, |file| file.truncate(file.len() - 1), Vec::clear, |file| file[0] = 0];
    for damage in damages {
        let case = Case::of(Base::with_snapshots());
        let all = snapshots(&case.data);
        assert_eq!(all.len(), 3, "the setting");
        change(&all[2], damage);
        let name = relative(&all[2]);
        case.does_not_verify(&[&name, "is damaged"]);
        let warning = format!("{name} is damaged");
        // The next one replaces the oldest; the damaged one stays, and is named, until it is the oldest.
        let (program, addresses) = case.start().listening();
        case.answers_as(&Base::with_snapshots().answers, &addresses);
        let ended = program.terminate();
        assert!(ended.status.success() && ended.stderr.lines().count() == 1, "{ended:?}");
        assert!(ended.stderr.contains(&warning), "{ended:?}");
    }
}

#[test]
fn without_a_good_snapshot_all_is_applied_again() {
    let case = Case::of(Base::with_snapshots());
    let all = snapshots(&case.data);
    for snapshot in &all {
        change(snapshot, |file| file[200] ^= 1);
    }
    let warnings: Vec<String> =
        all.iter().rev().map(|path| format!("{} is damaged", relative(path))).collect();
    let (program, addresses) = case.start().listening();
    case.answers_as(&Base::with_snapshots().answers, &addresses);
    let ended = program.terminate();
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{ended:?}");
    assert!(lines.iter().zip(&warnings).all(|(line, warning)| line.contains(warning)), "{ended:?}");

    let case = Case::of(Base::with_snapshots());
    for snapshot in snapshots(&case.data) {
        fs::remove_file(snapshot).unwrap();
    }
    case.starts(&[]);
    assert_same_events(&case, Base::with_snapshots());
    case.verifies();

    // One that never got its name.
    let case = Case::of(Base::with_snapshots());
    let newest = snapshots(&case.data).pop().unwrap();
    let unfinished = case.data.join("snapshots/00000000000000099999.tmp");
    fs::rename(newest, &unfinished).unwrap();
    case.starts(&[]);
    assert!(!unfinished.exists(), "nobody needs it");
}

/// The partition is whole; what people ask for is not, and is made again from the event log.
#[test]
fn damaged_views_are_made_again() {
    let damages: [fn(&mut [u8]); 2] = [|views| views[0] ^= 0xFF, |views| views.fill(0xFF)];
    for damage in damages {
        let case = Case::of(Base::with_snapshots());
        let newest = snapshots(&case.data).pop().unwrap();
        forge_section(&newest, "views", damage);
        case.starts(&["has no usable views; they are made again from the event log"]);
    }
}

/// A snapshot that is whole, but is not the state that the journal leads to, can only be noticed by applying everything again.
#[test]
fn verify_notices_a_snapshot_with_another_state() {
    let case = Case::of(Base::with_snapshots());
    case.verifies();
    let oldest = &snapshots(&case.data)[0];
    forge_section(oldest, "partition", |partition| *partition.last_mut().unwrap() ^= 1);
    let seq: u64 = oldest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    case.does_not_verify(&["the snapshot at command", &seq.to_string(), "is not the state"]);
}

/// One file of a data directory.
type Choice = fn(&Path) -> PathBuf;

#[test]
fn files_of_a_newer_program_are_left_alone() {
    let newer: [(Choice, &'static Base); 4] = [
        (|data| journal_segments(data)[0].clone(), Base::grown()),
        (|data| journal_segments(data).pop().unwrap(), Base::grown()),
        (|data| event_segments(data)[0].clone(), Base::grown()),
        (|data| snapshots(data).pop().unwrap(), Base::with_snapshots()),
    ];
    for (file, base) in newer {
        let case = Case::of(base);
        let file = file(&case.data);
        set_version(&file, 99);
        let words =
            [&relative(&file), "has format version 99; this program knows versions up to 1", "newer program"];
        case.refuses(&words);
        case.does_not_verify(&words);
    }
}

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let case = Case::of(Base::with_snapshots());
    let (program, addresses) = case.start().listening();
    let holder = format!("process {}", program.pid());
    case.start().listens().err().expect("it does not start").refused(&["in use by", &holder]);
    let data = case.data.to_str().unwrap();
    run(rialto(["journal", "skip", "1", "--reason", "x", "--data", data])).refused(&["in use by", &holder]);
    case.verifies();
    case.answers_as(&Base::with_snapshots().answers, &addresses);
    program.terminate().well();
}

#[test]
fn what_cannot_be_skipped_is_not() {
    let case = Case::of(Base::with_snapshots());
    let data = case.data.to_str().unwrap();
    let end = journal_frames(&journal_segments(&case.data)[0]).pop().unwrap().last_seq;
    let skip = |seq: &str, data: &str| run(rialto(["journal", "skip", seq, "--reason", "x", "--data", data]));
    let missing = case.folder().join("missing");
    skip("1", missing.to_str().unwrap()).refused(&["there is no data directory", "missing"]);
    assert!(!missing.exists(), "a typo makes no directory");
    skip("1", case.config.to_str().unwrap()).refused(&["is not a directory"]);
    skip("1", case.folder().to_str().unwrap()).refused(&["there is no data directory"]);
    for seq in ["0", &(end + 1).to_string()] {
        skip(seq, data).refused(&[
            "is not in the journal, which has 1 to",
            &end.to_string(),
            "Nothing was marked",
        ]);
    }
    for seq in ["1", &end.to_string()] {
        skip(seq, data).refused(&[seq, "was applied and its events were released", "Nothing was marked"]);
    }
    skip("one", data).refused(&["invalid value 'one'"]);
    run(rialto(["journal", "skip", "1", "--data", data])).refused(&["--reason"]);
    case.starts(&[]);

    // Where nobody was told anything (the event log is gone), a mark is taken, once.
    let case = Case::of(Base::grown());
    for events in event_segments(&case.data) {
        fs::remove_file(events).unwrap();
    }
    let data = case.data.to_str().unwrap();
    let end = journal_frames(journal_segments(&case.data).last().unwrap()).pop().unwrap().last_seq;
    skip(&end.to_string(), data).well();
    skip(&end.to_string(), data).refused(&["is marked to be skipped already (x)", "Nothing was changed"]);
    assert!(Base::grown().answers.values().any(|answer| answer.contains(LAST)));
    case.starts_with(&Base::grown().before_last, &[]);
    case.verifies();
}
