//! One numbered file of the journal or of the event log: its name and its header. Not the frames in it.
//!
//! A segment's number is its generation: numbers only grow and are never used twice, so a file that is recycled
//! under a new number makes every frame of its earlier life, which carry the old one, invalid at a glance.
//!
//! Header of version 1, little-endian, 64 bytes at offset 0:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 8 | `RIALTOJS` (journal) or `RIALTOES` (events) |
//! | 8 | 4 | format version |
//! | 12 | 4 | checksum of the 12 bytes before; these 16 bytes are the same in every version to come |
//! | 16 | 8 | number |
//! | 24 | 8 | first command sequence |
//! | 32 | 8 | first event sequence (0 in the journal) |
//! | 40 | 8 | bytes of the whole file (0 in the event log, whose files grow) |
//! | 48 | 4 | checksum of the last frame in the segment before (0 when there is none) |
//! | 52 | 4 | 0: written on zeros; 1: written on a recycled file |
//! | 56 | 4 | 0 |
//! | 60 | 4 | checksum of the 60 bytes before |

use crate::error::{Fault, JournalError};
use crate::layout::{array_at, checksum, put, put_u32, put_u64, u32_at, u64_at};
use crate::storage::{Storage, StorageFile};
use model::Seq;
use std::io;

/// The newest format version of segments that this program reads, and the one it writes.
pub const SEGMENT_VERSION: u32 = 1;
pub const SEGMENT_HEADER_BYTES: usize = 64;

/// Which of the two logs a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    Journal,
    Events,
}

impl Log {
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Events => "events",
        }
    }

    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Journal => *b"RIALTOJS",
            Self::Events => *b"RIALTOES",
        }
    }

    /// Where the first frame begins. In the journal a page of its own keeps the header out of every later write.
    pub const fn frames_at(self) -> u64 {
        match self {
            Self::Journal => 4096,
            Self::Events => 64,
        }
    }

    pub fn path(self, number: u64) -> String {
        format!("{}/{number:020}.seg", self.folder())
    }

    /// The number in a file's name, `None` when it is not a segment's.
    pub fn number(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".seg")?;
        (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse().ok())?
    }

    /// Numbers of all segments, ascending.
    pub fn numbers(self, storage: &dyn Storage) -> Result<Vec<u64>, JournalError> {
        let names =
            storage.list(self.folder()).map_err(JournalError::io("list the folder", self.folder()))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| Self::number(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// What a journal segment was written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Behind the last frame there are zeros.
    Zeros,
    /// Behind the last frame there may be frames of earlier generations.
    Recycled,
}

/// The first 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub number: u64,
    pub first_seq: Seq,
    pub first_event_seq: u64,
    pub capacity: u64,
    pub prev_checksum: u32,
    pub origin: Origin,
}

/// What the first 64 bytes of a file are.
#[derive(Debug)]
pub enum Head {
    /// Zeros (or less than a header): prepared, or not yet written; no frame was ever written behind it.
    Blank,
    Used(SegmentHeader),
    NewerVersion(u32),
    Bad(Fault),
}

impl SegmentHeader {
    pub fn encode(&self, log: Log) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, log.magic());
        put_u32(&mut bytes, 8, SEGMENT_VERSION);
        let prefix = checksum(&bytes[..12]);
        put_u32(&mut bytes, 12, prefix);
        put_u64(&mut bytes, 16, self.number);
        put_u64(&mut bytes, 24, self.first_seq.get());
        put_u64(&mut bytes, 32, self.first_event_seq);
        put_u64(&mut bytes, 40, self.capacity);
        put_u32(&mut bytes, 48, self.prev_checksum);
        put_u32(&mut bytes, 52, u32::from(self.origin == Origin::Recycled));
        let whole = checksum(&bytes[..60]);
        put_u32(&mut bytes, 60, whole);
        bytes
    }

    pub fn decode(bytes: &[u8], log: Log) -> Head {
        if bytes.iter().all(|byte| *byte == 0) {
            return Head::Blank;
        }
        if bytes.len() < SEGMENT_HEADER_BYTES {
            return Head::Bad(Fault::Cut);
        }
        if array_at::<8>(bytes, 0) != log.magic() {
            return Head::Bad(Fault::Magic);
        }
        if u32_at(bytes, 12) != checksum(&bytes[..12]) {
            return Head::Bad(Fault::HeaderChecksum);
        }
        let version = u32_at(bytes, 8);
        if version > SEGMENT_VERSION {
            return Head::NewerVersion(version);
        }
        if u32_at(bytes, 60) != checksum(&bytes[..60]) {
            return Head::Bad(Fault::HeaderChecksum);
        }
        Head::Used(Self {
            number: u64_at(bytes, 16),
            first_seq: Seq(u64_at(bytes, 24)),
            first_event_seq: u64_at(bytes, 32),
            capacity: u64_at(bytes, 40),
            prev_checksum: u32_at(bytes, 48),
            origin: if u32_at(bytes, 52) == 0 { Origin::Zeros } else { Origin::Recycled },
        })
    }

    /// Reads the head of a file.
    pub fn read(file: &dyn StorageFile, log: Log) -> io::Result<Head> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_at(&mut bytes, 0)?;
        Ok(Self::decode(&bytes[..read], log))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_twenty_digits_and_the_ending_are_a_segments_name() {
        assert_eq!(Log::number("00000000000000000012.seg"), Some(12));
        assert_eq!(Log::path(Log::Journal, 12), "journal/00000000000000000012.seg");
        for other in ["12.seg", "00000000000000000012.seg.gz", "+0000000000000000012.seg", "LOCK", ".seg"] {
            assert_eq!(Log::number(other), None, "{other}");
        }
    }
}
