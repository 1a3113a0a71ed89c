//! Random commands to both books. The prices are few, so that orders meet; some lie far away, so that levels come and go
//! all over the tree of leaves.

use model::{OrderId, PriceTicks, QtyLots, SelfTradePrevention, Side};
use orderbook::{Remainder, TickLots};
use proptest::prelude::*;

use crate::pair::{New, Pair};

#[derive(Clone, Debug)]
enum Step {
    Place(New),
    Cancel(u64),
    Reduce(u64, i64),
}

fn price() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 990_i64..1_010, 2 => 900_i64..1_100, 1 => 1_i64..100_000]
}

fn new_order() -> impl Strategy<Value = New> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let remainder = prop_oneof![6 => Just(Remainder::Rests), 1 => Just(Remainder::Expires), 1 => Just(Remainder::NoneAllowed)];
    let stp = prop_oneof![
        4 => Just(SelfTradePrevention::None),
        1 => Just(SelfTradePrevention::ExpireMaker),
        1 => Just(SelfTradePrevention::ExpireTaker),
        1 => Just(SelfTradePrevention::ExpireBoth),
        1 => Just(SelfTradePrevention::Decrement),
        1 => Just(SelfTradePrevention::Transfer),
    ];
    let tick_lots = prop_oneof![6 => Just(TickLots::MAX), 1 => 0_i128..100_000];
    (1_u64..6, 0_u32..3, side, price(), 1_i64..50, tick_lots, remainder, stp).prop_map(
        |(account, group, side, price, qty, tick_lots, remainder, stp)| {
            // What rests pays with what its price says; only orders that never rest come with another bound.
            let tick_lots = if remainder == Remainder::Expires { tick_lots } else { TickLots::MAX };
            New { account, group, side, price, qty, tick_lots, remainder, stp }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => new_order().prop_map(Step::Place),
        3 => (1_u64..300).prop_map(Step::Cancel),
        1 => (1_u64..300, 1_i64..20).prop_map(|(id, by)| Step::Reduce(id, by)),
    ]
}

fn play(steps: &[Step]) {
    let mut pair = Pair::new();
    for step in steps {
        match step {
            Step::Place(new) => {
                pair.place(new);
            }
            Step::Cancel(id) => {
                pair.cancel(OrderId(*id));
            }
            Step::Reduce(id, by) => {
                pair.reduce(OrderId(*id), *by);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn fast_and_naive_book_agree(steps in proptest::collection::vec(step(), 1..300)) {
        play(&steps);
    }
}

/// Long queues at two prices, of which orders leave at the front, in the middle and at the back.
fn step_of_a_queue() -> impl Strategy<Value = Step> {
    let order = |side, price, qty| New::limit(1, side, qty, price);
    prop_oneof![
        4 => (1_000_i64..1_002, 1_i64..5).prop_map(move |(price, qty)| Step::Place(order(Side::Sell, price, qty))),
        1 => (1_i64..9).prop_map(move |qty| Step::Place(order(Side::Buy, 1_000, qty))),
        4 => (1_u64..60).prop_map(Step::Cancel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn fast_and_naive_queues_agree(steps in proptest::collection::vec(step_of_a_queue(), 1..120)) {
        play(&steps);
    }
}

/// Four levels of twenty orders of a lot each.
#[test]
fn no_more_are_told_of_than_are_asked_for() {
    let mut pair = Pair::new();
    for price in (1..=4).flat_map(|price| [price; 20]) {
        pair.place(&New::limit(1, Side::Sell, 1, price));
    }
    let told = |wanted, worst: Option<i64>, most| {
        let mut told = Vec::new();
        let wanted = (QtyLots(wanted), worst.map(PriceTicks));
        let orders = &pair.orders;
        pair.book.makers(orders, Side::Sell, wanted, most, |slot| told.push(orders[slot].id.0));
        assert!(told.iter().copied().eq(1..=told.len() as u64), "{told:?} are the first ones");
        told.len()
    };
    assert_eq!([told(30, None, 64), told(100, None, 200), told(100, Some(2), 200)], [30, 80, 40]);
    assert_eq!(told(30, None, 16), 8, "eight of each level were asked for");
    assert_eq!(told(30, None, 0), 0);
}
