//! Which paths there are, and the two listeners: the public one, and the operator's.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use tokio::net::TcpListener;

use crate::admin::{self, Admin};
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json};
use crate::{account, connection, exchange_info, market_data, sapi, trading};

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
    Router::new()
        .route("/health/live", get(live))
        .route("/api/v3/ping", get(market_data::ping))
        .route("/api/v3/time", get(market_data::time))
        .route("/api/v3/exchangeInfo", get(exchange_info::exchange_info))
        .route("/api/v3/depth", get(market_data::depth))
        .route("/api/v3/trades", get(market_data::trades))
        .route("/api/v3/historicalTrades", get(market_data::historical_trades))
        .route("/api/v3/aggTrades", get(market_data::agg_trades))
        .route("/api/v3/klines", get(market_data::klines))
        .route("/api/v3/uiKlines", get(market_data::klines))
        .route("/api/v3/avgPrice", get(market_data::average_price))
        .route("/api/v3/ticker/24hr", get(market_data::ticker_24hr))
        .route("/api/v3/ticker/price", get(market_data::ticker_price))
        .route("/api/v3/ticker/bookTicker", get(market_data::book_ticker))
        .route("/api/v3/order", post(trading::place).get(account::query_order).delete(trading::cancel))
        .route("/api/v3/order/test", post(trading::place_test))
        .route("/api/v3/order/cancelReplace", post(trading::cancel_replace))
        .route("/api/v3/order/amend/keepPriority", put(trading::amend))
        .route("/api/v3/openOrders", get(account::open_orders).delete(trading::cancel_all))
        .route("/api/v3/allOrders", get(account::all_orders))
        .route("/api/v3/account", get(account::account))
        .route("/api/v3/account/commission", get(account::commission))
        .route("/api/v3/myTrades", get(account::my_trades))
        .route("/api/v3/rateLimit/order", get(account::order_rate_limits))
        .route("/sapi/v1/system/status", get(sapi::system_status))
        .route("/sapi/v1/capital/config/getall", get(sapi::all_coins))
        .route("/sapi/v1/asset/tradeFee", get(sapi::trade_fee))
        .route("/sapi/v1/margin/allPairs", get(sapi::no_margin_pairs))
        .route("/sapi/v1/margin/isolated/allPairs", get(sapi::no_margin_pairs))
        .route("/sapi/v1/spot/delist-schedule", get(sapi::no_delistings))
        .route("/fapi/v1/exchangeInfo", get(exchange_info::usd_margined))
        .route("/dapi/v1/exchangeInfo", get(exchange_info::coin_margined))
        .fallback(async || ApiError::unknown_path())
        .method_not_allowed_fallback(async || ApiError::wrong_verb())
        .with_state(gateway)
}

/// Answers as long as the process runs, whatever state the exchange is in.
async fn live() -> Json {
    Json::ok(&serde_json::Map::new())
}
