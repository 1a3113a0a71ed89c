//! Which paths there are, and the two listeners: the public one, and the operator's.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, get, on};
use tokio::net::TcpListener;

use crate::admin::{self, Admin};
use crate::client::Entered;
use crate::connection::Door;
use crate::endpoint::{self, Endpoint};
use crate::errors::ApiError;
use crate::gateway::{Gateway, Received, Refused, now_ns};
use crate::health;
use crate::limits::OrderCounts;
use crate::metrics::Side;
use crate::params::Params;
use crate::streams::market;
use crate::tls::Tls;
use crate::ws_api;

/// A listener, and whether it speaks TLS.
pub struct Port {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
}

impl Port {
    /// One that speaks TLS.
    pub const fn with_tls(listener: TcpListener, tls: Arc<Tls>) -> Self {
        Self { listener, tls: Some(tls) }
    }
}

impl From<TcpListener> for Port {
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }
}

/// Serves Binance's dialects of spot and USD-M futures on `port` until `shutdown` is done, then lets begun requests finish for at most the
/// setting `stop_timeout`. To be called before the sequencer stops, so that what was handed in is still answered.
pub async fn serve(port: impl Into<Port>, gateway: Arc<Gateway>, shutdown: impl Future<Output = ()>) {
    let Port { listener, tls } = port.into();
    let door = Door::new(Side::Public, &gateway, tls);
    door.serve(listener, public(gateway), shutdown).await;
}

/// Serves the operator's API on `port`, in the same way.
pub async fn serve_admin(port: impl Into<Port>, admin: Arc<Admin>, shutdown: impl Future<Output = ()>) {
    let Port { listener, tls } = port.into();
    let door = Door::new(Side::Admin, admin.gateway(), tls);
    door.serve(listener, admin::router(admin), shutdown).await;
}

fn public(gateway: Arc<Gateway>) -> Router {
    let mut router = Router::new()
        .route("/health/live", get(async || health::live()))
        .route("/health/ready", get(async |State(gateway): State<Arc<Gateway>>| health::ready(&gateway)))
        .route("/ws-api/v3", get(ws_api::open))
        .route("/ws-fapi/v1", get(ws_api::open_futures));
    for route in [""].into_iter().chain(market::ROUTES) {
        for path in ["/ws", "/ws/", "/ws/{*tail}"] {
            router = router.route(&format!("{route}{path}"), get(market::raw));
        }
        for path in ["/stream", "/stream/", "/stream/{*tail}"] {
            router = router.route(&format!("{route}{path}"), get(market::combined));
        }
    }
    for endpoint in endpoint::all() {
        let filter = MethodFilter::try_from(endpoint.verb.clone()).expect("a verb of HTTP");
        let handler = async |State(gateway): State<Arc<Gateway>>, received: Received| {
            answer(endpoint, &gateway, &received).await
        };
        router = router.route(endpoint.path, on(filter, handler));
    }
    router
        .fallback(async |_: Entered| Refused(ApiError::unknown_path()))
        .method_not_allowed_fallback(async |_: Entered| Refused(ApiError::wrong_verb()))
        .with_state(gateway)
}

async fn answer(endpoint: &'static Endpoint, gateway: &Gateway, received: &Received) -> Response {
    let begun = Instant::now();
    let mut placing = None;
    let prove = |params: &Params<'_>, security| {
        let caller = gateway.caller(received, params, security)?;
        placing = (endpoint.orders > 0).then_some(caller.account);
        Ok(caller)
    };
    let answer = match received.params() {
        Ok(params) => endpoint.answer(gateway, received.address, params, received.time_unit(), prove).await,
        Err(error) => Err(error),
    };
    let placing = placing.filter(|_| answer.is_ok());
    let mut response = answer.map_err(Refused).into_response();
    let headers = response.headers_mut();
    let weight = gateway.limits.weight_used(received.address, now_ns());
    for name in ["x-mbx-used-weight", "x-mbx-used-weight-1m"] {
        headers.insert(name, weight.into());
    }
    if let Some(account) = placing {
        let OrderCounts { ten_seconds, day } = gateway.limits.orders(account, now_ns());
        headers.insert("x-mbx-order-count-10s", ten_seconds.into());
        headers.insert("x-mbx-order-count-1d", day.into());
    }
    gateway.metrics.answered(endpoint.verb.as_str(), endpoint.path, response.status(), begun.elapsed());
    response
}
