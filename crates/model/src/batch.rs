//! Events as they travel: all that one journal batch caused, in order, with the place of each.

use crate::{Event, EventSeq, Seq, TimeNs};

/// What the commands of one journal batch caused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBatch {
    /// The first command of the batch.
    pub first_seq: Seq,
    /// The time of all its commands.
    pub time_ns: TimeNs,
    /// The first event's place in the event log.
    pub first_event_seq: EventSeq,
    /// All events, in order.
    pub events: Vec<Event>,
    /// For each command, where its events end in `events`.
    pub ends: Vec<u32>,
}

impl EventBatch {
    /// How many commands it has.
    pub fn commands(&self) -> usize {
        self.ends.len()
    }

    /// The last command of the batch; the one before `first_seq` when it has none.
    pub fn last_seq(&self) -> Seq {
        let commands = u64::try_from(self.ends.len()).expect("a batch is small");
        Seq(self
            .first_seq
            .0
            .checked_add(commands)
            .and_then(|end| end.checked_sub(1))
            .expect("sequences start at 1"))
    }

    /// The place of the first event behind this batch.
    pub fn next_event_seq(&self) -> EventSeq {
        let events = u64::try_from(self.events.len()).expect("fits");
        EventSeq(self.first_event_seq.0.checked_add(events).expect("a counter never runs out"))
    }

    /// The events of the command at `index`, from 0.
    pub fn events_of(&self, index: usize) -> &[Event] {
        let end = self.ends[index];
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.events[usize::try_from(start).expect("fits")..usize::try_from(end).expect("fits")]
    }

    /// Each command's place and its events.
    pub fn by_command(&self) -> impl Iterator<Item = (Seq, &[Event])> {
        (0..self.ends.len()).zip(self.first_seq.0..).map(|(index, seq)| (Seq(seq), self.events_of(index)))
    }
}
