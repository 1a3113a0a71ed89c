//! A writer: a thread for each partition that follows the event log and keeps the database up with it, whatever happens to the
//! database. Each of its transactions has the rows of a batch and the position behind them, so a batch is there as a whole or not
//! at all, and once.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use journal::Storage;
use model::{AccountId, Amount, AssetId, EventSeq, MarketId, OrderId, PartitionId};

use crate::ahead::{Ahead, Piece};
use crate::dialect::{Dialect, connect};
use crate::fold::{Balance, Fold, Missing};
use crate::order::Order;
use crate::position::{self, Position, WriterName};
use crate::settings::SqlSettings;
use crate::status::{State, Status};
use crate::table::ORDERS;
use crate::tail::Tail;
use crate::{SqlError, decimal, schema};

/// The first pause before the database is tried again; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// How many keys a question names.
const KEYS_AT_ONCE: usize = 2_000;

/// Tells how far the event log comes or is about to, where somebody knows that: so long as it is no further than what is written,
/// nobody looks at files.
pub type Released = Arc<dyn Fn() -> EventSeq + Send + Sync>;

/// A running writer. Dropped without [`Self::stop`], it ends by itself, soon.
pub struct Writer {
    status: Arc<Status>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
    stop_timeout: Duration,
}

impl Writer {
    /// Starts a writer for the events of a partition, which `storage` has.
    pub fn start(
        partition: PartitionId,
        storage: Arc<dyn Storage>,
        released: Option<Released>,
        settings: SqlSettings,
    ) -> io::Result<Self> {
        let (stop, stopping) = channel();
        let (status, stop_timeout) = (Arc::new(Status::new()), settings.stop_timeout);
        let writer = WriterName::new();
        let job = Job { partition, storage, released, settings, status: Arc::clone(&status), writer };
        let thread = thread::Builder::new().name(job.name()).spawn(move || job.run(&stopping))?;
        Ok(Self { status, stop, thread, stop_timeout })
    }

    /// What it does.
    pub const fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Lets it write what the event log has and end; not longer than the settings allow: what is left is written after the next start.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let deadline = Instant::now() + self.stop_timeout;
        while !self.thread.is_finished() && Instant::now() < deadline {
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// What the thread has.
struct Job {
    partition: PartitionId,
    storage: Arc<dyn Storage>,
    released: Option<Released>,
    settings: SqlSettings,
    status: Arc<Status>,
    writer: WriterName,
}

/// How a session with the database ended.
enum Ended {
    /// It was asked to, and everything is written.
    Asked,
    /// By an error; what was written until then.
    Failed(SqlError, Progress),
}

/// Whether anything was written before an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    None,
    Some,
}

impl Job {
    fn run(self, stop: &Receiver<()>) {
        let (partition, tables) = (self.partition.0, self.settings.tables.word());
        let (mut retry, mut took) = (FIRST_RETRY, false);
        loop {
            let (error, progress) = match self.session(stop, &mut took) {
                Ended::Asked => break,
                Ended::Failed(error, progress) => (error, progress),
            };
            self.status.failed();
            if !error.may_pass() {
                tracing::error!(partition, tables, "the SQL writer has stopped, trading goes on: {error}");
                break;
            }
            if progress == Progress::Some {
                retry = FIRST_RETRY;
            }
            self.status.set_state(State::Retrying);
            tracing::warn!(
                partition,
                tables,
                "the SQL writer tries again in {retry:?}, trading goes on: {error}"
            );
            match stop.recv_timeout(retry) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
            retry = (2 * retry).min(self.settings.max_retry);
        }
        self.status.set_state(State::Stopped);
    }

    /// Connects, and writes until there is an error or somebody asks to stop. `took` says whether this writer has been the one who
    /// writes.
    fn session(&self, stop: &Receiver<()>, took: &mut bool) -> Ended {
        let failed = |error| Ended::Failed(error, Progress::None);
        let begun = || {
            let mut database = connect(&self.settings)?;
            schema::check(&mut *database)?;
            let tables = self.settings.tables;
            let (position, listed) =
                position::take(&mut *database, self.partition, tables, &self.writer, *took)?;
            Ok((database, position, listed))
        };
        let (mut database, position, listed) = match begun() {
            Ok(begun) => begun,
            Err(error) => return failed(error),
        };
        *took = true;
        let (partition, tables) = (self.partition.0, self.settings.tables.word());
        tracing::info!(
            partition,
            tables,
            seq = position.seq.0,
            event_seq = position.event_seq.0,
            "the SQL writer goes on"
        );
        self.status.stands_at(position.event_seq);
        self.status.set_state(State::Writing);
        let tail = match Tail::open(&self.storage, position) {
            Ok(tail) => tail,
            Err(error) => return failed(error),
        };
        let fold = Fold::new(self.partition, listed, self.settings.rows_remembered);
        thread::scope(|scope| match Ahead::start(scope, &self.name(), tail, &self.settings) {
            Ok(ahead) => self.write_on(stop, &mut *database, ahead, fold, position),
            Err(error) => failed(SqlError::database("cannot start a thread")(&error)),
        })
    }

    /// What its threads are called.
    fn name(&self) -> String {
        format!("sql-{}-{}", self.settings.tables.word(), self.partition)
    }

    /// Writes from `position` on, until there is an error or somebody asks to stop.
    fn write_on(
        &self,
        stop: &Receiver<()>,
        database: &mut dyn Dialect,
        mut ahead: Ahead<'_>,
        mut fold: Fold,
        mut position: Position,
    ) -> Ended {
        let (partition, tables) = (self.partition.0, self.settings.tables.word());
        let (mut progress, mut stopping, mut agreed) = (Progress::None, false, false);
        let mut pause = self.settings.min_pause;
        loop {
            let wrote = match self.step(database, &mut ahead, &mut fold, &mut position, &mut agreed) {
                Ok(wrote) => wrote,
                Err(error) => return Ended::Failed(error, progress),
            };
            pause = match wrote {
                Step::Nothing if stopping => return Ended::Asked,
                // The shortest pause is for the first event behind a silence, the longest for a steady flow: the more comes
                // together, the less it costs.
                Step::Nothing => pause / 2,
                Step::All => pause * 2,
                Step::More => pause,
            };
            pause = pause.clamp(self.settings.min_pause, self.settings.max_pause);
            match wrote {
                Step::Nothing if !agreed => {
                    let event = position.event_seq;
                    tracing::warn!(
                        partition,
                        tables,
                        "the SQL writer waits for the event log to come to event {event}, which it has written"
                    );
                    pause = self.settings.max_retry;
                }
                Step::All | Step::More => progress = Progress::Some,
                Step::Nothing => {}
            }
            if stopping || matches!(wrote, Step::More) {
                stopping |= stop.try_recv().is_ok();
                continue;
            }
            match stop.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) => stopping = true,
                Err(RecvTimeoutError::Disconnected) => return Ended::Asked,
            }
        }
    }

    /// Writes what the event log has, as far as it goes into one transaction. `agreed` says whether the log was seen to have what
    /// was written.
    fn step(
        &self,
        database: &mut dyn Dialect,
        ahead: &mut Ahead<'_>,
        fold: &mut Fold,
        position: &mut Position,
        agreed: &mut bool,
    ) -> Result<Step, SqlError> {
        if *agreed && self.released.as_ref().is_some_and(|released| released() <= position.event_seq) {
            self.status.pending(None);
            return Ok(Step::Nothing);
        }
        let piece = ahead.next()?;
        *agreed = piece.agreed;
        let Some(first) = piece.batches.first() else {
            self.status.pending(None);
            return Ok(Step::Nothing);
        };
        if piece.more {
            ahead.look();
        }
        self.status.pending(Some(first.time_ns));
        let events = piece.batches.iter().map(|batch| batch.events.len()).sum();
        let rows = write(database, self.partition, &self.writer, fold, &piece)?;
        *position = piece.reached;
        self.status.stands_at(position.event_seq);
        self.status.wrote(events, rows);
        Ok(if piece.more { Step::More } else { Step::All })
    }
}

/// What one step has done.
#[derive(Clone, Copy)]
enum Step {
    /// There was nothing to write.
    Nothing,
    /// The event log's end is written.
    All,
    /// A transaction was full.
    More,
}

/// One transaction: locks the position, asks for what has to be known, folds, writes. Returns how many rows.
pub fn write(
    database: &mut dyn Dialect,
    partition: PartitionId,
    writer: &WriterName,
    fold: &mut Fold,
    piece: &Piece,
) -> Result<usize, SqlError> {
    position::lock(database, partition, writer, &piece.left_at)?;
    let missing = fold.missing(&piece.batches);
    learn(database, fold, &missing)?;
    for batch in &piece.batches {
        fold.apply(batch)?;
    }
    let rows = fold.rows();
    fold.write(&mut |table, may_be_there, values| {
        if may_be_there { database.upsert(table, values) } else { database.insert(table, values) }
    })?;
    let listed = fold.listed_changed().then(|| fold.listed());
    position::write(database, partition, writer, &piece.reached, listed)?;
    database.execute("COMMIT")?;
    fold.written();
    Ok(rows)
}

fn learn(database: &mut dyn Dialect, fold: &mut Fold, missing: &Missing) -> Result<(), SqlError> {
    let columns = ORDERS.columns_read(database.words());
    let orders: Vec<OrderId> = missing.orders.iter().copied().collect();
    for some in orders.chunks(KEYS_AT_ONCE) {
        let keys = list(some.iter().map(|order| order.0));
        let rows = database.query(&format!(
            "SELECT {columns} FROM orders WHERE order_id IN ({keys}) AND ended_at IS NULL"
        ))?;
        for row in &rows {
            let market = row[2].as_deref().and_then(|text| text.parse().ok()).map(MarketId);
            let market = fold.listed().market(market.ok_or_else(|| not_ours(row))?)?;
            let order = Order::read(row, &market)?;
            fold.learn_order(order);
        }
    }
    let accounts: Vec<AccountId> = missing.accounts.iter().copied().collect();
    for some in accounts.chunks(KEYS_AT_ONCE) {
        for account in some {
            fold.learn_account(*account, Vec::new());
        }
        let keys = list(some.iter().map(|account| account.0));
        let rows = database.query(&format!(
            "SELECT account_id, asset_id, free, held FROM balances WHERE account_id IN ({keys}) ORDER BY account_id, asset_id"
        ))?;
        for of_one in rows.chunk_by(|one, other| one[0] == other[0]) {
            let balances = of_one.iter().map(|row| read_balance(row, fold)).collect::<Result<Vec<_>, _>>()?;
            let account = of_one[0][0].as_deref().and_then(|text| text.parse().ok());
            fold.learn_account(AccountId(account.ok_or_else(|| not_ours(&of_one[0]))?), balances);
        }
    }
    let holders: Vec<AccountId> = missing.holders.iter().copied().collect();
    let micros = (database.words().micros)("updated_at");
    for some in holders.chunks(KEYS_AT_ONCE) {
        let keys = list(some.iter().map(|account| account.0));
        let positions = database.query(&format!(
            "SELECT account_id, market_id, position_side, quantity, cost, margin, {micros} FROM positions WHERE account_id IN ({keys})"
        ))?;
        let settings = database.query(&format!(
            "SELECT account_id, market_id, leverage, margin_type, {micros} FROM position_settings WHERE account_id IN ({keys})"
        ))?;
        fold.learn_holders(some, &positions, &settings)?;
    }
    Ok(())
}

fn not_ours(row: &[Option<String>]) -> SqlError {
    SqlError::Disagrees(format!("a row is not one of ours: {row:?}"))
}

fn read_balance(row: &[Option<String>], fold: &Fold) -> Result<Balance, SqlError> {
    let text = |column: usize| row[column].as_deref().ok_or_else(|| not_ours(row));
    let asset = AssetId(text(1)?.parse().map_err(|_| not_ours(row))?);
    let scale = fold.listed().asset(asset)?.scale;
    let amount = |column| decimal::parse(text(column)?, scale).map(Amount).ok_or_else(|| not_ours(row));
    Ok(Balance::new(asset, amount(2)?, amount(3)?))
}

fn list(keys: impl Iterator<Item = u64>) -> String {
    keys.map(|key| key.to_string()).collect::<Vec<_>>().join(",")
}
