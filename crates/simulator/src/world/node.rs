//! One partition with its journal, as the sequencer drives it, and what a kill leaves of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use codec::{Coded, Reader};
use exchange::Partition;
use model::{Command, Envelope, Event, PartitionId, Seq, Sequenced, TimeNs};

/// Commands in one batch at the most.
const BATCH: usize = 6;

/// The answer to a command: places in the journal of a node, with their events. Whoever asks a node that is killed hears nothing.
#[derive(Clone, Debug)]
pub struct Told {
    pub node: PartitionId,
    pub parts: Vec<(Seq, Vec<Event>)>,
}

/// A batch as it is on the disk.
struct Batch {
    time_ns: TimeNs,
    first_seq: Seq,
    commands: Vec<Vec<u8>>,
}

/// The events of the commands that make up an answer.
type Parts = Vec<(Seq, Vec<Event>)>;

/// What leaves a node when a batch is durable.
pub struct Leaving {
    /// Envelopes, and to whom.
    pub said: Vec<(PartitionId, Arc<Envelope>)>,
    /// Answers, by the number of the question.
    pub told: Vec<(u32, Told)>,
}

pub struct Node {
    own: PartitionId,
    state: Partition,
    journal: Vec<Batch>,
    /// How many batches are synced.
    durable: usize,
    /// Some batch that is not synced is more than confirmations, and envelopes that were taken before.
    has_changed: bool,
    /// A state after so many batches, as bytes.
    snapshot: Option<(usize, Vec<u8>)>,
    inbox: VecDeque<(Command, Option<u32>)>,
    /// By partition: the last envelope that has left.
    sent: Vec<u64>,
    /// By partition: the last envelope from there that was taken in a durable batch.
    taken: Vec<u64>,
    /// Answers that are not complete, by the command that they are for.
    pending: BTreeMap<Seq, (u32, Parts)>,
    /// Answers that are complete and may leave when the last batch is durable.
    complete: Vec<(u32, Told)>,
    /// Questions that have to be answered: all but those that a kill has swallowed.
    waiting: BTreeSet<u32>,
    /// Where questions are in the journal.
    places: BTreeMap<u32, Seq>,
}

impl Node {
    pub fn new(own: PartitionId) -> Self {
        Self {
            own,
            state: Partition::default(),
            journal: Vec::new(),
            durable: 0,
            has_changed: false,
            snapshot: None,
            inbox: VecDeque::new(),
            sent: vec![0; usize::from(PartitionId::MAX_COUNT)],
            taken: vec![0; usize::from(PartitionId::MAX_COUNT)],
            pending: BTreeMap::new(),
            complete: Vec::new(),
            waiting: BTreeSet::new(),
            places: BTreeMap::new(),
        }
    }

    pub const fn state(&self) -> &Partition {
        &self.state
    }

    /// Hands in a command, and the number under which its answer is awaited.
    pub fn ask(&mut self, command: Command, number: Option<u32>) {
        self.waiting.extend(number);
        self.inbox.push_back((command, number));
    }

    /// Hands in what another node says: before everything else.
    pub fn hear(&mut self, envelope: Arc<Envelope>) {
        self.inbox.push_front((Command::Deliver(envelope), None));
    }

    pub fn has_work(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// True when every question is sequenced, and everything that has changed something is durable.
    pub fn is_done(&self) -> bool {
        !self.has_changed && self.inbox.iter().all(|(_, number)| number.is_none())
    }

    /// Whether this command was handed in and is not sequenced yet.
    pub fn is_asked(&self, command: &Command) -> bool {
        self.inbox.iter().any(|(asked, _)| asked == command)
    }

    /// Questions that are not answered and still have to be.
    pub const fn waiting(&self) -> &BTreeSet<u32> {
        &self.waiting
    }

    /// Where a question is in the journal; nowhere when a kill has swallowed it.
    pub fn place(&self, number: u32) -> Option<Seq> {
        self.places.get(&number).copied()
    }

    /// Sequences, applies and writes one batch.
    pub fn work(&mut self, clock_ns: TimeNs) {
        let taken: Vec<_> = self.inbox.drain(..self.inbox.len().min(BATCH)).collect();
        if taken.is_empty() {
            return;
        }
        let said_ns = taken.iter().filter_map(|(command, _)| match command {
            Command::Deliver(envelope) => Some(envelope.time_ns),
            _ => None,
        });
        let time_ns = said_ns.fold(self.state.time_ns().max(clock_ns), TimeNs::max);
        let mut batch = Batch { time_ns, first_seq: self.state.seq().next(), commands: Vec::new() };
        for (command, number) in taken {
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            batch.commands.push(bytes);
            let is_delivery = matches!(command, Command::Deliver(_));
            self.has_changed |= match &command {
                Command::Deliver(envelope) => envelope.number > self.state.last_taken(envelope.from),
                Command::Confirm(_) => false,
                _ => true,
            };
            let seq = self.state.seq().next();
            self.places.extend(number.map(|number| (number, seq)));
            let mut events = Vec::new();
            self.state.apply(&Sequenced { seq, time_ns, command }, &mut events);
            self.answer(seq, number, is_delivery, events);
        }
        self.journal.push(batch);
    }

    fn answer(&mut self, seq: Seq, number: Option<u32>, is_delivery: bool, events: Vec<Event>) {
        let progress = self.state.progress();
        let node = self.own;
        match (number, progress.answers) {
            (Some(number), _) if progress.more_to_come => {
                self.pending.insert(seq, (number, vec![(seq, events)]));
            }
            (Some(number), _) => {
                self.complete.push((number, Told { node, parts: vec![(seq, events)] }));
            }
            (None, Some(asked)) if is_delivery => {
                if let Some((_, parts)) = self.pending.get_mut(&asked) {
                    parts.push((seq, events));
                }
                if !progress.more_to_come
                    && let Some((number, parts)) = self.pending.remove(&asked)
                {
                    self.complete.push((number, Told { node, parts }));
                }
            }
            (None, _) => {}
        }
    }

    /// Everything that was written is durable; what may leave with that.
    pub fn sync(&mut self) -> Leaving {
        self.durable = self.journal.len();
        self.has_changed = false;
        let mut said = Vec::new();
        for to in (0..PartitionId::MAX_COUNT).map(PartitionId).filter(|to| *to != self.own) {
            let sent = &mut self.sent[to.index()];
            said.extend(self.state.envelopes_to(to, *sent).map(|envelope| (to, envelope.clone())));
            *sent = self.state.last_said(to);
            self.taken[to.index()] = self.state.last_taken(to);
        }
        for (number, _) in &self.complete {
            self.waiting.remove(number);
        }
        Leaving { said, told: std::mem::take(&mut self.complete) }
    }

    /// What has left already and may not have been taken.
    pub fn said_before(&self, to: PartitionId) -> Vec<Arc<Envelope>> {
        let sent = self.sent[to.index()];
        self.state.envelopes_to(to, 0).filter(|envelope| envelope.number <= sent).cloned().collect()
    }

    /// The last envelope of another node that a durable batch has taken.
    pub fn durably_taken(&self, from: PartitionId) -> u64 {
        self.taken[from.index()]
    }

    /// How many envelopes it has taken.
    pub fn heard(&self) -> u64 {
        (0..PartitionId::MAX_COUNT).map(|from| self.state.last_taken(PartitionId(from))).sum()
    }

    /// Takes a snapshot of what is durable, if that is all there is.
    pub fn take_snapshot(&mut self) {
        if self.durable == self.journal.len() {
            self.snapshot = Some((self.durable, self.state.snapshot()));
        }
    }

    /// The power goes, and comes back. `luck` says how much of what was not synced is there all the same. Everybody who waits
    /// hears that nobody knows.
    pub fn kill(&mut self, luck: u64) {
        let unsynced = u64::try_from(self.journal.len() - self.durable).expect("fits");
        let kept = self.durable + usize::try_from(luck % (unsynced + 1)).expect("fits");
        self.journal.truncate(kept);
        self.durable = kept;
        self.has_changed = false;
        self.inbox.clear();
        self.complete.clear();
        self.pending.clear();
        self.waiting.clear();
        let (from, state) = match &self.snapshot {
            Some((batches, bytes)) => (*batches, Partition::restore(bytes).expect("a snapshot can be read")),
            None => (0, Partition::default()),
        };
        self.state = state;
        let mut state = std::mem::take(&mut self.state);
        apply(&mut state, &self.journal[from..], &mut |_, _| {});
        self.state = state;
        let last = self.state.seq();
        self.places.retain(|_, seq| *seq <= last);
        // All of it is on the disk, so all of it may be said.
        for to in (0..PartitionId::MAX_COUNT).map(PartitionId) {
            self.sent[to.index()] = self.state.last_said(to);
            self.taken[to.index()] = self.state.last_taken(to);
        }
    }

    /// The state and the events that the journal leads to from its first command.
    pub fn applied_again(&self) -> (Partition, BTreeMap<Seq, Vec<Event>>) {
        let (mut state, mut all) = (Partition::default(), BTreeMap::new());
        apply(&mut state, &self.journal, &mut |seq, events| {
            all.insert(seq, events);
        });
        (state, all)
    }
}

fn apply(state: &mut Partition, batches: &[Batch], each: &mut dyn FnMut(Seq, Vec<Event>)) {
    for batch in batches {
        assert_eq!(batch.first_seq, state.seq().next(), "batches follow each other");
        for bytes in &batch.commands {
            let mut input = Reader::new(bytes);
            let command = Command::decode(&mut input).expect("what was written can be read");
            input.finish().expect("all of it is read");
            let seq = state.seq().next();
            let mut events = Vec::new();
            state.apply(&Sequenced { seq, time_ns: batch.time_ns, command }, &mut events);
            each(seq, events);
        }
    }
}
