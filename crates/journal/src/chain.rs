//! What a journal frame must follow: generation, sequence, checksum and time of the one before it. One place for
//! those rules, used by everything that reads.

use crate::error::Fault;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader, Kind, Records};
use crate::layout::{checksum, in_memory, offset};
use crate::segment::SegmentHeader;
use crate::storage::StorageFile;
use crate::window::Window;
use model::TimeNs;
use std::io;

/// Where the journal stands between two frames.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The segment's number.
    pub generation: u64,
    /// Of the next command.
    pub next_seq: u64,
    /// Of the last frame.
    pub checksum: u32,
    /// Of the last frame.
    pub time_ns: TimeNs,
}

impl Chain {
    /// Before the first frame of a segment.
    pub fn at_start_of(header: &SegmentHeader, time_ns: TimeNs) -> Self {
        Self {
            generation: header.number,
            next_seq: header.first_seq.get(),
            checksum: header.prev_checksum,
            time_ns,
        }
    }

    /// True when `next` begins exactly here.
    pub fn continues_in(&self, next: &SegmentHeader) -> bool {
        self.next_seq == next.first_seq.get() && self.checksum == next.prev_checksum
    }

    /// Steps over a frame that [`Chain::examine`] accepted.
    pub fn advance(&mut self, header: &FrameHeader) {
        self.next_seq = header.next_seq();
        self.checksum = header.checksum;
        self.time_ns = header.time_ns;
    }

    /// Looks for the next frame at `at`. After `Ok(Ok(header))` the whole frame is in `window`.
    pub fn examine(
        &self,
        window: &mut Window,
        file: &dyn StorageFile,
        at: u64,
        capacity: u64,
    ) -> io::Result<Result<FrameHeader, Fault>> {
        let room = capacity.saturating_sub(at);
        if room < offset(FRAME_HEADER_BYTES) {
            return Ok(Err(Fault::Cut));
        }
        let header = match FrameHeader::decode(window.load(file, at, FRAME_HEADER_BYTES)?) {
            Ok(header) => header,
            Err(fault) => return Ok(Err(fault)),
        };
        if header.generation != self.generation {
            return Ok(Err(Fault::Generation { found: header.generation, expected: self.generation }));
        }
        if header.frame_bytes() > in_memory(room) {
            return Ok(Err(Fault::Cut));
        }
        let frame = window.load(file, at, header.frame_bytes())?;
        Ok(self.check(&header, frame).map(|()| header))
    }

    fn check(&self, header: &FrameHeader, frame: &[u8]) -> Result<(), Fault> {
        if frame.len() < header.frame_bytes() {
            return Err(Fault::Cut);
        }
        if checksum(&frame[FRAME_HEADER_BYTES..]) != header.payload_checksum {
            return Err(Fault::PayloadChecksum);
        }
        if header.first_seq.get() != self.next_seq {
            return Err(Fault::Sequence { found: header.first_seq.get(), expected: self.next_seq });
        }
        if header.prev_checksum != self.checksum {
            return Err(Fault::Chain { found: header.prev_checksum, expected: self.checksum });
        }
        if header.time_ns < self.time_ns {
            return Err(Fault::Time);
        }
        let payload = &frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.payload_len];
        let sound = match header.kind()? {
            Kind::Commands => header.count > 0 && Records::add_up(payload, header.count),
            Kind::SkipMark => header.count == 0 && payload.len() >= 8,
        };
        if sound { Ok(()) } else { Err(Fault::Records) }
    }

    /// True when `bytes` begin with a header that can only have been written after everything before it in this
    /// segment was synced.
    pub fn is_later_header(&self, bytes: &[u8]) -> bool {
        FrameHeader::decode(bytes).is_ok_and(|header| {
            header.generation == self.generation && header.first_seq.get() >= self.next_seq
        })
    }
}

impl Fault {
    /// True for what an unfinished write can leave behind. The others have checksums that are right, so somebody
    /// wrote them on purpose.
    pub(crate) fn may_be_torn(self) -> bool {
        match self {
            Self::Cut
            | Self::Zeros
            | Self::Magic
            | Self::HeaderChecksum
            | Self::PayloadChecksum
            | Self::Generation { .. } => true,
            Self::Chain { .. }
            | Self::Sequence { .. }
            | Self::Time
            | Self::Kind(_)
            | Self::Records
            | Self::Number { .. }
            | Self::Size { .. } => false,
        }
    }
}
