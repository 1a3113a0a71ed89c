//! The book's yardsticks, until the program has a sub-command for them.

use bench::{Measurement, book};

fn main() {
    println!("{}", Measurement::HEADER);
    let mut show = |found: Measurement| {
        println!("{found}");
        println!("    {:?} {}", found.figures, found.remark.unwrap_or_default());
    };
    book::traces(&book::Options::default(), &mut show);
    book::memory(&mut show);
}
