//! Everything that can go wrong with journal, event log and snapshots, each as one sentence for the operator:
//! which file, where in it, which sequence, and what to do. Client mistakes never get here.

use model::Seq;
use std::io;
use thiserror::Error;

/// Why journal, event log or snapshots cannot be opened, read or written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The operating system refused. When this comes from a write or a sync, the writer accepts nothing more.
    #[error("cannot {action} {path}: {source}. {}", advice(source))]
    Io {
        /// "write 4096 bytes at byte 81920 of", "sync", ...
        action: String,
        /// Relative to the data directory.
        path: String,
        /// What it said.
        source: io::Error,
    },

    /// An earlier write or sync failed; since then it is unknown what is on the disk.
    #[error(
        "nothing is written any more since an earlier failure ({cause}). \
         Stop, mend the cause and start again: everything acknowledged is on the disk"
    )]
    Poisoned {
        /// The earlier failure's sentence.
        cause: String,
    },

    /// Bytes that were once synced are not what they were.
    #[error(
        "{path} is damaged at byte {offset}: {fault}. The next sequence there would be {seq}. Nothing was changed. \
         Restore this file from a replica or a backup; do not delete it, what follows would be lost"
    )]
    Damaged {
        /// Relative to the data directory.
        path: String,
        /// Where the damaged frame or header begins.
        offset: u64,
        /// The first command sequence that is affected.
        seq: Seq,
        /// What is wrong there.
        fault: Fault,
    },

    /// A snapshot's bytes are not what they were. Starting falls back to the one before.
    #[error(
        "{path} is damaged: {fault}. It is not used; an older snapshot and the journal give the same state"
    )]
    DamagedSnapshot {
        /// Relative to the data directory.
        path: String,
        /// What is wrong.
        fault: Fault,
    },

    /// A backup of several partitions is cut at a moment that the clock has to pass first.
    #[error(
        "the clock is {seconds} s behind the last batch of the journals: it was set back. Set it right and try again; several \
         partitions are copied up to one moment, which must be over"
    )]
    ClockBehind {
        /// By how much.
        seconds: u64,
    },

    /// Written by a newer program.
    #[error(
        "{path} has format version {found}; this program knows versions up to {known}. Start the newer program"
    )]
    NewerVersion {
        /// Relative to the data directory.
        path: String,
        /// In the file.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },

    /// A segment is not there although a later one is.
    #[error("{missing} is missing, but {present} is there. Restore it from a replica or a backup")]
    Hole {
        /// Relative to the data directory.
        missing: String,
        /// The later one.
        present: String,
    },

    /// Something outlived commands that it was made from.
    #[error(
        "{what} is at sequence {seq}, but the journal ends at {end}: acknowledged batches are missing. \
         Restore the folder `journal` from a replica or a backup"
    )]
    AheadOfJournal {
        /// Which snapshot or file.
        what: String,
        /// Its sequence.
        seq: Seq,
        /// The journal's last sequence.
        end: Seq,
    },

    /// A snapshot, or a reader, belongs to another journal.
    #[error(
        "the journal has another batch at sequence {seq} than the snapshot taken there \
         (checksum {found:08x}, the snapshot says {expected:08x}). \
         Journal and snapshots are from different directories; put those together that belong together"
    )]
    OtherJournal {
        /// Where they meet.
        seq: Seq,
        /// In the journal; 0 when no batch ends there.
        found: u32,
        /// In the snapshot.
        expected: u32,
    },

    /// Asked for commands that retention has removed.
    #[error(
        "the journal begins at sequence {oldest}, {wanted} has been removed. Start from a snapshot behind it"
    )]
    Removed {
        /// What was asked for.
        wanted: Seq,
        /// The first one kept.
        oldest: Seq,
    },

    /// A batch that no segment can hold. Nothing was written, and the writer goes on.
    #[error(
        "a batch of {bytes} bytes does not fit into a segment, which holds {limit}. Send smaller batches"
    )]
    BatchTooLarge {
        /// Frame included.
        bytes: u64,
        /// The most that fits.
        limit: u64,
    },

    /// A skip mark for a command that is not there.
    #[error("sequence {seq} is not in the journal, which has {oldest} to {end}. Nothing was marked")]
    NotInJournal {
        /// Asked for.
        seq: Seq,
        /// The first one kept.
        oldest: Seq,
        /// The last one.
        end: Seq,
    },

    /// A skip mark for a command that has one.
    #[error("sequence {seq} is marked to be skipped already ({reason}). Nothing was changed")]
    AlreadySkipped {
        /// Asked for.
        seq: Seq,
        /// What the earlier mark says.
        reason: String,
    },

    /// A skip mark for a command whose outcome was told.
    #[error(
        "sequence {seq} was applied and its events were released ({told}): stepping over it would change what others were \
         told. Only a command that cannot be applied can be marked. Nothing was marked"
    )]
    AlreadyApplied {
        /// Asked for.
        seq: Seq,
        /// What has it.
        told: String,
    },

    /// A skip mark's reason is too long.
    #[error("a reason has at most {limit} bytes, this one has {bytes}. Nothing was marked")]
    ReasonTooLong {
        /// Given.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },

    /// Events that were derived again are not those in the file.
    #[error(
        "{path} has other events for sequence {seq} than the journal gives now ({difference}). Readers may have seen \
         the old ones. Start the program version that wrote them, and report this"
    )]
    EventsDiffer {
        /// Relative to the data directory.
        path: String,
        /// First sequence of the batch.
        seq: Seq,
        /// Which field, and both values.
        difference: String,
    },

    /// The event log does not reach the snapshot, although it was synced before the snapshot was written.
    #[error(
        "the event log does not contain the position of the snapshot at sequence {seq} ({reason}). Restore the folder \
         `events` from a backup; or move the folders `events` and `snapshots` away, then both are made again \
         from a journal that is kept from its beginning"
    )]
    EventsMissing {
        /// The snapshot's.
        seq: Seq,
        /// What was found instead.
        reason: String,
    },
}

impl JournalError {
    /// Makes an [`JournalError::Io`] of what the operating system said.
    pub(crate) fn io<'a>(action: &'a str, path: &'a str) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action: action.to_owned(), path: path.to_owned(), source }
    }

    /// A write's failure, with its place.
    pub(crate) fn writing(bytes: usize, offset: u64, path: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action: format!("write {bytes} bytes at byte {offset} of"),
            path: path.to_owned(),
            source,
        }
    }

    /// True when the disk (or the quota) is full.
    pub fn is_full_disk(&self) -> bool {
        matches!(self, Self::Io { source, .. } if full(source))
    }
}

fn full(source: &io::Error) -> bool {
    matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        _ if full(source) => {
            "The disk is full: free space and start again; everything acknowledged is on the disk"
        }
        io::ErrorKind::ReadOnlyFilesystem => "Mount the file system for writing and start again",
        io::ErrorKind::PermissionDenied => "Give this user the right to read and write there and start again",
        io::ErrorKind::NotFound => "Something else removed it while this program was using it; restore it",
        _ => {
            "Look at the disk and the kernel's messages before you start again; everything acknowledged was synced"
        }
    }
}

/// What is wrong with a frame or a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The file ends inside.
    #[error("the file ends in the middle of it")]
    Cut,
    /// Nothing was ever written there, or it was wiped.
    #[error("there are zeros where it should begin")]
    Zeros,
    /// It does not begin as it should.
    #[error("its first bytes are wrong")]
    Magic,
    /// The header's own checksum.
    #[error("the checksum of its header is wrong")]
    HeaderChecksum,
    /// The payload's checksum.
    #[error("the checksum of its contents is wrong")]
    PayloadChecksum,
    /// A frame of the file's earlier life.
    #[error("it belongs to generation {found} and this is {expected}")]
    Generation {
        /// In the frame.
        found: u64,
        /// This segment's number.
        expected: u64,
    },
    /// It does not follow what is before it.
    #[error("it continues checksum {found:08x}, but what is before it has {expected:08x}")]
    Chain {
        /// In the frame or header.
        found: u32,
        /// Of the frame before.
        expected: u32,
    },
    /// A sequence was left out or comes twice.
    #[error("it begins with sequence {found}, expected {expected}")]
    Sequence {
        /// In the frame or header.
        found: u64,
        /// One more than the last.
        expected: u64,
    },
    /// Time went back.
    #[error("its time is before that of the batch before it")]
    Time,
    /// A frame of a kind that this version does not have.
    #[error("frames of kind {0} are unknown")]
    Kind(u8),
    /// Its records do not fill it exactly.
    #[error("the lengths of its records do not add up")]
    Records,
    /// The segment's number in the header is not the one in its name.
    #[error("its header says segment {found}")]
    Number {
        /// In the header.
        found: u64,
    },
    /// The file is shorter than its header says.
    #[error("the file has {found} bytes, its header says {expected}")]
    Size {
        /// On the disk.
        found: u64,
        /// When it was made.
        expected: u64,
    },
}
