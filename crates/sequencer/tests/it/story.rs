//! What a storage tells: the commands of its journal, and what a partition without threads, files or snapshots makes of
//! them. Everything that the sequencer answers, releases or writes is compared with this.

use std::collections::BTreeMap;
use std::sync::Arc;

use codec::{Coded, EventChain, Reader, encode_event};
use exchange::Partition;
use journal::{Durable, EventLogReader, JournalError, JournalReader, Storage, Survey};
use model::{Command, EventBatch, EventSeq, Seq, Sequenced, Skip};

pub struct Story {
    /// The command at sequence n is at n - 1.
    pub commands: Vec<Sequenced<Command>>,
    pub batches: Vec<EventBatch>,
    /// Behind each batch.
    pub chains: Vec<[u8; 32]>,
    pub event_chain: [u8; 32],
    pub state_hash: [u8; 32],
}

impl Story {
    /// Applies what the journal has, from its first command.
    pub fn of(storage: &Arc<dyn Storage>) -> Self {
        Self::skipping(storage, &BTreeMap::new())
    }

    /// As [`Self::of`], with other commands taken out, each for its reason.
    pub fn skipping(storage: &Arc<dyn Storage>, skipped: &BTreeMap<Seq, &str>) -> Self {
        let survey = Survey::read(storage, Durable::GENESIS).unwrap();
        let mut reader = JournalReader::open(storage, &survey, Seq(1)).unwrap();
        let mut partition = Partition::default();
        let mut chain = EventChain::default();
        let mut event_seq = EventSeq(0);
        let (mut commands, mut batches, mut chains) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(records) = reader.next().unwrap() {
            let mut batch = EventBatch {
                first_seq: records.first_seq,
                time_ns: records.time_ns,
                first_event_seq: event_seq.next(),
                ..EventBatch::default()
            };
            let mut encoded = Vec::new();
            for (index, (seq, bytes)) in (0..).zip(records.commands()) {
                let command = match skipped.get(&seq) {
                    Some(reason) => Command::Skip(Skip { reason: (*reason).to_owned() }),
                    None => decode(bytes),
                };
                let input = Sequenced { seq, time_ns: records.time_ns, command };
                let before = batch.events.len();
                partition.apply(&input, &mut batch.events);
                partition.assert_invariants();
                batch.ends.push(u32::try_from(batch.events.len()).unwrap());
                for event in &batch.events[before..] {
                    let mut one = Vec::new();
                    encode_event(index, event, &mut one);
                    encoded.extend_from_slice(&u32::try_from(one.len()).unwrap().to_le_bytes());
                    encoded.extend_from_slice(&one);
                    event_seq = event_seq.next();
                }
                commands.push(input);
            }
            chains.push(chain.extend(batch.first_seq, batch.time_ns, batch.first_event_seq, &encoded));
            batches.push(batch);
        }
        assert_eq!(
            survey.end.seq(),
            partition.seq(),
            "the reader gives everything that the survey has found"
        );
        Self { commands, batches, chains, event_chain: chain.0, state_hash: partition.state_hash() }
    }

    /// The last command.
    pub fn end(&self) -> Seq {
        self.commands.last().map_or(Seq(0), |last| last.seq)
    }

    /// The event log says the same, frame by frame.
    pub fn assert_event_log(&self, storage: &Arc<dyn Storage>) {
        let log = event_log(storage);
        for (there, derived) in log.iter().zip(&self.batches) {
            assert_eq!(there, derived, "the event log has what the journal gives");
        }
        assert_eq!(log.len(), self.batches.len(), "the event log is as long as the journal");
        let mut reader = EventLogReader::open(storage, Seq(1)).unwrap();
        for chain in &self.chains {
            assert_eq!(reader.next().unwrap().unwrap().chain, *chain, "the hash over all events up to there");
        }
    }
}

fn decode(bytes: &[u8]) -> Command {
    let mut input = Reader::new(bytes);
    let command = Command::decode(&mut input).unwrap();
    input.finish().unwrap();
    command
}

/// All that a reader of the event log is given.
pub fn event_log(storage: &Arc<dyn Storage>) -> Vec<EventBatch> {
    let (batches, ended) = readable(storage);
    ended.unwrap();
    batches
}

/// What a reader of the event log is given before it comes to the end, or is told that there is something wrong.
pub fn readable(storage: &Arc<dyn Storage>) -> (Vec<EventBatch>, Result<(), JournalError>) {
    let mut reader = EventLogReader::open(storage, Seq(1)).unwrap();
    let mut batches = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(frame)) => batches.push(sequencer::decode_batch(&frame).unwrap()),
            Ok(None) => return (batches, Ok(())),
            Err(error) => return (batches, Err(error)),
        }
    }
}
