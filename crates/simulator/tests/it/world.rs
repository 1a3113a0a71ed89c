//! Some seeds of the simulated world; the full test command runs 10,000 (see the example `world`).

use simulator::world::{Seen, run};

#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    let seen = (0..30).map(run).fold(Seen::default(), Seen::and);
    println!("{seen:?}");
    assert!(seen.kills > 30 && seen.fills > 300 && seen.answered > 1_200, "{seen:?}");
}
