//! The bridge to Redis and Valkey: orders come in through Streams, what came of them goes out to reply streams, and what is asked
//! most is kept there. It holds no
//! trading state: what was done is told by the event log, how far it has come stands in Redis beside what it wrote.
//!
//! ```text
//! XREADGROUP ─▶ intake ──FromSource──▶ sequencer ─▶ event log ─▶ replier ─▶ XADD, position
//!                 └── XACK ◀──durable──┘                           (one MULTI)
//! ```
//!
//! Nothing is lost and nothing is done twice, whoever is killed when:
//!
//! * An entry is acknowledged once it is durable. What was read and not acknowledged comes again; the partition's mark for the
//!   source (see `exchange/src/sources.rs`) knows it.
//! * Replies are read from the event log, behind the position that the last ones were written with.
//!
//! Every thread has a connection of its own and blocks on it. A Redis that is away or slow keeps these threads waiting and
//! nobody else.

mod answer;
mod cache;
mod entry;
mod intake;
mod keys;
mod lease;
mod replies;
mod server;
mod settings;
mod sorted_set;
mod stats;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use dialect::Listings;
use journal::Storage;
use model::{Command, Event, PartitionId, RegisterSource, Seq, SourceId, SourceTerms};
use sequencer::{Egress, Ingress, Reply, Session, Submission, SubmitError};
use views::Views;

pub use keys::Keys;
pub use server::Server;
pub use settings::{CacheSettings, Only, Replies, Settings, SortedSet, StreamSettings, Take};
pub use stats::{CacheStats, SourceStats, Stats};

use crate::cache::Cache;
use crate::intake::Intake;
use crate::replies::Replier;

/// What is listed and who there is, as the program's views know it.
pub trait Directory: Send + Sync {
    /// What is listed.
    fn listings(&self) -> Arc<Listings>;

    /// Looks at a partition's views while nothing changes in them.
    fn look(&self, partition: PartitionId, look: &mut dyn FnMut(&Views));
}

/// The exchange, as far as the bridge has to do with it.
#[derive(Clone)]
pub struct Exchange {
    /// The way in.
    pub ingress: Ingress,
    /// The ways out, by partition.
    pub egress: Vec<Egress>,
    /// The files, by partition.
    pub storages: Vec<Arc<dyn Storage>>,
    /// What is listed and who there is.
    pub directory: Arc<dyn Directory>,
}

/// Where a source stands with one partition.
#[derive(Clone, Copy, Debug)]
struct Registered {
    source: SourceId,
    /// The command that said so. Everything of this run comes behind it.
    at: Seq,
}

/// What all threads of the bridge look at.
#[derive(Clone)]
struct Context {
    exchange: Exchange,
    server: Arc<Server>,
    instance: Arc<str>,
    stop: Arc<AtomicBool>,
}

impl Context {
    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits so long, or until the bridge stops.
    fn pause(&self, time: Duration) {
        const STEP: Duration = Duration::from_millis(50);
        let mut left = time;
        while !left.is_zero() && !self.stops() {
            let step = left.min(STEP);
            std::thread::sleep(step);
            left -= step;
        }
    }
}

/// The running bridge.
pub struct Bridge {
    stop: Arc<AtomicBool>,
    intakes: Vec<JoinHandle<()>>,
    /// They end with the events.
    writers: Vec<JoinHandle<()>>,
    stats: Arc<Stats>,
}

impl Bridge {
    /// Registers all sources with all partitions and starts to read. `instance` names the one exchange that has these files:
    /// after a crash it takes back what it held before. The error says what was refused.
    pub fn start(settings: &Settings, exchange: Exchange, instance: &str) -> Result<Self, String> {
        let context = Context {
            exchange,
            server: Arc::new(Server::new(settings)?),
            instance: instance.into(),
            stop: Arc::default(),
        };
        let (mut intakes, mut writers, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for stream in &settings.streams {
            let stream = Arc::new(stream.clone());
            let registered = register(&context.exchange.ingress, &stream)?;
            let partitions = || (0..).map(PartitionId).zip(&registered);
            let stats = Arc::new(SourceStats::new(stream.name.as_str(), registered.len()));
            if stream.replies != Replies::Off {
                for (partition, registered) in partitions() {
                    let name = format!("redis-replies-{partition}");
                    let replier = Replier::new(&context, &stream, partition, *registered, &stats);
                    writers.push(spawn(name, move || replier.run())?);
                }
            }
            let intake = Intake::new(&context, &stream, &registered, &stats);
            intakes.push(spawn("redis-intake".into(), move || intake.run())?);
            all.push(stats);
        }
        let mut cache = None;
        if let Some(settings) = &settings.cache {
            let settings = Arc::new(settings.clone());
            let count = context.exchange.egress.len();
            let stats = cache.insert(Arc::new(CacheStats::new(count)));
            for partition in (0..).map(PartitionId).take(count) {
                let cache = Cache::new(&context, &settings, partition, stats);
                writers.push(spawn(format!("redis-cache-{partition}"), move || cache.run())?);
            }
        }
        let stats = Arc::new(Stats { sources: all, cache });
        Ok(Self { stop: context.stop, intakes, writers, stats })
    }

    /// What was counted until now.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Reads nothing more, and waits until what was read is durable and acknowledged. Before the sequencer is stopped.
    pub fn stop_reading(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for intake in self.intakes.drain(..) {
            // It has printed its message.
            let _ = intake.join();
        }
    }

    /// Waits until the replies to everything and the cache are written, as far as Redis takes them. Behind the end of the sequencer.
    pub fn join(mut self) {
        self.stop_reading();
        for writer in self.writers.drain(..) {
            let _ = writer.join();
        }
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    Builder::new().name(name).spawn(work).map_err(|error| format!("cannot start a thread for Redis: {error}"))
}

/// Registers a source with every partition.
fn register(ingress: &Ingress, stream: &StreamSettings) -> Result<Vec<Registered>, String> {
    let StreamSettings { name, incarnation, remember, .. } = *stream;
    let terms = SourceTerms { name, key: stream.key, incarnation };
    let with = |partition| {
        let command = RegisterSource { partition, terms, remember };
        let reply = execute(ingress, Command::RegisterSource(Box::new(command)))
            .map_err(|problem| format!("the Redis stream {name} cannot be registered: {problem}"))?;
        match reply.events().first() {
            Some(Event::SourceRegistered { source, .. }) => {
                Ok(Registered { source: *source, at: reply.seq() })
            }
            Some(Event::Rejected { reject, .. }) => {
                Err(format!("the Redis stream {name} cannot be registered: {reject}"))
            }
            other => Err(format!("the Redis stream {name} cannot be registered: {other:?} was the answer")),
        }
    };
    ingress.partitions().all().map(with).collect()
}

/// Does one command and waits for what comes of it.
fn execute(ingress: &Ingress, command: Command) -> Result<Reply, SubmitError> {
    let (tell, told) = mpsc::channel();
    ingress.submit(Submission { command, reply_to: Some((Arc::new(Waiter(tell)), 0)) })?;
    told.recv().map_err(|_| SubmitError::Stopped)
}

struct Waiter(mpsc::Sender<Reply>);

impl Session for Waiter {
    fn deliver(&self, _token: u64, reply: Reply) {
        // Who waits is there until it comes.
        let _ = self.0.send(reply);
    }

    fn abandon(&self, _token: u64) {}
}
