//! More algo orders at one price than a command triggers, and what comes meanwhile.

use model::{AlgoEndReason, Command, Event, Reject};

use crate::story::Story;

/// How many were triggered, or refused when they were.
fn triggered(events: &[Event]) -> usize {
    let is = |event: &&Event| match event {
        Event::AlgoOrderTriggered(_) => true,
        // What the market refuses was triggered before.
        Event::AlgoOrderEnded(ended) => {
            matches!(ended.reason, AlgoEndReason::Refused { reject } if reject != Reject::NothingToReduce)
        }
        _ => false,
    };
    events.iter().filter(is).count()
}

/// 400 stops at one price, which comes and goes again. Whoever is accepted while they are triggered, a part in each command, sees the
/// prices that come after him; the witness knows which those are.
#[test]
fn many_are_triggered_by_one_price_and_each_once() {
    let mut story = Story::default();
    for line in [
        "account house rich",
        "contract BTCUSDT_PERP tick 1 lot 0.1 reference 100 price 1..10000 band 0% with fund house source feed",
        "move alice 10000 USDT to futures",
        "move bob 10000 USDT to futures",
        "move carol 10000 USDT to futures",
        "bob sell 100 @ 100 on BTCUSDT_PERP",
        "alice buy 1 @ 100 on BTCUSDT_PERP",
        "carol buy 1.1 @ 90 on BTCUSDT_PERP",
    ] {
        story.tell(line);
    }
    for who in ["alice", "bob", "carol", "dave"] {
        for _ in 0..100 {
            story.tell(&format!("{who} waits to sell 0.1 market stop 90 reduce-only on BTCUSDT_PERP"));
        }
    }
    let trigger = story.tell("bob sell 0.1 @ 90 on BTCUSDT_PERP");
    let at_once = trigger.iter().filter(|line| line.starts_with("triggered")).count();
    assert!((1..=64).contains(&at_once), "a part of them: {at_once}");
    // The price goes back, while most have not seen that it had come; who comes now has not seen it either.
    for line in [
        "alice buy 0.1 @ 100 on BTCUSDT_PERP",
        "alice waits to sell 0.1 market stop 95 as new-stop on BTCUSDT_PERP",
        "alice waits to sell 0.1 market trail 10 as new-trail on BTCUSDT_PERP",
        "snapshot",
    ] {
        story.tell(line);
    }
    assert!(story.world.partition.has_work());
    let queued = story.world.partition.algo_orders().filter(|order| !order.client_algo_id.is_empty());
    assert_eq!(queued.count(), 2);
    // One that is in its turn can be cancelled.
    assert_eq!(story.tell("alice cancel algo new-trail")[0], "&402 is canceled");
    let mut rounds = 0;
    while story.world.partition.has_work() {
        let events = story.world.apply(Command::Continue);
        assert!(triggered(&events) <= 64, "a bounded part in each command");
        story.world.restart();
        rounds += 1;
    }
    assert!((1..10).contains(&rounds), "there is an end to it: {rounds}");
    let left: Vec<_> =
        story.world.partition.algo_orders().map(|order| order.client_algo_id.to_string()).collect();
    assert_eq!(left, ["new-stop"], "all but the one whose price has not come since");
    story.tell("carol buy 1 @ 94 on BTCUSDT_PERP");
    let told = story.tell("bob sell 0.1 @ 94 on BTCUSDT_PERP");
    assert!(told.iter().any(|line| line.starts_with("triggered &401 at 94")), "{told:?}");
}

/// An account has at most 200 algo orders that wait at a contract.
#[test]
fn an_account_has_no_more_than_so_many_at_a_contract() {
    let mut story = Story::default();
    story.tell("account house rich");
    let contract = "tick 1 lot 0.1 reference 100 price 1..10000 with fund house source feed";
    story.tell(&format!("contract BTCUSDT_PERP {contract}"));
    story.tell(&format!("contract ETHUSDT_PERP {contract}"));
    for _ in 0..200 {
        let told = story.tell("alice waits to buy 0.1 market stop 101 on BTCUSDT_PERP");
        assert!(told[0].starts_with('&'), "{told:?}");
    }
    let refused = ["rejected: the account has 200 orders here that wait for a price, which is the limit"];
    assert_eq!(story.tell("alice waits to buy 0.1 market stop 101 on BTCUSDT_PERP"), refused);
    let told = story.tell("alice waits to buy 0.1 market stop 101 as elsewhere on ETHUSDT_PERP");
    assert!(told[0].starts_with('&'), "at another contract: {told:?}");
    let told = story.tell("alice waits to buy 0.1 market stop 101 as elsewhere on ETHUSDT_PERP");
    assert_eq!(told, ["rejected: an open order has this client order id"]);
    let told = story.tell("bob waits to buy 0.1 market stop 101 as elsewhere on BTCUSDT_PERP");
    assert!(told[0].starts_with('&'), "of another account: {told:?}");
    story.tell("alice cancel algo &7");
    let told = story.tell("alice waits to buy 0.1 market stop 101 on BTCUSDT_PERP");
    assert!(told[0].starts_with('&'), "one has ended: {told:?}");
}
