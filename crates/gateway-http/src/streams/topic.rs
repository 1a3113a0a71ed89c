//! The streams that there are, and their names. Source: web-socket-streams.md "Detailed Stream information"; of futures
//! "Websocket Market Streams".

use model::MarketId;
use views::{Interval, UtcOffset};

use crate::gateway::TimeUnit;
use crate::listings::Listings;

/// How often a timed stream tells what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Speed {
    /// Every 100 milliseconds.
    Fast,
    /// Every second.
    Slow,
    /// Every three seconds.
    Slowest,
}

/// Of which markets a connection hears, where two have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Realm {
    /// Spot markets.
    Spot,
    /// Perpetual contracts.
    Futures,
}

/// What of a market is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Each trade.
    Trade,
    /// Each arriving order's trades at one price.
    AggTrade,
    /// The candle that is under way, and its end.
    Kline(Interval, UtcOffset),
    /// The same of a contract, named by its pair.
    ContinuousKline(Interval),
    /// The last 24 hours, in short.
    MiniTicker,
    /// The last 24 hours.
    Ticker,
    /// The best prices.
    BookTicker,
    /// The best levels: so many of each side.
    PartialDepth(u8, Speed),
    /// What has changed in the book.
    DiffDepth(Speed),
    /// The average price of the last minutes.
    AveragePrice,
    /// Mark price, index price and expected funding rate of a contract.
    MarkPrice(Speed),
    /// Orders with which the exchange closes positions at a contract.
    ForceOrder,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Of one market.
    Market(MarketId, Kind),
    /// The last 24 hours, in short, of all markets in which something has changed.
    AllMiniTickers(Realm),
    /// The same at length, of contracts.
    AllTickers,
    /// Mark prices of all contracts.
    AllMarkPrices(Speed),
    /// Orders with which the exchange closes positions, of all contracts.
    AllForceOrders,
}

/// What is told, and in which unit times are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Topic {
    pub(crate) subject: Subject,
    pub(crate) unit: TimeUnit,
}

impl Topic {
    /// How often the clock asks for it; `None` for what is told as it happens.
    pub(crate) const fn speed(&self) -> Option<Speed> {
        match self.subject {
            Subject::AllMiniTickers(_) | Subject::AllTickers => Some(Speed::Slow),
            Subject::AllMarkPrices(speed) => Some(speed),
            Subject::AllForceOrders => None,
            Subject::Market(_, kind) => match kind {
                Kind::Trade | Kind::AggTrade | Kind::BookTicker | Kind::ForceOrder => None,
                Kind::PartialDepth(_, speed) | Kind::DiffDepth(speed) | Kind::MarkPrice(speed) => Some(speed),
                Kind::Kline(..)
                | Kind::ContinuousKline(_)
                | Kind::MiniTicker
                | Kind::Ticker
                | Kind::AveragePrice => Some(Speed::Slow),
            },
        }
    }
}

impl Subject {
    /// The stream of that name. Symbols may have either case.
    pub(crate) fn from_name(name: &str, realm: Realm, listings: &Listings) -> Option<Self> {
        match (name, realm) {
            ("!miniTicker@arr", _) => return Some(Self::AllMiniTickers(realm)),
            ("!ticker@arr", Realm::Futures) => return Some(Self::AllTickers),
            ("!markPrice@arr", Realm::Futures) => return Some(Self::AllMarkPrices(Speed::Slowest)),
            ("!markPrice@arr@1s", Realm::Futures) => return Some(Self::AllMarkPrices(Speed::Slow)),
            ("!forceOrder@arr", Realm::Futures) => return Some(Self::AllForceOrders),
            (_, _) => {}
        }
        let (symbol, kind) = name.split_once('@')?;
        let symbol = symbol.to_ascii_uppercase();
        let (listing, kind) = match realm {
            Realm::Spot => (listings.symbol(&symbol).ok()?, Kind::from_name(kind)?),
            Realm::Futures => {
                // A pair with the kind of its contract, as the streams of continuous candles name it.
                let named = symbol.strip_suffix("_PERPETUAL").unwrap_or(&symbol);
                (listings.contract(named).ok()?, Kind::of_contract(kind)?)
            }
        };
        Some(Self::Market(listing.market, kind))
    }
}

impl Kind {
    /// As futures call them: depth is told every 250 milliseconds where nothing else is said, or every 500; here as often as what
    /// is said to be faster.
    fn of_contract(name: &str) -> Option<Self> {
        match name {
            "markPrice" => return Some(Self::MarkPrice(Speed::Slowest)),
            "markPrice@1s" => return Some(Self::MarkPrice(Speed::Slow)),
            "forceOrder" => return Some(Self::ForceOrder),
            "avgPrice" => return None,
            _ => {}
        }
        if let Some(interval) = name.strip_prefix("continuousKline_") {
            return Interval::from_name(interval).map(Self::ContinuousKline);
        }
        if let Some(levels) = name.strip_prefix("depth") {
            let levels = levels.split_once('@').map_or(Some(levels), |(levels, speed)| {
                ["100ms", "250ms", "500ms"].contains(&speed).then_some(levels)
            })?;
            return Self::from_name(&format!("depth{levels}@100ms"));
        }
        Self::from_name(name)
    }

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "trade" => Self::Trade,
            "aggTrade" => Self::AggTrade,
            "miniTicker" => Self::MiniTicker,
            "ticker" => Self::Ticker,
            "bookTicker" => Self::BookTicker,
            "avgPrice" => Self::AveragePrice,
            _ => {
                if let Some(interval) = name.strip_prefix("kline_") {
                    return kline(interval);
                }
                let (levels, speed) = match name.strip_prefix("depth")?.split_once('@') {
                    None => (name.strip_prefix("depth")?, Speed::Slow),
                    Some((levels, "100ms")) => (levels, Speed::Fast),
                    Some((levels, "1000ms")) => (levels, Speed::Slow),
                    Some(_) => return None,
                };
                match levels {
                    "" => Self::DiffDepth(speed),
                    "5" => Self::PartialDepth(5, speed),
                    "10" => Self::PartialDepth(10, speed),
                    "20" => Self::PartialDepth(20, speed),
                    _ => return None,
                }
            }
        })
    }
}

fn kline(name: &str) -> Option<Kind> {
    let (interval, offset) = match name.split_once('@') {
        None => (name, UtcOffset::UTC),
        Some((interval, "+08:00")) => (interval, UtcOffset::from_minutes(480)?),
        Some(_) => return None,
    };
    Interval::from_name(interval).map(|interval| Kind::Kline(interval, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_futures_are_those_of_the_documents() {
        for (name, wanted) in [
            ("markPrice", Kind::MarkPrice(Speed::Slowest)),
            ("markPrice@1s", Kind::MarkPrice(Speed::Slow)),
            ("forceOrder", Kind::ForceOrder),
            ("continuousKline_1m", Kind::ContinuousKline(Interval::Minute1)),
            ("depth", Kind::DiffDepth(Speed::Fast)),
            ("depth@500ms", Kind::DiffDepth(Speed::Fast)),
            ("depth20@100ms", Kind::PartialDepth(20, Speed::Fast)),
            ("aggTrade", Kind::AggTrade),
        ] {
            assert_eq!(Kind::of_contract(name), Some(wanted), "{name}");
        }
        for wrong in ["avgPrice", "markPrice@3s", "depth@1000ms", "depth7", "continuousKline_2m"] {
            assert_eq!(Kind::of_contract(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_those_of_the_documents() {
        let kind = Kind::from_name;
        for (name, wanted) in [
            ("trade", Kind::Trade),
            ("aggTrade", Kind::AggTrade),
            ("kline_1s", Kind::Kline(Interval::Second1, UtcOffset::UTC)),
            ("kline_1m", Kind::Kline(Interval::Minute1, UtcOffset::UTC)),
            ("kline_1M", Kind::Kline(Interval::Month1, UtcOffset::UTC)),
            ("kline_1d@+08:00", Kind::Kline(Interval::Day1, UtcOffset::from_minutes(480).unwrap())),
            ("miniTicker", Kind::MiniTicker),
            ("ticker", Kind::Ticker),
            ("bookTicker", Kind::BookTicker),
            ("avgPrice", Kind::AveragePrice),
            ("depth", Kind::DiffDepth(Speed::Slow)),
            ("depth@1000ms", Kind::DiffDepth(Speed::Slow)),
            ("depth@100ms", Kind::DiffDepth(Speed::Fast)),
            ("depth5", Kind::PartialDepth(5, Speed::Slow)),
            ("depth10@1000ms", Kind::PartialDepth(10, Speed::Slow)),
            ("depth20@100ms", Kind::PartialDepth(20, Speed::Fast)),
        ] {
            assert_eq!(kind(name), Some(wanted), "{name}");
        }
        for wrong in
            ["", "trades", "Trade", "kline", "kline_2m", "kline_1d@+09:00", "depth7", "depth@10ms", "depth5@"]
        {
            assert_eq!(kind(wrong), None, "{wrong}");
        }
    }
}
