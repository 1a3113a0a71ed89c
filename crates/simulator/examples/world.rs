//! Runs the simulated world of several partitions: so many seeds from the first one on, or one seed again.
//!
//! `cargo run --release -p simulator --example world -- 10000` runs seeds 0 to 9,999; a seed that fails is named first, and
//! `cargo run -p simulator --example world -- 1 SEED` runs that one alone.

use simulator::world::{self, Seen};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let (count, first): (u64, u64) = (arguments.next().unwrap_or(1_000), arguments.next().unwrap_or(0));
    let half = first + count / 2;
    let part = |seeds: std::ops::Range<u64>| seeds.map(world::run).fold(Seen::default(), Seen::and);
    let seen = std::thread::scope(|scope| {
        let other = scope.spawn(move || part(half..first + count));
        let mine = part(first..half);
        mine.and(other.join().expect("a seed has failed; it is named above"))
    });
    println!("{count} seeds: {seen:?}");
    assert!(
        count < 100
            || (seen.kills > 5 * count
                && seen.fills > 10 * count
                && seen.answered > 40 * count
                && seen.moves > count / 2
                && seen.grown > count / 2
                && seen.in_turn > count / 5),
        "too little happened for a proof"
    );
}
