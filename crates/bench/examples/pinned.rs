//! For counting instructions (`tools/pinned-instructions`): `pinned WHAT COUNT OF` makes `OF` commands and applies the first
//! `COUNT` of them. Two counts with the same `OF` differ by the applying of commands, and by nothing else.

use bench::book::contender::answer_all;
use bench::book::ours::Ours;
use bench::book::report::Tally;
use bench::flow;
use bench::{partition, perp};
use exchange::Partition;
use model::{Command, Event, Sequenced};
use simulator::trace::{Shape, Trace};
use simulator::walking::Message;

/// The standard flow with fewer accounts and orders, which valgrind gets ready in seconds.
const FLOW: flow::Shape =
    flow::Shape { accounts: 1_000, fewest: 10_000, most: 20_000, ..flow::Shape::STANDARD };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, count, of] = arguments.as_slice() else { panic!("pinned WHAT COUNT OF") };
    let number = |text: &String| text.parse::<usize>().expect("a number of commands");
    let (count, of) = (number(count), number(of));
    assert!(count <= of, "no more are applied than there are");
    match what.as_str() {
        "book-trace-s" => book(count, of),
        "partition" => partition(count, of),
        "contracts" => contracts(count, of),
        other => panic!("book-trace-s, partition or contracts, not {other}"),
    }
}

/// Trace S, in batches of a thousand, with its reports.
fn book(count: usize, of: usize) {
    let shape = Shape { operations: u32::try_from(of).expect("fits"), ..Shape::SHALLOW };
    let trace = Trace::new(&shape);
    let messages: Vec<_> = trace.records.iter().copied().map(Message::from).collect();
    let (warm, measured) = messages.split_at(shape.warm as usize);
    let (mut book, mut tally) = (Ours::default(), Tally::default());
    answer_all(&mut book, warm, 1_000, &mut tally);
    answer_all(&mut book, &measured[..count], 1_000, &mut tally);
    assert_eq!(tally.cancel_rejects, 0, "the trace's cancels name orders that rest");
}

fn partition(count: usize, of: usize) {
    let (mut partition, mut flow) = partition::prepared_for(&FLOW);
    let mut commands = Vec::new();
    flow.fill(of, &mut commands);
    assert_eq!(commands.len(), of, "the flow is long enough");
    apply(&mut partition, &commands[..count]);
}

/// Orders at contracts, with margin checks.
fn contracts(count: usize, of: usize) {
    let options = perp::Options { contracts: 20, accounts: 2_000, commands: of, ..perp::Options::STANDARD };
    let (mut partition, commands) = perp::prepared_for(&options);
    apply(&mut partition, &commands[..count]);
}

/// In one piece, so that callgrind can be told to look at nothing else (`--toggle-collect='pinned::apply*'`).
#[inline(never)]
fn apply(partition: &mut Partition, commands: &[Sequenced<Command>]) {
    let mut events = Vec::with_capacity(1 << 16);
    for batch in commands.chunks(1_000) {
        partition.apply_all(batch, &mut events, |_, _| ());
        assert!(!events.iter().any(|event| matches!(event, Event::Rejected { .. })), "all are accepted");
        events.clear();
    }
}
