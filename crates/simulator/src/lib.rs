//! Order flow for tests, demonstrations and measurements: [`l3`] replays what real people did, [`trace`] makes the two
//! streams that books are measured with and [`walking`] the one with a moving price, [`mixed`] makes the flow that partitions
//! are measured with, [`perp`] the one for contracts, [`market`] makes up traders around a drifting price, and [`client`] lets those trade. [`world`] is several
//! partitions whose nodes, disks and network fail.
//!
//! Nothing here decides what an order does: that is `exchange`. Nothing depends on this crate but the program and the
//! yardsticks.

pub mod client;
pub mod l3;
pub mod market;
pub mod mixed;
pub mod perp;
mod random;
pub mod trace;
pub mod walking;
pub mod world;
