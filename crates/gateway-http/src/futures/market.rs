//! What everybody may see of a contract: book, trades, candles, tickers, mark price, funding, open interest.

use model::{MarkPriceChanged, PriceTicks, QtyLots, TradeId};
use serde::Serialize;
use utoipa::ToSchema;
use views::{AggTrade, CandleQuery, Page, PriceKind, Trade, Views};

use dialect::contracts::{first_prices, funding_rate};

use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::futures::listed::{contract, optional, terms_of};
use crate::gateway::{Gateway, Json, TimeUnit, now_ns};
use crate::listings::Listing;
use crate::market_data::{
    BookPrices, Change, Kline, PriceLevel, Symbol, WindowPrices, WindowTotals, aggs_of, candle_query,
    trades_of,
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContractDepth {
    last_update_id: u64,
    #[serde(rename = "E")]
    told: u64,
    #[serde(rename = "T")]
    changed: u64,
    bids: Vec<PriceLevel>,
    asks: Vec<PriceLevel>,
}

pub(crate) async fn depth(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let limit = ask.params.limit(500, gateway.settings.max_depth_levels)?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let level = |level| PriceLevel::of(listing, level);
    let tell = |views: &Views| {
        let depth = views.depth(listing.market);
        ContractDepth {
            last_update_id: depth.last_update_id(),
            told: ask.unit.of(now_ns()),
            changed: ask.unit.of(views.time_ns()),
            bids: depth.bids().take(limit).map(level).collect(),
            asks: depth.asks().take(limit).map(level).collect(),
        }
    };
    Ok(Json::ok(&gateway.with_market(listing, tell).await?))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContractTrade {
    id: u64,
    price: Decimal,
    qty: Decimal,
    quote_qty: Decimal,
    time: u64,
    is_buyer_maker: bool,
}

impl ContractTrade {
    fn of(listing: &Listing, unit: TimeUnit, trade: &Trade) -> Self {
        Self {
            id: trade.id.0,
            price: listing.price(trade.price_ticks),
            qty: listing.quantity(trade.qty_lots),
            quote_qty: listing.quote_amount(trade.quote_amount(&listing.terms)),
            time: unit.of(trade.time_ns),
            is_buyer_maker: trade.is_buyer_maker(),
        }
    }
}

pub(crate) async fn trades(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let limit = ask.params.limit(500, gateway.settings.max_list_entries)?;
    let from = ask.params.optional_number("fromId")?.map(TradeId);
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let trades = trades_of(gateway, listing, &Page { from, ..Page::last(limit) }).await?;
    let told: Vec<_> = trades.iter().map(|trade| ContractTrade::of(listing, ask.unit, trade)).collect();
    Ok(Json::ok(&told))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ContractAggregated {
    a: u64,
    p: Decimal,
    q: Decimal,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
}

impl ContractAggregated {
    fn of(listing: &Listing, unit: TimeUnit, agg: &AggTrade) -> Self {
        Self {
            a: agg.id,
            p: listing.price(agg.price_ticks),
            q: listing.quantity(agg.qty_lots),
            f: agg.first.0,
            l: agg.last.0,
            time: unit.of(agg.time_ns),
            m: agg.is_buyer_maker(),
        }
    }
}

pub(crate) async fn agg_trades(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let aggs = aggs_of(gateway, &ask.params, listing).await?;
    let told: Vec<_> = aggs.iter().map(|agg| ContractAggregated::of(listing, ask.unit, agg)).collect();
    Ok(Json::ok(&told))
}

async fn candles(
    gateway: &Gateway,
    ask: &Ask<'_>,
    listing: &Listing,
    kind: Option<PriceKind>,
) -> Result<Json, ApiError> {
    let query: CandleQuery = candle_query(gateway, &ask.params)?;
    let look = |views: &Views| match kind {
        None => views.candles(listing.market, &query),
        Some(kind) => views.price_candles(listing.market, kind, &query),
    };
    let candles = gateway.with_market(listing, look).await?;
    let shown = match kind {
        None | Some(PriceKind::Mark | PriceKind::Index) => Listing::price,
        Some(PriceKind::Premium) => premium,
    };
    let row = |candle| Kline { listing, unit: ask.unit, candle, shown };
    Ok(Json::ok(&candles.into_iter().map(row).collect::<Vec<_>>()))
}

pub(crate) async fn klines(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    candles(gateway, ask, contract(&ask.params, &listings)?, None).await
}

/// The contract by its pair, as some questions name it; of the kind of contract that there is.
pub(crate) async fn continuous_klines(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = listings.contract(ask.params.required("pair")?)?;
    if ask.params.required("contractType")? != "PERPETUAL" {
        return Err(ApiError::invalid_value("contractType"));
    }
    candles(gateway, ask, listing, None).await
}

pub(crate) async fn mark_price_klines(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    candles(gateway, ask, contract(&ask.params, &listings)?, Some(PriceKind::Mark)).await
}

pub(crate) async fn index_price_klines(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = listings.contract(ask.params.required("pair")?)?;
    candles(gateway, ask, listing, Some(PriceKind::Index)).await
}

/// A premium as text shows it: a part of the index price.
fn premium(_: &Listing, premium: PriceTicks) -> Decimal {
    Decimal { units: premium.0.into(), scale: 8 }
}

pub(crate) async fn premium_index_klines(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    candles(gateway, ask, contract(&ask.params, &listings)?, Some(PriceKind::Premium)).await
}

/// Tells something of the contract that is named, or of all of them, each from the views that know its book.
async fn one_or_all<T: Serialize>(
    gateway: &Gateway,
    ask: &Ask<'_>,
    tell: impl Fn(&Listing, &Views) -> T,
) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let tell_of = async |listing| gateway.with_market(listing, |views| tell(listing, views)).await;
    if let Some(listing) = optional(&ask.params, &listings)? {
        return Ok(Json::ok(&tell_of(listing).await?));
    }
    let mut told = Vec::new();
    for listing in listings.contracts() {
        told.push(tell_of(listing).await?);
    }
    Ok(Json::ok(&told))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContractTicker {
    symbol: Symbol,
    #[serde(flatten)]
    change: Change,
    last_price: Decimal,
    last_qty: Decimal,
    #[serde(flatten)]
    prices: WindowPrices,
    #[serde(flatten)]
    totals: WindowTotals,
}

pub(crate) async fn ticker_24hr(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let now = now_ns();
    one_or_all(gateway, ask, |listing, views| {
        let ticker = views.ticker(listing.market, now);
        let last = ticker
            .prices
            .map_or((PriceTicks::ZERO, QtyLots::ZERO), |prices| (prices.last, prices.last_qty_lots));
        ContractTicker {
            symbol: Symbol(listing.terms.name),
            change: Change::of(listing, &ticker),
            last_price: listing.price(last.0),
            last_qty: listing.quantity(last.1),
            prices: WindowPrices::of(listing, &ticker),
            totals: WindowTotals::of(listing, ask.unit, &ticker),
        }
    })
    .await
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TimedPrice {
    symbol: Symbol,
    price: Decimal,
    time: u64,
}

pub(crate) async fn ticker_price(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    one_or_all(gateway, ask, |listing, views| {
        let trade = views.tape(listing.market).latest();
        TimedPrice {
            symbol: Symbol(listing.terms.name),
            price: listing.price(trade.map_or(PriceTicks::ZERO, |trade| trade.price_ticks)),
            time: ask.unit.of(trade.map_or(views.time_ns(), |trade| trade.time_ns)),
        }
    })
    .await
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimedBook {
    symbol: Symbol,
    #[serde(flatten)]
    book: BookPrices,
    last_update_id: u64,
    time: u64,
}

pub(crate) async fn book_ticker(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    one_or_all(gateway, ask, |listing, views| TimedBook {
        symbol: Symbol(listing.terms.name),
        book: BookPrices::of(listing, views.book_ticker(listing.market)),
        last_update_id: views.depth(listing.market).last_update_id(),
        time: ask.unit.of(views.time_ns()),
    })
    .await
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PremiumIndex {
    symbol: Symbol,
    mark_price: Decimal,
    index_price: Decimal,
    estimated_settle_price: Decimal,
    last_funding_rate: Decimal,
    interest_rate: Decimal,
    next_funding_time: u64,
    time: u64,
}

pub(crate) async fn premium_index(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    one_or_all(gateway, ask, |listing, views| {
        let first = first_prices(listing);
        let MarkPriceChanged { index_ticks, mark_ticks, rate: expected, next_funding_ns, .. } =
            views.futures().prices(listing.market).cloned().unwrap_or(first);
        PremiumIndex {
            symbol: Symbol(listing.terms.name),
            mark_price: listing.price(mark_ticks),
            index_price: listing.price(index_ticks),
            estimated_settle_price: listing.price(index_ticks),
            last_funding_rate: funding_rate(expected),
            interest_rate: funding_rate(terms_of(listing).interest),
            next_funding_time: ask.unit.of(next_funding_ns),
            time: ask.unit.of(views.time_ns()),
        }
    })
    .await
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FundingInfo {
    symbol: Symbol,
    adjusted_funding_rate_cap: Decimal,
    adjusted_funding_rate_floor: Decimal,
    funding_interval_hours: u8,
    disclaimer: bool,
}

pub(crate) async fn funding_info(gateway: &Gateway, _: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let info = |listing: &Listing| {
        let contract = terms_of(listing);
        FundingInfo {
            symbol: Symbol(listing.terms.name),
            adjusted_funding_rate_cap: funding_rate(contract.funding_cap),
            adjusted_funding_rate_floor: funding_rate(contract.funding_floor),
            funding_interval_hours: contract.funding_interval_hours,
            disclaimer: false,
        }
    };
    Ok(Json::ok(&listings.contracts().map(info).collect::<Vec<_>>()))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FundingRateReply {
    symbol: Symbol,
    funding_rate: Decimal,
    funding_time: u64,
    mark_price: Decimal,
}

pub(crate) async fn funding_rates(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let page = Page {
        from: None,
        start_ns: params.optional_start("startTime")?,
        end_ns: params.optional_end("endTime")?,
        limit: params.limit(100, gateway.settings.max_list_entries)?,
    };
    let listings = gateway.listings().await?;
    let mut told = Vec::new();
    let named = optional(params, &listings)?;
    for listing in named.into_iter().chain(listings.contracts().filter(|_| named.is_none())) {
        let look = |views: &Views| views.contract_history().fundings(listing.market, &page);
        for funding in gateway.with_market(listing, look).await? {
            told.push((
                funding.time_ns,
                FundingRateReply {
                    symbol: Symbol(listing.terms.name),
                    funding_rate: funding_rate(funding.rate),
                    funding_time: ask.unit.of(funding.time_ns),
                    mark_price: listing.price(funding.mark_ticks),
                },
            ));
        }
    }
    told.sort_by_key(|(time, _)| *time);
    let over = if page.start_ns.is_some() { 0 } else { told.len().saturating_sub(page.limit) };
    let wanted = told.into_iter().skip(over).take(page.limit).map(|(_, reply)| reply);
    Ok(Json::ok(&wanted.collect::<Vec<_>>()))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenInterestReply {
    symbol: Symbol,
    open_interest: Decimal,
    time: u64,
}

pub(crate) async fn open_interest(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let mut open = QtyLots::ZERO;
    for model in gateway.everywhere().await? {
        open += model.with_views(|views| views.futures().open_interest(listing.market).long_lots);
    }
    Ok(Json::ok(&OpenInterestReply {
        symbol: Symbol(listing.terms.name),
        open_interest: listing.quantity(open),
        time: ask.unit.of(now_ns()),
    }))
}
