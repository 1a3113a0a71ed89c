//! The tables tell what views that forget nothing would have told.

use std::mem::discriminant;

use journal::EventLogReader;
use model::{
    AccountId, ClientOrderId, Command, MarketId, OrderId, OrderKind, PlaceOrder, PriceTicks, QtyLots,
    SelfTradePrevention, Seq, Side, TimeInForce, TimeNs, TradeId, TriggerKind,
};
use sink_sql::{Asked, History, SqlSettings, migrate};
use views::{Order, OwnTrade, Page, ViewSettings, Views};

use crate::flow::{Flow, preparation};
use crate::traders::{self, CONTRACTS, TRADERS};
use crate::world::World;

/// Views that forget nothing.
fn views(world: &World) -> Views {
    let kept = 1 << 20;
    let settings = ViewSettings {
        orders_kept_per_account: kept,
        orders_kept: kept,
        own_trades_kept_per_account: kept,
        own_trades_kept: kept,
        ..ViewSettings::default()
    };
    let mut views = Views::new(settings);
    let mut reader = EventLogReader::open(&world.storage(), Seq(1)).unwrap();
    while let Some(frame) = reader.next().unwrap() {
        views.apply(&sequencer::decode_batch(&frame).unwrap());
    }
    views
}

/// The tables have microseconds.
fn micros(time: TimeNs) -> u64 {
    time.0 / 1_000
}

/// What is told of an order: all but its first name, and the quantity that it was placed with.
fn told(order: &Order) -> String {
    let facts = (
        (order.id, order.account, order.market, order.side, discriminant(&order.kind)),
        (order.price_ticks(), order.time_in_force(), order.kind.trigger(), order.original_quote()),
        (order.self_trade_prevention, order.client_order_id, order.qty_lots, order.executed_lots),
        (order.prevented_lots, order.prevented_match, order.cumulative_quote, order.held, order.amends),
        (micros(order.accepted_ns), micros(order.updated_ns), order.end),
        (order.working_ns().map(micros), order.trailing_ns().map(micros)),
        order.at_contract.map(|at| (at.reduce_only, at.position_side, at.cause, at.good_till_ns.map(micros))),
    );
    format!("{facts:?}")
}

fn traded(trade: &OwnTrade) -> String {
    format!("{:?}", OwnTrade { time_ns: TimeNs(micros(trade.time_ns)), ..trade.clone() })
}

/// The last ones, those from a number on, those of a time.
fn pages<Id: Copy>(from: Option<Id>, times: &[TimeNs]) -> Vec<Page<Id>> {
    let mut pages = vec![
        Page { from: None, start_ns: None, end_ns: None, limit: 3 },
        Page { from: None, start_ns: None, end_ns: None, limit: 1_000 },
    ];
    pages.extend(from.map(|from| Page { from: Some(from), start_ns: None, end_ns: None, limit: 7 }));
    if let (Some(first), Some(last)) = (times.get(times.len() / 4), times.get(times.len() / 2)) {
        let bound = |at: &TimeNs| Some(TimeNs(at.0 / 1_000_000 * 1_000_000));
        let end = bound(last).map(|end| TimeNs(end.0 + 999_999));
        pages.push(Page { from: None, start_ns: bound(first), end_ns: end, limit: 50 });
        pages.push(Page { from: None, start_ns: None, end_ns: end, limit: 50 });
    }
    pages
}

fn stop(number: i64, limit: bool, trails: bool) -> Command {
    let (trigger, qty_lots) = (TriggerKind::StopLoss, QtyLots(1 + number));
    let (stop_ticks, trailing_bips) = if trails { (PriceTicks(0), 100) } else { (PriceTicks(480), 0) };
    let kind = if limit {
        let time_in_force = TimeInForce::Gtc;
        let price_ticks = PriceTicks(470);
        OrderKind::StopLimit { price_ticks, qty_lots, time_in_force, trigger, stop_ticks, trailing_bips }
    } else {
        OrderKind::StopMarket { qty_lots, trigger, stop_ticks, trailing_bips }
    };
    Command::PlaceOrder(PlaceOrder {
        account: AccountId(1 + number.unsigned_abs() % 4),
        market: MarketId(0),
        side: Side::Sell,
        kind,
        self_trade_prevention: SelfTradePrevention::ExpireBoth,
        client_order_id: ClientOrderId::new(&format!("stop-{number}")).unwrap(),
        valid_until_ns: TimeNs::NEVER,
    })
}

fn compare(
    world: &World,
    settings: &SqlSettings,
    accounts: &[AccountId],
    markets: &[MarketId],
) -> [usize; 2] {
    let (views, history) = (views(world), History::new(settings.clone()));
    let (mut orders, mut trades) = (0, 0);
    for (account, market) in
        accounts.iter().flat_map(|account| markets.iter().map(|market| (*account, *market)))
    {
        let terms = views.catalog().market(market).unwrap();
        let [base, quote] = [terms.base, terms.quote].map(|asset| views.catalog().asset(asset).unwrap());
        let asked = Asked { market, terms, base, quote };
        let kept = if CONTRACTS.contains(&market) { views.contract_orders() } else { views.orders() };
        let all = kept.all(account, market, &Page::last(1 << 20));
        let times: Vec<TimeNs> = all.iter().map(|order| order.accepted_ns).collect();
        for page in pages(all.get(all.len() / 3).map(|order| order.id), &times) {
            let wanted: Vec<String> = kept.all(account, market, &page).into_iter().map(told).collect();
            let found = history.orders(account, &asked, &page).unwrap().expect("it has not failed");
            assert_eq!(found.iter().map(told).collect::<Vec<_>>(), wanted, "{account} {market} {page:?}");
            orders += found.len();
        }
        for order in all {
            let found = history.order(&asked, order.id).unwrap().expect("it is there");
            assert_eq!(told(&found), told(order));
        }
        if CONTRACTS.contains(&market) {
            continue;
        }
        let all = views.own_trades().of(account, market, None, &Page::last(1 << 20));
        let times: Vec<TimeNs> = all.iter().map(|trade| trade.time_ns).collect();
        let one = all.get(all.len() / 2).map(|trade| trade.order);
        for page in pages(all.get(all.len() / 3).map(|trade| trade.id), &times) {
            for of in [None, one] {
                let wanted = views.own_trades().of(account, market, of, &page);
                let found = history.trades(account, &asked, of, &page).unwrap().expect("it has not failed");
                let wanted: Vec<String> = wanted.into_iter().map(traded).collect();
                assert_eq!(
                    found.iter().map(traded).collect::<Vec<_>>(),
                    wanted,
                    "{account} {market} {page:?}"
                );
                trades += found.len();
            }
        }
    }
    [orders, trades]
}

#[test]
fn orders_and_trades_are_told_as_views_would_that_forget_nothing() {
    let mut world = World::new();
    let mut flow = Flow::new(7);
    world.run(preparation());
    let mut commands = Vec::new();
    for number in 0..60 {
        commands.extend(flow.take(25));
        commands.push(stop(number, number % 2 == 0, number % 3 == 0));
    }
    let end = world.run(commands);
    let settings = SqlSettings { batch_max_events: 40, rows_remembered: 2, ..world.settings("database") };
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let tables = world.tables("database");
    for word in ["STOP_LOSS_LIMIT", "trailing_delta=Integer(100)", "triggered_at=Text", "trailing_at=Text"] {
        assert!(tables.contains(word), "the flow has {word}");
    }
    let accounts: Vec<AccountId> = (1..=4).map(AccountId).collect();
    let [orders, trades] = compare(&world, &settings, &accounts, &[MarketId(0), MarketId(1)]);
    assert!(orders > 1_000 && trades > 300, "{orders} orders, {trades} trades");
}

#[test]
fn orders_at_contracts_are_told_as_views_would_that_forget_nothing() {
    let mut world = World::new();
    let end = world.record(&traders::flow(6, 2_500));
    let settings = world.settings("database");
    migrate(&settings).unwrap();
    world.write(&settings, end);
    let accounts: Vec<AccountId> = TRADERS.map(AccountId).collect();
    let [orders, _] = compare(&world, &settings, &accounts, &CONTRACTS);
    assert!(orders > 500, "{orders}");
}

/// A database that is away is asked again after a moment, not by everybody at once.
#[test]
fn a_database_that_is_away_is_left_alone_for_a_moment() {
    let mut world = World::new();
    world.run(preparation());
    let views = views(&world);
    let history = History::new(world.settings("away/database"));
    let terms = views.catalog().market(MarketId(0)).unwrap();
    let [base, quote] = [terms.base, terms.quote].map(|asset| views.catalog().asset(asset).unwrap());
    let asked = Asked { market: MarketId(0), terms, base, quote };
    let page: Page<TradeId> = Page::last(5);
    assert!(history.trades(AccountId(1), &asked, None, &page).is_err());
    assert!(history.order(&asked, OrderId(1)).unwrap().is_none(), "nobody asks it now");
    assert!(history.trades(AccountId(1), &asked, None, &page).unwrap().is_none());
}
