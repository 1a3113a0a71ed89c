//! The sequencer thread: drains what has arrived, gives each command its place and its time, hands the batch to the writer,
//! applies it meanwhile, and lets the events out when the batch is durable.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use codec::Coded;
use exchange::Partition;
use journal::{Durable, EventFrame, EventPosition, FrameBuffer};
use model::{Command, EventBatch, Seq, Sequenced, TimeNs};

use crate::egress::stamp;
use crate::ingress::{Arrivals, Woken, queue};
use crate::keeper::{Job, Keeper, PARTITION_SECTION};
use crate::recovery::{Derive, Recovered, apply, begin, sentence};
use crate::snapshotter::{Request, Snapshotter, UnderWay};
use crate::writer::Writer;
use crate::{Companion, Egress, Ingress, Reply, SequencerError, Session, Settings, Submission};

/// The running sequencer.
pub struct Sequencer {
    ingress: Ingress,
    egress: Egress,
    /// Whether the end of the thread takes a snapshot.
    last_snapshot: Arc<AtomicBool>,
    thread: JoinHandle<Result<Stopped, SequencerError>>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The last command.
    pub seq: Seq,
    /// The hash over all events.
    pub event_chain: [u8; 32],
    /// The hash over the state.
    pub state_hash: [u8; 32],
}

impl Sequencer {
    pub(crate) fn start(
        recovered: Recovered,
        settings: Settings,
        egress: Egress,
        companion: Option<Arc<dyn Companion>>,
    ) -> Self {
        settings.assert_in_range();
        let (ingress, arrivals) = queue(settings.ingress_limit);
        let Recovered { partition, derive, journal, events, snapshots, storage, snapshot_seq, .. } =
            recovered;
        egress.start_at(partition.seq());
        let max_frame_bytes = journal.max_frame_bytes();
        let durable = journal.end();
        let last_snapshot = Arc::new(AtomicBool::new(true));
        let keeper = Keeper::start(events, snapshots, ingress.clone(), egress.clone());
        let snapshotter = Snapshotter::start(storage, companion.clone(), keeper.snapshots(), egress.clone());
        let worker = Worker {
            settings,
            last_snapshot: Arc::clone(&last_snapshot),
            max_frame_bytes,
            partition,
            derive,
            durable,
            snapshot_seq,
            kept_seq: snapshot_seq,
            companion,
            arrivals,
            ingress: ingress.clone(),
            egress: egress.clone(),
            writer: Writer::start(journal),
            keeper,
            snapshotter: Some(snapshotter),
            frame: Some(FrameBuffer::new()),
            waiting: VecDeque::new(),
            inputs: Vec::new(),
            sessions: Vec::new(),
            unsent: None,
        };
        let thread = std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || worker.run())
            .expect("threads can be made");
        Self { ingress, egress, last_snapshot, thread }
    }

    /// The way in.
    pub fn ingress(&self) -> &Ingress {
        &self.ingress
    }

    /// The way out.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Ends as [`Self::join`] does after [`Ingress::stop`], but leaves no snapshot: the next start applies everything
    /// since the last one again.
    pub fn abandon(self) -> Result<Stopped, SequencerError> {
        self.last_snapshot.store(false, Ordering::Relaxed);
        self.ingress.stop();
        self.join()
    }

    /// True once it has ended, by itself or by [`Ingress::stop`].
    pub fn has_stopped(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end: after [`Ingress::stop`], when all that was taken is durable, answered, and in a snapshot; or
    /// when something failed.
    pub fn join(self) -> Result<Stopped, SequencerError> {
        self.thread.join().unwrap_or(Err(SequencerError::ThreadGone { thread: "sequencer" }))
    }
}

/// No command is longer than this, encoded; the longest carries a sealed secret and a key.
const MAX_COMMAND_BYTES: usize = 4_096;

struct Worker {
    settings: Settings,
    last_snapshot: Arc<AtomicBool>,
    max_frame_bytes: usize,
    partition: Partition,
    derive: Derive,
    durable: Durable,
    /// Of the last snapshot that was begun.
    snapshot_seq: Seq,
    /// Of the one that was there at the start.
    kept_seq: Seq,
    companion: Option<Arc<dyn Companion>>,
    arrivals: Arrivals,
    ingress: Ingress,
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
    unsent: Option<EventFrame>,
}

impl Worker {
    fn run(mut self) -> Result<Stopped, SequencerError> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.work()))
            .unwrap_or(Err(SequencerError::ThreadGone { thread: "sequencer" }));
        // Whatever happened, nobody waits for ever.
        self.ingress.stop();
        let mut left = VecDeque::new();
        while self.arrivals.take(&mut left, usize::MAX, Duration::ZERO) != Woken::Stopped {
            self.waiting.append(&mut left);
        }
        let waiting = self.waiting.drain(..).map(|submission| submission.reply_to);
        for (session, token) in self.sessions.drain(..).chain(waiting).flatten() {
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
        loop {
            match self.collect()? {
                Woken::Submissions => self.batch()?,
                Woken::Timeout => {
                    self.waiting.push_back(Submission { command: Command::Tick, reply_to: None });
                    self.batch()?;
                }
                Woken::Nudge => {
                    if self.keeper.has_stopped() {
                        return Err(SequencerError::ThreadGone { thread: "keeper" });
                    }
                }
                Woken::Stopped => break,
            }
        }
        let wanted = self.last_snapshot.load(Ordering::Relaxed);
        let under_way = if wanted { UnderWay::GiveUp } else { UnderWay::Finish };
        let made = self.snapshotter.take().and_then(|snapshotter| snapshotter.stop(under_way));
        if wanted && self.partition.seq() > made.unwrap_or(self.kept_seq) {
            self.last_snapshot()?;
        }
        Ok(Stopped {
            seq: self.partition.seq(),
            event_chain: self.derive.chain.0,
            state_hash: self.partition.state_hash(),
        })
    }

    /// What there is to do next. The keeper gets its events as soon as nothing more urgent is there.
    fn collect(&mut self) -> Result<Woken, SequencerError> {
        if !self.waiting.is_empty() {
            return Ok(Woken::Submissions);
        }
        let max = self.settings.batch_max_commands;
        if self.unsent.is_some() {
            let woken = self.arrivals.take(&mut self.waiting, max, Duration::ZERO);
            if woken != Woken::Timeout {
                return Ok(woken);
            }
            self.send_events()?;
        }
        Ok(self.arrivals.take(&mut self.waiting, max, self.settings.tick))
    }

    fn send_events(&mut self) -> Result<(), SequencerError> {
        self.unsent.take().map_or(Ok(()), |frame| self.keeper.send(Job::Events(frame)))
    }

    fn batch(&mut self) -> Result<(), SequencerError> {
        let time_ns = stamp(SystemTime::now(), self.partition.time_ns());
        let frame = self.encode(time_ns);
        self.writer.begin(frame)?;
        self.send_events()?;

        let mut batch = EventBatch::default();
        begin(&mut batch, self.partition.seq().next(), time_ns);
        batch.events.reserve(self.inputs.len().saturating_mul(4));
        let applied = apply(&mut self.partition, &self.inputs, &mut batch);
        let mut events = self.keeper.empty_frame();
        if applied.is_ok() {
            self.derive.finish(&mut batch, &mut events);
        }
        // Also behind a command that cannot be applied: it is to be found in the journal.
        let (durable, frame, synced) = self.writer.wait()?;
        (self.durable, self.frame) = (durable, Some(frame));
        applied?;

        // The gate: everything above is on the disk, so everything below may be known.
        let due = durable.seq().0 - self.snapshot_seq.0 >= self.settings.snapshot_every_commands
            && !self.keeper.has_snapshot();
        let batch = Arc::new(batch);
        self.egress.release(&batch);
        self.egress.stats().batch(&self.inputs, &batch, synced, self.keeper.event_bytes());
        self.unsent = Some(events);
        self.deliver(&batch)?;
        if due { self.begin_snapshot() } else { Ok(()) }
    }

    /// Answers everybody who waits for a command of `batch`. A session that panics keeps the answer from nobody else.
    fn deliver(&mut self, batch: &Arc<EventBatch>) -> Result<(), SequencerError> {
        let mut outcome = Ok(());
        for (index, session) in self.sessions.drain(..).enumerate() {
            let Some((session, token)) = session else { continue };
            let reply = Reply::new(Arc::clone(batch), index);
            let seq = reply.seq();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| session.deliver(token, reply))) {
                outcome =
                    outcome.and(Err(SequencerError::SessionPanicked { seq, panic: sentence(&*payload) }));
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
        let room = self.max_frame_bytes.saturating_sub(MAX_COMMAND_BYTES);
        let mut taken = 0;
        for submission in &self.waiting {
            frame.push(|out| submission.command.encode(out));
            taken += 1;
            if frame.frame_bytes() > room {
                break;
            }
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
        let events = EventPosition {
            seq: self.durable.seq(),
            event_seq: self.derive.event_seq,
            chain: self.derive.chain.0,
        };
        Ok(Request { journal: self.durable, events, time_ns: self.partition.time_ns() })
    }
}
