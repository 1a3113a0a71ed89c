//! The way out: past the gate, to the sessions that wait for an answer and to the subscribers that read everything.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use model::{Event, EventBatch, EventSeq, PartitionId, Seq, TimeNs};

use crate::Stats;

/// Somebody who hands in commands and hears what came of them: for each command that was taken, exactly one of the two.
/// Called on the sequencer's thread: do no more than pass it on. A panic here stops the program, once all others were told.
pub trait Session: Send + Sync {
    /// `reply` is durable. `token` is what was given with the command.
    fn deliver(&self, token: u64, reply: Reply);

    /// The program stops, and cannot tell what became of the command that `token` stands for: perhaps it is in the journal,
    /// and will have been done after the next start, perhaps not. Do not answer that it failed.
    fn abandon(&self, token: u64);
}

/// What came of one command: the events of a place in a batch, and where other partitions had a part in the answer, those of
/// later places.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The last part.
    batch: Arc<EventBatch>,
    index: usize,
    /// The parts before it.
    earlier: Vec<(Arc<EventBatch>, usize)>,
    /// All parts together, once somebody wants to see them.
    joined: OnceLock<Vec<Event>>,
    partition: PartitionId,
}

impl Reply {
    pub(crate) const fn new(partition: PartitionId, batch: Arc<EventBatch>, index: usize) -> Self {
        Self { batch, index, earlier: Vec::new(), joined: OnceLock::new(), partition }
    }

    /// Puts parts of the answer before it.
    pub(crate) fn after(mut self, earlier: Vec<(Arc<EventBatch>, usize)>) -> Self {
        self.earlier = earlier;
        self
    }

    /// Whose journal [`Self::seq`] counts in: that of the partition where the command was sequenced.
    pub const fn partition(&self) -> PartitionId {
        self.partition
    }

    /// The place in the journal where the answer was complete: that of the command, or of the last envelope that was a part of
    /// the answer.
    pub fn seq(&self) -> Seq {
        let index = u64::try_from(self.index).expect("a batch is small");
        Seq(self.batch.first_seq.0.checked_add(index).expect("sequences do not run out"))
    }

    /// When what it tells happened: the time of that place, or, where another partition has told the last part of it, the time
    /// there.
    pub fn time_ns(&self) -> TimeNs {
        match self.batch.events_of(self.index).first() {
            Some(Event::Heard { time_ns, .. }) => *time_ns,
            Some(_) | None => self.batch.time_ns,
        }
    }

    /// What it caused, in order. Events of other accounts may be among them.
    pub fn events(&self) -> &[Event] {
        let last = self.batch.events_of(self.index);
        if self.earlier.is_empty() {
            return last;
        }
        self.joined.get_or_init(|| self.all().cloned().collect())
    }

    /// The events where they are.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Event> {
        let earlier = self.earlier.iter().flat_map(|(batch, index)| batch.events_of(*index));
        earlier.chain(self.batch.events_of(self.index))
    }
}

#[derive(Default)]
struct Mailbox {
    batches: VecDeque<Arc<EventBatch>>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    arrived: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reader of everything that passes the gate from the moment it was made, in order and without gaps.
pub struct Subscription {
    shared: Arc<Shared>,
}

impl Subscription {
    /// All batches that have come, oldest first; waits up to `timeout` for the first. Empty when the time is over;
    /// `None` when the program has stopped and all was read.
    pub fn wait(&self, timeout: Duration) -> Option<VecDeque<Arc<EventBatch>>> {
        let nothing = |mailbox: &mut Mailbox| mailbox.batches.is_empty() && !mailbox.closed;
        let (mut mailbox, _) = self
            .shared
            .arrived
            .wait_timeout_while(self.shared.lock(), timeout, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        if mailbox.batches.is_empty() && mailbox.closed {
            return None;
        }
        Some(std::mem::take(&mut mailbox.batches))
    }
}

/// What has passed the gate, for those who follow it. Clones share it.
#[derive(Clone, Default)]
pub struct Egress {
    inner: Arc<EgressInner>,
}

#[derive(Default)]
struct EgressInner {
    released: AtomicU64,
    released_events: AtomicU64,
    stats: Stats,
    subscribers: Mutex<Subscribers>,
}

#[derive(Default)]
struct Subscribers {
    mailboxes: Vec<Arc<Shared>>,
    /// Who comes now is too late.
    closed: bool,
}

impl Egress {
    /// The last command whose events are out. A view that has applied this much knows everything that anybody was told.
    pub fn released_seq(&self) -> Seq {
        Seq(self.inner.released.load(Ordering::Acquire))
    }

    /// The last event that is out: how far the event log comes, or is about to.
    pub fn released_event_seq(&self) -> EventSeq {
        EventSeq(self.inner.released_events.load(Ordering::Acquire))
    }

    /// What was counted until now.
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// Follows everything that is released from now on.
    pub fn subscribe(&self) -> Subscription {
        let shared = Arc::new(Shared::default());
        let mut subscribers = self.subscribers();
        shared.lock().closed = subscribers.closed;
        subscribers.mailboxes.push(Arc::clone(&shared));
        Subscription { shared }
    }

    /// Where a recovered partition stands, before anything new is released.
    pub(crate) fn start_at(&self, seq: Seq, event_seq: EventSeq) {
        self.inner.released.store(seq.0, Ordering::Release);
        self.inner.released_events.store(event_seq.0, Ordering::Release);
    }

    /// Lets one durable batch out: first the position, then the subscribers, so that nobody who was told of a command
    /// finds a position before it.
    pub(crate) fn release(&self, batch: &Arc<EventBatch>) {
        self.inner.released.store(batch.last_seq().0, Ordering::Release);
        let next = batch.next_event_seq().0;
        self.inner.released_events.store(next.saturating_sub(1), Ordering::Release);
        // A subscription that was dropped leaves us the only owner of its mailbox.
        self.subscribers().mailboxes.retain(|shared| {
            if Arc::strong_count(shared) == 1 {
                return false;
            }
            shared.lock().batches.push_back(Arc::clone(batch));
            shared.arrived.notify_one();
            true
        });
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        let mut subscribers = self.subscribers();
        subscribers.closed = true;
        for shared in &subscribers.mailboxes {
            shared.lock().closed = true;
            shared.arrived.notify_all();
        }
    }

    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.inner.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock reading that a batch is stamped with, never before `last`: a clock set back does no harm.
pub(crate) fn stamp(now: std::time::SystemTime, last: TimeNs) -> TimeNs {
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    TimeNs(u64::try_from(now).unwrap_or(u64::MAX)).max(last)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn time_is_that_of_the_clock_and_never_before_the_last() {
        let clock = UNIX_EPOCH + Duration::from_micros(1);
        assert_eq!(stamp(clock, TimeNs(0)), TimeNs(1_000));
        assert_eq!(stamp(clock, TimeNs(999)), TimeNs(1_000));
        assert_eq!(stamp(clock, TimeNs(1_000)), TimeNs(1_000));
        // Set back.
        assert_eq!(stamp(clock, TimeNs(5_000)), TimeNs(5_000));
    }

    #[test]
    fn a_clock_that_is_out_of_its_mind_does_no_harm() {
        let before_1970 = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(stamp(before_1970, TimeNs(7)), TimeNs(7));
        let far_away = UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(stamp(far_away, TimeNs(7)), TimeNs(u64::MAX), "more than 64 bits of nanoseconds");
    }
}
