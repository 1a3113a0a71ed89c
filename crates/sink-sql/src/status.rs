//! What a writer does, for those who watch it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use model::{EventSeq, TimeNs};

/// What a writer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It writes, or waits for something to write.
    Writing,
    /// The database does not take what it has; it tries again.
    Retrying,
    /// It has ended: asked to, or for good; the log says why.
    Stopped,
}

/// Numbers that a writer keeps up to date.
#[derive(Debug)]
pub struct Status {
    state: AtomicU8,
    event_seq: AtomicU64,
    /// When the oldest event happened that is not written yet; 0 where there is none.
    pending_since_ns: AtomicU64,
    transactions: AtomicU64,
    events: AtomicU64,
    rows: AtomicU64,
    failures: AtomicU64,
}

impl Status {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(State::Writing as u8),
            event_seq: AtomicU64::new(0),
            pending_since_ns: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            events: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// What it is at.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            tag if tag == State::Writing as u8 => State::Writing,
            tag if tag == State::Retrying as u8 => State::Retrying,
            _ => State::Stopped,
        }
    }

    /// The last event that is in the database.
    pub fn event_seq(&self) -> EventSeq {
        EventSeq(self.event_seq.load(Ordering::Acquire))
    }

    /// How old the oldest event is that is not in the database yet, by the clock `now`.
    pub fn lag(&self, now: TimeNs) -> Duration {
        match self.pending_since_ns.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            since => Duration::from_nanos(now.0.saturating_sub(since)),
        }
    }

    /// Transactions since the start.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Events written since the start.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Rows written since the start.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// How often the database did not take something, since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stands_at(&self, event_seq: EventSeq) {
        self.event_seq.store(event_seq.0, Ordering::Release);
    }

    pub(crate) fn pending(&self, since: Option<TimeNs>) {
        self.pending_since_ns.store(since.map_or(0, |time| time.0), Ordering::Release);
    }

    pub(crate) fn wrote(&self, events: usize, rows: usize) {
        let count = |number: usize| u64::try_from(number).expect("fits");
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.events.fetch_add(count(events), Ordering::Relaxed);
        self.rows.fetch_add(count(rows), Ordering::Relaxed);
    }
}
