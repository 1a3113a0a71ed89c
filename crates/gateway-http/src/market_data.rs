//! What everybody may see of a market: book, trades, candles, tickers. Source: rest-api.md "Market Data endpoints".

use std::borrow::Cow;

use model::{Amount, MarketId, MarketName, MarketStatus, PriceTicks, QtyLots, TimeNs, TradeId};
use serde::ser::SerializeTuple as _;
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use views::{AggTrade, BookTicker, Candle, CandleQuery, Interval, Page, Ticker, Trade, UtcOffset, Views};

use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::gateway::{Gateway, Json, TimeUnit, now_ns};
use crate::listings::{Listing, Listings};
use crate::openapi::words;
use crate::params::Params;

/// A market's name in an answer.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Z0-9_.-]{1,32}$")]
pub struct Symbol(pub MarketName);

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// The value of `status` in `exchangeInfo`.
pub const fn status_name(status: MarketStatus) -> &'static str {
    match status {
        MarketStatus::Trading => "TRADING",
        MarketStatus::CancelOnly => "CANCEL_ONLY",
        MarketStatus::Halt => "HALT",
    }
}

/// The parameter `symbolStatus`: which markets are wanted.
pub fn wanted_status<'p>(params: &'p Params<'_>) -> Result<Option<&'p str>, ApiError> {
    match params.optional("symbolStatus")? {
        None => Ok(None),
        Some(status @ ("TRADING" | "HALT" | "BREAK" | "CANCEL_ONLY")) => Ok(Some(status)),
        Some(_) => Err(ApiError::new(-1122, "Invalid symbolStatus.")),
    }
}

fn has_status(listing: &Listing, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| status_name(listing.terms.status) == wanted)
}

/// One market that must be there, and be in the state that is asked for.
fn one<'l>(params: &Params<'_>, listings: &'l Listings) -> Result<&'l Listing, ApiError> {
    let listing = listings.symbol(params.required("symbol")?)?;
    if has_status(listing, wanted_status(params)?) {
        Ok(listing)
    } else {
        Err(ApiError::new(-1220, "The symbol's status does not match the requested symbolStatus."))
    }
}

/// Which markets a question is about, and whether the answer is a list.
pub enum Chosen<'l> {
    /// One, by `symbol`.
    One(&'l Listing),
    /// Several, by `symbols`, or all.
    Many(Vec<&'l Listing>),
}

impl<'l> Chosen<'l> {
    /// By `symbol`, `symbols` or neither, and `symbolStatus`.
    pub fn by(params: &Params<'_>, listings: &'l Listings) -> Result<Self, ApiError> {
        let wanted = wanted_status(params)?;
        let names = params.list("symbols")?;
        let several: Vec<&Listing> = match (params.sent("symbol"), &names) {
            (Some(_), Some(_)) => return Err(ApiError::bad_combination()),
            (Some(_), None) => return one(params, listings).map(Self::One),
            (None, Some(names)) => {
                let mut several = Vec::new();
                for name in names {
                    let listing = listings.symbol(name)?;
                    if several.iter().any(|other: &&Listing| other.market == listing.market) {
                        return Err(ApiError::new(-1151, "Symbol is present multiple times in the list."));
                    }
                    several.push(listing);
                }
                several
            }
            (None, None) => listings.markets().collect(),
        };
        Ok(Self::Many(several.into_iter().filter(|listing| has_status(listing, wanted)).collect()))
    }

    /// What is told of each, from the views that know its book.
    async fn answer<T: Serialize>(
        &self,
        gateway: &Gateway,
        tell: impl Fn(&Listing, &Views) -> T,
    ) -> Result<Json, ApiError> {
        let tell_of = async |listing| gateway.with_market(listing, |views| tell(listing, views)).await;
        Ok(match self {
            Self::One(listing) => Json::ok(&tell_of(listing).await?),
            Self::Many(several) => {
                let mut told = Vec::with_capacity(several.len());
                for listing in several {
                    told.push(tell_of(listing).await?);
                }
                Json::ok(&told)
            }
        })
    }
}

/// `{}`
pub(crate) fn ping() -> Json {
    Json::ok(&serde_json::Map::new())
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerTime {
    server_time: u64,
}

pub(crate) fn time(ask: &Ask<'_>) -> Json {
    Json::ok(&ServerTime { server_time: ask.unit.of(now_ns()) })
}

/// A price and what is open there.
#[derive(Serialize)]
pub(crate) struct PriceLevel(Decimal, Decimal);

impl PartialSchema for PriceLevel {
    fn schema() -> RefOr<Schema> {
        words::row([Decimal::schema(), Decimal::schema()], "Price and quantity")
    }
}

impl ToSchema for PriceLevel {}

impl PriceLevel {
    pub(crate) fn of(listing: &Listing, (price, open): (PriceTicks, QtyLots)) -> Self {
        Self(listing.price(price), listing.quantity(open))
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Depth {
    last_update_id: u64,
    bids: Vec<PriceLevel>,
    asks: Vec<PriceLevel>,
}

pub(crate) async fn depth(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let limit = params.limit(100, gateway.settings.max_depth_levels)?;
    let listings = gateway.listings().await?;
    let listing = one(params, &listings)?;
    let level = |level| PriceLevel::of(listing, level);
    let tell = |views: &Views| {
        let depth = views.depth(listing.market);
        Depth {
            last_update_id: depth.last_update_id(),
            bids: depth.bids().take(limit).map(level).collect(),
            asks: depth.asks().take(limit).map(level).collect(),
        }
    };
    let depth = gateway.with_market(listing, tell).await?;
    Ok(Json::ok(&depth))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicTrade {
    id: u64,
    price: Decimal,
    qty: Decimal,
    quote_qty: Decimal,
    time: u64,
    is_buyer_maker: bool,
    is_best_match: bool,
}

impl PublicTrade {
    fn of(listing: &Listing, unit: TimeUnit, trade: &Trade) -> Self {
        Self {
            id: trade.id.0,
            price: listing.price(trade.price_ticks),
            qty: listing.quantity(trade.qty_lots),
            quote_qty: listing.quote_amount(trade.quote_amount(&listing.terms)),
            time: unit.of(trade.time_ns),
            is_buyer_maker: trade.is_buyer_maker(),
            is_best_match: true,
        }
    }
}

pub(crate) async fn trades(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let page = Page::last(params.limit(500, gateway.settings.max_list_entries)?);
    public_trades(gateway, ask, &page).await
}

pub(crate) async fn historical_trades(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let limit = params.limit(500, gateway.settings.max_list_entries)?;
    let from = params.optional_number("fromId")?.map(TradeId);
    public_trades(gateway, ask, &Page { from, ..Page::last(limit) }).await
}

async fn public_trades(gateway: &Gateway, ask: &Ask<'_>, page: &Page<TradeId>) -> Result<Json, ApiError> {
    let unit = ask.unit;
    let listings = gateway.listings().await?;
    let listing = one(&ask.params, &listings)?;
    let trades = trades_of(gateway, listing, page).await?;
    Ok(Json::ok(&trades.iter().map(|trade| PublicTrade::of(listing, unit, trade)).collect::<Vec<_>>()))
}

/// Trades of a market.
pub(crate) async fn trades_of(
    gateway: &Gateway,
    listing: &Listing,
    page: &Page<TradeId>,
) -> Result<Vec<Trade>, ApiError> {
    gateway.with_market(listing, |views| views.tape(listing.market).trades(page)).await
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Aggregated {
    a: u64,
    p: Decimal,
    q: Decimal,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
    #[serde(rename = "M")]
    best_match: bool,
}

impl Aggregated {
    fn of(listing: &Listing, unit: TimeUnit, agg: &AggTrade) -> Self {
        Self {
            a: agg.id,
            p: listing.price(agg.price_ticks),
            q: listing.quantity(agg.qty_lots),
            f: agg.first.0,
            l: agg.last.0,
            time: unit.of(agg.time_ns),
            m: agg.is_buyer_maker(),
            best_match: true,
        }
    }
}

pub(crate) async fn agg_trades(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let unit = ask.unit;
    let listings = gateway.listings().await?;
    let listing = one(&ask.params, &listings)?;
    let aggs = aggs_of(gateway, &ask.params, listing).await?;
    Ok(Json::ok(&aggs.iter().map(|agg| Aggregated::of(listing, unit, agg)).collect::<Vec<_>>()))
}

/// Aggregated trades of a market, those that are asked for.
pub(crate) async fn aggs_of(
    gateway: &Gateway,
    params: &Params<'_>,
    listing: &Listing,
) -> Result<Vec<AggTrade>, ApiError> {
    let page = Page {
        from: params.optional_number("fromId")?,
        start_ns: params.optional_start("startTime")?,
        end_ns: params.optional_end("endTime")?,
        limit: params.limit(500, gateway.settings.max_list_entries)?,
    };
    if page.from.is_some() && (page.start_ns.is_some() || page.end_ns.is_some()) {
        return Err(ApiError::bad_combination());
    }
    gateway.with_market(listing, |views| views.tape(listing.market).agg_trades(&page)).await
}

/// A candle as its array of twelve.
pub(crate) struct Kline<'l> {
    pub(crate) listing: &'l Listing,
    pub(crate) unit: TimeUnit,
    pub(crate) candle: Candle,
    /// What its prices are: mostly ticks of the market.
    pub(crate) shown: fn(&Listing, PriceTicks) -> Decimal,
}

impl Serialize for Kline<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { listing, unit, candle, shown } = self;
        let mut row = serializer.serialize_tuple(12)?;
        row.serialize_element(&unit.of(candle.open_time))?;
        for price in [candle.open, candle.high, candle.low, candle.close] {
            row.serialize_element(&shown(listing, price))?;
        }
        row.serialize_element(&listing.base_amount(candle.volume))?;
        row.serialize_element(&unit.of(candle.close_time))?;
        row.serialize_element(&listing.quote_amount(candle.quote_volume))?;
        row.serialize_element(&candle.trades)?;
        row.serialize_element(&listing.base_amount(candle.taker_buy_base))?;
        row.serialize_element(&listing.quote_amount(candle.taker_buy_quote))?;
        row.serialize_element("0")?;
        row.end()
    }
}

impl PartialSchema for Kline<'_> {
    fn schema() -> RefOr<Schema> {
        let number = || u64::schema();
        let decimal = || Decimal::schema();
        let row = [
            number(),
            decimal(),
            decimal(),
            decimal(),
            decimal(),
            decimal(),
            number(),
            decimal(),
            number(),
            decimal(),
            decimal(),
            decimal(),
        ];
        let description = "Open time, open, high, low, close, volume, close time, quote volume, trades, volume bought by \
            takers, quote volume bought by takers, and 0";
        words::row(row, description)
    }
}

impl ToSchema for Kline<'_> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Kline")
    }
}

/// `-1:00`, `05:45`, `0`, `8`.
fn time_zone(text: &str) -> Option<UtcOffset> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = unsigned.split_once(':').unwrap_or((unsigned, "0"));
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    if minutes < 60 { UtcOffset::from_minutes(sign * (hours * 60 + minutes)) } else { None }
}

/// Which candles are asked for.
pub(crate) fn candle_query(gateway: &Gateway, params: &Params<'_>) -> Result<CandleQuery, ApiError> {
    let interval =
        Interval::from_name(params.required("interval")?).ok_or_else(ApiError::invalid_interval)?;
    let offset = match params.optional("timeZone")? {
        None => UtcOffset::UTC,
        Some(text) => time_zone(text).ok_or_else(|| ApiError::invalid_value("timeZone"))?,
    };
    Ok(CandleQuery {
        interval,
        offset,
        start: params.optional_start("startTime")?,
        end: params.optional_end("endTime")?,
        limit: params.limit(500, gateway.settings.max_list_entries)?,
        now: now_ns(),
    })
}

pub(crate) async fn klines(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let query = candle_query(gateway, params)?;
    let unit = ask.unit;
    let listings = gateway.listings().await?;
    let listing = one(params, &listings)?;
    let candles = gateway.with_market(listing, |views| views.candles(listing.market, &query)).await?;
    let row = |candle| Kline { listing, unit, candle, shown: Listing::price };
    let rows: Vec<Kline<'_>> = candles.into_iter().map(row).collect();
    Ok(Json::ok(&rows))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AveragePrice {
    mins: u32,
    price: Decimal,
    close_time: u64,
}

/// Over how many minutes `avgPrice` goes.
pub(crate) const AVERAGE_MINUTES: u32 = 5;

pub(crate) async fn average_price(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let unit = ask.unit;
    let listings = gateway.listings().await?;
    let listing = one(params, &listings)?;
    let (price, last_trade) = gateway.with_market(listing, |views| average(views, listing, now_ns())).await?;
    let answer = AveragePrice { mins: AVERAGE_MINUTES, price, close_time: unit.of(last_trade) };
    Ok(Json::ok(&answer))
}

/// The average price of the last minutes, or the last price if nothing traded, and the time of the last trade.
pub(crate) fn average(views: &Views, listing: &Listing, now: TimeNs) -> (Decimal, TimeNs) {
    let ticker = views.rolling(listing.market, AVERAGE_MINUTES, now);
    let last = ticker.prices.map_or(PriceTicks::ZERO, |prices| prices.last);
    let average = listing.average_price(ticker.quote_volume, ticker.volume);
    let last_trade = views.tape(listing.market).latest().map_or(TimeNs(0), |trade| trade.time_ns);
    (average.unwrap_or_else(|| listing.price(last)), last_trade)
}

/// What both forms of the 24-hour ticker have, in two parts: the short form has the last price between them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WindowPrices {
    open_price: Decimal,
    high_price: Decimal,
    low_price: Decimal,
}

impl WindowPrices {
    pub(crate) fn of(listing: &Listing, ticker: &Ticker) -> Self {
        let price = |price: Option<PriceTicks>| listing.price(price.unwrap_or(PriceTicks::ZERO));
        let told = ticker.prices;
        Self {
            open_price: price(told.map(|prices| prices.open)),
            high_price: price(told.map(|prices| prices.high)),
            low_price: price(told.map(|prices| prices.low)),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WindowTotals {
    volume: Decimal,
    quote_volume: Decimal,
    open_time: u64,
    close_time: u64,
    first_id: i64,
    last_id: i64,
    count: u64,
}

impl WindowTotals {
    pub(crate) fn of(listing: &Listing, unit: TimeUnit, ticker: &Ticker) -> Self {
        let id = |id: Option<TradeId>| id.map_or(-1, |id| i64::try_from(id.0).expect("ids stay below 2^53"));
        Self {
            volume: listing.base_amount(ticker.volume),
            quote_volume: listing.quote_amount(ticker.quote_volume),
            open_time: unit.of(ticker.open_time),
            close_time: unit.of(ticker.close_time),
            first_id: id(ticker.first_trade),
            last_id: id(ticker.last_trade),
            count: ticker.trades,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MiniTicker {
    symbol: Symbol,
    #[serde(flatten)]
    prices: WindowPrices,
    last_price: Decimal,
    #[serde(flatten)]
    totals: WindowTotals,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    price_change: Decimal,
    price_change_percent: Decimal,
    weighted_avg_price: Decimal,
}

impl Change {
    pub(crate) fn of(listing: &Listing, ticker: &Ticker) -> Self {
        let (open, last) = ticker.prices.map_or((0, 0), |prices| (prices.open.0, prices.last.0));
        let average = listing.average_price(ticker.quote_volume, ticker.volume);
        Self {
            price_change: listing.price(PriceTicks(last - open)),
            price_change_percent: percent(open, last),
            weighted_avg_price: average.unwrap_or(Decimal::zero(listing.price_decimals())),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WindowTicker {
    symbol: Symbol,
    #[serde(flatten)]
    change: Change,
    #[serde(flatten)]
    prices: WindowPrices,
    last_price: Decimal,
    #[serde(flatten)]
    totals: WindowTotals,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FullTicker {
    symbol: Symbol,
    #[serde(flatten)]
    change: Change,
    prev_close_price: Decimal,
    last_price: Decimal,
    last_qty: Decimal,
    #[serde(flatten)]
    book: BookPrices,
    #[serde(flatten)]
    prices: WindowPrices,
    #[serde(flatten)]
    totals: WindowTotals,
}

/// How much a ticker tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TickerForm {
    /// `MINI`.
    Mini,
    /// `FULL`, of a window of any length.
    Window,
    /// `FULL`, of 24 hours: with the book.
    Day,
}

impl TickerForm {
    /// By the parameter `type`; `full` when it is left out.
    fn of(params: &Params<'_>, full: Self) -> Result<Self, ApiError> {
        match params.optional("type")? {
            None | Some("FULL") => Ok(full),
            Some("MINI") => Ok(Self::Mini),
            Some(_) => Err(ApiError::new(-1139, "Invalid ticker type.")),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum TickerReply {
    Mini(Box<MiniTicker>),
    Window(Box<WindowTicker>),
    Day(Box<FullTicker>),
}

impl TickerReply {
    fn of(listing: &Listing, unit: TimeUnit, form: TickerForm, ticker: &Ticker) -> Self {
        let told = ticker.prices;
        let price = |price: Option<PriceTicks>| listing.price(price.unwrap_or(PriceTicks::ZERO));
        let symbol = Symbol(listing.terms.name);
        let prices = WindowPrices::of(listing, ticker);
        let last_price = price(told.map(|prices| prices.last));
        let totals = WindowTotals::of(listing, unit, ticker);
        let change = Change::of(listing, ticker);
        match form {
            TickerForm::Mini => Self::Mini(Box::new(MiniTicker { symbol, prices, last_price, totals })),
            TickerForm::Window => {
                Self::Window(Box::new(WindowTicker { symbol, change, prices, last_price, totals }))
            }
            TickerForm::Day => Self::Day(Box::new(FullTicker {
                symbol,
                change,
                prev_close_price: price(ticker.prev_close),
                last_price,
                last_qty: listing.quantity(told.map_or(QtyLots::ZERO, |prices| prices.last_qty_lots)),
                book: BookPrices::of(listing, ticker.book),
                prices,
                totals,
            })),
        }
    }
}

/// From `open` to `last`, in percent with three decimals, to the nearest, halves away from zero.
pub(crate) fn percent(open: i64, last: i64) -> Decimal {
    let (open, last) = (i128::from(open), i128::from(last));
    let doubled = (last - open) * 200_000;
    let units = if open == 0 { 0 } else { (doubled + open * doubled.signum()) / (2 * open) };
    Decimal { units, scale: 3 }
}

pub(crate) async fn ticker_24hr(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let form = TickerForm::of(&ask.params, TickerForm::Day)?;
    tickers(gateway, ask, form, MINUTES_OF_A_DAY).await
}

/// Minutes of the ordinary window.
const MINUTES_OF_A_DAY: u32 = 1_440;

/// `1m` to `59m`, `1h` to `23h`, `1d` to `7d`, in minutes.
fn window_minutes(text: &str) -> Option<u32> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    let (most, minutes) = match unit {
        "m" => (59, 1),
        "h" => (23, 60),
        "d" => (7, MINUTES_OF_A_DAY),
        _ => return None,
    };
    (number <= most).then(|| number * minutes)
}

pub(crate) async fn ticker_window(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let minutes = match params.optional("windowSize")? {
        None => MINUTES_OF_A_DAY,
        Some(text) => window_minutes(text).ok_or_else(|| ApiError::invalid_value("windowSize"))?,
    };
    if params.sent("symbol").is_none() && params.sent("symbols").is_none() {
        return Err(ApiError::either("symbol", "symbols"));
    }
    let form = TickerForm::of(params, TickerForm::Window)?;
    tickers(gateway, ask, form, minutes).await
}

async fn tickers(gateway: &Gateway, ask: &Ask<'_>, form: TickerForm, minutes: u32) -> Result<Json, ApiError> {
    let listings = gateway.listings().await?;
    let chosen = Chosen::by(&ask.params, &listings)?;
    let now = now_ns();
    let tell = |listing: &Listing, views: &Views| {
        TickerReply::of(listing, ask.unit, form, &views.rolling(listing.market, minutes, now))
    };
    chosen.answer(gateway, tell).await
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LastPrice {
    symbol: Symbol,
    price: Decimal,
}

pub(crate) async fn ticker_price(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let listings = gateway.listings().await?;
    let chosen = Chosen::by(params, &listings)?;
    let tell = |listing: &Listing, views: &Views| LastPrice {
        symbol: Symbol(listing.terms.name),
        price: listing.price(last_price(views, listing.market)),
    };
    chosen.answer(gateway, tell).await
}

/// Zero before the first trade, as there is no other word for it on the wire.
fn last_price(views: &Views, market: MarketId) -> PriceTicks {
    views.last_price(market).unwrap_or(PriceTicks::ZERO)
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BookPrices {
    bid_price: Decimal,
    bid_qty: Decimal,
    ask_price: Decimal,
    ask_qty: Decimal,
}

impl BookPrices {
    pub(crate) fn of(listing: &Listing, book: BookTicker) -> Self {
        let nothing = (PriceTicks::ZERO, QtyLots::ZERO);
        let (bid, ask) = (book.bid.unwrap_or(nothing), book.ask.unwrap_or(nothing));
        Self {
            bid_price: listing.price(bid.0),
            bid_qty: listing.quantity(bid.1),
            ask_price: listing.price(ask.0),
            ask_qty: listing.quantity(ask.1),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BestPrices {
    symbol: Symbol,
    #[serde(flatten)]
    book: BookPrices,
}

pub(crate) async fn book_ticker(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let params = &ask.params;
    let listings = gateway.listings().await?;
    let chosen = Chosen::by(params, &listings)?;
    let tell = |listing: &Listing, views: &Views| BestPrices {
        symbol: Symbol(listing.terms.name),
        book: BookPrices::of(listing, views.book_ticker(listing.market)),
    };
    chosen.answer(gateway, tell).await
}

/// What an asset's fees are in all markets: none that is listed is more expensive.
pub(crate) fn highest_fees_ppm(listings: &Listings) -> (u32, u32) {
    listings.markets().fold((0, 0), |(maker, taker), listing| {
        (maker.max(listing.terms.maker_fee_ppm), taker.max(listing.terms.taker_fee_ppm))
    })
}

/// Millionths as a decimal number with eight decimals.
pub(crate) fn rate(ppm: u32) -> Decimal {
    Decimal { units: i128::from(ppm) * 100, scale: 8 }
}

/// Nothing, in an asset with `scale` decimals.
pub(crate) const fn nothing(scale: u8) -> Decimal {
    Decimal { units: Amount::ZERO.0, scale }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::sample::btcusdt;

    #[test]
    fn time_zones_have_several_forms() {
        let minutes = |text| time_zone(text).map(UtcOffset::minutes);
        assert_eq!(minutes("0"), Some(0));
        assert_eq!(minutes("8"), Some(480));
        assert_eq!(minutes("-1:00"), Some(-60));
        assert_eq!(minutes("05:45"), Some(345));
        assert_eq!(minutes("-12:00"), Some(-720));
        assert_eq!(minutes("14:00"), Some(840));
        for wrong in ["14:01", "-12:01", "", ":", "5:60", "x", "1:2:3", "123", "--1"] {
            assert_eq!(minutes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_tickers_have_their_fields_in_the_documented_order() {
        let ticker = Ticker {
            open_time: TimeNs(0),
            close_time: TimeNs(0),
            prices: None,
            prev_close: None,
            volume: Amount::ZERO,
            quote_volume: Amount::ZERO,
            trades: 0,
            first_trade: None,
            last_trade: None,
            book: BookTicker::default(),
        };
        let fields = |form| {
            let told = TickerReply::of(&btcusdt(), TimeUnit::Millis, form, &ticker);
            let text = serde_json::to_string(&told).unwrap();
            let names = text.split(',').filter_map(|pair| pair.split('"').nth(1)).map(str::to_owned);
            names.collect::<Vec<String>>().join(" ")
        };
        assert_eq!(
            fields(TickerForm::Mini),
            "symbol openPrice highPrice lowPrice lastPrice volume quoteVolume openTime closeTime firstId lastId count"
        );
        assert_eq!(
            fields(TickerForm::Day),
            "symbol priceChange priceChangePercent weightedAvgPrice prevClosePrice lastPrice lastQty bidPrice bidQty \
             askPrice askQty openPrice highPrice lowPrice volume quoteVolume openTime closeTime firstId lastId count"
        );
        assert_eq!(
            fields(TickerForm::Window),
            "symbol priceChange priceChangePercent weightedAvgPrice openPrice highPrice lowPrice lastPrice volume \
             quoteVolume openTime closeTime firstId lastId count"
        );
    }

    #[test]
    fn windows_are_minutes_hours_or_days() {
        for (text, minutes) in
            [("1m", 1), ("59m", 59), ("1h", 60), ("23h", 1_380), ("1d", 1_440), ("7d", 10_080)]
        {
            assert_eq!(window_minutes(text), Some(minutes), "{text}");
        }
        for wrong in ["", "m", "0m", "60m", "24h", "8d", "1w", "1M", "01m", "+1m", "1", "1\u{20ac}"] {
            assert_eq!(window_minutes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn percentages_are_rounded_to_three_decimals() {
        for (open, last, text) in [
            (100, 110, "10.000"),
            (3, 4, "33.333"),
            (3, 5, "66.667"),
            (3, 2, "-33.333"),
            (3, 1, "-66.667"),
            (0, 0, "0.000"),
        ] {
            assert_eq!(percent(open, last).to_string(), text);
        }
    }
}
