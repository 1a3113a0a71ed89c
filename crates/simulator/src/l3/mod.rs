//! Real order flow: half an hour of Bitstamp's BTC/USD market, every order by its number.
//!
//! The recording is not part of this project (`tools/fetch-l3-sample` brings it). [`rows`] reads it, [`rules`] turns rows
//! into steps that an exchange can carry out, [`replay`] carries them out, and [`compare`] holds what came of it against
//! the recorded trades and against [`reference`], a book rebuilt from the rows by code that shares nothing with the rules
//! or the exchange. [`naive`] shows what happens without rules, and [`traps`] counts what makes them necessary. The rules, their reasons and their counts are explained in
//! `docs/replay.md`.

pub mod compare;
pub mod naive;
pub mod reference;
pub mod rows;
pub mod rules;
pub mod traps;
