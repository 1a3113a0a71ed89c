//! For counting instructions (`tools/pinned-instructions`): `pinned WHAT COUNT OF` makes `OF` commands and applies the first
//! `COUNT` of them. Two counts with the same `OF` differ by the applying of commands, and by nothing else.

use bench::partition;
use model::Event;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, count, of] = arguments.as_slice() else { panic!("pinned WHAT COUNT OF") };
    let number = |text: &String| text.parse::<usize>().expect("a number of commands");
    let (count, of) = (number(count), number(of));
    assert!(count <= of, "no more are applied than there are");
    match what.as_str() {
        "partition" => partition(count, of),
        other => panic!("partition, not {other}"),
    }
}

fn partition(count: usize, of: usize) {
    let (mut partition, mut flow) = partition::prepared();
    let mut commands = Vec::new();
    flow.fill(of, &mut commands);
    assert_eq!(commands.len(), of, "the flow is long enough");
    let mut events = Vec::with_capacity(1 << 16);
    for command in &commands[..count] {
        partition.apply(command, &mut events);
        // As a batch leaves them: taken away again and again.
        if events.len() > 1_000 {
            assert!(!events.iter().any(|event| matches!(event, Event::Rejected { .. })), "all are accepted");
            events.clear();
        }
    }
}
