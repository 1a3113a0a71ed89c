//! The partition alone: one thread, with ledger, fees, names and holds; no journal.

use std::time::{Duration, Instant};

use exchange::Partition;
use model::{Event, Seq, Sequenced, TimeNs};

use crate::Measurement;
use crate::flow::{Flow, preparation};

/// Commands made before the clock is started again.
const PIECE: usize = 65_536;

/// A partition with markets, accounts and money, and the flow that goes on from there.
pub fn prepared() -> (Partition, Flow) {
    let mut partition = Partition::default();
    let mut events = Vec::new();
    let commands = preparation();
    for (command, seq) in commands.iter().zip(1..) {
        partition
            .apply(&Sequenced { seq: Seq(seq), time_ns: TimeNs(seq), command: command.clone() }, &mut events);
        assert!(
            !events.iter().any(|event| matches!(event, Event::Rejected { .. })),
            "the preparation is accepted"
        );
        events.clear();
    }
    (partition, Flow::new(commands.len()))
}

/// Applies the first `limit` commands of the flow, or all of it.
pub fn run(limit: usize) -> Measurement {
    let (mut partition, mut flow) = prepared();
    let mut commands = Vec::with_capacity(PIECE);
    let mut events: Vec<Event> = Vec::with_capacity(1 << 20);
    let mut elapsed = Duration::ZERO;
    let (mut done, mut rejects) = (0, 0);
    while done < limit {
        commands.clear();
        flow.fill(PIECE.min(limit - done), &mut commands);
        if commands.is_empty() {
            break;
        }
        events.clear();
        let start = Instant::now();
        for command in &commands {
            partition.apply(command, &mut events);
        }
        elapsed += start.elapsed();
        done += commands.len();
        rejects += events.iter().filter(|event| matches!(event, Event::Rejected { .. })).count();
    }
    Measurement::new(
        "partition, one thread, with ledger",
        u64::try_from(done).expect("fits"),
        elapsed,
        u64::try_from(rejects).expect("fits"),
    )
}
