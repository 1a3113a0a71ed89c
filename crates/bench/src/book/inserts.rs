//! Orders that only come to rest: the yardstick that backends of this kind are usually shown with.

use std::time::{Duration, Instant};

use simulator::trace::{Shape, Trace};
use simulator::walking::Message;

use super::contender::{Contender, answer_all};
use super::heap::Heap;
use super::ours::Ours;
use super::report::Tally;
use super::sorted::Sorted;
use crate::Measurement;

/// Each is measured so often, and the median counts.
const ROUNDS: usize = 11;

fn median<C: Contender + Default>(messages: &[Message]) -> Duration {
    let mut passes = [Duration::ZERO; ROUNDS];
    for pass in &mut passes {
        let (mut book, mut tally) = (C::default(), Tally::default());
        let start = Instant::now();
        answer_all(&mut book, messages, messages.len(), &mut tally);
        *pass = start.elapsed();
        assert_eq!((tally.acks, tally.trades), (messages.len() as u64, 0), "all come to rest");
    }
    passes.sort_unstable();
    passes[ROUNDS / 2]
}

/// So many orders, at random prices of trace D, into an empty book: a sorted array, a heap, ours.
pub fn run(orders: u32) -> [Measurement; 3] {
    let shape = Shape { warm: orders.max(1), operations: 0, ..Shape::DEEP };
    let messages: Vec<_> = Trace::new(&shape).records.into_iter().map(Message::from).collect();
    let found = |name: &str, elapsed| {
        Measurement::new(format!("{name}, {} inserts", messages.len()), messages.len() as u64, elapsed, 0)
    };
    let [array, heap, ours] = [
        found("sorted array", median::<Sorted>(&messages)),
        found("binary heap", median::<Heap>(&messages)),
        found("book alone", median::<Ours>(&messages)),
    ];
    let ratios = format!(
        "array : heap : ours = 1 : {:.1} : {:.1}",
        heap.per_second / array.per_second,
        ours.per_second / array.per_second
    );
    [array, heap, ours.with_remark(ratios)]
}
