//! What was open at a contract in the past, on which side its accounts were, and what takers bought and sold: `/futures/data`. Each
//! answer has a row for each end of a period, as far back as the views go; of the period that is under way there is none.

use model::{Amount, PriceTicks, TimeNs};
use serde::Serialize;
use utoipa::ToSchema;
use views::{Candle, CandleQuery, Interval, OpenInterest, PastInterest, UtcOffset, Views};

use crate::decimal::Decimal;
use crate::endpoint::Ask;
use crate::errors::ApiError;
use crate::futures::listed::contract;
use crate::gateway::{Gateway, Json, TimeUnit};
use crate::listings::Listing;
use crate::market_data::Symbol;
use crate::params::Params;

/// The periods that can be asked for.
pub(crate) const PERIODS: &[&str] = &["5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"];
/// Most rows of an answer. Source: "Open Interest Statistics".
const MAX_ROWS: usize = 500;
/// How many there are when nobody says.
const USUAL_ROWS: usize = 30;
/// Digits of a ratio behind the point.
const RATIO_SCALE: u8 = 4;

/// Which rows are asked for: with `start` the first `limit` from there on, otherwise the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rows {
    period: Interval,
    start: Option<TimeNs>,
    end: Option<TimeNs>,
    limit: usize,
}

impl Rows {
    fn of(params: &Params<'_>) -> Result<Self, ApiError> {
        let name = params.required("period")?;
        let known = PERIODS.contains(&name).then(|| Interval::from_name(name)).flatten();
        let period = known.ok_or_else(|| {
            ApiError::invalid_value_but("period", &format!("it is one of {}", PERIODS.join(", ")))
        })?;
        Ok(Self {
            period,
            start: params.optional_start("startTime")?,
            end: params.optional_end("endTime")?,
            limit: params.limit(USUAL_ROWS, MAX_ROWS)?,
        })
    }

    fn period_ns(&self) -> u64 {
        let length = self.period.length_s().expect("no period is a month");
        u64::try_from(length).expect("lengths are above zero") * 1_000_000_000
    }

    /// The ends of periods that are asked for, of those from `first` to `last`.
    fn ends(&self, first: TimeNs, last: TimeNs) -> Vec<TimeNs> {
        let period_ns = self.period_ns();
        let from = first.max(self.start.unwrap_or(TimeNs(0))).0.div_ceil(period_ns);
        let to = last.min(self.end.unwrap_or(last)).0 / period_ns;
        let most = u64::try_from(self.limit).expect("at most 500");
        let (from, to) = if self.start.is_some() {
            (from, to.min(from.saturating_add(most).saturating_sub(1)))
        } else {
            (from.max((to + 1).saturating_sub(most)), to)
        };
        (from..=to).take(self.limit).map(|number| TimeNs(number * period_ns)).collect()
    }
}

/// `part` by `whole`, rounded half up; `None` where there is nothing to divide by.
fn ratio(part: i128, whole: i128) -> Option<Decimal> {
    let units = (part * 10_i128.pow(u32::from(RATIO_SCALE)) * 2 + whole).checked_div(whole * 2)?;
    Some(Decimal { units, scale: RATIO_SCALE })
}

/// What was open at a contract at the ends of periods, of the accounts of all partitions together.
async fn past(
    gateway: &Gateway,
    listing: &Listing,
    rows: &Rows,
) -> Result<Vec<(TimeNs, PastInterest)>, ApiError> {
    let market = listing.market;
    let models = gateway.everywhere().await?;
    let at = |views: &Views, end: TimeNs| views.futures().interest_history().at(market, end);
    let of_home = |views: &Views| {
        // The contract's home knows something of every five minutes in which it had a mark price.
        let first = views.futures().interest_history().first(market)?;
        let ends = rows.ends(first, views.time_ns());
        Some(ends.into_iter().filter_map(|end| Some((end, at(views, end)?))).collect::<Vec<_>>())
    };
    let Some(mut past) = models[listing.home.index()].with_views(of_home) else { return Ok(Vec::new()) };
    for (_, model) in models.iter().enumerate().filter(|(partition, _)| *partition != listing.home.index()) {
        model.with_views(|views| {
            for (end, there) in &mut past {
                let OpenInterest { long_lots, longs, shorts } = at(views, *end).unwrap_or_default().open;
                there.open.long_lots += long_lots;
                there.open.longs += longs;
                there.open.shorts += shorts;
            }
        });
    }
    Ok(past)
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PastInterestReply {
    symbol: Symbol,
    /// In the base asset: what all long positions came to.
    sum_open_interest: Decimal,
    /// The same at the mark price, in the quote asset.
    sum_open_interest_value: Decimal,
    timestamp: u64,
}

impl PastInterestReply {
    fn of(listing: &Listing, unit: TimeUnit, end: TimeNs, past: &PastInterest) -> Self {
        let (terms, open) = (&listing.terms, past.open.long_lots);
        let mark: PriceTicks = past.mark_ticks.unwrap_or(terms.initial_reference_ticks);
        Self {
            symbol: Symbol(terms.name),
            sum_open_interest: listing.quantity(open),
            sum_open_interest_value: listing.quote_amount(terms.notional(mark, open)),
            timestamp: unit.of(end),
        }
    }
}

pub(crate) async fn open_interest_history(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let rows = Rows::of(&ask.params)?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let past = past(gateway, listing, &rows).await?;
    let reply = |(end, past): &(TimeNs, PastInterest)| PastInterestReply::of(listing, ask.unit, *end, past);
    Ok(Json::ok(&past.iter().map(reply).collect::<Vec<_>>()))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LongShortReply {
    symbol: Symbol,
    long_short_ratio: Decimal,
    /// The part of the accounts with a position that have more long than short.
    long_account: Decimal,
    short_account: Decimal,
    timestamp: u64,
}

impl LongShortReply {
    /// `None` where nobody was on one of the sides: there is no ratio.
    fn of(listing: &Listing, unit: TimeUnit, end: TimeNs, past: &PastInterest) -> Option<Self> {
        let (longs, shorts) = (i128::from(past.open.longs), i128::from(past.open.shorts));
        let long_account = ratio(longs, longs + shorts)?;
        Some(Self {
            symbol: Symbol(listing.terms.name),
            long_short_ratio: ratio(longs, shorts)?,
            long_account,
            short_account: Decimal { units: 10_000 - long_account.units, ..long_account },
            timestamp: unit.of(end),
        })
    }
}

pub(crate) async fn long_short_accounts(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let rows = Rows::of(&ask.params)?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let past = past(gateway, listing, &rows).await?;
    let reply = |(end, past): &(TimeNs, PastInterest)| LongShortReply::of(listing, ask.unit, *end, past);
    Ok(Json::ok(&past.iter().filter_map(reply).collect::<Vec<_>>()))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TakersReply {
    /// Missing where nothing was sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    buy_sell_ratio: Option<Decimal>,
    /// In the base asset.
    buy_vol: Decimal,
    sell_vol: Decimal,
    /// When the period began.
    timestamp: u64,
}

impl TakersReply {
    fn of(listing: &Listing, unit: TimeUnit, candle: &Candle) -> Self {
        let (bought, sold): (Amount, Amount) = (candle.taker_buy_base, candle.volume - candle.taker_buy_base);
        Self {
            buy_sell_ratio: ratio(bought.0, sold.0),
            buy_vol: listing.base_amount(bought),
            sell_vol: listing.base_amount(sold),
            timestamp: unit.of(candle.open_time),
        }
    }
}

/// What takers bought and sold in each period that is over and in which there was a trade.
pub(crate) async fn taker_volumes(gateway: &Gateway, ask: &Ask<'_>) -> Result<Json, ApiError> {
    let rows = Rows::of(&ask.params)?;
    let listings = gateway.listings().await?;
    let listing = contract(&ask.params, &listings)?;
    let look = |views: &Views| {
        let now = views.time_ns();
        // One more than are wanted: the last may be under way.
        let limit = rows.limit + 1;
        let Rows { period: interval, start, end, .. } = rows;
        let query = CandleQuery { interval, offset: UtcOffset::UTC, start, end, limit, now };
        let candles = views.candles(listing.market, &query);
        candles.into_iter().filter(|candle| candle.close_time < now).collect::<Vec<_>>()
    };
    let candles = gateway.with_market(listing, look).await?;
    let over = if rows.start.is_some() { 0 } else { candles.len().saturating_sub(rows.limit) };
    let wanted = candles[over..].iter().take(rows.limit).filter(|candle| candle.trades > 0);
    let reply = |candle: &Candle| TakersReply::of(listing, ask.unit, candle);
    Ok(Json::ok(&wanted.map(reply).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use model::QtyLots;

    use super::*;
    use dialect::sample::btcusdt;

    const HOUR: u64 = 3_600_000;

    fn at(millis: u64) -> TimeNs {
        TimeNs::from_millis(millis)
    }

    fn rows(query: &str) -> Result<Rows, ApiError> {
        Rows::of(&Params::parse(query.as_bytes(), b"").unwrap())
    }

    #[test]
    fn rows_are_at_the_ends_of_periods() {
        let ends = |query: &str| {
            let ends = rows(query).unwrap().ends(at(HOUR + 1), at(9 * HOUR + 7));
            ends.into_iter().map(|end| end.0 / 1_000_000 / HOUR).collect::<Vec<_>>()
        };
        assert_eq!(ends("period=1h"), [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(ends("period=1h&limit=2"), [8, 9]);
        assert_eq!(ends("period=4h"), [4, 8]);
        assert_eq!(ends(&format!("period=1h&startTime={}&limit=2", 3 * HOUR)), [3, 4]);
        assert_eq!(ends(&format!("period=1h&startTime={}&limit=2", 3 * HOUR + 1)), [4, 5]);
        assert_eq!(ends(&format!("period=1h&endTime={}", 3 * HOUR)), [2, 3]);
        assert_eq!(ends("period=1h&startTime=0&limit=1"), [2], "the first that there is");
        assert_eq!(ends("period=1d"), [0_u64; 0]);
        assert_eq!(ends(&format!("period=1h&startTime={}", 99 * HOUR)), [0_u64; 0]);
        assert_eq!(rows("period=5m&limit=9999").unwrap().limit, 500);
        assert_eq!(rows("period=5m").unwrap().limit, 30);
    }

    #[test]
    fn another_period_is_refused_with_those_that_there_are() {
        for period in ["3m", "1w", "1M", "1H"] {
            let error = rows(&format!("period={period}")).unwrap_err();
            let text = "Data sent for parameter 'period' is not valid: it is one of 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d.";
            assert_eq!((error.code, &*error.message), (-1130, text));
        }
        assert_eq!(rows("limit=3").unwrap_err().code, -1102);
    }

    fn told(reply: &impl Serialize) -> String {
        serde_json::to_string(reply).unwrap()
    }

    #[test]
    fn sides_are_told_as_parts_and_as_a_ratio() {
        let listing = btcusdt();
        let past = |longs, shorts| PastInterest {
            open: OpenInterest { long_lots: QtyLots(1_500), longs, shorts },
            mark_ticks: Some(PriceTicks(1_000_000)),
        };
        let reply = PastInterestReply::of(&listing, TimeUnit::Millis, at(HOUR), &past(2, 1));
        // 1.5 at 50,000.
        assert_eq!(
            told(&reply),
            r#"{"symbol":"BTCUSDT","sumOpenInterest":"1.50000000","sumOpenInterestValue":"75000.000000","timestamp":3600000}"#
        );
        let reply = LongShortReply::of(&listing, TimeUnit::Millis, at(HOUR), &past(2, 1)).unwrap();
        assert_eq!(
            told(&reply),
            r#"{"symbol":"BTCUSDT","longShortRatio":"2.0000","longAccount":"0.6667","shortAccount":"0.3333","timestamp":3600000}"#
        );
        assert!(LongShortReply::of(&listing, TimeUnit::Millis, at(HOUR), &past(0, 0)).is_none());
    }

    #[test]
    fn takers_have_a_ratio_where_something_was_sold() {
        let listing = btcusdt();
        let candle = |bought: i128| Candle {
            open_time: at(HOUR),
            close_time: at(2 * HOUR),
            open: PriceTicks(1),
            high: PriceTicks(1),
            low: PriceTicks(1),
            close: PriceTicks(1),
            volume: Amount(300_000_000),
            quote_volume: Amount(0),
            trades: 3,
            taker_buy_base: Amount(bought),
            taker_buy_quote: Amount(0),
            first_trade: None,
            last_trade: None,
        };
        assert_eq!(
            told(&TakersReply::of(&listing, TimeUnit::Millis, &candle(200_000_000))),
            r#"{"buySellRatio":"2.0000","buyVol":"2.00000000","sellVol":"1.00000000","timestamp":3600000}"#
        );
        assert_eq!(
            told(&TakersReply::of(&listing, TimeUnit::Millis, &candle(300_000_000))),
            r#"{"buyVol":"3.00000000","sellVol":"0.00000000","timestamp":3600000}"#
        );
    }
}
