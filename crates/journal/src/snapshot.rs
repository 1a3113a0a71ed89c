//! Snapshots: the state at one sequence, as named sections of bytes, in one file that is whole or not there. What the
//! sections mean is the caller's matter; so is when to write one.
//!
//! File of version 1, little-endian:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 8 | `RIALTOSN` |
//! | 8 | 4 | format version |
//! | 12 | 4 | checksum of the 12 bytes before; these 16 bytes are the same in every version to come |
//! | 16 | 8 | bytes of the whole file |
//! | 24 | 8 | sequence |
//! | 32 | 8 | event sequence |
//! | 40 | 8 | time, nanoseconds |
//! | 48 | 32 | hash chain over the events |
//! | 80 | 4 | checksum of the journal's batch that ends at the sequence |
//! | 84 | 4 | number of sections |
//! | 88 | 4 | 0 |
//! | 92 | 4 | checksum of the 92 bytes before |
//! | 96 | | sections: length of the name (4), length of the bytes (8), name, bytes |
//! | end - 4 | 4 | checksum of everything before |

use crate::error::{Fault, JournalError};
use crate::event_frame::EventPosition;
use crate::event_log::SyncedEvents;
use crate::frame::Durable;
use crate::layout::{array_at, checksum, in_memory, offset, put, put_u32, put_u64, u32_at, u64_at};
use crate::storage::{Storage, StorageFile};
use model::{EventSeq, Seq, TimeNs};
use std::ops::Range;
use std::sync::Arc;

/// The newest format version of snapshots that this program reads, and the one it writes.
const SNAPSHOT_VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"RIALTOSN";
const HEADER_BYTES: usize = 96;
const SECTION_HEADER_BYTES: usize = 12;
pub(crate) const FOLDER: &str = "snapshots";
const UNFINISHED: &str = ".tmp";

/// Proof that a whole snapshot is on the disk: what may be removed from the journal depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurableSnapshot {
    seq: Seq,
}

impl DurableSnapshot {
    /// The last command that it contains.
    pub const fn seq(self) -> Seq {
        self.seq
    }
}

/// A snapshot that was read and whose checksum is right.
#[derive(Debug)]
pub struct Snapshot {
    journal: Durable,
    events: EventPosition,
    time_ns: TimeNs,
    bytes: Vec<u8>,
    sections: Vec<(String, Range<usize>)>,
}

impl Snapshot {
    /// The last command that it contains.
    pub const fn seq(&self) -> Seq {
        self.journal.seq()
    }

    /// Where the journal stood.
    pub const fn journal(&self) -> Durable {
        self.journal
    }

    /// Where the event log stood.
    pub const fn events(&self) -> EventPosition {
        self.events
    }

    /// Of the last command.
    pub const fn time_ns(&self) -> TimeNs {
        self.time_ns
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One section's bytes.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        self.sections.iter().find(|(known, _)| known == name).map(|(_, range)| &self.bytes[range.clone()])
    }

    /// The sections' names, as they were written.
    pub fn section_names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|(name, _)| name.as_str())
    }

    /// It was read from the disk, so it is there.
    pub const fn proof(&self) -> DurableSnapshot {
        DurableSnapshot { seq: self.journal.seq() }
    }
}

/// A snapshot that cannot be used: a warning for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSnapshot {
    /// Relative to the data directory.
    pub path: String,
    /// According to its name.
    pub seq: Seq,
    /// What is wrong.
    pub fault: Fault,
}

/// What there is to start from.
#[derive(Debug)]
pub struct Newest {
    /// The newest one that is whole. `None`: start from the journal's first command.
    pub snapshot: Option<Snapshot>,
    /// Newer ones that are not.
    pub damaged: Vec<DamagedSnapshot>,
}

/// The folder of snapshots.
#[derive(Debug)]
pub struct SnapshotStore {
    storage: Arc<dyn Storage>,
    kept: usize,
}

impl SnapshotStore {
    /// Keeps the newest `kept` ones, at least 1. Touches nothing yet.
    pub fn new(storage: &Arc<dyn Storage>, kept: usize) -> Self {
        assert!(kept >= 1, "at least one snapshot is kept");
        Self { storage: Arc::clone(storage), kept }
    }

    /// Writes the state after the batch that ends at `journal`, where the event log stands at `events`. When this
    /// returns, the file is durable under its name, and only then older ones are removed.
    ///
    /// Panics when the event log is not synced that far: the caller's invariant. After an error the store can be used
    /// again; nothing that was there is touched.
    pub fn write(
        &self,
        journal: Durable,
        events: EventPosition,
        synced: SyncedEvents,
        time_ns: TimeNs,
        sections: &[(&str, &[u8])],
    ) -> Result<DurableSnapshot, JournalError> {
        let synced = synced.position();
        assert_eq!(events.seq, journal.seq(), "a snapshot has the events of its own last command");
        assert!(
            synced.seq >= events.seq,
            "a snapshot is written when the event log is synced to its position"
        );
        assert!(synced.seq > events.seq || synced == events, "there is one history of events");

        let storage = &*self.storage;
        let seq = journal.seq();
        let (temporary, path) = (format!("{FOLDER}/{seq:020}{UNFINISHED}", seq = seq.get()), path(seq));
        self.remove_unfinished()?;
        let file = storage.create(&temporary).map_err(JournalError::io("create", &temporary))?;
        let header = encode_header(journal, events, time_ns, sections);
        write_file(&*file, &temporary, &header, sections)?;
        file.sync().map_err(JournalError::io("sync", &temporary))?;
        storage.rename(&temporary, &path).map_err(JournalError::io("rename to a snapshot", &temporary))?;
        self.sync_folder()?;

        let all = self.list()?;
        for old in &all[..all.len().saturating_sub(self.kept)] {
            self.remove(&self::path(*old))?;
        }
        Ok(DurableSnapshot { seq })
    }

    /// Sequences of all snapshots, oldest first, by their names.
    pub fn list(&self) -> Result<Vec<Seq>, JournalError> {
        let mut seqs: Vec<Seq> = self.names()?.iter().filter_map(|name| number(name)).map(Seq).collect();
        seqs.sort_unstable();
        Ok(seqs)
    }

    /// One snapshot, wholly checked.
    pub fn read(&self, seq: Seq) -> Result<Snapshot, JournalError> {
        let path = path(seq);
        let file = self.storage.open(&path).map_err(JournalError::io("open", &path))?;
        let size = file.size().map_err(JournalError::io("see the size of", &path))?;
        let mut bytes = vec![0; in_memory(size)];
        let read = file.read_at(&mut bytes, 0).map_err(JournalError::io("read", &path))?;
        bytes.truncate(read);
        match decode(bytes, seq) {
            Ok(snapshot) => Ok(snapshot),
            Err(Unreadable::NewerVersion(found)) => {
                Err(JournalError::NewerVersion { path, found, known: SNAPSHOT_VERSION })
            }
            Err(Unreadable::Damaged(fault)) => Err(JournalError::DamagedSnapshot { path, fault }),
        }
    }

    /// The newest one that is whole, and the damaged ones that are newer. One of a newer format version is an error:
    /// there is nothing wrong with it.
    pub fn newest_valid(&self) -> Result<Newest, JournalError> {
        let mut damaged = Vec::new();
        for seq in self.list()?.into_iter().rev() {
            match self.read(seq) {
                Ok(snapshot) => return Ok(Newest { snapshot: Some(snapshot), damaged }),
                Err(JournalError::DamagedSnapshot { path, fault }) => {
                    damaged.push(DamagedSnapshot { path, seq, fault });
                }
                Err(other) => return Err(other),
            }
        }
        Ok(Newest { snapshot: None, damaged })
    }

    /// Files that a crash left behind before they had their name.
    pub(crate) fn remove_unfinished(&self) -> Result<(), JournalError> {
        for name in self.names()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            self.remove(&format!("{FOLDER}/{name}"))?;
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, JournalError> {
        self.storage.list(FOLDER).map_err(JournalError::io("list the folder", FOLDER))
    }

    fn remove(&self, path: &str) -> Result<(), JournalError> {
        self.storage.remove(path).map_err(JournalError::io("remove", path))?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<(), JournalError> {
        self.storage.sync_folder(FOLDER).map_err(JournalError::io("sync the folder", FOLDER))
    }
}

pub(crate) fn path(seq: Seq) -> String {
    format!("{FOLDER}/{:020}.snap", seq.get())
}

/// The sequence in a file's name.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".snap")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn encode_header(
    journal: Durable,
    events: EventPosition,
    time_ns: TimeNs,
    sections: &[(&str, &[u8])],
) -> [u8; HEADER_BYTES] {
    let section_bytes: usize =
        sections.iter().map(|(name, bytes)| SECTION_HEADER_BYTES + name.len() + bytes.len()).sum();
    let mut header = [0; HEADER_BYTES];
    put(&mut header, 0, MAGIC);
    put_u32(&mut header, 8, SNAPSHOT_VERSION);
    let prefix = checksum(&header[..12]);
    put_u32(&mut header, 12, prefix);
    put_u64(&mut header, 16, offset(HEADER_BYTES + section_bytes + 4));
    put_u64(&mut header, 24, journal.seq().get());
    put_u64(&mut header, 32, events.event_seq.get());
    put_u64(&mut header, 40, time_ns.get());
    put(&mut header, 48, events.chain);
    put_u32(&mut header, 80, journal.checksum());
    put_u32(&mut header, 84, u32::try_from(sections.len()).expect("a handful of sections"));
    let whole = checksum(&header[..92]);
    put_u32(&mut header, 92, whole);
    header
}

fn write_file(
    file: &dyn StorageFile,
    path: &str,
    header: &[u8],
    sections: &[(&str, &[u8])],
) -> Result<(), JournalError> {
    let (mut at, mut sum) = (0, 0);
    let mut write = |bytes: &[u8]| {
        file.write_at(bytes, at).map_err(JournalError::writing(bytes.len(), at, path))?;
        at += offset(bytes.len());
        sum = crc32c::crc32c_append(sum, bytes);
        Ok::<u32, JournalError>(sum)
    };
    let mut sum = write(header)?;
    for (name, bytes) in sections {
        let mut section = Vec::with_capacity(SECTION_HEADER_BYTES + name.len());
        section.extend_from_slice(&u32::try_from(name.len()).expect("a short name").to_le_bytes());
        section.extend_from_slice(&offset(bytes.len()).to_le_bytes());
        section.extend_from_slice(name.as_bytes());
        write(&section)?;
        sum = write(bytes)?;
    }
    write(&sum.to_le_bytes())?;
    Ok(())
}

enum Unreadable {
    NewerVersion(u32),
    Damaged(Fault),
}

fn decode(bytes: Vec<u8>, seq: Seq) -> Result<Snapshot, Unreadable> {
    let damaged = |fault| Err(Unreadable::Damaged(fault));
    if bytes.len() < HEADER_BYTES + 4 {
        return damaged(Fault::Cut);
    }
    if array_at::<8>(&bytes, 0) != MAGIC {
        return damaged(Fault::Magic);
    }
    if u32_at(&bytes, 12) != checksum(&bytes[..12]) {
        return damaged(Fault::HeaderChecksum);
    }
    let version = u32_at(&bytes, 8);
    if version > SNAPSHOT_VERSION {
        return Err(Unreadable::NewerVersion(version));
    }
    if u32_at(&bytes, 92) != checksum(&bytes[..92]) {
        return damaged(Fault::HeaderChecksum);
    }
    let (found, expected) = (offset(bytes.len()), u64_at(&bytes, 16));
    if found != expected {
        return damaged(Fault::Size { found, expected });
    }
    let end = bytes.len() - 4;
    if u32_at(&bytes, end) != checksum(&bytes[..end]) {
        return damaged(Fault::PayloadChecksum);
    }
    let written_for = Seq(u64_at(&bytes, 24));
    if written_for != seq {
        return damaged(Fault::Number { found: written_for.get() });
    }
    let Some(sections) = decode_sections(&bytes[..end], u32_at(&bytes, 84)) else {
        return damaged(Fault::Records);
    };
    Ok(Snapshot {
        journal: Durable::new(seq, u32_at(&bytes, 80)),
        events: EventPosition { seq, event_seq: EventSeq(u64_at(&bytes, 32)), chain: array_at(&bytes, 48) },
        time_ns: TimeNs(u64_at(&bytes, 40)),
        sections,
        bytes,
    })
}

/// `None` when they do not fill `bytes` exactly.
fn decode_sections(bytes: &[u8], count: u32) -> Option<Vec<(String, Range<usize>)>> {
    let mut sections = Vec::new();
    let mut at = HEADER_BYTES;
    for _ in 0..count {
        let lengths = bytes.get(at..at + SECTION_HEADER_BYTES)?;
        let name_at = at + SECTION_HEADER_BYTES;
        let bytes_at = name_at.checked_add(u32_at(lengths, 0) as usize)?;
        let end = bytes_at.checked_add(usize::try_from(u64_at(lengths, 4)).ok()?)?;
        let name = str::from_utf8(bytes.get(name_at..bytes_at)?).ok()?;
        bytes.get(bytes_at..end)?;
        sections.push((name.to_owned(), bytes_at..end));
        at = end;
    }
    (at == bytes.len()).then_some(sections)
}
