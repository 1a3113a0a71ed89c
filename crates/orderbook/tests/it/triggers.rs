//! Random orders that wait and random prices that come by, to the quick list and to the obvious one.

use model::{
    AccountId, Amount, OrderId, OrderKind, PlaceMessage, PriceTicks, QtyLots, SelfTradePrevention, Side,
    TradeGroup, TriggerKind,
};
use orderbook::naive::NaiveTriggers;
use orderbook::{Touched, Triggers};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Add {
        side: Side,
        trigger: TriggerKind,
        stop: i64,
        bips: u16,
    },
    /// One of those that wait, or somebody unknown.
    Remove(usize),
    See(i64),
    /// The same, a few orders at a time.
    SeeInParts(i64, usize),
    /// From now on with what a snapshot would give back.
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let trigger = prop_oneof![Just(TriggerKind::StopLoss), Just(TriggerKind::TakeProfit)];
    // No distance, near ones that are shared, and one that is never reached.
    let bips = prop_oneof![2 => Just(0_u16), 3 => Just(50_u16), 2 => Just(100_u16), 1 => Just(101_u16), 1 => Just(9_999_u16)];
    let stop = prop_oneof![1 => Just(0_i64), 2 => 960_i64..1_040];
    prop_oneof![
        4 => (side, trigger, stop, bips).prop_map(|(side, trigger, stop, bips)| Step::Add { side, trigger, stop, bips }),
        2 => (0_usize..200).prop_map(Step::Remove),
        6 => (970_i64..1_030).prop_map(Step::See),
        2 => (970_i64..1_030, 1_usize..4).prop_map(|(price, most)| Step::SeeInParts(price, most)),
        1 => Just(Step::Again),
    ]
}

fn waits(order: u64, side: Side, trigger: TriggerKind, stop: i64, trailing_bips: u16) -> PlaceMessage {
    PlaceMessage {
        order: OrderId(order),
        account: AccountId(order % 5),
        trade_group: TradeGroup::NONE,
        side,
        kind: OrderKind::StopMarket {
            qty_lots: QtyLots(1),
            trigger,
            stop_ticks: PriceTicks(stop),
            trailing_bips,
        },
        self_trade_prevention: SelfTradePrevention::None,
        held: Amount(1),
    }
}

/// The same, as a snapshot would give it back.
fn restored(triggers: &Triggers) -> Triggers {
    let mut restored = Triggers::default();
    for waiting in &triggers.list() {
        restored.insert(waiting);
    }
    restored
}

#[test]
fn nobody_waits_at_the_price_of_who_has_left() {
    let mut triggers = Triggers::default();
    for (order, side, stop) in
        [(1, Side::Buy, 1_010), (2, Side::Buy, 1_020), (3, Side::Sell, 990), (4, Side::Sell, 980)]
    {
        triggers.add(waits(order, side, TriggerKind::StopLoss, stop, 0), None);
    }
    let touched = |triggers: &Triggers| {
        [980, 990, 1_010, 1_020].map(|price| triggers.are_touched_by(PriceTicks(price)))
    };
    assert_eq!(touched(&triggers), [true; 4]);
    triggers.remove(OrderId(1));
    triggers.remove(OrderId(3));
    assert_eq!(touched(&triggers), [true, false, false, true], "the next ones are the nearest now");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn quick_and_naive_triggers_agree(steps in proptest::collection::vec(step(), 1..200)) {
        let (mut ours, mut theirs) = (Triggers::default(), NaiveTriggers::default());
        let (mut last, mut next) = (None, 1);
        for step in &steps {
            match *step {
                Step::Add { side, trigger, stop, bips } => {
                    let place = waits(next, side, trigger, stop, bips);
                    let asks = place.kind.trigger().unwrap();
                    let nothing = asks.stop_ticks.is_none() && asks.trailing_bips.is_none();
                    if nothing || last.is_some_and(|last| asks.is_reached(side, last)) {
                        continue;
                    }
                    ours.add(place, last);
                    theirs.add(place, last);
                    next += 1;
                }
                Step::Remove(which) => {
                    let waiting: Vec<_> = ours.iter().map(|place| place.order).collect();
                    let order = waiting.get(which % (waiting.len() + 1)).copied().unwrap_or(OrderId(next));
                    let found = ours.find(order).copied();
                    prop_assert_eq!(ours.remove(order), found);
                    prop_assert_eq!(theirs.remove(order), found);
                }
                Step::See(price) => {
                    let price = PriceTicks(price);
                    last = Some(price);
                    let expected = theirs.see(price);
                    let touched = if ours.are_touched_by(price) { ours.see(price) } else { Vec::new() };
                    prop_assert_eq!(touched, expected, "at {}", price);
                }
                Step::SeeInParts(price, most) => {
                    let price = PriceTicks(price);
                    last = Some(price);
                    let mut touched = Vec::new();
                    // Who has started again from a snapshot does the same, part for part.
                    let mut restored = restored(&ours);
                    while ours.are_touched_by(price) {
                        let part = ours.see_some(price, most);
                        prop_assert!(part.len() <= most);
                        prop_assert!(restored.are_touched_by(price));
                        prop_assert_eq!(restored.see_some(price, most), part.clone());
                        touched.extend(part);
                    }
                    prop_assert!(!restored.are_touched_by(price));
                    let mut expected = theirs.see(price);
                    touched.sort_by_key(Touched::order);
                    expected.sort_by_key(Touched::order);
                    prop_assert_eq!(touched, expected, "at {}", price);
                }
                Step::Again => {
                    let list = ours.list();
                    ours = restored(&ours);
                    prop_assert_eq!(ours.list(), list);
                }
            }
        }
        prop_assert_eq!(ours.len(), ours.list().len());
    }
}
