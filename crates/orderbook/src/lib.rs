//! Price-time priority. A [`Book`] matches an incoming order against what rests, and says what happened as [`Report`]s.
//! It knows nothing of accounts' money: what an order may spend comes with the order.
//!
//! [`Triggers`] has the orders that wait for a price, and are on no book yet.
//!
//! [`SlotTable`], and what asks for memory ahead, serve whoever keeps orders beside the book as well.
//!
//! [`naive`] is the same book written the obvious way; the property tests compare the two report for report.
#![deny(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_types
)]

mod ahead;
mod book;
mod id_index;
mod level;
mod matching;
pub mod naive;
mod orders;
mod side;
mod slot_table;
mod triggers;

pub use ahead::{LookAhead, fetch_ahead, fetch_whole};
pub use book::Book;
pub use matching::{Before, Incoming, Outcome, Remainder, Report, Stop, TickLots};
pub use orders::{Order, OrderSlot, Orders};
pub use slot_table::SlotTable;
pub use triggers::{Touched, Triggers};
