//! The yardsticks. Each measures one part on a fixed flow and gives back a [`Measurement`]; printing is the program's matter.

pub mod durable;
pub mod flow;
pub mod partition;

use std::time::Duration;

/// What one yardstick found.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// What was measured.
    pub name: &'static str,
    /// How many commands.
    pub commands: u64,
    /// In what time.
    pub elapsed: Duration,
    /// Commands that were refused.
    pub rejects: u64,
}

impl Measurement {
    /// Commands a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn per_second(&self) -> f64 {
        self.commands as f64 / self.elapsed.as_secs_f64()
    }
}
