//! The events of one journal batch: for each command the number of its events, then the events.

use model::{Event, EventBatch, EventSeq, Seq, TimeNs};

use crate::{Coded, DecodeError, Reader};

/// Appends the events of `batch`. Its places, time and hash are the frame's matter.
pub fn encode_events(batch: &EventBatch, out: &mut Vec<u8>) {
    for index in 0..batch.commands() {
        let events = batch.events_of(index);
        u32::try_from(events.len()).expect("one command causes fewer than 2^32 events").encode(out);
        for event in events {
            event.encode(out);
        }
    }
}

/// Reads what [`encode_events`] wrote; `commands` and the places come from the frame.
pub fn decode_events(
    bytes: &[u8],
    commands: u32,
    first_seq: Seq,
    time_ns: TimeNs,
    first_event_seq: EventSeq,
    chain: [u8; 32],
) -> Result<EventBatch, DecodeError> {
    let mut input = Reader::new(bytes);
    let mut batch = EventBatch { first_seq, time_ns, first_event_seq, chain, ..EventBatch::default() };
    for _ in 0..commands {
        for _ in 0..u32::decode(&mut input)? {
            batch.events.push(Event::decode(&mut input)?);
        }
        batch.ends.push(u32::try_from(batch.events.len()).map_err(|_| DecodeError::Short)?);
    }
    input.finish()?;
    Ok(batch)
}
