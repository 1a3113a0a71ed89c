//! The USD-M futures dialect, `/fapi`: what it has beside the spot dialect, and what it says differently. Sources: Binance's
//! documents of USD-M futures; the fields that real clients read; semantics 2. Which endpoints there are is in
//! [`crate::endpoint`].

pub(crate) mod account;
pub(crate) mod algo;
pub(crate) mod deleverage;
pub(crate) mod history;
pub(crate) mod listed;
pub(crate) mod listen_keys;
pub(crate) mod margins;
pub(crate) mod market;
pub(crate) mod orders;
pub(crate) mod statistics;
pub(crate) mod trading;
