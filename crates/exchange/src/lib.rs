//! The state machine. Commands go in, events come out, and nothing else happens: no clock, no I/O, no threads, no floats, no
//! random numbers. The same journal gives the same state and the same events, on every machine, for ever.
//!
//! A [`Partition`] owns accounts and markets, which never touch each other's state. They talk by messages (see
//! `messages`), delivered within the same command:
//!
//! | | accounts (`accounts`, `place`, `settle`, `funds`) | markets (`market`) |
//! |---|---|---|
//! | know | balances, holds, who owns which order | books, trades, reference prices |
//! | decide | whether an order can be paid for | an order's life |
//! | tell | what happened to orders and money | trades and levels |
//! | of contracts | wallets, what positions have cost, margin, liquidation, what waits (`futures`, `isolated`, `hedge`, `place_contract`, `modify_contract`, `settle_contract`, `liquidation`, `algo_orders`, `good_till_date`, `countdown`) | who has how much, mark price, funding, who takes what nobody buys (`holders`, `mark_price`, `funding`) |
#![deny(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_types
)]

mod accounts;
mod ahead;
mod algo_book;
mod algo_orders;
mod amend;
mod append;
mod cancel;
mod catalog;
mod client_ids;
mod countdown;
mod directory;
mod fees;
mod funding;
mod funds;
mod futures;
mod good_till_date;
mod hedge;
mod holders;
mod invariants;
mod invariants_algos;
mod invariants_futures;
mod isolated;
mod liquidation;
mod mark_price;
mod market;
mod messages;
mod modify_contract;
mod open_orders;
mod partition;
mod place;
mod place_contract;
mod post;
mod settle;
mod settle_contract;
mod snapshot;
mod snapshot_algos;
mod snapshot_futures;
mod sources;
mod standing;
mod together;
mod watch;

#[cfg(test)]
mod delayed;

pub use accounts::ApiKey;
pub use catalog::Catalog;
pub use ledger::{AssetTotals, Balance};
pub use partition::Partition;
pub use post::Progress;
pub use snapshot::SnapshotError;
pub use together::Together;
