//! Binance's dialects of spot and USD-M futures over REST and WebSocket, and the operator's API: requests become commands, events and views become answers.
//! No trading state of its own; what the rules of trading are, is decided in `exchange`.
//!
//! The way of an order: [`server`] routes it, `trading` has it signed ([`signature`]) and translated ([`dialect::orders`]), hands it to
//! the sequencer, and answers with what came of it ([`order_replies`], [`dialect::rejects`]). Everything that only reads looks at the
//! [`ReadModels`], which know at least what anybody was told before.

#![allow(clippy::struct_field_names, reason = "wire types have the names of the wire")]

mod account;
mod admin;
mod client;
mod connection;
mod endpoint;
mod exchange_info;
mod futures;
mod gateway;
mod health;
pub mod keys;
mod limits;
mod market_data;
pub mod market_pattern;
pub mod master_key;
mod metrics;
mod openapi;
pub mod order_replies;
mod past;
mod public_key;
mod read_model;
mod sapi;
mod server;
mod settings;
pub mod signature;
mod streams;
mod subscriber;
mod tls;
mod trading;
mod wallet;
mod ws_api;

use dialect::{decimal, errors, listings, orders, params, rejects};

pub use admin::{
    Admin, AdminToken, BracketForm, ContractChange, ContractForm, FormError, MarketChange, MarketForm,
    NamedByContract, PerpetualChange, SourceForm,
};
pub use dialect::Listings;
pub use gateway::{Gateway, TimeUnit};
pub use health::HealthSettings;
pub use keys::{Grant, IssuedKey, KeyStore, Permissions, StoredKey};
pub use limits::LimitSettings;
pub use master_key::{KeyError, MasterKey, write_secret};
pub use metrics::{RedisStatus, RedisStreamStatus, SqlWriterStatus, SqlWriters};
pub use past::Past;
pub use read_model::{ReadModel, ReadModels};
pub use server::{Port, serve, serve_admin};
pub use settings::{FuturesSettings, GatewaySettings, SocketSettings};
pub use tls::{CertificateFiles, Tls, TlsError};
