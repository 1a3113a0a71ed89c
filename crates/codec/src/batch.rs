//! Events as the event log keeps them: each behind the place of its command in the journal batch, from 0.

use model::Event;

use crate::{Coded, DecodeError, Reader};

/// Appends one event.
#[inline]
pub fn encode_event(command_index: u32, event: &Event, out: &mut Vec<u8>) {
    command_index.encode(out);
    event.encode(out);
}

/// Reads what [`encode_event`] wrote.
pub fn decode_event(bytes: &[u8]) -> Result<(u32, Event), DecodeError> {
    let mut input = Reader::new(bytes);
    let command_index = u32::decode(&mut input)?;
    let event = Event::decode(&mut input)?;
    input.finish()?;
    Ok((command_index, event))
}
