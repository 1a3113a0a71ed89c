//! Many at once: thousands of WebSocket connections with ten streams each and thousands of REST connections that stay open,
//! first by themselves, then beside clients that do what they must not (`harmful`). What is asked: that nothing is dropped, that
//! every stream goes on without a gap, that REST answers, and how much memory the server needs for it.

mod harmful;
mod listener;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, sleep_until};

use crate::remote::http::Connection;
use crate::remote::server::{SYMBOL, Server, Setup};
use crate::remote::socket::{Scratch, Socket};
use crate::remote::{RemoteError, allow_files, fresh_folder, one_thread};
use crate::streams::{nanos, source, trade};
use crate::{Measurement, Target};
use harmful::{Harm, harm};
use listener::{Listener, STREAMS, listen};

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// WebSocket connections, each with ten streams of two markets. At least 1.
    pub sockets: usize,
    /// REST connections, each of which asks something about every two seconds. At least 1.
    pub rest: usize,
    /// Orders and cancels a second in the market that is traded on. At least 10; a tenth of them trade.
    pub events_per_s: u64,
    /// Connections that harmful clients open and close in a second.
    pub storm_per_s: u64,
    /// How long each half is measured, without harmful clients and with them. At least 1.
    pub seconds: u64,
}

/// Markets besides the one that is traded on.
const OTHER_MARKETS: usize = 8;
/// How often a REST connection asks.
const PAUSE: Duration = Duration::from_secs(2);
/// Connections that are opened at once.
const OPENED_AT_ONCE: usize = 64;
/// How long everybody has to be told something, after everybody was there, before it is measured.
const SETTLING: Duration = Duration::from_secs(2);
/// Memory that the server may hold.
const MOST_MEMORY_KIB: u64 = 2 << 20;

/// Starts `program serve` on free ports with its data in a fresh folder under `parent`, and connects everybody. The server is
/// gone, and the folder with it, when this returns.
pub fn run(program: &Path, parent: &Path, load: &Load) -> Result<Vec<Measurement>, RemoteError> {
    let connections = load.sockets + load.rest + harmful::MOST_CONNECTIONS;
    allow_files(connections)?;
    let folder = fresh_folder(parent)?;
    let setup = Setup { max_connections: connections, other_markets: OTHER_MARKETS, ..Setup::default() };
    let server = Server::start(program, folder.path(), &setup)?;
    LocalSet::new().block_on(&one_thread()?, measure(server, load))
}

/// What all listeners share.
struct Shared {
    scratch: RefCell<Scratch>,
    messages: RefCell<u64>,
}

/// What the REST connections saw since it was last looked at.
struct Rest {
    nanos: Histogram<u64>,
    failed: u64,
    first_failure: Option<String>,
}

/// What the thread of the REST connections tells.
struct Asked {
    /// All are.
    connected: AtomicBool,
    seen: Mutex<Rest>,
}

impl Asked {
    fn seen(&self) -> MutexGuard<'_, Rest> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    fn nothing() -> Self {
        Self { nanos: nanos(), failed: 0, first_failure: None }
    }

    fn failed(&mut self, why: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(why);
    }
}

async fn measure(mut server: Server, load: &Load) -> Result<Vec<Measurement>, RemoteError> {
    let shared = Rc::new(Shared { scratch: RefCell::new(Scratch::new()), messages: RefCell::new(0) });
    let memory_alone = server.memory_kib().unwrap_or(0);
    let opening = Instant::now();
    let listeners = connect_listeners(&server, load.sockets, &shared).await?;
    let stop = Arc::new(AtomicBool::new(false));
    // A thread of its own, so that what a client of REST sees is not the load generator's own reading of the streams.
    let (rest, asking) = {
        let rest = Arc::new(Asked { connected: AtomicBool::new(false), seen: Mutex::new(Rest::nothing()) });
        let (stop, public, shared) = (Arc::clone(&stop), server.public.clone(), Arc::clone(&rest));
        let connections = load.rest;
        (rest, thread::spawn(move || ask_all(&public, connections, &shared, &stop)))
    };
    while !rest.connected.load(Ordering::Relaxed) && !asking.is_finished() {
        sleep(Duration::from_millis(10)).await;
    }
    let opened = opening.elapsed();
    let trading = {
        let (stop, public, admin) = (Arc::clone(&stop), server.public.clone(), server.admin.clone());
        let events_per_s = load.events_per_s;
        thread::spawn(move || trade(&public, &admin, events_per_s, (events_per_s / 10).max(1), &stop))
    };
    sleep(SETTLING).await;

    let alone = half(&server, load, &shared, &rest).await;
    let harming = {
        let (stop, public, storm_per_s) = (Arc::clone(&stop), server.public.clone(), load.storm_per_s);
        thread::spawn(move || harm(&public, storm_per_s, &stop))
    };
    let beside = half(&server, load, &shared, &rest).await;
    stop.store(true, Ordering::Relaxed);
    while !(trading.is_finished() && harming.is_finished() && asking.is_finished()) {
        sleep(Duration::from_millis(10)).await;
    }
    let traded = trading.join().expect("trading does not panic")?;
    let harm = harming.join().expect("harming does not panic")?;
    asking.join().expect("asking does not panic")?;
    // What the streams have still to tell.
    sleep(SETTLING).await;

    let problems: Vec<String> = listeners.iter().filter_map(|listener| listener.borrow().problem()).collect();
    let dropped = u64::try_from(problems.len()).expect("fits");
    if let Some(ended) = server.ended() {
        return Err(RemoteError::Answer(format!("the server has ended: {ended}")));
    }
    Ok(report(
        load,
        &Found { memory_alone, opened, alone, beside, harm, dropped, problems, refused: traded.refused },
    ))
}

/// One half of the measurement.
struct Half {
    rest: Rest,
    elapsed: Duration,
    messages: u64,
    most_memory_kib: u64,
}

async fn half(server: &Server, load: &Load, shared: &Shared, rest: &Asked) -> Half {
    *rest.seen() = Rest::nothing();
    let (start, messages) = (Instant::now(), *shared.messages.borrow());
    let mut most_memory_kib = 0;
    for _ in 0..load.seconds * 2 {
        sleep(Duration::from_millis(500)).await;
        most_memory_kib = most_memory_kib.max(server.memory_kib().unwrap_or(0));
    }
    Half {
        rest: std::mem::replace(&mut *rest.seen(), Rest::nothing()),
        elapsed: start.elapsed(),
        messages: *shared.messages.borrow() - messages,
        most_memory_kib,
    }
}

struct Found {
    memory_alone: u64,
    opened: Duration,
    alone: Half,
    beside: Half,
    harm: Harm,
    dropped: u64,
    problems: Vec<String>,
    refused: u64,
}

fn report(load: &Load, found: &Found) -> Vec<Measurement> {
    let Found { memory_alone, opened, alone, beside, harm, dropped, problems, refused } = found;
    let connections = u64::try_from(load.sockets + load.rest).expect("fits");
    let most_memory_kib = alone.most_memory_kib.max(beside.most_memory_kib);
    let figures = [
        ("connections", connections),
        ("dropped", *dropped),
        ("memory_alone_kib", *memory_alone),
        ("memory_kib", most_memory_kib),
        ("memory_each_bytes", alone.most_memory_kib.saturating_sub(*memory_alone) * 1_024 / connections),
        ("orders_refused", *refused),
        ("storm_connections", harm.storm_connections),
        ("garbage_connections", harm.garbage_connections),
        ("abandoned_sockets", harm.abandoned),
        ("idle_connections", harm.idle_connections),
        ("half_frames", harm.half_frames),
        ("slow_readers", harm.slow_readers),
        ("greedy", harm.greedy),
        ("greedy_dropped", harm.greedy_dropped),
    ];
    let rest = |half: &Half, what: &str| {
        let name = format!("many, REST on {} connections: {what}", load.rest);
        let measured = Measurement::new(name, half.rest.nanos.len(), half.elapsed, half.rest.failed)
            .with_latency(&half.rest.nanos);
        match &half.rest.first_failure {
            Some(failure) => measured.with_remark(format!("the first failure: {failure}")),
            None => measured,
        }
    };
    let streams = |half: &Half, what: &str| {
        let name = format!("many, {} sockets x {STREAMS}: {what}", load.sockets);
        Measurement::new(name, half.messages, half.elapsed, *dropped)
    };
    let mut remarks = vec![
        format!(
            "the server holds {} MiB at the most with {connections} connections ({} MiB before them, {} KiB for each)",
            most_memory_kib >> 10,
            memory_alone >> 10,
            alone.most_memory_kib.saturating_sub(*memory_alone) / connections
        ),
        format!(
            "{dropped} sockets were dropped or missed something; all were open after {:.1} s",
            opened.as_secs_f64()
        ),
        format!("{} orders and cancels a second came in", load.events_per_s),
        format!(
            "beside them {} connections were opened and closed ({} of them sent garbage, {} were gone before they became the WebSocket \
             that they asked for), {} sent nothing, {} sent half a frame, {} read nothing of their streams, {} asked the WebSocket API for megabytes and read nothing ({} of those were dropped)",
            harm.storm_connections,
            harm.garbage_connections,
            harm.abandoned,
            harm.idle_connections,
            harm.half_frames,
            harm.slow_readers,
            harm.greedy,
            harm.greedy_dropped
        ),
    ];
    remarks.extend(problems.iter().take(3).cloned());
    let met = most_memory_kib <= MOST_MEMORY_KIB && *dropped == 0 && beside.rest.failed == 0;
    vec![
        rest(alone, "alone"),
        streams(alone, "alone"),
        rest(beside, "harm"),
        streams(beside, "harm")
            .with_target(Target { wanted: "none dropped, 2 GiB".to_owned(), met })
            .with_figures(figures)
            .with_remark(remarks.join("; ")),
    ]
}

async fn connect_listeners(
    server: &Server,
    sockets: usize,
    shared: &Rc<Shared>,
) -> Result<Vec<Rc<RefCell<Listener>>>, RemoteError> {
    let mut listeners = Vec::with_capacity(sockets);
    for first in (0..sockets).step_by(OPENED_AT_ONCE) {
        let opening = (first..sockets.min(first + OPENED_AT_ONCE)).map(|number| {
            let other = format!("c{}usdt", 1 + number % OTHER_MARKETS);
            let (address, path) = (server.public.clone(), listener::path(&SYMBOL.to_lowercase(), &other));
            spawn_local(async move { Socket::open(&address, &path, Some(source(number))).await })
        });
        for opened in opening.collect::<Vec<_>>() {
            let socket = opened.await.expect("opening does not panic")?;
            let listener = Rc::new(RefCell::new(Listener::default()));
            spawn_local(listen(socket, Rc::clone(&listener), Rc::clone(shared)));
            listeners.push(listener);
        }
    }
    Ok(listeners)
}

/// Asks over all REST connections until `stop` is true.
fn ask_all(
    address: &str,
    connections: usize,
    asked: &Arc<Asked>,
    stop: &AtomicBool,
) -> Result<(), RemoteError> {
    LocalSet::new().block_on(&one_thread()?, async {
        for number in 0..connections {
            let connection = Connection::open_from(address, Some(source(number))).await?;
            let part = u32::try_from(number).expect("fits");
            let first = PAUSE * part / u32::try_from(connections).expect("fits");
            spawn_local(ask(connection, number, first, Arc::clone(asked)));
        }
        asked.connected.store(true, Ordering::Relaxed);
        while !stop.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    })
}

/// Asks now and then, as long as somebody wants to know.
async fn ask(mut connection: Connection, number: usize, first: Duration, asked: Arc<Asked>) {
    const PATHS: [&str; 4] = [
        "/api/v3/depth?symbol=BTCUSDT&limit=20",
        "/api/v3/ticker/24hr?symbol=BTCUSDT",
        "/api/v3/trades?symbol=BTCUSDT&limit=20",
        "/api/v3/time",
    ];
    let mut due = tokio::time::Instant::now() + first;
    for path in PATHS.iter().cycle().skip(number % PATHS.len()) {
        sleep_until(due).await;
        due += PAUSE;
        let start = Instant::now();
        let answer = connection.get(path).await;
        let nanos = u64::try_from(start.elapsed().as_nanos()).expect("a run does not take centuries");
        match answer {
            Ok(answer) if answer.status == 200 => {
                asked.seen().nanos.record(nanos).expect("it grows as it must");
            }
            Ok(answer) => asked.seen().failed(answer.to_string()),
            Err(error) => return asked.seen().failed(error.to_string()),
        }
    }
}
