//! An ancestor: a book in memory that commits every fill to a database before it goes on. It is our book, so that what differs
//! is the database alone.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls, Statement};
use rusqlite::Connection;
use simulator::trace::{Shape, Trace};
use simulator::walking::Message;

use super::contender::answer_all;
use super::ours::Ours;
use super::report::{Report, Reports, Tally};
use crate::Measurement;
use crate::remote::databases::{self, Engine};
use crate::sql::not_installed;

/// What a database says when it fails.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A trade between two orders, as a row.
struct Fill {
    maker: i64,
    taker: i64,
    price: i64,
    qty: i64,
}

trait Database {
    /// Writes the trade, and what both orders have traded by now, in a transaction that stays open.
    fn write(&mut self, fill: &Fill) -> Result<(), Failure>;
    /// Ends the transaction; then the trade is on the disk.
    fn commit(&mut self) -> Result<(), Failure>;
}

const TABLES: &str = "CREATE TABLE trades (maker BIGINT, taker BIGINT, price BIGINT, qty BIGINT);
    CREATE TABLE orders (id BIGINT PRIMARY KEY, filled BIGINT NOT NULL);";

struct Sqlite(Connection);

impl Sqlite {
    /// With a write-ahead log, which is the faster way, and each commit synced.
    fn new(file: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(TABLES)?;
        Ok(Self(connection))
    }
}

impl Database for Sqlite {
    fn write(&mut self, &Fill { maker, taker, price, qty }: &Fill) -> Result<(), Failure> {
        self.0.execute_batch("BEGIN")?;
        let mut trade = self.0.prepare_cached("INSERT INTO trades VALUES (?, ?, ?, ?)")?;
        trade.execute([maker, taker, price, qty])?;
        let mut order = self.0.prepare_cached(
            "INSERT INTO orders VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET filled = filled + excluded.filled",
        )?;
        order.execute([maker, qty])?;
        order.execute([taker, qty])?;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        Ok(self.0.execute_batch("COMMIT")?)
    }
}

struct Postgres {
    client: Client,
    trade: Statement,
    order: Statement,
}

impl Postgres {
    const DROP: &str = "DROP SCHEMA IF EXISTS rialto_bench CASCADE";

    /// In a schema of its own, which is made anew.
    fn new(mut client: Client) -> Result<Self, Failure> {
        client.batch_execute(Self::DROP)?;
        client.batch_execute("CREATE SCHEMA rialto_bench; SET search_path TO rialto_bench")?;
        client.batch_execute(TABLES)?;
        let trade = client.prepare("INSERT INTO trades VALUES ($1, $2, $3, $4)")?;
        let order = client.prepare(
            "INSERT INTO orders VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET filled = orders.filled + excluded.filled",
        )?;
        Ok(Self { client, trade, order })
    }
}

impl Database for Postgres {
    fn write(&mut self, Fill { maker, taker, price, qty }: &Fill) -> Result<(), Failure> {
        self.client.batch_execute("BEGIN")?;
        self.client.execute(&self.trade, &[maker, taker, price, qty])?;
        self.client.execute(&self.order, &[maker, qty])?;
        self.client.execute(&self.order, &[taker, qty])?;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        Ok(self.client.batch_execute("COMMIT")?)
    }
}

/// Commits each trade that it is told of, and counts everything.
struct Committing<'d, D> {
    database: &'d mut D,
    tally: Tally,
    in_commits: Duration,
    failed: Option<Failure>,
}

impl<D: Database> Committing<'_, D> {
    fn fill(&mut self, fill: &Fill) -> Result<(), Failure> {
        self.database.write(fill)?;
        let start = Instant::now();
        self.database.commit()?;
        self.in_commits += start.elapsed();
        Ok(())
    }
}

impl<D: Database> Reports for Committing<'_, D> {
    fn tell(&mut self, report: Report) {
        self.tally.tell(report);
        if let Report::Trade { maker, taker, price, qty } = report
            && self.failed.is_none()
        {
            let fill =
                Fill { maker: maker.cast_signed(), taker: taker.cast_signed(), price, qty: i64::from(qty) };
            self.failed = self.fill(&fill).err();
        }
    }
}

/// Trace S until the time is over.
fn measure(name: &str, database: &mut impl Database, most: Duration) -> Result<Measurement, Failure> {
    let messages: Vec<_> = Trace::new(&Shape::SHALLOW).records.into_iter().map(Message::from).collect();
    let (warm, measured) = messages.split_at(Shape::SHALLOW.warm as usize);
    let mut book = Ours::default();
    answer_all(&mut book, warm, warm.len(), &mut Tally::default());
    let tally = Tally::default();
    let mut committing = Committing { database, tally, in_commits: Duration::ZERO, failed: None };
    let start = Instant::now();
    let mut done = 0;
    for piece in measured.chunks(20) {
        answer_all(&mut book, piece, piece.len(), &mut committing);
        done += piece.len() as u64;
        if let Some(failure) = committing.failed {
            return Err(failure);
        }
        if start.elapsed() >= most {
            break;
        }
    }
    let elapsed = start.elapsed();
    let (fills, in_commits) = (committing.tally.trades, committing.in_commits);
    let name = format!("our book, every fill committed to {name}, trace S");
    let percent = in_commits.as_millis() * 100 / elapsed.as_millis().max(1);
    let percent = u64::try_from(percent).expect("a share");
    let found = Measurement::new(name, done, elapsed, 0)
        .with_figures([("fills", fills), ("percent_of_time_in_commits", percent)]);
    let a_second = u128::from(fills) * 1_000 / elapsed.as_millis().max(1);
    Ok(found.with_remark(format!("{a_second} fills a second, {percent} % of the time in their commits")))
}

/// With a database in a file under `folder`, which is gone behind it; and with the `PostgreSQL` at an address, in a schema
/// `rialto_bench`, which is dropped behind it, or with one that is started under `folder` where it is installed. Each takes so long.
pub fn run(folder: &Path, postgres: Option<&str>, each: Duration) -> Result<Vec<Measurement>, Failure> {
    fs::create_dir_all(folder)?;
    let own = tempfile::tempdir_in(folder)?;
    let mut sqlite = Sqlite::new(&own.path().join("book.sqlite"))?;
    let mut found = vec![measure("SQLite, synchronous full", &mut sqlite, each)?];
    let committed = |client| -> Result<Measurement, Failure> {
        let mut database = Postgres::new(client)?;
        let found = measure("PostgreSQL", &mut database, each)?;
        database.client.batch_execute(Postgres::DROP)?;
        Ok(found)
    };
    found.push(match postgres {
        Some(address) => committed(Client::connect(address, NoTls)?)?,
        None if Engine::Postgres.is_installed() => {
            let server = databases::Database::start(Engine::Postgres, folder)?;
            committed(server.postgres()?)?
        }
        None => not_installed(Engine::Postgres),
    });
    Ok(found)
}
