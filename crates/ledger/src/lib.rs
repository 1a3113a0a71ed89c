//! Double entry: every posting takes an amount from one place and puts it into another, and running totals say at any
//! moment whether all places together still hold what was deposited. It knows nothing of orders.
//!
//! The places of an asset are: outside (deposited less withdrawn), free and held balances, fees collected, and in transit
//! between the two sides of a trade. Nothing is in transit once a command is done within one partition. Where there are
//! futures there are three more: the wallets that back positions, what is collected while funding is settled, and, with the
//! other sign, what the positions have cost: a trade at a contract moves a promise from one side to the other, and money only
//! when it is closed.
#![deny(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_types
)]

mod balance;
mod totals;
mod wallet;

pub use balance::{Balance, BalanceSlot, Ledger, Purse, Shortfall};
pub use totals::AssetTotals;
pub use wallet::{Wallet, WalletSlot};
