//! The streams that there are, and their names. Source: web-socket-streams.md "Detailed Stream information".

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
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Of one market.
    Market(MarketId, Kind),
    /// The last 24 hours, in short, of all markets in which something has changed.
    AllMiniTickers,
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
            Subject::AllMiniTickers => Some(Speed::Slow),
            Subject::Market(_, kind) => match kind {
                Kind::Trade | Kind::AggTrade | Kind::BookTicker => None,
                Kind::PartialDepth(_, speed) | Kind::DiffDepth(speed) => Some(speed),
                Kind::Kline(..) | Kind::MiniTicker | Kind::Ticker | Kind::AveragePrice => Some(Speed::Slow),
            },
        }
    }
}

impl Subject {
    /// The stream of that name. Symbols may have either case.
    pub(crate) fn from_name(name: &str, listings: &Listings) -> Option<Self> {
        if name == "!miniTicker@arr" {
            return Some(Self::AllMiniTickers);
        }
        let (symbol, kind) = name.split_once('@')?;
        let kind = Kind::from_name(kind)?;
        let listing = listings.symbol(&symbol.to_ascii_uppercase()).ok()?;
        Some(Self::Market(listing.market, kind))
    }
}

impl Kind {
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
