//! Sockets: accepting, limits, and a graceful end. What is asked over them is decided elsewhere.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Sleep, sleep, timeout};

use crate::errors::ApiError;
use crate::settings::GatewaySettings;

/// How long accepting rests after an error that is not the client's (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection over the limit gets, head and body.
fn full_answer() -> String {
    let error = ApiError::busy();
    let body = serde_json::to_string(&error.body()).expect("an error is plain text");
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        error.retry_after.unwrap_or(1),
        body.len(),
    )
}

/// Who is at the other end of a connection. Every request has it as an extension, `Arc<Peer>`; the connection counts against
/// the setting `max_connections` until the last owner lets go, so that a request that becomes a WebSocket keeps its place.
#[derive(Debug)]
pub(crate) struct Peer {
    /// From where it came.
    pub(crate) address: IpAddr,
    /// True once the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Peer {
    /// Waits until the server stops.
    pub(crate) async fn stopped(&self) {
        // A sender that is gone has stopped too.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}

/// Serves `router` on `listener` until `shutdown` is done; then finishes the requests that have begun, as far as they do so
/// within the setting `stop_timeout`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &GatewaySettings,
    shutdown: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(settings.idle_timeout)
        .max_buf_size(settings.max_head_bytes.max(8_192))
        .max_headers(settings.max_headers);
    let (stop, stopping) = watch::channel(false);
    let limit = u32::try_from(settings.max_connections.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(usize::try_from(limit).expect("fits")));
    let full = full_answer();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let Ok((stream, from)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // As far as it goes without waiting.
            let _ = stream.try_write(full.as_bytes());
            continue;
        };
        // Without it an answer may wait for the client's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let socket = PatientSocket::new(stream, settings.write_timeout);
        let peer =
            Arc::new(Peer { address: from.ip().to_canonical(), stopping: stopping.clone(), _place: place });
        let service = Guarded { router: TowerToHyperService::new(router.clone()), peer: Arc::clone(&peer) };
        let connection = http.serve_connection(socket, service).with_upgrades();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // What goes wrong on a connection is its client's matter.
            let _ = tokio::select! {
                ended = connection.as_mut() => ended,
                () = peer.stopped() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
        });
    }
    drop(listener);
    stop.send_replace(true);
    let _ = timeout(settings.stop_timeout, places.acquire_many(limit)).await;
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
            .unwrap_or_else(|_| Poll::Ready(Ok(ApiError::internal().into_response())))
    }
}

/// A socket that waits only so long for its client to take something.
struct PatientSocket {
    socket: TokioIo<TcpStream>,
    patience: Duration,
    /// Runs while the client takes nothing.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl PatientSocket {
    fn new(stream: TcpStream, patience: Duration) -> Self {
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

impl Read for PatientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl Write for PatientSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
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
            serve(listener, router, &GatewaySettings::default(), std::future::pending()).await;
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
