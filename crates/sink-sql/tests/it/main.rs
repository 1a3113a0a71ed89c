//! The writer against SQLite, which needs no server; `acceptance` has the others.

// The sequencer's random commands: they hit and miss, trade, rest, are cancelled, are refused.
#[path = "../../../sequencer/tests/it/flow.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod flow;
mod futures;
mod history;
mod orders;
mod queries;
mod traders;
mod trouble;
mod whole;
mod world;
