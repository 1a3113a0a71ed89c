//! The keeper thread: what is derived from the journal goes to its files, behind the gate and out of the way of those who
//! wait for an answer. The event log is appended without syncing; a snapshot syncs it first.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use journal::{Durable, EventFrame, EventLogWriter, EventPosition, JournalError, SnapshotStore};
use model::{Seq, TimeNs};

use crate::{Ingress, SequencerError};

/// Sections that others add to a snapshot. Called on the sequencer's thread just before the batch that ends at this command
/// is released; what it returns is called on the keeper's thread, may wait, and gives the state of the caller at exactly
/// that command.
pub type SectionsAt = Box<dyn FnMut(Seq) -> Sections + Send>;
pub(crate) type Sections = Box<dyn FnOnce() -> Vec<(&'static str, Vec<u8>)> + Send>;

/// The partition's section of a snapshot.
pub(crate) const PARTITION_SECTION: &str = "partition";

pub(crate) enum Job {
    Events(EventFrame),
    Snapshot {
        journal: Durable,
        events: EventPosition,
        time_ns: TimeNs,
        partition: Vec<u8>,
        others: Sections,
    },
}

/// Batches of events that may wait for the keeper. Behind that the sequencer waits too, rather than fill the memory.
const BACKLOG: usize = 4_096;

/// The sequencer's hold on the keeper thread.
pub(crate) struct Keeper {
    jobs: SyncSender<Job>,
    used_frames: Receiver<EventFrame>,
    thread: JoinHandle<Result<EventLogWriter, JournalError>>,
}

impl Keeper {
    /// `wake` is nudged when the thread ends before its time.
    pub(crate) fn start(mut events: EventLogWriter, snapshots: SnapshotStore, wake: Ingress) -> Self {
        let (jobs, inbox) = sync_channel::<Job>(BACKLOG);
        let (give_back, used_frames) = channel::<EventFrame>();
        let work = move || {
            let outcome = keep(&mut events, &snapshots, &inbox, &give_back);
            if outcome.is_err() {
                wake.nudge();
            }
            outcome.map(|()| events)
        };
        let thread =
            std::thread::Builder::new().name("keeper".to_owned()).spawn(work).expect("threads can be made");
        Self { jobs, used_frames, thread }
    }

    pub(crate) fn send(&self, job: Job) -> Result<(), SequencerError> {
        self.jobs.send(job).map_err(|_| SequencerError::ThreadGone { thread: "keeper" })
    }

    /// A frame to fill, used before where there is one.
    pub(crate) fn empty_frame(&self) -> EventFrame {
        self.used_frames.try_recv().unwrap_or_default()
    }

    /// True when the thread has ended, which it only does by itself when writing failed.
    pub(crate) fn has_stopped(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the thread, once all that was sent is done.
    pub(crate) fn stop(self) -> Result<EventLogWriter, SequencerError> {
        drop(self.jobs);
        Ok(self.thread.join().map_err(|_| SequencerError::ThreadGone { thread: "keeper" })??)
    }
}

fn keep(
    events: &mut EventLogWriter,
    snapshots: &SnapshotStore,
    inbox: &Receiver<Job>,
    give_back: &Sender<EventFrame>,
) -> Result<(), JournalError> {
    while let Ok(job) = inbox.recv() {
        match job {
            Job::Events(mut frame) => {
                events.append(&mut frame)?;
                // Nobody takes them any more when the sequencer is at its end.
                let _ = give_back.send(frame);
            }
            Job::Snapshot { journal, events: at, time_ns, partition, others } => {
                let synced = events.sync()?;
                let others = others();
                let mut sections = vec![(PARTITION_SECTION, partition.as_slice())];
                sections.extend(others.iter().map(|(name, bytes)| (*name, bytes.as_slice())));
                snapshots.write(journal, at, synced, time_ns, &sections)?;
            }
        }
    }
    Ok(())
}
