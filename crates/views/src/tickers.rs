//! Rolling windows over the trades of a market, and the best of its book.
//!
//! A window begins on a whole minute and so is up to 59,999 ms longer than asked; within that it is exact. Nothing is
//! maintained for it: it is added up from at most 14 minutes, 3 quarters of an hour and as many hours of `candles` as it has.

use model::{Amount, MarketTerms, PriceTicks, QtyLots, TimeNs, TradeId};

use crate::candles::{Bar, Candles};
use crate::interval::{seconds_down, time_ns};

/// The best of a book, either side: price and what is open there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookTicker {
    /// The highest bid.
    pub bid: Option<(PriceTicks, QtyLots)>,
    /// The lowest ask.
    pub ask: Option<(PriceTicks, QtyLots)>,
}

/// The prices of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickerPrices {
    /// Of the first trade.
    pub open: PriceTicks,
    /// The highest.
    pub high: PriceTicks,
    /// The lowest.
    pub low: PriceTicks,
    /// Of the last trade.
    pub last: PriceTicks,
    /// How much the last trade moved.
    pub last_qty_lots: QtyLots,
}

/// What traded in a window up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticker {
    /// The first moment of the window: a whole minute.
    pub open_time: TimeNs,
    /// The present.
    pub close_time: TimeNs,
    /// Prices. Without a trade in the window all are that of the last trade before; `None` before the first trade of all.
    pub prices: Option<TickerPrices>,
    /// The last price before the window.
    pub prev_close: Option<PriceTicks>,
    /// What traded, in base atoms. The weighted average price is `quote_volume` by `volume`.
    pub volume: Amount,
    /// What it cost, in quote atoms.
    pub quote_volume: Amount,
    /// How many trades.
    pub trades: u64,
    /// The first trade of the window; `None` without trades, which is -1 on the wire.
    pub first_trade: Option<TradeId>,
    /// The last trade of the window; `None` without trades, which is -1 on the wire.
    pub last_trade: Option<TradeId>,
    /// The best of the book.
    pub book: BookTicker,
}

/// Minutes of the longest window: seven days.
pub const MAX_WINDOW_MINUTES: u32 = 10_080;
/// Minutes of the ordinary one.
pub(crate) const DAY_MINUTES: u32 = 1_440;

/// Adds up the last `minutes`, at most [`MAX_WINDOW_MINUTES`].
pub(crate) fn rolling(
    candles: &Candles,
    terms: &MarketTerms,
    book: BookTicker,
    last_trade: Option<(PriceTicks, QtyLots)>,
    minutes: u32,
    now: TimeNs,
) -> Ticker {
    let window_s = i64::from(minutes.min(MAX_WINDOW_MINUTES)).saturating_mul(60);
    let start_s = floor(seconds_down(now).saturating_sub(window_s), 60);
    let quarter_s = ceil(start_s, 900);
    let hour_s = ceil(quarter_s, 3_600);
    let mut sum: Option<Bar> = None;
    candles.minutes.sum(start_s, quarter_s, &mut sum);
    candles.quarters.sum(quarter_s, hour_s, &mut sum);
    candles.hours.sum(hour_s, i64::MAX, &mut sum);

    let prices = last_trade.map(|(last, last_qty_lots)| match &sum {
        Some(sum) => {
            TickerPrices { open: sum.open, high: sum.high, low: sum.low, last: sum.close, last_qty_lots }
        }
        None => TickerPrices { open: last, high: last, low: last, last, last_qty_lots },
    });
    Ticker {
        open_time: time_ns(start_s),
        close_time: now,
        prices,
        prev_close: candles.minutes.close_before(start_s),
        volume: sum.map_or(Amount::ZERO, |sum| sum.volume(terms)),
        quote_volume: sum.map_or(Amount::ZERO, |sum| sum.quote_volume(terms)),
        trades: sum.map_or(0, |sum| sum.trades),
        first_trade: sum.map(|sum| sum.first),
        last_trade: sum.map(|sum| sum.last),
        book,
    }
}

fn floor(value: i64, unit: i64) -> i64 {
    value.div_euclid(unit).saturating_mul(unit)
}

fn ceil(value: i64, unit: i64) -> i64 {
    floor(value.saturating_add(unit).saturating_sub(1), unit)
}
