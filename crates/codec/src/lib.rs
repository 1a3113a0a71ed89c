//! The one stable byte form of commands, events and snapshots: little-endian, no padding, one tag byte per variant.
//!
//! Tags are never renumbered and never reused; fields are never reordered. What changes gets a new tag, and the old one
//! stays readable for ever: the golden files under `tests/golden` hold a byte form of every variant of every version.
//! This crate knows nothing of files, frames or checksums.

mod algo;
mod batch;
mod chain;
mod command;
mod event;
mod message;
mod primitive;
mod reject;

pub use batch::{decode_event, encode_event};
pub use chain::{EventChain, StateHasher};
pub use primitive::{Coded, DecodeError, Reader, read_sided, sided};
