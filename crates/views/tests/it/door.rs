//! What the door lets in: every event once, in order.

use model::{AccountId, Amount, AssetId, Deposited, Event, EventBatch, EventSeq, Reference, Seq, TimeNs};
use views::{ViewSettings, Views};

use crate::vectors::Feed;
use crate::world::{Pace, World};

fn saved(views: &Views) -> Vec<u8> {
    let mut bytes = Vec::new();
    views.save(&mut bytes);
    bytes
}

#[test]
fn a_batch_that_was_seen_is_left_out() {
    let (mut world, listing) = World::new(1, 2, 2, Pace::Busy);
    let mut views = Views::new(ViewSettings::default());
    let mut seen = vec![listing];
    seen.extend((0..50).map(|_| world.step()));
    for batch in &seen {
        views.apply(batch);
    }
    let before = saved(&views);
    for batch in &seen {
        views.apply(batch);
    }
    assert!(saved(&views) == before, "a repetition changes nothing");
    let last = seen.last().unwrap();
    assert_eq!(views.command_seq(), last.last_seq());
    assert_eq!(views.time_ns(), last.time_ns);
    let events = seen.iter().map(|batch| batch.events.len()).sum::<usize>();
    assert_eq!(views.seq(), EventSeq(u64::try_from(events).unwrap()));
}

#[test]
fn a_batch_without_events_moves_the_time() {
    let mut feed = Feed::new(ViewSettings::default());
    let (seq, event_seq) = (feed.views.command_seq(), feed.views.seq());
    feed.batch(TimeNs(77), Vec::new());
    assert_eq!(feed.views.command_seq(), Seq(seq.0 + 1));
    assert_eq!(feed.views.seq(), event_seq);
    assert_eq!(feed.views.time_ns(), TimeNs(77));
}

#[test]
#[should_panic(expected = "events follow each other without gaps")]
fn a_gap_is_a_panic() {
    let (mut world, listing) = World::new(2, 2, 2, Pace::Busy);
    let mut views = Views::new(ViewSettings::default());
    views.apply(&listing);
    let lost = world.step();
    assert!(!lost.events.is_empty());
    views.apply(&world.step());
}

#[test]
#[should_panic(expected = "events follow each other without gaps")]
fn half_a_repetition_is_a_panic() {
    let (mut world, listing) = World::new(2, 2, 2, Pace::Busy);
    let mut views = Views::new(ViewSettings::default());
    views.apply(&listing);
    let first = world.step();
    views.apply(&first);
    let second = world.step();
    let mut both = first;
    both.events.extend(second.events);
    both.ends.extend(second.ends);
    views.apply(&both);
}

fn deposit(amount: i128) -> Event {
    let (account, asset) = (AccountId(1), AssetId(0));
    Event::Deposited(Box::new(Deposited {
        account,
        asset,
        amount: Amount(amount),
        reference: Reference::EMPTY,
    }))
}

#[test]
#[should_panic(expected = "no balance is ever negative")]
fn a_negative_balance_is_a_panic() {
    Feed::new(ViewSettings::default()).batch(TimeNs(1), vec![deposit(-1_000_001)]);
}

#[test]
#[should_panic(expected = "the sequencer's clock never runs backwards")]
fn time_that_falls_is_a_panic() {
    let mut feed = Feed::new(ViewSettings::default());
    feed.batch(TimeNs(2), vec![deposit(1)]);
    feed.batch(TimeNs(1), vec![deposit(1)]);
}

#[test]
#[should_panic(expected = "an event names listed assets only")]
fn an_asset_that_is_not_listed_is_a_panic() {
    let event = Event::Deposited(Box::new(Deposited {
        account: AccountId(1),
        asset: AssetId(9),
        amount: Amount(1),
        reference: Reference::EMPTY,
    }));
    let batch = EventBatch {
        first_seq: Seq(1),
        first_event_seq: EventSeq(1),
        events: vec![event],
        ends: vec![1],
        ..EventBatch::default()
    };
    Views::new(ViewSettings::default()).apply(&batch);
}

#[test]
#[should_panic(expected = "an event names open accounts only")]
fn an_account_that_is_not_open_is_a_panic() {
    let (account, asset) = (AccountId(u64::MAX >> 11), AssetId(0));
    let event = Event::Deposited(Box::new(Deposited {
        account,
        asset,
        amount: Amount(1),
        reference: Reference::EMPTY,
    }));
    Feed::new(ViewSettings::default()).batch(TimeNs(1), vec![event]);
}
