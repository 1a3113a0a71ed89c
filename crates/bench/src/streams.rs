//! Market-data streams: many subscribers of one busy market, each with depth and trades.
//!
//! One thread trades at a fixed rate, whatever the answers do; another reads for all subscribers. Of every message of every
//! subscriber its place in line is read: an update of the book begins where the one before ended, a trade has the number
//! after the one before. Some subscribers also keep all updates, from which the book is rebuilt as clients do it, and compared
//! with the one that REST shows when all is quiet.
//!
//! Delays are from the server's time in the message to its arrival; both clocks are the same machine's. An update of the book
//! tells when it was made, not when the changes in it happened; so it is shown twice: from its own time, and from the time of
//! the update before, which is older than the oldest change in it.

mod flow;
mod subscriber;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::remote::http::Connection;
use crate::remote::server::{SYMBOL, Server, Setup, processor_time};
use crate::remote::socket::{Scratch, Socket};
use crate::remote::{RemoteError, allow_files, fresh_folder, one_thread};
use crate::{Measurement, Target};
pub(crate) use flow::{Sent, trade};
use subscriber::{Delays, Subscriber, read};
pub(crate) use subscriber::{depth_head, trade_head};

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// WebSocket connections, each with `@depth@100ms` and `@trade` of the market. At least 1.
    pub subscribers: usize,
    /// Orders and cancels that are sent in a second. At least 100.
    pub events_per_s: u64,
    /// Of those, orders that trade. At least 1, at most a fourth of the events.
    pub trades_per_s: u64,
    /// How long it is measured. Two seconds come before, to warm up.
    pub seconds: u64,
}

/// Subscribers that keep all updates.
const REBUILDING: usize = 3;
/// What comes before the measurement.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long nothing must have happened, until what still comes is taken to be nothing.
const QUIET: Duration = Duration::from_secs(1);
/// Connections that are opened at once.
const OPENED_AT_ONCE: usize = 64;

/// Starts `program serve` on free ports with its data in a fresh folder under `parent`, trades, and reads. The server is gone,
/// and the folder with it, when this returns.
pub fn run(program: &Path, parent: &Path, load: &Load) -> Result<Vec<Measurement>, RemoteError> {
    allow_files(load.subscribers)?;
    let folder = fresh_folder(parent)?;
    let setup = Setup { max_connections: load.subscribers + 100, ..Setup::default() };
    let server = Server::start(program, folder.path(), &setup)?;
    LocalSet::new().block_on(&one_thread()?, measure(&server, load))
}

/// A source address for each thousand connections or so, so that there are ports for all of them.
pub(crate) fn source(number: usize) -> IpAddr {
    let last = u8::try_from(2 + number % 32).expect("fits");
    Ipv4Addr::new(127, 0, 0, last).into()
}

async fn measure(server: &Server, load: &Load) -> Result<Vec<Measurement>, RemoteError> {
    let symbol = SYMBOL.to_lowercase();
    let path = format!("/ws/{symbol}@depth@100ms/{symbol}@trade");
    let scratch = Rc::new(RefCell::new(Scratch::new()));
    let delays = Rc::new(RefCell::new(Delays::new()));
    let mut subscribers = Vec::with_capacity(load.subscribers);
    for first in (0..load.subscribers).step_by(OPENED_AT_ONCE) {
        let numbers = first..load.subscribers.min(first + OPENED_AT_ONCE);
        let mut opening = Vec::new();
        for number in numbers {
            let (address, path) = (server.public.clone(), path.clone());
            opening.push((
                number,
                tokio::task::spawn_local(
                    async move { Socket::open(&address, &path, Some(source(number))).await },
                ),
            ));
        }
        for (number, opened) in opening {
            let socket = opened.await.expect("opening does not panic")?;
            let subscriber = Rc::new(RefCell::new(Subscriber::new(number < REBUILDING)));
            tokio::task::spawn_local(read(
                socket,
                Rc::clone(&subscriber),
                Rc::clone(&delays),
                Rc::clone(&scratch),
            ));
            subscribers.push(subscriber);
        }
    }

    let stop = Arc::new(AtomicBool::new(false));
    let trading = {
        let (stop, public, admin) = (Arc::clone(&stop), server.public.clone(), server.admin.clone());
        let (events_per_s, trades_per_s) = (load.events_per_s, load.trades_per_s);
        thread::spawn(move || trade(&public, &admin, events_per_s, trades_per_s, &stop))
    };
    sleep(WARM_UP).await;
    let snapshot = depth(server).await?;
    let trading_before = Instant::now();
    let before = (server.processor_time(), processor_time("self"));
    delays.borrow_mut().begin();
    sleep(Duration::from_secs(load.seconds)).await;
    delays.borrow_mut().end();
    let used = |after: Option<Duration>, before: Option<Duration>| after?.checked_sub(before?);
    let times = (used(server.processor_time(), before.0), used(processor_time("self"), before.1));
    let elapsed = trading_before.elapsed();
    stop.store(true, Ordering::Relaxed);
    while !trading.is_finished() {
        sleep(Duration::from_millis(10)).await;
    }
    let sent = trading.join().expect("trading does not panic")?;
    loop {
        let before = delays.borrow().messages();
        sleep(QUIET).await;
        if delays.borrow().messages() == before {
            break;
        }
    }
    let last = depth(server).await?;
    let subscribers: Vec<_> = subscribers.iter().map(|subscriber| subscriber.borrow()).collect();
    let mut harm: Vec<String> = Vec::new();
    let mut out_of_step = 0;
    for (number, subscriber) in subscribers.iter().enumerate() {
        if let Some(problem) = subscriber.problem(last.update) {
            out_of_step += 1;
            harm.push(format!("subscriber {number}: {problem}"));
        } else if subscriber.last_trade() != subscribers[0].last_trade() {
            out_of_step += 1;
            harm.push(format!("subscriber {number} has another last trade than the first"));
        } else if let Some(Err(problem)) = subscriber.rebuilt(&snapshot, &last) {
            out_of_step += 1;
            harm.push(format!("subscriber {number}: {problem}"));
        }
    }
    let found = delays.borrow();
    Ok(report(load, &found, &sent, elapsed, out_of_step, &harm, times))
}

fn report(
    load: &Load,
    delays: &Delays,
    sent: &Sent,
    elapsed: Duration,
    out_of_step: u64,
    harm: &[String],
    (server_time, generator_time): (Option<Duration>, Option<Duration>),
) -> Vec<Measurement> {
    let name = |what: &str| format!("streams, {} subscribers: {what}", load.subscribers);
    let cores = |time: Option<Duration>| time.map_or(0.0, |time| time.as_secs_f64() / elapsed.as_secs_f64());
    let events = Measurement::new("streams: order events in", sent.events, sent.elapsed, sent.refused)
        .with_latency(&sent.nanos)
        .with_remark(format!(
            "wanted are {} a second, of which {} trade ({} of {} did); half \
             of the rest are orders within 250 ticks of the touch, half are cancels{}",
            load.events_per_s,
            load.trades_per_s,
            sent.filled,
            sent.takes,
            sent.first_refusal
                .as_ref()
                .map_or_else(String::new, |first| format!("; the first refusal: {first}"))
        ));
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let wanted = Target::per_second(&events, load.events_per_s as f64 * 0.99);
    let mut remarks = vec![
        format!(
            "of {} subscribers {out_of_step} fell out of step; {} of them rebuilt the book",
            load.subscribers,
            REBUILDING.min(load.subscribers)
        ),
        format!(
            "an update of the book has {} bytes, a trade {}",
            delays.depth.mean_bytes(),
            delays.trades.mean_bytes()
        ),
        format!(
            "processors: server {:.2} cores, load generator {:.2}",
            cores(server_time),
            cores(generator_time)
        ),
    ];
    remarks.extend(harm.iter().take(3).cloned());
    let depth = Measurement::new(name("depth"), delays.depth.messages, elapsed, out_of_step)
        .with_latency(&delays.depth.nanos)
        .with_remark(remarks.join("; "));
    let oldest = Measurement::new(name("oldest change"), delays.depth.messages, elapsed, out_of_step)
        .with_latency(&delays.oldest_nanos)
        .with_remark("the delay of an update from the time of the update before it".to_owned());
    let trades = Measurement::new(name("trades"), delays.trades.messages, elapsed, out_of_step)
        .with_latency(&delays.trades.nanos);
    let targets = [&depth, &trades].map(|found| Target::p99_ms(found, 150.0));
    let [of_depth, of_trades] = targets;
    vec![events.with_target(wanted), depth.with_target(of_depth), oldest, trades.with_target(of_trades)]
}

/// The book as REST shows it.
pub(crate) struct Book {
    /// The last update in it.
    pub(crate) update: u64,
    pub(crate) bids: Vec<[String; 2]>,
    pub(crate) asks: Vec<[String; 2]>,
}

async fn depth(server: &Server) -> Result<Book, RemoteError> {
    let mut connection = Connection::open(&server.public).await?;
    let answer = connection.get(&format!("/api/v3/depth?symbol={SYMBOL}&limit=5000")).await?;
    let strange = || RemoteError::Answer(format!("no book: {answer}"));
    let book: serde_json::Value = serde_json::from_slice(answer.body).map_err(|_| strange())?;
    let side = |name: &str| serde_json::from_value(book[name].clone()).map_err(|_| strange());
    Ok(Book {
        update: book["lastUpdateId"].as_u64().ok_or_else(strange)?,
        bids: side("bids")?,
        asks: side("asks")?,
    })
}

/// An empty histogram of nanoseconds.
pub(crate) fn nanos() -> Histogram<u64> {
    Histogram::new(3).expect("three digits")
}
