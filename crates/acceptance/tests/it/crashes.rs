//! `kill -9`, again and again, at every kind of moment, under load, on a directory that grows through all its recoveries;
//! and everything that clients were told holds afterwards.
//!
//! What this cannot show: whether a batch is synced before it is acknowledged. A killed process leaves its writes to the
//! operating system, which finishes them, synced or not. That is tested on storage that drops unsynced writes, in the
//! journal's own tests.

pub mod base;
pub mod custody;
pub mod damage;
pub mod environment;
pub mod files;
pub mod money;
pub mod tail;
pub mod tally;
pub mod traders;
pub mod volume;
pub mod world;

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use crate::http::Connection;
use crate::program::{Addresses, Program, rialto, verify};
use crate::random::Random;
use tally::Tally;
use world::{Habits, World};

const TRADERS: usize = 6;
/// What a trader does in one round at the most.
const THINGS: u64 = 150;
/// Kills that a directory lives through.
const LIVES: u64 = 100;
/// How often somebody who waits for a moment looks whether it has come.
const LOOKS: u64 = 200_000;

/// When the exchange is ended.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Killed after so many answers.
    Answers(u64),
    /// Killed when, after so many answers, the journal's thread waits for the disk.
    Sync(u64),
    /// Killed when, after so many answers, a snapshot is being written.
    Snapshot(u64),
    /// Asked to stop after so many answers, and killed so much later.
    Stopping(u64, Duration),
    /// Asked to stop after so many answers, and let go in peace.
    Orderly(u64),
}

/// What kinds of kills there were.
#[derive(Debug, Default)]
struct Kills {
    all: u64,
    starting: u64,
    /// The journal's thread was waiting for the disk.
    syncing: u64,
    /// An unfinished snapshot was left behind.
    snapshot: u64,
    stopping: u64,
    orderly: u64,
}

/// Tells how to come back here, when something goes wrong.
struct Context(String);

impl Drop for Context {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let from_env = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let wanted = from_env("RIALTO_KILLS").unwrap_or(200);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let seed =
        from_env("RIALTO_SEED").unwrap_or_else(|| u64::try_from(clock % 1_000_000_007).expect("small"));
    println!("RIALTO_SEED={seed} RIALTO_KILLS={wanted}");

    let mut random = Random::new(seed);
    let mut kills = Kills::default();
    let (mut acknowledged, mut unknown, mut orders) = (0, 0, 0);
    while kills.all < wanted {
        let last = wanted.min(kills.all + LIVES);
        let first_habits = habits(&mut random);
        let (mut world, mut program, mut addresses) = World::new(&mut random, TRADERS, first_habits);
        world.check(&addresses);
        while kills.all < last {
            let moment = moment(&mut random);
            let _context = Context(format!("RIALTO_SEED={seed}, {moment:?}, {kills:?}"));
            let data = world.data.clone();
            world.load(&addresses, THINGS, |tally| {
                end(program, tally, moment, &data, &mut kills);
                acknowledged += tally.acknowledged();
            });
            (program, addresses) = start(&world, moment, &mut random, &mut kills);
            world.check(&addresses);
        }
        let _context = Context(format!("RIALTO_SEED={seed}, at the end, {kills:?}"));
        let beside = verify(&world.data).well();
        program.terminate().well();
        let after = verify(&world.data).well();
        for verified in [beside, after] {
            assert!(verified.stdout.contains("The journal, the event log and the snapshots agree."));
        }
        unknown += world.unknowns();
        orders += world.orders();
    }
    println!("{kills:?}: {acknowledged} acknowledged, {unknown} unknown, {orders} orders");
    if wanted >= 200 {
        assert!(
            kills.syncing >= wanted / 20 && kills.snapshot >= wanted / 40,
            "the moments are met: {kills:?}"
        );
    }
}

/// A start that was killed in between used to leave a demo with one account, no markets, or an empty file for the operator's
/// token, for ever.
#[test]
fn killed_in_its_first_moments_it_has_everything_or_begins_again() {
    let mut random = Random::new(31);
    let mut began = 0;
    for _ in 0..60 {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let demo = || {
            let free = ["demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"];
            let mut command = rialto(free);
            command.arg(&data);
            Program::spawn(command)
        };
        // Smallest steps of a file system, so that any of them may be the last.
        let steps = 1 + random.below(8);
        let program = demo();
        let seen = |data: &Path| {
            let files = ["", "journal", "events", "snapshots"]
                .map(|folder| fs::read_dir(data.join(folder)).map_or(0, |entries| entries.count() as u64));
            files.iter().sum::<u64>()
        };
        let _ = (0..LOOKS).any(|_| seen(&data) >= steps);
        let later = Duration::from_micros(random.below(3_000));
        began += u64::from(!dies_within(program, later));
        let (program, addresses) = demo().listening();
        assert_eq!(program.count_printed("    secret "), 2, "two accounts");
        let mut connection = Connection::open(&addresses.public).expect("it listens");
        let info = connection.ask("GET", "/api/v3/exchangeInfo", "", "").expect("it listens").good();
        assert_eq!(info["symbols"].as_array().expect("a list").len(), 3);
        program.terminate().well();
        verify(&data).well();
    }
    assert_eq!(began, 0, "none of them ended by itself");
}

/// It reads what is being written, at every moment of it, and never takes what is on its way for damage.
#[test]
fn verify_works_beside_an_exchange_at_work() {
    let busy = Habits { snapshot_every: 20, ..Habits::NO_SNAPSHOTS };
    let (mut world, program, addresses) = World::new(&mut Random::new(11), TRADERS, busy);
    let data = world.data.clone();
    let done = world.load(&addresses, 1_500, |tally| {
        let mut done = 0;
        while tally.is_running() {
            verify(&data).well();
            done += 1;
        }
        done
    });
    assert!(done >= 5, "several times");
    world.check(&addresses);
    program.terminate().well();
}

fn moment(random: &mut Random) -> Moment {
    let answers = random.below(300) + 1;
    match random.below(20) {
        0..7 => Moment::Answers(answers),
        7..12 => Moment::Sync(answers),
        12..16 => Moment::Snapshot(answers),
        16..19 => Moment::Stopping(answers, Duration::from_micros(random.below(20_000))),
        _ => Moment::Orderly(answers),
    }
}

fn habits(random: &mut Random) -> Habits {
    Habits {
        snapshot_every: *random.one(&[20, 100, 500, 1_000_000_000]),
        batch_max: *random.one(&[1, 2, 4_096]),
        ..Habits::NO_SNAPSHOTS
    }
}

/// Ends the exchange at its moment.
fn end(program: Program, tally: &Tally, moment: Moment, data: &Path, kills: &mut Kills) {
    let killed = |program: Program| {
        let ended = program.kill();
        assert!(ended.status.code().is_none() && ended.stderr.is_empty(), "{ended:?}");
    };
    let look_for = |come: &dyn Fn() -> bool| (0..LOOKS).any(|_| come() || !tally.is_running());
    match moment {
        Moment::Answers(answers) => {
            tally.wait_for(answers);
            killed(program);
        }
        Moment::Sync(answers) => {
            tally.wait_for(answers);
            let writers = threads_that_write(program.pid());
            let is_syncing = || writers.iter().any(|thread| waits_for_disk(thread));
            look_for(&is_syncing);
            kills.syncing += u64::from(is_syncing());
            killed(program);
        }
        Moment::Snapshot(answers) => {
            tally.wait_for(answers);
            look_for(&|| has_unfinished_snapshot(data));
            killed(program);
        }
        Moment::Stopping(answers, later) => {
            tally.wait_for(answers);
            program.signal("TERM");
            kills.stopping += u64::from(dies_within(program, later));
        }
        Moment::Orderly(answers) => {
            tally.wait_for(answers);
            let ended = program.terminate().well();
            assert!(ended.stdout.contains("Stopped at command"), "{ended:?}");
            assert!(ended.took < Duration::from_secs(5), "{ended:?}");
            kills.orderly += 1;
            return;
        }
    }
    kills.all += 1;
    kills.snapshot += u64::from(has_unfinished_snapshot(data));
}

/// Kills it after `later`, unless it has ended by then: true when it was killed.
fn dies_within(mut program: Program, later: Duration) -> bool {
    let ended = loop {
        match program.line(later) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => break program.wait(),
            Err(RecvTimeoutError::Timeout) => break program.kill(),
        }
    };
    assert!(ended.stderr.is_empty() && ended.status.code().is_none_or(|code| code == 0), "{ended:?}");
    ended.status.code().is_none()
}

/// Starts it again, with other habits; sometimes it is killed before it listens, more than once.
fn start(world: &World, before: Moment, random: &mut Random, kills: &mut Kills) -> (Program, Addresses) {
    let mut was_orderly = matches!(before, Moment::Orderly(_));
    world.set(habits(random));
    while random.below(4) == 0 {
        let later = Duration::from_micros(random.below(30_000));
        if dies_within(world.start(), later) {
            kills.all += 1;
            kills.starting += 1;
            was_orderly = false;
        }
    }
    if random.below(10) == 0 {
        verify(&world.data).well();
    }
    let (program, addresses) = world.start().listening();
    if was_orderly {
        assert_eq!(
            program.count_printed("Recovered"),
            0,
            "an orderly end leaves nothing to be applied again"
        );
    }
    (program, addresses)
}

/// Those that write the journal: a sequencer's thread writes small batches itself.
fn threads_that_write(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").filter_map(Result::ok);
    let paths = tasks.map(|task| task.path().to_string_lossy().into_owned());
    let writes = |path: &String| {
        let name = fs::read_to_string(format!("{path}/comm")).unwrap_or_default();
        name.starts_with("journal") || name.starts_with("sequencer")
    };
    let found: Vec<String> = paths.filter(writes).collect();
    assert!(found.len() >= 2, "{found:?}");
    found
}

/// Uninterruptible sleep, which for these threads is a sync.
fn waits_for_disk(thread: &str) -> bool {
    let stat = fs::read_to_string(format!("{thread}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('D'))
}

fn has_unfinished_snapshot(data: &Path) -> bool {
    let snapshots = fs::read_dir(data.join("snapshots")).expect("it is there");
    snapshots.filter_map(Result::ok).any(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"))
}
