//! Applying a journal again from its first command, beside a running exchange or after one: it takes no lock and changes
//! nothing. What to compare with is the caller's.

use std::sync::Arc;

use exchange::Partition;
use journal::{Durable, EventFrame, JournalReader, Storage, Survey};
use model::{EventBatch, TimeNs};

use crate::recovery::{Derive, apply_records};
use crate::{SequencerError, Stopped};

/// One batch of the journal, applied.
pub struct AuditStep<'a> {
    /// What it caused.
    pub batch: &'a EventBatch,
    /// The hash over all events up to the last of it.
    pub chain: [u8; 32],
    /// The state after it.
    pub partition: &'a Partition,
    /// Bytes of the journal that are done.
    pub bytes_done: u64,
    /// Of so many.
    pub bytes_total: u64,
}

/// Applies everything that was durable when it began, and shows every batch to `visit`, which may end it.
pub fn audit<E: From<SequencerError>>(
    storage: &Arc<dyn Storage>,
    visit: &mut dyn FnMut(AuditStep<'_>) -> Result<(), E>,
) -> Result<Stopped, E> {
    let survey = Survey::read(storage, Durable::GENESIS).map_err(SequencerError::from)?;
    let mut reader = JournalReader::open(storage, &survey, survey.oldest).map_err(SequencerError::from)?;
    let mut partition = Partition::default();
    let mut derive = Derive::default();
    let (mut batch, mut frame) = (derive.before_first(), EventFrame::new());
    while let Some(records) = reader.next().map_err(SequencerError::from)? {
        apply_records(&mut partition, &records, &survey.skip_marks, &mut batch)?;
        derive.finish(&batch, &mut frame);
        let (bytes_done, bytes_total) = (reader.bytes_read(), reader.bytes_total());
        let chain = derive.chain.0;
        visit(AuditStep { batch: &batch, chain, partition: &partition, bytes_done, bytes_total })?;
    }
    Ok(Stopped { seq: partition.seq(), event_chain: derive.chain.0, state_hash: partition.state_hash() })
}

/// The state that the batches up to a moment lead to. The batches up to one moment in all journals of an exchange are a
/// consistent cut: nothing is heard before it was said.
pub fn state_at(storage: &Arc<dyn Storage>, moment: TimeNs) -> Result<Partition, SequencerError> {
    let survey = Survey::read(storage, Durable::GENESIS)?;
    let mut reader = JournalReader::open(storage, &survey, survey.oldest)?;
    let (mut partition, mut batch) = (Partition::default(), EventBatch::default());
    while let Some(records) = reader.next()? {
        if records.time_ns > moment {
            break;
        }
        apply_records(&mut partition, &records, &survey.skip_marks, &mut batch)?;
    }
    Ok(partition)
}
