//! What is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::PartitionId;

/// Of all sources.
#[derive(Debug, Default)]
pub struct Stats {
    /// In the order of the settings.
    pub sources: Vec<Arc<SourceStats>>,
    /// Where there is a cache.
    pub cache: Option<Arc<CacheStats>>,
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

/// Of the cache.
#[derive(Debug)]
pub struct CacheStats {
    /// By partition: when Redis last had all that there was.
    fresh: Mutex<Vec<Instant>>,
    /// Commands that were sent.
    pub(crate) commands: AtomicU64,
}

impl CacheStats {
    pub(crate) fn new(partitions: usize) -> Self {
        Self { fresh: Mutex::new(vec![Instant::now(); partitions]), commands: AtomicU64::new(0) }
    }

    /// Redis has all that there is.
    pub(crate) fn fresh(&self, partition: PartitionId) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)[partition.index()] = Instant::now();
    }

    /// How long ago Redis had all that there was, at the most.
    pub fn age(&self) -> Duration {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.iter().map(Instant::elapsed).max().unwrap_or_default()
    }

    /// Commands that were sent.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }
}
