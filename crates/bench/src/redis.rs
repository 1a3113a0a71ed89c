//! Orders in by a Redis Stream: one producer adds entries in pipelines, the exchange takes them, makes them durable and acknowledges
//! them, and what became of each goes into the stream of results. The clock runs from the first entry that is added until the last
//! one is acknowledged. Producer, exchange and Redis share the machine.
//!
//! The producer is never further ahead than a bound, so that what is measured is a steady flow and not the reading of a long
//! stream by an exchange that has the machine for itself.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use redis::{Client, Connection, ConnectionLike as _, Pipeline, Value, cmd};
use rustix::process::Signal;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::remote::accounts::{Operator, fund};
use crate::remote::metrics::Metrics;
use crate::remote::orders::{Kind, Request, Round, side_name};
use crate::remote::server::{SYMBOL, Server, Setup, processor_time};
use crate::remote::services::{Service, folder, free_port, password, program as installed};
use crate::remote::{RemoteError, fresh_folder, one_thread};
use crate::{Measurement, Target};

/// How much is asked.
#[derive(Clone, Debug)]
pub struct Load {
    /// A Redis or Valkey that somebody has: `redis://host:port/db`. Otherwise one is started.
    pub url: Option<String>,
    /// The environment variable that holds its password, where it wants one.
    pub password_env: Option<String>,
    /// Orders that are measured; cancels come beside them. A tenth as many come before, to warm up. At least 1.
    pub orders: u64,
    /// Traders, each with an account that buys and one that sells. At least 1.
    pub traders: usize,
    /// Entries that are added together. At least 1.
    pub pipeline: usize,
}

const WANTED_ORDERS: f64 = 50_000.0;
/// Entries that are added and not acknowledged at the most.
const AHEAD: u64 = 20_000;
/// How often it is looked how many are acknowledged, where the producer has to wait.
const LOOK: Duration = Duration::from_millis(1);
/// Without an acknowledgement for so long there is no figure.
const PATIENCE: Duration = Duration::from_secs(30);
const STREAM: &str = "{rialto-bench}:orders";
const GROUP: &str = "rialto";
const WHAT: &str = "Redis";

/// Starts Redis and `program serve`, opens accounts, and adds orders to a stream. Both are gone, and their folders, when this
/// returns; of a Redis that somebody has the keys of the yardstick are taken out.
pub fn run(program: &Path, parent: &Path, load: &Load) -> Result<Measurement, RemoteError> {
    let redis = Redis::open(parent, load)?;
    let folder = fresh_folder(parent)?;
    let setup = Setup { more: redis.settings(folder.path(), load)?, ..Setup::default() };
    let mut server = Server::start(program, folder.path(), &setup)?;
    let measured = LocalSet::new().block_on(&one_thread()?, measure(&server, &redis, load));
    if let Some(ended) = server.ended() {
        return Err(RemoteError::Answer(format!("the server has ended: {ended}")));
    }
    drop(server);
    redis.clean()?;
    measured
}

/// Whether a server can be started here.
pub fn is_installed() -> bool {
    installed("redis-server", &[]).is_some()
}

/// A row for a server that cannot be measured, since it is not there.
pub fn not_installed() -> Measurement {
    let remark = "it is not installed (Debian: redis-server)".to_owned();
    Measurement::new("orders by a Redis Stream: nothing", 0, Duration::from_secs(1), 0).with_remark(remark)
}

/// A server, and where it is.
struct Redis {
    url: String,
    password: Option<String>,
    /// The one that was started.
    service: Option<Service>,
}

fn refused(error: &redis::RedisError) -> RemoteError {
    RemoteError::Service { what: WHAT, problem: error.to_string() }
}

impl Redis {
    fn open(parent: &Path, load: &Load) -> Result<Self, RemoteError> {
        let Some(url) = &load.url else { return Self::start(parent) };
        let read = |name: &String| {
            let missing = |_| RemoteError::Service { what: WHAT, problem: format!("{name} is not set") };
            std::env::var(name).map_err(missing)
        };
        let password = load.password_env.as_ref().map(read).transpose()?;
        let redis = Self { url: url.clone(), password, service: None };
        let there: u64 =
            cmd("EXISTS").arg(STREAM).query(&mut redis.connect()?).map_err(|error| refused(&error))?;
        if there > 0 {
            let problem = format!("it has a key {STREAM} already, which the yardstick would delete");
            return Err(RemoteError::Service { what: WHAT, problem });
        }
        Ok(redis)
    }

    fn start(parent: &Path) -> Result<Self, RemoteError> {
        let missing = || RemoteError::Missing { what: WHAT, packages: "redis-server" };
        let serve = installed("redis-server", &[]).ok_or_else(missing)?;
        let (files, port, password) = (folder(parent)?, free_port()?, password()?);
        // With its defaults, but for the append-only file, without which nothing outlives it.
        let settings = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave \"\"\nappendonly yes\nappendfsync everysec\ndir {:?}\n",
            files.path().display().to_string()
        );
        let mut command = Command::new(serve);
        command.arg("-");
        let mut redis =
            Self { url: format!("redis://127.0.0.1:{port}/0"), password: Some(password), service: None };
        let answers = || redis.connect().is_ok();
        let service = Service::start(WHAT, command, (files, Signal::KILL), &settings, answers)?;
        redis.service = Some(service);
        Ok(redis)
    }

    fn connect(&self) -> Result<Connection, RemoteError> {
        let client = Client::open(self.url.as_str()).map_err(|error| refused(&error))?;
        let mut connection = client.get_connection().map_err(|error| refused(&error))?;
        if let Some(password) = &self.password {
            cmd("AUTH").arg(password).query::<()>(&mut connection).map_err(|error| refused(&error))?;
        }
        cmd("PING").query::<()>(&mut connection).map_err(|error| refused(&error))?;
        Ok(connection)
    }

    /// What the exchange's settings say of it.
    fn settings(&self, folder: &Path, load: &Load) -> Result<String, RemoteError> {
        let password = match (&load.password_env, &self.password) {
            (Some(name), _) => format!("password_env = {name:?}\n"),
            (None, None) => String::new(),
            (None, Some(password)) => {
                let file = folder.join("redis-password");
                std::fs::write(&file, password)
                    .map_err(|source| RemoteError::Folder { path: file.clone(), source })?;
                let file =
                    file.canonicalize().map_err(|source| RemoteError::Folder { path: file, source })?;
                format!("password_file = {:?}\n", file.display().to_string())
            }
        };
        let url = &self.url;
        Ok(format!(
            "[redis]\nurl = {url:?}\n{password}[[redis.stream]]\nname = \"orders\"\nkey = \"{STREAM}\"\n"
        ))
    }

    /// Takes out what the exchange has made.
    fn clean(&self) -> Result<(), RemoteError> {
        if self.service.is_some() {
            return Ok(());
        }
        let mut connection = self.connect()?;
        let keys: Vec<String> =
            cmd("KEYS").arg("{rialto-bench}:*").query(&mut connection).map_err(|error| refused(&error))?;
        for key in keys {
            cmd("UNLINK").arg(key).query::<()>(&mut connection).map_err(|error| refused(&error))?;
        }
        Ok(())
    }

    /// Its version, and what it does for what it has said yes to.
    fn described(connection: &mut Connection) -> Result<String, RemoteError> {
        let wrong = |error: redis::RedisError| refused(&error);
        let info: String = cmd("INFO").arg("server").query(connection).map_err(wrong)?;
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("?").trim();
        // Where somebody has forbidden CONFIG, it stays untold.
        let config = |connection: &mut Connection, name| {
            let told: Result<(String, String), _> = cmd("CONFIG").arg("GET").arg(name).query(connection);
            told.map_or_else(|_| "untold".to_owned(), |(_, value)| value)
        };
        let (aof, fsync) = (config(connection, "appendonly"), config(connection, "appendfsync"));
        Ok(format!("Redis {version}, appendonly {aof}, appendfsync {fsync}"))
    }
}

/// What Redis has used of the processors since it was started.
fn redis_time(connection: &mut Connection) -> Option<Duration> {
    let info: String = cmd("INFO").arg("cpu").query(connection).ok()?;
    let seconds = |name: &str| -> Option<f64> {
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
    };
    Duration::try_from_secs_f64(seconds("used_cpu_user")? + seconds("used_cpu_sys")?).ok()
}

/// Somebody whose orders go round.
struct OneTrader {
    round: Round,
    buyer: String,
    seller: String,
}

/// The one who adds.
struct Producer<'p> {
    connection: Connection,
    metrics: Metrics,
    traders: Vec<OneTrader>,
    load: &'p Load,
    /// Whose turn it is.
    turn: usize,
    added: u64,
    acknowledged: u64,
}

impl Producer<'_> {
    /// Adds so many orders and the cancels between them; returns how many of each, with everything acknowledged.
    async fn add(&mut self, orders: u64) -> Result<(u64, u64), RemoteError> {
        let (mut placed, mut cancels) = (0, 0);
        let mut pipeline = Pipeline::with_capacity(self.load.pipeline);
        while placed < orders {
            while pipeline.len() < self.load.pipeline && placed < orders {
                let trader = &mut self.traders[self.turn];
                self.turn = (self.turn + 1) % self.load.traders;
                let request = trader.round.next();
                if request.kind == Kind::Cancel {
                    cancels += 1;
                } else {
                    placed += 1;
                }
                put(&mut pipeline, trader, &request);
            }
            // The answers are the ids of the entries; an error among them ends the run.
            let ids = self.connection.req_packed_commands(&pipeline.get_packed_pipeline(), 0, pipeline.len());
            let ids = ids.map_err(|error| refused(&error))?;
            if let Some(strange) = ids.iter().find(|id| !matches!(id, Value::BulkString(_))) {
                return Err(RemoteError::Service {
                    what: WHAT,
                    problem: format!("XADD is answered by {strange:?}"),
                });
            }
            self.added += u64::try_from(pipeline.len()).expect("fits");
            pipeline.clear();
            if self.added - self.acknowledged > AHEAD {
                self.wait(AHEAD / 2).await?;
            }
        }
        self.wait(0).await?;
        Ok((placed, cancels))
    }

    /// Waits until no more than so many are added and not acknowledged.
    async fn wait(&mut self, most: u64) -> Result<(), RemoteError> {
        let mut moved = Instant::now();
        loop {
            let shown = self.metrics.ask().await?;
            let taken =
                shown.count("rialto_redis_entries_total") + shown.count("rialto_redis_dead_letters_total");
            if taken != self.acknowledged {
                (self.acknowledged, moved) = (taken, Instant::now());
            }
            let left = self.added.saturating_sub(self.acknowledged);
            if left <= most && (left > 0 || self.pending()? == 0) {
                return Ok(());
            }
            if moved.elapsed() > PATIENCE {
                return Err(RemoteError::Answer(format!(
                    "{left} entries of the stream are not acknowledged"
                )));
            }
            sleep(LOOK).await;
        }
    }

    /// Entries that were read and are not acknowledged, as Redis tells it.
    fn pending(&mut self) -> Result<u64, RemoteError> {
        let told: Vec<Value> = cmd("XPENDING")
            .arg(STREAM)
            .arg(GROUP)
            .query(&mut self.connection)
            .map_err(|error| refused(&error))?;
        match told.first() {
            Some(Value::Int(count)) => Ok(u64::try_from(*count).unwrap_or(u64::MAX)),
            other => Err(RemoteError::Service {
                what: WHAT,
                problem: format!("XPENDING is answered by {other:?}"),
            }),
        }
    }
}

fn put(pipeline: &mut Pipeline, trader: &OneTrader, request: &Request) {
    let Request { kind, side, price, name } = request;
    let account = match side {
        model::Side::Buy => &trader.buyer,
        model::Side::Sell => &trader.seller,
    };
    let add = pipeline.cmd("XADD").arg(STREAM).arg("*").arg("account").arg(account).arg("symbol").arg(SYMBOL);
    if *kind == Kind::Cancel {
        add.arg("action").arg("CANCEL").arg("origClientOrderId").arg(name.to_string());
        return;
    }
    let fields =
        [("side", side_name(*side)), ("type", "LIMIT"), ("timeInForce", "GTC"), ("quantity", "0.01")];
    for (name, value) in fields {
        add.arg(name).arg(value);
    }
    add.arg("price").arg(price.to_string()).arg("newClientOrderId").arg(name.to_string());
}

async fn measure(server: &Server, redis: &Redis, load: &Load) -> Result<Measurement, RemoteError> {
    let mut operator = Operator::open(&server.admin).await?;
    let mut traders = Vec::with_capacity(load.traders);
    for number in 0..load.traders {
        let [buyer, seller] = ["buyer", "seller"].map(|what| format!("{what}-{number}"));
        fund(&buyer, &["USDT"], &mut operator).await?;
        fund(&seller, &["BTC"], &mut operator).await?;
        traders.push(OneTrader { round: Round::new(number), buyer, seller });
    }
    let mut connection = redis.connect()?;
    let described = Redis::described(&mut connection)?;
    let metrics = Metrics::open(&server.admin).await?;
    let mut producer = Producer { connection, metrics, traders, load, turn: 0, added: 0, acknowledged: 0 };
    producer.add((load.orders / 10).max(1)).await?;

    let before = (server.processor_time(), processor_time("self"), redis_time(&mut producer.connection));
    let began = Instant::now();
    let (orders, cancels) = producer.add(load.orders).await?;
    let elapsed = began.elapsed();
    let used = |after: Option<Duration>, before: Option<Duration>| {
        after.zip(before).and_then(|(after, before)| after.checked_sub(before))
    };
    let times = used(server.processor_time(), before.0).zip(used(processor_time("self"), before.1));
    let redis_time = used(redis_time(&mut producer.connection), before.2);
    // Each entry has its result, a moment later.
    let began = Instant::now();
    let shown = loop {
        let shown = producer.metrics.ask().await?;
        let results =
            shown.count("rialto_redis_replies_total") + shown.count("rialto_redis_dead_letters_total");
        if results >= producer.added || began.elapsed() > PATIENCE {
            break shown;
        }
        sleep(LOOK).await;
    };
    let later = began.elapsed();
    let results = shown.count("rialto_redis_replies_total");
    let lost = producer.added.saturating_sub(results) + shown.count("rialto_redis_entries_repeated_total");
    let refused = refused_results(&mut producer)?;
    let entries = orders + cancels;
    let micros = |time: Duration| time.as_micros() / u128::from(entries.max(1));
    let mut remark = format!(
        "{described}; the journal syncs before an entry is acknowledged; one producer, one thread, {} entries a pipeline, at most {AHEAD} ahead; \
         {} traders with 2 accounts each; of 8 orders 4 rest near the touch, 2 far off, and 2 trade at once, with 2 cancels beside them, which \
         are entries and do not count here ({entries} entries in all); the last result was there {:.0} ms behind the last acknowledgement",
        load.pipeline,
        load.traders,
        later.as_secs_f64() * 1_000.0
    );
    if let Some((server, producer)) = times {
        remark = format!(
            "{remark}; an entry takes {} us of processor time in the exchange, and {} us in the producer",
            micros(server),
            micros(producer)
        );
    }
    if let Some(redis) = redis_time {
        remark = format!("{remark}, and {} us in Redis, which does one thing at a time", micros(redis));
    }
    let found = Measurement::new(
        "orders by a Redis Stream, durable and acknowledged",
        orders,
        elapsed,
        lost + refused,
    );
    let target = Target::per_second(&found, WANTED_ORDERS);
    let figures = [("entries", entries), ("results", results)];
    Ok(found.with_target(target).with_figures(figures).with_remark(remark))
}

/// How many of the newest results say no.
fn refused_results(producer: &mut Producer<'_>) -> Result<u64, RemoteError> {
    const NEWEST: usize = 10_000;
    let results: Vec<(String, Vec<(String, String)>)> = cmd("XREVRANGE")
        .arg(format!("{STREAM}:replies"))
        .arg("+")
        .arg("-")
        .arg("COUNT")
        .arg(NEWEST)
        .query(&mut producer.connection)
        .map_err(|error| refused(&error))?;
    let says_no = |fields: &Vec<(String, String)>| {
        fields.iter().any(|(name, value)| name == "result" && value == "REFUSED")
    };
    Ok(u64::try_from(results.iter().filter(|(_, fields)| says_no(fields)).count()).expect("fits"))
}
