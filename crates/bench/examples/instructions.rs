//! For counting instructions (`tools/instructions`): makes so many commands of the flow, and applies them where it is told to.
//! It uses only what the yardstick always had, so that an earlier commit can be counted with this file; one that had another
//! flow is counted on that.

use bench::flow::Flow;
use bench::partition;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(what), Some(count)) = (arguments.next(), arguments.next()) else {
        panic!("instructions make|apply COMMANDS")
    };
    let count = count.parse().expect("a number of commands");
    match what.as_str() {
        // What `apply` does beside applying, for subtracting it.
        "make" => {
            let (_partition, mut flow): (_, Flow) = partition::prepared();
            let mut commands = Vec::new();
            let mut done = 0;
            while done < count {
                commands.clear();
                flow.fill(65_536.min(count - done), &mut commands);
                assert!(!commands.is_empty(), "the flow is long enough");
                done += commands.len();
            }
        }
        "apply" => assert_eq!(partition::run(count).rejects, 0, "the flow is accepted"),
        other => panic!("make or apply, not {other}"),
    }
}
