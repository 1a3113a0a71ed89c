//! The book alone, without ledger: our `orderbook`, the very one that a partition uses.
//!
//! All messages are made before the clock starts and read from memory. A book that comes to other trades than the stream's own
//! ends the run: a wrong book has no speed.

pub mod contender;
pub mod memory;
pub mod ours;
pub mod report;
pub mod traces;

use simulator::trace::Shape;

use crate::{Measurement, Target};
use ours::Ours;
use traces::Prepared;

/// How the book is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Messages in a batch, at the most; at least one.
    pub bound: usize,
    /// Passes over each stream; the median counts.
    pub rounds: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { bound: 1_000, rounds: 5 }
    }
}

/// Traces S and D.
pub fn traces(options: &Options, show: &mut impl FnMut(Measurement)) {
    for (name, shape, least) in
        [("trace S", Shape::SHALLOW, 30_000_000.0), ("trace D", Shape::DEEP, 8_000_000.0)]
    {
        let prepared = Prepared::new(&shape);
        let found = prepared.measure::<Ours>(&format!("book alone, {name}"), options.bound, options.rounds);
        let target = Target::per_second(&found, least);
        show(found.with_target(target));
    }
}

/// Memory for an order at rest.
pub fn memory(show: &mut impl FnMut(Measurement)) {
    memory::per_order().into_iter().flatten().for_each(show);
}
