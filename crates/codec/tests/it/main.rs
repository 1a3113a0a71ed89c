//! The byte form: golden bytes for ever, random values there and back, and bytes that are none.

mod dice;
mod examples;
mod examples_algos;
mod examples_contracts;
mod golden;
mod hashes;
mod random;
