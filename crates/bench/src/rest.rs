//! The whole way over REST, durable: a Rialto in a process of its own, and signed orders over connections that stay open.
//!
//! The load is a closed loop: each connection sends its next request when it has the answer to the last. So a stall of the
//! server holds back the requests behind it instead of lengthening them (coordinated omission), and the percentiles tell what
//! these clients saw, not what a client would have seen who sends at a fixed rate. A request is timed from just before it is
//! written until its answer is read whole; it was signed before, while the answer to the one before was awaited.
//!
//! Load generator and server share the machine. The generator has one thread, so what it needs itself is part of every figure.

pub mod open_loop;
mod traders;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::{JoinSet, LocalSet};

use crate::remote::accounts::Operator;
use crate::remote::http::{Answer, Connection};
use crate::remote::orders::Kind;
use crate::remote::server::{Server, Setup, processor_time};
use crate::remote::{RemoteError, allow_files, fresh_folder, one_thread};
use crate::{Measurement, Target};
use traders::Trader;

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections at once, each with an account of its own to buy and one to sell. At least 1.
    pub connections: usize,
    /// Orders that are measured, over all connections. A tenth as many come before, to warm up. At least 1.
    pub orders: u64,
}

/// What REST showed under one load.
pub struct Rest {
    /// The orders, POST `/api/v3/order`.
    pub orders: Measurement,
    /// The cancels between them, DELETE `/api/v3/order`, in the same time.
    pub cancels: Measurement,
}

/// Starts `program serve` on free ports with its data in a fresh folder under `parent`, opens accounts, and puts `load` on it.
/// The server is gone, and the folder with it, when this returns.
pub fn run(program: &Path, parent: &Path, load: &Load) -> Result<Rest, RemoteError> {
    allow_files(load.connections)?;
    let folder = fresh_folder(parent)?;
    let server = Server::start(program, folder.path(), &Setup::for_connections(load.connections))?;
    LocalSet::new().block_on(&one_thread()?, measure(&server, load))
}

async fn measure(server: &Server, load: &Load) -> Result<Rest, RemoteError> {
    let mut traders = Vec::with_capacity(load.connections);
    let mut operator = Operator::open(&server.admin).await?;
    for number in 0..load.connections {
        let trader = Trader::open(number, &mut operator).await?;
        traders.push((Connection::open(&server.public).await?, trader));
    }
    let (traders, _, _) = together(traders, (load.orders / 10).max(1)).await?;
    let before = (server.processor_time(), processor_time("self"));
    let (_, mut found, elapsed) = together(traders, load.orders).await?;
    let used = |after: Option<Duration>, before: Option<Duration>| after?.checked_sub(before?);
    found.server_time = used(server.processor_time(), before.0);
    found.generator_time = used(processor_time("self"), before.1);
    Ok(found.report(load, elapsed))
}

/// What the answers were.
struct Tally {
    order_nanos: Histogram<u64>,
    cancel_nanos: Histogram<u64>,
    orders: u64,
    cancels: u64,
    orders_refused: u64,
    cancels_refused: u64,
    /// Orders that were meant to trade at once, and those that did.
    takes: u64,
    filled: u64,
    /// Of orders.
    request_bytes: u64,
    answer_bytes: u64,
    /// Of the processors, by both sides.
    server_time: Option<Duration>,
    generator_time: Option<Duration>,
    first_refusal: Option<String>,
}

impl Default for Tally {
    fn default() -> Self {
        let nanos = || Histogram::new(3).expect("three digits");
        Self {
            order_nanos: nanos(),
            cancel_nanos: nanos(),
            orders: 0,
            cancels: 0,
            orders_refused: 0,
            cancels_refused: 0,
            takes: 0,
            filled: 0,
            request_bytes: 0,
            answer_bytes: 0,
            server_time: None,
            generator_time: None,
            first_refusal: None,
        }
    }
}

impl Tally {
    fn count(&mut self, kind: Kind, nanos: u64, request_bytes: usize, answer: &Answer<'_>) {
        let refused = u64::from(answer.status != 200);
        if refused == 1 && self.first_refusal.is_none() {
            self.first_refusal = Some(answer.to_string());
        }
        if kind == Kind::Cancel {
            self.cancels += 1;
            self.cancels_refused += refused;
            self.cancel_nanos.record(nanos).expect("it grows as it must");
            return;
        }
        self.orders += 1;
        self.orders_refused += refused;
        self.order_nanos.record(nanos).expect("it grows as it must");
        self.request_bytes += u64::try_from(request_bytes).expect("fits");
        self.answer_bytes += u64::try_from(answer.bytes).expect("fits");
        if kind == Kind::Take {
            self.takes += 1;
            self.filled += u64::from(answer.says("\"status\":\"FILLED\""));
        }
    }

    fn add(&mut self, other: Self) {
        self.order_nanos.add(other.order_nanos).expect("both grow as they must");
        self.cancel_nanos.add(other.cancel_nanos).expect("both grow as they must");
        self.orders += other.orders;
        self.cancels += other.cancels;
        self.orders_refused += other.orders_refused;
        self.cancels_refused += other.cancels_refused;
        self.takes += other.takes;
        self.filled += other.filled;
        self.request_bytes += other.request_bytes;
        self.answer_bytes += other.answer_bytes;
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
    }

    fn report(self, load: &Load, elapsed: Duration) -> Rest {
        let name = |what| match load.connections {
            1 => format!("REST, one at a time: {what}"),
            many => format!("REST, {many} connections: {what}"),
        };
        let each = |bytes: u64| bytes / self.orders.max(1);
        let micros = |time: Duration| {
            let requests = u128::from(self.orders + self.cancels).max(1);
            (time.as_micros() / requests).to_string()
        };
        let mut remarks = vec![
            format!(
                "of 8 orders 4 rest near the touch, 2 far off, and 2 trade at once ({} of {} did), with 2 cancels",
                self.filled, self.takes
            ),
            format!(
                "a signed order has {} bytes, its answer {}, heads included",
                each(self.request_bytes),
                each(self.answer_bytes)
            ),
            "the load generator has 1 thread, and each connection waits for its answer".to_owned(),
        ];
        if let (Some(server), Some(generator)) = (self.server_time, self.generator_time) {
            remarks.push(format!(
                "a request takes {} us of processor time in the server, and {} us in the load generator",
                micros(server),
                micros(generator)
            ));
        }
        remarks.extend(self.first_refusal.map(|refusal| format!("the first refusal: {refusal}")));
        let measured = Measurement::new(name("orders"), self.orders, elapsed, self.orders_refused)
            .with_latency(&self.order_nanos)
            .with_remark(remarks.join("; "));
        let orders = if load.connections == 1 {
            measured
        } else {
            let target = Target::per_second(&measured, 40_000.0);
            measured.with_target(target)
        };
        Rest {
            orders,
            cancels: Measurement::new(
                name("cancels beside them"),
                self.cancels,
                elapsed,
                self.cancels_refused,
            )
            .with_latency(&self.cancel_nanos),
        }
    }
}

type Traders = Vec<(Connection, Trader)>;

/// All traders at once, until `orders` were placed by them together.
async fn together(traders: Traders, orders: u64) -> Result<(Traders, Tally, Duration), RemoteError> {
    let left = Rc::new(Cell::new(orders));
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for (connection, trader) in traders {
        tasks.spawn_local(alone(connection, trader, Rc::clone(&left)));
    }
    let (mut traders, mut found) = (Vec::with_capacity(tasks.len()), Tally::default());
    while let Some(ended) = tasks.join_next().await {
        let (connection, trader, tally) = ended.expect("a trader does not panic")?;
        traders.push((connection, trader));
        found.add(tally);
    }
    Ok((traders, found, start.elapsed()))
}

/// One trader, request by request, as long as there are orders `left`.
async fn alone(
    mut connection: Connection,
    mut trader: Trader,
    left: Rc<Cell<u64>>,
) -> Result<(Connection, Trader, Tally), RemoteError> {
    let mut tally = Tally::default();
    loop {
        let kind = trader.kind();
        if kind != Kind::Cancel {
            let Some(others) = left.get().checked_sub(1) else { return Ok((connection, trader, tally)) };
            left.set(others);
        }
        let request_bytes = trader.request().len();
        let start = Instant::now();
        connection.send(trader.request()).await?;
        trader.sign_next();
        let answer = connection.answer().await?;
        let nanos = u64::try_from(start.elapsed().as_nanos()).expect("a run does not take centuries");
        tally.count(kind, nanos, request_bytes, &answer);
    }
}
