//! The whole way over the WebSocket API, durable: a Rialto in a process of its own, and signed orders over connections on which
//! several requests are under way at once.
//!
//! The load is a closed loop with a window: each connection keeps so many requests under way and sends the next when an answer
//! has come. A request is timed from just before it is signed and written until its answer is read; with many under way, most
//! of that is waiting behind the others, so the percentiles tell the window as much as the server. With a window of one they
//! tell what one order takes.
//!
//! Nothing is prepared: each request is written and signed just before it is sent, by the load generator's one thread, so what
//! that needs is part of every figure. Of each answer the id and the status are read, and of those to orders that are meant to
//! trade whether they did.

pub mod open_loop;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::{JoinSet, LocalSet};

use crate::remote::accounts::Operator;
use crate::remote::orders::{Kind, Round};
use crate::remote::server::{Server, Setup, processor_time};
use crate::remote::socket::Scratch;
use crate::remote::trader::{Answered, Trader};
use crate::remote::{RemoteError, allow_files, fresh_folder, one_thread};
use crate::{Measurement, Target};

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections at once, each with accounts of its own. At least 1.
    pub connections: usize,
    /// Requests that a connection has under way at the most. At least 1.
    pub window: usize,
    /// How the server knows whose requests these are.
    pub proof: Proof,
    /// Orders that are measured, over all connections. A tenth as many come before, to warm up. At least 1.
    pub orders: u64,
}

/// How the server knows whose a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Each is signed (HMAC), by an account that buys or one that sells.
    Signed,
    /// Each connection is logged on (Ed25519) with one account, which may also trade with itself.
    LoggedOn,
}

/// What the WebSocket API showed under one load.
pub struct Ws {
    /// The orders, `order.place`.
    pub orders: Measurement,
    /// The cancels between them, `order.cancel`, in the same time.
    pub cancels: Measurement,
}

/// Starts `program serve` on free ports with its data in a fresh folder under `parent`, opens accounts, and puts `load` on it.
/// The server is gone, and the folder with it, when this returns.
pub fn run(program: &Path, parent: &Path, load: &Load) -> Result<Ws, RemoteError> {
    allow_files(load.connections)?;
    let folder = fresh_folder(parent)?;
    let server = Server::start(program, folder.path(), &Setup::for_connections(load.connections))?;
    LocalSet::new().block_on(&one_thread()?, measure(&server, load))
}

async fn measure(server: &Server, load: &Load) -> Result<Ws, RemoteError> {
    let mut clients = Vec::with_capacity(load.connections);
    let mut operator = Operator::open(&server.admin).await?;
    let scratch = Rc::new(RefCell::new(Scratch::new()));
    for number in 0..load.connections {
        clients.push(Client::open(number, load, server, &mut operator, &scratch).await?);
    }
    let (clients, _, _) = together(clients, (load.orders / 10).max(1), &scratch).await?;
    let before = (server.processor_time(), processor_time("self"));
    let (_, mut found, elapsed) = together(clients, load.orders, &scratch).await?;
    let used = |after: Option<Duration>, before: Option<Duration>| after?.checked_sub(before?);
    found.server_time = used(server.processor_time(), before.0);
    found.generator_time = used(processor_time("self"), before.1);
    Ok(found.report(load, elapsed))
}

/// What the answers were.
struct Tally {
    order_nanos: Histogram<u64>,
    cancel_nanos: Histogram<u64>,
    refused: Refused,
    /// Orders that were meant to trade at once, and those that did.
    takes: u64,
    filled: u64,
    /// Of orders.
    request_bytes: u64,
    answer_bytes: u64,
    /// Of the processors, by both sides.
    server_time: Option<Duration>,
    generator_time: Option<Duration>,
}

/// What was said no to.
#[derive(Default)]
struct Refused {
    orders: u64,
    cancels: u64,
    first: Option<String>,
}

impl Tally {
    fn new() -> Self {
        let nanos = || Histogram::new(3).expect("three digits");
        Self {
            order_nanos: nanos(),
            cancel_nanos: nanos(),
            refused: Refused::default(),
            takes: 0,
            filled: 0,
            request_bytes: 0,
            answer_bytes: 0,
            server_time: None,
            generator_time: None,
        }
    }

    fn count(&mut self, answered: &Answered<'_>) {
        let &Answered { kind, nanos, request_bytes, status, text: answer } = answered;
        let refused = u64::from(status != 200);
        if refused == 1 && self.refused.first.is_none() {
            self.refused.first = Some(String::from_utf8_lossy(answer).into_owned());
        }
        if kind == Kind::Cancel {
            self.refused.cancels += refused;
            self.cancel_nanos.record(nanos).expect("it grows as it must");
            return;
        }
        self.refused.orders += refused;
        self.order_nanos.record(nanos).expect("it grows as it must");
        self.request_bytes += u64::try_from(request_bytes).expect("fits");
        self.answer_bytes += u64::try_from(answer.len()).expect("fits");
        if kind == Kind::Take {
            self.takes += 1;
            self.filled += u64::from(answered.says("\"status\":\"FILLED\""));
        }
    }

    fn add(&mut self, other: Self) {
        self.order_nanos.add(other.order_nanos).expect("both grow as they must");
        self.cancel_nanos.add(other.cancel_nanos).expect("both grow as they must");
        self.refused.orders += other.refused.orders;
        self.refused.cancels += other.refused.cancels;
        self.refused.first = self.refused.first.take().or(other.refused.first);
        self.takes += other.takes;
        self.filled += other.filled;
        self.request_bytes += other.request_bytes;
        self.answer_bytes += other.answer_bytes;
    }

    fn report(self, load: &Load, elapsed: Duration) -> Ws {
        let (orders, cancels) = (self.order_nanos.len(), self.cancel_nanos.len());
        let single = load.connections == 1 && load.window == 1;
        let (api, sends) = match load.proof {
            Proof::Signed => ("WebSocket API", "signs each request before it sends it"),
            Proof::LoggedOn => ("WebSocket API, logged on", "signs nothing: each connection is logged on"),
        };
        let name = |what| {
            if single {
                return format!("{api}, one at a time: {what}");
            }
            format!("{api}, {} connections: {what}", load.connections)
        };
        let each = |bytes: u64| bytes / orders.max(1);
        let micros = |time: Duration| (time.as_micros() / u128::from(orders + cancels).max(1)).to_string();
        let mut remarks = match load.window {
            1 => vec!["each request waits for the answer to the one before".to_owned()],
            window => vec![format!("up to {window} requests are under way on each connection")],
        };
        remarks.extend([
            format!(
                "of 8 orders 4 rest near the touch, 2 far off, and 2 trade at once ({} of {} did), with 2 cancels",
                self.filled, self.takes
            ),
            format!(
                "an order has {} bytes, its answer {}",
                each(self.request_bytes),
                each(self.answer_bytes)
            ),
            format!("the load generator has 1 thread and {sends}"),
        ]);
        if let (Some(server), Some(generator)) = (self.server_time, self.generator_time) {
            remarks.push(format!(
                "a request takes {} us of processor time in the server, and {} us in the load generator",
                micros(server),
                micros(generator)
            ));
        }
        remarks.extend(self.refused.first.map(|refusal| format!("the first refusal: {refusal}")));
        let measured = Measurement::new(name("orders"), orders, elapsed, self.refused.orders)
            .with_latency(&self.order_nanos)
            .with_remark(remarks.join("; "));
        let target =
            if single { Target::p50_us(&measured, 350.0) } else { Target::per_second(&measured, 100_000.0) };
        Ws {
            orders: measured.with_target(target),
            cancels: Measurement::new(name("cancels beside them"), cancels, elapsed, self.refused.cancels)
                .with_latency(&self.cancel_nanos),
        }
    }
}

/// One client.
struct Client {
    trader: Trader,
    round: Round,
    /// Requests that may be under way.
    window: usize,
}

impl Client {
    async fn open(
        number: usize,
        load: &Load,
        server: &Server,
        operator: &mut Operator,
        scratch: &RefCell<Scratch>,
    ) -> Result<Self, RemoteError> {
        let trader = match load.proof {
            Proof::Signed => Trader::open(number, &server.public, operator).await?,
            Proof::LoggedOn => Trader::log_on(number, &server.public, operator, scratch).await?,
        };
        Ok(Self { trader, round: Round::new(number), window: load.window })
    }

    /// Keeps the window full as long as there are orders `left`, then waits for the answers that are missing.
    async fn go_on(&mut self, left: &Cell<u64>, scratch: &RefCell<Scratch>) -> Result<Tally, RemoteError> {
        let mut tally = Tally::new();
        loop {
            while self.trader.under_way() < self.window && self.may_send(left) {
                self.trader.put(self.round.next());
            }
            if self.trader.under_way() == 0 {
                return Ok(tally);
            }
            self.trader.flush().await?;
            self.trader.answers(scratch, |answered| tally.count(answered)).await?;
        }
    }

    /// Whether there is something to send: cancels do not count.
    fn may_send(&self, left: &Cell<u64>) -> bool {
        if self.round.kind() == Kind::Cancel {
            return true;
        }
        let others = left.get().checked_sub(1);
        left.set(others.unwrap_or(0));
        others.is_some()
    }
}

/// All clients at once, until `orders` were placed by them together.
async fn together(
    clients: Vec<Client>,
    orders: u64,
    scratch: &Rc<RefCell<Scratch>>,
) -> Result<(Vec<Client>, Tally, Duration), RemoteError> {
    let left = Rc::new(Cell::new(orders));
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for mut client in clients {
        let (left, scratch) = (Rc::clone(&left), Rc::clone(scratch));
        tasks.spawn_local(async move { client.go_on(&left, &scratch).await.map(|tally| (client, tally)) });
    }
    let (mut clients, mut found) = (Vec::with_capacity(tasks.len()), Tally::new());
    while let Some(ended) = tasks.join_next().await {
        let (client, tally) = ended.expect("a client does not panic")?;
        clients.push(client);
        found.add(tally);
    }
    Ok((clients, found, start.elapsed()))
}
