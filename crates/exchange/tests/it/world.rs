//! A partition under observation. [`World::apply`] is the one place where tests give it a command.

use codec::{Coded, Reader};
use exchange::Partition;
use model::{Command, Event, MarketId, Seq, Sequenced, Side, TimeNs};

use crate::witness::Witness;

/// A partition, and somebody who only sees its events.
#[derive(Default)]
pub struct World {
    pub partition: Partition,
    pub witness: Witness,
    pub seq: Seq,
    pub time_ns: TimeNs,
    /// All commands so far.
    pub journal: Vec<Sequenced<Command>>,
    /// All events so far.
    pub events: Vec<Event>,
}

impl World {
    /// Gives the partition its next command and looks at everything that must hold afterwards.
    pub fn apply(&mut self, command: Command) -> Vec<Event> {
        same_after_its_bytes(&command);
        self.seq = self.seq.next();
        let input = Sequenced { seq: self.seq, time_ns: self.time_ns, command };
        let before = self.without_counters();
        let mut events = Vec::new();
        // As the sequencer does it with a command that comes alone.
        self.partition.apply_all(std::slice::from_ref(&input), &mut events, |_, _| ());
        events.iter().for_each(same_after_its_bytes);

        self.partition.assert_invariants();
        self.witness.see(&events);
        self.witness.agrees_with(&self.partition);
        // The clock is told of prices, and goes on with what nobody waits for.
        let is_clock = matches!(input.command, Command::Tick | Command::Continue);
        assert!(is_clock || !events.is_empty(), "every command but those of the clock has an answer");
        if !is_clock
            && events.iter().all(|event| matches!(event, Event::Rejected { .. } | Event::Skipped { .. }))
        {
            assert!(before == self.without_counters(), "a reject changes nothing: {:?}", input.command);
        }
        self.journal.push(input);
        self.events.extend_from_slice(&events);
        events
    }

    /// From now on with what a snapshot of the partition gives back.
    pub fn restart(&mut self) {
        let bytes = self.partition.snapshot();
        let restored = Partition::restore(&bytes).expect("a snapshot can be read");
        assert!(restored.snapshot() == bytes, "a restored partition has the same bytes");
        assert_eq!(restored.state_hash(), self.partition.state_hash());
        self.partition = restored;
        self.partition.assert_invariants();
        self.witness.agrees_with(&self.partition);
    }

    /// Applies all commands so far in two batches, as a sequencer does, wherever one ends and the next begins: what was found of a
    /// batch before its first command was applied leads to nothing else.
    pub fn is_the_same_in_batches(&self) {
        for first in 0..self.journal.len().min(100) {
            let (first, second) = self.journal.split_at(first);
            let (mut partition, mut events) = (Partition::default(), Vec::new());
            for batch in [first, second] {
                partition.apply_all(batch, &mut events, |_, _| ());
            }
            let is_the_same = events == self.events && partition.state_hash() == self.partition.state_hash();
            assert!(is_the_same, "in batches of {} and {} commands", first.len(), second.len());
        }
    }

    /// All bytes of the state but sequence, time and the number of the next order, which go on after a reject too.
    fn without_counters(&self) -> Vec<u8> {
        const RESTING: usize = 8 + 8 + 4 + 8 + 8 + 8 + 2;
        let mut bytes = self.partition.snapshot();
        let mut behind = 4;
        for (market, _) in self.partition.catalog().markets() {
            behind += 4 * 8 + 2 * 4;
            for side in [Side::Buy, Side::Sell] {
                behind += RESTING * self.partition.queue(market, side).unwrap().count();
            }
        }
        let next_withdrawal = bytes.len() - behind - 8;
        let next_order = next_withdrawal - 8;
        // What few states have stands before the rest, behind its length.
        let mut rest = 0;
        for version in [8, 7, 6, 5] {
            if bytes[rest] == version {
                let len = u32::from_le_bytes(bytes[rest + 1..rest + 5].try_into().unwrap());
                rest += 5 + usize::try_from(len).unwrap();
            }
        }
        rest += 1;
        let seq = u64::from_le_bytes(bytes[rest..rest + 8].try_into().unwrap());
        assert_eq!(seq, self.partition.seq().0, "the snapshot begins with version and sequence");
        let at = u64::from_le_bytes(bytes[next_order..next_withdrawal].try_into().unwrap());
        assert!(
            at > self.witness.last_order().0,
            "the next order's number stands before the next withdrawal's"
        );
        bytes.drain(next_order..next_withdrawal);
        bytes.drain(rest..rest + 16);
        bytes
    }

    /// The levels of a book, best first.
    pub fn levels(&self, market: MarketId, side: Side) -> Vec<(i64, i64)> {
        let levels = self.partition.levels(market, side).unwrap();
        levels.map(|(price, open)| (price.0, open.0)).collect()
    }
}

/// Encoded and decoded, a value is what it was, and nothing is left over.
fn same_after_its_bytes<T: Coded + PartialEq + std::fmt::Debug>(value: &T) {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    let mut input = Reader::new(&bytes);
    assert_eq!(T::decode(&mut input).as_ref(), Ok(value));
    input.finish().expect("nothing is left over");
}
