//! Each rule on a recording of a few rows, written for it. The real recording is checked by the example `l3_proof`, since it
//! is no part of this project.

use model::{PriceTicks, QtyLots, Side};
use simulator::l3::naive::{Diagnosis, Tally};
use simulator::l3::reference::{Levels, moments};
use simulator::l3::rows::Row;
use simulator::l3::rules::{Action, Entry, LeftOut, Step, steps};
use simulator::l3::traps::Traps;

use crate::written::recording;

fn limit(price: i64, qty: i64) -> Action {
    Action::Place { entry: Entry::Limit(PriceTicks(price)), qty: QtyLots(qty) }
}

fn post_only(price: i64, qty: i64) -> Action {
    Action::Place { entry: Entry::PostOnly(PriceTicks(price)), qty: QtyLots(qty) }
}

fn market(qty: i64) -> Action {
    Action::Place { entry: Entry::Market, qty: QtyLots(qty) }
}

fn amend(open: i64) -> Action {
    Action::Amend { open: QtyLots(open) }
}

type Actions = Vec<(u64, Action)>;
type Reasons = Vec<(LeftOut, u32)>;

/// The order and action of each step, and the reasons for the rest.
fn actions(rows: &[Row]) -> (Actions, Reasons) {
    let flow = steps(rows);
    let left_out: u32 = flow.left_out.values().sum();
    assert_eq!(flow.steps.len() + left_out as usize, rows.len(), "every row is a step or has a reason");
    (flow.steps.iter().map(|step| (step.order, step.action)).collect(), flow.left_out.into_iter().collect())
}

#[test]
fn created_changed_deleted_become_place_amend_cancel() {
    let rows = recording(
        "1 2000 100 50 created bid
         1 2001 100 30 changed bid
         1 2002 100 30 deleted bid",
    );
    assert_eq!(actions(&rows).0, [(1, limit(100, 50)), (1, amend(30)), (1, Action::Cancel)]);
    assert_eq!(
        steps(&rows).steps[1],
        Step { row: 2, time_ms: 2001, order: 1, side: Side::Buy, action: amend(30) }
    );
}

#[test]
fn more_or_another_price_is_a_replacement() {
    let rows = recording(
        "1 2000 100 50 created ask
         1 2001 100 60 changed ask
         1 2002 101 60 changed ask
         1 2003 101 60 changed ask
         1 2004 101 10 changed ask",
    );
    let replace = |price, open| Action::Replace { price: PriceTicks(price), open: QtyLots(open) };
    assert_eq!(
        actions(&rows),
        (
            vec![(1, limit(100, 50)), (1, replace(100, 60)), (1, replace(101, 60)), (1, amend(10))],
            vec![(LeftOut::NothingNew, 1)]
        )
    );
}

#[test]
fn price_of_a_trade_does_not_move_the_order() {
    // The arriving order's rows carry the price of each match; a delete carries any price at all.
    let rows = recording(
        "1 2000 100 50 created ask
         2 3000 105 80 created bid
         2 3000 100 30 changed bid
         1 3000 100 0 deleted ask
         2 4000 111 30 deleted bid",
    );
    assert_eq!(
        actions(&rows).0,
        [(1, limit(100, 50)), (2, limit(105, 80)), (2, amend(30)), (1, Action::Cancel), (2, Action::Cancel)]
    );
}

#[test]
fn gone_in_the_same_millisecond_untouched_may_only_rest() {
    let rows = recording(
        "1 2000 100 50 created ask
         2 3000 100 80 created bid
         2 3000 100 80 deleted bid
         3 3001 100 80 created bid
         3 3002 100 80 deleted bid
         4 3003 100 80 created bid
         4 3003 100 60 changed bid
         4 3003 100 60 deleted bid
         5 3004 100 80 created bid
         5 3004 100 70 deleted bid",
    );
    let placed: Vec<_> =
        actions(&rows).0.into_iter().filter(|(_, action)| matches!(action, Action::Place { .. })).collect();
    assert_eq!(
        placed,
        [
            (1, limit(100, 50)),
            (2, post_only(100, 80)),
            (3, limit(100, 80)),
            (4, limit(100, 80)),
            (5, limit(100, 80))
        ]
    );
}

#[test]
fn market_orders_have_prices_of_no_limit() {
    // Order 3 sells 40 at the market; order 4 buys by amount: what it bought is what orders 2 and 6 lost in its millisecond,
    // and neither what order 1 loses then nor what order 2 loses later. Order 7 bought nothing in its millisecond.
    let rows = recording(
        "1 1000 100 50 listed bid
         2 1000 110 50 listed ask
         6 1000 111 9 listed ask
         9 1000 0 77 listed bid
         3 2000 0 40 created ask
         3 2000 100 0 deleted ask
         1 2000 100 10 changed bid
         4 3000 999999999 0 created bid
         4 3000 110 0 changed bid
         2 3000 110 20 changed ask
         6 3000 111 0 deleted ask
         5 3000 100 7 created bid
         1 3000 100 4 changed bid
         4 3000 111 1 deleted bid
         2 3000 110 15 changed ask
         7 4000 999999999 0 created bid
         2 4001 110 10 changed ask
         7 4001 110 0 deleted bid
         9 9000 0 77 standing bid",
    );
    let (steps, left_out) = actions(&rows);
    let placed: Vec<_> =
        steps.into_iter().filter(|(_, action)| matches!(action, Action::Place { .. })).collect();
    assert_eq!(
        placed,
        [
            (1, limit(100, 50)),
            (2, limit(110, 50)),
            (6, limit(111, 9)),
            (3, market(40)),
            (4, market(39)),
            (5, limit(100, 7))
        ]
    );
    assert_eq!(
        left_out,
        [
            (LeftOut::MadeUpDelete, 1),
            (LeftOut::NoPrice, 1),
            (LeftOut::NoQuantity, 1),
            (LeftOut::OrderLeftOut, 1)
        ]
    );
}

#[test]
fn rows_without_a_create_and_second_creates_are_left_out() {
    let rows = recording(
        "1 2000 100 50 deleted ask
         2 2001 100 50 changed ask
         3 2002 100 50 created ask
         3 2003 101 50 created ask
         4 2004 0 50 created bid
         4 2005 0 50 deleted bid
         5 2006 100 0 created bid",
    );
    assert_eq!(
        actions(&rows),
        (
            vec![(3, limit(100, 50))],
            vec![
                (LeftOut::DeleteWithoutCreate, 1),
                (LeftOut::ChangeWithoutCreate, 1),
                (LeftOut::NoPrice, 1),
                (LeftOut::NoQuantity, 1),
                (LeftOut::CreatedTwice, 1),
                (LeftOut::OrderLeftOut, 1)
            ]
        )
    );
}

/// The list has asks 10 and 11, which no live row speaks of. Bid 20 comes to rest at the price of the first, so that one had
/// gone before. Bid 21 goes through the second, but is not let in, so it says nothing about it.
const STALE: &str = "10 1000 100 5 listed ask
                     11 1000 102 5 listed ask
                     12 1000 103 5 listed ask
                     13 1000 90 5 listed bid
                     20 2000 100 7 created bid
                     21 2001 104 7 created bid
                     21 2001 104 7 deleted bid
                     12 2002 103 5 deleted ask
                     22 2003 101 9 created ask
                     22 2004 101 9 deleted ask
                     10 9000 100 5 standing ask
                     11 9000 102 5 standing ask
                     13 9000 90 5 standing bid
                     20 9000 100 7 standing bid";

#[test]
fn listed_orders_that_had_gone_are_left_out() {
    let rows = recording(STALE);
    let flow = steps(&rows);
    assert_eq!(flow.stale, [10]);
    assert_eq!(flow.left_out[&LeftOut::StaleWhenRecorded], 1);
    assert_eq!(flow.left_out[&LeftOut::MadeUpDelete], 4);
    assert_eq!((flow.span.made_up_creates, flow.span.live, flow.span.made_up_deletes), (4, 6, 4));
}

#[test]
fn reference_finds_out_by_itself_what_had_gone() {
    let rows = recording(STALE);
    let level = |price, lots| (PriceTicks(price), QtyLots(lots));
    let looks = moments(&rows, 5, 10, 1_000, 2);
    assert_eq!(
        looks.iter().map(|look| look.row).collect::<Vec<_>>(),
        [5, 7, 8, 9, 10],
        "row 6 is not settled: row 7 belongs to the same millisecond"
    );
    let bids = vec![level(100, 7), level(90, 5)];
    assert_eq!(
        looks[0].levels,
        Levels { bids: bids.clone(), asks: vec![level(102, 5), level(103, 5)] },
        "order 10 was never there"
    );
    assert_eq!(looks[3].levels, Levels { bids, asks: vec![level(101, 9), level(102, 5)] });
}

#[test]
fn reference_takes_open_quantities_and_prices_of_creates() {
    let rows = recording(
        "1 1000 100 5 listed bid
         6 1000 95 2 listed bid
         2 2000 110 8 created ask
         3 2001 110 4 created ask
         4 2002 0 6 created ask
         5 2003 105 9 created bid
         2 2004 99 3 changed ask
         1 2005 100 0 changed bid
         9 9000 110 4 standing ask",
    );
    let look = moments(&rows, 3, 8, 1, 10).pop().unwrap();
    assert_eq!(
        (look.row, look.levels),
        (
            8,
            Levels {
                bids: vec![(PriceTicks(105), QtyLots(9)), (PriceTicks(95), QtyLots(2))],
                asks: vec![(PriceTicks(110), QtyLots(7))]
            }
        )
    );
}

#[test]
fn naive_book_is_crossed_for_reasons_that_can_be_taken_away() {
    let rows = recording(STALE);
    let diagnosis = Diagnosis::of(&rows, &steps(&rows));
    // From row 5 on order 10 locks the book; while order 21 is told of, it crosses it too.
    assert_eq!(diagnosis.everything, Tally { crossed: 1, locked: 5, apart: 0 });
    assert_eq!(diagnosis.without_stale, Tally { crossed: 1, locked: 0, apart: 5 });
    assert_eq!(diagnosis.without_refused, Tally { crossed: 0, locked: 0, apart: 6 });
    assert_eq!(diagnosis.without_stale_when_settled, Tally { crossed: 0, locked: 0, apart: 5 });
}

#[test]
fn traps_are_counted_over_all_rows() {
    let rows = recording(
        "1 1000 100 5 listed bid
         2 1000 0 5 listed bid
         3 2000 110 8 created ask
         3 2001 111 4 changed ask
         3 2001 112 0 deleted ask
         4 2002 999999999 0 created bid
         5 2003 100 5 deleted bid
         1 9000 100 5 standing bid
         2 9000 0 5 standing bid",
    );
    assert_eq!(
        Traps::count(&rows),
        Traps {
            rows: 9,
            made_up_creates: 2,
            made_up_deletes: 2,
            deletes_without_create: 1,
            prices_of_no_limit: 3,
            quantities_zero: 2,
            prices_moved: 2,
            prices_moved_in_changes: 1,
        }
    );
}
