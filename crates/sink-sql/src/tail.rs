//! The event log from a position on, held against the hash that the position carries.

use std::sync::Arc;

use codec::EventChain;
use journal::{EventLogReader, Storage};
use model::{EventBatch, EventSeq, Seq};

use crate::SqlError;
use crate::position::Position;

/// Reads batch by batch, and knows the hash over all that it has read.
pub struct Tail {
    reader: EventLogReader,
    position: Position,
    /// Whether the log was seen to have the position.
    agreed: bool,
}

impl Tail {
    pub fn open(storage: &Arc<dyn Storage>, position: Position) -> Result<Self, SqlError> {
        let is_new = position == Position::GENESIS;
        let from = if is_new { Seq(1) } else { position.seq };
        Ok(Self { reader: EventLogReader::open(storage, from)?, position, agreed: is_new })
    }

    /// Behind all that was read.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Appends batches to `batches` until there are so many events or bytes, or no more; at least one, if there is one. True when it
    /// stopped because there was enough.
    pub fn read(
        &mut self,
        batches: &mut Vec<EventBatch>,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<bool, SqlError> {
        if !self.agreed && !self.agree()? {
            return Ok(false);
        }
        let (mut events, mut bytes) = (0, 0);
        while events < max_events && bytes < max_bytes {
            let Some(frame) = self.reader.next()? else { return Ok(false) };
            let records = frame.records.as_bytes();
            let mut chain = EventChain(self.position.chain);
            chain.extend(frame.first_seq, frame.time_ns, frame.first_event_seq, records);
            let follows = frame.first_seq == self.position.seq.next()
                && frame.first_event_seq == self.position.event_seq.next();
            if !follows || chain.0 != frame.chain {
                return Err(SqlError::Disagrees(format!(
                    "the batch of events that ends at command {} does not follow what was read before it",
                    frame.last_seq
                )));
            }
            let batch = sequencer::decode_batch(&frame)?;
            events += batch.events.len();
            bytes += records.len();
            self.position = Position {
                seq: frame.last_seq,
                event_seq: EventSeq(batch.next_event_seq().0 - 1),
                chain: frame.chain,
                time_ns: frame.time_ns,
            };
            batches.push(batch);
        }
        Ok(true)
    }

    /// Whether the log has what was read before it was opened; false while it has not come so far. After a crash its end is
    /// derived again.
    fn agree(&mut self) -> Result<bool, SqlError> {
        let Some(frame) = self.reader.next()? else { return Ok(false) };
        let there = frame.position();
        if (there.seq, there.event_seq, there.chain)
            != (self.position.seq, self.position.event_seq, self.position.chain)
        {
            return Err(SqlError::Disagrees(format!(
                "it was written up to command {} and event {}, and the event log has another history there",
                self.position.seq, self.position.event_seq
            )));
        }
        self.agreed = true;
        Ok(true)
    }

    /// True once the log was seen to have the position that it was opened at.
    pub const fn agreed(&self) -> bool {
        self.agreed
    }
}
