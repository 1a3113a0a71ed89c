//! What is forgotten is forgotten whole: a candle is either right or not there.

use model::{MarketId, Side, TimeNs};
use views::{Candle, CandleQuery, Interval, UtcOffset, ViewSettings, Views};

use crate::vectors::Feed;
use crate::world::Random;

const SECOND: u64 = 1_000_000_000;
const MARKET: MarketId = MarketId(0);

fn all(views: &Views, interval: Interval, minutes: i16) -> Vec<Candle> {
    let offset = UtcOffset::from_minutes(minutes).unwrap();
    let now = TimeNs(views.time_ns().0 + 7 * SECOND);
    views.candles(MARKET, &CandleQuery { interval, offset, start: None, end: None, limit: 1_000, now })
}

#[test]
fn candles_of_a_bounded_memory_are_the_last_of_an_unbounded_one() {
    let mut bounded = Feed::new(ViewSettings {
        seconds_kept: 50,
        minutes_kept: 0,
        quarters_kept: 0,
        hours_kept: 0,
        days_kept: 20,
        ..ViewSettings::default()
    });
    let mut unbounded = Feed::new(ViewSettings {
        seconds_kept: usize::MAX,
        minutes_kept: usize::MAX,
        quarters_kept: usize::MAX,
        hours_kept: usize::MAX,
        days_kept: usize::MAX,
        ..ViewSettings::default()
    });
    let random = &mut Random::new(77);
    let mut time = 1_700_000_000 * SECOND;
    let mut shorter = [false; 16];
    for trade in 1..=6_000 {
        time += [0, SECOND, 3 * SECOND, 61 * SECOND, 4_000 * SECOND][random.index(5)];
        let price = 100 + i64::try_from(random.below(50)).unwrap();
        for feed in [&mut bounded, &mut unbounded] {
            feed.trade(TimeNs(time), trade, price, 1, trade, Side::Buy);
        }
        if trade % 97 == 0 {
            for (place, interval) in Interval::ALL.into_iter().enumerate() {
                for minutes in [0, 60, 345, -1] {
                    let (some, more) =
                        (all(&bounded.views, interval, minutes), all(&unbounded.views, interval, minutes));
                    assert!(some.len() <= more.len());
                    assert_eq!(some, more[more.len() - some.len()..], "{interval:?}");
                    shorter[place] |= some.len() < more.len();
                }
            }
        }
    }
    assert!(
        shorter.into_iter().filter(|shorter| *shorter).count() > 8,
        "bounds that never bite prove little"
    );
}

#[test]
fn an_idle_market_costs_nothing_and_is_flat_for_ever() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.trade(TimeNs(10 * SECOND), 1, 50, 1, 1, Side::Buy);
    let mut before = Vec::new();
    feed.views.save(&mut before);
    feed.batch(TimeNs(400 * 86_400 * SECOND), Vec::new());
    let mut after = Vec::new();
    feed.views.save(&mut after);
    assert_eq!(before.len(), after.len());
    for interval in Interval::ALL {
        let candles = all(&feed.views, interval, 0);
        assert_eq!(candles.last().unwrap().close.0, 50);
        assert_eq!(candles.last().unwrap().trades, 0);
        assert!(candles.windows(2).all(|pair| pair[0].close_time.0 + 1_000_000 == pair[1].open_time.0));
        assert!(candles.len() == 1_000 || candles[0].trades == 1, "{interval:?}");
    }
}

#[test]
fn questions_beyond_the_data_have_empty_answers() {
    let mut feed = Feed::new(ViewSettings::default());
    let query = CandleQuery {
        interval: Interval::Minute1,
        offset: UtcOffset::UTC,
        start: None,
        end: None,
        limit: 1_000,
        now: TimeNs(1_000 * SECOND),
    };
    assert_eq!(feed.views.candles(MARKET, &query), []);
    feed.trade(TimeNs(500 * SECOND), 1, 50, 1, 1, Side::Buy);
    let before = CandleQuery { end: Some(TimeNs(479 * SECOND)), ..query };
    assert_eq!(feed.views.candles(MARKET, &before), []);
    let after = CandleQuery { start: Some(TimeNs(1_001 * SECOND)), ..query };
    assert_eq!(feed.views.candles(MARKET, &after), []);
    let none = CandleQuery { limit: 0, ..query };
    assert_eq!(feed.views.candles(MARKET, &none), []);
    let ever = CandleQuery { start: Some(TimeNs(0)), end: Some(TimeNs::NEVER), now: TimeNs::NEVER, ..query };
    assert_eq!(feed.views.candles(MARKET, &ever).len(), 1_000);
    let ever = CandleQuery { start: None, ..ever };
    assert_eq!(feed.views.candles(MARKET, &ever).len(), 1_000);
}

#[test]
fn a_clock_that_is_behind_counts_as_that_of_the_latest_event() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.trade(TimeNs(500 * SECOND), 1, 50, 1, 1, Side::Buy);
    let query = CandleQuery {
        interval: Interval::Minute1,
        offset: UtcOffset::UTC,
        start: None,
        end: None,
        limit: 10,
        now: TimeNs(0),
    };
    let candles = feed.views.candles(MARKET, &query);
    assert_eq!(candles.iter().map(|candle| candle.trades).collect::<Vec<_>>(), [1]);
    let ticker = feed.views.ticker(MARKET, TimeNs(0));
    assert_eq!((ticker.close_time, ticker.trades), (TimeNs(500 * SECOND), 1));
}
