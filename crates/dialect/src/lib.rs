//! Binance's dialects of spot and of USD-M futures without a transport: parameters become commands, what the partition refuses
//! becomes codes and texts, and numbers become text and back, always exactly. Whoever speaks it brings the bytes and says who asks:
//! HTTP requests, messages of a socket, entries of a queue.

pub mod algo_orders;
pub mod contract_orders;
pub mod contracts;
pub mod decimal;
pub mod errors;
pub mod listings;
pub mod orders;
pub mod params;
pub mod rejects;
pub mod sample;

pub use decimal::Decimal;
pub use errors::ApiError;
pub use listings::{Listing, Listings};
pub use orders::Caller;
pub use params::Params;
