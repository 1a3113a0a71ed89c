//! Bytes that were synced and are not what they were: the start is refused, by name and place, and nothing is changed.

use crate::world::{FIRST, FRAMES_AT, Known, SECOND, batch, live, open, with_batches};
use ::journal::faulty::FaultyStorage;
use ::journal::{Durable, Fault, JournalError, Survey};
use model::Seq;

/// Where each frame of a segment begins, and where the last one ends.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut at = FRAMES_AT;
    let mut found = vec![at];
    while bytes.get(at..at + 4) == Some(b"RFRM") {
        let payload = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
        at += (56 + payload as usize).next_multiple_of(8);
        found.push(at);
    }
    found
}

/// Flips one bit in each byte of a range, and expects each to be refused with this place.
fn refuse_every_flip(disk: &FaultyStorage, path: &str, range: std::ops::Range<usize>, place: usize) {
    let whole = disk.bytes(path);
    for at in range {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        disk.put(path, &bytes);
        let error = open(&disk.storage()).unwrap_err();
        let JournalError::Damaged { path: named, offset, .. } = &error else { panic!("byte {at}: {error}") };
        assert_eq!((named.as_str(), *offset), (path, place as u64), "byte {at}: {error}");
        assert_eq!(disk.bytes(path), bytes, "refusing changes nothing");
    }
    disk.put(path, &whole);
    open(&disk.storage()).unwrap();
}

#[test]
fn a_flipped_bit_in_a_middle_frame_is_refused_wherever_it_is() {
    let disk = with_batches(5, 11);
    let frames = frames(&disk.bytes(FIRST));
    assert_eq!(frames.len(), 6);
    for middle in 1..4 {
        refuse_every_flip(&disk, FIRST, frames[middle]..frames[middle + 1], frames[middle]);
    }
}

#[test]
fn a_flipped_bit_in_the_last_frame_of_a_full_segment_is_refused() {
    let disk = with_batches(5, 1300);
    let frames = frames(&disk.bytes(FIRST));
    assert_eq!(disk.paths(), [FIRST, SECOND]);
    let last = frames.len() - 2;
    refuse_every_flip(&disk, FIRST, frames[last]..frames[last + 1], frames[last]);
}

#[test]
fn a_flipped_bit_in_any_segments_header_is_refused() {
    let disk = with_batches(5, 1300);
    refuse_every_flip(&disk, FIRST, 0..64, 0);
    refuse_every_flip(&disk, SECOND, 0..64, 0);
}

#[test]
fn a_wiped_header_with_frames_behind_it_is_refused() {
    let disk = with_batches(5, 1300);
    for path in [FIRST, SECOND] {
        let whole = disk.bytes(path);
        let mut bytes = whole.clone();
        bytes[..4096].fill(0);
        disk.put(path, &bytes);
        let error = open(&disk.storage()).unwrap_err();
        let JournalError::Damaged { path: named, offset: 0, fault: Fault::Zeros, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(named, path);
        disk.put(path, &whole);
    }
}

#[test]
fn a_wiped_frame_in_the_middle_is_refused() {
    let disk = with_batches(5, 11);
    let frames = frames(&disk.bytes(FIRST));
    let mut bytes = disk.bytes(FIRST);
    bytes[frames[2]..frames[3]].fill(0);
    disk.put(FIRST, &bytes);
    let error = open(&disk.storage()).unwrap_err();
    let JournalError::Damaged { offset, seq, fault: Fault::Zeros, .. } = error else { panic!("{error}") };
    assert_eq!((offset, seq), (frames[2] as u64, Seq(7)));
}

#[test]
fn frames_in_another_order_are_refused() {
    let disk = with_batches(5, 11);
    let frames = frames(&disk.bytes(FIRST));
    let mut bytes = disk.bytes(FIRST);
    let (begin, middle, end) = (frames[1], frames[2], frames[3]);
    bytes[begin..end].rotate_left(middle - begin);
    disk.put(FIRST, &bytes);
    let error = open(&disk.storage()).unwrap_err();
    let JournalError::Damaged { offset, fault, .. } = error else { panic!("{error}") };
    assert_eq!((offset, fault), (begin as u64, Fault::Sequence { found: 7, expected: 4 }));
}

#[test]
fn a_frame_with_the_right_sequence_from_another_journal_is_refused() {
    let disk = with_batches(5, 11);
    let mut bytes = disk.bytes(FIRST);
    let frames = frames(&bytes);
    // The same length, other contents.
    let other = FaultyStorage::new();
    let (_, mut writer) = open(&other.storage()).unwrap();
    for at in 0..5 {
        let mut frame = batch(1 + at * 3, 3, 11);
        if at == 0 {
            frame = ::journal::FrameBuffer::new();
            frame.begin(Seq(1), crate::world::time_of(1));
            (0..3).for_each(|_| frame.push(|bytes| bytes.extend_from_slice(&[9; 19])));
        }
        writer.append(&mut frame).unwrap();
    }
    bytes[frames[4]..frames[5]].copy_from_slice(&other.bytes(FIRST)[frames[4]..frames[5]]);
    disk.put(FIRST, &bytes);
    let error = open(&disk.storage()).unwrap_err();
    let JournalError::Damaged { offset, fault: Fault::Chain { .. }, .. } = error else { panic!("{error}") };
    assert_eq!(offset, frames[4] as u64);
}

#[test]
fn a_missing_segment_is_refused() {
    let disk = with_batches(12, 1300);
    assert!(disk.paths().len() >= 4);
    disk.lose(SECOND);
    let error = open(&disk.storage()).unwrap_err();
    assert!(matches!(&error, JournalError::Hole { missing, .. } if missing == SECOND), "{error}");
    let disk = with_batches(12, 1300);
    disk.lose(FIRST);
    let error = open(&disk.storage()).unwrap_err();
    assert!(matches!(error, JournalError::Removed { wanted: Seq(1), .. }), "{error}");
}

#[test]
fn a_segment_under_another_number_or_cut_short_is_refused() {
    let disk = with_batches(5, 1300);
    let (first, second) = (disk.bytes(FIRST), disk.bytes(SECOND));
    disk.put(SECOND, &first);
    let error = open(&disk.storage()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { fault: Fault::Number { found: 1 }, .. }), "{error}");
    disk.put(SECOND, &second[..second.len() - 1]);
    let error = open(&disk.storage()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { fault: Fault::Size { .. }, .. }), "{error}");
}

/// The event log outlives a damaged last batch, which the journal alone must take for an unfinished one.
#[test]
fn a_flipped_bit_in_the_last_batch_is_refused_when_events_tell_of_it() {
    let disk = FaultyStorage::new();
    let mut known = Known::default();
    live(&disk.storage(), &mut known, 3).unwrap();
    let whole = disk.bytes(FIRST);
    let frames = frames(&whole);
    for at in frames[2]..frames[3] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        disk.put(FIRST, &bytes);
        let error = live(&disk.storage(), &mut known, 0).unwrap_err();
        assert!(matches!(error, JournalError::AheadOfJournal { .. }), "byte {at}: {error}");
        assert_eq!(disk.bytes(FIRST), bytes, "refusing changes nothing");
    }
    disk.put(FIRST, &whole);
    live(&disk.storage(), &mut known, 1).unwrap();
}

/// Sums of the first bytes are made again, as a newer program would have done.
#[test]
fn a_newer_format_is_refused_with_both_versions() {
    let disk = with_batches(2, 10);
    let mut bytes = disk.bytes(FIRST);
    bytes[8] = 7;
    let sum = crc32c::crc32c(&bytes[..12]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    disk.put(FIRST, &bytes);
    let error = open(&disk.storage()).unwrap_err();
    assert!(matches!(error, JournalError::NewerVersion { found: 7, known: 1, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(FIRST) && text.contains("version 7") && text.contains("up to 1"), "{text}");
    assert_eq!(disk.bytes(FIRST), bytes, "refusing changes nothing");
}

#[test]
fn the_sentence_names_file_place_sequence_and_what_to_do() {
    let disk = with_batches(5, 11);
    let frames = frames(&disk.bytes(FIRST));
    let mut bytes = disk.bytes(FIRST);
    bytes[frames[2] + 70] ^= 1;
    disk.put(FIRST, &bytes);
    let text = Survey::read(&disk.storage(), Durable::GENESIS).unwrap_err().to_string();
    for part in [FIRST, &format!("byte {}", frames[2]), "sequence there would be 7", "checksum", "Restore"] {
        assert!(text.contains(part), "{part} in: {text}");
    }
}

/// Right checksums, wrong time: no torn write looks like this, so it is refused also at the end.
#[test]
fn a_batch_from_before_the_one_before_it_is_refused() {
    let disk = with_batches(5, 11);
    let mut bytes = disk.bytes(FIRST);
    let last = frames(&bytes)[4];
    bytes[last + 24..last + 32].copy_from_slice(&1_u64.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[last..last + 52]);
    bytes[last + 52..last + 56].copy_from_slice(&sum.to_le_bytes());
    disk.put(FIRST, &bytes);
    let error = open(&disk.storage()).unwrap_err();
    let JournalError::Damaged { offset, fault: Fault::Time, .. } = error else { panic!("{error}") };
    assert_eq!(offset, last as u64);
}
