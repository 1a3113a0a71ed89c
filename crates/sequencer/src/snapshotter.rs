//! The snapshotter thread: makes snapshots as a start recovers, from the newest snapshot and the journal behind it, into a
//! second copy of the state. So nobody who works with the first one ever waits for a snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use journal::{
    Durable, EventFrame, EventPosition, JournalError, JournalReader, Snapshot, SnapshotStore, Storage, Survey,
};
use model::{Seq, TimeNs};

use crate::keeper::{Job, PARTITION_SECTION, Snapshots};
use crate::recovery::{apply_records, begin_at, sentence};
use crate::{Egress, Replay, SequencerError};

/// What goes into a snapshot beside the partition: names and bytes.
pub type Sections = Vec<(&'static str, Vec<u8>)>;

/// Who keeps a state of their own, made from the events, and wants it in the snapshots.
pub trait Companion: Send + Sync {
    /// An empty copy of that state. It is given what a recovery gives, on the snapshotter's thread, and then asked for its
    /// sections.
    fn copy(&self) -> Box<dyn CompanionCopy>;

    /// The state itself, for the snapshot at a clean stop: when it has all events of `seq`, the last command of all, which
    /// are released already. Called on the sequencer's thread; may wait.
    fn last(&self, seq: Seq) -> Sections;

    /// A snapshot could not be made; the next one is tried when it is due. A sentence for the operator.
    fn failed(&self, sentence: &str);
}

/// A copy of a [`Companion`]'s state.
pub trait CompanionCopy: Replay {
    /// Its sections; otherwise a sentence that says why there are none.
    fn sections(self: Box<Self>) -> Result<Sections, String>;
}

/// "Make the snapshot of this position", which is durable and released, and whose events are with the keeper.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) journal: Durable,
    /// Comes from the keeper, when it is there.
    pub(crate) events: Receiver<EventPosition>,
    pub(crate) time_ns: TimeNs,
}

/// What becomes of a snapshot that is under way when the thread is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnderWay {
    Finish,
    GiveUp,
}

/// The sequencer's hold on the thread.
pub(crate) struct Snapshotter {
    requests: Sender<Request>,
    give_up: Arc<AtomicBool>,
    /// Ends with the last command that the keeper was given a snapshot of, if there is one.
    thread: JoinHandle<Option<Seq>>,
}

impl Snapshotter {
    pub(crate) fn start(
        storage: Arc<dyn Storage>,
        companion: Option<Arc<dyn Companion>>,
        snapshots: Snapshots,
        egress: Egress,
    ) -> Self {
        let (requests, inbox) = channel();
        let give_up = Arc::new(AtomicBool::new(false));
        let maker = Maker { storage, companion, give_up: Arc::clone(&give_up), egress };
        let thread = std::thread::Builder::new()
            .name("snapshotter".to_owned())
            .spawn(move || maker.work(&inbox, &snapshots))
            .expect("threads can be made");
        Self { requests, give_up, thread }
    }

    /// Has a snapshot made. There is none under way.
    pub(crate) fn begin(&self, request: Request) -> Result<(), SequencerError> {
        self.requests.send(request).map_err(|_| SequencerError::ThreadGone { thread: "snapshotter" })
    }

    /// Ends the thread; the last command that the keeper was given a snapshot of, if there is one.
    pub(crate) fn stop(self, under_way: UnderWay) -> Option<Seq> {
        self.give_up.store(under_way == UnderWay::GiveUp, Ordering::Relaxed);
        drop(self.requests);
        // It has printed its message, and a snapshot less is no loss of anything.
        self.thread.join().unwrap_or_default()
    }
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Replay(#[from] SequencerError),
    #[error("the journal has been read up to command {0}, and nothing is behind it")]
    JournalEnds(Seq),
    #[error("the journal gives other events than those that were released. Report this with the journal")]
    OtherEvents,
    #[error("{0}")]
    Companion(String),
    #[error("a panic: {0}. Report this with the journal")]
    Panicked(String),
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Replay(error.into())
    }
}

struct Maker {
    storage: Arc<dyn Storage>,
    companion: Option<Arc<dyn Companion>>,
    give_up: Arc<AtomicBool>,
    egress: Egress,
}

impl Maker {
    fn work(&self, inbox: &Receiver<Request>, snapshots: &Snapshots) -> Option<Seq> {
        let mut given = None;
        while let Ok(request) = inbox.recv() {
            let seq = request.journal.seq();
            let made = catch_unwind(AssertUnwindSafe(|| self.make(&request)))
                .unwrap_or_else(|payload| Err(Failure::Panicked(sentence(&*payload))));
            match made {
                Ok(Some((events, sections))) => {
                    let Request { journal, time_ns, .. } = request;
                    if snapshots.give(Job::Snapshot { journal, events, time_ns, sections }) {
                        given = Some(seq);
                    }
                }
                Ok(None) => snapshots.give_up(|| {}),
                Err(failure) => {
                    snapshots.give_up(|| self.egress.stats().snapshot_failed());
                    if let Some(companion) = &self.companion {
                        let sentence = format!(
                            "the snapshot at command {seq} could not be made: {failure}; nothing is lost, and the next one \
                             is tried when it is due"
                        );
                        // It has printed its message.
                        let _ = catch_unwind(AssertUnwindSafe(|| companion.failed(&sentence)));
                    }
                }
            }
        }
        given
    }

    /// The sections of the snapshot that is asked for, and where its events end; `None` when it is given up. The copy of the state is gone when this
    /// returns.
    fn make(&self, request: &Request) -> Result<Option<(EventPosition, Sections)>, Failure> {
        let mut copy = self.companion.as_ref().map(|companion| companion.copy());
        let nobody: &mut dyn Replay = &mut ();
        let replay = copy.as_deref_mut().map_or(nobody, |copy| copy as &mut dyn Replay);

        // Nobody writes or removes snapshots while one is under way.
        let newest = SnapshotStore::new(&self.storage, 1).newest_valid()?.snapshot;
        let mut end = newest.as_ref().map_or(Durable::GENESIS, Snapshot::journal);
        let (mut partition, mut derive) = begin_at(newest.as_ref(), replay)?;
        drop(newest);
        let survey = Survey::read(&self.storage, end)?;
        let mut reader = JournalReader::open(&self.storage, &survey, end.seq().next())?;
        let (mut batch, mut frame) = (derive.before_first(), EventFrame::new());
        // Behind what is asked for there may be a batch that is written and not durable.
        while end.seq() < request.journal.seq() {
            if self.give_up.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let Some(records) = reader.next()? else { return Err(Failure::JournalEnds(end.seq())) };
            end = records.end;
            apply_records(&mut partition, &records, &survey.skip_marks, &mut batch)?;
            derive.finish(&batch, &mut frame);
            replay.batch(&batch);
            replay.progress(reader.bytes_read(), reader.bytes_total());
        }
        // The hash over all events is what makes the copy as good as the state itself.
        let at = EventPosition { seq: end.seq(), event_seq: derive.event_seq, chain: derive.chain.0 };
        // A keeper that is gone takes no snapshot.
        let Ok(events) = request.events.recv() else { return Ok(None) };
        if (end, at) != (request.journal, events) {
            return Err(Failure::OtherEvents);
        }
        let mut sections = vec![(PARTITION_SECTION, partition.snapshot())];
        drop(partition);
        if let Some(copy) = copy {
            sections.extend(copy.sections().map_err(Failure::Companion)?);
        }
        Ok(Some((events, sections)))
    }
}
