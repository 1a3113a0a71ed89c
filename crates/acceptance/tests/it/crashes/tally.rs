//! How much was acknowledged in a round, so that the moment of a kill is a matter of counting, not of the clock.

use std::sync::{Condvar, Mutex, PoisonError};

#[derive(Default)]
struct Counts {
    acknowledged: u64,
    running: usize,
}

/// Counts what several clients do at once.
#[derive(Default)]
pub struct Tally {
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// Counts its client as running until it is dropped.
pub struct Running<'t>(&'t Tally);

impl Tally {
    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// One more client.
    pub fn begin(&self) -> Running<'_> {
        self.change(|counts| counts.running += 1);
        Running(self)
    }

    /// One more acknowledgement.
    pub fn add(&self) {
        self.change(|counts| counts.acknowledged += 1);
    }

    /// Waits for so many acknowledgements, or until no client is left.
    pub fn wait_for(&self, acknowledged: u64) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |counts: &mut Counts| counts.acknowledged < acknowledged && counts.running > 0;
        drop(self.changed.wait_while(counts, waits).unwrap_or_else(PoisonError::into_inner));
    }

    pub fn acknowledged(&self) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).acknowledged
    }

    /// True while a client is at work.
    pub fn is_running(&self) -> bool {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).running > 0
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.change(|counts| counts.running -= 1);
    }
}
