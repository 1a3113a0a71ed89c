//! The messages of the market-data streams as JSON. Source: web-socket-streams.md "Detailed Stream information".

use model::{PriceTicks, QtyLots, TimeNs, TradeId};
use serde::Serialize;
use views::{AggTrade, BookTicker, Candle, Interval, Ticker, Trade};

use crate::decimal::Decimal;
use crate::gateway::TimeUnit;
use crate::listings::Listing;
use crate::market_data::{AVERAGE_MINUTES, Symbol, percent};

fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("wire types are plain structs")
}

/// -1 for none.
fn id(id: Option<TradeId>) -> i64 {
    id.map_or(-1, |id| i64::try_from(id.0).expect("ids stay below 2^53"))
}

/// A price and what is open there.
#[derive(Serialize)]
struct Level(Decimal, Decimal);

impl Level {
    fn all(listing: &Listing, levels: impl Iterator<Item = (PriceTicks, QtyLots)>) -> Vec<Self> {
        levels.map(|(price, open)| Self(listing.price(price), listing.quantity(open))).collect()
    }
}

#[derive(Serialize)]
struct TradeMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    t: u64,
    p: Decimal,
    q: Decimal,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
    #[serde(rename = "M", skip_serializing_if = "Option::is_none")]
    best_match: Option<bool>,
    /// Of contracts.
    #[serde(rename = "X", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

/// What only spot markets tell.
fn of_spot<T>(listing: &Listing, told: T) -> Option<T> {
    listing.contract.is_none().then_some(told)
}

/// What only contracts tell.
fn of_contract<T>(listing: &Listing, told: T) -> Option<T> {
    listing.contract.is_some().then_some(told)
}

pub(super) fn trade(listing: &Listing, unit: TimeUnit, trade: &Trade) -> String {
    json(&TradeMessage {
        e: "trade",
        event_time: unit.of(trade.time_ns),
        s: Symbol(listing.terms.name),
        t: trade.id.0,
        p: listing.price(trade.price_ticks),
        q: listing.quantity(trade.qty_lots),
        time: unit.of(trade.time_ns),
        m: trade.is_buyer_maker(),
        best_match: of_spot(listing, true),
        kind: of_contract(listing, "MARKET"),
    })
}

#[derive(Serialize)]
struct AggTradeMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    a: u64,
    p: Decimal,
    q: Decimal,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
    #[serde(rename = "M", skip_serializing_if = "Option::is_none")]
    best_match: Option<bool>,
}

pub(super) fn agg_trade(listing: &Listing, unit: TimeUnit, agg: &AggTrade) -> String {
    json(&AggTradeMessage {
        e: "aggTrade",
        event_time: unit.of(agg.time_ns),
        s: Symbol(listing.terms.name),
        a: agg.id,
        p: listing.price(agg.price_ticks),
        q: listing.quantity(agg.qty_lots),
        f: agg.first.0,
        l: agg.last.0,
        time: unit.of(agg.time_ns),
        m: agg.is_buyer_maker(),
        best_match: of_spot(listing, true),
    })
}

#[derive(Serialize)]
struct BookTickerMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<&'static str>,
    #[serde(rename = "E", skip_serializing_if = "Option::is_none")]
    event_time: Option<u64>,
    #[serde(rename = "T", skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
    u: u64,
    s: Symbol,
    b: Decimal,
    #[serde(rename = "B")]
    bid_qty: Decimal,
    a: Decimal,
    #[serde(rename = "A")]
    ask_qty: Decimal,
}

pub(super) fn book_ticker(listing: &Listing, time: u64, update_id: u64, book: BookTicker) -> String {
    let nothing = (PriceTicks::ZERO, QtyLots::ZERO);
    let (bid, ask) = (book.bid.unwrap_or(nothing), book.ask.unwrap_or(nothing));
    json(&BookTickerMessage {
        e: of_contract(listing, "bookTicker"),
        event_time: of_contract(listing, time),
        time: of_contract(listing, time),
        u: update_id,
        s: Symbol(listing.terms.name),
        b: listing.price(bid.0),
        bid_qty: listing.quantity(bid.1),
        a: listing.price(ask.0),
        ask_qty: listing.quantity(ask.1),
    })
}

#[derive(Serialize)]
struct DiffDepthMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    #[serde(rename = "T", skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
    s: Symbol,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    /// The change before these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pu: Option<u64>,
    b: Vec<Level>,
    a: Vec<Level>,
}

/// The changes of a book from the one numbered `first` to the one numbered `last`; each side best first.
pub(super) fn diff_depth(
    listing: &Listing,
    (event_time, time): (u64, u64),
    (first, last): (u64, u64),
    bids: impl Iterator<Item = (PriceTicks, QtyLots)>,
    asks: impl Iterator<Item = (PriceTicks, QtyLots)>,
) -> String {
    json(&DiffDepthMessage {
        e: "depthUpdate",
        event_time,
        time: of_contract(listing, time),
        s: Symbol(listing.terms.name),
        first,
        u: last,
        pu: of_contract(listing, first.saturating_sub(1)),
        b: Level::all(listing, bids),
        a: Level::all(listing, asks),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialDepthMessage {
    last_update_id: u64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// The best levels of a book, copied out of the views.
#[derive(Debug)]
pub(super) struct BestLevels {
    pub(super) last_update_id: u64,
    pub(super) bids: Vec<(PriceTicks, QtyLots)>,
    pub(super) asks: Vec<(PriceTicks, QtyLots)>,
}

pub(super) fn partial_depth(listing: &Listing, levels: &BestLevels) -> String {
    json(&PartialDepthMessage {
        last_update_id: levels.last_update_id,
        bids: Level::all(listing, levels.bids.iter().copied()),
        asks: Level::all(listing, levels.asks.iter().copied()),
    })
}

#[derive(Serialize)]
struct KlineMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    k: KlineOfMessage,
}

#[derive(Serialize)]
struct KlineOfMessage {
    t: u64,
    #[serde(rename = "T")]
    close_time: u64,
    s: Symbol,
    i: &'static str,
    f: i64,
    #[serde(rename = "L")]
    last_trade: i64,
    o: Decimal,
    c: Decimal,
    h: Decimal,
    l: Decimal,
    v: Decimal,
    n: u64,
    x: bool,
    q: Decimal,
    #[serde(rename = "V")]
    taker_buy_base: Decimal,
    #[serde(rename = "Q")]
    taker_buy_quote: Decimal,
    #[serde(rename = "B")]
    ignored: &'static str,
}

/// A candle's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CandleState {
    UnderWay,
    Closed,
}

pub(super) fn kline(
    listing: &Listing,
    unit: TimeUnit,
    event_time: u64,
    interval: Interval,
    candle: &Candle,
    state: CandleState,
) -> String {
    let s = Symbol(listing.terms.name);
    json(&KlineMessage {
        e: "kline",
        event_time,
        s,
        k: KlineOfMessage::of(listing, unit, interval, candle, state),
    })
}

#[derive(Serialize)]
struct ContinuousKlineMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    ps: Symbol,
    ct: &'static str,
    k: KlineOfMessage,
}

/// The same, as it is told of a pair's contract.
pub(super) fn continuous_kline(
    listing: &Listing,
    unit: TimeUnit,
    event_time: u64,
    interval: Interval,
    candle: &Candle,
    state: CandleState,
) -> String {
    json(&ContinuousKlineMessage {
        e: "continuous_kline",
        event_time,
        ps: Symbol(listing.terms.name),
        ct: "PERPETUAL",
        k: KlineOfMessage::of(listing, unit, interval, candle, state),
    })
}

impl KlineOfMessage {
    fn of(
        listing: &Listing,
        unit: TimeUnit,
        interval: Interval,
        candle: &Candle,
        state: CandleState,
    ) -> Self {
        Self {
            t: unit.of(candle.open_time),
            close_time: unit.of(candle.close_time),
            s: Symbol(listing.terms.name),
            i: interval.name(),
            f: id(candle.first_trade),
            last_trade: id(candle.last_trade),
            o: listing.price(candle.open),
            c: listing.price(candle.close),
            h: listing.price(candle.high),
            l: listing.price(candle.low),
            v: listing.base_amount(candle.volume),
            n: candle.trades,
            x: state == CandleState::Closed,
            q: listing.quote_amount(candle.quote_volume),
            taker_buy_base: listing.base_amount(candle.taker_buy_base),
            taker_buy_quote: listing.quote_amount(candle.taker_buy_quote),
            ignored: "0",
        }
    }
}

#[derive(Serialize)]
struct MiniTickerMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    c: Decimal,
    o: Decimal,
    h: Decimal,
    l: Decimal,
    v: Decimal,
    q: Decimal,
}

pub(super) fn mini_ticker(listing: &Listing, event_time: u64, ticker: &Ticker) -> String {
    let price = |price: Option<PriceTicks>| listing.price(price.unwrap_or(PriceTicks::ZERO));
    json(&MiniTickerMessage {
        e: "24hrMiniTicker",
        event_time,
        s: Symbol(listing.terms.name),
        c: price(ticker.prices.map(|prices| prices.last)),
        o: price(ticker.prices.map(|prices| prices.open)),
        h: price(ticker.prices.map(|prices| prices.high)),
        l: price(ticker.prices.map(|prices| prices.low)),
        v: listing.base_amount(ticker.volume),
        q: listing.quote_amount(ticker.quote_volume),
    })
}

#[derive(Serialize)]
struct TickerMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    p: Decimal,
    #[serde(rename = "P")]
    change_percent: Decimal,
    w: Decimal,
    x: Decimal,
    c: Decimal,
    #[serde(rename = "Q")]
    last_qty: Decimal,
    b: Decimal,
    #[serde(rename = "B")]
    bid_qty: Decimal,
    a: Decimal,
    #[serde(rename = "A")]
    ask_qty: Decimal,
    o: Decimal,
    h: Decimal,
    l: Decimal,
    v: Decimal,
    q: Decimal,
    #[serde(rename = "O")]
    open_time: u64,
    #[serde(rename = "C")]
    close_time: u64,
    #[serde(rename = "F")]
    first_trade: i64,
    #[serde(rename = "L")]
    last_trade: i64,
    n: u64,
}

pub(super) fn ticker(listing: &Listing, unit: TimeUnit, event_time: u64, ticker: &Ticker) -> String {
    let prices = ticker.prices;
    let price = |price: Option<PriceTicks>| listing.price(price.unwrap_or(PriceTicks::ZERO));
    let (open, last) = prices.map_or((0, 0), |prices| (prices.open.0, prices.last.0));
    let average = listing.average_price(ticker.quote_volume, ticker.volume);
    let nothing = (PriceTicks::ZERO, QtyLots::ZERO);
    let (bid, ask) = (ticker.book.bid.unwrap_or(nothing), ticker.book.ask.unwrap_or(nothing));
    json(&TickerMessage {
        e: "24hrTicker",
        event_time,
        s: Symbol(listing.terms.name),
        p: listing.price(PriceTicks(last - open)),
        change_percent: percent(open, last),
        w: average.unwrap_or(Decimal::zero(listing.price_decimals())),
        x: price(ticker.prev_close),
        c: price(prices.map(|prices| prices.last)),
        last_qty: listing.quantity(prices.map_or(QtyLots::ZERO, |prices| prices.last_qty_lots)),
        b: listing.price(bid.0),
        bid_qty: listing.quantity(bid.1),
        a: listing.price(ask.0),
        ask_qty: listing.quantity(ask.1),
        o: price(prices.map(|prices| prices.open)),
        h: price(prices.map(|prices| prices.high)),
        l: price(prices.map(|prices| prices.low)),
        v: listing.base_amount(ticker.volume),
        q: listing.quote_amount(ticker.quote_volume),
        open_time: unit.of(ticker.open_time),
        close_time: unit.of(ticker.close_time),
        first_trade: id(ticker.first_trade),
        last_trade: id(ticker.last_trade),
        n: ticker.trades,
    })
}

#[derive(Serialize)]
struct AveragePriceMessage {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: Symbol,
    i: String,
    w: Decimal,
    #[serde(rename = "T")]
    last_trade_time: u64,
}

pub(super) fn average_price(
    listing: &Listing,
    unit: TimeUnit,
    event_time: u64,
    average: Decimal,
    last_trade: TimeNs,
) -> String {
    json(&AveragePriceMessage {
        e: "avgPrice",
        event_time,
        s: Symbol(listing.terms.name),
        i: format!("{AVERAGE_MINUTES}m"),
        w: average,
        last_trade_time: unit.of(last_trade),
    })
}
