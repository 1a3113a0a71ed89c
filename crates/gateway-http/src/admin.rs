//! The operator's API, on its own listener and behind its own token: accounts, keys, money in and out, what is listed, and
//! whether it all adds up. JSON in, JSON out; amounts and prices are decimal text. Its paths begin with `/admin/v1`.

mod accounts;
mod contract_form;
mod contracts;
mod funds;
mod keys;
mod listed;
mod market_form;
mod master_key;
mod table;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use model::{AccountId, Amount, AssetTerms, Command, Event, Reject};
use ring::hmac;
use ring::rand::SystemRandom;
use sequencer::Reply;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

pub use contract_form::{
    BracketForm, ContractChange, ContractForm, Named as NamedByContract, PerpetualChange, SourceForm,
};
pub use market_form::{FormError, MarketChange, MarketForm};
pub(crate) use table::{Body, Route, Success, TABLE};

use crate::client::address_of;
use crate::decimal::Decimal;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, Received, now_ns};
use crate::keys::random_text;
use crate::listings::Listings;
use crate::master_key::KeyError;
use crate::params::Params;
use crate::read_model::ReadModel;
use crate::{health, metrics, openapi};

/// The secret that every request of the operator has to show: `Authorization: Bearer TOKEN`.
#[derive(Debug)]
pub struct AdminToken {
    /// Made up anew at every start: the token is compared by its tag under this key, which takes the same time whatever is
    /// wrong with it.
    key: hmac::Key,
    tag: hmac::Tag,
}

impl AdminToken {
    /// Shortest token, in characters.
    pub const MIN_LEN: usize = 16;

    /// `text` as the token; `None` when it is shorter than [`Self::MIN_LEN`] or cannot stand in a header.
    pub fn new(text: &str) -> Result<Option<Self>, KeyError> {
        if text.len() < Self::MIN_LEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(None);
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| KeyError::NoRandomness)?;
        let tag = hmac::sign(&key, text.as_bytes());
        Ok(Some(Self { key, tag }))
    }

    /// 48 random letters and digits, to be used as a token.
    pub fn generate() -> Result<String, KeyError> {
        random_text::<48>(&SystemRandom::new())
    }

    fn is(&self, shown: &[u8]) -> bool {
        hmac::verify(&self.key, shown, self.tag.as_ref()).is_ok()
    }
}

/// What the operator's handlers have at hand.
pub struct Admin {
    gateway: Arc<Gateway>,
    token: AdminToken,
}

impl Admin {
    /// The operator's side of `gateway`.
    pub fn new(gateway: Arc<Gateway>, token: AdminToken) -> Arc<Self> {
        Arc::new(Self { gateway, token })
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Hands in a command; what is refused becomes an error that says what would be right.
    async fn execute(&self, command: Command) -> Result<Reply, AdminError> {
        let name = command.name();
        let reply = self.gateway.execute(command).await?;
        let refused = reply
            .events()
            .iter()
            .find_map(|event| if let Event::Rejected { reject, .. } = event { Some(*reject) } else { None });
        let seq = reply.seq().0;
        if let Some(reject) = refused {
            tracing::info!(command = name, seq, %reject, "the operator was refused");
            Err(AdminError::from(reject))
        } else {
            tracing::info!(command = name, seq, "the operator's command is done");
            Ok(reply)
        }
    }

    async fn listings(&self) -> Result<Arc<Listings>, AdminError> {
        Ok(self.gateway.listings().await?)
    }
}

/// Why the operator does not get what was asked for.
#[derive(Debug)]
struct AdminError {
    status: StatusCode,
    error: String,
}

/// What every error looks like.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminErrorBody<'e> {
    error: &'e str,
}

impl AdminError {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }
}

impl From<ApiError> for AdminError {
    fn from(error: ApiError) -> Self {
        Self::new(error.status, error.message)
    }
}

impl From<FormError> for AdminError {
    fn from(error: FormError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<KeyError> for AdminError {
    fn from(error: KeyError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<Reject> for AdminError {
    fn from(reject: Reject) -> Self {
        let status = match reject {
            Reject::UnknownAccount { .. }
            | Reject::UnknownAsset { .. }
            | Reject::UnknownMarket { .. }
            | Reject::UnknownOrder
            | Reject::UnknownWithdrawal { .. }
            | Reject::UnknownApiKey
            | Reject::OrderGone { .. } => StatusCode::NOT_FOUND,
            // Nothing is wrong with the request; it does not fit what is there.
            Reject::NameTaken
            | Reject::TermsAreFixed
            | Reject::DuplicateReference
            | Reject::DepositLimit { .. }
            | Reject::MarketClosed
            | Reject::InsufficientBalance { .. }
            | Reject::DuplicateClientOrderId
            | Reject::TooManyOpenOrders { .. }
            | Reject::BookFull { .. }
            | Reject::WouldTake { .. }
            | Reject::NoLiquidity
            | Reject::CancelRestricted
            | Reject::AmendChangesNothing
            | Reject::AmendIncreases { .. }
            | Reject::TooManyAmends { .. }
            | Reject::ReplaceNotAttempted
            | Reject::TooManyPartitions { .. }
            | Reject::MarketIsThere { .. }
            | Reject::MarketMoves { .. }
            | Reject::NotTheFirst { .. }
            | Reject::HasJoined { .. }
            | Reject::UnknownSource { .. }
            | Reject::TooManySources { .. }
            | Reject::WouldTrigger { .. }
            | Reject::TooManyAlgoOrders { .. }
            | Reject::IsContract { .. }
            | Reject::NotContract { .. }
            | Reject::InsufficientMargin { .. }
            | Reject::PositionTooLarge { .. }
            | Reject::TooManyLots { .. }
            | Reject::NothingToReduce
            | Reject::InLiquidation
            | Reject::WalletShort { .. }
            | Reject::ContractStays
            | Reject::LivesElsewhere { .. }
            | Reject::ClosesAlready { .. }
            | Reject::BeingModified
            | Reject::LosesTooMuch { .. }
            | Reject::MarginTypeUnchanged
            | Reject::MarginTypeHasOrders
            | Reject::MarginTypeHasPosition
            | Reject::NotIsolated
            | Reject::PositionMarginShort { .. }
            | Reject::LeverageCannotFall { .. }
            | Reject::IsFund
            | Reject::PositionModeUnchanged
            | Reject::PositionModeHasOrders
            | Reject::PositionModeHasPosition
            | Reject::PositionSideMismatch { .. }
            | Reject::ReduceOnlyInHedge => StatusCode::CONFLICT,
            Reject::NameMissing
            | Reject::AlgoCombination
            | Reject::DatePassed { .. }
            | Reject::ScaleTooLarge { .. }
            | Reject::BadTerms { .. }
            | Reject::BadSealedSecret { .. }
            | Reject::TooManyIpRanges { .. }
            | Reject::BadIpRange { .. }
            | Reject::UnknownPartition { .. }
            | Reject::ReferenceMissing
            | Reject::AmountNotPositive { .. }
            | Reject::TooLate { .. }
            | Reject::PriceOutOfRange { .. }
            | Reject::QtyOutOfRange { .. }
            | Reject::NotionalOutOfRange { .. }
            | Reject::TriggerMissing
            | Reject::TrailingDeltaOutOfRange { .. }
            | Reject::BadContract { .. }
            | Reject::NotAtContracts
            | Reject::LeverageOutOfRange { .. }
            | Reject::UnknownIndexSource { .. } => StatusCode::BAD_REQUEST,
        };
        Self::new(status, reject.to_string())
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let mut response =
            Json::with_status(self.status, &AdminErrorBody { error: &self.error }).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A request of somebody who has shown the token.
struct Authorized {
    received: Received,
}

impl FromRequest<Arc<Admin>> for Authorized {
    type Rejection = AdminError;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, AdminError> {
        let shown = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let shown = shown.and_then(|value| value.strip_prefix(b"Bearer ".as_slice()));
        if !shown.is_some_and(|shown| admin.token.is(shown)) {
            return Err(AdminError::new(
                StatusCode::UNAUTHORIZED,
                "the header 'Authorization: Bearer TOKEN' with the operator's token is needed",
            ));
        }
        let (head, body) = request.into_parts();
        let address = address_of(&admin.gateway, &head);
        Ok(Self { received: Received::read(address, head, body, &admin.gateway.settings).await? })
    }
}

impl Authorized {
    /// The body, which has to be a JSON object of this form; the error names the field.
    fn json<T: DeserializeOwned>(&self) -> Result<T, AdminError> {
        serde_json::from_slice(self.received.body())
            .map_err(|error| AdminError::bad_request(format!("the body is not what is wanted: {error}")))
    }

    fn params(&self) -> Result<Params<'_>, AdminError> {
        Ok(Params::parse(self.received.query(), b"")?)
    }
}

/// A number in a path.
fn id_in_path(text: &str, what: &str) -> Result<u64, AdminError> {
    text.parse().map_err(|_| AdminError::bad_request(format!("{what} is a number, not '{text}'")))
}

/// The account that is meant.
fn account_in_path(text: &str) -> Result<AccountId, AdminError> {
    id_in_path(text, "an account").map(AccountId)
}

/// An amount of an asset in an answer.
fn amount(terms: &AssetTerms, amount: Amount) -> Decimal {
    Decimal { units: amount.0, scale: terms.scale }
}

#[derive(Serialize, ToSchema)]
struct Status {
    /// The last command of the first partition whose outcome was told to anybody.
    seq: u64,
    /// The last event that the views have.
    event_seq: u64,
    /// The time of that, in milliseconds.
    time: u64,
    /// The clock, in milliseconds.
    server_time: u64,
    uptime_seconds: u64,
    accounts: usize,
    markets: usize,
    open_orders: usize,
}

async fn status(State(admin): State<Arc<Admin>>, _: Authorized) -> Result<Json, AdminError> {
    let gateway = admin.gateway();
    let seq = gateway.egress[0].released_seq().0;
    let open_orders = |model: &ReadModel| model.with_views(|views| views.orders().open_count());
    let open_orders = gateway.everywhere().await?.iter().map(open_orders).sum();
    let status = gateway.directory().await?.with_views(|views| Status {
        seq,
        event_seq: views.seq().0,
        time: views.time_ns().as_millis(),
        server_time: now_ns().as_millis(),
        uptime_seconds: gateway.started.elapsed().as_secs(),
        accounts: views.catalog().accounts().len(),
        markets: views.catalog().markets().len(),
        open_orders,
    });
    Ok(Json::ok(&status))
}

async fn document(_: Authorized) -> Json {
    Json::written(openapi::admin())
}

/// For Prometheus, which shows the token as every other request has to, unless the setting says otherwise.
async fn metrics(State(admin): State<Arc<Admin>>, request: Request) -> Result<Response, AdminError> {
    if !admin.gateway.settings.open_metrics {
        Authorized::from_request(request, &admin).await?;
    }
    let text = admin.gateway.metrics.render(&admin.gateway).map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, metrics::TEXT)], text).into_response())
}

async fn ready(State(admin): State<Arc<Admin>>) -> Json {
    health::ready(&admin.gateway)
}

pub(crate) fn router(admin: Arc<Admin>) -> Router {
    table::routes()
        .route("/metrics", get(metrics))
        .route("/health/live", get(async || health::live()))
        .route("/health/ready", get(ready))
        .fallback(async || AdminError::not_found("there is no such path; they begin with /admin/v1/"))
        .method_not_allowed_fallback(async || {
            AdminError::new(StatusCode::METHOD_NOT_ALLOWED, "this path has other verbs")
        })
        .with_state(admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        assert!(AdminToken::new("too-short").unwrap().is_none());
        assert!(AdminToken::new("with blanks in between").unwrap().is_none());
        let text = AdminToken::generate().unwrap();
        let token = AdminToken::new(&text).unwrap().unwrap();
        assert!(token.is(text.as_bytes()));
        assert!(
            !token.is(b"") && !token.is(&text.as_bytes()[1..]) && !token.is(format!("{text}x").as_bytes())
        );
    }
}
