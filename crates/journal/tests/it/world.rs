//! A toy exchange on the journal: commands, events, hash chain and state are all functions of the sequence, so that
//! every byte that comes back can be checked. It keeps what a client would know: what was acknowledged.

use ::journal::faulty::FaultyStorage;
use ::journal::{
    Behind, Durable, EventFrame, EventLogReader, EventPosition, FrameBuffer, JournalError, JournalReader,
    JournalWriter, Preparation, Recovery, Settings, Snapshot, Storage, Survey,
};
use model::{EventSeq, Seq, TimeNs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The smallest segments, no thread.
pub fn small() -> Settings {
    Settings {
        journal_segment_bytes: Settings::MIN_SEGMENT_BYTES,
        event_segment_bytes: Settings::MIN_SEGMENT_BYTES,
        snapshots_kept: 2,
        preparation: Preparation::WhenNeeded,
    }
}

/// Says which case it was when the test panics while this lives: place and seed, to run that one again.
pub struct Case(pub String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case that failed: {}", self.0);
        }
    }
}

/// To be held by tests that start processes and by tests that open a real directory again: between a fork and an exec
/// the child has this process's lock on a directory too, so that a test in another thread cannot take it again.
pub fn processes_and_locks() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first journal segment.
pub const FIRST: &str = "journal/00000000000000000001.seg";
/// The second.
pub const SECOND: &str = "journal/00000000000000000002.seg";
/// Where frames begin in a journal segment.
pub const FRAMES_AT: usize = 4096;

/// A command's bytes: its sequence, and up to a few thousand more.
pub fn command(seq: u64, len: usize) -> Vec<u8> {
    let mut bytes = seq.to_le_bytes().to_vec();
    bytes.extend((0..len).map(|at| u8::try_from((seq + at as u64 * 7) % 251).unwrap() + 1));
    bytes
}

/// A batch of `count` commands with `len` bytes each, beside the eight of their sequence.
pub fn batch(first_seq: u64, count: u64, len: usize) -> FrameBuffer {
    let mut frame = FrameBuffer::new();
    frame.begin(Seq(first_seq), time_of(first_seq));
    for seq in first_seq..first_seq + count {
        frame.push(|bytes| bytes.extend_from_slice(&command(seq, len)));
    }
    frame
}

pub fn time_of(first_seq: u64) -> TimeNs {
    TimeNs(1_700_000_000_000_000_000 + first_seq * 1000)
}

/// Opens an empty or existing journal.
pub fn open(storage: &Arc<dyn Storage>) -> Result<(Survey, JournalWriter), JournalError> {
    JournalWriter::open(storage, &small(), Durable::GENESIS)
}

/// A fresh disk whose journal has `batches` of three commands with `len` bytes.
pub fn with_batches(batches: u64, len: usize) -> FaultyStorage {
    let disk = FaultyStorage::new();
    let (_, mut writer) = open(&disk.storage()).unwrap();
    for at in 0..batches {
        writer.append(&mut batch(1 + at * 3, 3, len)).unwrap();
    }
    disk
}

/// All commands from `from` on, with their sequences.
pub fn read_from(storage: &Arc<dyn Storage>, from: u64) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
    let survey = Survey::read(storage, Durable::GENESIS)?;
    let mut reader = JournalReader::open(storage, &survey, Seq(from))?;
    let mut all = Vec::new();
    while let Some(batch) = reader.next()? {
        all.extend(batch.commands().map(|(seq, bytes)| (seq.get(), bytes.to_vec())));
    }
    Ok(all)
}

/// The commands that `with_batches` and the like have written, from 1 to `end`.
pub fn expected(end: u64, len: usize) -> Vec<(u64, Vec<u8>)> {
    (1..=end).map(|seq| (seq, command(seq, len))).collect()
}

/// State of the toy exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toy {
    pub seq: u64,
    pub event_seq: u64,
    pub chain: [u8; 32],
}

impl Toy {
    pub const NEW: Self = Self { seq: 0, event_seq: 0, chain: [0; 32] };

    /// The next batch: one to three commands, some short, some of several sectors. Batches begin at the same places in
    /// every run.
    pub fn next_batch(&self) -> FrameBuffer {
        let first = self.seq + 1;
        let mut frame = FrameBuffer::new();
        frame.begin(Seq(first), time_of(first));
        for seq in first..=first + first % 3 {
            frame.push(|bytes| bytes.extend_from_slice(&command(seq, Self::len_of(seq))));
        }
        frame
    }

    pub fn len_of(seq: u64) -> usize {
        usize::try_from(seq * 379 % 1500).unwrap()
    }

    /// Applies commands that are compared with what they must be, and gives their events.
    pub fn apply<'a>(&mut self, first_seq: Seq, records: impl Iterator<Item = &'a [u8]>) -> EventFrame {
        let mut frame = EventFrame::new();
        frame.begin(first_seq, time_of(first_seq.get()), EventSeq(self.event_seq + 1));
        assert_eq!(first_seq.get(), self.seq + 1, "a gap or a repeat");
        for record in records {
            self.seq += 1;
            assert_eq!(
                record,
                command(self.seq, Self::len_of(self.seq)),
                "bytes that nobody wrote at {}",
                self.seq
            );
            for nth in 0..self.seq % 3 {
                self.event_seq += 1;
                let event = command(self.event_seq, usize::try_from(nth * 100).unwrap());
                for (at, byte) in event.iter().enumerate() {
                    self.chain[at % 32] = self.chain[at % 32].wrapping_mul(31).wrapping_add(*byte);
                }
                frame.push(|bytes| bytes.extend_from_slice(&event));
            }
        }
        frame.finish(Seq(self.seq), self.chain);
        frame
    }

    pub fn position(&self) -> EventPosition {
        EventPosition { seq: Seq(self.seq), event_seq: EventSeq(self.event_seq), chain: self.chain }
    }

    pub fn save(&self) -> Vec<u8> {
        [&self.seq.to_le_bytes()[..], &self.event_seq.to_le_bytes(), &self.chain].concat()
    }

    pub fn load(snapshot: &Snapshot) -> Self {
        let bytes = snapshot.section("toy").expect("the section that was saved");
        assert_eq!(snapshot.section("filler"), Some(&filler(snapshot.seq())[..]));
        Self {
            seq: u64::from_le_bytes(bytes[..8].try_into().unwrap()),
            event_seq: u64::from_le_bytes(bytes[8..16].try_into().unwrap()),
            chain: bytes[16..].try_into().unwrap(),
        }
    }
}

/// Makes snapshots some sectors long.
pub fn filler(seq: Seq) -> Vec<u8> {
    command(seq.get(), 2000)
}

/// What the outside knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The last command that was acknowledged.
    pub acknowledged: u64,
    /// The last command that was given to the journal.
    pub attempted: u64,
    /// The newest snapshot whose writing was acknowledged.
    pub snapshot: u64,
}

/// Starts, checks that everything known is there and nothing else, replays, and goes on for some batches, with a
/// snapshot after every fourth. Fails with the storage's error.
pub fn live(storage: &Arc<dyn Storage>, known: &mut Known, batches: usize) -> Result<Toy, JournalError> {
    let mut recovery = Recovery::open(storage, &small())?;
    let mut toy = recovery.snapshot.as_ref().map_or(Toy::NEW, Toy::load);
    assert!(toy.seq >= known.snapshot, "an acknowledged snapshot is gone: {} < {known:?}", toy.seq);
    let mut replay = recovery.replay()?;
    let mut last = recovery.snapshot.as_ref().map_or(Durable::GENESIS, Snapshot::journal);
    while let Some(batch) = replay.next()? {
        let mut events = toy.apply(batch.first_seq, batch.records.clone());
        recovery.events.expect_or_append(&mut events)?;
        last = batch.end;
    }
    assert_eq!((last, toy.seq), (recovery.journal.end(), recovery.survey.end.seq().get()));
    assert!(toy.seq >= known.acknowledged, "acknowledged commands are gone: {} < {known:?}", toy.seq);
    assert!(toy.seq <= known.attempted, "commands that nobody gave: {} > {known:?}", toy.seq);
    assert_eq!(recovery.events.written_to().get(), toy.seq, "the event log ends where the journal does");
    // From here on the program answers questions about what it found: it must not be lost any more.
    known.acknowledged = toy.seq;

    for at in 1..=batches {
        let mut frame = toy.next_batch();
        known.attempted = known.attempted.max(frame.last_seq().get());
        last = recovery.journal.append(&mut frame)?;
        known.acknowledged = last.seq().get();
        let mut events = toy.apply(frame.first_seq(), frame.records());
        recovery.events.append(&mut events)?;
        if at % 4 == 0 {
            let synced = recovery.events.sync()?;
            let sections: [(&str, &[u8]); 2] = [("toy", &toy.save()), ("filler", &filler(Seq(toy.seq)))];
            let time_ns = frame.time_ns();
            let proof = recovery.snapshots.write(last, toy.position(), synced, time_ns, &sections)?;
            known.snapshot = proof.seq().get();
            recovery.journal.remove_behind(&proof, Behind::Recycle)?;
        }
    }
    Ok(toy)
}

/// Reads the event log from `from` and checks every byte against what the toy exchange would have written.
pub fn check_events(storage: &Arc<dyn Storage>, from: u64, end: &Toy) {
    let mut reader = EventLogReader::open(storage, Seq(from)).unwrap();
    let mut toy = Toy::NEW;
    let mut seen = false;
    while let Some(batch) = reader.next().unwrap() {
        while toy.seq < batch.last_seq.get() {
            let frame = toy.next_batch();
            let events = toy.apply(frame.first_seq(), frame.records());
            if toy.seq == batch.last_seq.get() {
                assert!(events.records().eq(batch.records.clone()));
                assert_eq!(events.first_seq(), batch.first_seq);
                assert_eq!(events.event_count(), batch.event_count);
            }
        }
        assert_eq!(toy.position(), batch.position());
        seen = true;
    }
    assert!(seen || end.seq < from, "no events from {from} on");
    assert!(toy == *end || end.seq < from, "the event log ends at {toy:?}, not at {end:?}");
}
