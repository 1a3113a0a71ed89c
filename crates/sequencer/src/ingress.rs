//! The way in: one bounded queue for all gateways. Full means an honest "busy", never an endless wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::Command;

use crate::Session;

/// One command on its way, and who wants to hear what came of it.
pub struct Submission {
    /// What is asked.
    pub command: Command,
    /// Who is told, with which token; `None` when nobody waits.
    pub reply_to: Option<(Arc<dyn Session>, u64)>,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// As many commands wait as the setting allows. Nothing was done; try again.
    Busy {
        /// The setting `ingress_limit`.
        limit: usize,
    },
    /// The program is stopping, or has stopped. Nothing was done.
    Stopped,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { limit } => {
                write!(out, "{limit} commands are waiting, which is the limit; try again")
            }
            Self::Stopped => write!(out, "the exchange is stopping"),
        }
    }
}

impl std::error::Error for SubmitError {}

#[derive(Default)]
struct Waiting {
    submissions: VecDeque<Submission>,
    stopped: bool,
    /// Something other than a submission wants the sequencer's attention.
    nudged: bool,
    consumer_sleeps: bool,
    /// Submissions refused as busy since the start.
    refused: u64,
}

struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    limit: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gateways' end of the queue; clones share it.
#[derive(Clone)]
pub struct Ingress {
    queue: Arc<Queue>,
}

/// The sequencer's end of the queue.
pub(crate) struct Arrivals {
    queue: Arc<Queue>,
}

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Submissions were moved to the caller's buffer.
    Submissions,
    /// Somebody called [`Ingress::nudge`].
    Nudge,
    /// The time is over.
    Timeout,
    /// Stopped, and nothing is left.
    Stopped,
}

/// A queue for at most `limit` waiting commands.
pub(crate) fn queue(limit: usize) -> (Ingress, Arrivals) {
    let queue = Arc::new(Queue { waiting: Mutex::default(), arrived: Condvar::new(), limit });
    (Ingress { queue: Arc::clone(&queue) }, Arrivals { queue })
}

impl Ingress {
    /// Hands in one command. The answer comes through its session, once it is durable.
    pub fn submit(&self, submission: Submission) -> Result<(), SubmitError> {
        let mut waiting = self.queue.lock();
        if waiting.stopped {
            return Err(SubmitError::Stopped);
        }
        if waiting.submissions.len() >= self.queue.limit {
            waiting.refused += 1;
            return Err(SubmitError::Busy { limit: self.queue.limit });
        }
        waiting.submissions.push_back(submission);
        self.wake(waiting);
        Ok(())
    }

    /// Hands in many at once, in order, for one lock; takes from `batch` what fits and leaves the rest.
    pub fn submit_batch(&self, batch: &mut Vec<Submission>) -> Result<(), SubmitError> {
        let mut waiting = self.queue.lock();
        if waiting.stopped {
            return Err(SubmitError::Stopped);
        }
        let fits = self.queue.limit.saturating_sub(waiting.submissions.len()).min(batch.len());
        waiting.submissions.extend(batch.drain(..fits));
        waiting.refused += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.wake(waiting);
        if batch.is_empty() { Ok(()) } else { Err(SubmitError::Busy { limit: self.queue.limit }) }
    }

    /// Commands that wait to be sequenced.
    pub fn waiting(&self) -> usize {
        self.queue.lock().submissions.len()
    }

    /// True once [`Self::stop`] was called, or the sequencer has ended.
    pub fn has_stopped(&self) -> bool {
        self.queue.lock().stopped
    }

    /// Commands that were refused as busy since the start.
    pub fn refused(&self) -> u64 {
        self.queue.lock().refused
    }

    /// Refuses all further commands; those that were taken are still done.
    pub fn stop(&self) {
        let mut waiting = self.queue.lock();
        waiting.stopped = true;
        self.wake(waiting);
    }

    /// Wakes the sequencer without a command.
    pub(crate) fn nudge(&self) {
        let mut waiting = self.queue.lock();
        waiting.nudged = true;
        self.wake(waiting);
    }

    fn wake(&self, waiting: MutexGuard<'_, Waiting>) {
        let sleeps = waiting.consumer_sleeps;
        drop(waiting);
        // A system call only where somebody sleeps.
        if sleeps {
            self.queue.arrived.notify_one();
        }
    }
}

impl Arrivals {
    /// Moves what has arrived, at most `max`, into the empty `batch`; waits up to `timeout` when there is nothing.
    pub(crate) fn take(&self, batch: &mut VecDeque<Submission>, max: usize, timeout: Duration) -> Woken {
        debug_assert!(batch.is_empty(), "the last batch is done");
        let mut waiting = self.queue.lock();
        loop {
            if !waiting.submissions.is_empty() {
                if waiting.submissions.len() <= max {
                    std::mem::swap(batch, &mut waiting.submissions);
                } else {
                    batch.extend(waiting.submissions.drain(..max));
                }
                return Woken::Submissions;
            }
            if std::mem::take(&mut waiting.nudged) {
                return Woken::Nudge;
            }
            if waiting.stopped {
                return Woken::Stopped;
            }
            waiting.consumer_sleeps = true;
            let (guard, timed_out) =
                self.queue.arrived.wait_timeout(waiting, timeout).unwrap_or_else(PoisonError::into_inner);
            waiting = guard;
            waiting.consumer_sleeps = false;
            if timed_out.timed_out() && waiting.submissions.is_empty() && !waiting.nudged && !waiting.stopped
            {
                return Woken::Timeout;
            }
        }
    }
}
