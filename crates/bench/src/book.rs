//! The book alone, without ledger: our `orderbook`, the very one that a partition uses; and beside it other books on the same
//! messages.
//!
//! All messages are made before the clock starts and read from memory. A book that comes to other trades than the stream's own
//! ends the run: a wrong book has no speed. Rivals are what others use ([`flat`], [`tree`]); ancestors are what such backends
//! start from ([`sorted`], [`heap`], and a [`database`] behind every fill), so that every run shows ratios, which a noisy
//! machine leaves alone.

pub mod contender;
pub mod database;
pub mod flat;
pub mod heap;
pub mod inserts;
pub mod memory;
pub mod ours;
#[cfg(feature = "peers")]
pub mod peers;
mod places;
pub mod report;
pub mod ring;
pub mod sorted;
pub mod traces;
pub mod tree;
pub mod walking;

use simulator::trace::Shape;
use simulator::walking::{ORDERS, Scenario, Stream};

use crate::{Measurement, Target};
use contender::Contender;
use flat::Flat;
use heap::Heap;
use ours::Ours;
use sorted::Sorted;
use traces::Prepared;
use tree::Tree;
use walking::Receiver;

/// How the book is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Messages in a batch, at the most; at least one each. The last one is what rivals are measured with.
    pub bounds: Vec<usize>,
    /// Passes over each stream; the median counts.
    pub rounds: usize,
    /// Operations of each trace; a deep book begins with no more orders than that. Figures are comparable at 1,000,000.
    pub operations: u32,
    /// New orders of the walking market. Figures are comparable at 1,000,000.
    pub orders: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { bounds: vec![1, 20, 1_000], rounds: 5, operations: 1_000_000, orders: ORDERS }
    }
}

impl Options {
    /// A trace of so many operations.
    fn shape(&self, shape: Shape) -> Shape {
        Shape { operations: self.operations, warm: shape.warm.min(self.operations), ..shape }
    }

    fn widest(&self) -> usize {
        *self.bounds.last().expect("there is a bound")
    }
}

/// Operations a second that the book is meant to do at least on a trace.
const SHALLOW_PER_SECOND: f64 = 30_000_000.0;
const DEEP_PER_SECOND: f64 = 8_000_000.0;
/// Messages a second in the worst scenario of the walking market, reports handed over.
const WALKING_PER_SECOND: f64 = 8_000_000.0;
/// Messages for an ancestor that needs time in proportion to all that rests.
const SLOW_MESSAGES: usize = 200_000;

/// Traces S and D.
pub fn traces(options: &Options, show: &mut dyn FnMut(Measurement)) {
    for (name, shape, least) in
        [("trace S", Shape::SHALLOW, SHALLOW_PER_SECOND), ("trace D", Shape::DEEP, DEEP_PER_SECOND)]
    {
        let prepared = Prepared::new(&options.shape(shape));
        for &bound in &options.bounds {
            let name = format!("book alone, {name}, batches of {bound}");
            let found = prepared.measure::<Ours>(&name, bound, options.rounds);
            let target = Target::per_second(&found, least);
            show(found.with_target(target));
        }
        let bound = options.widest();
        show(prepared.measure::<Flat>(&format!("flat array, {name}"), bound, options.rounds));
        show(prepared.measure::<Tree>(&format!("tree of levels, {name}"), bound, options.rounds));
        show(prepared.measure::<Heap>(&format!("binary heap, {name}"), bound, options.rounds));
        // With a million orders to shift, the deep trace takes it half an hour.
        if shape == Shape::SHALLOW {
            show(prepared.measure::<Sorted>(&format!("sorted array, {name}"), bound, options.rounds));
        }
    }
}

/// The walking market: our book and its rivals in each scenario and in the worst of them, our book in narrower batches in the
/// worst, the ancestors on the spot.
pub fn walking(options: &Options, show: &mut dyn FnMut(Measurement)) {
    let streams = walking::streams(options.orders);
    let (widest, rounds) = (options.widest(), options.rounds);
    for &bound in &options.bounds {
        for receiver in [Receiver::SameThread, Receiver::OtherThread] {
            let found = scenarios::<Ours>("book alone", &streams, bound, receiver, rounds);
            let worst = worst_of(&found);
            if bound == widest {
                found.into_iter().for_each(&mut *show);
            }
            let target =
                (receiver == Receiver::OtherThread).then(|| Target::per_second(&worst, WALKING_PER_SECOND));
            show(Measurement { target, ..worst });
        }
    }
    for receiver in [Receiver::SameThread, Receiver::OtherThread] {
        for rival in [
            scenarios::<Flat>("flat array", &streams, widest, receiver, rounds),
            scenarios::<Tree>("tree of levels", &streams, widest, receiver, rounds),
        ] {
            let worst = worst_of(&rival);
            rival.into_iter().chain([worst]).for_each(&mut *show);
        }
    }
    show(worst_of(&scenarios::<Heap>("binary heap", &streams, widest, Receiver::SameThread, rounds)));
    for (scenario, stream) in &streams {
        show(beginning::<Sorted>("sorted array", *scenario, stream, widest));
    }
}

/// A book's figures in each scenario.
fn scenarios<C: Contender + Default>(
    book: &str,
    streams: &[(Scenario, Stream)],
    bound: usize,
    receiver: Receiver,
    rounds: usize,
) -> Vec<Measurement> {
    streams.iter().map(|stream| walking::measure::<C>(book, stream, bound, receiver, rounds)).collect()
}

fn worst_of(scenarios: &[Measurement]) -> Measurement {
    let worst = scenarios.iter().min_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let worst = worst.expect("there are scenarios");
    Measurement { name: format!("worst of five: {}", worst.name), ..worst.clone() }
}

/// The first messages of a scenario only, on the spot.
fn beginning<C: Contender + Default>(
    book: &str,
    scenario: Scenario,
    stream: &Stream,
    bound: usize,
) -> Measurement {
    let messages = &stream.messages[..SLOW_MESSAGES.min(stream.messages.len())];
    let (elapsed, found) = walking::pass::<C>(messages, bound, Receiver::SameThread);
    let (_, ours) = walking::pass::<Ours>(messages, bound, Receiver::SameThread);
    assert_eq!(found, ours, "{book}: what happened is what our book says");
    let name = format!("{book}, walking market {}, its first {} messages", scenario.name(), messages.len());
    Measurement::new(name, messages.len() as u64, elapsed, 0)
}

/// Published crates on the traces and, on the spot, on the walking market; one pass each.
#[cfg(feature = "peers")]
pub fn peers(options: &Options, show: &mut dyn FnMut(Measurement)) {
    let bound = options.widest();
    for (trace, shape) in [("trace S", Shape::SHALLOW), ("trace D", Shape::DEEP)] {
        let prepared = Prepared::new(&options.shape(shape));
        show(prepared.measure::<peers::Matchcore>(&format!("matchcore, {trace}"), bound, 1));
        show(prepared.measure::<peers::Lobster>(&format!("lobster, {trace}"), bound, 1));
        show(prepared.measure::<peers::OrderbookRs>(&format!("orderbook-rs, {trace}"), bound, 1));
    }
    let streams = walking::streams(options.orders);
    let here = Receiver::SameThread;
    show(worst_of(&scenarios::<peers::Lobster>("lobster", &streams, bound, here, 1)));
    show(worst_of(&scenarios::<peers::OrderbookRs>("orderbook-rs", &streams, bound, here, 1)));
}

/// Memory for an order at rest.
pub fn memory(options: &Options, show: &mut dyn FnMut(Measurement)) {
    memory::per_order(&options.shape(Shape::DEEP)).into_iter().flatten().for_each(show);
}

/// So many orders enter an empty book and nothing trades: what a sorted array, a heap and our book do a second.
pub fn inserts(orders: u32, show: &mut dyn FnMut(Measurement)) {
    inserts::run(orders).into_iter().for_each(show);
}
