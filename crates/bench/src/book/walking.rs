//! The walking market: five scenarios, each message answered by reports, with and without handing those to another thread.

use std::thread;
use std::time::{Duration, Instant};

use simulator::walking::{Message, SEED, Scenario, Stream};

use super::contender::{Contender, answer_all};
use super::report::Tally;
use super::ring::ring;
use super::traces::{per_second, rounded};
use crate::Measurement;

/// Who gets the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// The thread that matches, on the spot.
    SameThread,
    /// Another thread, through a ring, batch by batch.
    OtherThread,
}

impl Receiver {
    const fn name(self) -> &'static str {
        match self {
            Self::SameThread => "reports counted on the spot",
            Self::OtherThread => "reports handed to another thread",
        }
    }
}

/// Slots of the ring: with 32 bytes each they stay in the second-level cache.
const SLOTS: usize = 8_192;

/// Has a book answer the messages, and counts all reports. The clock stops when the last of them has been counted.
pub fn pass<C: Contender + Default>(
    messages: &[Message],
    bound: usize,
    receiver: Receiver,
) -> (Duration, Tally) {
    let (mut book, mut tally) = (C::default(), Tally::default());
    match receiver {
        Receiver::SameThread => {
            let start = Instant::now();
            answer_all(&mut book, messages, bound, &mut tally);
            (start.elapsed(), tally)
        }
        Receiver::OtherThread => thread::scope(|threads| {
            let (mut writer, reader) = ring(SLOTS);
            let reading = threads.spawn(move || {
                let mut tally = Tally::default();
                reader.pass_all_to(&mut tally);
                tally
            });
            let start = Instant::now();
            answer_all(&mut book, messages, bound, &mut writer);
            drop(writer);
            let tally = reading.join().expect("the reader reads to the end");
            (start.elapsed(), tally)
        }),
    }
}

/// Panics when a book did anything else than the stream says.
pub fn check(name: &str, stream: &Stream, found: &Tally) {
    let wanted = &stream.totals;
    let tally = Tally {
        acks: wanted.orders,
        trades: wanted.trades,
        volume: wanted.volume,
        check: wanted.check,
        cancels: wanted.cancels,
        modifies: wanted.modifies,
        cancel_rejects: wanted.late_cancels,
        modify_rejects: wanted.late_modifies,
        orders: found.orders,
    };
    assert_eq!(*found, tally, "{name}: what happened is what the stream says");
}

/// The streams of all scenarios, with so many new orders.
pub fn streams(orders: u32) -> Vec<(Scenario, Stream)> {
    Scenario::ALL.map(|scenario| (scenario, Stream::new(scenario, orders, SEED))).into()
}

/// One scenario: the median of `rounds` passes, after one that is not timed.
pub fn measure<C: Contender + Default>(
    book: &str,
    (scenario, stream): &(Scenario, Stream),
    bound: usize,
    receiver: Receiver,
    rounds: usize,
) -> Measurement {
    let name = format!("{book}, walking market {}, {}, batches of {bound}", scenario.name(), receiver.name());
    let one = || {
        let (elapsed, tally) = pass::<C>(&stream.messages, bound, receiver);
        check(&name, stream, &tally);
        (elapsed, tally.reports())
    };
    let (_, reports) = one();
    let mut passes: Vec<_> = (0..rounds.max(1)).map(|_| one().0).collect();
    passes.sort_unstable();
    let messages = stream.messages.len() as u64;
    Measurement::new(&name, messages, passes[passes.len() / 2], 0).with_figures([
        ("reports", reports),
        ("most_resting", stream.totals.most_resting),
        ("trades", stream.totals.trades),
        ("best_per_second", rounded(per_second(messages, passes[0]))),
    ])
}
