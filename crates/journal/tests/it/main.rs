//! The journal crate's tests, one file a subject. `world` is the only one that knows how the pieces are called in the
//! right order; it is a small exchange with an obvious state.

mod beside;
mod crashes;
mod damage;
mod data_dir;
mod events;
mod faults;
mod golden;
mod journal;
mod recycling;
mod skip;
mod snapshots;
mod torn;
mod world;
