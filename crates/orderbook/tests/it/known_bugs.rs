//! Bugs that a public survey found in most of 160 matching engines, one test each. The naive book runs along and would
//! object too; these say what a trader would see.

use model::{AccountId, MarketId, OrderId, PriceTicks, QtyLots, Side, TradeGroup};
use orderbook::{Order, OrderSlot, Orders, Remainder, Report, Stop};

use crate::pair::{New, Pair};

use Side::{Buy, Sell};

fn trades(reports: &[Report]) -> Vec<(u64, i64, i64)> {
    reports
        .iter()
        .filter_map(|report| match report {
            Report::Traded { maker, price_ticks, qty_lots, .. } => Some((maker.0, price_ticks.0, qty_lots.0)),
            Report::Prevented { .. } | Report::LevelChanged { .. } => None,
        })
        .collect()
}

#[test]
fn a_trade_has_the_makers_price_not_the_aggressors() {
    let mut pair = Pair::new();
    pair.place(&New::limit(1, Sell, 5, 100));
    let (_, _, reports) = pair.place(&New::limit(2, Buy, 5, 107));
    assert_eq!(trades(&reports), [(1, 100, 5)]);
}

#[test]
fn the_limit_holds_behind_the_first_level_too() {
    let mut pair = Pair::new();
    pair.place(&New::limit(1, Sell, 5, 100));
    pair.place(&New::limit(1, Sell, 5, 101));
    pair.place(&New::limit(1, Sell, 5, 102));
    let (id, outcome, reports) = pair.place(&New::limit(2, Buy, 15, 101));
    assert_eq!(trades(&reports), [(1, 100, 5), (2, 101, 5)]);
    assert!(outcome.rests, "the rest waits at its limit");
    assert_eq!(pair.orders[pair.orders.find(id).unwrap()].open_lots, QtyLots(5));
}

#[test]
fn a_filled_order_leaves_the_index() {
    let mut pair = Pair::new();
    let (maker, ..) = pair.place(&New::limit(1, Sell, 5, 100));
    pair.place(&New::limit(2, Buy, 5, 100));
    assert!(pair.orders.find(maker).is_none());
    assert!(!pair.cancel(maker), "there is nothing left to cancel");
}

#[test]
fn a_partial_fill_keeps_its_place() {
    let mut pair = Pair::new();
    pair.place(&New::limit(1, Sell, 5, 100));
    pair.place(&New::limit(2, Sell, 5, 100));
    pair.place(&New::limit(3, Buy, 2, 100));
    let (_, _, reports) = pair.place(&New::limit(3, Buy, 4, 100));
    assert_eq!(trades(&reports), [(1, 100, 3), (2, 100, 1)]);
}

#[test]
fn a_cancel_in_the_middle_keeps_the_others_places() {
    let mut pair = Pair::new();
    pair.place(&New::limit(1, Sell, 1, 100));
    let (middle, ..) = pair.place(&New::limit(2, Sell, 1, 100));
    pair.place(&New::limit(3, Sell, 1, 100));
    pair.place(&New::limit(4, Sell, 1, 100));
    assert!(pair.cancel(middle));
    let (_, _, reports) = pair.place(&New::limit(5, Buy, 3, 100));
    assert_eq!(trades(&reports), [(1, 100, 1), (3, 100, 1), (4, 100, 1)]);
}

#[test]
fn a_smaller_order_keeps_its_place_and_does_not_cross() {
    let mut pair = Pair::new();
    let (first, ..) = pair.place(&New::limit(1, Buy, 9, 100));
    pair.place(&New::limit(2, Buy, 1, 100));
    assert!(pair.reduce(first, 4));
    pair.place(&New::limit(3, Sell, 2, 101));
    let (_, _, reports) = pair.place(&New::limit(4, Sell, 6, 100));
    assert_eq!(trades(&reports), [(1, 100, 5), (2, 100, 1)]);
}

#[test]
fn the_best_price_moves_when_its_last_order_is_cancelled() {
    let mut pair = Pair::new();
    let (best, ..) = pair.place(&New::limit(1, Buy, 1, 5_000));
    pair.place(&New::limit(1, Buy, 1, 4_000));
    assert_eq!(pair.book.best(Buy), Some(PriceTicks(5_000)));
    pair.cancel(best);
    assert_eq!(pair.book.best(Buy), Some(PriceTicks(4_000)));
    let (_, outcome, _) = pair.place(&New::limit(2, Sell, 1, 4_500));
    assert!(outcome.rests, "nobody pays 4,500 any more");
}

#[test]
fn nobody_trades_zero() {
    let mut pair = Pair::new();
    pair.place(&New::limit(1, Sell, 5, 100));
    let poor = New { tick_lots: 99, remainder: Remainder::Expires, ..New::limit(2, Buy, 5, 100) };
    let (_, outcome, reports) = pair.place(&poor);
    assert_eq!((outcome.stop, outcome.traded_lots), (Stop::TickLots, QtyLots::ZERO));
    assert_eq!(reports, []);
    let (_, _, reports) = pair.place(&New::limit(2, Buy, 10, 100));
    assert!(trades(&reports).iter().all(|(_, _, qty)| *qty > 0));
}

#[test]
fn what_is_left_of_an_immediate_order_does_not_rest() {
    let mut pair = Pair::new();
    pair.place(&New::limit(1, Sell, 5, 100));
    let ioc = New { remainder: Remainder::Expires, ..New::limit(2, Buy, 9, 100) };
    let (id, outcome, _) = pair.place(&ioc);
    assert_eq!((outcome.traded_lots, outcome.rests), (QtyLots(5), false));
    assert!(pair.orders.find(id).is_none());
    assert_eq!(pair.book.best(Buy), None);
}

/// From now on its owner keeps something for an order, which is on no book.
fn keep(orders: &mut Orders, id: u64) -> OrderSlot {
    let whose = (OrderId(id), AccountId(1), TradeGroup::NONE);
    let order = || Order::new(whose, (MarketId(0), Buy, PriceTicks(100)), (QtyLots::ZERO, QtyLots::ZERO, 0));
    orders.keep(OrderId(id), order)
}

#[test]
fn what_is_kept_has_one_place_with_what_rests() {
    let mut pair = Pair::new();
    let (first, _, _) = pair.place(&New::limit(1, Buy, 5, 100));
    let slot = pair.orders.find(first).expect("it rests");
    assert_eq!(keep(&mut pair.orders, first.0), slot, "it rested before");
    let second = OrderId(first.0 + 1);
    let beside = keep(&mut pair.orders, second.0);
    assert_eq!((pair.orders.find(second), pair.orders.find_kept(second)), (None, Some(beside)));
    assert_eq!(pair.place(&New::limit(1, Buy, 5, 100)).0, second);
    assert_eq!(pair.orders.find(second), Some(beside), "it was kept before");

    pair.cancel(first);
    assert_eq!((pair.orders.find(first), pair.orders.find_kept(first)), (None, Some(slot)));
    pair.orders.let_go(slot);
    pair.orders.let_go(beside);
    assert_eq!((pair.orders.find_kept(first), pair.orders.find_kept(second)), (None, None));
    assert_eq!(pair.orders.find(second), Some(beside), "it rests all the same");
    // Whoever comes next takes the place that is free.
    assert_eq!(keep(&mut pair.orders, 70), slot);
    assert_eq!(pair.orders.find_kept(first), None, "somebody else is where its number leads");
}

#[test]
fn a_price_is_its_markets_while_an_order_rests() {
    let mut pair = Pair::new();
    let (id, _, _) = pair.place(&New::limit(1, Buy, 5, 100));
    let slot = keep(&mut pair.orders, id.0);
    pair.orders.set_price(slot, PriceTicks(90));
    assert_eq!(pair.orders[slot].price_ticks, PriceTicks(100));
    pair.cancel(id);
    pair.orders.set_price(slot, PriceTicks(90));
    assert_eq!(pair.orders[slot].price_ticks, PriceTicks(90));
}

#[test]
#[should_panic(expected = "given out once")]
fn a_live_number_is_never_used_again() {
    let mut orders = Orders::default();
    keep(&mut orders, 7);
    keep(&mut orders, 7);
}

/// A book that looks for the next level tick by tick, or through all levels, takes seconds for this.
#[test]
fn the_next_level_is_found_without_a_search_through_all_prices() {
    let mut book = orderbook::Book::new(model::MarketId(0));
    let mut orders = Orders::default();
    let mut reports = Vec::new();
    let far = model::MarketTerms::MAX_PRICE_TICKS.0;
    for id in 1..=20_000_u64 {
        let price = if id % 2 == 0 { 1 + id.cast_signed() } else { far - id.cast_signed() * 1_000_003 };
        let incoming = orderbook::Incoming {
            id: OrderId(id),
            account: model::AccountId(1),
            trade_group: model::TradeGroup::NONE,
            side: Sell,
            worst_ticks: PriceTicks(price),
            max_lots: QtyLots(1),
            max_tick_lots: orderbook::TickLots::MAX,
            remainder: Remainder::Rests,
            self_trade_prevention: model::SelfTradePrevention::None,
            slot: orderbook::OrderSlot::UNKNOWN,
            before: orderbook::Before::default(),
        };
        book.place(&mut orders, &incoming, &mut reports);
    }
    let mut sweep = 0;
    while let Some(best) = book.best(Sell) {
        assert!(best.0 > sweep, "best first");
        sweep = best.0;
        let front = book.queue(&orders, Sell).next().unwrap().id;
        let slot = orders.find(front).unwrap();
        book.cancel(&mut orders, slot, &mut reports);
    }
    assert_eq!(book.open_orders(), 0);
}
