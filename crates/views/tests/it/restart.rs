//! Saved and loaded, the views answer every question as before, and go on as if nothing had been.

use std::fmt::Write;

use codec::Reader;
use model::{
    AccountId, AccountName, AssetId, AssetName, ClientOrderId, MarketId, MarketName, OrderId, TimeNs, TradeId,
};
use views::{CandleQuery, Interval, UtcOffset, ViewSettings, Views};

use crate::against_naive::some_page;
use crate::world::{Pace, Random, World};

pub fn saved(views: &Views) -> Vec<u8> {
    let mut bytes = Vec::new();
    views.save(&mut bytes);
    bytes
}

pub fn loaded(settings: &ViewSettings, bytes: &[u8]) -> Views {
    let mut input = Reader::new(bytes);
    let views = Views::load(settings.clone(), &mut input).expect("what was saved can be loaded");
    input.finish().expect("all of it is read");
    views
}

/// Every question there is, with the same random parameters for the same seed.
fn answers(views: &Views, seed: u64, accounts: u64, orders: u64) -> String {
    let random = &mut Random::new(seed);
    let now = TimeNs(views.time_ns().0 + random.below(4_000_000_000_000));
    let mut text = String::new();
    let out = &mut text;
    let catalog = views.catalog();
    writeln!(out, "{:?} {:?} {:?}", views.seq(), views.command_seq(), views.time_ns()).unwrap();
    for (asset, terms) in catalog.assets() {
        writeln!(out, "{asset} {terms:?} {:?}", catalog.asset_by_name(&terms.name)).unwrap();
        writeln!(out, "{:?}", views.balances().totals(asset)).unwrap();
    }
    writeln!(out, "{:?}", catalog.asset_by_name(&AssetName::new("NONE").unwrap())).unwrap();
    for (account, terms) in catalog.accounts() {
        writeln!(out, "{account} {terms:?} {:?}", catalog.account_by_name(&terms.name)).unwrap();
        let keys: Vec<_> = catalog.keys_of(account).collect();
        for (id, key) in &keys {
            assert_eq!(catalog.key(id), Some(*key));
        }
        writeln!(out, "{keys:?} {:?}", views.balances().of(account)).unwrap();
        writeln!(out, "{:?}", views.balances().balance(account, AssetId(1))).unwrap();
    }
    writeln!(out, "{:?}", catalog.account_by_name(&AccountName::new("nobody").unwrap())).unwrap();
    writeln!(out, "{:?}", views.balances().withdrawals().collect::<Vec<_>>()).unwrap();
    for order in (0..orders + 2).map(OrderId) {
        writeln!(out, "{:?}", views.orders().by_id(order).map(shown)).unwrap();
    }
    writeln!(out, "{}", views.orders().open_count()).unwrap();
    for (market, terms) in catalog.markets() {
        writeln!(out, "{market} {terms:?} {:?}", catalog.market_by_name(&terms.name)).unwrap();
        market_answers(views, market, random, now, out);
        for account in (0..accounts + 2).map(AccountId) {
            let asked = some_page(random, now, OrderId, orders);
            let all: Vec<_> = views.orders().all(account, market, &asked).into_iter().map(shown).collect();
            writeln!(out, "{all:?}").unwrap();
            let open: Vec<_> = views.orders().open_in(account, market).into_iter().map(shown).collect();
            writeln!(out, "{open:?} {}", views.orders().open_count_in(account, market)).unwrap();
            for name in 0..60 {
                let name = ClientOrderId::new(&format!("name-{name}")).unwrap();
                let found = views.orders().by_client_id(account, market, &name);
                writeln!(out, "{:?}", found.map(|order| order.id)).unwrap();
            }
            let asked = some_page(random, now, TradeId, orders);
            for trade in views.own_trades().of(account, market, None, &asked) {
                writeln!(out, "{trade:?} {:?} {:?}", trade.quote_amount(terms), trade.fee_asset(terms))
                    .unwrap();
            }
        }
    }
    writeln!(out, "{:?}", catalog.market_by_name(&MarketName::new("NONE").unwrap())).unwrap();
    for account in (0..accounts + 2).map(AccountId) {
        let open: Vec<_> = views.orders().open(account).into_iter().map(shown).collect();
        writeln!(out, "{open:?}").unwrap();
    }
    text
}

/// All that is public of an order.
fn shown(order: &views::Order) -> impl std::fmt::Debug + use<> {
    (
        (order.id, order.account, order.market, order.side, order.kind, order.self_trade_prevention),
        (order.client_order_id, order.original_client_order_id, order.qty_lots, order.executed_lots),
        (order.prevented_lots, order.cumulative_quote, order.held, order.accepted_ns, order.updated_ns),
        (order.end, order.amends, order.prevented_match, order.status(), order.open_lots()),
    )
}

fn market_answers(views: &Views, market: MarketId, random: &mut Random, now: TimeNs, out: &mut String) {
    writeln!(out, "{}", views.depth(market).last_update_id()).unwrap();
    trade_answers(views, market, random, now, out);
}

/// All but the number of the book's last change.
pub fn trade_answers(views: &Views, market: MarketId, random: &mut Random, now: TimeNs, out: &mut String) {
    let depth = views.depth(market);
    writeln!(out, "{:?} {:?}", depth.bids().collect::<Vec<_>>(), depth.asks().collect::<Vec<_>>()).unwrap();
    writeln!(out, "{:?} {:?}", views.last_price(market), views.book_ticker(market)).unwrap();
    writeln!(out, "{:?} {:?}", views.ticker(market, now), views.rolling(market, 7, now)).unwrap();
    let asked = some_page(random, now, TradeId, 300);
    writeln!(out, "{:?} {:?}", views.tape(market).trades(&asked), views.tape(market).last_id()).unwrap();
    let asked = some_page(random, now, |id| id, 300);
    writeln!(out, "{:?}", views.tape(market).agg_trades(&asked)).unwrap();
    for interval in Interval::ALL {
        let offset = UtcOffset::from_minutes([0, 345, -60][random.index(3)]).unwrap();
        let start = (random.below(2) == 0).then(|| TimeNs(now.0 - random.below(40) * 3_600_000_000_000));
        let query = CandleQuery { interval, offset, start, end: None, limit: 20, now };
        writeln!(out, "{:?}", views.candles(market, &query)).unwrap();
    }
}

#[test]
fn nothing_is_lost_and_nothing_changes() {
    for seed in 200..216 {
        println!("seed {seed}");
        let pace = if seed % 2 == 0 { Pace::Anything } else { Pace::Busy };
        let settings = if seed % 4 < 2 {
            ViewSettings::default()
        } else {
            ViewSettings {
                orders_kept_per_account: 9,
                orders_kept: 40,
                own_trades_kept_per_account: 9,
                own_trades_kept: 40,
                trades_kept: 20,
                agg_trades_kept: 20,
                seconds_kept: 10,
                days_kept: 3,
                hash_seed: seed,
                ..ViewSettings::default()
            }
        };
        let (mut world, listing) = World::new(seed, 3, 4, pace);
        let mut lived = Views::new(settings.clone());
        lived.apply(&listing);
        let mut restarted = loaded(&settings, &saved(&lived));
        for step in 0..250 {
            let batch = world.step();
            lived.apply(&batch);
            restarted.apply(&batch);
            if step % 50 == 7 {
                let bytes = saved(&lived);
                assert!(bytes == saved(&restarted), "the same views have the same bytes");
                // Another seed for the hash functions: where entries lie is nobody's business.
                restarted = loaded(&ViewSettings { hash_seed: seed + step, ..settings.clone() }, &bytes);
                assert!(bytes == saved(&restarted), "loading and saving gives the same bytes");
                let (accounts, orders) = (world.account_count(), world.orders_so_far());
                let (one, other) =
                    (answers(&lived, step, accounts, orders), answers(&restarted, step, accounts, orders));
                assert!(one == other, "{}", difference(&one, &other));
            }
        }
    }
}

fn difference(one: &str, other: &str) -> String {
    let pair = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    format!("the first answers that differ: {pair:#?}")
}

#[test]
fn smaller_settings_keep_what_they_would_have_kept() {
    let (mut world, listing) = World::new(5, 2, 3, Pace::Busy);
    let small = ViewSettings {
        orders_kept_per_account: 5,
        orders_kept: 20,
        own_trades_kept_per_account: 4,
        own_trades_kept: 15,
        trades_kept: 6,
        agg_trades_kept: 5,
        seconds_kept: 4,
        ..ViewSettings::default()
    };
    let mut large_views = Views::new(ViewSettings::default());
    let mut small_views = Views::new(small.clone());
    for batch in std::iter::once(listing).chain((0..200).map(|_| world.step())) {
        large_views.apply(&batch);
        small_views.apply(&batch);
    }
    let shrunk = loaded(&small, &saved(&large_views));
    let (accounts, orders) = (world.account_count(), world.orders_so_far());
    let (one, other) = (answers(&shrunk, 1, accounts, orders), answers(&small_views, 1, accounts, orders));
    assert!(one == other, "{}", difference(&one, &other));
}

#[test]
fn another_form_is_refused() {
    let mut bytes = saved(&Views::new(ViewSettings::default()));
    bytes[0] = 8;
    let error = Views::load(ViewSettings::default(), &mut Reader::new(&bytes)).unwrap_err();
    assert_eq!(error, codec::DecodeError::UnknownTag { what: "a form of saved views", tag: bytes[0] });
    let short = &bytes[..0];
    assert!(Views::load(ViewSettings::default(), &mut Reader::new(short)).is_err());
}
