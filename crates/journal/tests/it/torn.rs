//! An unfinished last batch: dropped, counted, wiped, and never confused with damage.

use crate::world::{Case, FIRST, FRAMES_AT, batch, expected, open, read_from, with_batches};
use ::journal::faulty::{FaultyStorage, SECTOR};
use model::Seq;

/// A disk with two whole batches, the bytes of a third, and where it begins.
fn third_batch() -> (FaultyStorage, Vec<u8>, usize) {
    let before = with_batches(2, 40).bytes(FIRST);
    let disk = with_batches(3, 40);
    let after = disk.bytes(FIRST);
    let begin = before.iter().zip(&after).position(|(old, new)| old != new).unwrap();
    (disk, after, begin)
}

#[test]
fn a_batch_torn_at_any_byte_is_dropped_and_counted() {
    let (disk, whole, begin) = third_batch();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert!(begin > FRAMES_AT && end - begin > 150, "a frame of three commands: {begin} to {end}");
    for cut in begin..end {
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        let left = bytes[begin..cut].iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        disk.put(FIRST, &bytes);

        let (survey, mut writer) = open(&disk.storage()).unwrap();
        assert_eq!(survey.end.seq(), Seq(6), "cut at {cut}");
        match survey.torn {
            None => assert_eq!(left, 0, "cut at {cut}"),
            Some(torn) => {
                assert_eq!((torn.path.as_str(), torn.offset, torn.bytes), (FIRST, begin as u64, left as u64));
            }
        }
        // Wiped and synced before anything is appended.
        disk.crash(0);
        assert!(disk.bytes(FIRST)[begin..].iter().all(|byte| *byte == 0), "cut at {cut}");
        drop(writer);
        (_, writer) = open(&disk.storage()).unwrap();
        writer.append(&mut batch(7, 3, 40)).unwrap();
        assert_eq!(disk.bytes(FIRST), whole, "cut at {cut}");
    }
}

/// Power loss keeps sectors, not prefixes.
#[test]
fn a_batch_that_lost_any_of_its_sectors_is_dropped() {
    let disk = with_batches(1, 40);
    let before = disk.bytes(FIRST);
    let (_, mut writer) = open(&disk.storage()).unwrap();
    writer.append(&mut batch(4, 3, 900)).unwrap();
    let whole = disk.bytes(FIRST);
    let changed: Vec<usize> = (0..whole.len() / SECTOR)
        .filter(|at| whole[at * SECTOR..][..SECTOR] != before[at * SECTOR..][..SECTOR])
        .collect();
    assert!(changed.len() >= 5, "{changed:?}");
    for kept in 0..(1_u32 << changed.len()) - 1 {
        let mut bytes = before.clone();
        for (nth, sector) in changed.iter().enumerate().filter(|(nth, _)| kept >> nth & 1 == 1) {
            assert!(nth < changed.len());
            bytes[sector * SECTOR..][..SECTOR].copy_from_slice(&whole[sector * SECTOR..][..SECTOR]);
        }
        disk.put(FIRST, &bytes);
        let (survey, mut writer) = open(&disk.storage()).unwrap();
        assert_eq!((survey.end.seq(), survey.torn.is_some()), (Seq(3), kept != 0), "kept {kept:b}");
        assert_eq!(disk.bytes(FIRST), before, "kept {kept:b}");
        writer.append(&mut batch(4, 3, 900)).unwrap();
        assert_eq!(disk.bytes(FIRST), whole);
    }
}

/// The last whole batch could be read after a failed sync but was not on the disk: a start that took it for durable
/// without writing it again would lose it at the next power cut.
#[test]
fn the_last_batch_is_made_durable_by_the_start_that_finds_it() {
    for seed in 0..40 {
        let _case = Case(format!("seed {seed}"));
        let disk = with_batches(2, 700);
        let (_, mut writer) = open(&disk.storage()).unwrap();
        disk.fail_call(disk.call_count() + 1, ::journal::faulty::Failure::Io);
        writer.append(&mut batch(7, 3, 700)).unwrap_err();
        drop(writer);
        disk.restart();
        let (survey, _) = open(&disk.storage()).unwrap();
        assert_eq!(survey.end.seq(), Seq(9), "the page cache still shows it");
        disk.crash(seed);
        assert_eq!(read_from(&disk.storage(), 1).unwrap(), expected(9, 700), "seed {seed}");
    }
}
