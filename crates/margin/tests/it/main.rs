//! The rules of perpetual futures from outside: worked cases, and properties of the rules that are solved for something.

#[path = "../../../exchange/tests/it/decimal.rs"]
mod decimal;
mod properties;
mod rules;
mod terms;
mod vectors;
