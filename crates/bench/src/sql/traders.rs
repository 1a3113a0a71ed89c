//! Traders over the WebSocket API who send as fast as somebody lets them: an allowance of orders that is filled at a fixed rate, or
//! that has no end but is shut while the database is too far behind.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval};

use crate::remote::RemoteError;
use crate::remote::accounts::Operator;
use crate::remote::metrics::Metrics;
use crate::remote::orders::{Kind, Round};
use crate::remote::server::Server;
use crate::remote::socket::Scratch;
use crate::remote::trader::{Answered, Trader, Venue};

/// Requests that a connection has under way at the most.
const WINDOW: usize = 16;
/// How often an allowance is filled.
const TICK: Duration = Duration::from_millis(1);
/// How often it is looked how far the database is behind.
const LOOK: Duration = Duration::from_millis(20);
/// With more lag than this nothing is sent. A transaction that is under way then has to end before the lag is less.
const SHUT_AT_S: f64 = 0.3;

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// So many orders a second.
    Rate(u64),
    /// As fast as the exchange answers, and its writer follows, if it has one.
    Follow,
}

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// So long.
    Time(Duration),
    /// Until so many orders were sent.
    Orders(u64),
}

/// Connections with accounts.
pub(crate) struct Traders {
    all: Vec<One>,
    scratch: Rc<RefCell<Scratch>>,
}

struct One {
    trader: Trader,
    round: Round,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traded {
    pub(crate) orders: u64,
    pub(crate) cancels: u64,
    /// Orders that were meant to trade at once and did.
    pub(crate) filled: u64,
    pub(crate) refused: u64,
    pub(crate) first_refusal: Option<String>,
    /// The oldest that an event was that was not in the database, in seconds.
    pub(crate) highest_lag_s: f64,
    /// The same when nothing more was sent.
    pub(crate) last_lag_s: f64,
    /// While orders were sent.
    pub(crate) sending: Duration,
}

impl Traded {
    fn count(&mut self, answered: &Answered<'_>) {
        if answered.kind == Kind::Cancel {
            self.cancels += 1;
        } else {
            self.orders += 1;
        }
        self.filled += u64::from(answered.kind == Kind::Take && answered.says("\"status\":\"FILLED\""));
        if answered.status != 200 {
            self.refused += 1;
            self.first_refusal.get_or_insert_with(|| String::from_utf8_lossy(answered.text).into_owned());
        }
    }

    fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.cancels += other.cancels;
        self.filled += other.filled;
        self.refused += other.refused;
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
    }
}

/// What may be sent.
#[derive(Default)]
struct Allowance {
    orders: Cell<u64>,
    sent: Cell<u64>,
    is_over: Cell<bool>,
    told: Notify,
}

impl Allowance {
    fn take(&self) -> bool {
        let others = if self.is_over.get() { None } else { self.orders.get().checked_sub(1) };
        if let Some(others) = others {
            self.orders.set(others);
            self.sent.set(self.sent.get() + 1);
        }
        others.is_some()
    }

    fn put(&self, orders: u64, waiting: usize) {
        self.orders.set(orders);
        for _ in 0..orders.min(u64::try_from(waiting).expect("fits")) {
            self.told.notify_one();
        }
    }
}

impl Traders {
    /// Connects, with about so many accounts over all connections: at least two for each.
    pub(crate) async fn open(
        venue: Venue,
        server: &Server,
        operator: &mut Operator,
        connections: usize,
        accounts: usize,
    ) -> Result<Self, RemoteError> {
        let pairs = (accounts / 2 / connections).max(1);
        let mut all = Vec::with_capacity(connections);
        for number in 0..connections {
            let trader = Trader::open_for(venue, number, pairs, &server.public, operator).await?;
            all.push(One { trader, round: Round::new(number) });
        }
        Ok(Self { all, scratch: Rc::new(RefCell::new(Scratch::new())) })
    }

    /// Sends until it is enough, and returns when all is answered.
    pub(crate) async fn trade(
        &mut self,
        pace: Pace,
        until: Until,
        metrics: &mut Metrics,
    ) -> Result<Traded, RemoteError> {
        let allowance = Rc::new(Allowance::default());
        let count = self.all.len();
        let mut tasks = JoinSet::new();
        for mut one in self.all.drain(..) {
            let (allowance, scratch) = (Rc::clone(&allowance), Rc::clone(&self.scratch));
            tasks.spawn_local(
                async move { one.go_on(&allowance, &scratch).await.map(|traded| (one, traded)) },
            );
        }
        let filling = match pace {
            Pace::Rate(rate) => Some(spawn_local(fill(Rc::clone(&allowance), rate, count))),
            Pace::Follow => None,
        };
        let began = Instant::now();
        let mut traded = Traded::default();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let shown = metrics.ask().await?;
            traded.last_lag_s = shown.value("rialto_sql_lag_seconds");
            traded.highest_lag_s = traded.highest_lag_s.max(traded.last_lag_s);
            let is_enough = match until {
                Until::Time(time) => began.elapsed() >= time,
                Until::Orders(orders) => allowance.sent.get() >= orders,
            };
            // A connection that has ended by itself has an error.
            if is_enough || tasks.len() < count {
                break;
            }
            if pace == Pace::Follow {
                let shut = traded.last_lag_s > SHUT_AT_S;
                allowance.put(if shut { 0 } else { u64::MAX }, count);
            }
        }
        if let Some(filling) = filling {
            filling.abort();
        }
        allowance.is_over.set(true);
        allowance.told.notify_waiters();
        while let Some(ended) = tasks.join_next().await {
            let (one, its) = ended.expect("a trader does not panic")?;
            self.all.push(one);
            traded.add(its);
        }
        traded.sending = began.elapsed();
        Ok(traded)
    }
}

/// Fills the allowance at a rate, with what is due since the beginning: what could not be sent in time is sent later.
async fn fill(allowance: Rc<Allowance>, per_second: u64, waiting: usize) {
    let began = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut filled = 0;
    loop {
        ticks.tick().await;
        let elapsed_us = u64::try_from(began.elapsed().as_micros()).expect("a run does not take centuries");
        let due = elapsed_us * per_second / 1_000_000;
        allowance.put(allowance.orders.get() + (due - filled), waiting);
        filled = due;
    }
}

impl One {
    async fn go_on(
        &mut self,
        allowance: &Allowance,
        scratch: &RefCell<Scratch>,
    ) -> Result<Traded, RemoteError> {
        let mut traded = Traded::default();
        loop {
            // A cancel belongs to the order before it, and is sent whatever may be.
            while self.trader.under_way() < WINDOW && (self.round.kind() == Kind::Cancel || allowance.take())
            {
                self.trader.put(self.round.next());
            }
            if self.trader.under_way() > 0 {
                self.trader.flush().await?;
                self.trader.answers(scratch, |answered| traded.count(answered)).await?;
                continue;
            }
            if allowance.is_over.get() {
                return Ok(traded);
            }
            allowance.told.notified().await;
        }
    }
}
