//! Readers of the event log's files, in another process than the one that writes them. What a reader had read before a kill
//! has to be there after the restart, byte for byte: the hash chain says so.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use codec::EventChain;
use journal::{DataDir, EventLogReader};
use model::{Event, Seq};

use crate::http::PATIENCE;

/// A batch that was read: its commands, and the hash over everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub first: u64,
    pub last: u64,
    pub chain: [u8; 32],
}

/// What the events tell of orders and trades.
#[derive(Default)]
pub struct Told {
    pub accepted: BTreeSet<u64>,
    pub ended: BTreeSet<u64>,
    pub trades: u64,
}

/// Reads batches, each once, in order.
pub struct Tail {
    reader: EventLogReader,
    at: u64,
    chain: EventChain,
    pub told: Told,
}

impl Tail {
    /// From the first event on.
    pub fn open(data: &Path) -> Self {
        let directory = DataDir::open_read_only(data).expect("it is there");
        let reader = EventLogReader::open(directory.storage(), Seq(1)).expect("it can be read");
        Self { reader, at: 0, chain: EventChain::default(), told: Told::default() }
    }

    /// From where another one stands.
    pub fn behind(data: &Path, other: &Self) -> Self {
        let directory = DataDir::open_read_only(data).expect("it is there");
        let reader = EventLogReader::open(directory.storage(), Seq(other.at + 1)).expect("it can be read");
        Self { reader, at: other.at, chain: other.chain, told: Told::default() }
    }

    /// The next batch, when there is one. Its hash is calculated, not believed.
    pub fn next(&mut self) -> Option<Place> {
        let frame = self.reader.next().expect("the event log can be read")?;
        let batch = sequencer::decode_batch(&frame).expect("events can be read");
        assert_eq!(frame.first_seq.0, self.at + 1, "no gap and no repeat");
        let records = frame.records.as_bytes();
        let chain = self.chain.extend(frame.first_seq, frame.time_ns, frame.first_event_seq, records);
        assert_eq!(chain, frame.chain, "the hash chain over command {}", frame.last_seq);
        self.at = frame.last_seq.0;
        let place = Place { first: frame.first_seq.0, last: self.at, chain };
        for event in &batch.events {
            match event {
                Event::OrderAccepted(accepted) => {
                    assert!(self.told.accepted.insert(accepted.order.0), "accepted twice: {accepted:?}");
                }
                Event::OrderEnded(ended) => {
                    assert!(self.told.ended.insert(ended.order.0), "ended twice: {ended:?}");
                }
                Event::Traded(_) => self.told.trades += 1,
                _ => {}
            }
        }
        Some(place)
    }

    /// Everything up to command `seq`, which is on its way if it is not there yet.
    pub fn read_to(&mut self, seq: u64) -> Vec<Place> {
        let mut places = Vec::new();
        let began = Instant::now();
        while self.at < seq {
            if let Some(place) = self.next() {
                places.push(place);
            } else {
                assert!(began.elapsed() < PATIENCE, "command {seq} never came, the last is {}", self.at);
                std::thread::yield_now();
            }
        }
        places
    }
}

/// A [`Tail`] at work beside the exchange.
pub struct Follower {
    stop: Sender<()>,
    thread: JoinHandle<(Tail, Vec<Place>)>,
}

impl Follower {
    pub fn start(tail: Tail) -> Self {
        let (stop, stopped) = channel();
        Self { stop, thread: spawn(move || follow(tail, &stopped)) }
    }

    /// What it has read, once it has read all there is.
    pub fn stop(self) -> (Tail, Vec<Place>) {
        drop(self.stop);
        self.thread.join().expect("a reader that works")
    }
}

fn follow(mut tail: Tail, stopped: &Receiver<()>) -> (Tail, Vec<Place>) {
    let mut places = Vec::new();
    loop {
        places.extend(std::iter::from_fn(|| tail.next()));
        if stopped.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Disconnected) {
            places.extend(std::iter::from_fn(|| tail.next()));
            return (tail, places);
        }
    }
}
