//! What every handler has at hand: the way into the sequencer and the way to an answer, the views, the keys; and a request
//! as it was received. Which paths there are is in [`crate::server`].

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;
use model::{AccountId, ClientOrderId, Command, PartitionId, Reject, TimeNs};
use ring::rand::SystemRandom;
use sequencer::{Egress, Ingress, Reply, Session, Submission, SubmitError};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use views::Views;

use crate::client::Entered;
use crate::endpoint::Security;
use crate::errors::ApiError;
use crate::futures::deleverage::Ranking;
use crate::futures::listen_keys::ListenKeys;
use crate::keys::{KeyStore, Permissions, random_text};
use crate::limits::{Limits, Refusal};
use crate::listings::{Listing, Listings};
use crate::market_data::status_name;
use crate::market_pattern::Pattern;
use crate::metrics::{Metrics, RedisStatus, SqlWriters};
use crate::params::Params;
use crate::past::Past;
use crate::read_model::{NEXT_LOOK, ReadModel, ReadModels, Watched};
use crate::rejects::{Asked, api_error};
use crate::settings::GatewaySettings;
use crate::signature::{Caller, Signed, authenticate, named_key, permit, signed_bytes};

/// What the handlers of both listeners share.
pub struct Gateway {
    pub(crate) settings: GatewaySettings,
    pub(crate) ingress: Ingress,
    /// By partition.
    pub(crate) egress: Vec<Egress>,
    pub(crate) read_models: Arc<ReadModels>,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) listen_keys: Arc<ListenKeys>,
    pub(crate) ranking: Ranking,
    pub(crate) metrics: Arc<Metrics>,
    /// The bridge to Redis.
    pub(crate) redis: OnceLock<RedisStatus>,
    /// Where a database is written to.
    pub(crate) sql_writers: OnceLock<SqlWriters>,
    /// Where histories go on behind the views.
    pub(crate) past: OnceLock<Arc<Past>>,
    pub(crate) started: Instant,
    /// The threads that drive the connections of the streams.
    pub(crate) streams: Handle,
    random: SystemRandom,
}

impl Gateway {
    /// A gateway to the exchange behind `ingress` and `egress`, whose events `read_models` follow, partition by partition. The connections of the
    /// market-data streams are driven by `streams`, so that what thousands are told at once delays no request; the caller keeps
    /// that runtime for as long as the gateway serves.
    pub fn new(
        settings: GatewaySettings,
        ingress: Ingress,
        egress: Vec<Egress>,
        read_models: Arc<ReadModels>,
        keys: Arc<KeyStore>,
        streams: Handle,
    ) -> Arc<Self> {
        let (started, random) = (Instant::now(), SystemRandom::new());
        let limits = Arc::new(Limits::new(settings.limits.clone()));
        read_models.count_fills(Arc::clone(&limits));
        let listen_keys = Arc::new(ListenKeys::new(settings.futures.listen_key_life));
        let margin_call_ppm = settings.futures.margin_call_ppm;
        read_models.watch(Watched { listen_keys: Arc::clone(&listen_keys), margin_call_ppm });
        let metrics = Arc::new(Metrics::new());
        Arc::new(Self {
            settings,
            ingress,
            egress,
            read_models,
            keys,
            limits,
            listen_keys,
            ranking: Ranking::default(),
            metrics,
            redis: OnceLock::new(),
            sql_writers: OnceLock::new(),
            past: OnceLock::new(),
            started,
            streams,
            random,
        })
    }

    /// Shows the bridge to Redis among the metrics. Once; further calls change nothing.
    pub fn show_redis(&self, status: RedisStatus) {
        let _ = self.redis.set(status);
    }

    /// Shows the writers of a database among the metrics. Once; further calls change nothing.
    pub fn show_sql_writers(&self, writers: SqlWriters) {
        let _ = self.sql_writers.set(writers);
    }

    /// What a limit says, counted when it says no.
    pub(crate) fn limited<T>(&self, outcome: Result<T, Refusal>) -> Result<T, ApiError> {
        outcome.map_err(|refusal| {
            self.metrics.refused(refusal.kind());
            refusal.into()
        })
    }

    /// Hands in a command and waits until it is durable and answered.
    pub(crate) async fn execute(&self, command: Command) -> Result<Reply, ApiError> {
        let (answer, answered) = oneshot::channel();
        let waiter = Arc::new(Waiter { answer: Mutex::new(Some(answer)) });
        let submission = Submission { command, reply_to: Some((waiter, 0)) };
        self.ingress.submit(submission).map_err(|error| match error {
            SubmitError::Busy { .. } | SubmitError::OutboxFull { .. } => ApiError::busy(),
            SubmitError::Stopped => ApiError::stopping(),
        })?;
        match timeout(self.settings.reply_timeout, answered).await {
            Ok(Ok(reply)) => Ok(reply),
            // Abandoned: the sequencer stopped before it could tell.
            Ok(Err(_)) => Err(ApiError::outcome_unknown()),
            Err(_) => Err(ApiError::timeout()),
        }
    }

    /// The views of a partition, once they know all that anybody was told of it before now.
    async fn current(&self, partition: PartitionId) -> Result<&ReadModel, ApiError> {
        let model = self.read_models.of(partition);
        model.applied(self.egress[partition.index()].released_seq()).await?;
        Ok(model)
    }

    /// As [`Self::current`], of the partition that knows what is listed and who there is.
    pub(crate) async fn directory(&self) -> Result<&ReadModel, ApiError> {
        self.current(PartitionId::FIRST).await
    }

    /// As [`Self::current`], of the partition where an account lives; once that has heard what others had to say to it before
    /// now, so that whoever was told of a trade finds it on both sides.
    pub(crate) async fn of_account(&self, account: AccountId) -> Result<&ReadModel, ApiError> {
        let home = self.read_models.home(account);
        self.heard(home).await?;
        self.current(home).await
    }

    async fn heard(&self, partition: PartitionId) -> Result<(), ApiError> {
        if self.egress.len() == 1 {
            return Ok(());
        }
        let (said, begun) = (self.ingress.said_to(partition), Instant::now());
        let model = self.read_models.of(partition);
        while !self.ingress.has_taken(&said) {
            self.check_wait(begun)?;
            model.changes(NEXT_LOOK).await;
        }
        Ok(())
    }

    /// Refuses to wait for ever, and for what will never be.
    fn check_wait(&self, begun: Instant) -> Result<(), ApiError> {
        if !self.read_models.go_on() {
            return Err(ApiError::stopping());
        }
        if begun.elapsed() > self.settings.reply_timeout {
            return Err(ApiError::timeout());
        }
        Ok(())
    }

    /// Looks at the views that know a market's book, once they know all that anybody was told of it before now. While the book
    /// moves from one partition to another, it waits for that.
    pub(crate) async fn with_market<R>(
        &self,
        listing: &Listing,
        look: impl Fn(&Views) -> R,
    ) -> Result<R, ApiError> {
        let begun = Instant::now();
        loop {
            if let Some(model) = self.read_models.holder(listing) {
                self.current(model.partition()).await?;
                if let Some(seen) = model.with_market(listing.market, &look) {
                    return Ok(seen);
                }
            }
            self.check_wait(begun)?;
            sleep(NEXT_LOOK).await;
        }
    }

    /// As [`Self::of_account`], of all partitions, in their order.
    pub(crate) async fn everywhere(&self) -> Result<&[ReadModel], ApiError> {
        for partition in (0..).map(PartitionId).take(self.egress.len()) {
            self.heard(partition).await?;
            self.current(partition).await?;
        }
        Ok(self.read_models.all())
    }

    /// The views that know what came of a command, once they do.
    pub(crate) async fn after(&self, reply: &Reply) -> Result<&ReadModel, ApiError> {
        let model = self.read_models.of(reply.partition());
        model.applied(reply.seq()).await?;
        Ok(model)
    }

    /// Of each partition: commands that its views do not know yet.
    pub(crate) fn views_lags(&self) -> impl Iterator<Item = u64> {
        self.egress
            .iter()
            .zip(self.read_models.all())
            .map(|(egress, model)| egress.released_seq().0.saturating_sub(model.applied_seq().0))
    }

    /// What is listed, as far as anybody was told before now.
    pub(crate) async fn listings(&self) -> Result<Arc<Listings>, ApiError> {
        self.directory().await?;
        Ok(self.read_models.listings())
    }

    /// What is listed; waits for the views only when `symbol` is not among it.
    pub(crate) async fn listings_with(&self, symbol: &str) -> Result<Arc<Listings>, ApiError> {
        let listings = self.read_models.listings();
        if listings.symbol(symbol).is_ok() {
            return Ok(listings);
        }
        self.listings().await
    }

    /// As [`Self::listings_with`], of a contract.
    pub(crate) async fn listings_with_contract(&self, symbol: &str) -> Result<Arc<Listings>, ApiError> {
        let listings = self.read_models.listings();
        if listings.contract(symbol).is_ok() {
            return Ok(listings);
        }
        self.listings().await
    }

    /// Whether orders are taken for a market here, whatever the market itself says.
    pub(crate) fn takes_orders(&self, listing: &Listing) -> bool {
        let open = |pattern: &String| Pattern(pattern).matches(listing.terms.name.as_str());
        self.settings.open_markets.iter().any(open)
    }

    /// Refuses what would change a market that takes no orders here.
    pub(crate) fn check_open(&self, asked: Asked, listing: &Listing) -> Result<(), ApiError> {
        if self.takes_orders(listing) { Ok(()) } else { Err(api_error(asked, &Reject::MarketClosed)) }
    }

    /// What a market is said to do.
    pub(crate) fn status(&self, listing: &Listing) -> &'static str {
        if listing.moving_to.is_some() || !self.takes_orders(listing) {
            return "BREAK";
        }
        status_name(listing.terms.status)
    }

    /// 22 random letters and digits, as Binance makes them up.
    pub(crate) fn new_client_order_id(&self) -> Result<ClientOrderId, ApiError> {
        let text = random_text::<22>(&self.random).map_err(|_| ApiError::internal())?;
        Ok(ClientOrderId::new(&text).expect("letters and digits are visible"))
    }

    /// Who sent a request, as far as its endpoint wants that to be proved.
    pub(crate) fn caller(
        &self,
        received: &Received,
        params: &Params<'_>,
        security: Security,
    ) -> Result<Caller, ApiError> {
        let key = received.head.headers.get("x-mbx-apikey").map(HeaderValue::as_bytes);
        let needed = match security {
            Security::Signed(needed) => needed,
            Security::Keyed(needed) => return self.named(key, received.address, needed),
            Security::Public | Security::Anyhow => Permissions(0),
        };
        let signed = Signed {
            key,
            bytes: &signed_bytes(received.query(), &received.body),
            params,
            peer: Some(received.address),
        };
        authenticate(&self.keys, &signed, needed, now_ns(), self.settings.max_recv_window_ms)
    }
}

impl Gateway {
    /// Who sent a request that names a key and is not signed.
    pub(crate) fn named(
        &self,
        key: Option<&[u8]>,
        address: IpAddr,
        needed: Permissions,
    ) -> Result<Caller, ApiError> {
        let key = named_key(&self.keys, key)?;
        permit(&key, needed, Some(address))?;
        Ok(Caller { account: key.account(), key: key.stored.key, valid_until_ns: TimeNs::NEVER })
    }
}

/// The clock, which decides nothing but whether a request is worth handing in.
pub(crate) fn now_ns() -> TimeNs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    TimeNs(u64::try_from(now).unwrap_or(u64::MAX))
}

/// One request that waits for what came of its command.
struct Waiter {
    answer: Mutex<Option<oneshot::Sender<Reply>>>,
}

impl Waiter {
    fn take(&self) -> Option<oneshot::Sender<Reply>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Session for Waiter {
    fn deliver(&self, _token: u64, reply: Reply) {
        if let Some(answer) = self.take() {
            // The client may be gone.
            let _ = answer.send(reply);
        }
    }

    fn abandon(&self, _token: u64) {
        drop(self.take());
    }
}

/// A request, read whole.
pub(crate) struct Received {
    /// From where it came.
    pub(crate) address: IpAddr,
    head: Parts,
    body: Bytes,
}

impl Received {
    /// The bytes behind the `?`.
    pub(crate) fn query(&self) -> &[u8] {
        self.head.uri.query().unwrap_or_default().as_bytes()
    }

    /// The bytes of the body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Query and form body as parameters.
    pub(crate) fn params(&self) -> Result<Params<'_>, ApiError> {
        Params::parse(self.query(), &self.body)
    }

    /// In which unit the client wants times: `X-MBX-TIME-UNIT`.
    pub(crate) fn time_unit(&self) -> Result<TimeUnit, ApiError> {
        let named = self.head.headers.get("x-mbx-time-unit");
        TimeUnit::named(named.map(|named| named.to_str().unwrap_or_default()))
    }
}

impl FromRequest<Arc<Gateway>> for Received {
    type Rejection = Refused;

    async fn from_request(request: Request, gateway: &Arc<Gateway>) -> Result<Self, Refused> {
        let (mut head, body) = request.into_parts();
        let Entered(address) = Entered::from_request_parts(&mut head, gateway).await?;
        Ok(Self::read(address, head, body, &gateway.settings).await?)
    }
}

impl Received {
    /// Reads the body, within the limits.
    pub(crate) async fn read(
        address: IpAddr,
        head: Parts,
        body: Body,
        settings: &GatewaySettings,
    ) -> Result<Self, ApiError> {
        if body.is_end_stream() {
            return Ok(Self { address, head, body: Bytes::new() });
        }
        match timeout(settings.body_timeout, read_body(body, settings.max_body_bytes)).await {
            Ok(body) => Ok(Self { address, head, body: body? }),
            Err(_) => Err(ApiError::body_too_slow()),
        }
    }
}

/// How much of a body that is too large is read all the same, so that its sender gets to read the answer.
const PATIENCE_BYTES: usize = 1 << 20;

async fn read_body(mut body: Body, max: usize) -> Result<Bytes, ApiError> {
    // Nearly always there is one piece, which is passed on as it is.
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    let mut read = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(piece) = frame.map_err(|_| ApiError::body_incomplete())?.into_data() else { continue };
        read += piece.len();
        if read > max + PATIENCE_BYTES {
            return Err(ApiError::body_too_large(max));
        }
        if read > max {
            continue;
        }
        if first.is_empty() {
            first = piece;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&piece);
        }
    }
    match read {
        read if read > max => Err(ApiError::body_too_large(max)),
        _ if joined.is_empty() => Ok(first),
        _ => Ok(joined.into()),
    }
}

/// In which unit an answer tells times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Whole milliseconds.
    Millis,
    /// Whole microseconds.
    Micros,
}

impl TimeUnit {
    /// By its name; milliseconds without one.
    pub(crate) fn named(name: Option<&str>) -> Result<Self, ApiError> {
        match name {
            None | Some("MILLISECOND" | "millisecond") => Ok(Self::Millis),
            Some("MICROSECOND" | "microsecond") => Ok(Self::Micros),
            Some(_) => Err(ApiError::new(
                -1194,
                "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
            )),
        }
    }

    /// `time` in this unit, rounded down.
    pub const fn of(self, time: TimeNs) -> u64 {
        match self {
            Self::Millis => time.0 / 1_000_000,
            Self::Micros => time.0 / 1_000,
        }
    }
}

/// An answer of JSON.
#[derive(Debug)]
pub(crate) struct Json {
    pub(crate) status: StatusCode,
    pub(crate) text: Vec<u8>,
}

impl Json {
    /// Status 200.
    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::with_status(StatusCode::OK, value)
    }

    /// A refusal.
    pub(crate) fn of_error(error: &ApiError) -> Self {
        Self::with_status(error.status, &error.body())
    }

    /// Status 200, and JSON that is text already.
    pub(crate) fn written(text: &[u8]) -> Self {
        Self { status: StatusCode::OK, text: text.to_vec() }
    }

    pub(crate) fn with_status(status: StatusCode, value: &impl Serialize) -> Self {
        Self { status, text: serde_json::to_vec(value).expect("wire types are plain structs") }
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.text.into());
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/json;charset=UTF-8");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// A refusal as a whole response.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) ApiError);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let mut response = Json::of_error(&error).into_response();
        if let Some(seconds) = error.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
