//! Stepping through the journal's frames, from one segment into the next, and telling the end from damage.

use crate::chain::Chain;
use crate::error::{Fault, JournalError};
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, decode_skip_mark};
use crate::layout::{ALIGNMENT, offset};
use crate::segment::{Log, Origin, SegmentHeader};
use crate::storage::{Storage, StorageFile};
use crate::survey::{SkipMark, TornTail};
use crate::window::{Remainder, Window, search};
use model::{Seq, TimeNs};
use std::ops::Range;
use std::sync::Arc;

/// A place in the journal, moving towards its end.
#[derive(Debug)]
pub struct Walk {
    storage: Arc<dyn Storage>,
    segments: Vec<SegmentHeader>,
    index: usize,
    file: Box<dyn StorageFile>,
    path: String,
    window: Window,
    /// Where the next frame begins.
    pub at: u64,
    /// Where the frame that was returned last begins.
    pub frame_at: u64,
    pub chain: Chain,
    /// The end of the last segment, when it is known already.
    limit: Option<u64>,
}

impl Walk {
    /// At the first frame of segment number `index` of `segments`.
    pub fn open(
        storage: Arc<dyn Storage>,
        segments: Vec<SegmentHeader>,
        index: usize,
        limit: Option<u64>,
    ) -> Result<Self, JournalError> {
        let header = &segments[index];
        let path = Log::Journal.path(header.number);
        let file = storage.open(&path).map_err(JournalError::io("open", &path))?;
        let chain = Chain::at_start_of(header, TimeNs(0));
        let at = Log::Journal.frames_at();
        let window = Window::default();
        Ok(Self { storage, segments, index, file, path, window, at, frame_at: at, chain, limit })
    }

    pub fn segments(&self) -> &[SegmentHeader] {
        &self.segments
    }

    pub fn into_segments(self) -> Vec<SegmentHeader> {
        self.segments
    }

    /// The segment that the next frame is expected in.
    pub fn segment_index(&self) -> usize {
        self.index
    }

    /// The next frame, wholly checked; `None` at the end of the journal.
    pub fn next(&mut self) -> Result<Option<FrameHeader>, JournalError> {
        loop {
            let last = self.index + 1 == self.segments.len();
            if last && self.limit.is_some_and(|limit| self.at >= limit) {
                return Ok(None);
            }
            let mut found = self.examine()?;
            if last && self.limit.is_none() && found.as_ref().is_err_and(|fault| fault.may_be_torn()) {
                if self.remainder()?.header_at.is_none() {
                    return Ok(None);
                }
                // A batch is written whole before the next is begun. So either this one is damaged, or another
                // process wrote both since we looked; then it is whole now.
                self.window.forget();
                found = self.examine()?;
            }
            match found {
                Ok(header) => {
                    self.frame_at = self.at;
                    self.at += offset(header.frame_bytes());
                    self.chain.advance(&header);
                    return Ok(Some(header));
                }
                Err(fault) if last || !fault.may_be_torn() => return Err(self.damaged(fault)),
                Err(fault) => self.enter_next_segment(fault)?,
            }
        }
    }

    fn examine(&mut self) -> Result<Result<FrameHeader, Fault>, JournalError> {
        let capacity = self.segments[self.index].capacity;
        self.chain
            .examine(&mut self.window, &*self.file, self.at, capacity)
            .map_err(JournalError::io("read", &self.path))
    }

    /// No frame here, because of `fault`: then the next segment must continue from here.
    fn enter_next_segment(&mut self, fault: Fault) -> Result<(), JournalError> {
        let next = &self.segments[self.index + 1];
        if !self.chain.continues_in(next) {
            return Err(self.damaged(fault));
        }
        self.path = Log::Journal.path(next.number);
        self.file = self.storage.open(&self.path).map_err(JournalError::io("open", &self.path))?;
        self.window.forget();
        self.at = Log::Journal.frames_at();
        self.chain = Chain::at_start_of(next, self.chain.time_ns);
        self.index += 1;
        Ok(())
    }

    /// The payload of the frame that was returned last.
    pub fn payload(&self, frame: &FrameHeader) -> &[u8] {
        self.window.slice(self.frame_at + offset(FRAME_HEADER_BYTES), frame.payload_len)
    }

    /// The mark in the frame that was returned last.
    pub fn skip_mark(&self, frame: &FrameHeader) -> Result<SkipMark, JournalError> {
        let (seq, reason) = decode_skip_mark(self.payload(frame)).map_err(|fault| JournalError::Damaged {
            path: self.path.clone(),
            offset: self.frame_at,
            seq: frame.first_seq,
            fault,
        })?;
        Ok(SkipMark { seq, reason })
    }

    fn damaged(&self, fault: Fault) -> JournalError {
        JournalError::Damaged {
            path: self.path.clone(),
            offset: self.at,
            seq: Seq(self.chain.next_seq),
            fault,
        }
    }

    /// What is behind the frame, whole or not, that begins here.
    fn remainder(&self) -> Result<Remainder, JournalError> {
        let from = self.at + offset(ALIGNMENT);
        search(&*self.file, from, self.segments[self.index].capacity, FRAME_HEADER_BYTES, |bytes| {
            self.chain.is_later_header(bytes)
        })
        .map_err(JournalError::io("read", &self.path))
    }

    /// At the end of the journal: the pieces of an unfinished batch, and what must be wiped so that they are gone.
    pub fn torn_tail(&mut self) -> Result<(Option<TornTail>, Option<Range<u64>>), JournalError> {
        let SegmentHeader { capacity, origin, .. } = self.segments[self.index];
        let torn = |bytes| TornTail { path: self.path.clone(), offset: self.at, bytes };
        match origin {
            // Nothing was there but zeros, so whatever is there now was the unfinished batch.
            Origin::Zeros => {
                let mut word = [0; ALIGNMENT];
                self.file.read_at(&mut word, self.at).map_err(JournalError::io("read", &self.path))?;
                let here = word.iter().rposition(|byte| *byte != 0);
                let used_to = match (self.remainder()?.used_to, here) {
                    (Some(used_to), _) => used_to,
                    (None, Some(last_used)) => self.at + offset(last_used + 1),
                    (None, None) => return Ok((None, None)),
                };
                Ok((Some(torn(used_to - self.at)), Some(self.at..used_to)))
            }
            // Older frames are there as well; only a header of this generation says that a batch was begun.
            Origin::Recycled => {
                let mut bytes = [0; FRAME_HEADER_BYTES];
                let read =
                    self.file.read_at(&mut bytes, self.at).map_err(JournalError::io("read", &self.path))?;
                match FrameHeader::decode(&bytes[..read]) {
                    Ok(header) if header.generation == self.chain.generation => {
                        let len = offset(header.frame_bytes()).min(capacity - self.at);
                        Ok((Some(torn(len)), Some(self.at..self.at + len)))
                    }
                    Ok(_) | Err(_) => Ok((None, None)),
                }
            }
        }
    }
}
