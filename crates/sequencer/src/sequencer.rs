//! The sequencer thread: drains what has arrived, gives each command its place and its time, hands the batch to the writer,
//! applies it meanwhile, and lets the events out when the batch is durable. What partitions say to each other comes and goes here
//! too.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use codec::Coded;
use exchange::{Partition, Progress};
use journal::{Durable, FrameBuffer};
use model::{Command, Confirm, EventBatch, EventSeq, PartitionId, Seq, Sequenced, TimeNs};

use crate::egress::stamp;
use crate::ingress::{Arrivals, Queue, Stage, Woken};
use crate::keeper::{Job, Keeper, PARTITION_SECTION};
use crate::links::Links;
use crate::recovery::{Recovered, apply, begin, sentence};
use crate::snapshotter::{Request, Snapshotter, UnderWay};
use crate::stats::outcome_name;
use crate::writer::Writer;
use crate::{Companion, Egress, Lane, Reply, SequencerError, Session, Settings, Stopped, Submission};

/// No command is longer than this, encoded; the longest carries a sealed secret and a key.
const MAX_COMMAND_BYTES: usize = 4_096;
/// No envelope is longer than this, encoded.
const MAX_ENVELOPE_BYTES: usize = 65_536;
/// So many commands are applied in less time than it takes to wake the writer's thread and to be woken by it.
const AT_ONCE: usize = 4;
/// Released batches whose room is kept: about as many as wait for the keeper and for the subscribers while all is well.
const KEPT_BATCHES: usize = 8;
const KEEPER_GONE: SequencerError = SequencerError::ThreadGone { thread: "keeper" };
/// So many envelopes may have been taken by another partition without the outbox knowing, before a command tells it: mostly the
/// other's own envelopes do.
const CONFIRM_AFTER: u64 = 256;

/// A command whose answer is not complete.
struct Pending {
    command: &'static str,
    /// Who waits for it.
    reply_to: Option<(Arc<dyn Session>, u64)>,
    parts: Vec<(Arc<EventBatch>, usize)>,
}

/// What a command tells of how much another partition has taken.
fn told_by(other: PartitionId, command: &Command) -> Option<u64> {
    if let Command::Deliver(envelope) = command {
        (envelope.from == other).then_some(envelope.taken)
    } else if let Command::Confirm(Confirm { by, taken }) = command {
        (*by == other).then_some(*taken)
    } else {
        None
    }
}

/// One partition, with all that it needs.
pub(crate) struct Worker {
    own: PartitionId,
    links: Arc<Links>,
    /// By partition: the last envelope that was handed to it.
    sent: Vec<u64>,
    /// By partition: the last envelope that was durable there when this one last looked.
    marks: Vec<u64>,
    /// How far the answer to each of `inputs` is; empty where there is no other partition.
    progress: Vec<Progress>,
    /// Commands that wait for the rest of their answer from other partitions.
    pending: BTreeMap<Seq, Pending>,
    settings: Settings,
    last_snapshot: Arc<AtomicBool>,
    max_frame_bytes: usize,
    partition: Partition,
    /// Of the next event.
    event_seq: EventSeq,
    /// Batches that were released, the oldest first: their room is used again when nobody reads them any more.
    released: VecDeque<Arc<EventBatch>>,
    durable: Durable,
    /// Of the last snapshot that was begun.
    snapshot_seq: Seq,
    /// Of the one that was there at the start.
    kept_seq: Seq,
    companion: Option<Arc<dyn Companion>>,
    arrivals: Arrivals,
    queue: Arc<Queue>,
    egress: Egress,
    writer: Writer,
    keeper: Keeper,
    /// Until the end.
    snapshotter: Option<Snapshotter>,
    /// At home while no batch is with the writer.
    frame: Option<FrameBuffer>,
    /// Taken from the queue and not in a batch yet.
    waiting: VecDeque<Submission>,
    inputs: Vec<Sequenced<Command>>,
    /// Who waits for which of `inputs`.
    sessions: Vec<Option<(Arc<dyn Session>, u64)>>,
    /// Released events that the keeper does not have yet: the next batch goes to the writer first.
    unsent: Option<Arc<EventBatch>>,
}

impl Worker {
    pub(crate) fn new(
        lane: Lane,
        settings: Settings,
        queue: &Arc<Queue>,
        last_snapshot: &Arc<AtomicBool>,
        links: &Arc<Links>,
    ) -> Self {
        let Lane { recovered, egress, companion } = lane;
        let Recovered { partition, derive, journal, events, snapshots, storage, snapshot_seq, .. } =
            recovered;
        egress.start_at(partition.seq(), derive.event_seq);
        let max_frame_bytes = journal.max_frame_bytes();
        assert!(
            links.is_alone() || max_frame_bytes > MAX_ENVELOPE_BYTES + MAX_COMMAND_BYTES,
            "a journal segment holds the longest envelope"
        );
        let durable = journal.end();
        let event_seq = derive.event_seq.next();
        let keeper = Keeper::start(events, derive, snapshots, Arc::clone(queue), egress.clone());
        let snapshotter = Snapshotter::start(storage, companion.clone(), keeper.snapshots(), egress.clone());
        let sent: Vec<_> = links.everybody().map(|to| partition.last_said(to)).collect();
        Self {
            own: partition.own_id(),
            links: Arc::clone(links),
            marks: vec![0; sent.len()],
            sent,
            progress: Vec::new(),
            pending: BTreeMap::new(),
            settings,
            last_snapshot: Arc::clone(last_snapshot),
            max_frame_bytes,
            partition,
            event_seq,
            released: VecDeque::with_capacity(KEPT_BATCHES),
            durable,
            snapshot_seq,
            kept_seq: snapshot_seq,
            companion,
            arrivals: Arrivals::of(queue),
            queue: Arc::clone(queue),
            egress,
            writer: Writer::start(journal),
            keeper,
            snapshotter: Some(snapshotter),
            frame: Some(FrameBuffer::new()),
            waiting: VecDeque::new(),
            inputs: Vec::new(),
            sessions: Vec::new(),
            unsent: None,
        }
    }

    /// Hands every envelope to its receiver that has not taken it, as after a crash.
    pub(crate) fn say_again(&self) {
        for to in self.others() {
            let taken = self.links.taken(to, self.own);
            let envelopes: Vec<_> = self.partition.envelopes_to(to, taken).cloned().collect();
            self.links.send(to, envelopes);
        }
    }

    /// Tells how much waits for others.
    pub(crate) fn look_at_outboxes(&self) {
        if self.partition.is_alone() {
            return;
        }
        let waiting: Vec<_> = self.links.everybody().map(|to| self.partition.unconfirmed(to)).collect();
        let is_crowded = waiting.iter().any(|waiting| *waiting > self.settings.outbox_limit);
        self.links.set_crowded(self.own, is_crowded);
        self.egress.stats().outboxes(waiting);
    }

    fn others(&self) -> impl Iterator<Item = PartitionId> + use<> {
        let own = self.own;
        self.links.everybody().filter(move |other| *other != own)
    }

    /// Starts the thread.
    pub(crate) fn start(self) -> JoinHandle<Result<Stopped, SequencerError>> {
        let name = match self.own {
            PartitionId::FIRST => "sequencer".to_owned(),
            other => format!("sequencer-{other}"),
        };
        std::thread::Builder::new().name(name).spawn(move || self.run()).expect("threads can be made")
    }

    fn run(mut self) -> Result<Stopped, SequencerError> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.work()))
            .unwrap_or(Err(SequencerError::ThreadGone { thread: "sequencer" }));
        // Whatever happened, nobody waits for ever.
        if outcome.is_err() {
            self.links.fail(self.own);
        }
        self.queue.stop();
        self.waiting.append(&mut self.arrivals.take_rest());
        let pending = std::mem::take(&mut self.pending).into_values().map(|pending| pending.reply_to);
        let waiting = self.waiting.drain(..).map(|submission| submission.reply_to);
        for (session, token) in pending.chain(self.sessions.drain(..)).chain(waiting).flatten() {
            // It has printed its message. The others have to be told all the same.
            let _ = catch_unwind(AssertUnwindSafe(|| session.abandon(token)));
        }
        // What was released belongs to the event log. A keeper that is gone tells why below.
        let _ = self.send_events();
        self.egress.close();
        // The keeper ends behind it.
        let _ = self.snapshotter.take().map(|snapshotter| snapshotter.stop(UnderWay::GiveUp));
        let kept = self.keeper.stop();
        self.writer.stop();
        match (outcome, kept) {
            // The keeper's own error says more than that it is gone.
            (Ok(_) | Err(SequencerError::ThreadGone { thread: "keeper" }), Err(error)) => Err(error),
            (outcome, _) => outcome,
        }
    }

    fn work(&mut self) -> Result<Stopped, SequencerError> {
        let mut stage = Stage::Open;
        let often = CONFIRM_AFTER.min(u64::try_from(self.settings.outbox_limit).unwrap_or(u64::MAX));
        // Others may have taken more than the outboxes know, as they have at a start: look once more at what has come, then at
        // that.
        let mut was_nudged = true;
        loop {
            self.look_at_marks();
            let is_busy = was_nudged || self.partition.has_work() && stage == Stage::Open;
            let timeout = if is_busy { Duration::ZERO } else { self.settings.tick };
            let woken = self.collect(stage, timeout)?;
            if let Some(partition) = self.links.failed() {
                return Err(SequencerError::Stopped { partition });
            }
            match woken {
                Woken::Submissions => {
                    self.confirm(often);
                    self.batch()?;
                }
                Woken::Timeout if was_nudged => {
                    was_nudged = false;
                    self.confirm(often);
                    if !self.waiting.is_empty() {
                        self.batch()?;
                    }
                }
                Woken::Timeout if stage == Stage::Stopping => {}
                Woken::Timeout if is_busy => {
                    // Nothing else has come: what commands have left over goes on.
                    self.waiting.push_back(Submission { command: Command::Continue, reply_to: None });
                    self.batch()?;
                }
                Woken::Timeout => {
                    self.waiting.push_back(Submission { command: Command::Tick, reply_to: None });
                    self.look_at_marks();
                    self.confirm(1);
                    self.batch()?;
                }
                Woken::Nudge => {
                    if self.keeper.has_stopped() {
                        return Err(KEEPER_GONE);
                    }
                    was_nudged = true;
                }
                Woken::Stopped => stage = Stage::Stopping,
            }
            if stage == Stage::Stopping && self.waiting.is_empty() && self.links.is_over(self.own) {
                break;
            }
        }
        let wanted = self.last_snapshot.load(Ordering::Relaxed);
        let under_way = if wanted { UnderWay::GiveUp } else { UnderWay::Finish };
        let made = self.snapshotter.take().and_then(|snapshotter| snapshotter.stop(under_way));
        if wanted && self.partition.seq() > made.unwrap_or(self.kept_seq) {
            self.last_snapshot()?;
        }
        let events = self.position()?.events.recv().map_err(|_| KEEPER_GONE)?;
        Ok(Stopped {
            seq: self.partition.seq(),
            event_chain: events.chain,
            state_hash: self.partition.state_hash(),
        })
    }

    /// What there is to do next. The keeper gets its events as soon as nothing more urgent is there.
    fn collect(&mut self, stage: Stage, timeout: Duration) -> Result<Woken, SequencerError> {
        if !self.waiting.is_empty() {
            return Ok(Woken::Submissions);
        }
        if self.unsent.is_some() {
            let woken = self.take(stage, Duration::ZERO);
            if woken != Woken::Timeout {
                return Ok(woken);
            }
            self.send_events()?;
        }
        Ok(self.take(stage, timeout))
    }

    fn take(&mut self, stage: Stage, timeout: Duration) -> Woken {
        self.arrivals.take(&mut self.waiting, self.settings.batch_max_commands, timeout, stage)
    }

    /// Before looking at what has come: an envelope that brings the same mark came before the mark did.
    fn look_at_marks(&mut self) {
        for by in self.others() {
            self.marks[by.index()] = self.links.taken(by, self.own);
        }
    }

    /// Has the state forget what others have taken, where that is at least `many` envelopes more than it knows, or will know
    /// from what waits to be sequenced.
    fn confirm(&mut self, many: u64) {
        for by in self.others() {
            let unconfirmed = u64::try_from(self.partition.unconfirmed(by)).expect("fits");
            let (known, taken) = (self.partition.last_said(by) - unconfirmed, self.marks[by.index()]);
            if taken < known + many {
                continue;
            }
            let told = self.waiting.iter().rev().find_map(|waiting| told_by(by, &waiting.command));
            if taken >= told.unwrap_or_default() + many {
                let command = Command::Confirm(Confirm { by, taken });
                self.waiting.push_back(Submission { command, reply_to: None });
            }
        }
    }

    fn send_events(&mut self) -> Result<(), SequencerError> {
        self.unsent.take().map_or(Ok(()), |batch| self.keeper.send(Job::Events(batch)))
    }

    fn batch(&mut self) -> Result<(), SequencerError> {
        // Nothing is heard before it was said.
        let said_ns = self.waiting.iter().filter_map(|waiting| match &waiting.command {
            Command::Deliver(envelope) => Some(envelope.time_ns),
            _ => None,
        });
        let time_ns = said_ns.fold(self.partition.time_ns(), TimeNs::max);
        let time_ns = stamp(SystemTime::now(), time_ns);
        // Prices are taken every second, however much else there is.
        if self.partition.prices_are_due(time_ns) && self.waiting.len() < self.settings.batch_max_commands {
            self.waiting.push_back(Submission { command: Command::Tick, reply_to: None });
        }
        let frame = self.encode(time_ns);
        let written = if self.inputs.len() > AT_ONCE {
            self.writer.begin(frame)?;
            None
        } else {
            Some(self.writer.write(frame)?)
        };
        self.send_events()?;

        let mut shared = self.room();
        let batch = Arc::get_mut(&mut shared).expect("nobody has it but us");
        begin(batch, self.partition.seq().next(), self.event_seq, time_ns);
        batch.events.reserve(self.inputs.len().saturating_mul(4));
        self.progress.clear();
        let applied = apply(&mut self.partition, &self.inputs, batch, &mut self.progress);
        let batch = shared;
        // Also behind a command that cannot be applied: it is to be found in the journal.
        let (durable, frame, synced) = written.map_or_else(|| self.writer.wait(), Ok)?;
        (self.durable, self.frame) = (durable, Some(frame));
        applied?;
        if !self.partition.is_alone() {
            // The commands before there was another partition are answered by themselves.
            let before = self.inputs.len() - self.progress.len();
            self.progress.splice(..0, std::iter::repeat_n(Progress::default(), before));
        }

        // The gate: everything above is on the disk, so everything below may be known.
        let due = durable.seq().0 - self.snapshot_seq.0 >= self.settings.snapshot_every_commands
            && !self.keeper.has_snapshot();
        self.event_seq = batch.next_event_seq();
        // First of all what others will hear of it: whoever sees anything of the batch waits for that as well.
        for other in self.others() {
            self.links.say(self.own, other, self.partition.last_said(other));
        }
        self.egress.release(&batch);
        self.egress.stats().batch(&self.inputs, &self.progress, &batch, synced, self.keeper.event_bytes());
        self.unsent = Some(Arc::clone(&batch));
        self.keep_room(&batch);
        // First the other partitions, then the replies: whoever hears one finds that all it says afterwards comes behind this.
        self.speak();
        self.deliver(&batch)?;
        if due { self.begin_snapshot() } else { Ok(()) }
    }

    /// A batch that nobody else has, empty or not.
    fn room(&mut self) -> Arc<EventBatch> {
        let is_read = |batch: &mut Arc<EventBatch>| Arc::get_mut(batch).is_some();
        let place = self.released.iter_mut().position(is_read);
        place.and_then(|place| self.released.remove(place)).unwrap_or_default()
    }

    fn keep_room(&mut self, batch: &Arc<EventBatch>) {
        if self.released.len() < KEPT_BATCHES {
            self.released.push_back(Arc::clone(batch));
        }
    }

    /// Lets out what the batch had to say to other partitions, and tells them how far this one has heard.
    fn speak(&mut self) {
        if self.partition.is_alone() {
            return;
        }
        // Before anybody can take what is said here, and finds that nobody waits for that.
        self.look_at_outboxes();
        for other in self.others() {
            let sent = &mut self.sent[other.index()];
            let last = self.partition.last_said(other);
            if last > *sent {
                let envelopes = self.partition.envelopes_to(other, *sent).cloned().collect();
                self.links.send(other, envelopes);
                *sent = last;
            }
            self.links.mark(self.own, other, self.partition.last_taken(other));
        }
        self.links.nudge_crowded(self.own);
        let is_from_here = |input: &&Sequenced<Command>| matches!(&input.command, Command::Deliver(envelope) if self.links.has(envelope.from));
        let heard = self.inputs.iter().filter(is_from_here).count();
        self.links.done(u64::try_from(heard).expect("fits"));
    }

    /// Answers everybody who waits for a command of `batch`, or for whom a part of the answer is in it. A session that panics
    /// keeps the answer from nobody else.
    fn deliver(&mut self, batch: &Arc<EventBatch>) -> Result<(), SequencerError> {
        let mut outcome = Ok(());
        let mut tell = |session: &Arc<dyn Session>, token, reply: Reply| {
            let seq = reply.seq();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| session.deliver(token, reply))) {
                let told = std::mem::replace(&mut outcome, Ok(()));
                outcome = told.and(Err(SequencerError::SessionPanicked { seq, panic: sentence(&*payload) }));
            }
        };
        for (index, reply_to) in self.sessions.drain(..).enumerate() {
            let progress = self.progress.get(index).copied().unwrap_or_default();
            let input = &self.inputs[index];
            let part = || (Arc::clone(batch), index);
            if progress.more_to_come {
                let asked = progress.answers.expect("whoever has more to come knows for whom");
                if asked == input.seq {
                    let (command, parts) = (input.command.name(), vec![part()]);
                    self.pending.insert(asked, Pending { command, reply_to, parts });
                } else if let Some(pending) = self.pending.get_mut(&asked) {
                    pending.parts.push(part());
                }
            } else if let Some(pending) = progress.answers.and_then(|asked| self.pending.remove(&asked)) {
                let reply = Reply::new(self.own, Arc::clone(batch), index).after(pending.parts);
                self.egress.stats().answered(pending.command, outcome_name(reply.all()));
                if let Some((session, token)) = pending.reply_to {
                    tell(&session, token, reply);
                }
            } else if let Some((session, token)) = reply_to {
                tell(&session, token, Reply::new(self.own, Arc::clone(batch), index));
            }
        }
        outcome
    }

    /// Gives places to as many waiting commands as fit into a frame, and encodes them.
    fn encode(&mut self, time_ns: TimeNs) -> FrameBuffer {
        let mut frame = self.frame.take().expect("the writer gave the last frame back");
        let mut seq = self.partition.seq();
        frame.begin(seq.next(), time_ns);
        self.inputs.clear();
        let mut taken = 0;
        for submission in &self.waiting {
            let is_envelope = matches!(submission.command, Command::Deliver(_));
            let longest = if is_envelope { MAX_ENVELOPE_BYTES } else { MAX_COMMAND_BYTES };
            if taken > 0 && frame.frame_bytes() + longest > self.max_frame_bytes {
                break;
            }
            frame.push(|out| submission.command.encode(out));
            taken += 1;
        }
        for submission in self.waiting.drain(..taken) {
            seq = seq.next();
            self.inputs.push(Sequenced { seq, time_ns, command: submission.command });
            self.sessions.push(submission.reply_to);
        }
        frame
    }

    /// Has a snapshot made of what is released now, while everything goes on.
    fn begin_snapshot(&mut self) -> Result<(), SequencerError> {
        let begun = Instant::now();
        let request = self.position()?;
        self.snapshot_seq = request.journal.seq();
        self.keeper.begin_snapshot();
        self.egress.stats().snapshot_begun(begun.elapsed());
        let snapshotter = self.snapshotter.as_ref().expect("it is there until the end");
        snapshotter.begin(request)
    }

    /// Has the state written, when nothing more will change it.
    fn last_snapshot(&mut self) -> Result<(), SequencerError> {
        let begun = Instant::now();
        let Request { journal, events, time_ns } = self.position()?;
        let events = events.recv().map_err(|_| KEEPER_GONE)?;
        let mut sections = vec![(PARTITION_SECTION, self.partition.snapshot())];
        if let Some(companion) = &self.companion {
            sections.extend(companion.last(journal.seq()));
        }
        self.keeper.begin_snapshot();
        self.egress.stats().snapshot_begun(begun.elapsed());
        self.keeper.send(Job::Snapshot { journal, events, time_ns, sections })
    }

    /// Where everything stands. The keeper has all events of it.
    fn position(&mut self) -> Result<Request, SequencerError> {
        self.send_events()?;
        let events = self.keeper.position()?;
        Ok(Request { journal: self.durable, events, time_ns: self.partition.time_ns() })
    }
}
