//! Reading commands back, for replay and verification. It skips over skip marks, which the survey has collected.

use crate::error::JournalError;
use crate::frame::{Batch, Durable, Kind, Records};
use crate::storage::Storage;
use crate::survey::Survey;
use crate::walk::Walk;
use model::Seq;
use std::sync::Arc;

/// Batches in order, from one that is asked for to the end that the survey found. Reads a MiB at a time and hands out
/// slices of that, so nothing is allocated or copied per command.
#[derive(Debug)]
pub struct JournalReader {
    /// `None` when the journal is empty.
    walk: Option<Walk>,
    from: Seq,
    /// Files before the one that is being read, from the first one read.
    bytes_done: u64,
    bytes_total: u64,
    segment_index: usize,
}

impl JournalReader {
    /// The first batch will be the one that contains `from`, which may begin before it. Nothing is given when
    /// `from` is one behind the end.
    pub fn open(storage: &Arc<dyn Storage>, survey: &Survey, from: Seq) -> Result<Self, JournalError> {
        if from < survey.oldest {
            return Err(JournalError::Removed { wanted: from, oldest: survey.oldest });
        }
        let segments = &survey.segments;
        let index = segments.partition_point(|segment| segment.first_seq <= from).saturating_sub(1);
        let closed: u64 = segments.iter().skip(index).map(|segment| segment.capacity).sum();
        let unused = segments.last().map_or(0, |last| last.capacity - survey.tail.at);
        let walk = if segments.is_empty() {
            None
        } else {
            Some(Walk::open(Arc::clone(storage), segments.clone(), index, Some(survey.tail.at))?)
        };
        Ok(Self { walk, from, bytes_done: 0, bytes_total: closed - unused, segment_index: index })
    }

    /// The next batch; `None` at the end, also when asked again.
    #[expect(
        clippy::should_implement_trait,
        reason = "batches borrow from the reader, which iterators cannot"
    )]
    pub fn next(&mut self) -> Result<Option<Batch<'_>>, JournalError> {
        let Some(walk) = &mut self.walk else { return Ok(None) };
        let frame = loop {
            let Some(frame) = walk.next()? else { return Ok(None) };
            while self.segment_index < walk.segment_index() {
                self.bytes_done += walk.segments()[self.segment_index].capacity;
                self.segment_index += 1;
            }
            let commands = frame.kind().expect("a walk lets only known kinds pass") == Kind::Commands;
            if commands && frame.next_seq() > self.from.get() {
                break frame;
            }
        };
        Ok(Some(Batch {
            first_seq: frame.first_seq,
            time_ns: frame.time_ns,
            count: frame.count,
            records: Records::new(walk.payload(&frame)),
            end: Durable::new(Seq(frame.next_seq() - 1), frame.checksum),
        }))
    }

    /// Bytes behind the reader, of [`bytes_total`](Self::bytes_total): for a progress bar.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_done + self.walk.as_ref().map_or(0, |walk| walk.at)
    }

    /// Bytes from the beginning of the first segment read to the end of the journal.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }
}
