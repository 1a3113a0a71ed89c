//! One batch of commands, or one skip mark, as bytes: the header, the records, and the buffer in which the
//! sequencer builds them. Where a frame goes, and what it must follow, is in `chain` and `writer`.
//!
//! Header of version 1, little-endian, 56 bytes:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 4 | `RFRM` |
//! | 4 | 1 | kind: 0 commands, 1 skip mark |
//! | 5 | 3 | 0 |
//! | 8 | 4 | payload length, without padding |
//! | 12 | 4 | number of commands (0 in a skip mark) |
//! | 16 | 8 | sequence of the first command (in a skip mark: the next command's) |
//! | 24 | 8 | time, one for the whole batch, nanoseconds |
//! | 32 | 8 | generation: the segment's number |
//! | 40 | 4 | checksum of the frame before, also across segments (0: the very first) |
//! | 44 | 4 | checksum of the payload with its padding |
//! | 48 | 4 | 0 |
//! | 52 | 4 | checksum of the 52 bytes before; the next frame and the snapshot refer to this one |
//!
//! Commands: each record is its length (4 bytes) and its bytes. Skip mark: the sequence to be skipped (8 bytes) and
//! the reason in UTF-8. The payload is padded with zeros to a multiple of eight.

use crate::error::Fault;
use crate::layout::{ALIGNMENT, aligned, array_at, checksum, put, put_u32, put_u64, u32_at, u64_at};
use model::{Seq, TimeNs};

pub const FRAME_HEADER_BYTES: usize = 56;
const MAGIC: [u8; 4] = *b"RFRM";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Commands,
    SkipMark,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Commands => 0,
            Self::SkipMark => 1,
        }
    }
}

/// A decoded header whose own checksum was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The code as found; see [`FrameHeader::kind`].
    kind_code: u8,
    pub payload_len: usize,
    pub count: u32,
    pub first_seq: Seq,
    pub time_ns: TimeNs,
    pub generation: u64,
    pub prev_checksum: u32,
    pub payload_checksum: u32,
    /// Of the header, and through it of everything.
    pub checksum: u32,
}

impl FrameHeader {
    /// Header, payload and padding, in bytes.
    pub const fn frame_bytes(&self) -> usize {
        aligned(FRAME_HEADER_BYTES + self.payload_len)
    }

    pub const fn kind(&self) -> Result<Kind, Fault> {
        match self.kind_code {
            0 => Ok(Kind::Commands),
            1 => Ok(Kind::SkipMark),
            other => Err(Fault::Kind(other)),
        }
    }

    /// The next sequence after this frame.
    pub const fn next_seq(&self) -> u64 {
        self.first_seq.get() + self.count as u64
    }

    /// Checks the header's own checksum and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() < FRAME_HEADER_BYTES {
            return Err(Fault::Cut);
        }
        if array_at::<4>(bytes, 0) != MAGIC {
            let zeros = bytes[..FRAME_HEADER_BYTES].iter().all(|byte| *byte == 0);
            return Err(if zeros { Fault::Zeros } else { Fault::Magic });
        }
        let found = u32_at(bytes, 52);
        if found != checksum(&bytes[..52]) {
            return Err(Fault::HeaderChecksum);
        }
        Ok(Self {
            kind_code: bytes[4],
            payload_len: u32_at(bytes, 8) as usize,
            count: u32_at(bytes, 12),
            first_seq: Seq(u64_at(bytes, 16)),
            time_ns: TimeNs(u64_at(bytes, 24)),
            generation: u64_at(bytes, 32),
            prev_checksum: u32_at(bytes, 40),
            payload_checksum: u32_at(bytes, 44),
            checksum: found,
        })
    }
}

/// The last command known to be on the disk, and the checksum of the batch that ends with it. Only this crate makes
/// these: after a sync, of a snapshot, or while reading back; so a value is a proof, as long as what was read back was
/// opened by a [`JournalWriter`](crate::JournalWriter) first. [`Durable::GENESIS`] is the empty journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    seq: Seq,
    checksum: u32,
}

impl Durable {
    /// Before the first command.
    pub const GENESIS: Self = Self { seq: Seq(0), checksum: 0 };

    pub(crate) const fn new(seq: Seq, checksum: u32) -> Self {
        Self { seq, checksum }
    }

    /// The last command of a batch; 0 for an empty journal.
    pub const fn seq(self) -> Seq {
        self.seq
    }

    /// Of that batch, and through it of all before it.
    pub const fn checksum(self) -> u32 {
        self.checksum
    }
}

/// Commands that share one place in time, as read from the journal.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// Of the first record; the others follow without gaps.
    pub first_seq: Seq,
    /// When the sequencer took them.
    pub time_ns: TimeNs,
    /// How many; at least 1.
    pub count: u32,
    /// Their bytes, one item a command.
    pub records: Records<'a>,
    /// Where the journal stands after this batch.
    pub end: Durable,
}

impl<'a> Batch<'a> {
    /// Each command with its sequence.
    pub fn commands(&self) -> impl Iterator<Item = (Seq, &'a [u8])> + use<'a> {
        (self.first_seq.get()..).map(Seq).zip(self.records.clone())
    }
}

/// The records of one frame, in order.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Of a payload that [`Records::add_up`] or that a frame buffer has built.
    pub(crate) const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The bytes of those that were not taken yet, lengths included: what a hash over them covers.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// True when `payload` is exactly `count` records.
    pub(crate) fn add_up(payload: &[u8], count: u32) -> bool {
        let mut at = 0_usize;
        for _ in 0..count {
            if payload.len() - at < 4 {
                return false;
            }
            let len = u32_at(payload, at) as usize;
            at += 4;
            if payload.len() - at < len {
                return false;
            }
            at += len;
        }
        at == payload.len()
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.rest.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        self.rest = rest;
        Some(record)
    }
}

/// Appends one length-prefixed record that `encode` writes in place.
pub fn push_record(bytes: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
    let at = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    encode(bytes);
    let len = bytes.len().checked_sub(at + 4).expect("encoding only ever appends");
    put_u32(bytes, at, u32::try_from(len).expect("a record is shorter than 4 GiB"));
}

/// A batch under construction: commands are encoded straight into the bytes that go to the disk. Reusable; two of
/// them let one batch fill while the other is being written.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    first_seq: Seq,
    time_ns: TimeNs,
    count: u32,
}

impl FrameBuffer {
    /// Room grows as needed and is kept.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was in it and starts the batch whose first command is `first_seq`.
    pub fn begin(&mut self, first_seq: Seq, time_ns: TimeNs) {
        self.bytes.clear();
        self.bytes.resize(FRAME_HEADER_BYTES, 0);
        (self.first_seq, self.time_ns, self.count) = (first_seq, time_ns, 0);
    }

    /// Adds the next command; `encode` appends its bytes and leaves those before alone.
    #[inline]
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        assert!(self.bytes.len() >= FRAME_HEADER_BYTES, "a batch is begun before commands are pushed");
        debug_assert_eq!(u32_at(&self.bytes, 8), 0, "a batch that was written is not added to");
        push_record(&mut self.bytes, encode);
        self.count += 1;
    }

    /// Commands so far.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// No commands yet.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that this batch takes in a segment if nothing more is pushed; to be compared with
    /// [`JournalWriter::max_frame_bytes`](crate::JournalWriter::max_frame_bytes).
    pub fn frame_bytes(&self) -> usize {
        aligned(self.bytes.len())
    }

    /// Of the first command.
    pub const fn first_seq(&self) -> Seq {
        self.first_seq
    }

    /// Of the last command; one before the first while it is empty.
    pub const fn last_seq(&self) -> Seq {
        Seq(self.first_seq.get() + self.count as u64 - 1)
    }

    /// The batch's time.
    pub const fn time_ns(&self) -> TimeNs {
        self.time_ns
    }

    /// The commands so far, encoded.
    pub fn records(&self) -> Records<'_> {
        let end = match self.count {
            0 => FRAME_HEADER_BYTES.min(self.bytes.len()),
            _ => self.payload_end(),
        };
        Records::new(&self.bytes[FRAME_HEADER_BYTES.min(end)..end])
    }

    /// Without the padding that sealing adds.
    fn payload_end(&self) -> usize {
        match u32_at(&self.bytes, 8) {
            0 => self.bytes.len(),
            sealed => FRAME_HEADER_BYTES + sealed as usize,
        }
    }

    /// Fills in the header. The payload is what was pushed.
    pub(crate) fn seal(&mut self, generation: u64, prev_checksum: u32) -> u32 {
        let payload_end = self.payload_end();
        seal(
            &mut self.bytes,
            payload_end,
            Kind::Commands,
            self.count,
            self.first_seq,
            self.time_ns,
            generation,
            prev_checksum,
        )
    }

    /// The sealed frame.
    pub(crate) fn sealed(&self) -> &[u8] {
        &self.bytes
    }
}

/// A whole skip mark frame, and its checksum.
pub fn skip_mark(
    target: Seq,
    reason: &str,
    next_seq: Seq,
    time_ns: TimeNs,
    generation: u64,
    prev_checksum: u32,
) -> (Vec<u8>, u32) {
    let mut bytes = vec![0; FRAME_HEADER_BYTES];
    bytes.extend_from_slice(&target.get().to_le_bytes());
    bytes.extend_from_slice(reason.as_bytes());
    let end = bytes.len();
    let checksum = seal(&mut bytes, end, Kind::SkipMark, 0, next_seq, time_ns, generation, prev_checksum);
    (bytes, checksum)
}

/// The target and the reason in a skip mark's payload.
pub fn decode_skip_mark(payload: &[u8]) -> Result<(Seq, String), Fault> {
    if payload.len() < 8 {
        return Err(Fault::Records);
    }
    let reason = str::from_utf8(&payload[8..]).map_err(|_| Fault::Records)?;
    Ok((Seq(u64_at(payload, 0)), reason.to_owned()))
}

/// Pads, and writes the header over the first bytes.
#[expect(clippy::too_many_arguments, reason = "one for each field of the header, in its order")]
fn seal(
    bytes: &mut Vec<u8>,
    payload_end: usize,
    kind: Kind,
    count: u32,
    first_seq: Seq,
    time_ns: TimeNs,
    generation: u64,
    prev_checksum: u32,
) -> u32 {
    bytes.resize(aligned(payload_end), 0);
    let payload_len = u32::try_from(payload_end - FRAME_HEADER_BYTES).expect("a batch is shorter than 4 GiB");
    let payload_checksum = checksum(&bytes[FRAME_HEADER_BYTES..]);
    put(bytes, 0, MAGIC);
    put(bytes, 4, [kind.code(), 0, 0, 0]);
    put_u32(bytes, 8, payload_len);
    put_u32(bytes, 12, count);
    put_u64(bytes, 16, first_seq.get());
    put_u64(bytes, 24, time_ns.get());
    put_u64(bytes, 32, generation);
    put_u32(bytes, 40, prev_checksum);
    put_u32(bytes, 44, payload_checksum);
    put_u32(bytes, 48, 0);
    let whole = checksum(&bytes[..52]);
    put_u32(bytes, 52, whole);
    debug_assert_eq!(bytes.len() % ALIGNMENT, 0);
    whole
}
