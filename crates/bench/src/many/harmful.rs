//! Clients that do what they must not, all at once and without an end until they are told: they open and close, send garbage,
//! send nothing, send half a frame, do not read what they subscribed to, or what they asked for. None of them may harm anybody
//! but itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::remote::orders::Random;
use crate::remote::socket::{Socket, connect};
use crate::remote::{RemoteError, one_thread};

/// Connections that send nothing, that have sent half a frame, and that do not read.
const EACH: usize = 50;
/// Connections that ask for more than is kept for a client.
const GREEDY: usize = 10;
/// How often each of those asks for the whole book: some 20 KB of several hundred levels each time.
const ASKED_AT_ONCE: usize = 900;
const WHOLE_BOOK: &[u8] = br#"{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":5000}}"#;
/// What those send who are gone when they could be told something.
const ABANDONED: &[u8] =
    b"GET /ws/btcusdt@trade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// How long the end of a connection may take to come and to be read, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(5);
/// Storms that may be open at once.
const STORM_AT_ONCE: usize = 400;
/// Everything that may be open at once.
pub(super) const MOST_CONNECTIONS: usize = 3 * EACH + GREEDY + STORM_AT_ONCE + 100;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Harm {
    pub(super) storm_connections: u64,
    /// Of the storm.
    pub(super) garbage_connections: u64,
    /// Of the storm: subscribed to a stream, and gone before the answer.
    pub(super) abandoned: u64,
    pub(super) idle_connections: u64,
    pub(super) half_frames: u64,
    pub(super) slow_readers: u64,
    pub(super) greedy: u64,
    pub(super) greedy_dropped: u64,
}

/// All of them have addresses of their own.
fn source(number: u64) -> IpAddr {
    let last = u8::try_from(100 + number % 100).expect("fits");
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Does harm at `address` until `stop` is true.
pub(super) fn harm(address: &str, storm_per_s: u64, stop: &AtomicBool) -> Result<Harm, RemoteError> {
    LocalSet::new().block_on(&one_thread()?, async {
        let mut harm = Harm::default();
        let mut kept: Vec<TcpStream> = Vec::new();
        let mut greedy = Vec::new();
        for number in 0..EACH {
            let from = Some(source(u64::try_from(number).expect("fits")));
            kept.push(connect(address, from).await?);
            harm.idle_connections += 1;
            let mut half = Socket::open(address, "/ws/btcusdt@trade", from).await?.into_stream();
            // The head of a frame of 300 bytes, and its first three.
            half.write_all(&[0x81, 0xfe, 1, 44, 1, 2, 3, 4, b'a', b'b', b'c']).await?;
            kept.push(half);
            harm.half_frames += 1;
            let streams = "/ws/btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker/btcusdt@depth20@100ms";
            kept.push(Socket::open(address, streams, from).await?.into_stream());
            harm.slow_readers += 1;
        }
        for number in 0..GREEDY {
            let from = Some(source(u64::try_from(number).expect("fits")));
            let mut socket = Socket::open(address, "/ws-api/v3", from).await?;
            for _ in 0..ASKED_AT_ONCE {
                socket.put(|out| out.extend_from_slice(WHOLE_BOOK));
            }
            // It may end only when the server has dropped it, or not at all.
            greedy.push(spawn_local(async move {
                let flushed = socket.flush().await;
                (flushed, socket.into_stream())
            }));
            harm.greedy += 1;
        }
        let start = Instant::now();
        let mut clock = interval(Duration::from_millis(5));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut random = Random::new(7);
        let open = std::rc::Rc::new(std::cell::Cell::new(0));
        while !stop.load(Ordering::Relaxed) {
            clock.tick().await;
            let due = start.elapsed().as_millis() * u128::from(storm_per_s) / 1_000;
            while u128::from(harm.storm_connections) < due && open.get() < STORM_AT_ONCE {
                harm.storm_connections += 1;
                let sent = match harm.storm_connections % 10 {
                    0 => {
                        harm.garbage_connections += 1;
                        rubbish(&mut random)
                    }
                    1..=3 => {
                        harm.abandoned += 1;
                        ABANDONED.to_vec()
                    }
                    _ => Vec::new(),
                };
                let (address, from) = (address.to_owned(), Some(source(harm.storm_connections)));
                let open = std::rc::Rc::clone(&open);
                open.set(open.get() + 1);
                spawn_local(async move {
                    // What becomes of it is nobody's matter.
                    let _ = come_and_go(&address, from, &sent).await;
                    open.set(open.get() - 1);
                });
            }
        }
        for asked in greedy {
            harm.greedy_dropped += u64::from(was_dropped(asked).await);
        }
        drop(kept);
        Ok(harm)
    })
}

/// Opens, sends, and closes without waiting for an answer.
async fn come_and_go(address: &str, from: Option<IpAddr>, sent: &[u8]) -> io::Result<()> {
    let mut stream = connect(address, from).await?;
    if !sent.is_empty() {
        stream.write_all(sent).await?;
    }
    Ok(())
}

/// Bytes that are no request, or only the beginning of one.
fn rubbish(random: &mut Random) -> Vec<u8> {
    match random.below(3) {
        0 => (0..512).map(|_| u8::try_from(random.below(256)).expect("a byte")).collect(),
        1 => b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\nX-Half: ".to_vec(),
        _ => b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec(),
    }
}

/// Whether the server has ended a connection: what was asked cannot be sent, or there is an end behind the answers.
async fn was_dropped(mut asked: JoinHandle<(io::Result<()>, TcpStream)>) -> bool {
    // A server that has much else to do may not have come so far yet.
    let Ok(flushed) = timeout(PATIENCE, &mut asked).await else {
        asked.abort();
        return false;
    };
    let Ok((Ok(()), mut stream)) = flushed else { return true };
    let to_the_end = async {
        let mut buffer = vec![0; 1 << 18];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    timeout(PATIENCE, to_the_end).await.is_ok()
}
