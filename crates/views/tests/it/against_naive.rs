//! Random worlds: whatever is asked, the answer is that of the obvious views, and balances, open orders and books are those
//! of the world itself.

use model::{AccountId, AssetId, Liquidity, MarketId, OrderId, Side, TimeNs, TradeId};
use views::{CandleQuery, Interval, Page, UtcOffset, ViewSettings, Views};

use crate::naive::{Naive, NaiveAgg, NaiveOrder, shown_qty};
use crate::world::{Pace, Random, World};

const MARKETS: u32 = 3;

fn small() -> ViewSettings {
    ViewSettings {
        orders_kept_per_account: 12,
        orders_kept: 60,
        own_trades_kept_per_account: 15,
        own_trades_kept: 70,
        trades_kept: 40,
        agg_trades_kept: 30,
        ..ViewSettings::default()
    }
}

pub fn some_page<Id>(random: &mut Random, now: TimeNs, id: impl Fn(u64) -> Id, ids: u64) -> Page<Id> {
    let time = |random: &mut Random| {
        // Some day of the last twenty, or a moment of the last seconds.
        let scale = [1_000_000_000, 86_400_000_000_000][random.index(2)];
        TimeNs(now.0.saturating_sub(random.below(20) * scale + random.below(3)))
    };
    Page {
        from: (random.below(3) == 0).then(|| id(random.below(ids + 2))),
        start_ns: (random.below(3) == 0).then(|| time(random)),
        end_ns: (random.below(3) == 0).then(|| time(random)),
        limit: [0, 1, 3, 10, 1_000][random.index(5)],
    }
}

fn assert_same_order(order: &views::Order, expected: &NaiveOrder) {
    let accepted = &expected.accepted;
    assert_eq!(order.id, accepted.order);
    assert_eq!((order.account, order.market), (accepted.account, accepted.market));
    assert_eq!((order.side, order.kind), (accepted.side, accepted.kind));
    assert_eq!(order.self_trade_prevention, accepted.self_trade_prevention);
    assert_eq!(order.client_order_id, expected.name);
    assert_eq!(order.original_client_order_id, accepted.client_order_id);
    assert_eq!(order.qty_lots, shown_qty(expected));
    assert_eq!(order.executed_lots.0, expected.executed);
    assert_eq!(order.prevented_lots.0, expected.prevented);
    assert_eq!(order.cumulative_quote.0, expected.quote);
    assert_eq!(order.amends, expected.amends);
    assert_eq!(order.status(), expected.status());
    assert_eq!(order.end, expected.end);
    assert_eq!((order.accepted_ns, order.updated_ns), (expected.accepted_ns, expected.updated_ns));
}

fn check_orders(views: &Views, naive: &Naive, world: &mut World) {
    let orders = views.orders();
    for (id, expected) in &naive.orders {
        let found = orders.by_id(*id);
        assert_eq!(found.is_some(), naive.is_kept(*id), "order {id}");
        if let Some(found) = found {
            assert_same_order(found, expected);
        }
    }
    for account in (1..=world.account_count()).map(AccountId) {
        let mut everywhere = Vec::new();
        for market in (0..MARKETS).map(MarketId) {
            let open = world.open_orders(account, market);
            let found = orders.open_in(account, market);
            assert_eq!(orders.open_count_in(account, market), open.len());
            assert_eq!(
                found
                    .iter()
                    .map(|order| (order.id, order.open_lots().0, order.client_order_id))
                    .collect::<Vec<_>>(),
                open
            );
            everywhere.extend(open.iter().map(|(id, ..)| *id));

            let ids = world.orders_so_far();
            let asked = some_page(&mut world.random, world.time_ns, OrderId, ids);
            let expected: Vec<OrderId> =
                naive.orders_of(account, market, &asked).iter().map(|order| order.accepted.order).collect();
            let found: Vec<OrderId> =
                orders.all(account, market, &asked).iter().map(|order| order.id).collect();
            assert_eq!(found, expected, "orders of {account} in {market}: {asked:?}");

            for order in naive.orders.values() {
                let expected = naive.by_name(account, market, &order.name);
                let found = orders.by_client_id(account, market, &order.name);
                assert_eq!(
                    found.map(|order| order.id),
                    expected.map(|order| order.accepted.order),
                    "name {} of {account} in {market}",
                    order.name
                );
            }
        }
        let found: Vec<OrderId> = orders.open(account).iter().map(|order| order.id).collect();
        everywhere.sort_unstable();
        assert_eq!(found, everywhere);
    }
}

fn check_money(views: &Views, world: &World) {
    let balances = views.balances();
    for account in (1..=world.account_count()).map(AccountId) {
        for asset in (0..3).map(AssetId) {
            let (free, held) = world.balance(account, asset);
            let found = balances.balance(account, asset);
            assert_eq!((found.free.0, found.held.0), (free, held), "{account} {asset}");
        }
    }
    let withdrawals: Vec<_> =
        balances.withdrawals().map(|(id, open)| (id, open.account, open.amount)).collect();
    assert_eq!(withdrawals, world.open_withdrawals());
    for (id, account, amount) in withdrawals {
        let open = balances.withdrawal(id).unwrap();
        assert_eq!((open.account, open.amount), (account, amount));
    }
    for asset in (0..3).map(AssetId) {
        let totals = balances.totals(asset);
        assert!(totals.conserved(model::Amount::ZERO), "asset {asset}: {totals:?}");
        let free: i128 = (1..=world.account_count()).map(|id| world.balance(AccountId(id), asset).0).sum();
        let held: i128 = (1..=world.account_count()).map(|id| world.balance(AccountId(id), asset).1).sum();
        assert_eq!((totals.free.0, totals.held.0), (free, held));
    }
}

fn check_markets(views: &Views, naive: &Naive, world: &mut World) {
    for market in (0..MARKETS).map(MarketId) {
        let depth = views.depth(market);
        assert_eq!(depth.bids().collect::<Vec<_>>(), world.levels(market, Side::Buy));
        assert_eq!(depth.asks().collect::<Vec<_>>(), world.levels(market, Side::Sell));
        assert_eq!(views.book_ticker(market).bid, world.levels(market, Side::Buy).first().copied());
        assert_eq!(views.book_ticker(market).ask, world.levels(market, Side::Sell).first().copied());

        let all = naive.traded_in(market);
        let ids = u64::try_from(all.len()).unwrap();
        assert_eq!(views.last_price(market), all.last().map(|(traded, _)| traded.price_ticks));
        let asked = some_page(&mut world.random, world.time_ns, TradeId, ids);
        let found: Vec<_> = views
            .tape(market)
            .trades(&asked)
            .iter()
            .map(|trade| (trade.id, trade.price_ticks, trade.qty_lots, trade.taker_side, trade.time_ns))
            .collect();
        let expected: Vec<_> = naive
            .trades(market, &asked)
            .iter()
            .map(|(trade, time)| (trade.trade, trade.price_ticks, trade.qty_lots, trade.taker_side, *time))
            .collect();
        assert_eq!(found, expected, "trades of {market}: {asked:?}");

        let asked = some_page(&mut world.random, world.time_ns, |id| id, ids);
        let found: Vec<NaiveAgg> =
            views.tape(market).agg_trades(&asked).into_iter().map(NaiveAgg::from).collect();
        assert_eq!(found, naive.agg_trades(market, &asked), "aggregated trades of {market}: {asked:?}");

        for account in (1..=world.account_count()).map(AccountId) {
            let asked = some_page(&mut world.random, world.time_ns, TradeId, ids);
            let order = naive.fills.last().filter(|_| world.random.below(2) == 0).map(|(fill, _)| fill.order);
            let found = views.own_trades().of(account, market, order, &asked);
            let expected = naive.own_trades(account, market, order, &asked);
            assert_eq!(found.len(), expected.len(), "own trades of {account} in {market}: {asked:?}");
            for (found, (fill, time)) in found.iter().zip(expected) {
                assert_eq!((found.id, found.order, found.time_ns), (fill.trade, fill.order, *time));
                assert_eq!((found.price_ticks, found.qty_lots), (fill.price_ticks, fill.qty_lots));
                assert_eq!((found.fee, found.side, found.liquidity), (fill.fee, fill.side, fill.liquidity));
                let terms = &world.terms[usize::try_from(market.0).unwrap()];
                let (buys, received) = match fill.side {
                    Side::Buy => (true, terms.base),
                    Side::Sell => (false, terms.quote),
                };
                assert_eq!((found.is_buyer(), found.fee_asset(terms)), (buys, received));
                assert_eq!(found.is_maker(), fill.liquidity == Liquidity::Maker);
                assert_eq!(found.quote_amount(terms), terms.notional(fill.price_ticks, fill.qty_lots));
            }
        }
    }
}

#[test]
fn orders_money_and_trades_are_those_of_the_obvious_views() {
    for seed in 0..8 {
        println!("seed {seed}");
        let settings = if seed % 2 == 0 { small() } else { ViewSettings::default() };
        let (mut world, listing) = World::new(seed, MARKETS, 4, Pace::Busy);
        let mut views = Views::new(ViewSettings { hash_seed: seed, ..settings.clone() });
        let mut naive = Naive::new(settings);
        views.apply(&listing);
        naive.apply(&listing);
        for step in 0..300 {
            let batch = world.step();
            views.apply(&batch);
            naive.apply(&batch);
            check_money(&views, &world);
            if step % 12 == 0 {
                check_orders(&views, &naive, &mut world);
                check_markets(&views, &naive, &mut world);
            }
        }
        assert!(naive.traded.len() > 200, "a world in which little happens proves little");
    }
}

#[test]
fn candles_are_those_of_the_obvious_views() {
    for seed in 100..108 {
        println!("seed {seed}");
        let (mut world, listing) = World::new(seed, MARKETS, 4, Pace::Anything);
        let mut views = Views::new(ViewSettings::default());
        let mut naive = Naive::new(ViewSettings::default());
        views.apply(&listing);
        naive.apply(&listing);
        for step in 0..200 {
            let batch = world.step();
            views.apply(&batch);
            naive.apply(&batch);
            if step % 25 == 24 {
                check_candles(&views, &naive, &mut world);
            }
        }
    }
}

/// Lengths that the obvious views can step through over years in a reasonable time.
fn check_candles(views: &Views, naive: &Naive, world: &mut World) {
    for interval in Interval::ALL {
        let market = MarketId(u32::try_from(world.random.below(u64::from(MARKETS))).unwrap());
        let offset =
            UtcOffset::from_minutes([0, 0, 60, -720, 840, 330, 345, 7][world.random.index(8)]).unwrap();
        // Sometimes a clock that is behind: it counts as that of the latest event.
        let ahead = world.random.below(3) * world.random.below(7_200_000_000_000);
        let now = TimeNs(world.time_ns.0 + ahead - world.random.below(3) * 40_000_000_000);
        let query = CandleQuery { interval, offset, start: None, end: None, limit: 1_000, now };
        if interval >= Interval::Hour1 {
            let all = naive.candles(market, &CandleQuery { limit: 1_000, ..query }, world.time_ns);
            assert_eq!(views.candles(market, &query), all, "{query:?}");
        }
        // A part of it around some trade.
        let trades = naive.traded_in(market);
        if trades.is_empty() {
            assert!(views.candles(market, &query).is_empty());
            continue;
        }
        let near = trades[world.random.index(trades.len())].1.0;
        let bound = |random: &mut Random| {
            let reach = [1_000_000_000, 60_000_000_000, 3_600_000_000_000][random.index(3)];
            let moment = TimeNs(near + random.below(40) * reach - 20 * reach);
            // Often the very first moment of a candle: bounds include themselves.
            match random.below(4) {
                0 | 1 => None,
                2 => Some(moment),
                _ => Some(interval.open_time(moment, offset)),
            }
        };
        let start = bound(&mut world.random);
        let end = bound(&mut world.random);
        let limit = [0, 1, 2, 50, 1_000][world.random.index(5)];
        let query = CandleQuery { start, end, limit, ..query };
        if interval >= Interval::Hour1 {
            assert_eq!(
                views.candles(market, &query),
                naive.candles(market, &query, world.time_ns),
                "{query:?}"
            );
        } else if start.is_some() {
            check_short(views, naive, market, &query);
        }
    }
}

/// Short candles over years are too many to make all of: these are made from the start of the answer only.
fn check_short(views: &Views, naive: &Naive, market: MarketId, query: &CandleQuery) {
    let found = views.candles(market, query);
    let Some(first) = found.first() else { return };
    assert!(query.start.unwrap() <= first.open_time);
    assert_eq!(query.interval.open_time(first.open_time, query.offset), first.open_time);
    let terms = &naive.terms[usize::try_from(market.0).unwrap()];
    let trades = naive.traded_in(market);
    let mut price = trades
        .iter()
        .rev()
        .find(|(_, time)| *time < first.open_time)
        .map_or(trades[0].0.price_ticks, |(traded, _)| traded.price_ticks);
    let length = first.close_time.0 + 1_000_000 - first.open_time.0;
    for (index, candle) in found.iter().enumerate() {
        let open = first.open_time.0 + length * u64::try_from(index).unwrap();
        let inside: Vec<&model::Traded> = trades
            .iter()
            .filter(|(_, time)| open <= time.0 && time.0 < open + length)
            .map(|(traded, _)| traded)
            .collect();
        let (open_ms, next_ms) = (i128::from(open / 1_000_000), i128::from((open + length) / 1_000_000));
        assert_eq!(*candle, crate::naive::candle(terms, &inside, price, open_ms, next_ms), "{query:?}");
        price = candle.close;
    }
    // It stops at the limit, at the end or at the present, and not before.
    let next = TimeNs(found.last().unwrap().open_time.0 + length);
    let full = found.len() == query.limit.min(1_000);
    let at_end = query.end.is_some_and(|end| next > end) || next > query.now.max(views.time_ns());
    assert!(full || at_end, "{query:?} stops at {next}");
}
