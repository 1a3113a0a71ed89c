//! The WebSocket APIs, `/ws-api/v3` and `/ws-fapi/v1`: the endpoints of [`crate::endpoint`] by their method names, and what belongs to the
//! connection itself: sessions, and subscriptions to an account's events. Source: web-socket-api.md.
//!
//! Requests of one connection are answered at the same time, each when it is done; but they reach the sequencer in the order
//! in which they came: each is followed until it first has to wait before the next one is looked at.

mod reply;
mod request;

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Utf8Bytes, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use model::{AccountId, ApiKeyId, KeyKind};
use serde::Serialize;

use self::request::{Request, Unreadable};
use crate::client::Dialled;
use crate::connection::Peer;
use crate::endpoint::{Endpoint, Kind, Parameter, Security, TABLE, futures};
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, Refused, TimeUnit, now_ns};
use crate::keys::{ApiKey, Permissions};
use crate::params::Params;
use crate::settings::SocketSettings;
use crate::signature::{Caller, deadline, named_key, permit, verify};
use crate::streams::hub::{Half, Right, UserSubscription};
use crate::streams::{Conversation, Ending, Outbox, accept};

/// Endpoints by their names here.
type Methods = LazyLock<HashMap<&'static str, &'static Endpoint>>;

fn named(table: impl Iterator<Item = &'static Endpoint>) -> HashMap<&'static str, &'static Endpoint> {
    table.filter_map(|endpoint| endpoint.method.map(|method| (method, endpoint))).collect()
}

static SPOT_METHODS: Methods = LazyLock::new(|| named(TABLE.iter()));
static FUTURES_METHODS: Methods = LazyLock::new(|| named(futures()));

/// What a request about the connection itself weighs. Source: web-socket-api.md, "Session" and "User Data Stream".
const WEIGHT_OF_CONNECTION: u32 = 2;
/// Most subscriptions of one connection at once. Source: web-socket-api.md, "User Data Stream subscription".
const MAX_SUBSCRIPTIONS: usize = 1_000;
/// Most subscriptions over the life of one connection. Source: as above.
const MAX_SUBSCRIPTION_ID: u32 = 65_535;

const API_KEY: Parameter = Parameter::required("apiKey", Kind::Text);
const SUBSCRIPTION_ID: Parameter = Parameter::optional("subscriptionId", Kind::Whole);

/// What a connection says of itself in its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// `timeUnit`.
    pub(crate) unit: TimeUnit,
    /// `returnRateLimits`.
    pub(crate) rate_limits: bool,
}

impl Manner {
    fn of(query: Option<&str>) -> Result<Self, ApiError> {
        let params = Params::parse(query.unwrap_or_default().as_bytes(), b"")?;
        params.allow(&[
            Parameter::optional("timeUnit", Kind::Text),
            Parameter::optional("returnRateLimits", Kind::Flag),
        ])?;
        let rate_limits = params.sent("returnRateLimits").is_none() || params.flag("returnRateLimits")?;
        Ok(Self { unit: TimeUnit::named(params.optional("timeUnit")?)?, rate_limits })
    }
}

/// Opens a connection: `/ws-api/v3`.
pub(crate) async fn open(
    state: State<Arc<Gateway>>,
    dialled: Dialled,
    peer: Extension<Arc<Peer>>,
    query: RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    open_with(&SPOT_METHODS, state, dialled, peer, query, upgrade)
}

/// Opens a connection to the API of futures: `/ws-fapi/v1`.
pub(crate) async fn open_futures(
    state: State<Arc<Gateway>>,
    dialled: Dialled,
    peer: Extension<Arc<Peer>>,
    query: RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    open_with(&FUTURES_METHODS, state, dialled, peer, query, upgrade)
}

fn open_with(
    methods: &'static Methods,
    State(gateway): State<Arc<Gateway>>,
    Dialled(address): Dialled,
    Extension(peer): Extension<Arc<Peer>>,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let upgrade = upgrade.map_err(|_| ApiError::wants_socket())?;
    let manner = Manner::of(query.as_deref())?;
    let settings = gateway.settings.clone();
    Ok(accept(upgrade, peer, &settings, move |outbox| {
        let connected = manner.unit.of(now_ns());
        let session = Mutex::default();
        let connection = ApiConnection { methods, gateway, address, outbox, manner, connected, session };
        ApiConversation { connection: Arc::new(connection), in_flight: FuturesUnordered::new() }
    }))
}

/// One connection.
pub(crate) struct ApiConnection {
    methods: &'static Methods,
    gateway: Arc<Gateway>,
    /// Of the client, as far as proxies of one's own tell.
    address: IpAddr,
    outbox: Arc<Outbox>,
    manner: Manner,
    /// When it began, in its own unit of time.
    connected: u64,
    session: Mutex<Session>,
}

/// A connection with the requests that wait for something.
pub(crate) struct ApiConversation {
    connection: Arc<ApiConnection>,
    in_flight: FuturesUnordered<Answering>,
}

#[derive(Default)]
struct Session {
    logon: Option<Logon>,
    subscriptions: BTreeMap<u32, Subscription>,
    /// The id of the next one: never one that was used on this connection.
    next_subscription: u32,
}

struct Logon {
    key: ApiKeyId,
    /// In the connection's unit of time.
    since: u64,
}

struct Subscription {
    account: AccountId,
    owner: Owner,
    _events: UserSubscription,
}

/// With what a subscription ends, at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// With the session: `userDataStream.subscribe`.
    Session,
    /// With the connection: `userDataStream.subscribe.signature`.
    Connection,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionStatus<'s> {
    api_key: Option<&'s str>,
    authorized_since: Option<u64>,
    connected_since: u64,
    return_rate_limits: bool,
    server_time: u64,
    user_data_stream: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed {
    subscription_id: u32,
}

impl Conversation for ApiConversation {
    const LIMITS_TEXTS: bool = false;

    fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Ending> {
        let connection = Arc::clone(&self.connection);
        let mut answering = Answering { work: Box::pin(async move { connection.answer(&text).await }) };
        // As far as it goes without waiting, so that the order of requests is the order of commands. What it waits for then
        // is noticed by `work`, which looks again first.
        match Pin::new(&mut answering).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => self.connection.outbox.push(answer.into()),
            Poll::Pending => self.in_flight.push(answering),
        }
        Ok(())
    }

    /// Who has asked for as much as may be under way is not read from until something of it is done.
    fn wants_more(&self) -> bool {
        self.in_flight.len() < self.connection.gateway.settings.sockets.max_requests_in_flight
    }

    async fn work(&mut self) {
        match self.in_flight.next().await {
            Some(answer) => self.connection.outbox.push(answer.into()),
            None => pending().await,
        }
    }

    fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    fn farewell(&self) -> Option<Utf8Bytes> {
        let time = self.connection.manner.unit.of(now_ns());
        Some(format!("{{\"event\":{{\"e\":\"serverShutdown\",\"E\":{time}}}}}").into())
    }

    /// Answers do not wait for each other.
    fn flush_pause(_: &SocketSettings) -> Duration {
        Duration::ZERO
    }
}

/// One request on the way to its answer. A panic becomes an answer of its own kind, and harms no other request.
struct Answering {
    work: Pin<Box<dyn Future<Output = String> + Send>>,
}

impl Future for Answering {
    type Output = String;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<String> {
        catch_unwind(AssertUnwindSafe(|| self.work.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(reply::text("null", Err(ApiError::internal()), None)))
    }
}

impl ApiConnection {
    async fn answer(&self, text: &str) -> String {
        let usually = self.manner.rate_limits;
        let mut placing = None;
        let (id, outcome, wants_rate_limits) = match Request::read(text) {
            Err(Unreadable { id, error }) => (id, self.count(1).and(Err(error)), usually),
            Ok(request) => match request.wants_rate_limits(usually) {
                Err(error) => (request.id, self.count(1).and(Err(error)), usually),
                Ok(wants_rate_limits) => {
                    (request.id, self.outcome(&request, &mut placing).await, wants_rate_limits)
                }
            },
        };
        let told = || self.gateway.limits.told(self.address, placing, now_ns());
        let rate_limits = wants_rate_limits.then(told);
        reply::text(id, outcome, rate_limits.as_deref())
    }

    /// Counts a request that no endpoint counts: what is asked of the connection itself, or cannot be read.
    fn count(&self, weight: u32) -> Result<(), ApiError> {
        self.gateway.limited(self.gateway.limits.enter(self.address, now_ns()))?;
        self.gateway.limited(self.gateway.limits.weigh(self.address, weight, now_ns())).map(drop)
    }

    /// What comes of a request; whose orders it places goes into `placing`.
    async fn outcome(
        &self,
        request: &Request<'_>,
        placing: &mut Option<AccountId>,
    ) -> Result<Json, ApiError> {
        let of_connection = match &*request.method {
            "session.logon" => Self::logon,
            "session.status" => Self::status,
            "session.logout" => Self::logout,
            "session.subscriptions" => Self::subscriptions,
            "userDataStream.subscribe" => Self::subscribe,
            "userDataStream.subscribe.signature" => Self::subscribe_signed,
            "userDataStream.unsubscribe" => Self::unsubscribe,
            method => {
                let Some(endpoint) = self.methods.get(method) else {
                    return self.count(1).and_then(|()| Err(ApiError::unknown_method()));
                };
                self.gateway.limited(self.gateway.limits.enter(self.address, now_ns()))?;
                return self.ask(endpoint, request, placing).await;
            }
        };
        self.count(WEIGHT_OF_CONNECTION)?;
        of_connection(self, request)
    }

    async fn ask(
        &self,
        endpoint: &'static Endpoint,
        request: &Request<'_>,
        placing: &mut Option<AccountId>,
    ) -> Result<Json, ApiError> {
        let begun = Instant::now();
        let prove = |params: &Params<'_>, security| {
            let caller = self.caller(request, params, security)?;
            *placing = (endpoint.orders > 0).then_some(caller.account);
            Ok(caller)
        };
        let unit = Ok(self.manner.unit);
        let answer = match request.params() {
            Ok(params) => endpoint.answer(&self.gateway, self.address, params, unit, prove).await,
            Err(error) => Err(error),
        };
        let status = answer.as_ref().map_or_else(|error| error.status, |json| json.status);
        self.gateway.metrics.answered("WS", endpoint.path, status, begun.elapsed());
        answer
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who sent a request: whoever signed it, or else whoever is logged on.
    fn caller(
        &self,
        request: &Request<'_>,
        params: &Params<'_>,
        security: Security,
    ) -> Result<Caller, ApiError> {
        let needed = match security {
            Security::Keyed(needed) if request.sent("apiKey").is_some() => {
                return self.gateway.named(request.sent("apiKey").map(str::as_bytes), self.address, needed);
            }
            Security::Signed(needed) | Security::Keyed(needed) => needed,
            Security::Public | Security::Anyhow => Permissions(0),
        };
        if request.sent("apiKey").is_some() || request.sent("signature").is_some() {
            return self.signer(request, needed).map(|(_, caller)| caller);
        }
        let key = self.logged_on(needed)?;
        let (account, key) = (key.account(), key.stored.key);
        let valid_until_ns = deadline(params, now_ns(), self.gateway.settings.max_recv_window_ms)?;
        Ok(Caller { account, key, valid_until_ns })
    }

    /// Who signed a request, and with which key.
    fn signer(&self, request: &Request<'_>, needed: Permissions) -> Result<(Arc<ApiKey>, Caller), ApiError> {
        let params = request.signing()?;
        let key = named_key(&self.gateway.keys, request.sent("apiKey").map(str::as_bytes))?;
        permit(&key, needed, Some(self.address))?;
        verify(&key, request.payload().as_bytes(), &params)?;
        let valid_until_ns = deadline(&params, now_ns(), self.gateway.settings.max_recv_window_ms)?;
        let caller = Caller { account: key.account(), key: key.stored.key, valid_until_ns };
        Ok((key, caller))
    }

    /// The key that is logged on, as it is now: a key that was revoked or changed meanwhile counts as it is.
    fn logged_on(&self, needed: Permissions) -> Result<Arc<ApiKey>, ApiError> {
        let id = self.session().logon.as_ref().map(|logon| logon.key).ok_or_else(ApiError::not_logged_on)?;
        let key = self.gateway.keys.find(&id).ok_or_else(ApiError::rejected_key)?;
        permit(&key, needed, Some(self.address))?;
        Ok(key)
    }

    fn logon(&self, request: &Request<'_>) -> Result<Json, ApiError> {
        request.signing()?.allow_signed(&[API_KEY])?;
        let (key, _) = self.signer(request, Permissions(0))?;
        if key.kind() != KeyKind::Ed25519 {
            return Err(ApiError::key_cannot_log_on());
        }
        let mut session = self.session();
        let since = self.manner.unit.of(now_ns());
        if session.logon.as_ref().is_some_and(|logon| logon.key != key.stored.key) {
            session.end();
        }
        session.logon = Some(Logon { key: key.stored.key, since });
        Ok(self.status_of(&session))
    }

    fn status(&self, request: &Request<'_>) -> Result<Json, ApiError> {
        request.params()?.allow::<Parameter>(&[])?;
        Ok(self.status_of(&self.session()))
    }

    fn logout(&self, request: &Request<'_>) -> Result<Json, ApiError> {
        request.params()?.allow::<Parameter>(&[])?;
        let mut session = self.session();
        session.end();
        Ok(self.status_of(&session))
    }

    fn status_of(&self, session: &Session) -> Json {
        Json::ok(&SessionStatus {
            api_key: session.logon.as_ref().map(|logon| logon.key.as_str()),
            authorized_since: session.logon.as_ref().map(|logon| logon.since),
            connected_since: self.connected,
            return_rate_limits: self.manner.rate_limits,
            server_time: self.manner.unit.of(now_ns()),
            user_data_stream: !session.subscriptions.is_empty(),
        })
    }

    fn subscriptions(&self, request: &Request<'_>) -> Result<Json, ApiError> {
        request.params()?.allow::<Parameter>(&[])?;
        let session = self.session();
        let ids = session.subscriptions.keys();
        Ok(Json::ok(&ids.map(|id| Subscribed { subscription_id: *id }).collect::<Vec<_>>()))
    }

    fn subscribe(&self, request: &Request<'_>) -> Result<Json, ApiError> {
        request.params()?.allow_signed::<Parameter>(&[])?;
        let key = self.logged_on(Permissions::READ)?;
        self.subscribe_to(key.account(), key.stored.key, Owner::Session)
    }

    fn subscribe_signed(&self, request: &Request<'_>) -> Result<Json, ApiError> {
        request.params()?.allow_signed::<Parameter>(&[])?;
        let (_, caller) = self.signer(request, Permissions::READ)?;
        self.subscribe_to(caller.account, caller.key, Owner::Connection)
    }

    fn subscribe_to(&self, account: AccountId, key: ApiKeyId, owner: Owner) -> Result<Json, ApiError> {
        let mut session = self.session();
        if session.subscriptions.values().any(|other| other.account == account) {
            return Err(ApiError::subscription_active());
        }
        let id = session.next_subscription;
        if session.subscriptions.len() >= MAX_SUBSCRIPTIONS || id >= MAX_SUBSCRIPTION_ID {
            return Err(ApiError::too_many_subscriptions());
        }
        session.next_subscription += 1;
        let outbox = Arc::clone(&self.outbox);
        let (keys, address) = (Arc::clone(&self.gateway.keys), self.address);
        let right = Right::while_true(move || {
            keys.find(&key).is_some_and(|key| permit(&key, Permissions::READ, Some(address)).is_ok())
        });
        let models = &self.gateway.read_models;
        let (hub, home) = (models.hub(), models.home(account));
        let events =
            hub.subscribe_user((account, home), outbox, Half::Spot(id.into()), self.manner.unit, right);
        session.subscriptions.insert(id, Subscription { account, owner, _events: events });
        Ok(Json::ok(&Subscribed { subscription_id: id }))
    }

    fn unsubscribe(&self, request: &Request<'_>) -> Result<Json, ApiError> {
        let params = request.params()?;
        params.allow(&[SUBSCRIPTION_ID])?;
        let mut session = self.session();
        match params.optional_number("subscriptionId")? {
            None => session.subscriptions.clear(),
            Some(id) => {
                let id = u32::try_from(id).ok();
                let ended = id.and_then(|id| session.subscriptions.remove(&id));
                drop(ended.ok_or_else(ApiError::subscription_inactive)?);
            }
        }
        Ok(Json::ok(&serde_json::Map::new()))
    }
}

impl Session {
    /// Forgets who is logged on, with what was subscribed to in that name.
    fn end(&mut self) {
        self.logon = None;
        self.subscriptions.retain(|_, subscription| subscription.owner == Owner::Connection);
    }
}
