//! Partition and journal together, durable, in process: the flow goes through the sequencer's queue, and counts when it has
//! passed the gate. Event log and hash chain are written as in a running exchange.

use std::path::Path;
use std::time::{Duration, Instant};

use journal::DataDir;
use model::{Command, Event, Sequenced};
use sequencer::{Egress, Sequencer, SequencerError, Settings, Submission, SubmitError};

use crate::Measurement;
use crate::flow::{Flow, preparation};

/// Commands made before the clock is started again.
const PIECE: usize = 1 << 19;

/// What the durable run and the replay after it found.
pub struct Durable {
    /// Commands through the queue, durable.
    pub live: Measurement,
    /// The same commands applied again from the journal, events compared with the event log.
    pub replay: Measurement,
}

/// Runs the first `limit` commands of the flow in a fresh folder under `parent`, then starts again from its journal.
pub fn run(parent: &Path, limit: usize) -> Result<Durable, SequencerError> {
    let folder = tempfile::Builder::new().prefix("rialto-bench-").tempdir_in(parent).map_err(|error| {
        SequencerError::from(journal::DataDirError::Io { path: parent.to_owned(), source: error })
    })?;
    let live = live(folder.path(), limit)?;
    let replay = replay(folder.path())?;
    Ok(Durable { live, replay })
}

/// Without snapshots, so that the replay has everything to do.
fn settings() -> Settings {
    Settings { snapshot_every_commands: u64::MAX, ..Settings::default() }
}

fn live(folder: &Path, limit: usize) -> Result<Measurement, SequencerError> {
    let directory = DataDir::open(folder)?;
    let recovered = sequencer::recover(directory.storage(), &journal::Settings::default(), &mut ())?;
    let egress = Egress::default();
    let subscription = egress.subscribe();
    let sequencer = recovered.start(settings(), egress, None);
    let counter = std::thread::spawn(move || {
        let mut rejects = 0_u64;
        while let Some(batches) = subscription.wait(Duration::from_secs(1)) {
            for batch in batches {
                let refused =
                    batch.events.iter().filter(|event| matches!(event, Event::Rejected { .. })).count();
                rejects += u64::try_from(refused).expect("fits");
            }
        }
        rejects
    });

    let prepare = preparation();
    let mut flow = Flow::new(prepare.len());
    let mut sent = submit(&sequencer, prepare.into_iter());
    wait_for(&sequencer, sent);
    let prepared = sent;

    let mut commands: Vec<Sequenced<Command>> = Vec::with_capacity(PIECE);
    let mut elapsed = Duration::ZERO;
    let mut done = 0;
    while done < limit {
        commands.clear();
        flow.fill(PIECE.min(limit - done), &mut commands);
        if commands.is_empty() {
            break;
        }
        done += commands.len();
        let start = Instant::now();
        sent += submit(&sequencer, commands.drain(..).map(|input| input.command));
        wait_for(&sequencer, sent);
        elapsed += start.elapsed();
    }
    // A crash, as far as the journal can tell: no last snapshot, so that the replay has everything to do.
    sequencer.abandon()?;
    let rejects = counter.join().expect("the counter does not panic");
    Ok(Measurement::new("partition + journal, durable", sent - prepared, elapsed, rejects))
}

/// Hands in everything, waiting where the queue is full.
pub(crate) fn submit(sequencer: &Sequencer, commands: impl Iterator<Item = Command>) -> u64 {
    let mut batch = Vec::with_capacity(1_024);
    let mut sent = 0_u64;
    let mut commands = commands.peekable();
    while commands.peek().is_some() || !batch.is_empty() {
        while batch.len() < 1_024
            && let Some(command) = commands.next()
        {
            batch.push(Submission { command, reply_to: None });
            sent += 1;
        }
        match sequencer.ingress().submit_batch(&mut batch) {
            Ok(()) => {}
            Err(SubmitError::Busy { .. } | SubmitError::OutboxFull { .. }) => {
                std::thread::park_timeout(Duration::from_micros(200));
            }
            Err(SubmitError::Stopped) => return sent,
        }
    }
    sent
}

pub(crate) fn wait_for(sequencer: &Sequencer, seq: u64) {
    while sequencer.egress().released_seq().0 < seq && !sequencer.has_stopped() {
        std::thread::park_timeout(Duration::from_micros(200));
    }
}

fn replay(folder: &Path) -> Result<Measurement, SequencerError> {
    let directory = DataDir::open(folder)?;
    let start = Instant::now();
    let recovered = sequencer::recover(directory.storage(), &journal::Settings::default(), &mut ())?;
    let elapsed = start.elapsed();
    Ok(Measurement::new("replay after a crash", recovered.replayed(), elapsed, 0))
}
