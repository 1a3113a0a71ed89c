//! One exchange over many lives on one disk, and everything that anybody outside has ever heard of it: answers, released
//! batches, events read from the files. After each crash all of that has to be true still.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use codec::Coded;
use journal::faulty::FaultyStorage;
use model::{Command, EventBatch, Seq};
use sequencer::{
    Companion, CompanionCopy, Egress, Replay, Reply, Sections, Sequencer, SequencerError, Session, Settings,
    Stopped, Submission, recover,
};

use crate::clients::{Client, Heard, PATIENCE};
use crate::flow::{Flow, Random, preparation};
use crate::memory::{ends_by_itself, files, settings};
use crate::story::{Story, readable};

/// Commands in one life.
pub const LIFE: usize = 50;
/// Commands that are handed in together, at the most: few are written by the sequencer itself, more by the writer thread.
const WAVE: usize = 6;
/// Commands from one snapshot to the next.
const EVERY: u64 = 12;

/// Whether commands wait for a snapshot that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// They do: a life makes the same calls to the storage, as many, whenever it is lived again.
    Taken,
    /// They do not, as in earnest.
    AsTheyCome,
}

pub struct History {
    turns: Turns,
    flow: Flow,
    random: Random,
    /// Everything that was ever handed in. A command's place here is its name.
    asked: Vec<Command>,
    /// What the clients wrote down.
    heard: BTreeMap<u64, Heard>,
    /// What a subscriber has seen.
    released: BTreeMap<Seq, EventBatch>,
    /// What a reader of the event log has read.
    read: Vec<EventBatch>,
    /// The last start has mended what the crash before it had left.
    started: bool,
    /// How many calls the storage had seen when somebody was answered last.
    pub calls_at_the_last_answer: usize,
    /// What the operator was told in the last life.
    failed_snapshots: Arc<Mutex<Vec<String>>>,
}

/// Has a section of its own, the last command, in every snapshot, and writes down what the operator is told.
struct Told(Arc<Mutex<Vec<String>>>);

struct LastSeq(Seq);

impl Companion for Told {
    fn copy(&self) -> Box<dyn CompanionCopy> {
        Box::new(LastSeq(Seq(0)))
    }

    fn last(&self, seq: Seq) -> Sections {
        vec![("seq", seq.0.to_le_bytes().to_vec())]
    }

    fn failed(&self, sentence: &str) {
        self.0.lock().unwrap().push(sentence.to_owned());
    }
}

impl Replay for LastSeq {
    fn snapshot(&mut self, seq: Seq, section: &dyn Fn(&str) -> Option<Vec<u8>>) {
        assert_eq!(section("seq"), Some(seq.0.to_le_bytes().to_vec()), "a section is that of its command");
        self.0 = seq;
    }

    fn batch(&mut self, batch: &EventBatch) {
        assert_eq!(batch.first_seq, self.0.next(), "every batch comes once, in order");
        self.0 = batch.last_seq();
    }

    fn progress(&mut self, _: u64, _: u64) {}
}

impl CompanionCopy for LastSeq {
    fn sections(self: Box<Self>) -> Result<Sections, String> {
        Ok(vec![("seq", self.0.0.to_le_bytes().to_vec())])
    }
}

/// Passes on what a client hears, and looks at the storage's clock.
struct Watched {
    client: Arc<Client>,
    disk: FaultyStorage,
    calls: Arc<AtomicUsize>,
}

impl Session for Watched {
    fn deliver(&self, token: u64, reply: Reply) {
        self.calls.store(self.disk.call_count(), Ordering::Relaxed);
        self.client.deliver(token, reply);
    }

    fn abandon(&self, token: u64) {
        self.client.abandon(token);
    }
}

/// Waits until so many snapshots are written, or could not be made, or the exchange has stopped.
fn wait_for_snapshots(sequencer: &Sequencer, count: u64) {
    let begun = Instant::now();
    loop {
        let snapshots = sequencer.egress().stats().counts().snapshots;
        if snapshots.written + snapshots.failed >= count || sequencer.has_stopped() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "a snapshot that was due is made");
        std::thread::yield_now();
    }
}

impl History {
    pub fn new(seed: u64, turns: Turns) -> Self {
        Self {
            turns,
            flow: Flow::with_secrets(seed),
            random: Random::new(!seed),
            asked: Vec::new(),
            heard: BTreeMap::new(),
            released: BTreeMap::new(),
            read: Vec::new(),
            started: true,
            calls_at_the_last_answer: 0,
            failed_snapshots: Arc::default(),
        }
    }

    /// What the operator was told of snapshots that could not be made in the last life.
    pub fn failed_snapshots(&self) -> Vec<String> {
        self.failed_snapshots.lock().unwrap().clone()
    }

    /// Starts, hands in `count` commands by three clients, a few at a time, and stops, mostly with a snapshot. The error is
    /// that of the start or of the end.
    pub fn live(&mut self, disk: &FaultyStorage, count: usize) -> Result<Stopped, SequencerError> {
        self.started = false;
        let recovered = recover(&disk.storage(), &files(), &mut ())?;
        self.started = true;
        let egress = Egress::default();
        let subscription = egress.subscribe();
        // With turns, what is handed in together is one batch.
        let batch_max_commands = if self.turns == Turns::Taken { WAVE } else { WAVE - 1 };
        let settings = Settings { batch_max_commands, snapshot_every_commands: EVERY, ..settings() };
        let mut snapshot_seq = recovered.partition().seq().0 - recovered.replayed();
        let mut snapshots = 0;
        self.failed_snapshots.lock().unwrap().clear();
        let told = Arc::new(Told(Arc::clone(&self.failed_snapshots)));
        let sequencer = recovered.start(settings, egress, Some(told));

        let clients = [Client::new(), Client::new(), Client::new()];
        let calls = Arc::new(AtomicUsize::new(0));
        let sessions = clients.each_ref().map(|client| -> Arc<dyn Session> {
            let (client, calls) = (Arc::clone(client), Arc::clone(&calls));
            Arc::new(Watched { client, disk: disk.clone(), calls })
        });
        let mut expected = [0; 3];
        let mut left = count;
        while left > 0 {
            let mut wave = Vec::new();
            for _ in 0..(1 + self.random.index(WAVE)).min(left) {
                let client = self.random.index(3);
                let (token, command) = self.ask();
                let reply_to = Some((Arc::clone(&sessions[client]), token));
                wave.push(Submission { command, reply_to });
                expected[client] += 1;
                left -= 1;
            }
            if sequencer.ingress().submit_batch(&mut wave).is_err() {
                break;
            }
            for (client, expected) in clients.iter().zip(expected) {
                client.wait_for(expected);
            }
            if clients.iter().any(|client| client.heard().values().any(|heard| *heard == Heard::Abandoned)) {
                break;
            }
            let seq = sequencer.egress().released_seq().0;
            if self.turns == Turns::Taken && seq - snapshot_seq >= EVERY {
                (snapshot_seq, snapshots) = (seq, snapshots + 1);
                wait_for_snapshots(&sequencer, snapshots);
            }
        }
        let ended = if self.random.below(4) == 0 {
            sequencer.abandon()
        } else {
            sequencer.ingress().stop();
            ends_by_itself(sequencer)
        };
        self.calls_at_the_last_answer = calls.load(Ordering::Relaxed);
        for client in clients {
            for (token, heard) in client.heard() {
                assert_eq!(self.heard.insert(token, heard), None);
            }
        }
        while let Some(batches) = subscription.wait(PATIENCE) {
            for batch in batches {
                let batch = Arc::unwrap_or_clone(batch);
                assert_eq!(self.released.insert(batch.first_seq, batch), None, "a batch is released once");
            }
        }
        ended
    }

    /// The next command, and its name.
    fn ask(&mut self) -> (u64, Command) {
        let token = self.asked.len();
        let preparation = preparation();
        let command = preparation.get(token).cloned().unwrap_or_else(|| self.flow.next());
        self.asked.push(command.clone());
        (token as u64, command)
    }

    /// The power goes, with a reader of the event log at the furthest place that it can have reached.
    pub fn power_goes(&mut self, disk: &FaultyStorage, seed: u64) {
        self.read(disk);
        disk.crash(seed);
    }

    /// The process is killed, with a reader as above; what was written is still to be seen.
    pub fn process_is_killed(&mut self, disk: &FaultyStorage) {
        self.read(disk);
        disk.restart();
    }

    /// From a copy, as the disk answers no more when it is off.
    fn read(&mut self, disk: &FaultyStorage) {
        let copy = FaultyStorage::new();
        for path in disk.paths().iter().filter(|path| path.starts_with("events/")) {
            copy.put(path, &disk.bytes(path));
        }
        let (read, ended) = readable(&copy.storage());
        // Until the next start, a crash leaves anything behind what was synced; a reader that comes then is told so.
        assert!(ended.is_ok() || !self.started, "{ended:?}");
        // The file may have been cut since; who was further waits.
        let both = read.len().min(self.read.len());
        assert_eq!(read[..both], self.read[..both], "a reader finds other events than it has read");
        if read.len() > both {
            self.read = read;
        }
    }

    /// Starts on a disk that is well again, and compares everything with everything.
    pub fn check(&mut self, disk: &FaultyStorage) {
        let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
        let story = Story::of(&disk.storage());
        assert_eq!(recovered.partition().seq(), story.end());
        assert_eq!(recovered.partition().state_hash(), story.state_hash);
        assert_eq!(recovered.event_chain(), story.event_chain);
        story.assert_event_log(&disk.storage());
        drop(recovered);

        // Commands are told apart by their bytes.
        let bytes = |command: &Command| {
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            bytes
        };
        let mut names: BTreeMap<Vec<u8>, u64> = self.asked.iter().map(bytes).zip(0..).collect();
        assert_eq!(names.len(), self.asked.len(), "no two commands are the same");
        let mut events = BTreeMap::new();
        for batch in &story.batches {
            for (seq, there) in batch.by_command() {
                events.insert(seq, Heard::Done { seq, time_ns: batch.time_ns, events: there.to_vec() });
            }
        }
        let mut places = BTreeMap::new();
        for input in &story.commands {
            let name = names.remove(&bytes(&input.command));
            places.insert(name.expect("each was handed in, and is done once"), input.seq);
        }
        for (token, heard) in &self.heard {
            let Heard::Done { seq, .. } = heard else { continue };
            assert_eq!(places.get(token), Some(seq), "an acknowledged command is at its place");
            assert_eq!(
                events.get(seq),
                Some(heard),
                "an acknowledged command caused what its owner was told"
            );
        }
        let batches: BTreeMap<Seq, &EventBatch> =
            story.batches.iter().map(|batch| (batch.first_seq, batch)).collect();
        for (seq, batch) in &self.released {
            assert_eq!(batches.get(seq), Some(&batch), "what a subscriber has seen is in the journal");
        }
        assert!(story.batches.starts_with(&self.read), "what was read from the event log is what comes now");
    }
}
