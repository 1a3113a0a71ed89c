//! Writing the event log: derived data, so nothing is synced before a snapshot asks for it; after a crash its tail is
//! cut where it is bad and derived again from the journal. What an event is, and the hash over events, is the caller's.

use crate::error::JournalError;
use crate::event_frame::{EventFrame, EventHeader, EventPosition};
use crate::event_reader::{EventChain, EventWalk, Opened, find_frame_reaching};
use crate::layout::offset;
use crate::segment::{Log, Origin, SegmentHeader};
use crate::settings::Settings;
use crate::storage::{Storage, StorageFile};
use crate::survey::ahead;
use model::{EventSeq, Seq};
use std::sync::Arc;

/// Proof that the event log is on the disk up to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncedEvents {
    position: EventPosition,
}

impl SyncedEvents {
    /// Up to here.
    pub const fn position(self) -> EventPosition {
        self.position
    }
}

/// What [`EventLogWriter::expect_or_append`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The file had this very frame.
    Existing,
    /// The file ended before it.
    Appended,
}

/// The bad end of the event log that was cut at the start. It is derived again, so this is not a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutTail {
    /// The file that was cut, relative to the data directory; later ones were removed.
    pub path: String,
    /// Where.
    pub offset: u64,
    /// Bytes that went, in all files.
    pub bytes: u64,
}

/// The one place where the event log grows.
#[derive(Debug)]
pub struct EventLogWriter {
    storage: Arc<dyn Storage>,
    segment_bytes: u64,
    number: u64,
    file: Box<dyn StorageFile>,
    path: String,
    /// Where the next new frame goes.
    at: u64,
    chain: EventChain,
    /// Frames that were in the file at the start and that the caller has not derived again yet.
    existing: Option<Existing>,
    /// Up to here the log is what the caller says it is.
    position: EventPosition,
    /// Earlier files with unsynced bytes.
    unsynced: Vec<(String, Box<dyn StorageFile>)>,
    poisoned: Option<String>,
}

#[derive(Debug)]
struct Existing {
    walk: EventWalk,
    /// One behind the last of them.
    until_seq: u64,
}

impl EventLogWriter {
    /// Opens the log of a journal that ends at `journal_end`. `from` is the position of the snapshot that the caller
    /// starts from ([`EventPosition::GENESIS`] without one): it must be in the log. Behind it the log is cut at the
    /// first bad frame; what is left behind `from` is compared, frame by frame, as the caller derives events again
    /// with [`expect_or_append`](Self::expect_or_append).
    ///
    /// Of what lies before `from` only that segment is read; everything else there is looked at by whoever reads it.
    pub fn open(
        storage: &Arc<dyn Storage>,
        settings: &Settings,
        journal_end: Seq,
        from: EventPosition,
    ) -> Result<(Option<CutTail>, Self), JournalError> {
        settings.assert_in_range();
        let found = find_end(&**storage, journal_end, from)?;
        let cut = cut(&**storage, journal_end, &found)?;
        let (number, chain) = (found.number, found.chain.clone());
        let path = Log::Events.path(number);
        let file = if found.kept {
            storage.open(&path).map_err(JournalError::io("open", &path))?
        } else {
            create_segment(&**storage, number, &chain)?
        };
        // The snapshot's frame, or the beginning, is where comparing starts.
        let until_seq = chain.next_seq;
        let existing = found.walk.filter(|walk| walk.chain.next_seq < until_seq);
        let writer = Self {
            storage: Arc::clone(storage),
            segment_bytes: settings.event_segment_bytes,
            number,
            file,
            path,
            at: found.at,
            chain,
            existing: existing.map(|walk| Existing { walk, until_seq }),
            position: from,
            unsynced: Vec::new(),
            poisoned: None,
        };
        Ok((cut, writer))
    }

    /// Writes the events of the next batch, behind the gate. Not synced.
    ///
    /// Panics when the frame does not follow the last one, or while frames from before the start are still to be
    /// compared: the caller's invariants. After an error nothing is written any more.
    pub fn append(&mut self, frame: &mut EventFrame) -> Result<(), JournalError> {
        assert!(self.existing.is_none(), "the journal is replayed to its end before new events are appended");
        self.guarded(|writer| writer.write(frame))
    }

    /// For replay: the file has this frame already, or ended before it and gets it now. A frame that differs is an
    /// error, because readers may have seen what is in the file.
    pub fn expect_or_append(&mut self, frame: &mut EventFrame) -> Result<Kept, JournalError> {
        self.guarded(|writer| match writer.existing.take() {
            None => writer.write(frame).map(|()| Kept::Appended),
            Some(existing) => {
                writer.existing = writer.compare(existing, frame)?;
                Ok(Kept::Existing)
            }
        })
    }

    /// The last batch that was appended or found equal.
    pub const fn position(&self) -> EventPosition {
        self.position
    }

    /// The last command that the file has events for, compared or not.
    pub const fn written_to(&self) -> Seq {
        Seq(self.chain.next_seq - 1)
    }

    /// Makes everything up to [`position`](Self::position) durable: what a snapshot needs. An error is final.
    pub fn sync(&mut self) -> Result<SyncedEvents, JournalError> {
        self.guarded(|writer| {
            for (path, file) in &writer.unsynced {
                file.sync().map_err(JournalError::io("sync", path))?;
            }
            writer.unsynced.clear();
            writer.file.sync().map_err(JournalError::io("sync", &writer.path))?;
            if let Some(existing) = &writer.existing {
                existing.walk.file.sync().map_err(JournalError::io("sync", &existing.walk.path))?;
            }
            sync_folder(&*writer.storage)?;
            Ok(SyncedEvents { position: writer.position })
        })
    }

    fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if let Some(cause) = &self.poisoned {
            return Err(JournalError::Poisoned { cause: cause.clone() });
        }
        let outcome = work(self);
        if let Err(error) = &outcome {
            self.poisoned = Some(error.to_string());
        }
        outcome
    }

    /// Compares with the next frame of the file, and writes the same bytes again: the process before may have failed
    /// to sync them, and a snapshot's sync must be able to count on them. A file's header lies in the sector
    /// that its first frame begins in. Gives back what is left to be compared.
    fn compare(
        &mut self,
        mut existing: Existing,
        frame: &mut EventFrame,
    ) -> Result<Option<Existing>, JournalError> {
        let there = loop {
            match existing.walk.next()? {
                Ok(header) => break header,
                Err(fault) => match EventWalk::open(&*self.storage, existing.walk.number + 1)? {
                    Opened::Walk(next, _) if next.chain == existing.walk.chain => {
                        let done = std::mem::replace(&mut existing.walk, next);
                        self.unsynced.push((done.path, done.file));
                    }
                    Opened::Walk(..) | Opened::Missing | Opened::Unusable => {
                        return Err(existing.walk.damaged(fault));
                    }
                },
            }
        };
        let walk = &existing.walk;
        let now = frame.seal(there.prev_checksum);
        if let Some(difference) = there.difference(&now) {
            let (path, seq) = (walk.path.clone(), there.first_seq);
            return Err(JournalError::EventsDiffer { path, seq, difference });
        }
        let bytes = frame.sealed();
        walk.file.write_at(bytes, walk.frame_at).map_err(JournalError::writing(
            bytes.len(),
            walk.frame_at,
            &walk.path,
        ))?;
        self.position = there.position();
        if walk.chain.next_seq < existing.until_seq {
            return Ok(Some(existing));
        }
        self.unsynced.push((existing.walk.path, existing.walk.file));
        Ok(None)
    }

    fn write(&mut self, frame: &mut EventFrame) -> Result<(), JournalError> {
        let header = frame.seal(self.chain.checksum);
        let (next_seq, next_event_seq) = (self.chain.next_seq, self.chain.next_event_seq);
        assert_eq!(header.first_seq, Seq(next_seq), "events come in the order of their commands");
        assert_eq!(
            header.first_event_seq,
            EventSeq(next_event_seq),
            "a gap or a repeat in the order of events"
        );
        let bytes = frame.sealed();
        let has_frames = self.at > Log::Events.frames_at();
        if has_frames && self.at + offset(bytes.len()) > self.segment_bytes {
            let file = create_segment(&*self.storage, self.number + 1, &self.chain)?;
            self.number += 1;
            let path = std::mem::replace(&mut self.path, Log::Events.path(self.number));
            self.unsynced.push((path, std::mem::replace(&mut self.file, file)));
            self.at = Log::Events.frames_at();
        }
        self.file.write_at(bytes, self.at).map_err(JournalError::writing(
            bytes.len(),
            self.at,
            &self.path,
        ))?;
        self.at += offset(bytes.len());
        self.chain.advance(&header);
        self.position = header.position();
        Ok(())
    }
}

fn sync_folder(storage: &dyn Storage) -> Result<(), JournalError> {
    let folder = Log::Events.folder();
    storage.sync_folder(folder).map_err(JournalError::io("sync the folder", folder))
}

fn create_segment(
    storage: &dyn Storage,
    number: u64,
    chain: &EventChain,
) -> Result<Box<dyn StorageFile>, JournalError> {
    let path = Log::Events.path(number);
    let header = SegmentHeader {
        number,
        first_seq: Seq(chain.next_seq),
        first_event_seq: chain.next_event_seq,
        capacity: 0,
        prev_checksum: chain.checksum,
        origin: Origin::Zeros,
    };
    let file = storage.create(&path).map_err(JournalError::io("create", &path))?;
    let bytes = header.encode(Log::Events);
    file.write_at(&bytes, 0).map_err(JournalError::writing(bytes.len(), 0, &path))?;
    Ok(file)
}

/// How far the log is good.
struct End {
    number: u64,
    /// False when that segment has to be made.
    kept: bool,
    at: u64,
    chain: EventChain,
    /// At the place where the caller starts.
    walk: Option<EventWalk>,
}

/// Walks from the caller's position to the first frame that is not good.
fn find_end(storage: &dyn Storage, journal_end: Seq, from: EventPosition) -> Result<End, JournalError> {
    let Some(mut walk) = first_segment(storage, from)? else {
        return Ok(End {
            number: 1,
            kept: false,
            at: Log::Events.frames_at(),
            chain: EventChain::GENESIS,
            walk: None,
        });
    };
    let mut start: Option<(u64, u64, EventChain)> = None;
    if from.seq == Seq(0) {
        start = Some((walk.number, walk.at, walk.chain.clone()));
    }
    loop {
        match walk.next()? {
            Ok(header) => {
                if header.last_seq > journal_end {
                    return Err(ahead(&walk.path, header.last_seq, journal_end));
                }
                if start.is_none() && header.last_seq >= from.seq {
                    check_position(&walk, &header, from)?;
                    start = Some((walk.number, walk.at, walk.chain.clone()));
                }
            }
            Err(fault) => match EventWalk::open(storage, walk.number + 1)? {
                Opened::Walk(next, _) if next.chain == walk.chain => walk = next,
                Opened::Walk(..) | Opened::Missing | Opened::Unusable => {
                    if start.is_none() {
                        let reason =
                            format!("{} cannot be read from byte {} on: {fault}", walk.path, walk.at);
                        return Err(JournalError::EventsMissing { seq: from.seq, reason });
                    }
                    break;
                }
            },
        }
    }
    let (number, at, chain) = (walk.number, walk.at, walk.chain);
    let walk = match start {
        Some((number, at, chain)) => match EventWalk::open(storage, number)? {
            Opened::Walk(walk, _) => Some(walk.resumed(at, chain)),
            Opened::Missing | Opened::Unusable => None,
        },
        None => None,
    };
    Ok(End { number, kept: true, at, chain, walk })
}

/// The segment that the caller's position is in: the last one that begins at or before it. `None`: there is no usable
/// segment and none is needed.
fn first_segment(storage: &dyn Storage, from: EventPosition) -> Result<Option<EventWalk>, JournalError> {
    let mut found = None;
    for number in Log::Events.numbers(storage)? {
        if let Opened::Walk(walk, header) = EventWalk::open(storage, number)?
            && header.first_seq <= from.seq.max(Seq(1))
        {
            found = Some(walk);
        }
    }
    match found {
        Some(walk) => Ok(Some(walk)),
        None if from.seq == Seq(0) => Ok(None),
        None => Err(JournalError::EventsMissing {
            seq: from.seq,
            reason: "no file in `events` begins at or before it".to_owned(),
        }),
    }
}

fn check_position(walk: &EventWalk, header: &EventHeader, from: EventPosition) -> Result<(), JournalError> {
    let there = header.position();
    if there == from {
        return Ok(());
    }
    let reason = if there.seq == from.seq {
        format!("{} has another hash or another event sequence there", walk.path)
    } else {
        format!("in {} it lies inside a batch", walk.path)
    };
    Err(JournalError::EventsMissing { seq: from.seq, reason })
}

/// Removes what is behind the end. First of all it looks there for frames that the journal has no commands for: those
/// were written behind the gate, so the journal has lost something.
fn cut(storage: &dyn Storage, journal_end: Seq, end: &End) -> Result<Option<CutTail>, JournalError> {
    let path = Log::Events.path(end.number);
    let mut bytes = 0;
    let mut doomed = Vec::new();
    for number in Log::Events.numbers(storage)? {
        let kept = end.kept && number <= end.number;
        if kept && number < end.number {
            continue;
        }
        let path = Log::Events.path(number);
        let from = if kept { end.at } else { 0 };
        let file = storage.open(&path).map_err(JournalError::io("open", &path))?;
        if let Some(seq) = find_frame_reaching(&*file, &path, journal_end.get() + 1, from)? {
            return Err(ahead(&path, seq, journal_end));
        }
        let behind = file.size().map_err(JournalError::io("see the size of", &path))? - from;
        if behind > 0 || !kept {
            bytes += behind;
            doomed.push((number, path, file));
        }
    }
    // Nothing of this is synced: should a power cut bring the old bytes back, then they are cut again, or they are
    // what will have been derived by then.
    for (number, path, file) in doomed {
        if end.kept && number == end.number {
            file.set_size(end.at).map_err(JournalError::io("cut", &path))?;
        } else {
            storage.remove(&path).map_err(JournalError::io("remove", &path))?;
        }
    }
    Ok((bytes > 0).then_some(CutTail { path, offset: end.at, bytes }))
}
