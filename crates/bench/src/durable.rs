//! Partition and journal together, durable, in process: the flow goes through the sequencer's queue, and counts when it has
//! passed the gate. Event log and hash chain are written as in a running exchange.

use std::path::Path;
use std::time::{Duration, Instant};

use journal::DataDir;
use model::{Command, Event, Sequenced};
use sequencer::{Egress, Sequencer, SequencerError, Settings, Submission, SubmitError};

use crate::flow::{Flow, Shape, preparation};
use crate::{Axis, Measurement, Target};

/// Commands made before the clock is started again.
const PIECE: usize = 1 << 19;
/// Commands a second that should be durable, and that should be applied again after a crash.
const WANTED_LIVE: f64 = 2_500_000.0;
const WANTED_REPLAYED: f64 = 3_000_000.0;
/// Where each batch is a sync, so many of them are enough.
const MOST_SYNCS: usize = 5_000;

/// What goes through partition and journal.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Which flow.
    pub shape: Shape,
    /// Commands of it behind filled books.
    pub commands: usize,
    /// Commands of a batch at the most.
    pub batch_max_commands: usize,
}

/// What the durable run and the replay after it found.
pub struct Durable {
    /// Commands through the queue, durable.
    pub live: Measurement,
    /// The same commands applied again from the journal, events compared with the event log.
    pub replay: Measurement,
}

/// Runs a flow in a fresh folder under `parent`, then starts again from its journal.
pub fn run(parent: &Path, load: &Load) -> Result<Durable, SequencerError> {
    let folder = tempfile::Builder::new().prefix("rialto-bench-").tempdir_in(parent).map_err(|error| {
        SequencerError::from(journal::DataDirError::Io { path: parent.to_owned(), source: error })
    })?;
    let live = live(folder.path(), load)?;
    let replay = replay(folder.path())?;
    Ok(Durable { live, replay })
}

/// A flow with the bound that a server has, and its replay; then the same with each of these bounds.
pub fn run_all(
    parent: &Path,
    shape: &Shape,
    commands: usize,
    bounds: &[usize],
    show: &mut dyn FnMut(Measurement),
) -> Result<(), SequencerError> {
    let batch_max_commands = Settings::default().batch_max_commands;
    let load = Load { shape: *shape, commands, batch_max_commands };
    let Durable { live, replay } = run(parent, &load)?;
    let wanted = [Target::per_second(&live, WANTED_LIVE), Target::per_second(&replay, WANTED_REPLAYED)];
    for (found, target) in [live, replay].into_iter().zip(wanted) {
        show(if *shape == Shape::STANDARD { found.with_target(target) } else { found });
    }
    for &batch_max_commands in bounds {
        let commands = commands.min(batch_max_commands.saturating_mul(MOST_SYNCS));
        let Durable { live, .. } = run(parent, &Load { commands, batch_max_commands, ..load })?;
        let name = format!("partition + journal, batches of {batch_max_commands} at the most");
        let bound = u64::try_from(batch_max_commands).expect("fits");
        show(Measurement { name, ..live }.on_curve("durable", Axis::BatchBound, bound));
    }
    Ok(())
}

/// Without snapshots but that of a clean stop, so that the replay has everything to do; and without ticks, so that what was sent
/// tells the number of the last command.
fn settings(batch_max_commands: usize) -> Settings {
    let tick = Duration::from_secs(1 << 30);
    Settings { snapshot_every_commands: u64::MAX, batch_max_commands, tick, ..Settings::default() }
}

fn live(folder: &Path, load: &Load) -> Result<Measurement, SequencerError> {
    let directory = DataDir::open(folder)?;
    let files = journal::Settings::default();
    let preparation = preparation(&load.shape);
    let mut flow = Flow::new(&load.shape, preparation.len());

    // Everything before the measured commands is behind a snapshot, and in batches of any size.
    let recovered = sequencer::recover(directory.storage(), &files, &mut ())?;
    let bound = Settings::default().batch_max_commands;
    let sequencer = recovered.start(settings(bound), Egress::default(), None);
    let mut sent = submit(&sequencer, preparation.into_iter());
    let mut commands: Vec<Sequenced<Command>> = Vec::with_capacity(PIECE);
    let mut left = flow.warm_up();
    while left > 0 {
        flow.fill(PIECE.min(left), &mut commands);
        left -= PIECE.min(left);
        sent += submit(&sequencer, commands.drain(..).map(|input| input.command));
    }
    wait_for(&sequencer, sent);
    sequencer.ingress().stop();
    sequencer.join()?;

    let recovered = sequencer::recover(directory.storage(), &files, &mut ())?;
    let egress = Egress::default();
    let subscription = egress.subscribe();
    let sequencer = recovered.start(settings(load.batch_max_commands), egress, None);
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

    let mut elapsed = Duration::ZERO;
    let mut left = load.commands;
    while left > 0 {
        commands.clear();
        let deposits = flow.fill(PIECE.min(left), &mut commands);
        left -= PIECE.min(left);
        let mut commands = commands.drain(..).map(|input| input.command);
        sent += submit(&sequencer, commands.by_ref().take(deposits));
        wait_for(&sequencer, sent);
        let start = Instant::now();
        sent += submit(&sequencer, commands);
        wait_for(&sequencer, sent);
        elapsed += start.elapsed();
    }
    // A crash, as far as the journal can tell: no last snapshot, so that the replay has everything to do.
    sequencer.abandon()?;
    let rejects = counter.join().expect("the counter does not panic");
    let count = u64::try_from(load.commands).expect("fits");
    Ok(Measurement::new("partition + journal, durable", count, elapsed, rejects))
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
    let name = "start after a crash: a small snapshot, and the journal";
    Ok(Measurement::new(name, recovered.replayed(), elapsed, 0))
}
