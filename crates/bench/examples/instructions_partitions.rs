//! For counting instructions (`tools/instructions`): so many commands of the flow in two partitions on one thread.

use bench::partitions::{Where, make, one_thread};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(what), Some(count)) = (arguments.next(), arguments.next()) else {
        panic!("instructions_partitions make|together|apart COMMANDS")
    };
    let count = count.parse().expect("a number of commands");
    let measurement = match what.as_str() {
        // What the others do beside applying, for subtracting it.
        "make" => return make(2, Where::Apart, count),
        "together" => one_thread(2, Where::Together, count),
        "apart" => one_thread(2, Where::Apart, count),
        other => panic!("make, together or apart, not {other}"),
    };
    assert_eq!(measurement.rejects, 0, "the flow is accepted");
}
