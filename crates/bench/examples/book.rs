//! The book's yardsticks, until the program has a sub-command for them.

use bench::{Measurement, book};

fn main() {
    println!("{}", Measurement::HEADER);
    let mut show = |found: Measurement| {
        println!("{found}");
        println!("    {:?} {}", found.figures, found.remark.unwrap_or_default());
    };
    let what = std::env::args().nth(1).unwrap_or_default();
    let options = book::Options::default();
    if what.is_empty() || what == "traces" {
        book::traces(&options, &mut show);
    }
    if what.is_empty() || what == "walking" {
        book::walking(&options, &mut show);
    }
    if what.is_empty() || what == "memory" {
        book::memory(&mut show);
    }
    if what.is_empty() || what == "insert" {
        book::inserts(10_000, &mut show);
    }
}
