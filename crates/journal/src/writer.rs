//! Appending to the journal: one write and one sync a batch, and the change from a full segment to the next.
//! It decides nothing about when or what; and it never tries anything again that failed.

use crate::chain::Chain;
use crate::error::JournalError;
use crate::frame::{Durable, FRAME_HEADER_BYTES, FrameBuffer, skip_mark};
use crate::layout::{in_memory, offset};
use crate::prepare::{Job, Prepared, Preparer, sync_folder};
use crate::segment::{Log, Origin, SegmentHeader};
use crate::settings::{Behind, Settings};
use crate::snapshot::DurableSnapshot;
use crate::storage::{Storage, StorageFile};
use crate::survey::{SPARE_PREFIX, SkipMark, Survey};
use model::{Seq, TimeNs};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Recycled files that are kept waiting.
const SPARES: usize = 2;
/// Bytes of a skip mark's reason.
pub const MAX_REASON_BYTES: usize = 1024;

/// The one place where the journal grows.
#[derive(Debug)]
pub struct JournalWriter {
    storage: Arc<dyn Storage>,
    settings: Settings,
    /// Number and first sequence of every segment in use, oldest first.
    segments: Vec<(u64, Seq)>,
    /// The last of them.
    file: Box<dyn StorageFile>,
    path: String,
    capacity: u64,
    /// Where the next frame goes.
    at: u64,
    chain: Chain,
    end: Durable,
    preparer: Preparer,
    /// A blank segment that was there at the start.
    ready: Option<Prepared>,
    spares: Vec<String>,
    poisoned: Option<String>,
}

impl JournalWriter {
    /// Reads the journal from behind `known` (the newest snapshot's position, or [`Durable::GENESIS`]), refuses what
    /// is damaged, removes the pieces of an unfinished last batch, and stands ready to append.
    ///
    /// When it returns, everything the survey tells of is on the disk, also what an earlier process could write but
    /// not sync.
    pub fn open(
        storage: &Arc<dyn Storage>,
        settings: &Settings,
        known: Durable,
    ) -> Result<(Survey, Self), JournalError> {
        let survey = Survey::read(storage, known)?;
        let writer = Self::resume(storage, settings, &survey)?;
        Ok((survey, writer))
    }

    /// Takes over the journal as `survey` found it a moment ago.
    pub(crate) fn resume(
        storage: &Arc<dyn Storage>,
        settings: &Settings,
        survey: &Survey,
    ) -> Result<Self, JournalError> {
        settings.assert_in_range();
        let ready = adopt_blank(&**storage, settings, survey)?;
        let mut spares = survey.spares.clone();
        while spares.len() > SPARES {
            remove(&**storage, &format!("{}/{}", Log::Journal.folder(), spares.remove(0)))?;
        }
        // Names that an earlier process made and did not sync.
        sync_folder(&**storage)?;
        let preparer = Preparer::new(Arc::clone(storage), settings.preparation)?;
        let chain = survey.tail.chain.clone();
        let segments = survey.segments.iter().map(|segment| (segment.number, segment.first_seq)).collect();

        let mut writer = if let Some(last) = survey.segments.last() {
            let path = Log::Journal.path(last.number);
            let file = storage.open(&path).map_err(JournalError::io("open", &path))?;
            settle(&*file, &path, last, survey)?;
            Self {
                storage: Arc::clone(storage),
                settings: settings.clone(),
                segments,
                file,
                path,
                capacity: last.capacity,
                at: survey.tail.at,
                chain,
                end: survey.end,
                preparer,
                ready,
                spares,
                poisoned: None,
            }
        } else {
            let job = Job { number: 1, capacity: settings.journal_segment_bytes, spare: None };
            let first = ready.map_or_else(|| preparer.prepare_now(&job), Ok)?;
            let path = Log::Journal.path(first.number);
            let mut writer = Self {
                storage: Arc::clone(storage),
                settings: settings.clone(),
                segments,
                file: storage.open(&path).map_err(JournalError::io("open", &path))?,
                path,
                capacity: 0,
                at: 0,
                chain,
                end: survey.end,
                preparer,
                ready: None,
                spares,
                poisoned: None,
            };
            writer.enter(first)?;
            writer
        };
        writer.prepare_next();
        Ok(writer)
    }

    /// Writes the batch and syncs it. Only when this returns is it true that its commands are in the journal.
    ///
    /// Panics when the batch is empty, does not follow the last one, or its time is before the last one's: the
    /// sequencer's invariants. After an error other than [`JournalError::BatchTooLarge`] nothing is written any more.
    pub fn append(&mut self, batch: &mut FrameBuffer) -> Result<Durable, JournalError> {
        assert!(!batch.is_empty(), "a batch has at least one command");
        assert_eq!(
            batch.first_seq().get(),
            self.chain.next_seq,
            "a gap or a repeat in the order of commands"
        );
        assert!(batch.time_ns() >= self.chain.time_ns, "the sequencer's clock never runs backwards");
        self.guarded(|writer| {
            writer.make_room(batch.frame_bytes())?;
            let checksum = batch.seal(writer.chain.generation, writer.chain.checksum);
            writer.write_and_sync(batch.sealed())?;
            let end = Durable::new(batch.last_seq(), checksum);
            writer.chain.next_seq = end.seq().get() + 1;
            writer.chain.checksum = checksum;
            writer.chain.time_ns = batch.time_ns();
            writer.end = end;
            Ok(end)
        })
    }

    /// Marks a command that is in the journal, and that every replica will step over. It has no sequence of its own.
    /// Whether there is such a command, and no mark yet, is for [`skip`](crate::skip()) to find out.
    pub(crate) fn append_skip_mark(&mut self, mark: &SkipMark) -> Result<(), JournalError> {
        if mark.reason.len() > MAX_REASON_BYTES {
            let (bytes, limit) = (mark.reason.len(), MAX_REASON_BYTES);
            return Err(JournalError::ReasonTooLong { bytes, limit });
        }
        self.guarded(|writer| {
            let seal = |chain: &Chain| {
                let next = Seq(chain.next_seq);
                skip_mark(mark.seq, &mark.reason, next, chain.time_ns, chain.generation, chain.checksum)
            };
            let len = seal(&writer.chain).0.len();
            writer.make_room(len)?;
            let (bytes, checksum) = seal(&writer.chain);
            writer.write_and_sync(&bytes)?;
            writer.chain.checksum = checksum;
            Ok(())
        })
    }

    /// The last command on the disk.
    pub const fn end(&self) -> Durable {
        self.end
    }

    /// Of the last batch: the next one's must not be less.
    pub const fn time_ns(&self) -> TimeNs {
        self.chain.time_ns
    }

    /// The largest [`FrameBuffer::frame_bytes`] that can be appended.
    pub fn max_frame_bytes(&self) -> usize {
        in_memory(self.settings.journal_segment_bytes - Log::Journal.frames_at())
    }

    /// Removes or recycles the segments that hold only what is behind `snapshot`, whose own batch stays. Give it the
    /// oldest snapshot that one may want to start from. Returns how many segments went.
    pub fn remove_behind(
        &mut self,
        snapshot: &DurableSnapshot,
        behind: Behind,
    ) -> Result<usize, JournalError> {
        assert!(snapshot.seq() <= self.end.seq(), "a snapshot is never ahead of the journal");
        self.guarded(|writer| {
            let kept_from = writer.segments.partition_point(|(_, first_seq)| *first_seq <= snapshot.seq());
            let removed = kept_from.saturating_sub(1);
            for _ in 0..removed {
                let (number, _) = writer.segments.remove(0);
                let path = Log::Journal.path(number);
                if behind == Behind::Recycle && writer.spares.len() < SPARES {
                    let spare = format!("{SPARE_PREFIX}{number:020}");
                    let to = format!("{}/{spare}", Log::Journal.folder());
                    writer
                        .storage
                        .rename(&path, &to)
                        .map_err(JournalError::io("rename to a spare", &path))?;
                    writer.spares.push(spare);
                } else {
                    remove(&*writer.storage, &path)?;
                }
                // One at a time, oldest first: a crash must not leave a hole.
                sync_folder(&*writer.storage)?;
            }
            writer.prepare_next();
            Ok(removed)
        })
    }

    /// Nothing works after a failure.
    fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if let Some(cause) = &self.poisoned {
            return Err(JournalError::Poisoned { cause: cause.clone() });
        }
        let outcome = work(self);
        match &outcome {
            Ok(_) | Err(JournalError::BatchTooLarge { .. }) => {}
            Err(error) => self.poisoned = Some(error.to_string()),
        }
        outcome
    }

    fn write_and_sync(&mut self, frame: &[u8]) -> Result<(), JournalError> {
        self.file.write_at(frame, self.at).map_err(JournalError::writing(
            frame.len(),
            self.at,
            &self.path,
        ))?;
        self.file.sync().map_err(JournalError::io("sync", &self.path))?;
        self.at += offset(frame.len());
        Ok(())
    }

    /// Changes to the next segment when this one is too full.
    fn make_room(&mut self, frame_bytes: usize) -> Result<(), JournalError> {
        let limit = self.max_frame_bytes();
        if frame_bytes > limit {
            return Err(JournalError::BatchTooLarge { bytes: offset(frame_bytes), limit: offset(limit) });
        }
        if self.at + offset(frame_bytes) <= self.capacity {
            return Ok(());
        }
        let next = match (self.ready.take(), self.preparer.take()) {
            (Some(ready), _) => ready,
            (None, Some(prepared)) => prepared?,
            (None, None) => {
                let job = self.next_job();
                self.preparer.prepare_now(&job)?
            }
        };
        self.enter(next)?;
        self.prepare_next();
        Ok(())
    }

    /// Takes a blank segment into use. Its header is durable before any frame is written behind it, so a segment
    /// without a header never has frames that count.
    fn enter(&mut self, next: Prepared) -> Result<(), JournalError> {
        let header = SegmentHeader {
            number: next.number,
            first_seq: Seq(self.chain.next_seq),
            first_event_seq: 0,
            capacity: next.capacity,
            prev_checksum: self.chain.checksum,
            origin: next.origin,
        };
        let path = Log::Journal.path(next.number);
        write_header(&*next.file, &path, &header)?;
        next.file.sync().map_err(JournalError::io("sync", &path))?;
        self.segments.push((header.number, header.first_seq));
        self.chain = Chain::at_start_of(&header, self.chain.time_ns);
        (self.file, self.path, self.capacity) = (next.file, path, next.capacity);
        self.at = Log::Journal.frames_at();
        Ok(())
    }

    fn next_job(&mut self) -> Job {
        let number = self.chain.generation + 1;
        Job { number, capacity: self.settings.journal_segment_bytes, spare: self.spares.pop() }
    }

    fn prepare_next(&mut self) {
        if self.ready.is_none() && self.preparer.wants_work() {
            let job = self.next_job();
            self.preparer.begin(job);
        }
    }
}

fn remove(storage: &dyn Storage, path: &str) -> Result<(), JournalError> {
    storage.remove(path).map_err(JournalError::io("remove", path))
}

fn write_header(file: &dyn StorageFile, path: &str, header: &SegmentHeader) -> Result<(), JournalError> {
    let bytes = header.encode(Log::Journal);
    file.write_at(&bytes, 0).map_err(JournalError::writing(bytes.len(), 0, path))
}

/// The blank segment that an earlier process prepared, when it is whole; others are removed.
fn adopt_blank(
    storage: &dyn Storage,
    settings: &Settings,
    survey: &Survey,
) -> Result<Option<Prepared>, JournalError> {
    let capacity = settings.journal_segment_bytes;
    let mut adopted = None;
    for (index, (number, size)) in survey.blanks.iter().enumerate().rev() {
        let path = Log::Journal.path(*number);
        if index == 0 && *size == capacity {
            let file = storage.open(&path).map_err(JournalError::io("open", &path))?;
            let origin = origin_of_blank(&*file).map_err(JournalError::io("read", &path))?;
            adopted = Some(Prepared { number: *number, file, capacity, origin });
        } else {
            remove(storage, &path)?;
            sync_folder(storage)?;
        }
    }
    Ok(adopted)
}

/// A recycled segment has a frame of its earlier life in the first place, since segments are entered for a frame.
fn origin_of_blank(file: &dyn StorageFile) -> io::Result<Origin> {
    let mut bytes = [0; FRAME_HEADER_BYTES];
    let read = file.read_at(&mut bytes, Log::Journal.frames_at())?;
    Ok(if bytes[..read].iter().all(|byte| *byte == 0) { Origin::Zeros } else { Origin::Recycled })
}

/// Makes the disk agree with what was read. Two things can differ: an unfinished batch is wiped; and the last whole
/// batch, with the header, is written again, because the process before may have failed to sync it, after which
/// Linux shows the bytes, takes them for written, and would not write them at a sync.
fn settle(
    file: &dyn StorageFile,
    path: &str,
    header: &SegmentHeader,
    survey: &Survey,
) -> Result<(), JournalError> {
    if let Some(wipe) = &survey.tail.wipe {
        write_zeros(file, path, wipe)?;
    }
    write_header(file, path, header)?;
    if let Some((at, len)) = survey.tail.last_frame {
        let mut frame = vec![0; len];
        let read = file.read_at(&mut frame, at).map_err(JournalError::io("read", path))?;
        assert_eq!(read, len, "a frame that was just read is still there");
        file.write_at(&frame, at).map_err(JournalError::writing(len, at, path))?;
    }
    file.sync().map_err(JournalError::io("sync", path))
}

fn write_zeros(file: &dyn StorageFile, path: &str, range: &Range<u64>) -> Result<(), JournalError> {
    let zeros = vec![0; in_memory(range.end - range.start)];
    file.write_at(&zeros, range.start).map_err(JournalError::writing(zeros.len(), range.start, path))
}
