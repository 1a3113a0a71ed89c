//! The durable order of commands, the event log and the snapshots, in one data directory.
//!
//! What lives here: bytes, positions, checksums, files. What deliberately does not: what a command or an event
//! means (payloads are opaque), which thread does what, and when a snapshot is due.
//!
//! * [`DataDir`]: the folder, its lock, its storage; [`Recovery`] opens everything in it in the right order.
//! * [`JournalWriter`], [`JournalReader`]: batches of commands; one write and one sync each.
//! * [`EventLogWriter`], [`EventLogReader`]: what happened; derived data, written without syncing.
//! * [`SnapshotStore`]: the state at one sequence; falls back to the one before when the newest is damaged.
//! * [`Storage`]: what all of them stand on; [`FileStorage`] is real, `faulty` (a feature of that name) loses what was
//!   not synced.

pub mod backup;
mod chain;
mod data_dir;
mod error;
mod event_frame;
mod event_log;
mod event_reader;
#[cfg(feature = "faulty")]
pub mod faulty;
mod files;
mod frame;
mod layout;
mod prepare;
mod reader;
mod recovery;
mod segment;
mod settings;
mod skip;
mod snapshot;
mod storage;
mod survey;
mod walk;
mod window;
mod writer;

pub use data_dir::{DataDir, DataDirError};
pub use error::{Fault, JournalError};
pub use event_frame::{EventBatch, EventFrame, EventPosition};
pub use event_log::{CutTail, EventLogWriter, Kept, SyncedEvents};
pub use event_reader::EventLogReader;
pub use files::FileStorage;
pub use frame::{Batch, Durable, FrameBuffer, Records};
pub use reader::JournalReader;
pub use recovery::Recovery;
pub use settings::{Behind, Preparation, Settings};
pub use skip::skip;
pub use snapshot::{DamagedSnapshot, DurableSnapshot, Newest, Snapshot, SnapshotStore};
pub use storage::{Storage, StorageFile};
pub use survey::{SkipMark, Survey, TornTail};
pub use writer::JournalWriter;
