//! Why sequencing stopped, or could not start.

use codec::DecodeError;
use exchange::SnapshotError;
use journal::{DataDirError, JournalError};
use model::{PartitionId, Seq};

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
    /// A command broke an invariant. It is in the journal, and nobody was told anything of what it does here.
    #[error(
        "command {seq}{} cannot be applied: {invariant}. {} Report this with the journal; to go on without this command, run: \
         rialto journal skip {seq}{} --reason \"...\"",
        unless_first(*partition, " of partition "),
        who_was_told(*from),
        unless_first(*partition, " --partition ")
    )]
    Panicked {
        /// In whose journal.
        partition: PartitionId,
        /// Which command.
        seq: Seq,
        /// Which other partition says it, where it is a message.
        from: Option<PartitionId>,
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
    /// What the files of two partitions say does not fit together: one of them lacks batches that the other has heard of.
    #[error(
        "partition {ahead} has heard of partition {behind} up to envelope {heard}, but partition {behind} has said only {said}: \
         batches of partition {behind} that were acknowledged are missing. Put all partitions back from one backup"
    )]
    PartitionBehind {
        /// Which one lacks batches.
        behind: PartitionId,
        /// Which one knows of them.
        ahead: PartitionId,
        /// How far the one has heard.
        heard: u64,
        /// How far the other has spoken.
        said: u64,
    },
    /// A partition has forgotten what another one has not heard: the other one lacks batches.
    #[error(
        "partition {forgetful} no longer has envelope {missing} to partition {behind}, which was taken there once: batches of \
         partition {behind} that were acknowledged are missing. Put all partitions back from one backup"
    )]
    EnvelopeMissing {
        /// Which one no longer has it.
        forgetful: PartitionId,
        /// Which one lacks batches.
        behind: PartitionId,
        /// The first envelope that it has not taken.
        missing: u64,
    },
    /// The journal of another partition is where this one's should be.
    #[error("the journal of partition {found} is where that of partition {expected} should be")]
    OtherPartition {
        /// Whose it should be.
        expected: PartitionId,
        /// Whose it is.
        found: PartitionId,
    },
    /// There are more or fewer journals than the exchange has partitions.
    #[error("the exchange has {count} partitions, and there are journals of {found}")]
    PartitionCount {
        /// How many it has.
        count: u8,
        /// How many journals there are.
        found: usize,
    },
    /// Another partition of the same exchange has failed, which says why.
    #[error("partition {partition} has stopped")]
    Stopped {
        /// Which one.
        partition: PartitionId,
    },
    /// A thread of the program is gone; its own message was printed when it went.
    #[error("the {thread} thread has stopped unexpectedly")]
    ThreadGone {
        /// Which.
        thread: &'static str,
    },
}

/// The number of a partition behind `words`; nothing for the first one, which is all there is most of the time.
fn who_was_told(from: Option<PartitionId>) -> String {
    let Some(from) = from else { return "Nobody was told of it.".to_owned() };
    format!(
        "It is a message of partition {from}, which has done its part of it and told its clients: without it the partitions do not \
         add up any more, as rialto verify will say, until somebody makes up for it."
    )
}

fn unless_first(partition: PartitionId, words: &str) -> String {
    if partition == PartitionId::FIRST { String::new() } else { format!("{words}{partition}") }
}
