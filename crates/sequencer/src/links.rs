//! What the partitions of a process know of each other: how far each has taken what the others said, whether there is too much
//! that was not taken, and whether everything is said and done.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use model::{Envelope, PartitionId};

use crate::ingress::{Queue, lane_bit};

/// How far each partition has spoken to each other one, and how far it was heard.
pub(crate) struct Marks {
    /// By receiver and sender: the last envelope that is durable at the sender.
    said: Vec<Vec<AtomicU64>>,
    /// By receiver and sender: the last envelope that is durable at the receiver.
    taken: Vec<Vec<AtomicU64>>,
}

/// What partitions had said to one of them at some moment.
#[derive(Clone, Debug)]
pub struct Said {
    to: PartitionId,
    /// By sender.
    by: Vec<u64>,
}

impl Marks {
    pub(crate) fn new(partitions: usize) -> Self {
        let row = || (0..partitions).map(|_| AtomicU64::new(0)).collect();
        let all = || (0..partitions).map(|_| row()).collect();
        Self { said: all(), taken: all() }
    }

    /// What was said to a partition until now.
    pub(crate) fn said_to(&self, to: PartitionId) -> Said {
        let by = self.said[to.index()].iter().map(|said| said.load(Ordering::Acquire)).collect();
        Said { to, by }
    }

    /// Whether all of that is durable where it was said to.
    pub(crate) fn has_taken(&self, said: &Said) -> bool {
        let taken = self.taken[said.to.index()].iter().map(|taken| taken.load(Ordering::Acquire));
        taken.zip(&said.by).all(|(taken, said)| taken >= *said)
    }
}

/// Shared by the sequencers of all partitions.
pub(crate) struct Links {
    /// The way into each.
    lanes: Vec<Arc<Queue>>,
    marks: Arc<Marks>,
    /// One bit for each partition with an outbox above the limit.
    crowded: Arc<AtomicU32>,
    end: Mutex<End>,
    /// Some partition has failed: the others stop where they are.
    failed: AtomicBool,
    first_failure: OnceLock<PartitionId>,
}

#[derive(Default)]
struct End {
    /// Envelopes that have left their sender and are not done by their receiver, what it says in turn included.
    in_flight: u64,
    /// One bit for each partition that has been told to stop and has nothing left of what it was asked.
    idle: u32,
}

impl Links {
    pub(crate) fn new(lanes: Vec<Arc<Queue>>, crowded: Arc<AtomicU32>, marks: Arc<Marks>) -> Self {
        Self {
            lanes,
            marks,
            crowded,
            end: Mutex::default(),
            failed: AtomicBool::new(false),
            first_failure: OnceLock::new(),
        }
    }

    /// All partitions.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..u8::try_from(self.lanes.len()).expect("at most 32")).map(PartitionId)
    }

    /// True when there is one partition.
    pub(crate) fn is_alone(&self) -> bool {
        self.lanes.len() == 1
    }

    /// True when the partition runs in this process.
    pub(crate) fn has(&self, partition: PartitionId) -> bool {
        partition.index() < self.lanes.len()
    }

    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands envelopes to their receiver, oldest first.
    pub(crate) fn send(&self, to: PartitionId, envelopes: Vec<Arc<Envelope>>) {
        let count = u64::try_from(envelopes.len()).expect("fits");
        self.end().in_flight += count;
        self.lanes[to.index()].deliver(envelopes);
    }

    /// A receiver is done with so many envelopes: they are durable, and what it had to say to them is sent.
    pub(crate) fn done(&self, envelopes: u64) {
        if envelopes == 0 {
            return;
        }
        let mut end = self.end();
        end.in_flight -= envelopes;
        if end.in_flight == 0 {
            drop(end);
            // Whoever waits for the end looks again.
            self.nudge_idle();
        }
    }

    fn nudge_idle(&self) {
        let idle = self.end().idle;
        for (at, lane) in self.lanes.iter().enumerate() {
            if idle & (1 << at) != 0 {
                lane.nudge();
            }
        }
    }

    /// A partition that was told to stop has nothing left to do. True when that goes for all, and nothing is on its way.
    pub(crate) fn is_over(&self, own: PartitionId) -> bool {
        let mut end = self.end();
        let everybody = u32::MAX >> (u32::BITS - u32::try_from(self.lanes.len()).expect("at most 32"));
        let was_idle = end.idle & lane_bit(own) != 0;
        end.idle |= lane_bit(own);
        let over = end.idle == everybody && end.in_flight == 0;
        drop(end);
        if over && !was_idle {
            self.nudge_idle();
        }
        over
    }

    /// The mark of what is durable at `own` of what it has to say to another one.
    pub(crate) fn say(&self, own: PartitionId, to: PartitionId, said: u64) {
        self.marks.said[to.index()][own.index()].store(said, Ordering::Release);
    }

    /// The mark of what is durable at `own` of what `from` said.
    pub(crate) fn mark(&self, own: PartitionId, from: PartitionId, taken: u64) {
        self.marks.taken[own.index()][from.index()].store(taken, Ordering::Release);
    }

    /// What is durable at `by` of what `own` said.
    pub(crate) fn taken(&self, by: PartitionId, own: PartitionId) -> u64 {
        self.marks.taken[by.index()][own.index()].load(Ordering::Acquire)
    }

    /// Whether some outbox of `own` is above the limit.
    pub(crate) fn set_crowded(&self, own: PartitionId, is_crowded: bool) {
        let bit = lane_bit(own);
        let is_set = self.crowded.load(Ordering::Relaxed) & bit != 0;
        if is_crowded && !is_set {
            self.crowded.fetch_or(bit, Ordering::Relaxed);
        } else if !is_crowded && is_set {
            self.crowded.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Has the crowded partitions among the senders look what was taken meanwhile.
    pub(crate) fn nudge_crowded(&self, own: PartitionId) {
        let crowded = self.crowded.load(Ordering::Relaxed) & !lane_bit(own);
        for (at, lane) in self.lanes.iter().enumerate() {
            if crowded & (1 << at) != 0 {
                lane.nudge();
            }
        }
    }

    /// A partition has failed: nobody goes on.
    pub(crate) fn fail(&self, own: PartitionId) {
        let _ = self.first_failure.set(own);
        self.failed.store(true, Ordering::Release);
        for lane in &self.lanes {
            lane.stop();
            // Also those that have stopped, and wait for what others may still say.
            lane.nudge();
        }
    }

    /// The partition that has failed, if one has.
    pub(crate) fn failed(&self) -> Option<PartitionId> {
        if self.failed.load(Ordering::Acquire) { self.first_failure.get().copied() } else { None }
    }
}
