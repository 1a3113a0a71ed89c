//! One journal batch's events as bytes. The hash chain over events is made and checked by the caller; here it is
//! 32 bytes that ride along.
//!
//! Header of version 1, little-endian, 96 bytes, then each event as its length (4 bytes) and its bytes, then zeros up
//! to a multiple of eight:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 4 | `REVT` |
//! | 4 | 4 | 0 |
//! | 8 | 4 | payload length, without padding |
//! | 12 | 4 | number of events |
//! | 16 | 8 | sequence of the first command that they come from |
//! | 24 | 8 | sequence of the last command |
//! | 32 | 8 | sequence of the first event (of the next one, when there is none here) |
//! | 40 | 8 | time, nanoseconds |
//! | 48 | 32 | hash chain after the last event |
//! | 80 | 4 | checksum of the frame before (0: the very first) |
//! | 84 | 4 | checksum of the payload with its padding |
//! | 88 | 4 | 0 |
//! | 92 | 4 | checksum of the 92 bytes before |

use crate::error::Fault;
use crate::frame::{Records, push_record};
use crate::layout::{aligned, array_at, checksum, put, put_u32, put_u64, u32_at, u64_at};
use model::{EventSeq, Seq, TimeNs};

pub const EVENT_HEADER_BYTES: usize = 96;
const MAGIC: [u8; 4] = *b"REVT";

/// A place in the event log: behind the events of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPosition {
    /// The last command whose events are there.
    pub seq: Seq,
    /// The last event.
    pub event_seq: EventSeq,
    /// The hash over all events up to there.
    pub chain: [u8; 32],
}

impl EventPosition {
    /// Before the first command. Its hash is zeros here, whatever the caller's chain begins with.
    pub const GENESIS: Self = Self { seq: Seq(0), event_seq: EventSeq(0), chain: [0; 32] };
}

/// A decoded header whose own checksum was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHeader {
    pub payload_len: usize,
    pub event_count: u32,
    pub first_seq: Seq,
    pub last_seq: Seq,
    pub first_event_seq: EventSeq,
    pub time_ns: TimeNs,
    pub chain: [u8; 32],
    pub prev_checksum: u32,
    pub payload_checksum: u32,
    pub checksum: u32,
}

impl EventHeader {
    pub const fn frame_bytes(&self) -> usize {
        aligned(EVENT_HEADER_BYTES + self.payload_len)
    }

    /// Of the event after this frame.
    pub const fn next_event_seq(&self) -> u64 {
        self.first_event_seq.get() + self.event_count as u64
    }

    /// Behind this frame.
    pub const fn position(&self) -> EventPosition {
        let event_seq = EventSeq(self.next_event_seq() - 1);
        EventPosition { seq: self.last_seq, event_seq, chain: self.chain }
    }

    /// Checks the header's own checksum and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() < EVENT_HEADER_BYTES {
            return Err(Fault::Cut);
        }
        if array_at::<4>(bytes, 0) != MAGIC {
            let zeros = bytes[..EVENT_HEADER_BYTES].iter().all(|byte| *byte == 0);
            return Err(if zeros { Fault::Zeros } else { Fault::Magic });
        }
        let found = u32_at(bytes, 92);
        if found != checksum(&bytes[..92]) {
            return Err(Fault::HeaderChecksum);
        }
        Ok(Self {
            payload_len: u32_at(bytes, 8) as usize,
            event_count: u32_at(bytes, 12),
            first_seq: Seq(u64_at(bytes, 16)),
            last_seq: Seq(u64_at(bytes, 24)),
            first_event_seq: EventSeq(u64_at(bytes, 32)),
            time_ns: TimeNs(u64_at(bytes, 40)),
            chain: array_at(bytes, 48),
            prev_checksum: u32_at(bytes, 80),
            payload_checksum: u32_at(bytes, 84),
            checksum: found,
        })
    }

    /// The first field that differs from `other`, in words; `None` when the frames are the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let numbers = [
            ("last sequence", self.last_seq.get(), other.last_seq.get()),
            ("first sequence", self.first_seq.get(), other.first_seq.get()),
            ("first event", self.first_event_seq.get(), other.first_event_seq.get()),
            ("number of events", self.event_count.into(), other.event_count.into()),
            ("time", self.time_ns.get(), other.time_ns.get()),
        ];
        if let Some((what, there, now)) = numbers.into_iter().find(|(_, there, now)| there != now) {
            return Some(format!("{what}: {there} in the file, {now} now"));
        }
        if self.chain != other.chain {
            return Some("the hash chain".to_owned());
        }
        (self != other).then(|| "the bytes of the events".to_owned())
    }
}

/// The events of one batch, as read from the event log.
#[derive(Clone, Debug)]
pub struct EventBatch<'a> {
    /// The first command that they come from.
    pub first_seq: Seq,
    /// The last command; not less than the first.
    pub last_seq: Seq,
    /// Of the first record; the others follow without gaps.
    pub first_event_seq: EventSeq,
    /// How many; may be 0.
    pub event_count: u32,
    /// Of the batch.
    pub time_ns: TimeNs,
    /// The hash over all events up to the last one here.
    pub chain: [u8; 32],
    /// Their bytes, one item an event.
    pub records: Records<'a>,
}

impl<'a> EventBatch<'a> {
    pub(crate) fn new(header: &EventHeader, payload: &'a [u8]) -> Self {
        Self {
            first_seq: header.first_seq,
            last_seq: header.last_seq,
            first_event_seq: header.first_event_seq,
            event_count: header.event_count,
            time_ns: header.time_ns,
            chain: header.chain,
            records: Records::new(payload),
        }
    }

    /// Each event with its sequence.
    pub fn events(&self) -> impl Iterator<Item = (EventSeq, &'a [u8])> + use<'a> {
        (self.first_event_seq.get()..).map(EventSeq).zip(self.records.clone())
    }

    /// Where the event log stands after this batch.
    pub const fn position(&self) -> EventPosition {
        let event_seq = EventSeq(self.first_event_seq.get() + self.event_count as u64 - 1);
        EventPosition { seq: self.last_seq, event_seq, chain: self.chain }
    }
}

/// One batch's events under construction: encoded straight into the bytes that go to the file. Reusable.
#[derive(Debug, Default)]
pub struct EventFrame {
    bytes: Vec<u8>,
    first_seq: Seq,
    last_seq: Seq,
    first_event_seq: EventSeq,
    time_ns: TimeNs,
    event_count: u32,
    chain: [u8; 32],
    /// Without padding; 0 until [`EventFrame::finish`].
    payload_end: usize,
}

impl EventFrame {
    /// Room grows as needed and is kept.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was in it and starts the events of the batch that begins with command `first_seq`.
    pub fn begin(&mut self, first_seq: Seq, time_ns: TimeNs, first_event_seq: EventSeq) {
        self.bytes.clear();
        self.bytes.resize(EVENT_HEADER_BYTES, 0);
        (self.first_seq, self.time_ns, self.first_event_seq) = (first_seq, time_ns, first_event_seq);
        (self.event_count, self.payload_end) = (0, 0);
    }

    /// Adds the next event; `encode` appends its bytes and leaves those before alone.
    #[inline]
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        assert!(self.bytes.len() >= EVENT_HEADER_BYTES, "a frame is begun before events are pushed");
        assert_eq!(self.payload_end, 0, "nothing is added to a finished frame");
        push_record(&mut self.bytes, encode);
        self.event_count += 1;
    }

    /// No more events: the batch ended with command `last_seq`, and the hash over everything is `chain`.
    pub fn finish(&mut self, last_seq: Seq, chain: [u8; 32]) {
        assert!(last_seq >= self.first_seq, "a batch has at least one command");
        assert_eq!(self.payload_end, 0, "a frame is finished once");
        (self.last_seq, self.chain, self.payload_end) = (last_seq, chain, self.bytes.len());
        self.bytes.resize(aligned(self.payload_end), 0);
    }

    /// Events so far.
    pub const fn event_count(&self) -> u32 {
        self.event_count
    }

    /// The first command of the batch.
    pub const fn first_seq(&self) -> Seq {
        self.first_seq
    }

    /// The events so far.
    pub fn records(&self) -> Records<'_> {
        let end = if self.payload_end == 0 { self.bytes.len() } else { self.payload_end };
        Records::new(self.bytes.get(EVENT_HEADER_BYTES..end).unwrap_or_default())
    }

    /// Fills in the header.
    pub(crate) fn seal(&mut self, prev_checksum: u32) -> EventHeader {
        assert!(self.payload_end > 0, "a frame is finished before it is written");
        let payload_len = self.payload_end - EVENT_HEADER_BYTES;
        let payload_checksum = checksum(&self.bytes[EVENT_HEADER_BYTES..]);
        let bytes = &mut self.bytes;
        put(bytes, 0, MAGIC);
        put_u32(bytes, 8, u32::try_from(payload_len).expect("a batch's events are shorter than 4 GiB"));
        put_u32(bytes, 12, self.event_count);
        put_u64(bytes, 16, self.first_seq.get());
        put_u64(bytes, 24, self.last_seq.get());
        put_u64(bytes, 32, self.first_event_seq.get());
        put_u64(bytes, 40, self.time_ns.get());
        put(bytes, 48, self.chain);
        put_u32(bytes, 80, prev_checksum);
        put_u32(bytes, 84, payload_checksum);
        let whole = checksum(&bytes[..92]);
        put_u32(bytes, 92, whole);
        EventHeader::decode(bytes).expect("a header that was just written")
    }

    /// The sealed frame.
    pub(crate) fn sealed(&self) -> &[u8] {
        &self.bytes
    }
}
