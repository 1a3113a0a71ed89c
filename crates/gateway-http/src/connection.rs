//! Sockets: accepting, limits, and a graceful end. What is asked over them is decided elsewhere.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::errors::ApiError;
use crate::gateway::{Gateway, Refused};
use crate::limits::Limits;
use crate::metrics::{Counted, Metrics, Side};
use crate::settings::GatewaySettings;
use crate::subscriber::subscriber;
use crate::tls::Tls;

/// How long accepting rests after an error that is not the client's (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Operators are few. The traders' connections take nothing from theirs.
const MAX_ADMIN_CONNECTIONS: usize = 256;

/// What a connection too many gets, head and body.
fn farewell(error: &ApiError) -> String {
    let body = serde_json::to_string(&error.body()).expect("an error is plain text");
    format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\nretry-after: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        error.status,
        error.retry_after.unwrap_or(1),
        body.len(),
    )
}

/// Who is at the other end of a connection. Every request has it as an extension, `Arc<Peer>`; the connection counts against
/// the limits of connections until the last owner lets go, so that a request that becomes a WebSocket keeps its place.
#[derive(Debug)]
pub(crate) struct Peer {
    /// From where it came; the client itself, or a proxy.
    pub(crate) address: IpAddr,
    /// True once the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Where the gateway counts.
    pub(crate) metrics: Arc<Metrics>,
    _place: OwnedSemaphorePermit,
    _guest: Option<Guest>,
    _counted: Counted,
}

impl Peer {
    /// Waits until the server stops.
    pub(crate) async fn stopped(&self) {
        // A sender that is gone has stopped too.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}

/// How many connections each address has open. As large as there are connections.
type Guests = Arc<Mutex<HashMap<IpAddr, u32>>>;

/// One connection of an address.
#[derive(Debug)]
struct Guest {
    guests: Guests,
    subscriber: IpAddr,
}

impl Guest {
    /// `None` when the address has `most` connections already.
    fn let_in(guests: &Guests, address: IpAddr, most: u32) -> Option<Self> {
        let subscriber = subscriber(address);
        let mut open = guests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(subscriber).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Self { guests: Arc::clone(guests), subscriber })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut open = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.subscriber) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.subscriber);
            }
        }
    }
}

/// Where connections come in.
pub(crate) struct Door {
    side: Side,
    settings: GatewaySettings,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    tls: Option<TlsAcceptor>,
    guests: Guests,
}

impl Door {
    pub(crate) fn new(side: Side, gateway: &Gateway, tls: Option<Arc<Tls>>) -> Self {
        let mut settings = gateway.settings.clone();
        match side {
            Side::Public => {}
            Side::Admin => settings.max_connections = settings.max_connections.min(MAX_ADMIN_CONNECTIONS),
        }
        Self {
            side,
            settings,
            limits: Arc::clone(&gateway.limits),
            metrics: Arc::clone(&gateway.metrics),
            tls: tls.map(|tls| tls.acceptor()),
            guests: Guests::default(),
        }
    }

    /// Serves `router` on `listener` until `shutdown` is done; then finishes the requests that have begun, as far as they do so
    /// within the setting `stop_timeout`.
    pub(crate) async fn serve(
        &self,
        listener: TcpListener,
        router: Router,
        shutdown: impl Future<Output = ()>,
    ) {
        let settings = &self.settings;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.idle_timeout)
            .max_buf_size(settings.max_head_bytes.max(8_192))
            .max_headers(settings.max_headers);
        let (stop, stopping) = watch::channel(false);
        let limit = u32::try_from(settings.max_connections.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let places = Arc::new(Semaphore::new(usize::try_from(limit).expect("fits")));
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut shutdown => break,
            };
            let Ok((stream, from)) = accepted else {
                self.metrics.accept_failed(self.side);
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let address = from.ip().to_canonical();
            let Some(peer) = self.let_in(&stream, address, &places, &stopping) else { continue };
            // Without it an answer may wait for the client's acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let service = Guarded { router: TowerToHyperService::new(router.clone()), peer };
            let (http, patience) = (http.clone(), settings.write_timeout);
            match &self.tls {
                None => {
                    tokio::spawn(drive(http, PatientSocket::new(stream, patience), service));
                }
                Some(tls) => {
                    let handshake = timeout(settings.handshake_timeout, tls.accept(stream));
                    let side = self.side;
                    tokio::spawn(async move {
                        let shaken = tokio::select! {
                            shaken = handshake => shaken,
                            () = service.peer.stopped() => return,
                        };
                        if let Ok(Ok(stream)) = shaken {
                            drive(http, PatientSocket::new(stream, patience), service).await;
                        } else {
                            service.peer.metrics.handshake_failed(side);
                        }
                    });
                }
            }
        }
        drop(listener);
        stop.send_replace(true);
        let _ = timeout(settings.stop_timeout, places.acquire_many(limit)).await;
    }

    /// `None` for a connection too many, which is told so as far as that goes without waiting.
    fn let_in(
        &self,
        stream: &TcpStream,
        address: IpAddr,
        places: &Arc<Semaphore>,
        stopping: &watch::Receiver<bool>,
    ) -> Option<Arc<Peer>> {
        let turn_away = |reason, error: &ApiError| {
            self.metrics.turned_away(self.side, reason);
            // Who expects TLS could not read it.
            if self.tls.is_none() {
                let _ = stream.try_write(farewell(error).as_bytes());
            }
        };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            turn_away("full", &ApiError::busy());
            return None;
        };
        let guest = match self.limits.connections_for(address) {
            None => None,
            Some(most) => {
                let guest = Guest::let_in(&self.guests, address, most);
                if guest.is_none() {
                    turn_away("address", &ApiError::too_many_connections(most));
                    return None;
                }
                guest
            }
        };
        Some(Arc::new(Peer {
            address,
            stopping: stopping.clone(),
            metrics: Arc::clone(&self.metrics),
            _place: place,
            _guest: guest,
            _counted: self.metrics.connection(self.side),
        }))
    }
}

/// Speaks HTTP over a connection until it ends. What goes wrong on it is its client's matter.
async fn drive<S>(http: http1::Builder, socket: PatientSocket<S>, service: Guarded)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let peer = Arc::clone(&service.peer);
    let mut connection = pin!(http.serve_connection(socket, service).with_upgrades());
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        () = peer.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

/// The router, behind a net: a panic becomes an answer 500 (and a message from the panic hook), not a closed connection.
struct Guarded {
    router: TowerToHyperService<Router>,
    peer: Arc<Peer>,
}

impl Service<hyper::Request<Incoming>> for Guarded {
    type Response = Response;
    type Error = Infallible;
    type Future = GuardedFuture;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Arc::clone(&self.peer));
        GuardedFuture { inner: Box::pin(self.router.call(request)) }
    }
}

struct GuardedFuture {
    inner: Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>,
}

impl Future for GuardedFuture {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        catch_unwind(AssertUnwindSafe(|| self.inner.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Ok(Refused(ApiError::internal()).into_response())))
    }
}

/// A socket that waits only so long for its client to take something.
struct PatientSocket<S> {
    socket: TokioIo<S>,
    patience: Duration,
    /// Runs while the client takes nothing.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> PatientSocket<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self { socket: TokioIo::new(stream), patience, waiting: None }
    }

    /// Passes `written` on, unless nothing could be written for too long.
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> Read for PatientSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for PatientSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        self.bounded(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.socket).poll_shutdown(context);
        self.bounded(context, shut_down)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, bytes);
        self.bounded(context, written)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use axum::routing::get;

    use super::*;
    use crate::limits::LimitSettings;

    #[test]
    fn a_panic_is_answered_and_harms_nobody_else() {
        async fn broken() {
            panic!("planted by a test");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/broken", get(broken)).route("/", get(async || "fine"));
        runtime.spawn(async move {
            let door = Door {
                side: Side::Public,
                settings: GatewaySettings::default(),
                limits: Arc::new(Limits::new(LimitSettings::default())),
                metrics: Arc::new(Metrics::new()),
                tls: None,
                guests: Guests::default(),
            };
            door.serve(listener, router, std::future::pending()).await;
        });
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        // Both on one connection, which outlives the panic.
        stream.write_all(b"GET /broken HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert!(answers.starts_with("HTTP/1.1 500 "), "{answers}");
        assert!(answers.contains("\"code\":-1000"), "{answers}");
        assert!(answers.ends_with("fine"), "{answers}");
    }
}
