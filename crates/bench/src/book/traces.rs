//! The traces S and D: one market that stays where it is, shallow or deep.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use simulator::trace::{Shape, Trace};
use simulator::walking::Message;

use super::contender::{Contender, answer, answer_all};
use super::report::Tally;
use crate::Measurement;

/// A trace as messages, with what must come of it.
pub struct Prepared {
    trace: Trace,
    warm: usize,
    messages: Vec<Message>,
}

impl Prepared {
    /// Makes the trace.
    pub fn new(shape: &Shape) -> Self {
        let trace = Trace::new(shape);
        let messages = trace.records.iter().copied().map(Message::from).collect();
        Self { trace, warm: shape.warm as usize, messages }
    }

    fn operations(&self) -> u64 {
        (self.messages.len() - self.warm) as u64
    }

    fn check(&self, name: &str, found: &Tally) {
        let wanted = &self.trace.totals;
        assert_eq!(
            (found.trades, found.volume, found.check, found.cancels, found.cancel_rejects),
            (wanted.trades, wanted.volume, wanted.check, wanted.cancels, 0),
            "{name}: trades, volume, check value, cancels and refused cancels are those of the trace"
        );
    }

    /// One pass in batches of `bound`, without any time stamps inside. Panics when the book is wrong.
    pub fn pass<C: Contender + Default>(&self, name: &str, bound: usize) -> Duration {
        let (mut book, mut tally) = (C::default(), Tally::default());
        let (warm, measured) = self.messages.split_at(self.warm);
        answer_all(&mut book, warm, bound, &mut tally);
        let start = Instant::now();
        answer_all(&mut book, measured, bound, &mut tally);
        let elapsed = start.elapsed();
        self.check(name, black_box(&tally));
        elapsed
    }

    /// Each message timed, one by one: nanoseconds, those that it takes to read the clock included.
    pub fn latency<C: Contender + Default>(&self, name: &str) -> Histogram<u64> {
        let (mut book, mut tally) = (C::default(), Tally::default());
        let (warm, measured) = self.messages.split_at(self.warm);
        answer_all(&mut book, warm, warm.len(), &mut tally);
        let mut nanos =
            Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("bounds that hold a histogram");
        let mut before = Instant::now();
        for message in measured {
            answer(&mut book, message, &mut tally);
            let after = Instant::now();
            nanos.saturating_record(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX).max(1));
            before = after;
        }
        self.check(name, &tally);
        nanos
    }

    /// The median of `rounds` passes, the best of them, and the latency.
    pub fn measure<C: Contender + Default>(&self, name: &str, bound: usize, rounds: usize) -> Measurement {
        let mut passes: Vec<_> = (0..rounds.max(1)).map(|_| self.pass::<C>(name, bound)).collect();
        passes.sort_unstable();
        let nanos = self.latency::<C>(name);
        let operations = self.operations();
        let best = per_second(operations, passes[0]);
        Measurement::new(name, operations, passes[passes.len() / 2], 0).with_latency(&nanos).with_figures([
            ("best_per_second", rounded(best)),
            ("p50_ns", nanos.value_at_quantile(0.5)),
            ("p99_ns", nanos.value_at_quantile(0.99)),
            ("p99_9_ns", nanos.value_at_quantile(0.999)),
            ("p99_99_ns", nanos.value_at_quantile(0.9999)),
        ])
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn per_second(operations: u64, elapsed: Duration) -> f64 {
    operations as f64 / elapsed.as_secs_f64()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for people, above zero"
)]
pub(super) fn rounded(figure: f64) -> u64 {
    figure.round() as u64
}
