//! The exchange in somebody's database: orders over the WebSocket API, durable and written by the SQL writer, at the pace at which the
//! database follows; beside it, in the same run, the old way of one transaction an order; what both write at a fixed rate; catching
//! up from a backlog against a bare bulk load; and the memory that a writer takes which is far behind.
//!
//! Load generator, exchange and database share the machine. The old way is measured without an exchange and without traders: its
//! workers take the flow that the exchange had from its event log.

mod bulk;
mod old_way;
pub(crate) mod traders;
mod writes;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::remote::accounts::Operator;
use crate::remote::databases::Database;
pub use crate::remote::databases::{Engine, Named};
use crate::remote::metrics::{Metrics, Shown};
use crate::remote::server::{Server, Setup, most_memory_kib};
use crate::remote::trader::Venue;
use crate::remote::{RemoteError, allow_files, fresh_folder, one_thread};
use crate::{Measurement, Target};
use old_way::Flow;
use traders::{Pace, Traded, Traders, Until};
use writes::{Counters, EachSecond};

/// How much is asked.
#[derive(Clone, Debug)]
pub struct Load {
    /// Which databases are started; nothing where one is named.
    pub engines: Vec<Engine>,
    /// A database that somebody has.
    pub named: Option<Named>,
    /// How long orders come as fast as the database follows, or as [`Self::fixed`] says. At least 1.
    pub seconds: u64,
    /// Orders a second instead of as many as the database follows: then the lag tells whether it does. At least 1.
    pub fixed: Option<u64>,
    /// Orders a second at which writes are counted, both ways. At least 1.
    pub rate: u64,
    /// How long the old way is measured, with each number of workers, and how long the fixed rate is kept. At least 1.
    pub seconds_each: u64,
    /// Connections at once. At least 1.
    pub connections: usize,
    /// Accounts over all connections; at least two for each.
    pub accounts: usize,
    /// Events that the writer is behind before it catches up, at least.
    pub backlog_events: u64,
}

/// Of orders a second, written.
const WANTED_ORDERS: f64 = 12_000.0;
const MOST_LAG_S: f64 = 1.0;
/// How many times as many as the old way has, with so many workers.
const WANTED_TIMES: [(usize, f64); 2] = [(8, 2.0), (1, 8.0)];
/// Of a bare bulk load's rows a second, in percent.
const WANTED_OF_BULK: f64 = 60.0;
const MOST_MEMORY_KIB: u64 = 200 << 10;
/// From this on the memory of a writer that is behind says something.
const FAR_BEHIND: u64 = 1_000_000;
/// Orders that come first, so that there is something in the books.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long a fixed rate is kept before its writes are counted.
const SETTLING: Duration = Duration::from_millis(1_500);
/// Longer than a writer needs to catch up with anything here.
const PATIENCE: Duration = Duration::from_mins(10);

/// Measures each database in turn.
pub fn run(
    program: &Path,
    parent: &Path,
    load: &Load,
    show: &mut dyn FnMut(Measurement),
) -> Result<(), RemoteError> {
    allow_files(load.connections)?;
    if let Some(named) = &load.named {
        return measure(program, parent, load, &Database::lent(named)?, show);
    }
    for engine in load.engines.iter().copied() {
        measure(program, parent, load, &Database::start(engine, parent)?, show)?;
    }
    Ok(())
}

/// A row for a database that cannot be measured, since it is not there.
pub fn not_installed(engine: Engine) -> Measurement {
    let remark = match engine {
        Engine::Postgres => "it is not installed (Debian: postgresql)",
        Engine::Mariadb => "it is not installed (Debian: mariadb-server-core, mariadb-client-core)",
    };
    Measurement::new(format!("{}: nothing", engine.name()), 0, Duration::from_secs(1), 0)
        .with_remark(remark.to_owned())
}

fn measure(
    program: &Path,
    parent: &Path,
    load: &Load,
    database: &Database,
    show: &mut dyn FnMut(Measurement),
) -> Result<(), RemoteError> {
    database.migrate()?;
    let folder = fresh_folder(parent)?;
    let setup = Setup { more: database.settings(), ..Setup::for_connections(load.connections) };
    let stage = Stage::new()?;
    let mut server = Server::start(program, folder.path(), &setup)?;
    let steady = steady(&stage, &server, load, database)?;
    if let Some(ended) = server.ended() {
        return Err(RemoteError::Answer(format!("the server has ended: {ended}")));
    }
    drop(server);
    show(steady.sustained(load, database)?);

    // The old way, with the same orders, in the same tables.
    database.empty()?;
    let most = usize::try_from(load.seconds_each * 3 * 20_000).unwrap_or(usize::MAX);
    let mut flow = Flow::read(&folder.path().join("data"), most)?;
    drop(folder);
    flow.fund(&mut database.client()?)?;
    let time = Duration::from_secs(load.seconds_each);
    for (workers, wanted) in WANTED_TIMES {
        let found = flow.run(database, &old_way::Run { workers, rate: None, time })?;
        show(old_row(database, workers, wanted, &found, &steady));
    }
    let mut client = database.client()?;
    let before = Counters::read(database, &mut client)?;
    let found = flow.run(database, &old_way::Run { workers: 8, rate: Some(load.rate), time })?;
    // The workers' connections are closed, so the statistics have all that they did; but not at once.
    std::thread::sleep(SETTLING);
    let old = Counters::read(database, &mut client)?.since(before, found.elapsed);
    old_way::check(&flow, database)?;
    drop(flow);
    let batched = Written {
        what: "the SQL writer",
        orders: steady.at_rate.orders,
        seconds: steady.at_rate.sending,
        writes: steady.writes,
    };
    let one_each =
        Written { what: "the old way, 8 workers", orders: found.orders, seconds: found.elapsed, writes: old };
    for written in [batched, one_each] {
        show(written.row(load, database));
    }

    database.empty()?;
    let behind = stage.play(behind(program, parent, load, database))?;
    let bulk = bulk::load(database, parent)?;
    behind.rows(database, &bulk).into_iter().for_each(show);
    database.give_back()
}

/// What the exchange with its writer showed.
struct Steady {
    traded: Traded,
    /// Until everything was in the database.
    elapsed: Duration,
    rows: u64,
    transactions: u64,
    failures: u64,
    server_time: Option<Duration>,
    /// At the fixed rate.
    at_rate: Traded,
    writes: EachSecond,
}

/// What runs the traders: this thread. Between their turns it may ask the database, whose clients wait for their answers.
struct Stage {
    local: LocalSet,
    runtime: Runtime,
}

impl Stage {
    fn new() -> Result<Self, RemoteError> {
        Ok(Self { local: LocalSet::new(), runtime: one_thread()? })
    }

    fn play<T>(&self, turn: impl Future<Output = T>) -> T {
        self.local.block_on(&self.runtime, turn)
    }
}

fn steady(stage: &Stage, server: &Server, load: &Load, database: &Database) -> Result<Steady, RemoteError> {
    let (mut metrics, mut traders, before) = stage.play(async {
        let mut metrics = Metrics::open(&server.admin).await?;
        let mut operator = Operator::open(&server.admin).await?;
        let mut traders =
            Traders::open(Venue::Spot, server, &mut operator, load.connections, load.accounts).await?;
        traders.trade(Pace::Follow, Until::Time(WARM_UP), &mut metrics).await?;
        let before = written(&mut metrics).await?;
        Ok::<_, RemoteError>((metrics, traders, before))
    })?;
    let (time_before, began) = (server.processor_time(), Instant::now());
    let (traded, after) = stage.play(async {
        let until = Until::Time(Duration::from_secs(load.seconds));
        let traded = traders.trade(load.fixed.map_or(Pace::Follow, Pace::Rate), until, &mut metrics).await?;
        Ok::<_, RemoteError>((traded, written(&mut metrics).await?))
    })?;
    let elapsed = began.elapsed();
    let server_time =
        server.processor_time().zip(time_before).and_then(|(after, before)| after.checked_sub(before));

    let mut client = database.client()?;
    let mut keep = |time| stage.play(traders.trade(Pace::Rate(load.rate), Until::Time(time), &mut metrics));
    keep(SETTLING)?;
    let (counted, began) = (Counters::read(database, &mut client)?, Instant::now());
    let at_rate = keep(Duration::from_secs(load.seconds_each))?;
    // Nobody waits for the end, in which nothing is written: the writer is less than a second behind.
    let writes = Counters::read(database, &mut client)?.since(counted, began.elapsed());
    let each = |name| after.count(name) - before.count(name);
    Ok(Steady {
        traded,
        elapsed,
        rows: each("rialto_sql_rows_total"),
        transactions: each("rialto_sql_transactions_total"),
        failures: after.count("rialto_sql_failures_total"),
        server_time,
        at_rate,
        writes,
    })
}

/// Waits until the database has everything.
pub(crate) async fn written(metrics: &mut Metrics) -> Result<Shown, RemoteError> {
    let began = Instant::now();
    loop {
        let shown = metrics.ask().await?;
        if shown.count("rialto_sql_lag_events") == 0 && shown.count("rialto_sql_writer_up") == 1 {
            return Ok(shown);
        }
        if began.elapsed() > PATIENCE {
            let lag = shown.count("rialto_sql_lag_events");
            return Err(RemoteError::Answer(format!(
                "the SQL writer does not catch up: it is {lag} events behind"
            )));
        }
        // Rarely enough that asking takes nothing that counts.
        sleep(Duration::from_millis(20)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / (other.max(1)) as f64
}

impl Steady {
    fn per_second(&self) -> f64 {
        ratio(self.traded.orders, 1) / self.elapsed.as_secs_f64()
    }

    fn sustained(&self, load: &Load, database: &Database) -> Result<Measurement, RemoteError> {
        let Self { traded, elapsed, rows, transactions, failures, .. } = self;
        let name = format!("{}: orders over the WebSocket API, written", database.engine.name());
        let found = Measurement::new(name, traded.orders, *elapsed, traded.refused + failures);
        let lag = Duration::from_secs_f64(traded.highest_lag_s);
        let target = Target {
            wanted: format!("{WANTED_ORDERS:.0}/s, lag under {MOST_LAG_S:.0} s"),
            met: found.per_second >= WANTED_ORDERS && traded.highest_lag_s < MOST_LAG_S && found.rejects == 0,
        };
        let mut remark = format!(
            "{}; the journal syncs before it answers; {} connections, at least {} accounts, each request signed; {:.2} rows an order with {} \
             trades and {} cancels, in {} transactions; highest lag {:.2} s, {:.2} s when the last order was sent, {:.2} s more until all \
             was written; {}",
            database.described()?,
            load.connections,
            (load.accounts / 2 / load.connections).max(1) * 2 * load.connections,
            ratio(*rows, traded.orders),
            traded.filled,
            traded.cancels,
            transactions,
            lag.as_secs_f64(),
            traded.last_lag_s,
            elapsed.saturating_sub(traded.sending).as_secs_f64(),
            match load.fixed {
                None => "traders hold back with more than 0.3 s of lag".to_owned(),
                Some(rate) => format!("{rate} orders are sent a second, whatever the lag"),
            }
        );
        if let Some(time) = self.server_time {
            let each = time.as_micros() / u128::from(traded.orders.max(1));
            put(
                &mut remark,
                format_args!(
                    "; an order takes {each} us of processor time in the exchange, its writer included"
                ),
            );
        }
        if let Some(refusal) = &traded.first_refusal {
            put(&mut remark, format_args!("; the first refusal: {refusal}"));
        }
        let figures = [
            ("rows", *rows),
            ("trades", traded.filled),
            ("transactions", *transactions),
            ("highest_lag_ms", u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)),
        ];
        Ok(found.with_target(target).with_figures(figures).with_remark(remark))
    }
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("memory takes it");
}

fn old_row(
    database: &Database,
    workers: usize,
    wanted: f64,
    found: &old_way::Found,
    steady: &Steady,
) -> Measurement {
    let named = if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") };
    let name = format!("{}: one transaction an order, {named}", database.engine.name());
    let row = Measurement::new(name, found.orders, found.elapsed, 0);
    let times = steady.per_second() / row.per_second;
    let remark = format!(
        "the first orders of the same flow, in the same tables, taken from the event log: no exchange and no traders run meanwhile, and no \
         postings are written; {:.2} rows an order; {} transactions, those of cancels included; the SQL writer has {times:.2} times as many \
         orders a second",
        ratio(found.rows, found.orders),
        found.transactions
    );
    row.with_target(Target { wanted: format!("the writer {wanted:.0} times"), met: times >= wanted })
        .with_figures([("rows", found.rows), ("transactions", found.transactions)])
        .with_remark(remark)
}

/// What was written at a fixed rate.
struct Written {
    what: &'static str,
    orders: u64,
    seconds: Duration,
    writes: EachSecond,
}

impl Written {
    fn row(&self, load: &Load, database: &Database) -> Measurement {
        let EachSecond { writes, syncs, log_kib, commits } = self.writes;
        let name = format!("{} at {} orders/s: {}", database.engine.name(), load.rate, self.what);
        let remark = format!(
            "{writes} writes and {syncs} syncs a second, {commits} commits, {log_kib} KiB/s of log, by {}",
            writes::source(database.engine)
        );
        let figures = [
            ("writes_per_s", writes),
            ("syncs_per_s", syncs),
            ("log_kib_per_s", log_kib),
            ("commits_per_s", commits),
        ];
        Measurement::new(name, self.orders, self.seconds, 0).with_figures(figures).with_remark(remark)
    }
}

/// What a writer showed that was behind.
struct Behind {
    events: u64,
    /// Rows as they were written, those included that were written again later.
    rows: u64,
    elapsed: Duration,
    /// Of a writer that has all of it before it, and nothing else to do.
    memory_kib: Option<u64>,
}

/// Lets an exchange trade without a database, starts it again with one, and waits until it has caught up.
async fn behind(
    program: &Path,
    parent: &Path,
    load: &Load,
    database: &Database,
) -> Result<Behind, RemoteError> {
    let folder = fresh_folder(parent)?;
    let alone = Setup::for_connections(load.connections);
    let server = Server::start(program, folder.path(), &alone)?;
    {
        let mut metrics = Metrics::open(&server.admin).await?;
        let mut operator = Operator::open(&server.admin).await?;
        let mut traders =
            Traders::open(Venue::Spot, &server, &mut operator, load.connections, load.accounts).await?;
        // An order of this flow causes more than three events, with its share of trades and cancels.
        let until = Until::Orders(load.backlog_events / 3);
        traders.trade(Pace::Follow, until, &mut metrics).await?;
    }
    drop(server);

    let server = Server::start(program, folder.path(), &Setup { more: database.settings(), ..alone })?;
    let mut metrics = Metrics::open(&server.admin).await?;
    let (first, began) = (metrics.ask().await?, Instant::now());
    let last = written(&mut metrics).await?;
    let elapsed = began.elapsed();
    drop(server);
    let rows = |shown: &Shown| shown.count("rialto_sql_rows_total");
    let behind = Behind {
        events: first.count("rialto_sql_lag_events"),
        rows: rows(&last) - rows(&first),
        elapsed,
        memory_kib: None,
    };
    let memory_kib = memory_of_a_writer(program, folder.path())?;
    Ok(Behind { memory_kib, ..behind })
}

/// The most memory that a process holds that does nothing but write all that there is, from the first event on: `rialto sql rebuild`
/// writes as the writer of an exchange does, without an exchange beside it.
fn memory_of_a_writer(program: &Path, folder: &Path) -> Result<Option<u64>, RemoteError> {
    let failed = |source| RemoteError::Start { program: program.to_owned(), source };
    let mut child = Command::new(program)
        .args(["sql", "rebuild", "--config"])
        .arg(folder.join("rialto.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut most = None;
    loop {
        most = most_memory_kib(child.id()).or(most);
        match child.try_wait().map_err(failed)? {
            None => std::thread::sleep(Duration::from_millis(5)),
            Some(status) if status.success() => return Ok(most),
            Some(status) => {
                return Err(RemoteError::Answer(format!("rialto sql rebuild has failed: {status}")));
            }
        }
    }
}

impl Behind {
    fn rows(&self, database: &Database, bulk: &bulk::Loaded) -> Vec<Measurement> {
        let name = database.engine.name();
        let loaded = Measurement::new(format!("{name}: a bare bulk load, rows"), bulk.rows, bulk.elapsed, 0).with_remark(
            match database.engine {
                Engine::Postgres => "the rows behind the next figure, from files into the same empty tables with the same indexes, by binary COPY",
                Engine::Mariadb => {
                    "the rows behind the next figure, from files into the same empty tables with the same indexes, by LOAD DATA LOCAL INFILE"
                }
            }
            .to_owned(),
        );
        let row = Measurement::new(format!("{name}: catching up, rows"), self.rows, self.elapsed, 0);
        let percent = 100.0 * row.per_second / loaded.per_second;
        let in_the_end = ratio(bulk.rows, 1) / self.elapsed.as_secs_f64() / loaded.per_second * 100.0;
        let target = Target {
            wanted: format!("{WANTED_OF_BULK:.0} % of the bulk load"),
            met: percent >= WANTED_OF_BULK,
        };
        let remark = format!(
            "{} events behind, with the exchange's recovery done and nobody trading; {percent:.0} % of the bulk load; some rows are written \
             again later: of those that are there in the end it makes {in_the_end:.0} %",
            self.events
        );
        let caught_up = row.with_target(target).with_figures([("events", self.events)]).with_remark(remark);
        let mut all = vec![loaded, caught_up];
        if let Some(memory_kib) = self.memory_kib {
            let name = format!("{name}: memory of a writer that is behind, events");
            let row = Measurement::new(name, self.events, self.elapsed, 0).with_figures([("memory_kib", memory_kib)]).with_remark(
                format!("a process that does nothing but write them all (rialto sql rebuild) has held {} MiB at the most", memory_kib >> 10),
            );
            all.push(if self.events >= FAR_BEHIND {
                row.with_target(Target {
                    wanted: "under 200 MiB".to_owned(),
                    met: memory_kib < MOST_MEMORY_KIB,
                })
            } else {
                row
            });
        }
        all
    }
}
