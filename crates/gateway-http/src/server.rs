//! Which paths there are, and the two listeners: the public one, and the operator's.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{MethodFilter, get, on};
use tokio::net::TcpListener;

use crate::admin::{self, Admin};
use crate::connection;
use crate::endpoint::{Endpoint, TABLE};
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, Received};
use crate::params::Params;
use crate::streams::market;

/// Serves Binance's spot dialect on `listener` until `shutdown` is done, then lets begun requests finish for at most the
/// setting `stop_timeout`. To be called before the sequencer stops, so that what was handed in is still answered.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, shutdown: impl Future<Output = ()>) {
    let settings = gateway.settings.clone();
    connection::serve(listener, public(gateway), &settings, shutdown).await;
}

/// Serves the operator's API on `listener`, in the same way.
pub async fn serve_admin(listener: TcpListener, admin: Arc<Admin>, shutdown: impl Future<Output = ()>) {
    let settings = admin.gateway().settings.clone();
    connection::serve(listener, admin::router(admin), &settings, shutdown).await;
}

fn public(gateway: Arc<Gateway>) -> Router {
    let mut router = Router::new().route("/health/live", get(live));
    for path in ["/ws", "/ws/", "/ws/{*tail}"] {
        router = router.route(path, get(market::raw));
    }
    for path in ["/stream", "/stream/", "/stream/{*tail}"] {
        router = router.route(path, get(market::combined));
    }
    for endpoint in TABLE {
        let filter = MethodFilter::try_from(endpoint.verb.clone()).expect("a verb of HTTP");
        let handler = async |State(gateway): State<Arc<Gateway>>, received: Received| {
            answer(endpoint, &gateway, &received).await
        };
        router = router.route(endpoint.path, on(filter, handler));
    }
    router
        .fallback(async || ApiError::unknown_path())
        .method_not_allowed_fallback(async || ApiError::wrong_verb())
        .with_state(gateway)
}

async fn answer(endpoint: &Endpoint, gateway: &Gateway, received: &Received) -> Result<Json, ApiError> {
    let prove = |params: &Params<'_>, needed| gateway.caller(received, params, needed);
    endpoint.answer(gateway, received.params()?, received.time_unit(), prove).await
}

/// Answers as long as the process runs, whatever state the exchange is in.
async fn live() -> Json {
    Json::ok(&serde_json::Map::new())
}
