//! `rialto replay`: recorded order flow through partition and journal.

mod futures;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use bench::Measurement;
use clap::Args;
use hdrhistogram::Histogram;
use journal::DataDir;
use model::{Command, Event};
use sequencer::{Egress, Ingress, Reply, Session, Submission, SubmitError};
use simulator::l3::Recording;
use simulator::l3::observer::{Findings, Observer};
use simulator::l3::replay::{Plan, Replayed};

use crate::verify::hex;
use crate::{progress, setup};

#[derive(Args)]
pub struct Options {
    /// The recording: `orders.csv` or `orders.csv.gz`, as `tools/fetch-l3-sample` brings it; or a flow at perpetual contracts, as
    /// `rialto bench perp --record` writes it.
    file: PathBuf,
    /// The recorded trades. Default: `trades.csv` beside the recording.
    #[arg(long)]
    trades: Option<PathBuf>,
    /// How fast: `1x` is as recorded, `60x` a minute in a second, `max` as fast as it goes.
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// A new data directory to keep the journal in. Default: one that goes away at the end.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Clone, Copy)]
enum Speed {
    Times(u32),
    Max,
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let times = text.strip_suffix('x').and_then(|times| times.parse().ok()).filter(|times| *times > 0);
        match (text, times) {
            ("max", _) => Ok(Self::Max),
            (_, Some(times)) => Ok(Self::Times(times)),
            _ => Err(format!("'{text}' is not a speed: write 1x, 60x or max")),
        }
    }
}

/// Commands on their way at the most: enough to fill batches, few enough that the latency is not all queue.
const WINDOW: usize = 1_024;

pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut temporary = None;
    let folder = if let Some(data) = &options.data {
        data.clone()
    } else {
        let here = std::env::current_dir().context("there is no current directory")?;
        let made = tempfile::Builder::new()
            .prefix("rialto-replay-")
            .tempdir_in(here)
            .context("cannot make a folder for the journal here; name one with --data")?;
        temporary.insert(made).path().to_owned()
    };
    if simulator::perp::is_futures_flow(&options.file)? {
        if options.trades.is_some() || matches!(options.speed, Speed::Times(_)) {
            bail!(
                "a flow at perpetual contracts has no times and no recorded trades: leave --speed and --trades out"
            );
        }
        return futures::replay(&options.file, &folder);
    }
    let trades = options.trades.clone().unwrap_or_else(|| Recording::trades_beside(&options.file));
    let recording = Recording::read(&options.file, &trades)?;
    let bar = progress::bar("Working out the commands", 0, false);
    let replayed = simulator::l3::replay::replay(&recording, &mut |progress| {
        bar.set_length(progress.of as u64);
        bar.set_position(progress.done as u64);
    })
    .map_err(|reject| anyhow!("the exchange does not take the recording's market: {reject}"))?;
    bar.finish_and_clear();
    let Replayed { plan, report } = replayed;
    println!("{report}");

    let durable = through_journal(&folder, &recording, &plan, options.speed)?;
    let measured = Measurement::new("", plan.commands.len() as u64, durable.elapsed, 0);
    println!("through partition and journal, durable");
    println!("{:>8}  commands", plan.commands.len());
    println!("{:>8}  fills", durable.fills);
    println!("{:>8.0}  commands/s", measured.per_second);
    print_latency(&durable.latency);
    println!("          state hash {}", hex(&durable.state_hash));
    if durable.findings != report.findings {
        bail!("what came out behind the journal is not what the partition alone gave");
    }
    println!("          the same trades and levels as above");
    if !report.within_bounds() {
        bail!("trades or levels are outside their bounds");
    }
    Ok(())
}

fn print_latency(latency: &Histogram<u64>) {
    let quantile = |quantile| Duration::from_nanos(latency.value_at_quantile(quantile));
    println!(
        "          latency p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, largest {:.2?}",
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0)
    );
}

struct Durable {
    fills: u64,
    elapsed: Duration,
    latency: Histogram<u64>,
    findings: Findings,
    state_hash: [u8; 32],
}

/// Passes replies on, with the moment of their coming.
struct Collector(Sender<(usize, Instant, Option<Reply>)>);

impl Session for Collector {
    fn deliver(&self, token: u64, reply: Reply) {
        let _ = self.0.send((usize::try_from(token).expect("fits"), Instant::now(), Some(reply)));
    }

    fn abandon(&self, token: u64) {
        let _ = self.0.send((usize::try_from(token).expect("fits"), Instant::now(), None));
    }
}

fn through_journal(
    folder: &std::path::Path,
    recording: &Recording,
    plan: &Plan,
    speed: Speed,
) -> anyhow::Result<Durable> {
    let directory = DataDir::open(folder)?;
    let recovered = sequencer::recover(directory.storage(), &journal::Settings::default(), &mut ())?;
    if recovered.partition().seq().0 != 0 {
        bail!("{} has a journal already: choose a new directory", folder.display());
    }
    let sequencer = recovered.start(sequencer::Settings::default(), Egress::default(), None);
    for command in &plan.setup {
        setup::execute(sequencer.ingress(), command.clone())?;
    }

    let (mut fills, mut observer) = (0, Observer::new(&recording.moments));
    let mut hear = |index: usize, events: &[Event]| {
        fills += events.iter().filter(|event| matches!(event, Event::Traded(_))).count() as u64;
        observer.hear(&plan.commands[index], events);
    };
    let mut run = Run::new(&mut hear);
    let bar = progress::bar("Replaying", plan.commands.len() as u64, false);
    let start = Instant::now();
    let begins_ms = plan.commands.first().map_or(0, |planned| planned.time_ms);
    for planned in &plan.commands {
        if let Speed::Times(times) = speed {
            let due = Duration::from_millis((planned.time_ms - begins_ms) / u64::from(times));
            run.hear_until(start + due)?;
        }
        run.send(sequencer.ingress(), planned.command.clone())?;
        bar.set_position(run.heard as u64);
    }
    run.hear_all()?;
    let latency = run.latency;
    let elapsed = start.elapsed();
    bar.finish_and_clear();
    sequencer.ingress().stop();
    let state_hash = sequencer.join()?.state_hash;
    Ok(Durable { fills, elapsed, latency, findings: observer.finish(&recording.trades), state_hash })
}

/// What is told of each command in its turn: which one, and its events.
type Hear<'a> = dyn FnMut(usize, &[Event]) + 'a;

/// Commands on their way, and how long each took.
struct Run<'a> {
    session: Arc<Collector>,
    replies: Receiver<(usize, Instant, Option<Reply>)>,
    sent_at: Vec<Instant>,
    heard: usize,
    latency: Histogram<u64>,
    on_reply: &'a mut Hear<'a>,
}

impl<'a> Run<'a> {
    fn new(on_reply: &'a mut Hear<'a>) -> Self {
        let (sender, replies) = channel();
        let (session, latency) = (Arc::new(Collector(sender)), Histogram::new(3).expect("three digits"));
        Self { session, replies, sent_at: Vec::new(), heard: 0, latency, on_reply }
    }

    /// Sends the next command, once there is room for it.
    fn send(&mut self, ingress: &Ingress, command: Command) -> anyhow::Result<()> {
        while self.sent_at.len() - self.heard >= WINDOW {
            self.hear()?;
        }
        let reply_to = Some((Arc::clone(&self.session) as Arc<dyn Session>, self.sent_at.len() as u64));
        self.sent_at.push(Instant::now());
        match ingress.submit(Submission { command, reply_to }) {
            Ok(()) => Ok(()),
            Err(
                error @ (SubmitError::Busy { .. } | SubmitError::OutboxFull { .. } | SubmitError::Stopped),
            ) => Err(error.into()),
        }
    }

    fn hear_all(&mut self) -> anyhow::Result<()> {
        while self.heard < self.sent_at.len() {
            self.hear()?;
        }
        Ok(())
    }

    fn hear(&mut self) -> anyhow::Result<()> {
        let answer = self.replies.recv().context("the exchange has stopped")?;
        self.note(answer)
    }

    fn hear_until(&mut self, due: Instant) -> anyhow::Result<()> {
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            match self.replies.recv_timeout(left) {
                Ok(answer) => self.note(answer)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn note(&mut self, (index, at, reply): (usize, Instant, Option<Reply>)) -> anyhow::Result<()> {
        let reply = reply.context("the exchange has stopped")?;
        anyhow::ensure!(index == self.heard, "replies come in the order of their commands");
        self.heard += 1;
        let nanos = at.duration_since(self.sent_at[index]).as_nanos();
        self.latency
            .record(u64::try_from(nanos).unwrap_or(u64::MAX))
            .context("a latency beyond all measure")?;
        (self.on_reply)(index, reply.events());
        Ok(())
    }
}
