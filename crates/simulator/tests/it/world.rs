//! Some seeds of the simulated world; the full test command runs 10,000. A seed that fails is named first, with the command that
//! runs it again: `cargo run --release -p simulator --example world -- 1 SEED`.

use simulator::world::{Seen, run};

#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    let seen = (0..100).map(run).fold(Seen::default(), Seen::and);
    println!("{seen:?}");
    assert!(seen.kills > 500 && seen.fills > 1_000 && seen.answered > 5_000, "{seen:?}");
    assert!(seen.moves > 50 && seen.grown > 50 && seen.in_turn > 20, "{seen:?}");
}
