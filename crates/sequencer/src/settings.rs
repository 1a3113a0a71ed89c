//! What an operator may choose.

use std::time::Duration;

/// Bounds and habits; `default()` is right for nearly everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Commands that may wait to be sequenced in each partition; more are refused as "busy". At least 1.
    pub ingress_limit: usize,
    /// Envelopes to another partition that it has not taken yet; while some partition has more, commands are refused as "busy".
    /// At least 1. One partition alone has none.
    pub outbox_limit: usize,
    /// Commands in one batch at the most, that is behind one sync. At least 1.
    pub batch_max_commands: usize,
    /// A partition's snapshot is taken after so many of its commands. At least 1.
    pub snapshot_every_commands: u64,
    /// A [`model::Command::Tick`] is sequenced when so much time has passed without any command; where contracts live, in each second at
    /// the latest.
    pub tick: Duration,
}

impl Settings {
    /// Panics on a value outside its range: the program checks settings, with their lines, when it reads them.
    pub(crate) fn assert_in_range(&self) {
        assert!(self.ingress_limit >= 1, "at least one command may wait");
        assert!(self.outbox_limit >= 1, "at least one envelope may wait");
        assert!(self.batch_max_commands >= 1, "a batch has at least one command");
        assert!(self.snapshot_every_commands >= 1, "a snapshot has at least one command more than the last");
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ingress_limit: 100_000,
            outbox_limit: 65_536,
            batch_max_commands: 4_096,
            snapshot_every_commands: 2_000_000,
            tick: Duration::from_secs(1),
        }
    }
}
