//! The rolling window against a walk over all trades.

use model::{Amount, MarketId, Side, TimeNs, Traded};
use views::{Ticker, TickerPrices, ViewSettings, Views};

use crate::naive::Naive;
use crate::vectors::Feed;
use crate::world::{Pace, Random, World};

const MINUTE: u64 = 60_000_000_000;

fn walked(naive: &Naive, views: &Views, market: MarketId, minutes: u64, now: TimeNs) -> Ticker {
    let now = now.max(views.time_ns());
    let open_time = TimeNs((now.0 - minutes * MINUTE) / MINUTE * MINUTE);
    let all = naive.traded_in(market);
    let before = all.iter().rfind(|(_, time)| *time < open_time).map(|(traded, _)| traded.price_ticks);
    let inside: Vec<&Traded> =
        all.iter().filter(|(_, time)| *time >= open_time).map(|(traded, _)| traded).collect();
    let terms = naive.terms[usize::try_from(market.0).unwrap()];
    let prices = all.last().map(|(latest, _)| TickerPrices {
        open: inside.first().map_or(latest.price_ticks, |traded| traded.price_ticks),
        high: inside.iter().map(|traded| traded.price_ticks).max().unwrap_or(latest.price_ticks),
        low: inside.iter().map(|traded| traded.price_ticks).min().unwrap_or(latest.price_ticks),
        last: latest.price_ticks,
        last_qty_lots: latest.qty_lots,
    });
    Ticker {
        open_time,
        close_time: now,
        prices,
        prev_close: before,
        volume: Amount(inside.iter().map(|traded| terms.base_amount(traded.qty_lots).0).sum()),
        quote_volume: Amount(
            inside.iter().map(|traded| terms.notional(traded.price_ticks, traded.qty_lots).0).sum(),
        ),
        trades: u64::try_from(inside.len()).unwrap(),
        first_trade: inside.first().map(|traded| traded.trade),
        last_trade: inside.last().map(|traded| traded.trade),
        book: views.book_ticker(market),
    }
}

#[test]
fn windows_are_those_of_a_walk_over_all_trades() {
    for seed in 400..410 {
        println!("seed {seed}");
        let (mut world, listing) = World::new(seed, 3, 4, Pace::Anything);
        let mut views = Views::new(ViewSettings::default());
        let mut naive = Naive::new(ViewSettings::default());
        views.apply(&listing);
        naive.apply(&listing);
        for _ in 0..250 {
            let batch = world.step();
            views.apply(&batch);
            naive.apply(&batch);
            for market in (0..3).map(MarketId) {
                let late = [0, 1, MINUTE, 60 * MINUTE][world.random.index(4)] * world.random.below(30);
                let now = TimeNs(world.time_ns.0 + late);
                assert_eq!(views.ticker(market, now), walked(&naive, &views, market, 1_440, now));
                for minutes in [1, 5, 60, 61, 719] {
                    let found = views.rolling(market, minutes, now);
                    assert_eq!(found, walked(&naive, &views, market, u64::from(minutes), now));
                }
            }
        }
    }
}

/// Two days with a trade in every minute, and no more minutes kept than the least: the window must not miss one.
#[test]
fn a_busy_market_with_the_least_memory() {
    let market = MarketId(0);
    let settings =
        ViewSettings { minutes_kept: 0, quarters_kept: 0, hours_kept: 0, ..ViewSettings::default() };
    let mut feed = Feed::new(settings);
    let mut random = Random::new(9);
    let mut trades: Vec<(u64, i64, i64)> = Vec::new();
    for minute in 0..2_880 {
        let time = minute * MINUTE + random.below(MINUTE);
        let price = 100 + i64::try_from(random.below(50)).unwrap();
        let qty = 1 + i64::try_from(random.below(9)).unwrap();
        feed.trade(TimeNs(time), minute + 1, price, qty, minute + 1, Side::Buy);
        trades.push((time, price, qty));
        if minute > 1_500 {
            let now = time + random.below(3) * MINUTE;
            let open = (now - 1_440 * MINUTE) / MINUTE * MINUTE;
            let inside: Vec<_> = trades.iter().filter(|(time, ..)| *time >= open).collect();
            let before = trades.iter().rfind(|(time, ..)| *time < open).unwrap();
            let found = feed.views.ticker(market, TimeNs(now));
            let volume: i64 = inside.iter().map(|(_, _, qty)| qty).sum();
            let cost: i64 = inside.iter().map(|(_, price, qty)| price * qty).sum();
            assert_eq!((found.volume.0, found.quote_volume.0), (i128::from(volume), i128::from(cost)));
            assert_eq!(found.trades, u64::try_from(inside.len()).unwrap());
            assert_eq!(found.prev_close.unwrap().0, before.1);
            let prices = found.prices.unwrap();
            assert_eq!(prices.open.0, inside[0].1);
            assert_eq!(prices.high.0, inside.iter().map(|(_, price, _)| *price).max().unwrap());
            assert_eq!(prices.low.0, inside.iter().map(|(_, price, _)| *price).min().unwrap());
            assert_eq!((prices.last.0, prices.last_qty_lots.0), (price, qty));
        }
    }
}

#[test]
fn a_market_without_trades_has_no_prices() {
    let feed = Feed::new(ViewSettings::default());
    let ticker = feed.views.ticker(MarketId(0), TimeNs(5 * MINUTE));
    assert_eq!((ticker.prices, ticker.prev_close, ticker.trades), (None, None, 0));
    assert_eq!(ticker.open_time, TimeNs(0), "there is no time before the epoch");
    assert_eq!(feed.views.last_price(MarketId(0)), None);
}

#[test]
fn a_quiet_day_keeps_the_last_price() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.trade(TimeNs(0), 1, 50, 3, 1, Side::Sell);
    let ticker = feed.views.ticker(MarketId(0), TimeNs(1_442 * MINUTE));
    let prices = ticker.prices.unwrap();
    assert_eq!((prices.open.0, prices.high.0, prices.low.0, prices.last.0), (50, 50, 50, 50));
    assert_eq!((ticker.trades, ticker.volume, ticker.first_trade), (0, Amount(0), None));
    assert_eq!(ticker.prev_close.unwrap().0, 50);
}
