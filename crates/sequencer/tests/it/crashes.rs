//! The power goes at every single call to the storage, and what was not synced survives or not as the seed wants. What was
//! acknowledged before is there after the next start, at its place, with the same events; nothing is there twice; no reader
//! finds other events than it has read. Then it goes on, and the power goes again, also during the start.

use journal::faulty::FaultyStorage;

use crate::flow::Random;
use crate::history::{History, LIFE, Turns};

/// Prints where a failing case stands.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was {}", self.0);
        }
    }
}

/// How many calls a life makes that nobody disturbs.
fn calls_of_a_life(seed: u64, turns: Turns) -> usize {
    let disk = FaultyStorage::new();
    let mut history = History::new(seed, turns);
    history.live(&disk, LIFE).unwrap();
    let files = |folder: &str| disk.paths().iter().filter(|path| path.starts_with(folder)).count();
    assert!(files("journal/") >= 2, "the journal changes to another segment");
    assert_eq!(files("snapshots/"), 2, "older snapshots are removed");
    disk.call_count()
}

fn crash_at_every_call(seed: u64, turns: Turns) {
    let calls = calls_of_a_life(seed, turns);
    let mut interrupted = [0; 2];
    for call in 0..calls + 10 {
        let _case = Case(format!("call {call} of {calls}, seed {seed}"));
        let mut random = Random::new(seed.wrapping_mul(1_000_003) + call as u64);
        let disk = FaultyStorage::new();
        let mut history = History::new(seed, turns);

        disk.power_off_at_call(call);
        let lived = history.live(&disk, LIFE);
        // A snapshot that was being made when the power went is nobody's end; it was the last to touch the disk then.
        let went = disk.is_off();
        assert!(went || lived.is_ok(), "nothing but the crash ends a life: {lived:?}");
        interrupted[0] += usize::from(went);
        history.power_goes(&disk, seed);
        // Sometimes at the next start, sometimes later in that life.
        let within = [10, 30, calls][random.index(3)];
        disk.power_off_at_call(disk.call_count() + random.index(within));
        interrupted[1] += usize::from(history.live(&disk, LIFE).is_err());
        history.power_goes(&disk, random.next());
        history.check(&disk);

        history.live(&disk, LIFE / 2).unwrap();
        history.power_goes(&disk, 0);
        history.check(&disk);
    }
    match turns {
        Turns::Taken => assert_eq!(interrupted[0], calls, "the power goes at every call"),
        // A life may have some calls more, or fewer: a snapshot that is still being made puts the next one off, which is some
        // twenty calls less.
        Turns::AsTheyCome => {
            assert!(interrupted[0] >= calls * 3 / 4, "{interrupted:?} of {calls} lives saw the power go");
        }
    }
    assert!(interrupted[1] >= calls / 2, "{interrupted:?} of {calls} lives ended by the second crash");
}

#[test]
fn nothing_unsynced_survives() {
    crash_at_every_call(4, Turns::Taken);
}

#[test]
fn everything_unsynced_survives() {
    crash_at_every_call(5, Turns::Taken);
}

#[test]
fn anything_unsynced_survives() {
    crash_at_every_call(6, Turns::Taken);
}

#[test]
fn anything_else_unsynced_survives() {
    crash_at_every_call(7, Turns::AsTheyCome);
}
