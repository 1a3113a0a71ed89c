//! Snapshots of a running exchange: with what others add to them, at exactly their command; never before the event log;
//! and what happens when one is damaged.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use journal::SnapshotStore;
use journal::faulty::{CallKind, FaultyStorage};
use model::{EventBatch, Seq};
use sequencer::{Companion, CompanionCopy, Egress, Recovered, Replay, Sections, Settings, recover};

use crate::clients::{Client, PATIENCE, hand_in};
use crate::flow::{Flow, account, preparation};
use crate::memory::{files, recovered, settings};
use crate::story::Story;

/// A read model as others will have it: it follows the batches, and tells its state as it was at a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    seq: Seq,
    events: u64,
}

impl Count {
    fn apply(&mut self, batch: &EventBatch) {
        assert_eq!(batch.first_seq, self.seq.next(), "a follower is given every batch once, in order");
        self.seq = batch.last_seq();
        self.events += batch.events.len() as u64;
    }

    fn to_bytes(&self) -> Vec<u8> {
        [self.seq.0.to_le_bytes(), self.events.to_le_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        Self { seq: Seq(word(0)), events: word(8) }
    }
}

impl Replay for Count {
    fn snapshot(&mut self, seq: Seq, section: &dyn Fn(&str) -> Option<Vec<u8>>) {
        assert_eq!(*self, Self::default(), "a snapshot comes first, and once");
        *self = Self::from_bytes(&section("count").expect("the section that was added"));
        assert_eq!(self.seq, seq, "a section is that of its snapshot's command");
        assert_eq!(section("another"), None);
    }

    fn batch(&mut self, batch: &EventBatch) {
        self.apply(batch);
    }

    fn progress(&mut self, done: u64, total: u64) {
        assert!(done <= total);
    }
}

/// Puts a [`Count`] into each snapshot, and remembers at which commands.
#[derive(Default)]
struct Counting {
    made: Arc<Mutex<Vec<Count>>>,
}

struct CountCopy {
    count: Count,
    made: Arc<Mutex<Vec<Count>>>,
}

impl Companion for Counting {
    fn copy(&self) -> Box<dyn CompanionCopy> {
        Box::new(CountCopy { count: Count::default(), made: Arc::clone(&self.made) })
    }

    fn last(&self, seq: Seq) -> Sections {
        panic!("no exchange here stops with a snapshot, at command {seq}");
    }

    fn failed(&self, sentence: &str) {
        // Nobody asks the thread; the test finds that there are too few.
        eprintln!("{sentence}");
    }
}

impl Replay for CountCopy {
    fn snapshot(&mut self, seq: Seq, section: &dyn Fn(&str) -> Option<Vec<u8>>) {
        self.count.snapshot(seq, section);
    }

    fn batch(&mut self, batch: &EventBatch) {
        self.count.batch(batch);
    }

    fn progress(&mut self, done: u64, total: u64) {
        self.count.progress(done, total);
    }
}

impl CompanionCopy for CountCopy {
    fn sections(self: Box<Self>) -> Result<Sections, String> {
        self.made.lock().unwrap().push(self.count.clone());
        Ok(vec![("count", self.count.to_bytes())])
    }
}

#[test]
fn sections_come_back_and_are_those_of_their_command() {
    let disk = FaultyStorage::new();
    let mut flow = Flow::new(6);
    let mut commands = preparation();
    // Of the newest snapshot. Now and then one happens to be of the last command of all.
    let mut newest = Seq(0);
    let mut replayed = 0;
    for _ in 0..4 {
        let mut count = Count::default();
        let recovered = recover(&disk.storage(), &files(), &mut count).unwrap();
        let story = Story::of(&disk.storage());
        let events = story.batches.iter().map(|batch| batch.events.len() as u64).sum();
        assert_eq!(count, Count { seq: story.end(), events }, "snapshot and replay are all there is");
        assert_eq!(recovered.partition().state_hash(), story.state_hash);
        assert_eq!(
            recovered.replayed(),
            story.end().0 - newest.0,
            "what is behind the snapshot is applied again"
        );
        replayed += recovered.replayed();

        let counting = Arc::new(Counting::default());
        let made = Arc::clone(&counting.made);
        let settings = Settings { batch_max_commands: 4, snapshot_every_commands: 15, ..settings() };
        let sequencer = recovered.start(settings, Egress::default(), Some(counting));
        Client::new().ask_all(sequencer.ingress(), commands);
        sequencer.abandon().unwrap();

        let made = made.lock().unwrap().clone();
        assert!(!made.is_empty());
        assert!(made.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        let on_disk = SnapshotStore::new(&disk.storage(), 2).newest_valid().unwrap().snapshot.unwrap();
        assert_eq!(on_disk.section("count"), Some(made.last().unwrap().to_bytes().as_slice()));
        newest = made.last().unwrap().seq;
        let story = Story::of(&disk.storage());
        for count in made {
            let before = story.batches.iter().filter(|batch| batch.last_seq() <= count.seq);
            let events = before.map(|batch| batch.events.len() as u64).sum();
            assert_eq!(count, Count { seq: count.seq, events }, "exactly what was released until then");
        }
        commands = flow.take(70);
    }
    assert!(replayed > 0, "both were used");
}

/// Names of the snapshots' files, oldest first.
fn snapshots(disk: &FaultyStorage) -> Vec<String> {
    let mut paths = disk.paths();
    paths.retain(|path| path.starts_with("snapshots/"));
    paths
}

fn flip_a_bit(disk: &FaultyStorage, path: &str) {
    let mut bytes = disk.bytes(path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    disk.put(path, &bytes);
}

/// An exchange that has taken two snapshots and some commands more.
fn with_two_snapshots() -> (FaultyStorage, Story) {
    let disk = FaultyStorage::new();
    let settings = Settings { batch_max_commands: 4, ..settings() };
    let mut flow = Flow::new(7);
    let mut commands = preparation();
    for _ in 0..2 {
        let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), None);
        Client::new().ask_all(sequencer.ingress(), commands);
        sequencer.ingress().stop();
        sequencer.join().unwrap();
        commands = flow.take(50);
    }
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), None);
    Client::new().ask_all(sequencer.ingress(), commands);
    sequencer.abandon().unwrap();
    let story = Story::of(&disk.storage());
    assert_eq!(snapshots(&disk).len(), 2);
    (disk, story)
}

fn assert_tells(recovered: &Recovered, story: &Story) {
    assert_eq!(recovered.partition().state_hash(), story.state_hash);
    assert_eq!(recovered.event_chain(), story.event_chain);
    assert_eq!(recovered.partition().seq(), story.end());
}

#[test]
fn a_damaged_snapshot_is_passed_over_with_a_warning() {
    let (disk, story) = with_two_snapshots();
    let whole = recovered(&disk.storage());
    assert_eq!(whole.warnings(), [""; 0]);
    assert_eq!(whole.replayed(), 50);
    assert_tells(&whole, &story);
    drop(whole);

    let names = snapshots(&disk);
    flip_a_bit(&disk, &names[1]);
    let older = recovered(&disk.storage());
    let [warning] = older.warnings() else { panic!("one warning: {:?}", older.warnings()) };
    assert!(warning.contains(&names[1]) && warning.contains("damaged"), "{warning}");
    assert_eq!(older.replayed(), 100);
    assert_tells(&older, &story);
    drop(older);

    flip_a_bit(&disk, &names[0]);
    let none = recovered(&disk.storage());
    assert_eq!(none.warnings().len(), 2);
    assert_eq!(none.replayed(), story.end().0);
    assert_tells(&none, &story);
    story.assert_event_log(&disk.storage());

    // And it goes on from there.
    let sequencer = none.start(settings(), Egress::default(), None);
    hand_in(sequencer.ingress(), account("later")).unwrap();
    sequencer.ingress().stop();
    let stopped = sequencer.join().unwrap();
    let again = recovered(&disk.storage());
    assert_eq!((again.replayed(), again.partition().state_hash()), (0, stopped.state_hash));
}

/// A snapshot that outlives events before it could not be continued: they would be neither in the log nor derivable, once
/// the journal before the snapshot is gone.
#[test]
fn the_event_log_is_synced_before_a_snapshot_gets_its_name() {
    let disk = FaultyStorage::new();
    let settings = Settings { batch_max_commands: 3, snapshot_every_commands: 10, ..settings() };
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), None);
    let mut flow = Flow::new(8);
    for commands in std::iter::once(preparation()).chain((0..40).map(|_| flow.take(5))) {
        Client::new().ask_all(sequencer.ingress(), commands);
        // Otherwise they are all due while the first is made.
        while sequencer.egress().stats().counts().snapshots.under_way.is_some() {
            std::thread::yield_now();
        }
    }
    sequencer.ingress().stop();
    sequencer.join().unwrap();

    let mut unsynced = Vec::new();
    let mut named = 0;
    for call in disk.calls() {
        match call.what {
            CallKind::WriteAt if call.path.starts_with("events/") => unsynced.push(call.path),
            CallKind::Sync => unsynced.retain(|path| *path != call.path),
            CallKind::Rename if call.path.starts_with("snapshots/") => {
                assert_eq!(unsynced, [""; 0], "snapshot {}", call.path);
                named += 1;
            }
            _ => {}
        }
    }
    assert!(named >= 5, "{named} snapshots");
    assert!(disk.paths().iter().filter(|path| path.starts_with("events/")).count() > 1);
}

/// What [`Scripted`] does for each snapshot, first things first.
enum Turn {
    /// Tells at which command, then waits until it is let go.
    Waits,
    Fails,
    Panics,
}

/// Does what the script says; after its end, nothing. A snapshot at a clean stop is told, too.
struct Scripted {
    script: Arc<Mutex<Vec<Turn>>>,
    asked: Sender<Seq>,
    go_on: Arc<Mutex<Receiver<()>>>,
    failures: Sender<String>,
}

struct ScriptedCopy {
    turn: Option<Turn>,
    seq: Seq,
    asked: Sender<Seq>,
    go_on: Arc<Mutex<Receiver<()>>>,
}

/// The other ends of a [`Scripted`].
struct Director {
    asked: Receiver<Seq>,
    let_go: Sender<()>,
    failures: Receiver<String>,
}

fn scripted(mut script: Vec<Turn>) -> (Arc<Scripted>, Director) {
    script.reverse();
    let (asked, was_asked) = channel();
    let (let_go, go_on) = channel();
    let (failures, failed) = channel();
    let (script, go_on) = (Arc::new(Mutex::new(script)), Arc::new(Mutex::new(go_on)));
    (
        Arc::new(Scripted { script, asked, go_on, failures }),
        Director { asked: was_asked, let_go, failures: failed },
    )
}

impl Companion for Scripted {
    fn copy(&self) -> Box<dyn CompanionCopy> {
        let turn = self.script.lock().unwrap().pop();
        let (asked, go_on) = (self.asked.clone(), Arc::clone(&self.go_on));
        Box::new(ScriptedCopy { turn, seq: Seq(0), asked, go_on })
    }

    fn last(&self, seq: Seq) -> Sections {
        self.asked.send(seq).unwrap();
        Vec::new()
    }

    fn failed(&self, sentence: &str) {
        self.failures.send(sentence.to_owned()).unwrap();
    }
}

impl Replay for ScriptedCopy {
    fn snapshot(&mut self, seq: Seq, _: &dyn Fn(&str) -> Option<Vec<u8>>) {
        self.seq = seq;
    }

    fn batch(&mut self, batch: &EventBatch) {
        self.seq = batch.last_seq();
    }

    fn progress(&mut self, _: u64, _: u64) {}
}

impl CompanionCopy for ScriptedCopy {
    fn sections(self: Box<Self>) -> Result<Sections, String> {
        // Whoever does not ask any more has seen enough.
        let _ = self.asked.send(self.seq);
        match self.turn {
            None => Ok(Vec::new()),
            Some(Turn::Waits) => {
                self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                Ok(Vec::new())
            }
            Some(Turn::Fails) => Err("planted to fail".to_owned()),
            Some(Turn::Panics) => panic!("planted to break"),
        }
    }
}

/// Each snapshot that is under way has a copy of the whole state: a disk slower than the snapshots came due would fill the
/// memory.
#[test]
fn no_snapshot_is_begun_while_another_is_under_way() {
    let disk = FaultyStorage::new();
    let (companion, director) = scripted(vec![Turn::Waits]);
    let settings = Settings { batch_max_commands: 1, snapshot_every_commands: 1, ..settings() };
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), Some(companion));
    let client = Client::new();
    client.ask_all(sequencer.ingress(), vec![account("a")]);
    assert_eq!(director.asked.recv_timeout(PATIENCE), Ok(Seq(1)));
    Client::new().ask_all(sequencer.ingress(), Flow::new(9).take(20));
    sequencer.ingress().stop();
    director.let_go.send(()).unwrap();
    assert_eq!(sequencer.join().unwrap().seq, Seq(21));
    assert_eq!(director.asked.try_iter().collect::<Vec<_>>(), [Seq(21)], "one at the end, with everything");
    assert_eq!(recovered(&disk.storage()).replayed(), 0);
}

#[test]
fn a_slow_snapshot_holds_up_nobody() {
    let disk = FaultyStorage::new();
    let (companion, director) = scripted(vec![Turn::Waits]);
    let settings = Settings { batch_max_commands: 1, snapshot_every_commands: 1, ..settings() };
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), Some(companion));
    let client = Client::new();
    client.ask_all(sequencer.ingress(), (0..100).map(|number| account(&format!("{number}"))).collect());
    assert_eq!(director.asked.recv_timeout(PATIENCE), Ok(Seq(1)), "the first is still being made");
    let counts = sequencer.egress().stats().counts();
    assert!(counts.snapshots.under_way.is_some() && counts.snapshots.written == 0);
    // Not even the event log waits.
    while sequencer.egress().stats().counts().events_waiting_bytes > 0 {
        Client::new().ask_all(sequencer.ingress(), vec![model::Command::Tick]);
    }
    director.let_go.send(()).unwrap();
    sequencer.abandon().unwrap();
    Story::of(&disk.storage()).assert_event_log(&disk.storage());
    assert!(!snapshots(&disk).is_empty(), "what was under way is finished");
}

#[test]
fn a_snapshot_that_cannot_be_made_is_told_and_counted_and_tried_again() {
    crate::quiet_panics();
    let disk = FaultyStorage::new();
    let (companion, director) = scripted(vec![Turn::Fails, Turn::Panics]);
    let settings = Settings { batch_max_commands: 1, snapshot_every_commands: 1, ..settings() };
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), Some(companion));
    let mut seqs = Vec::new();
    for (name, words) in [("a", "planted to fail"), ("b", "a panic: planted to break")] {
        Client::new().ask_all(sequencer.ingress(), vec![account(name)]);
        seqs.push(director.asked.recv_timeout(PATIENCE).unwrap());
        let sentence = director.failures.recv_timeout(PATIENCE).unwrap();
        assert!(sentence.contains(words), "{sentence}");
        assert!(sentence.contains(&format!("command {} ", seqs.len())), "{sentence}");
    }
    assert_eq!(seqs, [Seq(1), Seq(2)]);
    assert_eq!(snapshots(&disk), [""; 0]);
    Client::new().ask_all(sequencer.ingress(), vec![account("c")]);
    assert_eq!(director.asked.recv_timeout(PATIENCE), Ok(Seq(3)));
    assert_eq!(sequencer.egress().stats().counts().snapshots.failed, 2);
    sequencer.abandon().unwrap();
    assert!(!snapshots(&disk).is_empty());
}

/// The snapshot of the last command of all was begun and failed; at the stop it was taken for made.
#[test]
fn a_clean_stop_leaves_a_snapshot_also_when_the_one_before_failed() {
    for turn in [Turn::Fails, Turn::Waits] {
        let disk = FaultyStorage::new();
        let (companion, director) = scripted(vec![turn]);
        let settings = Settings { snapshot_every_commands: 1, ..settings() };
        let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), Some(companion));
        Client::new().ask_all(sequencer.ingress(), vec![account("a")]);
        assert_eq!(director.asked.recv_timeout(PATIENCE), Ok(Seq(1)));
        sequencer.ingress().stop();
        // One that has failed waits for nobody: it may be gone already.
        let _ = director.let_go.send(());
        sequencer.join().unwrap();
        assert_eq!(snapshots(&disk).len(), 1);
        assert_eq!(recovered(&disk.storage()).replayed(), 0);
    }
}

/// What the copy is made of is not what was acknowledged: such a snapshot must not get between the journal and a start.
#[test]
fn a_snapshot_of_another_history_is_not_made() {
    let disk = FaultyStorage::new();
    let sequencer = recovered(&disk.storage()).start(settings(), Egress::default(), None);
    Client::new().ask_all(sequencer.ingress(), vec![account("a")]);
    sequencer.ingress().stop();
    sequencer.join().unwrap();

    let (companion, director) = scripted(Vec::new());
    let settings = Settings { snapshot_every_commands: 1, ..settings() };
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), Some(companion));
    // The snapshot and everything in it are gone under its hands.
    for path in snapshots(&disk) {
        disk.put(&path, b"nothing of it is left");
    }
    let journal = disk.paths().into_iter().find(|path| path.starts_with("journal/")).unwrap();
    let mut bytes = disk.bytes(&journal);
    let middle = bytes.windows(1).len().min(4_200);
    bytes[middle] ^= 1;
    disk.put(&journal, &bytes);
    Client::new().ask_all(sequencer.ingress(), vec![account("b")]);
    let sentence = director.failures.recv_timeout(PATIENCE).unwrap();
    assert!(sentence.contains("command 2 could not be made"), "{sentence}");
    sequencer.abandon().unwrap();
    assert_eq!(snapshots(&disk).len(), 1, "no other than the broken one");
}
