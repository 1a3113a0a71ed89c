//! Reading events back, in this process or in another, also while the file grows; and the rules of what an event
//! frame must follow. Cutting a bad tail is the writer's work.

use crate::error::{Fault, JournalError};
use crate::event_frame::{EVENT_HEADER_BYTES, EventBatch, EventHeader};
use crate::frame::Records;
use crate::layout::{ALIGNMENT, checksum, offset};
use crate::segment::{Head, Log, SEGMENT_VERSION, SegmentHeader};
use crate::storage::{Storage, StorageFile};
use crate::window::{Window, search};
use model::Seq;
use std::io;
use std::sync::Arc;

/// Where the event log stands between two frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventChain {
    pub next_seq: u64,
    pub next_event_seq: u64,
    pub checksum: u32,
}

impl EventChain {
    /// Before the first event.
    pub const GENESIS: Self = Self { next_seq: 1, next_event_seq: 1, checksum: 0 };

    pub fn at_start_of(header: &SegmentHeader) -> Self {
        Self {
            next_seq: header.first_seq.get(),
            next_event_seq: header.first_event_seq,
            checksum: header.prev_checksum,
        }
    }

    pub fn advance(&mut self, header: &EventHeader) {
        self.next_seq = header.last_seq.get() + 1;
        self.next_event_seq = header.next_event_seq();
        self.checksum = header.checksum;
    }

    /// Looks for the next frame at `at`. After `Ok(Ok(header))` the whole frame is in `window`.
    pub fn examine(
        &self,
        window: &mut Window,
        file: &dyn StorageFile,
        at: u64,
    ) -> io::Result<Result<EventHeader, Fault>> {
        let header = match EventHeader::decode(window.load(file, at, EVENT_HEADER_BYTES)?) {
            Ok(header) => header,
            Err(fault) => return Ok(Err(fault)),
        };
        let frame = window.load(file, at, header.frame_bytes())?;
        Ok(self.check(&header, frame).map(|()| header))
    }

    fn check(&self, header: &EventHeader, frame: &[u8]) -> Result<(), Fault> {
        if frame.len() < header.frame_bytes() {
            return Err(Fault::Cut);
        }
        if checksum(&frame[EVENT_HEADER_BYTES..]) != header.payload_checksum {
            return Err(Fault::PayloadChecksum);
        }
        if header.prev_checksum != self.checksum {
            return Err(Fault::Chain { found: header.prev_checksum, expected: self.checksum });
        }
        if header.first_seq.get() != self.next_seq || header.last_seq < header.first_seq {
            return Err(Fault::Sequence { found: header.first_seq.get(), expected: self.next_seq });
        }
        if header.first_event_seq.get() != self.next_event_seq {
            let (found, expected) = (header.first_event_seq.get(), self.next_event_seq);
            return Err(Fault::Sequence { found, expected });
        }
        let payload = &frame[EVENT_HEADER_BYTES..EVENT_HEADER_BYTES + header.payload_len];
        if Records::add_up(payload, header.event_count) { Ok(()) } else { Err(Fault::Records) }
    }
}

/// A place in one event segment, moving towards the end of it.
#[derive(Debug)]
pub struct EventWalk {
    pub number: u64,
    pub path: String,
    pub file: Box<dyn StorageFile>,
    window: Window,
    pub at: u64,
    pub frame_at: u64,
    pub chain: EventChain,
}

/// What a segment's file turned out to be.
pub enum Opened {
    Walk(EventWalk, SegmentHeader),
    /// No such file.
    Missing,
    /// No header yet, or a bad one.
    Unusable,
}

impl EventWalk {
    /// At the first frame of a segment.
    pub fn open(storage: &dyn Storage, number: u64) -> Result<Opened, JournalError> {
        let path = Log::Events.path(number);
        let file = match storage.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Missing),
            Err(error) => return Err(JournalError::io("open", &path)(error)),
        };
        match SegmentHeader::read(&*file, Log::Events).map_err(JournalError::io("read", &path))? {
            Head::Used(header) if header.number == number => {
                let at = Log::Events.frames_at();
                let chain = EventChain::at_start_of(&header);
                let window = Window::default();
                Ok(Opened::Walk(Self { number, path, file, window, at, frame_at: at, chain }, header))
            }
            Head::NewerVersion(found) => {
                Err(JournalError::NewerVersion { path, found, known: SEGMENT_VERSION })
            }
            Head::Used(_) | Head::Blank | Head::Bad(_) => Ok(Opened::Unusable),
        }
    }

    /// From a place and state that was reached before.
    pub fn resumed(self, at: u64, chain: EventChain) -> Self {
        Self { at, chain, ..self }
    }

    /// The frame here, stepping over it when it is good.
    pub fn next(&mut self) -> Result<Result<EventHeader, Fault>, JournalError> {
        let found = self
            .chain
            .examine(&mut self.window, &*self.file, self.at)
            .map_err(JournalError::io("read", &self.path))?;
        if let Ok(header) = &found {
            self.frame_at = self.at;
            self.at += offset(header.frame_bytes());
            self.chain.advance(header);
        }
        Ok(found)
    }

    /// Reads the file again instead of what was read ahead.
    pub fn refresh(&mut self) {
        self.window.forget();
    }

    pub fn payload(&self, header: &EventHeader) -> &[u8] {
        self.window.slice(self.frame_at + offset(EVENT_HEADER_BYTES), header.payload_len)
    }

    /// A frame here or behind that covers a command from `seq` on, whether it follows what is before it or not.
    pub fn find_frame_reaching(&self, seq: u64, from: u64) -> Result<Option<Seq>, JournalError> {
        // At the end of a growing file, where readers ask again and again, there is nothing to be searched.
        if self.file.size().map_err(JournalError::io("see the size of", &self.path))? <= from {
            return Ok(None);
        }
        find_frame_reaching(&*self.file, &self.path, seq, from)
    }

    pub fn damaged(&self, fault: Fault) -> JournalError {
        JournalError::Damaged {
            path: self.path.clone(),
            offset: self.at,
            seq: Seq(self.chain.next_seq),
            fault,
        }
    }
}

/// The last command of the first frame header at or behind `from` that covers `seq` or something later.
pub fn find_frame_reaching(
    file: &dyn StorageFile,
    path: &str,
    seq: u64,
    from: u64,
) -> Result<Option<Seq>, JournalError> {
    let reaches = |bytes: &[u8]| EventHeader::decode(bytes).is_ok_and(|header| header.last_seq.get() >= seq);
    let found =
        search(file, from, u64::MAX, EVENT_HEADER_BYTES, reaches).map_err(JournalError::io("read", path))?;
    let Some(at) = found.header_at else { return Ok(None) };
    let mut bytes = [0; EVENT_HEADER_BYTES];
    file.read_at(&mut bytes, at).map_err(JournalError::io("read", path))?;
    Ok(EventHeader::decode(&bytes).ok().map(|header| header.last_seq))
}

/// Event batches in order, from one that is asked for. At the end of what is written it gives `None` and may be asked
/// again later; it is not told when there is more.
///
/// After a crash of the writing process the file's end may be cut and is then written again with the same bytes, so a
/// reader that was further than the file waits, and goes on where it was.
#[derive(Debug)]
pub struct EventLogReader {
    storage: Arc<dyn Storage>,
    /// `None` as long as there is no segment.
    walk: Option<EventWalk>,
    from: Seq,
}

impl EventLogReader {
    /// The first batch will be the one that covers command `from`, which may begin before it.
    pub fn open(storage: &Arc<dyn Storage>, from: Seq) -> Result<Self, JournalError> {
        let mut reader = Self { storage: Arc::clone(storage), walk: None, from };
        reader.begin()?;
        Ok(reader)
    }

    /// Finds the segment that has `from`.
    fn begin(&mut self) -> Result<(), JournalError> {
        let mut oldest = None;
        for number in Log::Events.numbers(&*self.storage)? {
            match EventWalk::open(&*self.storage, number)? {
                Opened::Walk(walk, header) => {
                    oldest.get_or_insert(header.first_seq);
                    if self.walk.is_some() && header.first_seq > self.from {
                        break;
                    }
                    self.walk = Some(walk);
                }
                // The newest file may be about to get its header.
                Opened::Missing | Opened::Unusable => break,
            }
        }
        match oldest {
            Some(oldest) if self.from < oldest && oldest > Seq(1) => {
                Err(JournalError::Removed { wanted: self.from, oldest })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The next batch; `None` when there is none yet.
    #[expect(
        clippy::should_implement_trait,
        reason = "batches borrow from the reader, which iterators cannot"
    )]
    pub fn next(&mut self) -> Result<Option<EventBatch<'_>>, JournalError> {
        if self.walk.is_none() {
            self.begin()?;
        }
        if self.walk.is_none() {
            return Ok(None);
        }
        let header = loop {
            match self.next_frame()? {
                None => return Ok(None),
                Some(header) if header.last_seq >= self.from => break header,
                Some(_) => {}
            }
        };
        let walk = self.walk.as_ref().expect("there is a segment, looked at above");
        Ok(Some(EventBatch::new(&header, walk.payload(&header))))
    }

    fn next_frame(&mut self) -> Result<Option<EventHeader>, JournalError> {
        let walk = self.walk.as_mut().expect("there is a segment, looked at by the caller");
        loop {
            let fault = match walk.next()? {
                Ok(header) => return Ok(Some(header)),
                Err(fault) if fault.may_be_torn() => fault,
                Err(fault) => return Err(walk.damaged(fault)),
            };
            // Nothing whole here. The next file, and frames behind this place, are only written when this frame is
            // whole and nothing more comes into this file; so look at those first, and then here once more.
            let next = EventWalk::open(&*self.storage, walk.number + 1)?;
            let more_behind = walk.find_frame_reaching(walk.chain.next_seq, walk.at + offset(ALIGNMENT))?;
            let Opened::Walk(same, _) = EventWalk::open(&*self.storage, walk.number)? else {
                // The writer is about to write this file again.
                return Ok(None);
            };
            // By its name, as the writer may have replaced the file after a crash.
            walk.file = same.file;
            walk.refresh();
            match walk.next()? {
                Ok(header) => return Ok(Some(header)),
                Err(fault) if !fault.may_be_torn() => return Err(walk.damaged(fault)),
                Err(_) => {}
            }
            match next {
                Opened::Walk(next, _) if next.chain == walk.chain => *walk = next,
                Opened::Walk(..) => return Err(walk.damaged(fault)),
                Opened::Missing | Opened::Unusable if more_behind.is_some() => {
                    return Err(walk.damaged(fault));
                }
                Opened::Missing | Opened::Unusable => return Ok(None),
            }
        }
    }
}
