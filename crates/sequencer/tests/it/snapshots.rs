//! Snapshots of a running exchange: with what others add to them, at exactly their command; never before the event log;
//! and what happens when one is damaged.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

use journal::faulty::{CallKind, FaultyStorage};
use model::{EventBatch, Seq};
use sequencer::{Egress, Recovered, Replay, SectionsAt, Settings, Subscription, recover};

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

/// What snapshots want of the follower, and what it has set aside for them.
#[derive(Default)]
struct Wanted {
    seqs: Vec<Seq>,
    states: BTreeMap<Seq, Vec<u8>>,
}

#[derive(Clone, Default)]
struct Requests {
    wanted: Arc<(Mutex<Wanted>, Condvar)>,
    /// At which commands sections were asked for.
    asked: Arc<Mutex<Vec<Seq>>>,
}

impl Requests {
    fn follow(self, mut count: Count, subscription: &Subscription) -> Count {
        while let Some(batches) = subscription.wait(PATIENCE) {
            for batch in batches {
                count.apply(&batch);
                let mut wanted = self.wanted.0.lock().unwrap();
                if wanted.seqs.contains(&count.seq) {
                    wanted.states.insert(count.seq, count.to_bytes());
                    self.wanted.1.notify_all();
                }
            }
        }
        count
    }

    /// Whoever asks for a section after its batch was released may find a follower that has gone on.
    fn sections_at(&self, egress: Egress) -> SectionsAt {
        let requests = self.clone();
        Box::new(move |seq| {
            assert!(egress.released_seq() < seq, "sections are asked for before the batch is released");
            requests.asked.lock().unwrap().push(seq);
            requests.wanted.0.lock().unwrap().seqs.push(seq);
            let requests = requests.clone();
            Box::new(move || {
                let wanted = requests.wanted.0.lock().unwrap();
                let there = |wanted: &mut Wanted| !wanted.states.contains_key(&seq);
                let (mut wanted, _) = requests.wanted.1.wait_timeout_while(wanted, PATIENCE, there).unwrap();
                vec![("count", wanted.states.remove(&seq).expect("the follower comes by"))]
            })
        })
    }
}

#[test]
fn sections_come_back_and_are_those_of_their_command() {
    let disk = FaultyStorage::new();
    let mut flow = Flow::new(6);
    let mut commands = preparation();
    for round in 0..4 {
        let mut count = Count::default();
        let recovered = recover(&disk.storage(), &files(), &mut count).unwrap();
        let story = Story::of(&disk.storage());
        let events = story.batches.iter().map(|batch| batch.events.len() as u64).sum();
        assert_eq!(count, Count { seq: story.end(), events }, "snapshot and replay are all there is");
        assert_eq!(recovered.partition().state_hash(), story.state_hash);
        if round > 0 {
            assert!(recovered.replayed() > 0 && recovered.replayed() < story.end().0, "both were used");
        }

        let egress = Egress::default();
        let requests = Requests::default();
        let subscription = egress.subscribe();
        let sections_at = requests.sections_at(egress.clone());
        let follower = std::thread::spawn({
            let requests = requests.clone();
            move || requests.follow(count, &subscription)
        });
        let settings = Settings { batch_max_commands: 4, snapshot_every_commands: 15, ..settings() };
        let sequencer = recovered.start(settings, egress, Some(sections_at));
        Client::new().ask_all(sequencer.ingress(), commands);
        let stopped = sequencer.abandon().unwrap();
        assert_eq!(follower.join().unwrap().seq, stopped.seq);

        let asked = requests.asked.lock().unwrap().clone();
        assert!(!asked.is_empty());
        assert!(asked.windows(2).all(|pair| pair[0] < pair[1]));
        commands = flow.take(70);
    }
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

/// A section that waits until it is let go.
fn waiting_sections() -> (SectionsAt, Receiver<Seq>, Sender<()>) {
    let (entered, was_entered) = channel();
    let (let_go, go_on) = channel::<()>();
    let go_on = Arc::new(Mutex::new(go_on));
    let sections: SectionsAt = Box::new(move |seq| {
        let (entered, go_on) = (entered.clone(), Arc::clone(&go_on));
        Box::new(move || {
            entered.send(seq).unwrap();
            go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            Vec::new()
        })
    });
    (sections, was_entered, let_go)
}

/// Each snapshot that waited held a copy of the whole state: a disk slower than the snapshots came due filled the memory.
#[test]
fn no_snapshot_is_begun_while_another_is_being_written() {
    let disk = FaultyStorage::new();
    let (sections, entered, let_go) = waiting_sections();
    let settings = Settings { batch_max_commands: 1, snapshot_every_commands: 1, ..settings() };
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), Some(sections));
    let client = Client::new();
    client.ask_all(sequencer.ingress(), vec![account("a")]);
    assert_eq!(entered.recv_timeout(PATIENCE), Ok(Seq(1)));
    Client::new().ask_all(sequencer.ingress(), Flow::new(9).take(20));
    sequencer.ingress().stop();
    let_go.send(()).unwrap();
    let_go.send(()).unwrap();
    assert_eq!(sequencer.join().unwrap().seq, Seq(21));
    assert_eq!(entered.try_iter().collect::<Vec<_>>(), [Seq(21)], "one at the end, with everything");
    assert_eq!(recovered(&disk.storage()).replayed(), 0);
}

/// The keeper waits for a section while events pile up behind it: clients are still answered, and nothing is stuck.
#[test]
fn a_slow_section_holds_up_the_files_and_nobody_else() {
    let disk = FaultyStorage::new();
    let (sections, entered, let_go) = waiting_sections();
    let settings = Settings { batch_max_commands: 1, snapshot_every_commands: 1, ..settings() };
    let sequencer = recovered(&disk.storage()).start(settings, Egress::default(), Some(sections));
    let client = Client::new();
    client.ask_all(sequencer.ingress(), (0..100).map(|number| account(&format!("{number}"))).collect());
    assert_eq!(entered.recv_timeout(PATIENCE), Ok(Seq(1)), "the first is still being written");
    let_go.send(()).unwrap();
    sequencer.abandon().unwrap();
    Story::of(&disk.storage()).assert_event_log(&disk.storage());
}
