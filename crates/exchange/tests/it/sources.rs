//! Sources of commands: what they hand in twice is done once, whatever came of it the first time.

use exchange::Partition;
use model::{
    CancelAlgoAt, Command, EntryId, Event, FromSource, MarketId, OrderCommand, PartitionId, RegisterSource,
    Reject, Seq, Sequenced, SourceId, SourceName, SourceTerms, TimeNs,
};
use proptest::prelude::*;

use crate::golden;
use crate::random::plan;
use crate::witness::Witness;

const SOURCE: SourceId = SourceId(0);

fn terms(name: &str) -> SourceTerms {
    let (name, key) = (SourceName::new(name).unwrap(), "{rialto}:orders".parse().unwrap());
    SourceTerms { name, key, incarnation: 1 }
}

/// Registers the source of that name, of whose entries so many are remembered.
pub fn register(partition: PartitionId, name: &str, remember: u32) -> Command {
    Command::RegisterSource(Box::new(RegisterSource { partition, terms: terms(name), remember }))
}

/// The same command as an entry of the first source; `None` of those that no source may hand in.
pub fn from_source(entry: u128, command: &Command) -> Option<Command> {
    let order = match command.clone() {
        Command::PlaceOrder(place) => OrderCommand::Place(place),
        Command::CancelOrder(cancel) => OrderCommand::Cancel(cancel),
        Command::CancelAllOrders(cancel) => OrderCommand::CancelAll(cancel),
        Command::ReplaceOrder(replace) => OrderCommand::Replace(*replace),
        Command::AmendOrder(amend) => OrderCommand::Amend(amend),
        Command::PlaceContractOrder(place) => OrderCommand::PlaceContract(place),
        Command::PlaceGoodTillDate(place) => OrderCommand::PlaceGoodTillDate(*place),
        Command::ModifyContractOrder(modify) => OrderCommand::Modify(modify),
        Command::PlaceAlgoOrder(place) => OrderCommand::PlaceAlgo(*place),
        Command::CancelAllAlgoOrders(cancel) => OrderCommand::CancelAllAlgos(cancel),
        _ => return None,
    };
    Some(Command::FromSource(Box::new(FromSource { source: SOURCE, entry: EntryId(entry), order })))
}

fn taken(number: u128, entry: &Command) -> Event {
    let Command::FromSource(from) = entry else { panic!("it comes of a source: {entry:?}") };
    let (account, market) = (from.order.account(), from.order.market());
    Event::EntryTaken { source: SOURCE, entry: EntryId(number), action: from.order.action(), account, market }
}

fn apply(partition: &mut Partition, time_ns: TimeNs, command: Command) -> Vec<Event> {
    let mut events = Vec::new();
    partition.apply(&Sequenced { seq: partition.seq().next(), time_ns, command }, &mut events);
    partition.assert_invariants();
    events
}

/// What a source asks for is done as if there were no source, and done once: every entry comes again, at once and later.
fn is_done_once(plan: &crate::random::Plan) -> Result<(), TestCaseError> {
    let (mut direct, mut sourced, mut witness) =
        (Partition::default(), Partition::default(), Witness::default());
    apply(&mut sourced, TimeNs(0), register(PartitionId::FIRST, "orders", 8));
    let mut entries: Vec<Command> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let command = step.aimed(&witness.open_orders());
        let events = apply(&mut direct, step.time_ns, command.clone());
        witness.see(&events);
        if at == plan.restart_after {
            let bytes = sourced.snapshot();
            sourced = Partition::restore(&bytes).expect("a snapshot can be read");
            prop_assert!(sourced.snapshot() == bytes);
        }
        let number = u128::try_from(entries.len()).unwrap() + 1;
        let Some(entry) = from_source(number, &command) else {
            prop_assert_eq!(apply(&mut sourced, step.time_ns, command), events);
            continue;
        };
        let mut told = apply(&mut sourced, step.time_ns, entry.clone());
        prop_assert_eq!(told.remove(0), taken(number, &entry));
        prop_assert_eq!(told, events);
        entries.push(entry);
        for (number, again) in (1..=number).rev().zip(entries.iter().rev()).take(8) {
            let repeated = Event::EntryRepeated { source: SOURCE, entry: EntryId(number) };
            prop_assert_eq!(apply(&mut sourced, step.time_ns, again.clone()), [repeated]);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_a_source_hands_in_twice_is_done_once(plan in plan(160)) {
        is_done_once(&plan)?;
    }
}

/// The same at contracts, with all kinds of orders that there are; of one that waits the entry says where.
#[test]
fn what_a_source_hands_in_at_contracts_is_done_once() {
    let mut actions = std::collections::BTreeSet::new();
    for version in ["v6", "v7", "v8"] {
        let (mut direct, mut sourced) = (Partition::default(), Partition::default());
        let (mut number, mut is_registered) = (0, false);
        for (time_ns, command) in golden::journal(version) {
            if !std::mem::replace(&mut is_registered, true) {
                apply(&mut sourced, time_ns, register(PartitionId::FIRST, "orders", 8));
            }
            let events = apply(&mut direct, time_ns, command.clone());
            let entry = match &command {
                Command::CancelAlgoOrder(cancel) => {
                    let at = |market| {
                        let order = OrderCommand::CancelAlgo(CancelAlgoAt { market, cancel: cancel.clone() });
                        let entry = EntryId(number + 1);
                        Command::FromSource(Box::new(FromSource { source: SOURCE, entry, order }))
                    };
                    let algo = events.iter().find_map(|event| match event {
                        Event::AlgoOrderEnded(ended) => Some(ended.market),
                        _ => None,
                    });
                    let market = algo.expect("it waits");
                    let told = apply(&mut sourced, time_ns, at(MarketId(market.0 - 1)));
                    let reject = Reject::UnknownOrder;
                    assert_eq!(
                        told[1],
                        Event::Rejected { account: cancel.account, reject },
                        "it waits elsewhere"
                    );
                    number += 1;
                    let order = OrderCommand::CancelAlgo(CancelAlgoAt { market, cancel: cancel.clone() });
                    let from = FromSource { source: SOURCE, entry: EntryId(number + 1), order };
                    Some(Command::FromSource(Box::new(from)))
                }
                command => from_source(number + 1, command),
            };
            let Some(entry) = entry else {
                assert_eq!(apply(&mut sourced, time_ns, command), events, "{version}");
                continue;
            };
            number += 1;
            let mut told = apply(&mut sourced, time_ns, entry.clone());
            assert_eq!(told.remove(0), taken(number, &entry));
            assert_eq!(told, events, "{version}: {command:?}");
            // What is left over goes on with whatever comes, and is no part of what comes again.
            if !sourced.has_work() {
                let repeated = Event::EntryRepeated { source: SOURCE, entry: EntryId(number) };
                assert_eq!(apply(&mut sourced, time_ns, entry.clone()), [repeated]);
            }
            let Command::FromSource(from) = entry else { panic!("it comes of a source") };
            actions.insert(from.order.name());
        }
    }
    // All others come by the stories, which are played as entries too.
    let expected = [
        "cancel_algo_order",
        "cancel_all_orders",
        "place_algo_order",
        "place_contract_order",
        "place_good_till_date",
    ];
    assert!(expected.iter().all(|action| actions.contains(action)), "{actions:?}");
}

#[test]
fn a_source_keeps_its_number_and_its_mark() {
    let mut partition = Partition::default();
    let mut give = |command| apply(&mut partition, TimeNs(9), command);
    let registered = |source, name, mark| {
        [Event::SourceRegistered {
            source: SourceId(source),
            terms: Box::new(terms(name)),
            mark: EntryId(mark),
        }]
    };
    let refused = |reject| [Event::Rejected { account: model::AccountId(0), reject }];
    assert_eq!(give(register(PartitionId::FIRST, "orders", 2)), registered(0, "orders", 0));
    assert_eq!(give(register(PartitionId::FIRST, "others", 2)), registered(1, "others", 0));
    assert_eq!(give(register(PartitionId::FIRST, "", 2)), refused(Reject::NameMissing));
    let partition_3 = Reject::UnknownPartition { partition: PartitionId(3), count: 1 };
    assert_eq!(give(register(PartitionId(3), "orders", 2)), refused(partition_3));

    let late = || {
        let (account, market, valid_until_ns) = (model::AccountId(1), model::MarketId(0), TimeNs(8));
        Command::CancelAllOrders(model::CancelAllOrders { account, market, valid_until_ns })
    };
    let mut entry = |number: u128| give(from_source(number, &late()).unwrap());
    let (source, mark) = (SOURCE, EntryId(40));
    let too_late = Event::Rejected {
        account: model::AccountId(1),
        reject: Reject::TooLate { valid_until_ns: TimeNs(8) },
    };
    for number in [10, 20, 40] {
        let taken = taken(number, &from_source(number, &late()).unwrap());
        assert_eq!(entry(number), [taken, too_late.clone()], "it counts although it was refused");
    }
    assert_eq!(entry(20), [Event::EntryRepeated { source, entry: EntryId(20) }]);
    assert_eq!(entry(40), [Event::EntryRepeated { source, entry: EntryId(40) }]);
    let out_of_order = |number| [Event::EntryOutOfOrder { source, entry: EntryId(number), mark }];
    assert_eq!(entry(30), out_of_order(30), "its place has gone by, and it was never here");
    assert_eq!(entry(10), out_of_order(10), "only two are remembered");

    assert_eq!(give(register(PartitionId::FIRST, "orders", 1)), registered(0, "orders", 40));
    let mut entry = |number: u128| give(from_source(number, &late()).unwrap());
    assert_eq!(entry(20), out_of_order(20), "only one is remembered now");
    assert_eq!(partition.source_mark(&terms("orders")), Some(mark));
    assert_eq!(partition.source_mark(&SourceTerms { incarnation: 2, ..terms("orders") }), None);
}

#[test]
fn what_no_source_is_registered_for_is_refused() {
    let mut partition = Partition::default();
    let cancel = Command::CancelAllOrders(model::CancelAllOrders {
        account: model::AccountId(1),
        market: model::MarketId(0),
        valid_until_ns: TimeNs::NEVER,
    });
    let events = apply(&mut partition, TimeNs(1), from_source(1, &cancel).unwrap());
    let reject = Reject::UnknownSource { source: SOURCE };
    assert_eq!(events, [Event::Rejected { account: model::AccountId(1), reject }]);
    for number in 0..RegisterSource::MAX_SOURCES {
        apply(&mut partition, TimeNs(1), register(PartitionId::FIRST, &number.to_string(), 0));
    }
    let reject = Reject::TooManySources { max: RegisterSource::MAX_SOURCES };
    let events = apply(&mut partition, TimeNs(1), register(PartitionId::FIRST, "one-more", 0));
    assert_eq!(events, [Event::Rejected { account: model::AccountId(0), reject }]);
    assert_eq!(partition.seq(), Seq(2 + u64::from(RegisterSource::MAX_SOURCES)));
}
