//! Differences between recording and matching are found, named by their kind, and counted against the bounds.

use model::{PriceTicks, QtyLots, Side};
use simulator::l3::compare::{LevelComparison, OurTrade, TradeDifference, trades};
use simulator::l3::reference::Levels;
use simulator::l3::rows::RecordedTrade;

fn recorded(trade: u64, buy_order: u64, sell_order: u64, price: i64, qty: i64) -> RecordedTrade {
    RecordedTrade {
        trade,
        exchange_ms: 1_000,
        price: PriceTicks(price),
        qty: QtyLots(qty),
        buy_order,
        sell_order,
        taker_side: Side::Buy,
    }
}

fn ours(row: u32, buy_order: u64, sell_order: u64, price: i64, qty: i64) -> OurTrade {
    OurTrade {
        row,
        price: PriceTicks(price),
        qty: QtyLots(qty),
        buy_order,
        sell_order,
        taker_side: Side::Buy,
    }
}

#[test]
fn each_trade_agrees_once_or_is_a_difference_of_its_kind() {
    let told = [
        recorded(1, 20, 10, 100, 5),
        recorded(2, 20, 10, 100, 5),
        recorded(3, 20, 11, 101, 5),
        recorded(4, 20, 12, 102, 5),
    ];
    let made = [ours(7, 20, 10, 100, 5), ours(7, 20, 12, 102, 4), ours(8, 21, 11, 101, 5)];
    let comparison = trades(&told, &made);
    assert_eq!((comparison.recorded, comparison.ours, comparison.agreed), (4, 3, 1));
    assert_eq!(
        comparison.differences,
        [
            TradeDifference::Missing(told[1]),
            TradeDifference::Missing(told[2]),
            TradeDifference::Otherwise(told[3], made[1]),
            TradeDifference::Unrecorded(made[2]),
        ]
    );
    assert_eq!(
        comparison.differences[2].to_string(),
        "otherwise: trade 4: 5 lots at 102, by row 7 4 lots at 102, buyer's order 20, seller's order 12"
    );
}

#[test]
fn who_arrived_is_part_of_a_trade() {
    let mut other_way = ours(7, 20, 10, 100, 5);
    other_way.taker_side = Side::Sell;
    assert_eq!(trades(&[recorded(1, 20, 10, 100, 5)], &[other_way]).agreed, 0);
}

#[test]
fn bounds_are_256_of_284_trades() {
    let told: Vec<_> = (0..284).map(|at| recorded(at, at, 1_000 + at, 100, 5)).collect();
    let made: Vec<_> = (0..284).map(|at| ours(7, at, 1_000 + at, 100, 5)).collect();
    assert!(trades(&told, &made[..256]).within_bounds());
    assert!(!trades(&told, &made[..255]).within_bounds());
}

#[test]
fn levels_are_compared_rank_by_rank() {
    let level = |price, lots| (PriceTicks(price), QtyLots(lots));
    let ours = Levels { bids: vec![level(100, 5), level(99, 5)], asks: vec![level(101, 5)] };
    let reference = Levels { bids: vec![level(100, 5)], asks: vec![level(101, 6)] };
    let mut comparison = LevelComparison::default();
    comparison.add(7, &ours, &reference);
    assert_eq!((comparison.moments, comparison.compared), (1, 3));
    assert_eq!(
        comparison.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "row 7: bid level 2: exchange 5 lots at 99, rows nothing",
            "row 7: ask level 1: exchange 5 lots at 101, rows 6 lots at 101"
        ]
    );
    assert!(!comparison.within_bounds());
}

#[test]
fn bounds_are_twenty_moments_and_one_level_in_twenty() {
    let level = |lots| Levels { bids: vec![(PriceTicks(100), QtyLots(lots))], asks: Vec::new() };
    let mut comparison = LevelComparison::default();
    for row in 0..19 {
        comparison.add(row, &level(5), &level(5));
    }
    assert!(!comparison.within_bounds(), "nineteen moments prove too little");
    comparison.add(19, &level(5), &level(6));
    assert!(comparison.within_bounds(), "1 of 20");
    for row in 20..38 {
        comparison.add(row, &level(5), &level(5));
    }
    comparison.add(38, &level(5), &level(6));
    assert!(!comparison.within_bounds(), "2 of 39");
    comparison.add(39, &level(5), &level(5));
    assert!(comparison.within_bounds(), "2 of 40");
}
