//! The rules of USDT-margined perpetual futures as plain functions of numbers: what a fill does to a position, what margin it
//! needs, what the mark price and the funding rate are, when and how a position is liquidated. Source: semantics 2.
//!
//! Nothing here knows accounts, books or messages: the state machine (`exchange`) decides by these rules, the read models
//! (`views`) show what comes of them. Decisions compare whole numbers; only what is shown is rounded half up, and each function
//! that rounds says how.
//!
//! Amounts are atoms of the settlement asset, which is the quote asset of the contract's terms; prices are ticks, quantities
//! lots. With contract terms that pass their check ([`model::ContractTerms::check`]) no product here leaves its type.
#![deny(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_types
)]

mod deleverage;
mod funding;
mod liquidation;
mod mark_price;
mod position;
mod requirement;
mod rounding;

pub use deleverage::{LeverageScore, leverage_score};
pub use funding::{AveragePremium, funding_flow, funding_rate};
pub use liquidation::{bankruptcy_price, clearance_fee, fund_can_carry, part_to_close};
pub use mark_price::{
    BasisWindow, Premium, Source, funding_price, impact_price, index_price, mark_price, premium,
};
pub use position::Position;
pub use requirement::{
    MicroAtoms, OpenOrders, bracket_at, initial_margin, is_liquidatable, largest_value, liquidation_price,
    maintenance_margin, open_loss, order_price, total_initial_margin,
};
