//! One WebSocket connection, driven by one task: frames in, messages out, pings, the end. What the messages mean is decided by
//! a [`Conversation`]. Source: web-socket-streams.md "General WSS information", "WebSocket Limits".
//!
//! A frame of which only a half comes needs no clock of its own: behind it no pong can arrive, so the connection ends with the
//! patience for pongs. What cannot be written ends with the setting `write_timeout`.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::connection::Peer;
use crate::metrics::Counted;
use crate::settings::{GatewaySettings, SocketSettings};
use crate::streams::outbox::Outbox;

/// Bytes of a connection's buffer for reading: requests are short.
const READ_BUFFER_BYTES: usize = 2_048;
/// Bytes that are written at once.
const WRITE_BUFFER_BYTES: usize = 16_384;
/// Frames that are taken in one after the other before other connections have their turn.
const FRAMES_A_TURN: u32 = 8;
/// How long the other end may take to answer a closing frame before the connection is dropped without.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Why a connection ends from this side: the code and the reason of the closing frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Source: RFC 6455, section 7.4.1.
    pub(crate) code: u16,
    /// For those who look.
    pub(crate) reason: &'static str,
}

impl Ending {
    /// The client does what it must not.
    pub(crate) const fn policy(reason: &'static str) -> Self {
        Self { code: close_code::POLICY, reason }
    }

    const AWAY: Self = Self { code: close_code::AWAY, reason: "the server stops" };
    const OLD: Self = Self { code: close_code::AWAY, reason: "connections end after their longest life" };
    const SLOW: Self = Self::policy("messages were not read fast enough");
    const FRAMES: Self = Self::policy("too many frames in a second");
    const BINARY: Self = Self { code: close_code::UNSUPPORTED, reason: "text frames only" };
    const LARGE: Self = Self { code: close_code::SIZE, reason: "message too large" };
    const PROTOCOL: Self = Self { code: close_code::PROTOCOL, reason: "that is no WebSocket" };
    const TEXT: Self = Self { code: close_code::INVALID, reason: "text must be UTF-8" };
    const SILENT: Self = Self::policy("no pong");
}

/// What the messages of a connection mean. Two bodies: the market-data streams, and the WebSocket API.
pub(crate) trait Conversation: Send + 'static {
    /// True when texts count against the setting `max_frames_per_s`, as pings and pongs always do.
    const LIMITS_TEXTS: bool;

    /// Takes in a text. Answers go into the connection's outbox, now or later; the error ends the connection, after all that
    /// waits in the outbox was sent.
    fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Ending>;

    /// False while as much is under way as may be; nothing is read from the client until something of it is done.
    fn wants_more(&self) -> bool {
        true
    }

    /// Goes on with what takes time, until something of it is done; never done while there is nothing to do. It is called again
    /// and again and may be dropped in between, so what is under way must live in `self`.
    fn work(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }

    /// True when nothing is under way. When the server stops, connections end once they are idle.
    fn is_idle(&self) -> bool {
        true
    }

    /// What the client is told before the server stops.
    fn farewell(&self) -> Option<Utf8Bytes>;

    /// How long messages are collected after some were sent.
    fn flush_pause(settings: &SocketSettings) -> Duration;
}

/// Answers a request that wants to become a WebSocket; `begin` makes its conversation once it is one. The connection is driven
/// where its request was.
pub(crate) fn accept<C: Conversation>(
    upgrade: WebSocketUpgrade,
    peer: Arc<Peer>,
    settings: &GatewaySettings,
    begin: impl FnOnce(Arc<Outbox>) -> C + Send + 'static,
) -> Response {
    accept_on(&Handle::current(), upgrade, peer, settings, begin)
}

/// As [`accept`], with the connection driven by the threads of `driven_by`.
pub(crate) fn accept_on<C: Conversation>(
    driven_by: &Handle,
    upgrade: WebSocketUpgrade,
    peer: Arc<Peer>,
    settings: &GatewaySettings,
    begin: impl FnOnce(Arc<Outbox>) -> C + Send + 'static,
) -> Response {
    let driven_by = driven_by.clone();
    let (settings, stop_timeout) = (settings.sockets.clone(), settings.stop_timeout);
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(settings.max_message_bytes)
        .max_frame_size(settings.max_message_bytes)
        .on_upgrade(move |socket| async move {
            driven_by.spawn(async move {
                let _open = Counted::in_(peer.metrics.sockets.clone());
                let outbox = Arc::new(Outbox::new(&settings));
                let conversation = begin(Arc::clone(&outbox));
                let frames = FrameCount::new(settings.max_frames_per_s);
                let pings = Pings::new(&settings);
                let mut driver = Driver {
                    socket,
                    outbox,
                    conversation,
                    taken: Vec::new(),
                    frames,
                    frames_in_turn: 0,
                    pings,
                };
                let over = driver.run(&peer, &settings, stop_timeout).await;
                if driver.outbox.has_overflowed() {
                    peer.metrics.slow_readers.inc();
                }
                driver.close(over).await;
            });
        })
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// It is broken, or takes nothing: nobody is left to be told.
    Broken,
    /// Its client has sent a closing frame.
    ByClient,
    /// This side ends it.
    Ended(Ending),
}

impl Over {
    fn of(error: axum::Error) -> Self {
        use tungstenite::error::{Error, ProtocolError};

        match error.into_inner().downcast_ref::<Error>() {
            Some(Error::Capacity(_)) => Self::Ended(Ending::LARGE),
            Some(Error::Utf8(_)) => Self::Ended(Ending::TEXT),
            Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Broken,
            Some(Error::Protocol(_)) => Self::Ended(Ending::PROTOCOL),
            // All that is left is the socket's trouble.
            Some(_) | None => Self::Broken,
        }
    }
}

struct Driver<C> {
    socket: WebSocket,
    outbox: Arc<Outbox>,
    conversation: C,
    /// Out of the outbox, not yet sent; empty between two rounds.
    taken: Vec<Utf8Bytes>,
    frames: FrameCount,
    /// Taken in since others had their turn.
    frames_in_turn: u32,
    pings: Pings,
}

impl<C: Conversation> Driver<C> {
    /// Until the connection is over.
    async fn run(&mut self, peer: &Peer, settings: &SocketSettings, stop_timeout: Duration) -> Over {
        let Err(over) = self.go_on(peer, settings, stop_timeout).await;
        over
    }

    async fn go_on(
        &mut self,
        peer: &Peer,
        settings: &SocketSettings,
        stop_timeout: Duration,
    ) -> Result<Infallible, Over> {
        let pause = C::flush_pause(settings);
        let mut due = pin!(sleep_until(self.pings.due()));
        let mut paused = pin!(sleep_until(Instant::now()));
        let mut pausing = false;
        let mut stopped = pin!(peer.stopped());
        loop {
            // Whoever sends hundreds of requests at once makes his own wait, not those of others.
            if self.frames_in_turn >= FRAMES_A_TURN {
                self.frames_in_turn = 0;
                yield_now().await;
            }
            tokio::select! {
                biased;
                () = &mut stopped => {
                    self.finish(stop_timeout).await;
                    return Err(Over::Ended(Ending::AWAY));
                }
                () = &mut due => {
                    let ping = self.pings.next(Instant::now())?;
                    self.feed(ping).await?;
                    self.flush().await?;
                    due.as_mut().reset(self.pings.due());
                }
                frame = self.socket.next(), if self.conversation.wants_more() => self.on_frame(frame)?,
                () = self.conversation.work() => {}
                taken = self.outbox.take(&mut self.taken), if !pausing => {
                    taken.map_err(|_| Over::Ended(Ending::SLOW))?;
                    peer.metrics.messages.inc_by(u64::try_from(self.taken.len()).unwrap_or(u64::MAX));
                    self.send_taken().await?;
                    pausing = !pause.is_zero();
                    restart(paused.as_mut(), pausing.then_some(pause));
                }
                () = &mut paused, if pausing => pausing = false,
            }
        }
    }

    fn on_frame(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), Over> {
        self.frames_in_turn += 1;
        match frame {
            Some(Ok(Message::Text(text))) => {
                if C::LIMITS_TEXTS {
                    self.frames.count(Instant::now())?;
                }
                self.conversation.on_text(text).map_err(Over::Ended)
            }
            // Its pong is on its way already.
            Some(Ok(Message::Ping(_))) => self.frames.count(Instant::now()),
            Some(Ok(Message::Pong(payload))) => {
                self.pings.answered(&payload, Instant::now());
                self.frames.count(Instant::now())
            }
            Some(Ok(Message::Binary(_))) => Err(Over::Ended(Ending::BINARY)),
            Some(Ok(Message::Close(_))) => Err(Over::ByClient),
            Some(Err(error)) => Err(Over::of(error)),
            None => Err(Over::Broken),
        }
    }

    /// Sends what was taken, in one piece as far as it fits.
    async fn send_taken(&mut self) -> Result<(), Over> {
        let mut taken = std::mem::take(&mut self.taken);
        for message in taken.drain(..) {
            self.feed(Message::Text(message)).await?;
        }
        self.taken = taken;
        self.flush().await
    }

    /// Puts a frame behind what is to be written; waits for the client only as long as the outbox lasts.
    async fn feed(&mut self, message: Message) -> Result<(), Over> {
        tokio::select! {
            biased;
            fed = self.socket.feed(message) => fed.map_err(|_| Over::Broken),
            // It takes nothing, so it cannot be told either.
            () = self.outbox.overflowed() => Err(Over::Broken),
        }
    }

    async fn flush(&mut self) -> Result<(), Over> {
        tokio::select! {
            biased;
            flushed = self.socket.flush() => flushed.map_err(|_| Over::Broken),
            () = self.outbox.overflowed() => Err(Over::Broken),
        }
    }

    /// The server stops: nothing new is taken in, what is under way is answered as far as there is time.
    async fn finish(&mut self, patience: Duration) {
        let finish = async {
            while !self.conversation.is_idle() {
                self.conversation.work().await;
            }
        };
        let _ = timeout(patience, finish).await;
        if let Some(farewell) = self.conversation.farewell() {
            self.outbox.push(farewell);
        }
    }

    /// Sends what still waits and the closing frame, and waits a moment for the client's.
    async fn close(&mut self, over: Over) {
        let closing = async {
            if let Over::Ended(ending) = over {
                if self.outbox.take_now(&mut self.taken).is_ok() {
                    self.send_taken().await?;
                }
                let frame = CloseFrame { code: ending.code, reason: ending.reason.into() };
                self.socket.send(Message::Close(Some(frame))).await.map_err(|_| Over::Broken)?;
            }
            // What the client has still sent is read and thrown away: otherwise the kernel would answer it with a reset, and
            // the closing frame would be lost.
            while let Some(Ok(_)) = self.socket.next().await {}
            Ok::<(), Over>(())
        };
        if over != Over::Broken {
            let _ = timeout(CLOSE_PATIENCE, closing).await;
        }
    }
}

/// Lets the clock run anew, if at all.
fn restart(clock: Pin<&mut Sleep>, length: Option<Duration>) {
    if let Some(length) = length {
        clock.reset(Instant::now() + length);
    }
}

/// How many frames came within a second.
#[derive(Debug)]
struct FrameCount {
    second: Instant,
    count: u32,
    most: u32,
}

impl FrameCount {
    fn new(most: u32) -> Self {
        Self { second: Instant::now(), count: 0, most }
    }

    fn count(&mut self, now: Instant) -> Result<(), Over> {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            *self = Self { second: now, count: 0, most: self.most };
        }
        self.count = self.count.saturating_add(1);
        if self.count > self.most { Err(Over::Ended(Ending::FRAMES)) } else { Ok(()) }
    }
}

/// When pings are due, and whether they are answered. A ping carries its number, and so does its pong.
#[derive(Debug)]
struct Pings {
    next: Instant,
    end_of_life: Instant,
    sent: u64,
    /// Since when an answer is missing.
    unanswered: Option<Instant>,
    interval: Duration,
    patience: Duration,
}

impl Pings {
    fn new(settings: &SocketSettings) -> Self {
        let now = Instant::now();
        Self {
            next: now + settings.ping_interval,
            end_of_life: now + settings.max_life,
            sent: 0,
            unanswered: None,
            interval: settings.ping_interval,
            patience: settings.pong_timeout,
        }
    }

    /// When something is to be done.
    fn due(&self) -> Instant {
        let impatient = self.unanswered.map(|since| since + self.patience);
        self.next.min(self.end_of_life).min(impatient.unwrap_or(self.next))
    }

    /// The ping that is due, or the end of the connection.
    fn next(&mut self, now: Instant) -> Result<Message, Over> {
        if now >= self.end_of_life {
            return Err(Over::Ended(Ending::OLD));
        }
        if self.unanswered.is_some_and(|since| now >= since + self.patience) {
            return Err(Over::Ended(Ending::SILENT));
        }
        self.sent += 1;
        self.next = now + self.interval;
        self.unanswered.get_or_insert(now);
        Ok(Message::Ping(self.sent.to_string().into()))
    }

    /// A pong that answers none of ours changes nothing.
    fn answered(&mut self, payload: &[u8], now: Instant) {
        let number = std::str::from_utf8(payload).ok().and_then(|text| text.parse::<u64>().ok());
        if let Some(number) = number.filter(|number| (1..=self.sent).contains(number)) {
            self.unanswered = (number < self.sent).then_some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_by_the_second() {
        let mut frames = FrameCount::new(2);
        let start = frames.second;
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(frames.count(after(0)), Ok(()));
        assert_eq!(frames.count(after(500)), Ok(()));
        assert_eq!(frames.count(after(1_000)), Ok(()));
        assert_eq!(frames.count(after(1_001)), Ok(()));
        assert_eq!(frames.count(after(1_999)), Err(Over::Ended(Ending::FRAMES)));
    }

    #[test]
    fn pings_need_their_pongs_and_life_has_an_end() {
        let settings = SocketSettings { max_life: Duration::from_secs(1_000), ..SocketSettings::default() };
        let mut pings = Pings::new(&settings);
        let start = pings.next - settings.ping_interval;
        let after = |seconds| start + Duration::from_secs(seconds);
        for (seconds, number) in [(20, "1"), (40, "2")] {
            assert_eq!(pings.due(), after(seconds));
            assert_eq!(pings.next(after(seconds)), Ok(Message::Ping(number.into())));
        }
        pings.answered(b"", after(41));
        pings.answered(b"3", after(41));
        pings.answered(b"\xff", after(41));
        assert_eq!(pings.unanswered, Some(after(20)), "those answer nothing");
        pings.answered(b"2", after(41));
        assert_eq!(pings.unanswered, None);
        for seconds in [60, 80, 100] {
            pings.next(after(seconds)).unwrap();
        }
        assert_eq!(pings.due(), after(120));
        assert_eq!(pings.next(after(120)), Err(Over::Ended(Ending::SILENT)));
        pings.answered(b"5", after(121));
        assert_eq!(pings.next(after(1_000)), Err(Over::Ended(Ending::OLD)));
    }
}
