//! The book against the naive book, and one test for each bug that matching engines are known for.

mod known_bugs;
mod naive_agrees;
mod pair;
mod triggers;
