//! One single call to the storage fails: a full disk, a failing sync, a write that stops half way. The sequencer stops at once
//! and says why; nobody hears yes after it; and the next start loses nothing of what was acknowledged. Only where the call was
//! to read what a snapshot is made of, it goes on: the operator is told, and there is a snapshot less.

use journal::faulty::{CallKind, Failure, FaultyStorage};

use crate::flow::Random;
use crate::history::{History, LIFE, Turns};

/// What the operating system says to it, as it must appear in the error that the operator reads.
fn cause(failure: Failure, sentence: &str) -> bool {
    match failure {
        Failure::DiskFull | Failure::ShortWrite => {
            sentence.contains("os error 28") && sentence.contains("The disk is full: free space")
        }
        Failure::Io => sentence.contains("os error 5") && sentence.contains("Look at the disk"),
    }
}

fn fail_at_every_call(failure: Failure, seed: u64, turns: Turns) {
    let calls = {
        let disk = FaultyStorage::new();
        History::new(seed, turns).live(&disk, LIFE).unwrap();
        disk.call_count()
    };
    let (mut failed, mut told) = (0, 0);
    for call in 0..calls + 10 {
        let context = format!("call {call} of {calls}, {failure:?}, seed {seed}");
        let mut random = Random::new(seed.wrapping_mul(1_000_003) + call as u64);
        let disk = FaultyStorage::new();
        let mut history = History::new(seed, turns);

        disk.fail_call(call, failure);
        match history.live(&disk, LIFE) {
            Ok(_) if disk.call_count() <= call => {}
            Ok(_) => {
                told += 1;
                let broken = &disk.calls()[call];
                let reads = matches!(
                    broken.what,
                    CallKind::List | CallKind::Open | CallKind::Size | CallKind::ReadAt
                );
                assert!(reads, "{broken:?} failed, and it went on: {context}");
                let [sentence] = &history.failed_snapshots()[..] else {
                    panic!("a failure that nobody has noticed, {broken:?}: {context}")
                };
                assert!(cause(failure, sentence), "{sentence}: {context}");
            }
            Err(error) => {
                failed += 1;
                assert!(cause(failure, &error.to_string()), "{error}: {context}");
                let broken = &disk.calls()[call];
                if broken.path.starts_with("journal/") {
                    let last = history.calls_at_the_last_answer;
                    assert!(last <= call, "told at call {last}, behind a failed {broken:?}: {context}");
                }
            }
        }

        // The process starts again, with or without the machine.
        if random.below(2) == 0 {
            history.process_is_killed(&disk);
        } else {
            history.power_goes(&disk, random.next());
        }
        history.check(&disk);
        history.live(&disk, LIFE / 2).unwrap();
        // What the failed sync had lost although it could still be read was written again by the start.
        history.power_goes(&disk, 0);
        history.check(&disk);
    }
    match turns {
        Turns::Taken => assert_eq!(failed + told, calls, "every call fails once, and is noticed"),
        // How many snapshots there are, and so how many calls, depends on what the threads come to.
        Turns::AsTheyCome => {
            assert!(failed >= calls / 3, "{failed} of {calls} lives ended by a failure, {told} went on");
        }
    }
    assert!(told >= 3, "{told} lives went on without a snapshot");
}

#[test]
fn a_full_disk() {
    fail_at_every_call(Failure::DiskFull, 8, Turns::Taken);
}

#[test]
fn a_call_that_fails() {
    fail_at_every_call(Failure::Io, 9, Turns::Taken);
}

#[test]
fn a_write_that_stops_half_way() {
    fail_at_every_call(Failure::ShortWrite, 10, Turns::AsTheyCome);
}
