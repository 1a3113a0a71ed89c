//! Random commands. [`World::apply`] looks at everything after every one of them (invariants, bytes, the witness's account of
//! money and queues, rejects that change nothing); here it is only driven, and runs are compared with each other.

use std::collections::BTreeMap;

use exchange::Partition;
use model::{Command, Event, Seq, Sequenced};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::random::plan;
use crate::witness::Witness;
use crate::world::World;

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_and_every_run_is_the_same(plan in plan(160)) {
        let mut watched = World::default();
        let mut inputs = Vec::new();
        let mut events = Vec::new();
        for step in &plan.steps {
            watched.time_ns = step.time_ns;
            let command = step.aimed(&watched.witness.open_orders());
            events.push(watched.apply(command.clone()));
            inputs.push(Sequenced { seq: watched.seq, time_ns: step.time_ns, command });
        }
        for restart_after in [None, Some(plan.restart_after)] {
            let (again, same_events) = run(&inputs, restart_after);
            prop_assert!(same_events == events, "the same events, also from a snapshot on: {restart_after:?}");
            prop_assert!(again.snapshot() == watched.partition.snapshot(), "and the same state: {restart_after:?}");
            prop_assert_eq!(again.state_hash(), watched.partition.state_hash());
        }
        let (looked_at, same_events) = run_together(&inputs);
        prop_assert!(same_events == events, "the same events where commands are looked at before they are applied");
        prop_assert_eq!(looked_at.state_hash(), watched.partition.state_hash());
    }
}

/// The same commands all at once, as a sequencer applies a batch.
fn run_together(inputs: &[Sequenced<Command>]) -> (Partition, Vec<Vec<Event>>) {
    let mut partition = Partition::default();
    let (mut events, mut all) = (Vec::new(), Vec::new());
    let mut told = 0;
    partition.apply_all(inputs, &mut events, |_, so_far| {
        all.push(so_far[told..].to_vec());
        told = so_far.len();
    });
    (partition, all)
}

/// The same commands without anybody watching.
fn run(inputs: &[Sequenced<Command>], restart_after: Option<usize>) -> (Partition, Vec<Vec<Event>>) {
    let mut partition = Partition::default();
    let mut all = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        if restart_after == Some(at) {
            partition = Partition::restore(&partition.snapshot()).expect("a snapshot can be read");
        }
        let mut events = Vec::new();
        partition.apply(input, &mut events);
        all.push(events);
    }
    (partition, all)
}

/// What no plan reached was not tested by the property above either: all events, all ways to end and all rejects come up.
#[test]
fn random_plans_reach_everything() {
    let mut runner = TestRunner::deterministic();
    let strategy = plan(300);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..100 {
        let plan = strategy.new_tree(&mut runner).unwrap().current();
        let (mut partition, mut witness) = (Partition::default(), Witness::default());
        for (seq, step) in (1..).map(Seq).zip(&plan.steps) {
            let command = step.aimed(&witness.open_orders());
            let mut events = Vec::new();
            partition.apply(&Sequenced { seq, time_ns: step.time_ns, command }, &mut events);
            witness.see(&events);
            for event in &events {
                *seen.entry(kind(event)).or_default() += 1;
                match event {
                    Event::Rejected { reject, .. } => *seen.entry(kind(reject)).or_default() += 1,
                    Event::OrderEnded(ended) => *seen.entry(format!("{:?}", ended.reason)).or_default() += 1,
                    _ => {}
                }
            }
        }
    }
    println!("{seen:#?}");
    let missing: Vec<_> = EVERYTHING.iter().filter(|kind| !seen.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
    let unknown: Vec<_> = seen.keys().filter(|kind| !EVERYTHING.contains(&kind.as_str())).collect();
    assert!(unknown.is_empty(), "list what is new: {unknown:?}");
}

/// The name of a variant.
fn kind(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().into()
}

/// All but `OrderGone`, which is only seen between partitions, and `TooManyAlgoOrders`, which no plan is patient enough for: it is
/// in a story.
const EVERYTHING: &[&str] = &[
    "AccountCreated",
    "AmendChangesNothing",
    "AmendIncreases",
    "AmountNotPositive",
    "ApiKeyAdded",
    "ApiKeyChanged",
    "ApiKeyCreated",
    "ApiKeyResealed",
    "ApiKeyRevoked",
    "AssetAdded",
    "BadIpRange",
    "BadSealedSecret",
    "BadTerms",
    "BookFull",
    "CancelRestricted",
    "Canceled",
    "DepositLimit",
    "Deposited",
    "DuplicateClientOrderId",
    "DuplicateReference",
    "Expired(ExchangeCanceled)",
    "Expired(InsufficientLiquidity)",
    "Expired(PriceRangeExceeded)",
    "Expired(UnfilledFok)",
    "Expired(UnfilledIoc)",
    "ExpiredInMatch",
    "Filled",
    "InsufficientBalance",
    "LevelChanged",
    "MarketAdded",
    "MarketClosed",
    "NameMissing",
    "NameTaken",
    "NoLiquidity",
    "NotionalOutOfRange",
    "OrderAccepted",
    "OrderAmended",
    "OrderEnded",
    "OrderFilled",
    "OrderPrevented",
    "OrderTracks",
    "OrderTriggered",
    "PriceOutOfRange",
    "QtyOutOfRange",
    "ReferenceMissing",
    "Rejected",
    "ReplaceNotAttempted",
    "ScaleTooLarge",
    "Skipped",
    "TermsAreFixed",
    "TooLate",
    "TooManyAmends",
    "TooManyIpRanges",
    "TooManyOpenOrders",
    "Traded",
    "TrailingDeltaOutOfRange",
    "TriggerMissing",
    "UnknownAccount",
    "UnknownApiKey",
    "UnknownAsset",
    "UnknownMarket",
    "UnknownOrder",
    "UnknownWithdrawal",
    "WithdrawalRequested",
    "WithdrawalSettled",
    "WouldTake",
    "WouldTrigger",
];
