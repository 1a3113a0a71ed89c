//! The yardsticks as sub-commands: what each may be told. A new one is a variant of [`Yardstick`] with a struct of its options,
//! its arm in [`Yardstick::measure`], and its line in [`ALL`].

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bench::Measurement;
use bench::flow::Shape;
use bench::remote::OpenLoop;
use bench::{book, growth, many, perp, redis, rest, snapshot, sql, streams, ws};
use clap::{Args, Parser, Subcommand};
use simulator::perp::Recorded;

use crate::terminal::say;

/// Commands of the flow for two partitions, which are made beforehand: 200 bytes each.
const MOST_COMMANDS_IN_MEMORY: u64 = 2_000_000;

/// Takes each measurement as soon as it is there.
pub type Show<'s> = &'s mut dyn FnMut(Measurement);

#[derive(Subcommand)]
pub enum Yardstick {
    /// The book alone, without ledger, against other books on the same messages: two traces, the walking market with its
    /// reports handed to another thread, memory for each resting order.
    Book(Book),
    /// The partition alone, in memory, on one thread: its throughput, then how long one command takes.
    Partition(Partition),
    /// Two partitions against one, on one thread and on two, without journal; then one order at a time, durable.
    Partitions(Partitions),
    /// Perpetual contracts, in memory: orders with margin checks, a mark price that concerns nobody, a gap that liquidates thousands,
    /// a settlement of funding. Then orders over the WebSocket API, through the journal and into a database.
    Perp(Perp),
    /// Partition and journal, and the start after a crash; then with other bounds of a batch.
    Durable(Durable),
    /// Signed orders over REST: a server in a process of its own, many connections, then one order at a time. Each
    /// connection waits for its answer before it sends again, so a stall of the server also holds back the load.
    Rest(Rest),
    /// Signed orders over the WebSocket API: many connections with several requests under way on each, then one order at a
    /// time.
    Ws(Ws),
    /// Depth and trades of one busy market to many subscribers: whether each gets everything in order, and how late.
    Streams(Streams),
    /// Thousands of connections at once, by themselves and beside harmful clients: whether anything is dropped, and how much
    /// memory they take.
    Many(Many),
    /// What a command costs as the exchange grows: more markets, resting orders, accounts, connections. Takes some 5 GB.
    Growth(Growth),
    /// How much memory a resting order takes in a partition, and how long cancelling one takes among so many.
    Memory(Memory),
    /// For how long nothing is released while a snapshot of many open orders is made.
    Snapshot(Snapshot),
    /// Orders that a database is told of, PostgreSQL and MariaDB: how many it keeps up with, against one transaction an order; what
    /// both write; catching up, and the memory of a writer that is behind. Takes some minutes for each.
    Sql(Sql),
    /// Orders that come in by a Redis Stream, until they are durable and acknowledged.
    Redis(Redis),
}

/// The arguments with which a yardstick is run among others.
pub struct Run {
    /// As its figures are meant.
    pub full: &'static str,
    /// As small as it can be: whether it runs.
    pub quick: &'static str,
}

/// What `rialto bench all` runs, in this order.
pub const ALL: &[Run] = &[
    Run { full: "book", quick: "book --rounds 1 --operations 2000 --orders 2000 --database-seconds 1" },
    Run { full: "partition", quick: "partition --commands 5000 --accounts 100 --resting 1000" },
    Run { full: "partitions", quick: "partitions --commands 5000 --turns 1" },
    Run {
        full: "perp",
        quick: "perp --commands 3000 --contracts 2 --accounts 200 --liquidated 40 --seconds 1 --connections 3",
    },
    Run { full: "durable", quick: "durable --commands 5000 --bounds 1 --accounts 100 --resting 1000" },
    Run { full: "rest", quick: "rest --connections 3 --orders 240 --single-orders 40" },
    Run { full: "ws", quick: "ws --connections 3 --window 5 --orders 240 --single-orders 40" },
    Run { full: "streams", quick: "streams --subscribers 20 --events 500 --trades 20 --seconds 1" },
    Run { full: "many", quick: "many --sockets 50 --rest-connections 20 --storm 50 --seconds 2" },
    Run {
        full: "growth",
        quick: "growth --commands 1000 --markets 1 --resting 1000 --accounts 1000 --connections 1",
    },
    Run { full: "memory", quick: "memory --orders 2000" },
    Run { full: "snapshot", quick: "snapshot --open-orders 2000 --events 500 --seconds 1" },
    Run {
        full: "sql",
        quick: "sql --seconds 1 --seconds-each 1 --rate 200 --connections 3 --accounts 12 --backlog 2000",
    },
    Run { full: "redis", quick: "redis --orders 800 --traders 3 --pipeline 50" },
];

/// What the report has besides: latency against throughput.
pub const RATES: &[Run] = &[
    Run {
        full: "ws --rate 1000,5000,10000,20000,40000,60000,80000,100000",
        quick: "ws --connections 3 --rate 100,400 --seconds 1",
    },
    Run {
        full: "rest --rate 1000,5000,10000,15000,20000,30000,40000",
        quick: "rest --connections 3 --rate 100,400 --seconds 1",
    },
];

/// A line of [`ALL`] or [`RATES`].
pub fn parsed(line: &str) -> Yardstick {
    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        yardstick: Yardstick,
    }
    let arguments = std::iter::once("bench").chain(line.split(' '));
    Line::try_parse_from(arguments).expect("a test parses all of them").yardstick
}

impl Yardstick {
    /// Runs it, with its files in a folder of their own under `folder`, which is gone behind it.
    pub fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        match self {
            Self::Book(options) => options.measure(folder, show)?,
            Self::Partition(options) => {
                bench::partition::run_all(&options.flow.shape(), options.commands, show);
            }
            Self::Partitions(options) => options.measure(folder, show)?,
            Self::Perp(options) => options.measure(folder, show)?,
            Self::Durable(options) => options.measure(folder, show)?,
            Self::Rest(options) => options.measure(folder, show)?,
            Self::Ws(options) => options.measure(folder, show)?,
            Self::Streams(options) => options.measure(folder, show)?,
            Self::Many(options) => options.measure(folder, show)?,
            Self::Growth(options) => options.measure(folder, show)?,
            Self::Memory(options) => options.measure(show)?,
            Self::Snapshot(options) => options.measure(folder, show)?,
            Self::Sql(options) => options.measure(folder, show)?,
            Self::Redis(options) => options.measure(folder, show)?,
        }
        Ok(())
    }
}

/// The program that the yardsticks start which need a server: this one.
fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot tell which program this is")
}

/// The mixed flow: its figures are comparable with these as they are.
#[derive(Args)]
pub struct Flow {
    /// Markets that the flow spreads over.
    #[arg(long, default_value_t = Shape::STANDARD.markets, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    markets: u32,
    /// Accounts that the flow spreads over.
    #[arg(long, default_value_t = Shape::STANDARD.accounts, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    accounts: u32,
    /// Orders that rest.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    resting: u32,
    /// So many times as far as limit orders rest do stops wait, of which fewer are triggered the further away they are; 0: no stops.
    #[arg(long, default_value_t = Shape::STANDARD.stop_distance, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    stop_distance: u32,
}

impl Flow {
    fn shape(&self) -> Shape {
        let fewest = self.resting as usize;
        let Self { markets, accounts, stop_distance, .. } = *self;
        Shape { markets, accounts, fewest, most: 2 * fewest, stop_distance, ..Shape::STANDARD }
    }
}

#[derive(Args)]
pub struct Perp {
    /// Contracts that the flow spreads over.
    #[arg(long, default_value_t = perp::Options::STANDARD.contracts, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    contracts: u32,
    /// Accounts, each with a position.
    #[arg(long, default_value_t = perp::Options::STANDARD.accounts, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    accounts: u32,
    /// Commands of the flow.
    #[arg(long, default_value_t = perp::Options::STANDARD.commands)]
    commands: usize,
    /// Accounts that the gap liquidates; at most a third of all.
    #[arg(long, default_value_t = perp::Options::STANDARD.liquidated)]
    liquidated: u32,
    /// How long orders come over the WebSocket API, with no database and with each; 0: not at all.
    #[arg(long, default_value = "10")]
    seconds: u64,
    /// Connections that send these.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Which databases are started beside the exchange for these. Default: PostgreSQL, where it is installed.
    #[arg(long, value_enum, value_delimiter = ',')]
    database: Vec<Engine>,
    /// Nothing is measured: the mixed flow is written into this file (compressed if its name ends with .gz), for `rialto replay`.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

impl Perp {
    fn options(&self) -> perp::Options {
        let Self { contracts, accounts, commands, liquidated, .. } = *self;
        perp::Options { contracts, accounts, commands, liquidated: liquidated.min(accounts / 3) }
    }

    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let options = self.options();
        if let Some(file) = &self.record {
            let accounts = options.accounts.next_multiple_of(2);
            Recorded::generate(options.contracts, accounts, options.commands).write(file)?;
            say!("{} commands are in {}; rialto replay takes it.", options.commands, file.display());
            return Ok(());
        }
        perp::run_all(&options, show);
        if self.seconds == 0 {
            return Ok(());
        }
        let mut engines: Vec<_> = self.database.iter().map(|engine| engine.of_bench()).collect();
        if engines.is_empty() {
            let postgres = sql::Engine::Postgres;
            if postgres.is_installed() {
                engines.push(postgres);
            } else {
                show(sql::not_installed(postgres));
            }
        }
        let connections = usize::from(self.connections);
        let load =
            perp::road::Load { engines, seconds: self.seconds, connections, accounts: 4 * connections };
        Ok(perp::road::run(&program()?, folder, &load, show)?)
    }
}

#[derive(Args)]
pub struct Book {
    /// Nothing but so many orders that come to rest: in a sorted array, in a heap, in our book, and the ratios.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    insert: Option<u32>,
    /// Messages of a batch at the most; other books are measured with the last.
    #[arg(long, value_delimiter = ',', default_value = "1,20,1000", value_parser = clap::value_parser!(u32).range(1..))]
    bounds: Vec<u32>,
    /// Passes over each stream; the median counts.
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Operations of each trace. Its figures are comparable with these as they are.
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    operations: u32,
    /// New orders of the walking market. Its figures are comparable with these as they are.
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    orders: u32,
    /// A server of `PostgreSQL` of your own in which every fill of our book is committed, as
    /// `host=/run/postgresql user=... dbname=...`, instead of one that is started where it is installed. The schema `rialto_bench` in
    /// it is made anew, and dropped.
    #[arg(long)]
    postgres: Option<String>,
    /// Seconds for each database in which every fill of our book is committed; 0: for none.
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(0..))]
    database_seconds: u16,
}

impl Book {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        if let Some(orders) = self.insert {
            book::inserts(orders, show);
            return Ok(());
        }
        let options = book::Options {
            bounds: self.bounds.iter().map(|&bound| bound as usize).collect(),
            rounds: usize::from(self.rounds),
            operations: self.operations,
            orders: self.orders,
        };
        // First, while nobody else has left freed memory behind.
        book::memory(&options, show);
        book::traces(&options, show);
        book::walking(&options, show);
        #[cfg(feature = "peers")]
        book::peers(&options, show);
        if self.database_seconds > 0 {
            let each = std::time::Duration::from_secs(self.database_seconds.into());
            let found = book::database::run(folder, self.postgres.as_deref(), each);
            let found = found.map_err(|failure| anyhow::anyhow!("the book with a database: {failure}"))?;
            found.into_iter().for_each(show);
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct Partition {
    #[command(flatten)]
    flow: Flow,
    /// Commands of the flow.
    #[arg(long, default_value_t = 5_000_000)]
    commands: usize,
}

#[derive(Args)]
pub struct Partitions {
    /// Commands of the flow in memory.
    #[arg(long, default_value_t = MOST_COMMANDS_IN_MEMORY, value_parser = clap::value_parser!(u64).range(1..=MOST_COMMANDS_IN_MEMORY))]
    commands: u64,
    /// Turns of a hundred durable orders, one at a time: with account and market in one partition, and with them apart.
    #[arg(long, default_value = "20", value_parser = clap::value_parser!(u64).range(1..))]
    turns: u64,
}

impl Partitions {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        bench::partitions::run(usize::try_from(self.commands)?, show);
        let durable = bench::partitions::durable(folder, self.turns);
        durable.map_err(|error| anyhow::anyhow!("{error}"))?.into_iter().for_each(show);
        Ok(())
    }
}

#[derive(Args)]
pub struct Durable {
    #[command(flatten)]
    flow: Flow,
    /// Commands of the flow.
    #[arg(long, default_value_t = 5_000_000)]
    commands: usize,
    /// Commands of a batch at the most, beside what a server has: 4,096. At most 5,000 batches are measured of each.
    #[arg(long, value_delimiter = ',', default_value = "1,20,1000", value_parser = clap::value_parser!(u32).range(1..))]
    bounds: Vec<u32>,
}

impl Durable {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let bounds: Vec<usize> = self.bounds.iter().map(|&bound| bound as usize).collect();
        bench::durable::run_all(folder, &self.flow.shape(), self.commands, &bounds, show)?;
        Ok(())
    }
}

/// An open loop, instead of orders that wait for each other.
#[derive(Args)]
pub struct Rates {
    /// Instead of all that: so many orders a second over all connections, whatever the answers do; one rate after the other. An
    /// order is timed from when it was due.
    #[arg(long, value_name = "RATES", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["orders", "single_orders"])]
    rate: Vec<u64>,
    /// How long each rate is kept.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..), requires = "rate")]
    seconds: u64,
}

impl Rates {
    /// The load, where rates are named.
    fn load(&self, connections: u16) -> Option<OpenLoop> {
        let load = OpenLoop {
            connections: usize::from(connections),
            rates: self.rate.clone(),
            seconds: self.seconds,
        };
        (!self.rate.is_empty()).then_some(load)
    }
}

#[derive(Args)]
pub struct Rest {
    /// Connections that send orders at once.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Orders over all connections.
    #[arg(long, default_value = "200000", value_parser = clap::value_parser!(u64).range(1..))]
    orders: u64,
    /// Orders of the one client that sends one at a time.
    #[arg(long, default_value = "20000", value_parser = clap::value_parser!(u64).range(1..))]
    single_orders: u64,
    #[command(flatten)]
    rates: Rates,
}

impl Rest {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        if let Some(load) = self.rates.load(self.connections) {
            rest::open_loop::run(&program()?, folder, &load)?.into_iter().for_each(show);
            return Ok(());
        }
        let many = rest::Load { connections: usize::from(self.connections), orders: self.orders };
        let single = rest::Load { connections: 1, orders: self.single_orders };
        for load in [many, single] {
            let rest = rest::run(&program()?, folder, &load)?;
            show(rest.orders);
            show(rest.cancels);
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct Ws {
    /// Connections that send orders at once.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Requests that each of them has under way at the most.
    #[arg(long, default_value = "16", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "rate")]
    window: u16,
    /// Orders over all connections.
    #[arg(long, default_value = "200000", value_parser = clap::value_parser!(u64).range(1..))]
    orders: u64,
    /// Orders of the one client that sends one at a time.
    #[arg(long, default_value = "20000", value_parser = clap::value_parser!(u64).range(1..))]
    single_orders: u64,
    #[command(flatten)]
    rates: Rates,
}

impl Ws {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        if let Some(load) = self.rates.load(self.connections) {
            ws::open_loop::run(&program()?, folder, &load)?.into_iter().for_each(show);
            return Ok(());
        }
        let signed = ws::Load {
            connections: usize::from(self.connections),
            window: usize::from(self.window),
            proof: ws::Proof::Signed,
            orders: self.orders,
        };
        let logged_on = ws::Load { proof: ws::Proof::LoggedOn, ..signed };
        let single = ws::Load { connections: 1, window: 1, orders: self.single_orders, ..signed };
        for load in [signed, logged_on, single] {
            let ws = ws::run(&program()?, folder, &load)?;
            show(ws.orders);
            show(ws.cancels);
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct Streams {
    /// Subscribers of the market's depth and trades.
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u16).range(1..))]
    subscribers: u16,
    /// Orders and cancels a second in the market.
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(u64).range(100..))]
    events: u64,
    /// Of those, orders that trade.
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u64).range(1..))]
    trades: u64,
    /// How long the streams are read.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

impl Streams {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let load = streams::Load {
            subscribers: usize::from(self.subscribers),
            events_per_s: self.events,
            trades_per_s: self.trades,
            seconds: self.seconds,
        };
        streams::run(&program()?, folder, &load)?.into_iter().for_each(show);
        Ok(())
    }
}

#[derive(Args)]
pub struct Many {
    /// WebSocket connections with ten streams each.
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(u16).range(1..))]
    sockets: u16,
    /// REST connections that ask every two seconds.
    #[arg(long, default_value = "2000", value_parser = clap::value_parser!(u16).range(1..))]
    rest_connections: u16,
    /// Orders and cancels a second beside them.
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u64).range(10..))]
    events: u64,
    /// Connections that harmful clients open and close in a second.
    #[arg(long, default_value_t = 1_000)]
    storm: u64,
    /// How long each half takes: alone, and beside harmful clients.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

impl Many {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let load = many::Load {
            sockets: usize::from(self.sockets),
            rest: usize::from(self.rest_connections),
            events_per_s: self.events,
            storm_per_s: self.storm,
            seconds: self.seconds,
        };
        many::run(&program()?, folder, &load)?.into_iter().for_each(show);
        Ok(())
    }
}

#[derive(Args)]
pub struct Growth {
    /// Most markets: 1, 10 and so on up to this.
    #[arg(long, default_value_t = 10_000)]
    markets: u32,
    /// Most resting orders: 1,000, 10,000 and so on up to this.
    #[arg(long, default_value_t = 10_000_000)]
    resting: u32,
    /// Most accounts: 1,000, 10,000 and so on up to this.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u32,
    /// Most connections: 1, 10 and so on up to this.
    #[arg(long, default_value_t = 10_000)]
    connections: u16,
    /// Commands that are measured at each point.
    #[arg(long, default_value_t = 1_000_000)]
    commands: usize,
}

impl Growth {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let &Self { markets, resting, accounts, connections, commands } = self;
        let connections = usize::from(connections);
        let bounds = growth::Bounds { markets, resting, accounts, connections, commands };
        growth::in_memory(&bounds, show);
        let told = |error: Box<dyn std::error::Error>| anyhow::anyhow!("{error}");
        growth::through_the_journal(folder, &bounds, show).map_err(told)?;
        growth::over_the_road(&program()?, folder, &bounds, show).map_err(told)
    }
}

#[derive(Args)]
pub struct Memory {
    /// Orders that rest.
    #[arg(long, default_value = "10000000", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    orders: u64,
    /// In this process, where the yardsticks before have left memory that is given back meanwhile.
    #[arg(long, hide = true)]
    here: bool,
}

impl Memory {
    fn measure(&self, show: Show) -> anyhow::Result<()> {
        let bytes = if self.here { None } else { Some(self.bytes_of_another()?) };
        bench::memory::run(self.orders, bytes).into_iter().flatten().for_each(show);
        Ok(())
    }

    /// What a process finds that has done nothing before.
    fn bytes_of_another(&self) -> anyhow::Result<u64> {
        let orders = self.orders.to_string();
        let mut another = std::process::Command::new(program()?);
        let output = another.args(["bench", "--json", "memory", "--here", "--orders", &orders]).output()?;
        let found: serde_json::Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("no figures: {}", String::from_utf8_lossy(&output.stderr)))?;
        found[0]["figures"]["bytes"]
            .as_u64()
            .context("the system does not tell how much memory a process has")
    }
}

#[derive(Args)]
pub struct Snapshot {
    /// Open orders beside which a snapshot is made.
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    open_orders: u64,
    /// Orders and cancels a second beside it.
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(u64).range(100..))]
    events: u64,
    /// How long the flow is looked at without a snapshot.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

impl Snapshot {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let load = snapshot::Load {
            open_orders: self.open_orders,
            events_per_s: self.events,
            seconds: self.seconds,
        };
        snapshot::run(folder, &load)?.into_iter().for_each(show);
        Ok(())
    }
}

/// A database that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    Postgres,
    Mariadb,
}

#[derive(Args)]
pub struct Sql {
    /// Which databases are started, each in a folder of its own and with the settings that it has by itself. Default: both, where
    /// they are installed.
    #[arg(long, value_enum, value_delimiter = ',')]
    database: Vec<Engine>,
    /// An empty database of one's own instead, as `postgres://user@host:port/database` or `mysql://user@host:port/database`. Its
    /// tables are made, and dropped.
    #[arg(long, conflicts_with = "database")]
    url: Option<String>,
    /// The environment variable that holds its password.
    #[arg(long, requires = "url")]
    password_env: Option<String>,
    /// How long orders come as fast as the database keeps up with. The last of them is in the database when the clock stops.
    #[arg(long, default_value = "60", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// So many orders a second instead, whatever the lag is.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    fixed: Option<u64>,
    /// Orders a second at which writes and syncs are counted.
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// How long one transaction an order is measured, with eight workers and with one, and the fixed rate.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    seconds_each: u64,
    /// Connections that send orders at once.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Accounts over all connections.
    #[arg(long, default_value = "1024", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    accounts: u32,
    /// Events that a writer is behind, at least, before it catches up.
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u64).range(1_000..))]
    backlog: u64,
}

impl Engine {
    fn of_bench(self) -> sql::Engine {
        match self {
            Self::Postgres => sql::Engine::Postgres,
            Self::Mariadb => sql::Engine::Mariadb,
        }
    }
}

impl Sql {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let mut engines: Vec<_> = self.database.iter().map(|engine| engine.of_bench()).collect();
        if engines.is_empty() && self.url.is_none() {
            let both = [sql::Engine::Postgres, sql::Engine::Mariadb];
            engines = both.into_iter().filter(|engine| engine.is_installed()).collect();
            both.iter()
                .filter(|engine| !engines.contains(engine))
                .for_each(|engine| show(sql::not_installed(*engine)));
        }
        let load = sql::Load {
            engines,
            named: self
                .url
                .as_ref()
                .map(|url| sql::Named { url: url.clone(), password_env: self.password_env.clone() }),
            seconds: self.seconds,
            fixed: self.fixed,
            rate: self.rate,
            seconds_each: self.seconds_each,
            connections: usize::from(self.connections),
            accounts: self.accounts as usize,
            backlog_events: self.backlog,
        };
        Ok(sql::run(&program()?, folder, &load, show)?)
    }
}

#[derive(Args)]
pub struct Redis {
    /// A Redis or Valkey of one's own, as `redis://host:port/db`; otherwise one is started, with an append-only file that is synced
    /// each second. Keys that begin with `{rialto-bench}` are made in it, and deleted.
    #[arg(long)]
    url: Option<String>,
    /// The environment variable that holds its password.
    #[arg(long, requires = "url")]
    password_env: Option<String>,
    /// Orders that are measured; cancels come beside them.
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    orders: u64,
    /// Traders, each with an account that buys and one that sells.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    traders: u16,
    /// Entries that are added together.
    #[arg(long, default_value = "500", value_parser = clap::value_parser!(u16).range(1..))]
    pipeline: u16,
}

impl Redis {
    fn measure(&self, folder: &Path, show: Show) -> anyhow::Result<()> {
        let load = redis::Load {
            url: self.url.clone(),
            password_env: self.password_env.clone(),
            orders: self.orders,
            traders: usize::from(self.traders),
            pipeline: usize::from(self.pipeline),
        };
        if self.url.is_none() && !redis::is_installed() {
            show(redis::not_installed());
            return Ok(());
        }
        show(redis::run(&program()?, folder, &load)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The first words of lines, each of which is understood.
    fn named(lines: impl Iterator<Item = &'static str>) -> BTreeSet<String> {
        let understood = |line: &'static str| {
            parsed(line);
            line.split(' ').next().expect("a word").to_owned()
        };
        lines.map(understood).collect()
    }

    #[test]
    fn all_are_run_by_all_and_each_line_is_understood() {
        let offered = Yardstick::augment_subcommands(clap::Command::new("bench"));
        let offered: BTreeSet<_> =
            offered.get_subcommands().map(|yardstick| yardstick.get_name().to_owned()).collect();
        assert_eq!(named(ALL.iter().map(|run| run.full)), offered);
        assert_eq!(named(ALL.iter().map(|run| run.quick)), offered);
        assert_eq!(
            named(RATES.iter().flat_map(|run| [run.full, run.quick])),
            ["rest", "ws"].map(str::to_owned).into()
        );
    }
}
