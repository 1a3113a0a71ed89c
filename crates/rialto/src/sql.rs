//! The database beside an exchange: its writers while it runs, and `rialto sql`. What is written, and how, is in `sink-sql`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use dialect::listings::Listing;
use gateway_http::{Past, SqlWriterStatus, SqlWriters};
use journal::{DataDir, Storage};
use model::{PartitionId, TimeNs};
use sequencer::Egress;
use sink_sql::{Asked, History, SqlError, SqlSettings, State, Tables, Writer};

use crate::config::{Config, WrongSettings};
use crate::progress;
use crate::terminal::say;

/// The database of the settings' `[sql]`.
#[derive(Subcommand)]
pub enum Command {
    /// Makes the tables, or brings them to the version that this program writes.
    Migrate(Options),
    /// Empties the tables and derives them again from the event log.
    Rebuild(Options),
    /// Applies the journal again and holds the tables against what comes of it, to the atom. Works beside a running exchange.
    Check(Options),
}

/// Which database, and of which exchange.
#[derive(Args)]
pub struct Options {
    /// The settings file; `[sql]` in it names the database.
    #[arg(long, default_value = "rialto.toml")]
    config: PathBuf,
}

impl Options {
    /// What to do with each database of the settings.
    fn each(&self, work: fn(&Config, &SqlSettings) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let config = Config::read(&self.config)?;
        let databases = config.sql();
        if databases.is_empty() {
            return Err(WrongSettings::new(format!(
                "{}: there is no url under [sql]: docs/sql.md shows what it looks like",
                self.config.display()
            ))
            .into());
        }
        for settings in &databases {
            match settings.tables {
                Tables::All => {}
                Tables::Spot => say!("The database of spot markets:"),
                Tables::Futures => say!("The database of contracts:"),
            }
            work(&config, settings)?;
        }
        Ok(())
    }
}

pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Migrate(options) => options.each(migrate),
        Command::Rebuild(options) => options.each(rebuild),
        Command::Check(options) => options.each(check),
    }
}

fn migrate(_: &Config, settings: &SqlSettings) -> anyhow::Result<()> {
    // A file may be meant for a data directory that the first start will fill.
    let file = settings.url.strip_prefix("sqlite:").map(Path::new);
    if let Some(folder) = file.and_then(Path::parent).filter(|folder| *folder != Path::new("")) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    match sink_sql::migrate(settings)? {
        (from, to) if from == to => say!("The tables have version {to}; there is nothing to do."),
        (0, to) => say!("The tables are made, version {to}."),
        (from, to) => say!("The tables had version {from} and have version {to}."),
    }
    Ok(())
}

fn rebuild(config: &Config, settings: &SqlSettings) -> anyhow::Result<()> {
    let directory = DataDir::open_read_only(&config.data_dir)?;
    let bar = progress::bar("Rebuilding", 0, false);
    let rebuilt = sink_sql::rebuild(settings, directory.storages(), &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    say!("The tables are derived again: {} rows from {} events.", rebuilt.rows, rebuilt.events);
    Ok(())
}

fn check(config: &Config, settings: &SqlSettings) -> anyhow::Result<()> {
    let directory = DataDir::open_read_only(&config.data_dir)?;
    let bar = progress::bar("Checking", 0, false);
    let checked = sink_sql::check(settings, directory.storages(), &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    for (partition, seq) in checked.up_to.iter().enumerate() {
        let of = if checked.up_to.len() > 1 { format!(" of partition {partition}") } else { String::new() };
        say!("up to         command {seq}{of}");
    }
    if settings.tables != Tables::Futures {
        say!("balances      {}", checked.balances);
        say!("postings      {}", checked.postings);
    }
    if settings.tables != Tables::Spot {
        say!("positions     {}", checked.positions);
    }
    say!("orders        {}", checked.orders);
    say!("trades        {}", checked.trades);
    for difference in &checked.differences {
        say!("{difference}");
    }
    if checked.count > 0 {
        bail!(
            "the tables and the journal differ in {} places: rialto sql rebuild derives the tables again",
            checked.count
        );
    }
    say!("The tables and the journal agree.");
    Ok(())
}

/// Where histories go on behind the views: the tables of spot markets, where there are any.
pub fn past(config: &Config) -> Option<Past> {
    let settings = config.sql().into_iter().find(|settings| settings.tables != Tables::Futures)?;
    let history = Arc::new(History::new(settings));
    let [orders, order, trades] = [(); 3].map(|()| Arc::clone(&history));
    Some(Past {
        orders: Box::new(move |account, listing, page| told(orders.orders(account, &asked(listing), page))),
        order: Box::new(move |listing, id| {
            order.order(&asked(listing), id).unwrap_or_else(|error| missed(&error))
        }),
        trades: Box::new(move |account, listing, order, page| {
            told(trades.trades(account, &asked(listing), order, page))
        }),
    })
}

fn asked(listing: &Listing) -> Asked<'_> {
    Asked { market: listing.market, terms: &listing.terms, base: &listing.base, quote: &listing.quote }
}

fn told<T>(found: Result<Option<Vec<T>>, SqlError>) -> Vec<T> {
    found.map_or_else(|error| missed(&error), Option::unwrap_or_default)
}

/// Nothing, and the log says why.
fn missed<T: Default>(error: &SqlError) -> T {
    tracing::warn!("a history was answered from memory alone, without the database: {error}");
    T::default()
}

/// A running writer, and what it follows.
struct Running {
    writer: Writer,
    partition: PartitionId,
    tables: Tables,
    egress: Egress,
}

/// The writers of a running exchange: one for each partition and database; none where no database is named.
pub struct Writers(Vec<Running>);

impl Writers {
    /// Starts them.
    pub fn start(config: &Config, storages: &[Arc<dyn Storage>], egress: &[Egress]) -> anyhow::Result<Self> {
        let mut running = Vec::new();
        for settings in config.sql() {
            for ((partition, storage), egress) in (0..).map(PartitionId).zip(storages).zip(egress) {
                let of = egress.clone();
                let released = Arc::new(move || of.released_event_seq());
                let started = Writer::start(partition, Arc::clone(storage), Some(released), settings.clone());
                let writer = started.context("cannot start the SQL writer's thread")?;
                running.push(Running { writer, partition, tables: settings.tables, egress: egress.clone() });
            }
        }
        Ok(Self(running))
    }

    /// What the metrics show of them, if there are any.
    pub fn shown(&self) -> Option<SqlWriters> {
        if self.0.is_empty() {
            return None;
        }
        let of = |Running { writer, partition, tables, egress }: &Running| {
            (Arc::clone(writer.status()), *partition, *tables, egress.clone())
        };
        let watched: Vec<_> = self.0.iter().map(of).collect();
        Some(Box::new(move || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let now = TimeNs(u64::try_from(now).unwrap_or(u64::MAX));
            let shown = watched.iter().map(|(status, partition, tables, egress)| SqlWriterStatus {
                partition: partition.0,
                tables: tables.word(),
                is_up: status.state() == State::Writing,
                lag_events: egress.released_event_seq().0.saturating_sub(status.event_seq().0),
                lag: status.lag(now),
                transactions: status.transactions(),
                rows: status.rows(),
                failures: status.failures(),
            });
            shown.collect()
        }))
    }

    /// Lets each write what the event log has, as long as the settings allow.
    pub fn stop(self) {
        let stopping = self.0.into_iter().map(|running| std::thread::spawn(|| running.writer.stop()));
        for stopping in stopping.collect::<Vec<_>>() {
            let _ = stopping.join();
        }
    }
}
