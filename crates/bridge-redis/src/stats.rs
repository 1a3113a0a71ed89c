//! What is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Of all sources.
#[derive(Debug, Default)]
pub struct Stats {
    /// In the order of the settings.
    pub sources: Vec<Arc<SourceStats>>,
}

/// Of one source.
#[derive(Debug, Default)]
pub struct SourceStats {
    /// What it is called.
    pub name: String,
    /// Entries that were taken, durable and acknowledged, those that had been taken before included.
    pub(crate) taken: AtomicU64,
    /// Entries that came again.
    pub(crate) repeated: AtomicU64,
    /// Entries that were put aside.
    pub(crate) dead_lettered: AtomicU64,
    /// Entries that are read and not acknowledged.
    pub(crate) in_flight: AtomicU64,
    /// This instance reads the stream.
    pub(crate) active: AtomicBool,
    /// Results that were written.
    pub(crate) replies: AtomicU64,
    /// By partition: commands whose results are not looked for yet.
    pub(crate) reply_lag: Vec<AtomicU64>,
}

impl SourceStats {
    pub(crate) fn new(name: &str, partitions: usize) -> Self {
        let reply_lag = (0..partitions).map(|_| AtomicU64::new(0)).collect();
        Self { name: name.to_owned(), reply_lag, ..Self::default() }
    }

    /// Entries that are durable and acknowledged, those that came again included.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Entries that came again.
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// Entries that were put aside.
    pub fn dead_lettered(&self) -> u64 {
        self.dead_lettered.load(Ordering::Relaxed)
    }

    /// Entries that are read and not acknowledged.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether this instance reads the stream.
    pub fn active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Results that were written.
    pub fn replies(&self) -> u64 {
        self.replies.load(Ordering::Relaxed)
    }

    /// Commands of the partition that is furthest behind, whose results are not written yet.
    pub fn reply_lag(&self) -> u64 {
        self.reply_lag.iter().map(|lag| lag.load(Ordering::Relaxed)).max().unwrap_or_default()
    }
}
