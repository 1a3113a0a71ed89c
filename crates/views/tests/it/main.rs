//! The views against worked cases, against the obvious views, against the state machine, and against themselves after a restart.

mod against_exchange;
mod against_naive;
mod algo_orders;
mod bounds;
mod depth;
mod door;
mod futures;
mod golden;
mod moving;
mod naive;
mod orders;
mod restart;
mod tickers;
mod vectors;
mod world;
