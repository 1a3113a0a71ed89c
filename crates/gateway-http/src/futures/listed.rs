//! `exchangeInfo` of futures: what is listed, and the rules that an order has to keep. Lists only what exists.

use model::{ContractTerms, MarketTerms, PriceTicks};
use serde::Serialize;
use utoipa::ToSchema;

use crate::account::Asset;
use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, now_ns};
use crate::limits::RateLimit;
use crate::listings::{Listing, Listings};
use crate::market_data::Symbol;
use crate::openapi::words;
use crate::params::Params;

/// Kinds of orders that exist here.
const ORDER_TYPES: [&str; 7] =
    ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"];
/// How long an order may live.
const TIMES_IN_FORCE: [&str; 5] = ["GTC", "IOC", "FOK", "GTX", "GTD"];
/// As Binance tells that there is no such day.
const NO_DELIVERY: u64 = 4_133_404_800_000;

/// The contract that must be named.
pub(crate) fn contract<'l>(params: &Params<'_>, listings: &'l Listings) -> Result<&'l Listing, ApiError> {
    listings.contract(params.required("symbol")?)
}

/// The contract that may be named.
pub(crate) fn optional<'l>(
    params: &Params<'_>,
    listings: &'l Listings,
) -> Result<Option<&'l Listing>, ApiError> {
    params.optional("symbol")?.map(|symbol| listings.contract(symbol)).transpose()
}

/// What a contract has beside the terms of every market.
pub(crate) fn terms_of(listing: &Listing) -> &ContractTerms {
    listing.contract.as_ref().expect("requests of futures name contracts only")
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContractsInfo {
    timezone: &'static str,
    server_time: u64,
    futures_type: &'static str,
    rate_limits: Vec<RateLimit>,
    #[schema(schema_with = words::nothing)]
    exchange_filters: [(); 0],
    assets: Vec<MarginAsset>,
    symbols: Vec<ContractInfo>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MarginAsset {
    asset: Asset,
    margin_available: bool,
    auto_asset_exchange: Decimal,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContractInfo {
    symbol: Symbol,
    pair: Symbol,
    contract_type: &'static str,
    delivery_date: u64,
    onboard_date: u64,
    #[schema(schema_with = words::market_status)]
    status: &'static str,
    maint_margin_percent: Decimal,
    required_margin_percent: Decimal,
    base_asset: Asset,
    quote_asset: Asset,
    margin_asset: Asset,
    price_precision: u8,
    quantity_precision: u8,
    base_asset_precision: u8,
    quote_precision: u8,
    underlying_type: &'static str,
    #[schema(schema_with = words::nothing)]
    underlying_sub_type: [(); 0],
    liquidation_fee: Decimal,
    market_take_bound: Decimal,
    #[schema(value_type = Vec<String>)]
    order_types: [&'static str; 7],
    #[schema(value_type = Vec<String>)]
    time_in_force: [&'static str; 5],
    trigger_protect: Decimal,
    filters: [ContractRule; 6],
}

#[derive(Serialize, ToSchema)]
#[serde(tag = "filterType", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ContractRule {
    #[serde(rename_all = "camelCase")]
    PriceFilter {
        min_price: Decimal,
        max_price: Decimal,
        tick_size: Decimal,
    },
    #[serde(rename_all = "camelCase")]
    LotSize {
        min_qty: Decimal,
        max_qty: Decimal,
        step_size: Decimal,
    },
    #[serde(rename_all = "camelCase")]
    MarketLotSize {
        min_qty: Decimal,
        max_qty: Decimal,
        step_size: Decimal,
    },
    MaxNumOrders {
        limit: u32,
    },
    MaxNumAlgoOrders {
        limit: u32,
    },
    MinNotional {
        notional: Decimal,
    },
}

fn rules(listing: &Listing, terms: &MarketTerms) -> [ContractRule; 6] {
    let min_qty = listing.quantity(terms.min_qty_lots);
    let max_qty = listing.quantity(terms.max_qty_lots);
    let step_size = listing.base_amount(terms.base_atoms_per_lot);
    [
        ContractRule::PriceFilter {
            min_price: listing.price(terms.min_price_ticks),
            max_price: listing.price(terms.max_price_ticks),
            tick_size: listing.price(PriceTicks(1)),
        },
        ContractRule::LotSize { min_qty, max_qty, step_size },
        ContractRule::MarketLotSize { min_qty, max_qty, step_size },
        ContractRule::MaxNumOrders { limit: terms.max_open_orders_per_account },
        ContractRule::MaxNumAlgoOrders { limit: ContractTerms::MAX_ALGO_ORDERS_PER_ACCOUNT },
        ContractRule::MinNotional { notional: listing.quote_amount(terms.min_notional) },
    ]
}

fn info(gateway: &Gateway, listing: &Listing) -> ContractInfo {
    let (terms, contract) = (&listing.terms, terms_of(listing));
    let name = Symbol(terms.name);
    let lowest = &contract.brackets[0];
    ContractInfo {
        symbol: name,
        pair: name,
        contract_type: "PERPETUAL",
        delivery_date: NO_DELIVERY,
        onboard_date: 0,
        status: gateway.status(listing),
        // Of the lowest bracket, in per cent.
        maint_margin_percent: Decimal { units: i128::from(lowest.maintenance_ppm), scale: 4 },
        required_margin_percent: Decimal { units: 1_000_000 / i128::from(lowest.max_leverage), scale: 4 },
        base_asset: Asset(listing.base.name),
        quote_asset: Asset(listing.quote.name),
        margin_asset: Asset(listing.quote.name),
        price_precision: terms.price_scale,
        quantity_precision: listing.quantity_decimals(),
        base_asset_precision: listing.base.scale,
        quote_precision: listing.quote.scale,
        underlying_type: "COIN",
        underlying_sub_type: [],
        liquidation_fee: Decimal { units: i128::from(contract.clearance_fee_ppm), scale: 6 },
        market_take_bound: Decimal { units: i128::from(terms.band_ppm), scale: 6 },
        order_types: ORDER_TYPES,
        time_in_force: TIMES_IN_FORCE,
        trigger_protect: Decimal { units: i128::from(ContractTerms::TRIGGER_PROTECT_PPM), scale: 6 },
        filters: rules(listing, terms),
    }
}

pub(crate) async fn exchange_info(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let mut assets = Vec::new();
    for listing in listings.contracts() {
        let asset = listing.quote.name;
        if !assets.iter().any(|other: &MarginAsset| other.asset.0 == asset) {
            let auto_asset_exchange = Decimal::zero(0);
            assets.push(MarginAsset { asset: Asset(asset), margin_available: true, auto_asset_exchange });
        }
    }
    Ok(Json::ok(&ContractsInfo {
        timezone: "UTC",
        server_time: ask.unit.of(now_ns()),
        futures_type: "U_MARGINED",
        rate_limits: gateway.limits.rules(),
        exchange_filters: [],
        assets,
        symbols: listings.contracts().map(|listing| info(gateway, listing)).collect(),
    }))
}
