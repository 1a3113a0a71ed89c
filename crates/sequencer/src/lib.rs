//! The one order of commands: a thread that sequences and applies, a thread that writes and syncs, and the gate between
//! them and everybody else. A third thread keeps what is derived: the event log and the snapshots, which a fourth one makes
//! from the files. It knows no protocol: gateways hand in commands and are handed events.
//!
//! ```text
//! Ingress ─▶ sequencer thread ──frame──▶ writer thread        one append and one sync a batch; small ones are written here
//!                 │  applies meanwhile        │
//!                 └────────── gate ◀──durable─┘
//!                              │
//!           sessions, subscribers, keeper thread               replies, views, event log and snapshots
//!                                       ▲
//!                              snapshotter thread              newest snapshot + journal ─▶ next snapshot
//! ```
//!
//! Each partition has all of that for itself. Behind the gate, what it has to say to others goes into their queues, see
//! `links.rs`.

mod audit;
mod egress;
mod error;
mod ingress;
mod keeper;
mod lanes;
mod links;
mod pipeline;
mod recovery;
mod sequencer;
mod settings;
mod snapshotter;
mod stats;
mod writer;

pub use audit::{AuditStep, audit, state_at};
pub use egress::{Egress, Reply, Session, Subscription};
pub use error::SequencerError;
pub use ingress::{Ingress, Submission, SubmitError};
pub use lanes::{Lane, Sequencer, Stopped};
pub use links::Said;
pub use recovery::{Recovered, Replay, decode_batch, recover};
pub use settings::Settings;
pub use snapshotter::{Companion, CompanionCopy, Sections};
pub use stats::{BatchSizes, Bounds, CommandCount, Counts, Histogram, Snapshots, Stats, SyncTimes};
