//! Replays of recordings of a few rows: what is sent, what is left out because it was done already, what is found.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use exchange::Partition;
use model::{
    Command, OrderKind, PriceTicks, QtyLots, Reject, Seq, Sequenced, Side, TermsError, TimeInForce, TimeNs,
};
use simulator::l3::Recording;
use simulator::l3::observer::Observer;
use simulator::l3::replay::{Progress, Replayed, replay};
use simulator::l3::rows::RecordedTrade;
use simulator::l3::setup::ACCOUNTS;

use crate::written::recording;

fn recorded(
    trade: u64,
    buy_order: u64,
    sell_order: u64,
    price: i64,
    qty: i64,
    taker_side: Side,
) -> RecordedTrade {
    RecordedTrade {
        trade,
        exchange_ms: 2_000,
        price: PriceTicks(price),
        qty: QtyLots(qty),
        buy_order,
        sell_order,
        taker_side,
    }
}

fn play(lines: &str, trades: Vec<RecordedTrade>) -> (Recording, Replayed) {
    let recording = Recording::new(recording(lines), trades);
    let replayed = replay(&recording, &mut |_| {}).unwrap();
    (recording, replayed)
}

/// What is sent: the row, and the command in short.
fn sent(replayed: &Replayed) -> Vec<(u32, String)> {
    let short = |command: &Command| match command {
        Command::PlaceOrder(place) => match place.kind {
            OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Gtc } => {
                format!("limit {qty_lots} @ {price_ticks}")
            }
            OrderKind::LimitMaker { price_ticks, qty_lots } => format!("maker {qty_lots} @ {price_ticks}"),
            OrderKind::Market { qty_lots } => format!("market {qty_lots}"),
            other => panic!("{other:?} is not sent"),
        },
        Command::AmendOrder(amend) => format!("amend to {}", amend.new_qty_lots),
        Command::ReplaceOrder(replace) => format!("replace by {:?}", replace.place.kind.price_ticks()),
        Command::CancelOrder(_) => "cancel".to_owned(),
        other => panic!("{other:?} is not sent"),
    };
    replayed.plan.commands.iter().map(|planned| (planned.row, short(&planned.command))).collect()
}

fn lines(sent: &[(u32, &str)]) -> Vec<(u32, String)> {
    sent.iter().map(|&(row, command)| (row, command.to_owned())).collect()
}

/// A book of two; a buyer takes one of them and half of the other and keeps the rest on the book; a seller by market; an order
/// that is not let in; the rest is deleted.
const STORY: &str = "1 1000 100 50 listed ask
                     2 1000 101 40 listed ask
                     3 1000 90 10 listed bid
                     4 2000 100 60 created bid
                     4 2000 100 10 changed bid
                     1 2000 100 0 deleted ask
                     5 2001 102 70 created ask
                     5 2001 102 70 deleted ask
                     6 2002 0 13 created ask
                     6 2002 100 3 changed ask
                     4 2002 100 0 deleted bid
                     6 2002 90 0 deleted ask
                     3 2002 90 7 changed bid
                     7 2003 101 5 created bid
                     7 2003 101 5 deleted bid
                     3 2004 90 7 deleted bid
                     2 9000 101 40 standing ask";

fn story_trades() -> Vec<RecordedTrade> {
    vec![
        recorded(1, 4, 1, 100, 50, Side::Buy),
        recorded(2, 4, 6, 100, 10, Side::Sell),
        recorded(3, 3, 6, 90, 3, Side::Sell),
    ]
}

#[test]
fn what_our_matching_has_done_is_not_done_twice() {
    let (_, replayed) = play(STORY, story_trades());
    assert_eq!(
        sent(&replayed),
        lines(&[
            (1, "limit 50 @ 100"),
            (2, "limit 40 @ 101"),
            (3, "limit 10 @ 90"),
            (4, "limit 60 @ 100"),
            (7, "maker 70 @ 102"),
            (8, "cancel"),
            (9, "market 13"),
            (14, "maker 5 @ 101"),
            (16, "cancel"),
        ])
    );
    let report = &replayed.report;
    assert_eq!(
        report.left_out,
        [
            ("delete made up at the end of the recording", 1),
            ("change by a match that our matching had made", 3),
            ("delete after a match that our matching had made", 3),
            ("delete of an order that was refused here too", 1),
        ]
    );
    let findings = &report.findings;
    assert_eq!((findings.trades.agreed, findings.trades.ours), (3, 3));
    assert_eq!(findings.trades.differences, []);
    assert_eq!(findings.levels.differences, []);
    assert!(findings.levels.compared > 10);
    assert_eq!((findings.refused_as_recorded, findings.refused_otherwise.len()), (1, 0));
    assert_eq!(findings.open_at_end, 1);
}

#[test]
fn rows_tell_where_our_matching_went_another_way() {
    // The venue let order 3 pass by order 1, which our matching does not. Both books then differ until order 1 is deleted; the
    // rows of order 2 are followed as they come, until a match that is the same in both.
    let (_, replayed) = play(
        "1 2000 100 50 created ask
         2 2001 100 50 created ask
         3 2002 100 20 created bid
         3 2002 100 0 deleted bid
         2 2002 100 30 changed ask
         1 2003 100 50 deleted ask
         2 2004 100 25 changed ask
         4 2005 100 5 created bid
         2 2005 100 20 changed ask
         4 2005 100 0 deleted bid
         2 2006 100 0 changed ask",
        vec![recorded(1, 3, 2, 100, 20, Side::Buy), recorded(2, 4, 2, 100, 5, Side::Buy)],
    );
    assert_eq!(
        sent(&replayed),
        lines(&[
            (1, "limit 50 @ 100"),
            (2, "limit 50 @ 100"),
            (3, "limit 20 @ 100"),
            (5, "amend to 30"),
            (6, "cancel"),
            (7, "amend to 25"),
            (8, "limit 5 @ 100"),
            (11, "cancel"),
        ])
    );
    let findings = &replayed.report.findings;
    assert_eq!(findings.trades.agreed, 1);
    assert_eq!(
        findings.trades.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "missing: trade 1: 20 lots at 100, buyer's order 3, seller's order 2",
            "unrecorded: row 3: 20 lots at 100, buyer's order 3, seller's order 1",
        ]
    );
    assert_eq!(
        findings.levels.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["row 5: ask level 1: exchange 60 lots at 100, rows 80 lots at 100"]
    );
    assert!(!replayed.report.within_bounds());
}

#[test]
fn amends_count_what_has_traded() {
    let (_, replayed) = play(
        "1 2000 100 50 created ask
         2 2001 100 20 created bid
         1 2001 100 30 changed ask
         2 2001 100 0 deleted bid
         1 2002 100 10 changed ask
         1 2003 100 10 deleted ask",
        vec![recorded(1, 2, 1, 100, 20, Side::Buy)],
    );
    assert_eq!(
        sent(&replayed),
        lines(&[(1, "limit 50 @ 100"), (2, "limit 20 @ 100"), (5, "amend to 30"), (6, "cancel")])
    );
    assert_eq!(replayed.report.findings.refused_otherwise, []);
    assert_eq!(replayed.report.findings.levels.differences, []);
}

#[test]
fn replacements_go_to_the_end_of_the_queue() {
    let (_, replayed) = play(
        "1 2000 100 50 created ask
         2 2001 100 50 created ask
         1 2002 100 60 changed ask
         3 2003 100 50 created bid
         3 2003 100 0 deleted bid
         2 2003 100 0 deleted ask
         1 2004 105 60 changed ask
         4 2005 105 10 created bid
         1 2005 105 50 changed ask
         4 2005 105 0 deleted bid
         1 2006 105 50 deleted ask",
        vec![recorded(1, 3, 2, 100, 50, Side::Buy), recorded(2, 4, 1, 105, 10, Side::Buy)],
    );
    assert_eq!(
        sent(&replayed),
        lines(&[
            (1, "limit 50 @ 100"),
            (2, "limit 50 @ 100"),
            (3, "replace by Some(PriceTicks(100))"),
            (4, "limit 50 @ 100"),
            (7, "replace by Some(PriceTicks(105))"),
            (8, "limit 10 @ 105"),
            (11, "cancel"),
        ])
    );
    let findings = &replayed.report.findings;
    assert_eq!((findings.trades.agreed, findings.trades.differences.len()), (2, 0));
    assert_eq!(findings.levels.differences, []);
    assert_eq!(findings.refused_otherwise, []);
    assert_eq!(findings.open_at_end, 0);
}

#[test]
fn every_order_can_be_paid_for() {
    // Two thousand orders, two an account; none may be refused for want of money, though nothing is ever given back.
    let mut text = String::new();
    for order in 1..=2_000_u64 {
        let side = if order % 4 < 2 { "bid" } else { "ask" };
        let price = if side == "bid" { 1_000 + order % 7 } else { 2_000 + order % 5 };
        writeln!(text, "{order} {} {price} {} created {side}", 2_000 + order, order * 1_000_003).unwrap();
    }
    let (_, replayed) = play(&text, Vec::new());
    assert_eq!(replayed.report.sent.limit, 2_000);
    let accounts: BTreeSet<_> = replayed
        .plan
        .commands
        .iter()
        .map(|planned| match &planned.command {
            Command::PlaceOrder(place) => place.account,
            other => panic!("{other:?} is not sent"),
        })
        .collect();
    assert_eq!(accounts.len() as u64, ACCOUNTS);
    assert_eq!(replayed.report.findings.refused_otherwise, []);
    assert_eq!(replayed.report.findings.open_at_end, 2_000);
}

#[test]
fn plan_needs_no_more_decisions() {
    let (recording, replayed) = play(STORY, story_trades());
    // As behind a journal: other times, and the events heard long after their commands.
    let mut partition = Partition::default();
    let mut seq = Seq(0);
    let mut apply = |command: &Command| {
        seq = seq.next();
        let mut events = Vec::new();
        let input = Sequenced { seq, time_ns: TimeNs(7 * seq.0), command: command.clone() };
        partition.apply(&input, &mut events);
        events
    };
    for command in &replayed.plan.setup {
        apply(command);
    }
    let heard: Vec<_> =
        replayed.plan.commands.iter().map(|planned| (planned, apply(&planned.command))).collect();
    let mut observer = Observer::new(&recording.moments);
    for (planned, events) in &heard {
        observer.hear(planned, events);
    }
    assert_eq!(observer.finish(&recording.trades), replayed.report.findings);
}

#[test]
fn two_replays_are_the_same() {
    let (recording, first) = play(STORY, story_trades());
    let mut told = Vec::new();
    let second = replay(&recording, &mut |progress| told.push(progress)).unwrap();
    assert_eq!(first, second);
    let of = recording.flow.steps.len();
    assert_eq!(told, [Progress { done: 0, of }, Progress { done: of, of }]);
}

#[test]
fn flow_beyond_the_terms_of_a_market_is_refused() {
    let too_much = 1_i64 << 45;
    let recording = Recording::new(recording(&format!("1 2000 100 {too_much} created ask")), Vec::new());
    assert_eq!(replay(&recording, &mut |_| {}).unwrap_err(), Reject::BadTerms { rule: TermsError::MaxQty });
}
