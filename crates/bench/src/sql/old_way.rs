//! The old way: one transaction an order, with its row, the rows of its trades, the balances that they change, and a commit. The
//! flow is the one that the exchange had, taken from its event log, so matching costs nothing here, and there are no postings. The
//! statements are prepared, and several balances are changed by one, as whoever had to live with it would have it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use journal::{DataDir, EventLogReader};
use model::{
    AccountId, Amount, AssetId, EndReason, Event, EventBatch, MarketId, MarketTerms, OrderId, Seq, Side,
    TradeId,
};

use crate::remote::RemoteError;
use crate::remote::databases::{Client, Database, Engine};

mod statements;

use statements::Worker;

/// How often a worker looks again whether a transaction that it has to wait for is committed.
const LOOK: Duration = Duration::from_micros(50);

/// The flow as transactions, in the order in which they happened, and what the accounts have to begin with.
pub(super) struct Flow {
    transactions: Vec<Transaction>,
    /// Those of the next run.
    next: usize,
    accounts: Vec<(AccountId, AssetId)>,
}

/// What happens together.
#[derive(Debug, Default)]
struct Transaction {
    order: Option<NewOrder>,
    trades: Vec<Trade>,
    /// Orders that were there.
    changed: Vec<ChangedOrder>,
    /// What free and held balances change by, in atoms, in the order of accounts, so that nobody locks another out.
    balances: Vec<(AccountId, AssetId, Change)>,
    /// The transactions by which the orders that it changes came to be what they were.
    behind: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Change {
    free: Amount,
    held: Amount,
}

/// An order at the end of its transaction.
#[derive(Debug)]
struct NewOrder {
    order: OrderId,
    account: AccountId,
    market: MarketId,
    side: &'static str,
    client_order_id: String,
    price: String,
    quantity: String,
    now: Standing,
}

#[derive(Debug)]
struct ChangedOrder {
    order: OrderId,
    now: Standing,
}

/// What changes of an order.
#[derive(Clone, Debug)]
struct Standing {
    executed: String,
    executed_quote: String,
    held: String,
    status: &'static str,
    is_over: bool,
}

#[derive(Debug)]
struct Trade {
    market: MarketId,
    number: TradeId,
    price: String,
    quantity: String,
    quote: String,
    taker_side: &'static str,
    maker: OrderId,
    taker: OrderId,
}

/// An order on its way through the flow.
struct Known {
    side: Side,
    executed: Amount,
    executed_quote: Amount,
    held: Amount,
    status: &'static str,
    is_over: bool,
    /// The last transaction that has changed it.
    by: usize,
}

/// What one run came to.
pub(super) struct Found {
    pub(super) orders: u64,
    pub(super) transactions: u64,
    pub(super) rows: u64,
    pub(super) elapsed: Duration,
}

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) workers: usize,
    /// Orders a second at the most, where there is a bound.
    pub(super) rate: Option<u64>,
    pub(super) time: Duration,
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// All numbers of the yardsticks' market have eight decimals, but for its prices.
fn decimal(amount: Amount) -> String {
    let units = amount.0.unsigned_abs();
    let sign = if amount.0 < 0 { "-" } else { "" };
    format!("{sign}{}.{:08}", units / 100_000_000, units % 100_000_000)
}

/// Walks through the event log.
#[derive(Default)]
struct Walk {
    markets: HashMap<MarketId, MarketTerms>,
    orders: HashMap<OrderId, Known>,
    funded: Vec<(AccountId, AssetId)>,
    transactions: Vec<Transaction>,
}

/// What a command does, while its events are read.
#[derive(Default)]
struct Now {
    order: Option<NewOrder>,
    trades: Vec<Trade>,
    touched: Vec<OrderId>,
    balances: BTreeMap<(AccountId, AssetId), Change>,
}

impl Now {
    fn change(&mut self, account: AccountId, asset: AssetId, free: Amount, held: Amount) {
        let change = self.balances.entry((account, asset)).or_default();
        change.free += free;
        change.held += held;
    }
}

impl Walk {
    fn terms(&self, market: MarketId) -> &MarketTerms {
        self.markets.get(&market).expect("a market is listed before it has orders")
    }

    fn asset(&self, market: MarketId, side: Side) -> AssetId {
        match side {
            Side::Buy => self.terms(market).quote,
            Side::Sell => self.terms(market).base,
        }
    }

    fn batch(&mut self, batch: &EventBatch) {
        for (_, events) in batch.by_command() {
            let mut now = Now::default();
            for event in events {
                self.event(event, &mut now);
            }
            self.command(now);
        }
    }

    fn event(&mut self, event: &Event, now: &mut Now) {
        match event {
            Event::MarketAdded { market, terms } => {
                self.markets.insert(*market, MarketTerms::clone(terms));
            }
            Event::Deposited(deposited) => self.funded.push((deposited.account, deposited.asset)),
            Event::OrderAccepted(accepted) => {
                let terms = self.terms(accepted.market);
                let price = accepted.kind.price_ticks().map_or(0, |ticks| ticks.0);
                let quantity = accepted.kind.qty_lots().map_or(Amount::ZERO, |lots| terms.base_amount(lots));
                now.order = Some(NewOrder {
                    order: accepted.order,
                    account: accepted.account,
                    market: accepted.market,
                    side: side_word(accepted.side),
                    client_order_id: accepted.client_order_id.as_str().to_owned(),
                    price: price_text(price),
                    quantity: decimal(quantity),
                    // Filled in at the end of the command.
                    now: Standing {
                        executed: String::new(),
                        executed_quote: String::new(),
                        held: String::new(),
                        status: "NEW",
                        is_over: false,
                    },
                });
                let asset = self.asset(accepted.market, accepted.side);
                now.change(accepted.account, asset, -accepted.held, accepted.held);
                let known = Known {
                    side: accepted.side,
                    executed: Amount::ZERO,
                    executed_quote: Amount::ZERO,
                    held: accepted.held,
                    status: "NEW",
                    is_over: false,
                    by: 0,
                };
                self.orders.insert(accepted.order, known);
            }
            Event::OrderFilled(filled) => {
                let terms = self.terms(filled.market);
                let (base, quote) =
                    (terms.base_amount(filled.qty_lots), terms.notional(filled.price_ticks, filled.qty_lots));
                let (paid, received) = match filled.side {
                    Side::Buy => (quote, base),
                    Side::Sell => (base, quote),
                };
                let paid_in = self.asset(filled.market, filled.side);
                let received_in = self.asset(filled.market, filled.side.opposite());
                now.change(filled.account, paid_in, filled.released, -(paid + filled.released));
                now.change(filled.account, received_in, received - filled.fee, Amount::ZERO);
                let known = self.orders.get_mut(&filled.order).expect("it was accepted");
                known.executed += base;
                known.executed_quote += quote;
                known.held -= paid + filled.released;
                known.status = "PARTIALLY_FILLED";
                now.touched.push(filled.order);
            }
            Event::OrderEnded(ended) => {
                let known = self.orders.get_mut(&ended.order).expect("it was accepted");
                known.status = match ended.reason {
                    EndReason::Filled => "FILLED",
                    EndReason::Canceled => "CANCELED",
                    EndReason::Expired(_) => "EXPIRED",
                    EndReason::ExpiredInMatch => "EXPIRED_IN_MATCH",
                };
                known.is_over = true;
                known.held -= ended.released;
                let asset = self.asset(ended.market, self.orders[&ended.order].side);
                now.change(ended.account, asset, ended.released, -ended.released);
                now.touched.push(ended.order);
            }
            Event::Traded(traded) => {
                let terms = self.terms(traded.market);
                now.trades.push(Trade {
                    market: traded.market,
                    number: traded.trade,
                    price: price_text(traded.price_ticks.0),
                    quantity: decimal(terms.base_amount(traded.qty_lots)),
                    quote: decimal(terms.notional(traded.price_ticks, traded.qty_lots)),
                    taker_side: side_word(traded.taker_side),
                    maker: traded.maker_order,
                    taker: traded.taker_order,
                });
            }
            // Nothing else happens to orders of this flow.
            _ => {}
        }
    }

    /// The events of a command were read: what it has changed is a transaction.
    fn command(&mut self, now: Now) {
        let Now { order, trades, mut touched, balances } = now;
        if order.is_none() && touched.is_empty() {
            return;
        }
        let at = self.transactions.len();
        let mut transaction = Transaction { trades, ..Transaction::default() };
        if let Some(mut order) = order {
            touched.retain(|touched| *touched != order.order);
            let known = self.orders.get_mut(&order.order).expect("it was accepted");
            known.by = at;
            order.now = known.standing();
            transaction.order = Some(order);
        }
        touched.sort_unstable();
        touched.dedup();
        for order in touched {
            let known = self.orders.get_mut(&order).expect("it was accepted");
            transaction.behind.push(std::mem::replace(&mut known.by, at));
            transaction.changed.push(ChangedOrder { order, now: known.standing() });
            if known.is_over {
                self.orders.remove(&order);
            }
        }
        let changes =
            balances.into_iter().filter(|(_, change)| !(change.free.is_zero() && change.held.is_zero()));
        transaction.balances = changes.map(|((account, asset), change)| (account, asset, change)).collect();
        self.transactions.push(transaction);
    }
}

impl Known {
    fn standing(&self) -> Standing {
        Standing {
            executed: decimal(self.executed),
            executed_quote: decimal(self.executed_quote),
            held: decimal(self.held),
            status: self.status,
            is_over: self.is_over,
        }
    }
}

/// Ticks of 0.01.
fn price_text(ticks: i64) -> String {
    format!("{}.{:02}", ticks / 100, ticks % 100)
}

impl Flow {
    /// The first `most` transactions of what an exchange has done whose data is in `data`.
    pub(super) fn read(data: &Path, most: usize) -> Result<Self, RemoteError> {
        let wrong = |error: &dyn std::fmt::Display| RemoteError::Answer(format!("the event log: {error}"));
        let directory = DataDir::open_read_only(data).map_err(|error| wrong(&error))?;
        let mut reader = EventLogReader::open(directory.storage(), Seq(1)).map_err(|error| wrong(&error))?;
        let mut walk = Walk::default();
        while walk.transactions.len() < most
            && let Some(frame) = reader.next().map_err(|error| wrong(&error))?
        {
            let batch = sequencer::decode_batch(&frame).map_err(|error| wrong(&error))?;
            walk.batch(&batch);
        }
        walk.funded.sort_unstable();
        walk.funded.dedup();
        // Both sides of a trade receive what they may not have had.
        Ok(Self { transactions: walk.transactions, next: 0, accounts: walk.funded })
    }

    /// Puts what the accounts have into the table of balances.
    pub(super) fn fund(&self, client: &mut Client) -> Result<(), RemoteError> {
        for some in self.accounts.chunks(1_000) {
            let rows: Vec<_> = some
                .iter()
                .map(|(account, asset)| format!("({account}, {asset}, 1000000000000, 0, CURRENT_TIMESTAMP)"))
                .collect();
            client.run(&format!(
                "INSERT INTO balances (account_id, asset_id, free, held, updated_at) VALUES {}",
                rows.join(", ")
            ))?;
        }
        Ok(())
    }

    /// Goes on where the last run has stopped. Ends before its time when there is nothing left.
    pub(super) fn run(&mut self, database: &Database, run: &Run) -> Result<Found, RemoteError> {
        let (from, all) = (self.next, &self.transactions);
        let next = AtomicUsize::new(from);
        let is_done: Vec<AtomicBool> = all[from..].iter().map(|_| AtomicBool::new(false)).collect();
        let failed: Mutex<Option<RemoteError>> = Mutex::new(None);
        let has_failed = AtomicBool::new(false);
        let mut workers = Vec::with_capacity(run.workers);
        for _ in 0..run.workers {
            workers.push(Worker::new(database)?);
        }
        // Of the flow's transactions some are cancels; a bound on orders is kept by all of them together.
        let orders_before = |at: usize| all[from..at].iter().filter(|one| one.order.is_some()).count();
        let began = Instant::now();
        let work = |worker: &mut Worker| -> Result<(), RemoteError> {
            while began.elapsed() < run.time && !has_failed.load(Ordering::Relaxed) {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(transaction) = all.get(at) else { break };
                if let Some(rate) = run.rate {
                    // Eight of ten transactions are orders.
                    let due_us = u64::try_from(at - from).expect("fits") * 800_000 / rate;
                    if let Some(left) = Duration::from_micros(due_us).checked_sub(began.elapsed()) {
                        thread::sleep(left);
                    }
                }
                for behind in transaction.behind.iter().filter_map(|behind| behind.checked_sub(from)) {
                    while !is_done[behind].load(Ordering::Acquire) && !has_failed.load(Ordering::Relaxed) {
                        thread::sleep(LOOK);
                    }
                }
                worker.commit(transaction)?;
                is_done[at - from].store(true, Ordering::Release);
            }
            Ok(())
        };
        thread::scope(|scope| {
            for worker in &mut workers {
                scope.spawn(|| {
                    if let Err(error) = work(worker) {
                        has_failed.store(true, Ordering::Relaxed);
                        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                    }
                });
            }
        });
        let elapsed = began.elapsed();
        if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            return Err(error);
        }
        // Every number below this was taken by a worker, and done.
        let end = next.load(Ordering::Relaxed).min(all.len());
        let count = |number: usize| u64::try_from(number).expect("fits");
        let end = is_done.iter().position(|done| !done.load(Ordering::Relaxed)).map_or(end, |at| from + at);
        let rows = all[from..end].iter().map(Transaction::rows).sum::<usize>();
        let found = Found {
            orders: count(orders_before(end)),
            transactions: count(end - from),
            rows: count(rows),
            elapsed,
        };
        self.next = end;
        Ok(found)
    }

    /// What the table should have of what was run so far: orders, trades.
    pub(super) fn expected(&self) -> (usize, usize) {
        let done = &self.transactions[..self.next];
        let orders = done.iter().filter(|one| one.order.is_some()).count();
        (orders, done.iter().map(|one| one.trades.len()).sum())
    }
}

impl Transaction {
    fn rows(&self) -> usize {
        usize::from(self.order.is_some()) + self.trades.len() + self.changed.len() + self.balances.len()
    }
}

/// Refuses tables that have something else than what was run.
pub(super) fn check(flow: &Flow, database: &Database) -> Result<(), RemoteError> {
    let sql = "SELECT (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM trades)";
    let (orders, trades) = flow.expected();
    let found = database.client()?.ask(sql)?;
    if found == [[orders.to_string(), trades.to_string()]] {
        return Ok(());
    }
    let what = database.engine.name();
    let problem = format!(
        "the old way should have written {orders} orders and {trades} trades, and there are {found:?}"
    );
    Err(RemoteError::Service { what, problem })
}

impl Engine {
    /// A number that comes as text, in a prepared statement.
    const fn number(self) -> &'static str {
        match self {
            Self::Postgres => "::text::numeric",
            Self::Mariadb => "",
        }
    }
}
