//! `exchangeInfo`: what is listed, and the rules that an order has to keep. Lists only what exists.
//! Sources: rest-api.md "Exchange information", filters.md; the fields that clients read: `clients`' parsers.

use model::MarketTerms;
use serde::Serialize;
use utoipa::ToSchema;

use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, now_ns};
use crate::limits::RateLimit;
use crate::listings::Listing;
use crate::market_data::{Chosen, Symbol};
use crate::openapi::words;

/// Kinds of orders that exist here.
const ORDER_TYPES: [&str; 7] =
    ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];
/// Modes of self-trade prevention that exist here.
const STP_MODES: [&str; 6] = ["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"];
/// What an account needs to trade.
const SPOT: &str = "SPOT";

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExchangeInfo {
    timezone: &'static str,
    server_time: u64,
    rate_limits: Vec<RateLimit>,
    #[schema(schema_with = words::nothing)]
    exchange_filters: [(); 0],
    symbols: Vec<SymbolInfo>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the wire")]
pub(crate) struct SymbolInfo {
    symbol: Symbol,
    #[schema(schema_with = words::market_status)]
    status: &'static str,
    base_asset: String,
    base_asset_precision: u8,
    quote_asset: String,
    quote_precision: u8,
    quote_asset_precision: u8,
    base_commission_precision: u8,
    quote_commission_precision: u8,
    #[schema(schema_with = words::order_types)]
    order_types: [&'static str; 7],
    iceberg_allowed: bool,
    oco_allowed: bool,
    oto_allowed: bool,
    opo_allowed: bool,
    quote_order_qty_market_allowed: bool,
    allow_trailing_stop: bool,
    cancel_replace_allowed: bool,
    amend_allowed: bool,
    peg_instructions_allowed: bool,
    is_spot_trading_allowed: bool,
    is_margin_trading_allowed: bool,
    filters: [Rule; 8],
    #[schema(schema_with = words::nothing)]
    permissions: [(); 0],
    #[schema(value_type = Vec<Vec<String>>)]
    permission_sets: Vec<[&'static str; 1]>,
    #[schema(schema_with = words::stp_mode)]
    default_self_trade_prevention_mode: &'static str,
    #[schema(schema_with = words::stp_modes)]
    allowed_self_trade_prevention_modes: [&'static str; 6],
}

#[derive(Serialize, ToSchema)]
#[serde(tag = "filterType", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Rule {
    #[serde(rename_all = "camelCase")]
    PriceFilter { min_price: Decimal, max_price: Decimal, tick_size: Decimal },
    #[serde(rename_all = "camelCase")]
    LotSize { min_qty: Decimal, max_qty: Decimal, step_size: Decimal },
    #[serde(rename_all = "camelCase")]
    MarketLotSize { min_qty: Decimal, max_qty: Decimal, step_size: Decimal },
    #[serde(rename_all = "camelCase")]
    Notional {
        min_notional: Decimal,
        apply_min_to_market: bool,
        max_notional: Decimal,
        apply_max_to_market: bool,
        avg_price_mins: u32,
    },
    #[serde(rename_all = "camelCase")]
    MaxNumOrders { max_num_orders: u32 },
    #[serde(rename_all = "camelCase")]
    MaxNumAlgoOrders { max_num_algo_orders: u32 },
    #[serde(rename_all = "camelCase")]
    TrailingDelta {
        min_trailing_above_delta: u16,
        max_trailing_above_delta: u16,
        min_trailing_below_delta: u16,
        max_trailing_below_delta: u16,
    },
    #[serde(rename_all = "camelCase")]
    MaxNumOrderAmends { max_num_order_amends: u16 },
}

fn filters(listing: &Listing) -> [Rule; 8] {
    let terms = &listing.terms;
    let min_qty = listing.quantity(terms.min_qty_lots);
    let max_qty = listing.quantity(terms.max_qty_lots);
    let step_size = listing.base_amount(terms.base_atoms_per_lot);
    // Without a rule of its own, the largest order there can be.
    let max_notional = if terms.max_notional.is_zero() {
        terms.notional(terms.max_price_ticks, terms.max_qty_lots)
    } else {
        terms.max_notional
    };
    [
        Rule::PriceFilter {
            min_price: listing.price(terms.min_price_ticks),
            max_price: listing.price(terms.max_price_ticks),
            tick_size: listing.price(model::PriceTicks(1)),
        },
        Rule::LotSize { min_qty, max_qty, step_size },
        Rule::MarketLotSize { min_qty, max_qty, step_size },
        Rule::Notional {
            min_notional: listing.quote_amount(terms.min_notional),
            apply_min_to_market: true,
            max_notional: listing.quote_amount(max_notional),
            apply_max_to_market: true,
            // Market orders count at the last price.
            avg_price_mins: 0,
        },
        Rule::MaxNumOrders { max_num_orders: terms.max_open_orders_per_account },
        Rule::MaxNumAlgoOrders { max_num_algo_orders: MarketTerms::MAX_ALGO_ORDERS_PER_ACCOUNT },
        Rule::TrailingDelta {
            min_trailing_above_delta: MarketTerms::MIN_TRAILING_BIPS,
            max_trailing_above_delta: MarketTerms::MAX_TRAILING_BIPS,
            min_trailing_below_delta: MarketTerms::MIN_TRAILING_BIPS,
            max_trailing_below_delta: MarketTerms::MAX_TRAILING_BIPS,
        },
        Rule::MaxNumOrderAmends { max_num_order_amends: terms.max_amends_per_order },
    ]
}

fn symbol_info(listing: &Listing, status: &'static str, with_permissions: bool) -> SymbolInfo {
    SymbolInfo {
        symbol: Symbol(listing.terms.name),
        status,
        base_asset: listing.base.name.to_string(),
        base_asset_precision: listing.base.scale,
        quote_asset: listing.quote.name.to_string(),
        quote_precision: listing.price_decimals(),
        quote_asset_precision: listing.quote.scale,
        base_commission_precision: listing.base.scale,
        quote_commission_precision: listing.quote.scale,
        order_types: ORDER_TYPES,
        iceberg_allowed: false,
        oco_allowed: false,
        oto_allowed: false,
        opo_allowed: false,
        quote_order_qty_market_allowed: true,
        allow_trailing_stop: true,
        cancel_replace_allowed: true,
        amend_allowed: true,
        peg_instructions_allowed: false,
        is_spot_trading_allowed: true,
        is_margin_trading_allowed: false,
        filters: filters(listing),
        permissions: [],
        permission_sets: if with_permissions { vec![[SPOT]] } else { Vec::new() },
        default_self_trade_prevention_mode: STP_MODES[0],
        allowed_self_trade_prevention_modes: STP_MODES,
    }
}

pub(crate) async fn exchange_info(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let permissions = params.list("permissions")?;
    let by_name = params.sent("symbol").is_some() || params.sent("symbols").is_some();
    if by_name && (permissions.is_some() || params.sent("symbolStatus").is_some()) {
        return Err(ApiError::bad_combination());
    }
    let with_permissions =
        params.sent("showPermissionSets").is_none() || params.flag("showPermissionSets")?;
    let unit = ask.unit;
    let listings = gateway.listings().await?;
    let wanted = permissions.is_none_or(|names| names.iter().any(|name| name == SPOT));
    let chosen = match Chosen::by(params, &listings)? {
        Chosen::One(listing) => vec![listing],
        Chosen::Many(several) => several,
    };
    let symbols = chosen.into_iter().filter(|_| wanted);
    Ok(Json::ok(&ExchangeInfo {
        timezone: "UTC",
        server_time: unit.of(now_ns()),
        rate_limits: gateway.limits.rules(),
        exchange_filters: [],
        symbols: symbols
            .map(|listing| symbol_info(listing, gateway.status(listing), with_permissions))
            .collect(),
    }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FuturesInfo {
    timezone: &'static str,
    server_time: u64,
    futures_type: &'static str,
    rate_limits: Vec<RateLimit>,
    #[schema(schema_with = words::nothing)]
    exchange_filters: [(); 0],
    #[schema(schema_with = words::nothing)]
    assets: [(); 0],
    #[schema(schema_with = words::nothing)]
    symbols: [(); 0],
}

/// No coin-margined futures: an empty list lets a client load that asks for them.
pub(crate) fn coin_margined(gateway: &Gateway, ask: &Ask<'_>) -> Json {
    Json::ok(&FuturesInfo {
        timezone: "UTC",
        server_time: ask.unit.of(now_ns()),
        futures_type: "C_MARGINED",
        rate_limits: gateway.limits.rules(),
        exchange_filters: [],
        assets: [],
        symbols: [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::sample::btcusdt;

    #[test]
    fn a_symbol_has_the_fields_that_clients_read() {
        let info = serde_json::to_value(symbol_info(&btcusdt(), "TRADING", true)).unwrap();
        assert_eq!(info["symbol"], "BTCUSDT");
        assert_eq!(info["status"], "TRADING");
        assert_eq!((&info["baseAsset"], &info["quoteAsset"]), (&"BTC".into(), &"USDT".into()));
        assert_eq!((&info["baseAssetPrecision"], &info["quotePrecision"]), (&8.into(), &6.into()));
        assert_eq!(info["isMarginTradingAllowed"], false);
        assert_eq!(info["permissions"], serde_json::json!([]));
        assert_eq!(info["permissionSets"], serde_json::json!([["SPOT"]]));
        assert_eq!(info["orderTypes"], serde_json::json!(ORDER_TYPES));
        assert_eq!(
            info["filters"],
            serde_json::json!([
                {"filterType": "PRICE_FILTER", "minPrice": "0.05", "maxPrice": "1000000.00", "tickSize": "0.05"},
                {"filterType": "LOT_SIZE", "minQty": "0.00100000", "maxQty": "1000.00000000", "stepSize": "0.00100000"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00100000", "maxQty": "1000.00000000", "stepSize": "0.00100000"},
                {"filterType": "NOTIONAL", "minNotional": "5.000000", "applyMinToMarket": true,
                    "maxNotional": "1000000000.000000", "applyMaxToMarket": true, "avgPriceMins": 0},
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
                {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
                    "minTrailingBelowDelta": 10, "maxTrailingBelowDelta": 2000},
                {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
            ])
        );
    }
}
