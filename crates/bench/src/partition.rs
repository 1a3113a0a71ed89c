//! The partition alone: one thread, with ledger, fees, names and holds; no journal. Throughput, and in a pass of its own how
//! long one command takes.

use std::time::{Duration, Instant};

use exchange::Partition;
use hdrhistogram::Histogram;
use model::{Command, Event, Seq, Sequenced, TimeNs};

use crate::flow::{Flow, Shape, preparation};
use crate::{Measurement, Target};

/// Commands made before the clock is started again.
const PIECE: usize = 65_536;
/// Events are handed away after so many commands, as a batch of the sequencer's is.
const BATCH: usize = 1_000;
/// Commands a second that the partition should apply.
const WANTED_PER_SECOND: f64 = 5_000_000.0;
/// Microseconds that 999 of 1,000 commands may take at the most.
const WANTED_P999_US: f64 = 3.0;

/// A partition with markets, accounts and money, and the flow that goes on from there.
pub fn begun(shape: &Shape) -> (Partition, Flow) {
    let mut partition = Partition::default();
    let mut events = Vec::new();
    let commands = preparation(shape);
    let count = commands.len();
    for (command, seq) in commands.into_iter().zip(1..) {
        partition.apply(&Sequenced { seq: Seq(seq), time_ns: TimeNs(seq), command }, &mut events);
        assert_eq!(refused(&mut events), 0, "the preparation is accepted");
    }
    (partition, Flow::new(shape, count))
}

/// A partition of the standard flow, its books filled, and what follows.
pub fn prepared() -> (Partition, Flow) {
    prepared_for(&Shape::STANDARD)
}

/// As [`prepared`], of any shape.
pub fn prepared_for(shape: &Shape) -> (Partition, Flow) {
    let (mut partition, mut flow) = begun(shape);
    let (mut commands, mut events) = (Vec::new(), Vec::new());
    let mut left = flow.warm_up();
    while left > 0 {
        commands.clear();
        flow.fill(PIECE.min(left), &mut commands);
        left -= PIECE.min(left);
        for command in &commands {
            partition.apply(command, &mut events);
        }
        assert_eq!(refused(&mut events), 0, "the books are filled");
    }
    (partition, flow)
}

/// Takes all events away. How many of them refuse something.
pub(crate) fn refused(events: &mut Vec<Event>) -> u64 {
    let mut refused = 0;
    for event in events.drain(..) {
        refused += u64::from(matches!(event, Event::Rejected { .. }));
    }
    refused
}

/// Applies so many commands of the standard flow.
pub fn run(commands: usize) -> Measurement {
    let found = throughput("partition, one thread, with ledger", &Shape::STANDARD, commands);
    let target = Target::per_second(&found, WANTED_PER_SECOND);
    found.with_target(target)
}

/// Applies so many commands of a flow, then as many again with a time stamp between any two of them.
pub fn run_all(shape: &Shape, commands: usize, show: &mut dyn FnMut(Measurement)) {
    let is_standard = *shape == Shape::STANDARD;
    show(if is_standard {
        run(commands)
    } else {
        throughput("partition, one thread, another flow", shape, commands)
    });
    show(timed(shape, commands));
}

/// Applies so many commands of a flow. The clock stands while they are made.
pub fn throughput(name: impl Into<String>, shape: &Shape, commands: usize) -> Measurement {
    let mut elapsed = Duration::ZERO;
    let mut rejects = 0;
    let mut events = Vec::new();
    let mut rates = Vec::new();
    in_pieces(shape, commands, |partition, piece| {
        let start = Instant::now();
        for batch in piece.chunks(BATCH) {
            partition.apply_all(batch, &mut events, |_, _| ());
            rejects += refused(&mut events);
        }
        let took = start.elapsed();
        elapsed += took;
        if piece.len() > PIECE / 2 {
            rates.push(f64::from(u32::try_from(piece.len()).expect("a piece is small")) / took.as_secs_f64());
        }
    });
    let found = Measurement::new(name, u64::try_from(commands).expect("fits"), elapsed, rejects);
    rates.sort_by(f64::total_cmp);
    match (rates.get(rates.len() * 9 / 10), rates.get(rates.len() / 2)) {
        // Other programs slow down some pieces and leave others alone.
        (Some(best_tenth), Some(middle)) => {
            found.with_remark(format!(
                "of pieces of {PIECE} commands half were faster than {middle:.0} commands/s, a tenth faster than {best_tenth:.0}"
            ))
        }
        _ => found,
    }
}

/// How long one command of a flow takes.
pub fn timed(shape: &Shape, commands: usize) -> Measurement {
    let mut nanos: Histogram<u64> = Histogram::new(3).expect("three digits are within its range");
    let mut rejects = 0;
    let mut elapsed = Duration::ZERO;
    let mut events = Vec::new();
    let mut taken: Vec<u64> = Vec::with_capacity(BATCH);
    in_pieces(shape, commands, |partition, piece| {
        for batch in piece.chunks(BATCH) {
            let start = Instant::now();
            let mut before = start;
            for command in batch {
                // As the sequencer does it with a command that comes alone.
                partition.apply_all(std::slice::from_ref(command), &mut events, |_, _| ());
                let now = Instant::now();
                taken.push(u64::try_from((now - before).as_nanos()).unwrap_or(u64::MAX));
                before = now;
            }
            elapsed += before - start;
            rejects += refused(&mut events);
            for taken in taken.drain(..) {
                nanos.record(taken).expect("the histogram grows with what it is given");
            }
        }
    });
    let time_stamp_ns = time_stamp_ns();
    let count = u64::try_from(commands).expect("fits");
    let found = Measurement::new("partition, each command timed", count, elapsed, rejects);
    let found = found.with_latency(&nanos);
    let met = found.latency.is_some_and(|latency| latency.p999_us <= WANTED_P999_US) && rejects == 0;
    let idle_p999_ns = idle_p999_ns(Duration::from_nanos(nanos.value_at_quantile(0.5)), commands);
    found
        .with_target(Target { wanted: format!("p99.9 {WANTED_P999_US:.0} us"), met })
        .with_figures([
            ("longest_ns", nanos.max()),
            ("time_stamp_ns", time_stamp_ns),
            ("idle_p999_ns", idle_p999_ns),
        ])
        .with_remark(format!(
            "the time stamp between two commands takes {time_stamp_ns} ns, which are in these figures; the longest took {} us; \
             where nothing is done but to wait for p50, p99.9 is {} ns, since the machine stops everybody now and then",
            nanos.max() / 1_000,
            idle_p999_ns
        ))
}

/// How long 999 of 1,000 of so many waits take at the most, each for this time: what the machine alone adds to a figure.
fn idle_p999_ns(wait: Duration, count: usize) -> u64 {
    let mut nanos: Histogram<u64> = Histogram::new(3).expect("three digits are within its range");
    for _ in 0..count {
        let start = Instant::now();
        let took = loop {
            let took = start.elapsed();
            if took >= wait {
                break took;
            }
        };
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        nanos.record(took).expect("the histogram grows with what it is given");
    }
    nanos.value_at_quantile(0.999)
}

/// What reading the clock takes, in half of all cases.
fn time_stamp_ns() -> u64 {
    const COUNT: u32 = 1_000;
    let mut rounds: Vec<Duration> = (0..101)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..COUNT {
                std::hint::black_box(Instant::now());
            }
            start.elapsed() / COUNT
        })
        .collect();
    rounds.sort_unstable();
    u64::try_from(rounds[rounds.len() / 2].as_nanos()).expect("it is short")
}

/// Makes commands piece by piece behind filled books and hands the pieces to `apply`.
fn in_pieces(shape: &Shape, commands: usize, mut apply: impl FnMut(&mut Partition, &[Sequenced<Command>])) {
    let (mut partition, mut flow) = prepared_for(shape);
    let (mut piece, mut events) = (Vec::with_capacity(PIECE), Vec::new());
    let mut left = commands;
    while left > 0 {
        piece.clear();
        let deposits = flow.fill(PIECE.min(left), &mut piece);
        left -= PIECE.min(left);
        let (deposits, piece) = piece.split_at(deposits);
        for deposit in deposits {
            partition.apply(deposit, &mut events);
        }
        assert_eq!(refused(&mut events), 0, "deposits are accepted");
        apply(&mut partition, piece);
    }
}
