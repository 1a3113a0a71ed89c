//! From files to a partition that stands where the journal ends: the newest snapshot, then every command behind it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use codec::{Coded, EventChain, Reader};
use exchange::{Partition, Progress};
use journal::{
    Batch, EventFrame, EventLogWriter, JournalWriter, Recovery, SkipMark, Snapshot, SnapshotStore, Storage,
};
use model::{Command, Envelope, Event, EventBatch, EventSeq, Seq, Sequenced, Skip, SkipEnvelope, TimeNs};

use crate::keeper::PARTITION_SECTION;
use crate::pipeline::replay_all;
use crate::{Companion, Egress, Lane, Sequencer, SequencerError, Settings};

/// What a replay tells of itself.
pub trait Replay {
    /// The snapshot that it starts from, with the sections that others added; called once, first, if there is one.
    fn snapshot(&mut self, seq: Seq, section: &dyn Fn(&str) -> Option<Vec<u8>>);
    /// The events of each batch behind it, in order.
    fn batch(&mut self, batch: &EventBatch);
    /// How many bytes of the journal are done, of how many.
    fn progress(&mut self, done: u64, total: u64);
}

/// Nobody listens.
impl Replay for () {
    fn snapshot(&mut self, _: Seq, _: &dyn Fn(&str) -> Option<Vec<u8>>) {}
    fn batch(&mut self, _: &EventBatch) {}
    fn progress(&mut self, _: u64, _: u64) {}
}

/// A partition that stands where its journal ends, ready to go on.
pub struct Recovered {
    pub(crate) partition: Partition,
    pub(crate) derive: Derive,
    pub(crate) journal: JournalWriter,
    pub(crate) events: EventLogWriter,
    pub(crate) snapshots: SnapshotStore,
    pub(crate) storage: Arc<dyn Storage>,
    /// Where the snapshot stood that was started from.
    pub(crate) snapshot_seq: Seq,
    warnings: Vec<String>,
    replayed: u64,
}

impl Recovered {
    /// The state.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// What the operator should know although the program starts: one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Commands that were applied again.
    pub fn replayed(&self) -> u64 {
        self.replayed
    }

    /// The hash over all events so far.
    pub fn event_chain(&self) -> [u8; 32] {
        self.derive.chain.0
    }

    /// Starts the threads of an exchange of one partition. The companion's state goes into snapshots beside the partition's.
    /// Panics where there are more partitions: [`Sequencer::start`] starts them together.
    pub fn start(
        self,
        settings: Settings,
        egress: Egress,
        companion: Option<Arc<dyn Companion>>,
    ) -> Sequencer {
        let lane = Lane { recovered: self, egress, companion };
        Sequencer::start(vec![lane], settings).expect("one partition agrees with itself")
    }
}

/// Opens a data directory's storage and applies what its journal has behind the newest snapshot.
pub fn recover(
    storage: &Arc<dyn Storage>,
    settings: &journal::Settings,
    replay: &mut dyn Replay,
) -> Result<Recovered, SequencerError> {
    let recovery = Recovery::open(storage, settings)?;
    let warnings = recovery.warnings();
    let snapshot_seq = recovery.snapshot.as_ref().map_or(Seq(0), Snapshot::seq);
    let (mut partition, mut derive) = begin_at(recovery.snapshot.as_ref(), replay)?;
    let reader = recovery.replay()?;
    let Recovery { survey, journal, mut events, snapshots, .. } = recovery;

    replay_all(reader, &survey.skip_marks, &mut partition, &mut derive, &mut events, replay)?;
    let replayed = partition.seq().0 - snapshot_seq.0;
    let storage = Arc::clone(storage);
    Ok(Recovered { partition, derive, journal, events, snapshots, storage, snapshot_seq, warnings, replayed })
}

/// The state in a snapshot, shown to `replay`; without one, that before the first command.
pub(crate) fn begin_at(
    snapshot: Option<&Snapshot>,
    replay: &mut dyn Replay,
) -> Result<(Partition, Derive), SequencerError> {
    let Some(snapshot) = snapshot else { return Ok((Partition::default(), Derive::default())) };
    let seq = snapshot.seq();
    let bytes = snapshot.section(PARTITION_SECTION).unwrap_or_default();
    let partition = Partition::restore(bytes).map_err(|error| SequencerError::Snapshot { seq, error })?;
    replay.snapshot(seq, &|name| snapshot.section(name).map(<[u8]>::to_vec));
    let at = snapshot.events();
    Ok((partition, Derive { chain: EventChain(at.chain), event_seq: at.event_seq }))
}

/// Applies one batch of the journal, with what an operator had taken out replaced. `batch` has the one before.
pub(crate) fn apply_records(
    partition: &mut Partition,
    records: &Batch<'_>,
    skip_marks: &[SkipMark],
    batch: &mut EventBatch,
) -> Result<(), SequencerError> {
    let first_event_seq = batch.next_event_seq();
    begin(batch, records.first_seq, first_event_seq, records.time_ns);
    // Nobody waits for an answer.
    let mut progress = Vec::new();
    for (seq, bytes) in records.commands() {
        let command = command_of(seq, bytes, skip_marks)?;
        let input = Sequenced { seq, time_ns: records.time_ns, command };
        apply(partition, std::slice::from_ref(&input), batch, &mut progress)?;
    }
    Ok(())
}

/// A command of the journal, or what stands for it where an operator had it taken out.
pub(crate) fn command_of(seq: Seq, bytes: &[u8], skip_marks: &[SkipMark]) -> Result<Command, SequencerError> {
    match skip_marks.iter().find(|mark| mark.seq == seq) {
        Some(mark) => Ok(skipped(decode(seq, bytes), mark)),
        None => decode(seq, bytes),
    }
}

/// What stands where a command was that an operator had taken out. An envelope counts as taken.
fn skipped(command: Result<Command, SequencerError>, mark: &SkipMark) -> Command {
    let reason = mark.reason.clone();
    if let Ok(Command::Deliver(envelope)) = command {
        let Envelope { from, number, .. } = *envelope;
        return Command::SkipEnvelope(SkipEnvelope { from, number, reason });
    }
    Command::Skip(Skip { reason })
}

fn decode(seq: Seq, bytes: &[u8]) -> Result<Command, SequencerError> {
    let mut input = Reader::new(bytes);
    let command = Command::decode(&mut input).map_err(|error| SequencerError::Command { seq, error })?;
    input.finish().map_err(|error| SequencerError::Command { seq, error })?;
    Ok(command)
}

/// Empties `batch` for the commands from `first_seq` and the events from `first_event_seq`.
pub(crate) fn begin(batch: &mut EventBatch, first_seq: Seq, first_event_seq: EventSeq, time_ns: TimeNs) {
    batch.events.clear();
    batch.ends.clear();
    (batch.first_seq, batch.first_event_seq, batch.time_ns) = (first_seq, first_event_seq, time_ns);
}

/// Applies commands, and tells how far the answer to each is from the moment on when there is another partition; a broken
/// invariant comes back as an error that names the command.
pub(crate) fn apply(
    partition: &mut Partition,
    inputs: &[Sequenced<Command>],
    batch: &mut EventBatch,
    progress: &mut Vec<Progress>,
) -> Result<(), SequencerError> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let EventBatch { events, ends, .. } = batch;
        partition.apply_all(inputs, events, |partition, events| {
            ends.push(u32::try_from(events.len()).expect("a batch causes fewer than 2^32 events"));
            if !partition.is_alone() {
                progress.push(partition.progress());
            }
        });
    }));
    outcome.map_err(|payload| {
        let (partition, seq) = (partition.own_id(), batch.last_seq().next());
        let from = match inputs.get(batch.ends.len()).map(|input| &input.command) {
            Some(Command::Deliver(envelope)) => Some(envelope.from),
            _ => None,
        };
        SequencerError::Panicked { partition, seq, from, invariant: sentence(&*payload) }
    })
}

/// What a panic said.
pub(crate) fn sentence(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}

/// Where the event log stands, and how a batch's events become bytes.
#[derive(Default)]
pub(crate) struct Derive {
    pub(crate) chain: EventChain,
    /// The last event so far.
    pub(crate) event_seq: EventSeq,
}

impl Derive {
    /// An empty batch, behind which the next events come.
    pub(crate) fn before_first(&self) -> EventBatch {
        EventBatch { first_event_seq: self.event_seq.next(), ..EventBatch::default() }
    }

    /// Gives the batch's events to the frame, and the hash over all events to the end of them.
    pub(crate) fn finish(&mut self, batch: &EventBatch, frame: &mut EventFrame) {
        assert_eq!(batch.first_event_seq, self.event_seq.next(), "a gap or a repeat in the order of events");
        frame.begin(batch.first_seq, batch.time_ns, batch.first_event_seq);
        for index in 0..batch.commands() {
            let place = u32::try_from(index).expect("a batch is small");
            for event in batch.events_of(index) {
                frame.push(|out| codec::encode_event(place, event, out));
            }
        }
        let events = frame.records();
        let chain =
            self.chain.extend(batch.first_seq, batch.time_ns, batch.first_event_seq, events.as_bytes());
        self.event_seq = EventSeq(self.event_seq.0 + u64::from(frame.event_count()));
        frame.finish(batch.last_seq(), chain);
    }
}

/// Events as the event log has them.
pub fn decode_batch(frame: &journal::EventBatch<'_>) -> Result<EventBatch, SequencerError> {
    let mut batch = EventBatch {
        first_seq: frame.first_seq,
        time_ns: frame.time_ns,
        first_event_seq: frame.first_event_seq,
        ..EventBatch::default()
    };
    let commands = usize::try_from(frame.last_seq.0 + 1 - frame.first_seq.0).expect("a batch is small");
    for (_, bytes) in frame.events() {
        let (index, event): (u32, Event) = codec::decode_event(bytes)
            .map_err(|error| SequencerError::Command { seq: frame.first_seq, error })?;
        while batch.ends.len() < index as usize {
            batch.ends.push(u32::try_from(batch.events.len()).expect("a batch is small"));
        }
        batch.events.push(event);
    }
    while batch.ends.len() < commands {
        batch.ends.push(u32::try_from(batch.events.len()).expect("a batch is small"));
    }
    Ok(batch)
}
