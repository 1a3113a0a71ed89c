//! Why sequencing stopped, or could not start.

use codec::DecodeError;
use exchange::SnapshotError;
use journal::{DataDirError, JournalError};
use model::Seq;

/// Sequencing stopped, or could not start. Everything that was acknowledged before is on the disk.
#[derive(Debug, thiserror::Error)]
pub enum SequencerError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Writing or reading failed, or what was read is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record in the journal is none that this program knows.
    #[error("command {seq} in the journal cannot be read: {error}")]
    Command {
        /// Which.
        seq: Seq,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A snapshot is none that this program knows.
    #[error("the snapshot at command {seq}: {error}")]
    Snapshot {
        /// Up to where it goes.
        seq: Seq,
        /// What is wrong with it.
        error: SnapshotError,
    },
    /// A command broke an invariant. It is in the journal, and nobody was told anything of it.
    #[error(
        "command {seq} cannot be applied: {invariant}. Nobody was told of it. Report this with the journal; to go on \
         without this command, run: rialto journal skip {seq} --reason \"...\""
    )]
    Panicked {
        /// Which command.
        seq: Seq,
        /// The invariant's sentence.
        invariant: String,
    },
    /// A session broke the promise to do no more than pass an answer on. Everybody else was told.
    #[error("a client's session panicked when it was told of command {seq}: {panic}. Report this")]
    SessionPanicked {
        /// Which command it was told of.
        seq: Seq,
        /// What the panic said.
        panic: String,
    },
    /// A thread of the program is gone; its own message was printed when it went.
    #[error("the {thread} thread has stopped unexpectedly")]
    ThreadGone {
        /// Which.
        thread: &'static str,
    },
}
