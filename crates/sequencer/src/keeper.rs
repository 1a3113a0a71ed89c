//! The keeper thread: what is derived from the journal goes to its files, behind the gate and out of the way of those who
//! wait for an answer. Events become bytes and are hashed here. The event log is appended without syncing; a snapshot syncs it
//! first.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use journal::{Durable, EventFrame, EventLogWriter, EventPosition, JournalError, SnapshotStore};
use model::{Event, EventBatch, TimeNs};

use crate::ingress::Queue;
use crate::recovery::Derive;
use crate::{Egress, Sections, SequencerError};

/// The partition's section of a snapshot.
pub(crate) const PARTITION_SECTION: &str = "partition";

pub(crate) enum Job {
    Events(Arc<EventBatch>),
    /// Tells where the event log stands behind all that was handed over before.
    Position(SyncSender<EventPosition>),
    /// Behind the events of its position.
    Snapshot {
        journal: Durable,
        events: EventPosition,
        time_ns: TimeNs,
        sections: Sections,
    },
    /// Stands still until the other end says so or is gone.
    #[cfg(test)]
    Wait(Receiver<()>),
}

/// Bytes of events that may wait for the keeper: half a second of them at full speed. Behind that the sequencer waits too,
/// rather than fill the memory.
const BACKLOG_BYTES: usize = 256 << 20;
/// What a batch takes beside its events.
const BATCH_BYTES: usize = 128;

/// What is with the keeper now.
#[derive(Default)]
struct Load {
    event_bytes: usize,
    /// Those that are being made as well.
    snapshots: usize,
    /// The thread has ended or is about to.
    gone: bool,
}

#[derive(Default)]
struct Shared {
    load: Mutex<Load>,
    eased: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ease(&self, change: impl FnOnce(&mut Load)) {
        change(&mut self.lock());
        self.eased.notify_one();
    }

    /// The snapshot that was under way is none any more. `count` runs before anybody can know of it, so whoever sees it counted
    /// finds that the next one may begin.
    fn end_snapshot(&self, count: impl FnOnce()) {
        self.ease(|load| {
            load.snapshots -= 1;
            count();
        });
    }
}

/// The sequencer's hold on the keeper thread.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    backlog_bytes: usize,
    jobs: Sender<Job>,
    thread: JoinHandle<Result<EventLogWriter, JournalError>>,
}

/// The hold on the keeper of the thread that makes the snapshots. The keeper does not end before it is dropped.
pub(crate) struct Snapshots {
    shared: Arc<Shared>,
    jobs: Sender<Job>,
}

impl Snapshots {
    /// Hands over the snapshot that [`Keeper::begin_snapshot`] was called for; false when nobody is there to take it.
    pub(crate) fn give(&self, snapshot: Job) -> bool {
        self.jobs.send(snapshot).is_ok()
    }

    /// There will be no snapshot, although [`Keeper::begin_snapshot`] was called. `count` counts it, where that is to be.
    pub(crate) fn give_up(&self, count: impl FnOnce()) {
        self.shared.end_snapshot(count);
    }
}

/// Tells the sequencer that the thread ends, be it by a panic: first that it is so, then to look.
struct LastWords {
    shared: Arc<Shared>,
    wake: Arc<Queue>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        self.shared.ease(|load| load.gone = true);
        self.wake.nudge();
    }
}

impl Keeper {
    /// `derive` stands where the event log ends. `wake` is nudged when the thread ends; `egress` counts the snapshots.
    pub(crate) fn start(
        events: EventLogWriter,
        derive: Derive,
        snapshots: SnapshotStore,
        wake: Arc<Queue>,
        egress: Egress,
    ) -> Self {
        Self::with_backlog(events, derive, snapshots, wake, egress, BACKLOG_BYTES)
    }

    fn with_backlog(
        mut events: EventLogWriter,
        mut derive: Derive,
        snapshots: SnapshotStore,
        wake: Arc<Queue>,
        egress: Egress,
        backlog_bytes: usize,
    ) -> Self {
        let (jobs, inbox) = channel::<Job>();
        let shared = Arc::new(Shared::default());
        let last_words = LastWords { shared: Arc::clone(&shared), wake };
        let work = move || {
            let last_words = last_words;
            keep(&mut events, &mut derive, &snapshots, &inbox, &last_words.shared, &egress).map(|()| events)
        };
        let thread =
            std::thread::Builder::new().name("keeper".to_owned()).spawn(work).expect("threads can be made");
        Self { shared, backlog_bytes, jobs, thread }
    }

    /// Hands over a job, in order; waits while too much is there already.
    pub(crate) fn send(&self, job: Job) -> Result<(), SequencerError> {
        let gone = SequencerError::ThreadGone { thread: "keeper" };
        let bytes = job.event_bytes();
        let mut load = self.shared.lock();
        while load.event_bytes > 0 && load.event_bytes + bytes > self.backlog_bytes && !load.gone {
            load = self.shared.eased.wait(load).unwrap_or_else(PoisonError::into_inner);
        }
        if load.gone {
            return Err(gone);
        }
        load.event_bytes += bytes;
        drop(load);
        self.jobs.send(job).map_err(|_| gone)
    }

    /// Where the event log stands behind all that was sent; the keeper tells when it is there, unless it is gone.
    pub(crate) fn position(&self) -> Result<Receiver<EventPosition>, SequencerError> {
        let (tell, told) = sync_channel(1);
        self.send(Job::Position(tell))?;
        Ok(told)
    }

    /// Bytes of events that are with the thread now.
    pub(crate) fn event_bytes(&self) -> usize {
        self.shared.lock().event_bytes
    }

    /// A snapshot is going to be handed over.
    pub(crate) fn begin_snapshot(&self) {
        self.shared.ease(|load| load.snapshots += 1);
    }

    /// For the thread that makes the snapshots.
    pub(crate) fn snapshots(&self) -> Snapshots {
        Snapshots { shared: Arc::clone(&self.shared), jobs: self.jobs.clone() }
    }

    /// True while a snapshot is being made, waits or is being written. The next one would hold another copy of the state.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.shared.lock().snapshots > 0
    }

    /// True when the thread has ended, which it only does by itself when something failed.
    pub(crate) fn has_stopped(&self) -> bool {
        self.shared.lock().gone
    }

    /// Ends the thread, once all that was sent is done.
    pub(crate) fn stop(self) -> Result<EventLogWriter, SequencerError> {
        drop(self.jobs);
        Ok(self.thread.join().map_err(|_| SequencerError::ThreadGone { thread: "keeper" })??)
    }
}

impl Job {
    fn event_bytes(&self) -> usize {
        match self {
            Self::Events(batch) => batch.events.len() * size_of::<Event>() + BATCH_BYTES,
            Self::Position(_) | Self::Snapshot { .. } => 0,
            #[cfg(test)]
            Self::Wait(_) => 0,
        }
    }
}

fn keep(
    events: &mut EventLogWriter,
    derive: &mut Derive,
    snapshots: &SnapshotStore,
    inbox: &Receiver<Job>,
    shared: &Shared,
    egress: &Egress,
) -> Result<(), JournalError> {
    let mut frame = EventFrame::new();
    while let Ok(job) = inbox.recv() {
        let bytes = job.event_bytes();
        match job {
            Job::Events(batch) => {
                derive.finish(&batch, &mut frame);
                events.append(&mut frame)?;
                drop(batch);
                shared.ease(|load| load.event_bytes -= bytes);
            }
            // Whoever has asked may be gone.
            Job::Position(tell) => drop(tell.send(events.position())),
            Job::Snapshot { journal, events: at, time_ns, sections } => {
                let synced = events.sync()?;
                let bytes: Vec<_> = sections.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
                snapshots.write(journal, at, synced, time_ns, &bytes)?;
                shared.end_snapshot(|| egress.stats().snapshot_written());
            }
            #[cfg(test)]
            Job::Wait(go_on) => drop(go_on.recv()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use journal::faulty::{Failure, FaultyStorage};
    use journal::{Preparation, Recovery, Settings};
    use model::{AccountId, EventSeq, Reject, Seq};

    use super::*;
    use crate::ingress::{Arrivals, Stage, Woken, queue};

    const LIMIT: usize = 1_000;
    const EVENTS: usize = (LIMIT / 3 - BATCH_BYTES) / size_of::<Event>();

    fn keeper(disk: &FaultyStorage) -> Keeper {
        let small = Settings {
            journal_segment_bytes: Settings::MIN_SEGMENT_BYTES,
            preparation: Preparation::WhenNeeded,
            ..Settings::default()
        };
        let Recovery { events, snapshots, .. } = Recovery::open(&disk.storage(), &small).unwrap();
        Keeper::with_backlog(events, Derive::default(), snapshots, queue(1), Egress::default(), LIMIT)
    }

    /// The command at `seq`, and the `events` that each command has.
    fn events(seq: u64, events: usize) -> Job {
        let event = Event::Rejected { account: AccountId(1), reject: Reject::UnknownOrder };
        let before = u64::try_from(events).unwrap() * (seq - 1);
        Job::Events(Arc::new(EventBatch {
            first_seq: Seq(seq),
            time_ns: TimeNs(seq),
            first_event_seq: EventSeq(before + 1),
            events: vec![event; events],
            ends: vec![u32::try_from(events).unwrap()],
        }))
    }

    /// As many events as three such commands fit into the backlog.
    fn event(seq: u64) -> Job {
        events(seq, EVENTS)
    }

    /// Of the state before the first command, with the event log that far.
    fn snapshot(events: EventPosition) -> Job {
        Job::Snapshot { journal: Durable::GENESIS, events, time_ns: TimeNs(0), sections: Vec::new() }
    }

    #[test]
    fn what_waits_for_the_keeper_is_bounded() {
        let keeper = keeper(&FaultyStorage::new());
        let (let_go, go_on) = channel::<()>();
        keeper.send(Job::Wait(go_on)).unwrap();
        assert!(!keeper.has_snapshot());
        keeper.begin_snapshot();
        assert!(keeper.has_snapshot());
        assert!(keeper.snapshots().give(snapshot(EventPosition::GENESIS)));
        assert!(keeper.has_snapshot(), "until it is written");
        for seq in 1..=2_000 {
            if seq == 4 {
                // Now it is full, and the next one waits.
                let_go.send(()).unwrap();
            }
            keeper.send(event(seq)).unwrap();
            assert!(keeper.shared.lock().event_bytes <= LIMIT);
        }
        let shared = Arc::clone(&keeper.shared);
        assert_eq!(keeper.stop().unwrap().position().seq, Seq(2_000));
        let left = shared.lock();
        assert_eq!((left.event_bytes, left.snapshots), (0, 0));
    }

    #[test]
    fn a_keeper_that_panics_wakes_the_sequencer() {
        let wake = queue(1);
        let arrivals = Arrivals::of(&wake);
        let Recovery { events, snapshots, .. } =
            Recovery::open(&FaultyStorage::new().storage(), &Settings::default()).unwrap();
        let keeper = Keeper::start(events, Derive::default(), snapshots, wake, Egress::default());
        // Events of another command than the snapshot's: what must never come is the keeper's to refuse.
        keeper.send(snapshot(EventPosition { seq: Seq(1), ..EventPosition::GENESIS })).unwrap();
        assert_eq!(arrivals.take(&mut VecDeque::new(), 1, Duration::MAX, Stage::Open), Woken::Nudge);
        assert!(keeper.has_stopped());
        assert!(matches!(keeper.stop(), Err(SequencerError::ThreadGone { thread: "keeper" })));
    }

    #[test]
    fn who_waits_for_a_keeper_that_fails_waits_no_longer() {
        let disk = FaultyStorage::new();
        let keeper = keeper(&disk);
        disk.fail_call(disk.call_count() + 1, Failure::Io);
        let error = (1..=2_000).find_map(|seq| keeper.send(event(seq)).err()).unwrap();
        assert!(matches!(error, SequencerError::ThreadGone { thread: "keeper" }), "{error}");
        assert!(keeper.has_stopped());
        let error = keeper.stop().unwrap_err();
        assert!(error.to_string().contains("os error 5"), "{error}");
    }

    /// Larger than all that may wait: it goes alone.
    #[test]
    fn a_batch_of_any_size_gets_through() {
        let keeper = keeper(&FaultyStorage::new());
        for seq in 1..=20 {
            keeper.send(events(seq, LIMIT)).unwrap();
        }
        assert_eq!(keeper.stop().unwrap().position().seq, Seq(20));
    }
}
