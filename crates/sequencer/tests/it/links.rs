//! Between partitions: who is told what was taken, who is refused while too much waits, what a failure and a stop do to those
//! who wait for an answer from elsewhere. Nothing here depends on a tick.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use journal::faulty::{Failure, FaultyStorage};
use model::{
    AccountId, AddAsset, Amount, AssetId, AssetName, AssetTerms, CancelAllOrders, ClientOrderId, Command,
    Deposit, Envelope, Event, MarketId, Message, Notice, OrderKind, Origin, PartitionId, PlaceOrder,
    PriceTicks, QtyLots, Reference, SelfTradePrevention, Seq, Side, TimeInForce, TimeNs,
};
use sequencer::{
    Counts, Egress, Ingress, Lane, Reply, Sequencer, SequencerError, Session, Settings, Stopped, Submission,
    SubmitError, audit, recover,
};

use crate::clients::{Client, Heard, PATIENCE};
use crate::flow::account;
use crate::partitions::{Exchange, Listener, files, settings};
use crate::stopping::Stopper;

/// Nothing happens by itself.
fn no_tick() -> Settings {
    Settings { tick: Duration::MAX, ..settings() }
}

/// An exchange with a rich account in each partition.
fn exchange(count: u8, seed: u64) -> Exchange {
    let mut exchange = Exchange::new(count, seed);
    let more: Vec<_> = (0..20).map(|number| account(&format!("more-{number}"))).collect();
    exchange.live(&more).unwrap();
    let sequencer = exchange.start().unwrap();
    let rich: Vec<_> = (0..count).map(|partition| account_in(&sequencer, partition)).collect();
    sequencer.abandon_all().unwrap();
    let deposit = |account: AccountId| {
        Command::Deposit(Box::new(Deposit {
            account,
            asset: AssetId(2),
            amount: Amount(1 << 40),
            reference: Reference::new(&format!("rich-{account}")).unwrap(),
        }))
    };
    exchange.live(&rich.into_iter().map(deposit).collect::<Vec<_>>()).unwrap();
    exchange
}

/// The first account that lives in a partition.
fn account_in(sequencer: &Sequencer, partition: u8) -> AccountId {
    let partitions = sequencer.ingress().partitions();
    let found = (1..=24).map(AccountId).find(|id| partitions.home(*id) == PartitionId(partition));
    found.expect("enough accounts for every partition")
}

/// An order that is accepted, trades nothing, and expires.
fn order(account: AccountId, market: MarketId, number: u64) -> Command {
    Command::PlaceOrder(PlaceOrder {
        account,
        market,
        side: Side::Buy,
        kind: OrderKind::Limit {
            price_ticks: PriceTicks(490),
            qty_lots: QtyLots(1),
            time_in_force: TimeInForce::Ioc,
        },
        self_trade_prevention: SelfTradePrevention::None,
        client_order_id: ClientOrderId::new(&format!("order-{number}")).unwrap(),
        valid_until_ns: TimeNs::NEVER,
    })
}

/// Lives in the last partition.
const ELSEWHERE: MarketId = MarketId(1);

/// Others are told of it, and answer nothing.
fn asset(number: u64) -> Command {
    let name = AssetName::new(&format!("A{number}")).unwrap();
    Command::AddAsset(AddAsset { terms: AssetTerms { name, scale: 8 } })
}

fn how_many(counts: &Counts, command: &str) -> u64 {
    counts.commands.iter().filter(|row| row.command == command).map(|row| row.count).sum()
}

/// Waits for an end that comes by itself; one that never comes fails the test instead of hanging it.
fn ends(sequencer: Sequencer) -> Result<Vec<Stopped>, SequencerError> {
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(sequencer.join_all()));
    told.recv_timeout(PATIENCE).expect("all partitions end")
}

/// Tries until it comes true; what never does fails the test.
fn until(mut comes_true: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !comes_true() {
        assert!(begun.elapsed() < PATIENCE, "it never comes true");
        std::thread::yield_now();
    }
}

/// Has the thread of a partition stand still in the answer to a command of its own.
fn stand_still(sequencer: &Sequencer, partition: u8) -> std::sync::mpsc::Sender<()> {
    let (stopper, entered, let_go) = Stopper::new();
    let own = account_in(sequencer, partition);
    let market = if partition == 0 { MarketId(0) } else { ELSEWHERE };
    let command =
        Command::CancelAllOrders(CancelAllOrders { account: own, market, valid_until_ns: TimeNs::NEVER });
    sequencer.ingress().submit(Submission { command, reply_to: Some((stopper, 0)) }).unwrap();
    entered.recv_timeout(PATIENCE).unwrap();
    let_go
}

#[test]
fn while_another_partition_stands_still_clients_are_refused_and_then_go_on() {
    const LIMIT: usize = 10;
    let mut exchange = exchange(2, 21);
    exchange.settings = Settings { outbox_limit: LIMIT, ..no_tick() };
    let sequencer = exchange.start().unwrap();
    let let_go = stand_still(&sequencer, 1);
    let (here, there) = (account_in(&sequencer, 0), account_in(&sequencer, 1));
    let listener = Arc::new(Listener::default());
    let ingress = sequencer.ingress();

    let full = Err(SubmitError::OutboxFull { limit: LIMIT });
    let mut taken = 0;
    until(|| {
        let submitted = ingress.submit(listener.asks(taken, order(here, ELSEWHERE, taken)));
        taken += u64::from(submitted.is_ok());
        submitted == full
    });
    assert!(sequencer.all_egress()[0].stats().counts().outboxes[1] > LIMIT);
    // Nobody may ask for anything new, wherever he lives.
    let mut batch =
        vec![listener.asks(u64::MAX, order(there, ELSEWHERE, 0)), listener.asks(u64::MAX - 1, asset(1))];
    assert_eq!(ingress.submit_batch(&mut batch), full);
    assert_eq!((batch.len(), ingress.refused()), (2, 3));
    assert_eq!([PartitionId(0), PartitionId(1)].map(|partition| ingress.refused_in(partition)), [2, 1]);
    assert!(listener.heard().is_empty(), "what is elsewhere is not answered yet");

    let_go.send(()).unwrap();
    listener.wait_for(usize::try_from(taken).unwrap());
    until(|| ingress.submit_batch(&mut batch).is_ok());
    ingress.stop();
    ends(sequencer).unwrap();
    assert_eq!(listener.heard().len() as u64, taken + 2);
    assert!(listener.heard().values().all(Option::is_some));
    exchange.check();
    exchange.assert_quiet();
}

/// Nothing goes back that would say what was taken: the receiver wakes the sender, which had slept until its next tick.
/// Whoever was told of something can tell whether another partition has heard of it; also after a start, of what was said before.
#[test]
fn what_was_said_counts_as_taken_once_the_other_partition_has_it() {
    let mut exchange = exchange(2, 22);
    exchange.settings = no_tick();
    let sequencer = exchange.start().unwrap();
    let ingress = sequencer.ingress().clone();
    let there = PartitionId(1);
    assert!(ingress.has_taken(&ingress.said_to(there)), "of what was said before the start too");
    let let_go = stand_still(&sequencer, 1);
    let listener = Arc::new(Listener::default());
    ingress.submit(listener.asks(0, asset(1))).unwrap();
    listener.wait_for(1);
    let said = ingress.said_to(there);
    assert!(!ingress.has_taken(&said), "it stands still, and has not heard of what was answered");
    let_go.send(()).unwrap();
    until(|| ingress.has_taken(&said));
    ingress.stop();
    ends(sequencer).unwrap();
}

#[test]
fn what_was_said_before_a_start_is_not_taken_until_the_other_partition_has_it() {
    let mut exchange = exchange(2, 23);
    exchange.settings = no_tick();
    let old = exchange.copy_of(1);
    exchange.live(&[asset(1)]).unwrap();
    // As after a crash in which it had not taken that yet.
    exchange.put_back(1, &old);
    let lane = |disk: &FaultyStorage| {
        let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
        Lane { recovered, egress: Egress::default(), companion: None }
    };
    let lanes = exchange.disks.iter().map(lane).collect();
    exchange.disks[1].hold_syncs();
    let sequencer = Sequencer::start(lanes, exchange.settings).unwrap();
    let ingress = sequencer.ingress().clone();
    let said = ingress.said_to(PartitionId(1));
    assert!(!ingress.has_taken(&said), "what was answered before the start");
    exchange.disks[1].let_syncs_go();
    until(|| ingress.has_taken(&said));
    ingress.stop();
    ends(sequencer).unwrap();
    exchange.assert_quiet();
}

#[test]
fn a_full_outbox_whose_envelopes_nobody_answers_is_emptied_without_a_tick() {
    let mut exchange = exchange(3, 22);
    exchange.settings = Settings { outbox_limit: 3, ..no_tick() };
    let sequencer = exchange.start().unwrap();
    let hand_in = |number| sequencer.ingress().submit(Submission { command: asset(number), reply_to: None });
    let mut number = 0;
    for _ in 0..20 {
        until(|| {
            number += 1;
            hand_in(number) == Err(SubmitError::OutboxFull { limit: 3 })
        });
        until(|| hand_in(number).is_ok());
    }
    let counts = sequencer.all_egress()[0].stats().counts();
    assert!(how_many(&counts, "confirm") > 0);
    sequencer.ingress().stop();
    ends(sequencer).unwrap();
    exchange.assert_quiet();
}

/// A command that said so was written with every batch.
#[test]
fn where_the_envelopes_on_the_way_back_say_what_was_taken_no_command_does() {
    let mut exchange = exchange(2, 23);
    exchange.settings = Settings { batch_max_commands: 4_096, outbox_limit: 50, ..no_tick() };
    let sequencer = exchange.start().unwrap();
    let here = account_in(&sequencer, 0);
    let listener = Arc::new(Listener::default());
    let counts = || sequencer.all_egress()[0].stats().counts();
    // Of the life before.
    until(|| counts().outboxes[1] < 50);
    let before = how_many(&counts(), "confirm");
    for round in 0..20 {
        // As many as may be open at once, and more than fit into the outbox.
        let tokens = round * 200..(round + 1) * 200;
        let mut batch = tokens.map(|token| listener.asks(token, order(here, ELSEWHERE, token))).collect();
        until(|| sequencer.ingress().submit_batch(&mut batch).is_ok());
        listener.wait_for(usize::try_from((round + 1) * 200).unwrap());
    }
    assert_eq!((how_many(&counts(), "deliver"), how_many(&counts(), "confirm")), (4_000, before));
    assert_eq!(counts().outboxes, [0, 0]);
    sequencer.ingress().stop();
    ends(sequencer).unwrap();
    exchange.assert_quiet();
}

/// What is not durable there may be lost with the power, and has to be said again.
#[test]
fn what_is_taken_and_not_durable_is_not_forgotten() {
    let mut exchange = exchange(2, 31);
    exchange.settings = Settings { tick: Duration::from_millis(2), ..settings() };
    let sequencer = exchange.start().unwrap();
    let counts = || sequencer.all_egress()[0].stats().counts();
    until(|| counts().outboxes == [0, 0]);
    let disk = &exchange.disks[1];
    disk.hold_syncs();
    // As many as the writer's thread makes durable while they are applied.
    let mut batch = (0..8).map(|at| Submission { command: asset(at), reply_to: None }).collect();
    sequencer.ingress().submit_batch(&mut batch).unwrap();
    until(|| how_many(&counts(), "add_asset") == 8);
    let ticks = how_many(&counts(), "tick");
    until(|| how_many(&counts(), "tick") >= ticks + 20);
    assert_eq!(counts().outboxes, [0, 8]);
    disk.let_syncs_go();
    until(|| counts().outboxes == [0, 0]);
    sequencer.ingress().stop();
    ends(sequencer).unwrap();
    exchange.assert_quiet();
}

/// An order that its market refuses was counted as accepted, and the envelope with the answer as refused.
#[test]
fn a_command_is_counted_by_its_whole_answer() {
    let mut exchange = exchange(2, 30);
    exchange.settings = no_tick();
    let sequencer = exchange.start().unwrap();
    let here = account_in(&sequencer, 0);
    let nothing_rests = |number| {
        let Command::PlaceOrder(mut place) = order(here, ELSEWHERE, number) else { unreachable!() };
        place.kind = OrderKind::MarketQuote { quote_amount: Amount(10_000) };
        Command::PlaceOrder(place)
    };
    let listener = Arc::new(Listener::default());
    let ingress = sequencer.ingress();
    ingress.submit(listener.asks(0, order(here, ELSEWHERE, 0))).unwrap();
    ingress.submit(listener.asks(1, nothing_rests(1))).unwrap();
    // One of which nobody wants to hear.
    ingress.submit(Submission { command: nothing_rests(2), reply_to: None }).unwrap();
    ingress.submit(listener.asks(2, order(here, ELSEWHERE, 3))).unwrap();
    listener.wait_for(3);
    let counts = sequencer.all_egress()[0].stats().counts();
    let rows = |command| {
        let mut rows: Vec<_> = counts.commands.iter().filter(|row| row.command == command).collect();
        rows.sort_by_key(|row| row.outcome);
        rows.into_iter().map(|row| (row.outcome, row.count)).collect::<Vec<_>>()
    };
    assert_eq!(rows("place_order"), [("accepted", 2), ("no_liquidity", 2)]);
    assert_eq!(rows("deliver"), [("accepted", 4)]);
    sequencer.ingress().stop();
    ends(sequencer).unwrap();
}

#[test]
fn a_disk_that_fails_stops_all_partitions_and_gives_up_whoever_waits() {
    let mut exchange = exchange(3, 24);
    exchange.settings = no_tick();
    let sequencer = exchange.start().unwrap();
    let here = account_in(&sequencer, 0);
    let listener = Arc::new(Listener::default());
    let disk = &exchange.disks[2];
    disk.fail_call(disk.call_count(), Failure::Io);
    sequencer.ingress().submit(listener.asks(0, order(here, ELSEWHERE, 0))).unwrap();
    listener.wait_for(1);
    assert_eq!(listener.heard()[&0], None, "its answer was to come from the disk that failed");
    let ingress = sequencer.ingress().clone();
    let error = ends(sequencer).unwrap_err();
    assert!(error.to_string().contains("os error 5"), "{error}");
    assert_eq!(ingress.submit(listener.asks(1, order(here, MarketId(0), 0))), Err(SubmitError::Stopped));

    disk.restart();
    exchange.trade(20).unwrap();
    exchange.check();
    exchange.assert_quiet();
}

/// Partitions that had nothing left to do slept until their next tick.
#[test]
fn a_disk_that_fails_after_the_stop_stops_those_that_are_done() {
    let mut exchange = exchange(3, 25);
    exchange.settings = no_tick();
    let sequencer = exchange.start().unwrap();
    let let_go = stand_still(&sequencer, 2);
    let here = account_in(&sequencer, 0);
    let listener = Arc::new(Listener::default());
    sequencer.ingress().submit(listener.asks(0, order(here, ELSEWHERE, 0))).unwrap();
    sequencer.ingress().stop();
    let disk = &exchange.disks[2];
    disk.fail_call(disk.call_count(), Failure::DiskFull);
    let_go.send(()).unwrap();
    let error = ends(sequencer).unwrap_err();
    assert!(error.to_string().contains("os error 28"), "{error}");
    assert_eq!(listener.heard().len(), 1, "answered or given up");
}

/// A stop waits for what is elsewhere.
#[test]
fn a_stop_answers_whoever_waits_for_another_partition() {
    let mut exchange = exchange(3, 26);
    exchange.settings = no_tick();
    let sequencer = exchange.start().unwrap();
    let let_go = stand_still(&sequencer, 2);
    let here = account_in(&sequencer, 0);
    let listener = Arc::new(Listener::default());
    for token in 0..5 {
        sequencer.ingress().submit(listener.asks(token, order(here, ELSEWHERE, token))).unwrap();
    }
    sequencer.ingress().stop();
    assert_eq!(
        sequencer.ingress().submit(listener.asks(5, order(here, ELSEWHERE, 0))),
        Err(SubmitError::Stopped)
    );
    assert!(!sequencer.has_stopped());
    let_go.send(()).unwrap();
    ends(sequencer).unwrap();
    for told in listener.heard().values() {
        let (partition, _, events) = told.as_ref().expect("it is answered");
        assert_eq!(*partition, PartitionId(0), "by its own partition");
        assert!(events.iter().any(|event| matches!(event, Event::OrderAccepted(_))));
        assert!(events.iter().any(|event| matches!(event, Event::OrderEnded(_))));
    }
    assert_eq!(listener.heard().len(), 5);
    exchange.assert_quiet();
}

/// The other end of [`crate::partitions`]: what was forgotten cannot be said again.
#[test]
fn a_partition_that_lacks_what_was_taken_from_another_is_refused() {
    let mut exchange = exchange(2, 27);
    exchange.live(&[asset(1)]).unwrap();
    let old = exchange.copy_of(1);
    let sequencer = exchange.start().unwrap();
    sequencer.ingress().submit(Submission { command: asset(2), reply_to: None }).unwrap();
    let egress = &sequencer.all_egress()[0];
    until(|| how_many(&egress.stats().counts(), "add_asset") == 1);
    // A tick comes, and the outbox hears that it was taken.
    until(|| egress.stats().counts().outboxes == [0, 0]);
    sequencer.ingress().stop();
    sequencer.join_all().unwrap();
    exchange.put_back(1, &old);
    let error = exchange.start().err().expect("what partition 1 has taken is not there any more");
    assert!(
        matches!(
            error,
            SequencerError::EnvelopeMissing { forgetful: PartitionId(0), behind: PartitionId(1), .. }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("Put all partitions back from one backup"));
}

/// An outbox that was full of what had been taken long ago refused everybody until the first tick.
#[test]
fn an_outbox_that_is_full_at_the_start_is_emptied_at_once() {
    let mut exchange = exchange(2, 28);
    exchange.settings = no_tick();
    exchange.live(&(0..50).map(asset).collect::<Vec<_>>()).unwrap();
    exchange.settings.outbox_limit = 10;
    let sequencer = exchange.start().unwrap();
    until(|| sequencer.ingress().submit(Submission { command: asset(50), reply_to: None }).is_ok());
    sequencer.ingress().stop();
    ends(sequencer).unwrap();
    exchange.assert_quiet();
}

/// Says something to another partition as soon as it hears an answer from the first one.
struct Relay {
    ingress: Ingress,
    then: Mutex<Option<Submission>>,
}

impl Session for Relay {
    fn deliver(&self, _: u64, _: Reply) {
        let then = self.then.lock().unwrap().take().expect("it hears one answer");
        self.ingress.submit(then).unwrap();
    }

    fn abandon(&self, _: u64) {
        panic!("it is answered");
    }
}

#[test]
fn what_was_answered_is_known_everywhere() {
    let mut exchange = exchange(2, 29);
    exchange.settings = no_tick();
    let sequencer = exchange.start().unwrap();
    let listener = Arc::new(Listener::default());
    let there = account_in(&sequencer, 1);
    for round in 0..20 {
        let deposit = Command::Deposit(Box::new(Deposit {
            account: there,
            asset: AssetId(u32::try_from(3 + round).unwrap()),
            amount: Amount(5),
            reference: Reference::new(&format!("new-{round}")).unwrap(),
        }));
        let relay = Relay {
            ingress: sequencer.ingress().clone(),
            then: Mutex::new(Some(listener.asks(round, deposit))),
        };
        let reply_to: Option<(Arc<dyn Session>, u64)> = Some((Arc::new(relay), 0));
        sequencer.ingress().submit(Submission { command: asset(round), reply_to }).unwrap();
        listener.wait_for(usize::try_from(round + 1).unwrap());
        let heard = &listener.heard()[&round];
        let (.., events) = heard.as_ref().expect("it is answered");
        assert!(matches!(events[..], [Event::Deposited(_)]), "{events:?}");
    }
    sequencer.ingress().stop();
    ends(sequencer).unwrap();
}

/// What the first partition does while the second one does not run: its envelopes wait for it.
#[test]
fn the_batch_that_adds_a_partition_answers_all_that_can_be_answered() {
    let disk = FaultyStorage::new();
    let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
    let in_one_batch = Settings { batch_max_commands: 100, ..no_tick() };
    let sequencer = recovered.start(in_one_batch, Egress::default(), None);
    let client = Client::new();
    let mut commands = vec![account("a"), account("b"), Command::AddPartition];
    commands.extend((0..20).map(|number| account(&format!("later-{number}"))));
    let mut batch = (0..).zip(commands).map(|(token, command)| client.asks(token, command)).collect();
    sequencer.ingress().submit_batch(&mut batch).unwrap();
    sequencer.ingress().stop();
    sequencer.join().unwrap();
    client.wait_for(23);
    let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
    let partitions = recovered.partition().partitions();
    let mut waited = 0;
    for (token, heard) in client.heard() {
        // The accounts have the numbers 1 and 2, then 3 to 22.
        let lives_elsewhere = token > 2 && partitions.home(AccountId(token)) == PartitionId(1);
        waited += u32::from(lives_elsewhere);
        assert_eq!(heard == Heard::Abandoned, lives_elsewhere, "{token}: {heard:?}");
    }
    assert!((1..20).contains(&waited), "some live here, some there: {waited}");
}

/// From the second partition.
fn envelope(number: u64, time_ns: TimeNs, notice: Notice) -> Command {
    let origin = Origin { partition: PartitionId(1), seq: Seq(1) };
    let messages = vec![Message::Notice(Box::new(notice))];
    let (from, taken, more) = (PartitionId(1), 0, false);
    Command::Deliver(Arc::new(Envelope { from, number, taken, time_ns, origin, more, messages }))
}

/// The machine's clock was set back between what was said and what was heard.
#[test]
fn nothing_is_heard_before_it_was_said() {
    let disk = FaultyStorage::new();
    let sequencer =
        recover(&disk.storage(), &files(), &mut ()).unwrap().start(no_tick(), Egress::default(), None);
    let ahead = TimeNs(1 << 62);
    let commands = vec![Command::AddPartition, envelope(1, ahead, Notice::Heard), asset(1)];
    for heard in Client::new().ask_all(sequencer.ingress(), commands) {
        assert!(matches!(heard, Heard::Done { .. }));
    }
    let mut last = TimeNs(0);
    sequencer.abandon().unwrap();
    audit(&disk.storage(), &mut |step| {
        last = step.batch.time_ns;
        Ok::<_, SequencerError>(())
    })
    .unwrap();
    assert_eq!(last, ahead);
}

/// Once each, and in order: what comes too early comes again.
#[test]
fn an_envelope_behind_a_gap_and_one_that_was_taken_change_nothing() {
    let disk = FaultyStorage::new();
    let sequencer =
        recover(&disk.storage(), &files(), &mut ()).unwrap().start(no_tick(), Egress::default(), None);
    let listed = |number: u64| {
        let Command::AddAsset(AddAsset { terms }) = asset(number) else { unreachable!("it is one") };
        envelope(number, TimeNs(0), Notice::AssetListed(terms))
    };
    let numbers = [2, 1, 1, 3, 2, 2];
    let commands = std::iter::once(Command::AddPartition).chain(numbers.map(listed)).collect();
    Client::new().ask_all(sequencer.ingress(), commands);
    sequencer.abandon().unwrap();
    let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
    let partition = recovered.partition();
    assert_eq!(partition.last_taken(PartitionId(1)), 2);
    let names = partition.catalog().assets().map(|(_, terms)| terms.name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["A1", "A2"]);
}

/// It counts as taken, so that the next one from there is the next.
#[test]
fn an_envelope_that_cannot_be_applied_is_taken_out() {
    crate::quiet_panics();
    let disk = FaultyStorage::new();
    let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
    let sequencer = recovered.start(no_tick(), Egress::default(), None);
    let nobody = Deposit {
        account: AccountId(77),
        asset: AssetId(0),
        amount: Amount(1),
        reference: Reference::new("planted").unwrap(),
    };
    let poison = envelope(1, TimeNs(0), Notice::DepositAllowed(nobody));
    let commands = vec![Command::AddPartition, poison];
    Client::new().ask_all(sequencer.ingress(), commands);
    let error = sequencer.join().unwrap_err();
    assert!(matches!(error, SequencerError::Panicked { seq: Seq(2), .. }), "{error}");
    assert!(error.to_string().contains("rialto journal skip 2 --reason"), "{error}");
    assert!(error.to_string().contains("It is a message of partition 1"), "{error}");

    journal::skip(&disk.storage(), &files(), Seq(2), "nobody knows it").unwrap();
    let recovered = recover(&disk.storage(), &files(), &mut ()).unwrap();
    assert_eq!(recovered.partition().last_taken(PartitionId(1)), 1);
    assert_eq!(recovered.partition().seq(), Seq(2));
}
