//! Full queues, ends of all kinds, and clients that misbehave: what was taken is answered or given up, once; nothing is
//! forgotten.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use journal::faulty::{CallKind, Failure, FaultyStorage};
use model::{Command, Seq};
use sequencer::{Reply, SequencerError, Session, Settings, Submission, SubmitError};

use crate::clients::{Client, Heard, PATIENCE, hand_in};
use crate::flow::{Random, account};
use crate::memory::{ends_by_itself, settings, start};
use crate::story::Story;

/// A session that keeps the sequencer's thread until it is let go.
pub struct Stopper {
    entered: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Stopper {
    pub fn new() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let (entered, was_entered) = channel();
        let (let_go, go_on) = channel();
        (Arc::new(Self { entered, go_on: Mutex::new(go_on) }), was_entered, let_go)
    }
}

impl Session for Stopper {
    fn deliver(&self, _: u64, _: Reply) {
        self.entered.send(()).unwrap();
        self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
    }

    fn abandon(&self, _: u64) {
        panic!("the first command is answered");
    }
}

/// A sequencer whose thread stands still, and what lets it go on.
fn standing_still(disk: &FaultyStorage, settings: Settings) -> (sequencer::Sequencer, Sender<()>) {
    let sequencer = start(disk, settings);
    let (stopper, entered, let_go) = Stopper::new();
    sequencer
        .ingress()
        .submit(Submission { command: account("stopper"), reply_to: Some((stopper, 0)) })
        .unwrap();
    entered.recv_timeout(PATIENCE).unwrap();
    (sequencer, let_go)
}

fn name(number: u64) -> Command {
    account(&format!("account-{number}"))
}

fn seqs(client: &Client) -> Vec<Option<u64>> {
    let seq = |heard| match heard {
        Heard::Done { seq, .. } => Some(seq.0),
        Heard::Abandoned => None,
    };
    client.heard().into_values().map(seq).collect()
}

#[test]
fn a_full_queue_says_busy_and_loses_nothing() {
    let disk = FaultyStorage::new();
    let (sequencer, let_go) = standing_still(&disk, Settings { ingress_limit: 5, ..settings() });
    let ingress = sequencer.ingress();
    let client = Client::new();
    let busy = Err(SubmitError::Busy { limit: 5 });

    for token in 0..3 {
        assert_eq!(ingress.submit(client.asks(token, name(token))), Ok(()));
    }
    let mut batch = (3..7).map(|token| client.asks(token, name(token))).collect();
    assert_eq!(ingress.submit_batch(&mut batch), busy, "two of the four fit");
    assert_eq!(batch.len(), 2);
    assert_eq!(ingress.submit(client.asks(7, name(7))), busy);
    assert_eq!(ingress.submit_batch(&mut batch), busy);
    assert_eq!(batch.len(), 2, "nothing is taken from what does not fit");

    let_go.send(()).unwrap();
    client.wait_for(5);
    assert_eq!(ingress.submit_batch(&mut batch), Ok(()));
    client.wait_for(7);
    assert_eq!(seqs(&client), (2..9).map(Some).collect::<Vec<_>>(), "what was refused is not done");
    ingress.stop();
    assert_eq!(sequencer.join().unwrap().seq, Seq(8));
}

#[test]
fn what_was_taken_before_the_stop_is_done() {
    let disk = FaultyStorage::new();
    let (sequencer, let_go) = standing_still(&disk, Settings { batch_max_commands: 2, ..settings() });
    let ingress = sequencer.ingress().clone();
    let client = Client::new();
    for token in 0..5 {
        ingress.submit(client.asks(token, name(token))).unwrap();
    }
    ingress.stop();
    assert_eq!(ingress.submit(client.asks(5, name(5))), Err(SubmitError::Stopped));
    let mut batch = vec![client.asks(5, name(5))];
    assert_eq!(ingress.submit_batch(&mut batch), Err(SubmitError::Stopped));
    assert_eq!(batch.len(), 1);

    assert!(!sequencer.has_stopped());
    let_go.send(()).unwrap();
    assert_eq!(sequencer.join().unwrap().seq, Seq(6));
    assert_eq!(seqs(&client), (2..7).map(Some).collect::<Vec<_>>());
    assert_eq!(ingress.submit(client.asks(5, name(5))), Err(SubmitError::Stopped));
}

/// In the batch, in the sequencer's hands and in the queue: all are told.
#[test]
fn when_it_fails_everything_that_waits_is_given_up() {
    let disk = FaultyStorage::new();
    let (sequencer, let_go) = standing_still(&disk, Settings { batch_max_commands: 2, ..settings() });
    let client = Client::new();
    for token in 0..7 {
        sequencer.ingress().submit(client.asks(token, name(token))).unwrap();
    }
    disk.power_off_at_call(disk.call_count());
    let_go.send(()).unwrap();
    let error = ends_by_itself(sequencer).unwrap_err();
    assert!(error.to_string().contains("the power is off"), "{error}");
    assert_eq!(client.heard().into_values().collect::<Vec<_>>(), vec![Heard::Abandoned; 7]);
}

/// What a frame has no room for waits in the sequencer's own hands.
#[test]
fn a_batch_that_does_not_fit_into_a_segment_is_divided() {
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, settings());
    let mut commands = crate::flow::preparation();
    let mut flow = crate::flow::Flow::with_secrets(4);
    commands.extend(flow.take(100));
    let client = Client::new();
    client.ask_all(sequencer.ingress(), commands.clone());
    sequencer.ingress().stop();
    sequencer.join().unwrap();
    let story = Story::of(&disk.storage());
    assert!(story.batches.len() >= 4, "{} batches", story.batches.len());
    assert_eq!(story.commands.iter().map(|input| input.command.clone()).collect::<Vec<_>>(), commands);
}

/// Each producer counts what was taken; each hears of exactly that, whenever the end comes and however.
#[test]
fn a_stop_in_the_middle_forgets_nobody() {
    for round in 0..60 {
        let mut random = Random::new(round);
        let disk = FaultyStorage::new();
        let settings = Settings { batch_max_commands: 1 + random.index(8), ingress_limit: 10, ..settings() };
        let sequencer = start(&disk, settings);
        let fails = round % 2 == 0;
        if fails {
            disk.power_off_at_call(disk.call_count() + random.index(100));
        }
        let clients = [Client::new(), Client::new(), Client::new()];
        let taken: Vec<u64> = std::thread::scope(|scope| {
            let produce = |client: &Arc<Client>| {
                let (client, ingress) = (Arc::clone(client), sequencer.ingress().clone());
                scope.spawn(move || {
                    let mut taken = 0;
                    loop {
                        match ingress.submit(client.asks(taken, Command::Tick)) {
                            Ok(()) => taken += 1,
                            Err(SubmitError::Busy { .. } | SubmitError::OutboxFull { .. }) => {
                                std::thread::yield_now();
                            }
                            Err(SubmitError::Stopped) => return taken,
                        }
                    }
                })
            };
            let producers = clients.each_ref().map(produce);
            if !fails {
                clients[0].wait_for(random.index(50));
                sequencer.ingress().stop();
            }
            producers.into_iter().map(|producer| producer.join().unwrap()).collect()
        });
        let ended = ends_by_itself(sequencer);
        assert_eq!(ended.is_err(), fails, "round {round}");
        let mut done = 0;
        for (client, taken) in clients.iter().zip(taken) {
            let heard = client.heard();
            assert_eq!(heard.keys().copied().collect::<Vec<_>>(), (0..taken).collect::<Vec<_>>());
            let told = heard.values().filter(|heard| **heard != Heard::Abandoned).count() as u64;
            assert!(fails || told == taken, "round {round}: a clean stop gives nothing up");
            done += told;
        }
        if let Ok(stopped) = ended {
            assert_eq!(stopped.seq, Seq(done));
        }
    }
}

/// A client that breaks.
struct Broken;

impl Session for Broken {
    fn deliver(&self, _: u64, _: Reply) {
        panic!("a client that was planted to break");
    }

    fn abandon(&self, _: u64) {
        panic!("a client that was planted to break");
    }
}

fn breaks(command: Command) -> Submission {
    Submission { command, reply_to: Some((Arc::new(Broken), 0)) }
}

/// The panic unwound through the list of those who were still to be told: they waited for ever, although their commands
/// were durable, and the event log never got the batch.
#[test]
fn a_client_that_panics_when_it_is_told_takes_no_answer_from_others() {
    crate::quiet_panics();
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, settings());
    let client = Client::new();
    let mut batch = vec![client.asks(0, name(0)), breaks(name(1)), client.asks(2, name(2))];
    sequencer.ingress().submit_batch(&mut batch).unwrap();
    let error = ends_by_itself(sequencer).unwrap_err();
    assert!(matches!(error, SequencerError::SessionPanicked { seq: Seq(2), .. }), "{error}");
    assert_eq!(seqs(&client), [Some(1), Some(3)]);
    Story::of(&disk.storage()).assert_event_log(&disk.storage());
}

/// The panic ended the thread before the others were told, and before the subscribers were.
#[test]
fn a_client_that_panics_when_it_is_given_up_takes_no_answer_from_others() {
    crate::quiet_panics();
    let disk = FaultyStorage::new();
    let (sequencer, let_go) = standing_still(&disk, Settings { batch_max_commands: 2, ..settings() });
    let subscription = sequencer.egress().subscribe();
    let client = Client::new();
    let mut batch = vec![breaks(name(0)), client.asks(0, name(1)), breaks(name(2)), client.asks(1, name(3))];
    sequencer.ingress().submit_batch(&mut batch).unwrap();
    disk.power_off_at_call(disk.call_count());
    let_go.send(()).unwrap();
    let error = ends_by_itself(sequencer).unwrap_err();
    assert!(error.to_string().contains("the power is off"), "{error}");
    assert_eq!(client.heard().into_values().collect::<Vec<_>>(), [Heard::Abandoned, Heard::Abandoned]);
    assert!(subscription.wait(PATIENCE).is_none());
}

#[test]
fn a_client_that_went_away_stops_nobody() {
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, settings());
    let gone = Client::new();
    let mut batch = vec![gone.asks(0, name(0))];
    drop(gone);
    drop(sequencer.egress().subscribe());
    let client = Client::new();
    batch.push(client.asks(0, name(1)));
    sequencer.ingress().submit_batch(&mut batch).unwrap();
    client.wait_for(1);
    assert_eq!(seqs(&client), [Some(2)]);
    sequencer.ingress().stop();
    sequencer.join().unwrap();
}

/// A subscription that was made after the end was never told that there is nothing to come: its reader waited for ever.
#[test]
fn who_subscribes_after_the_end_is_told_so() {
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, settings());
    let egress = sequencer.egress().clone();
    let before = egress.subscribe();
    hand_in(sequencer.ingress(), name(0)).unwrap();
    sequencer.ingress().stop();
    sequencer.join().unwrap();
    assert_eq!(before.wait(PATIENCE).unwrap().len(), 1, "what was released is still read");
    assert!(before.wait(PATIENCE).is_none());
    assert!(egress.subscribe().wait(PATIENCE).is_none());
}

/// The keeper woke the sequencer before its thread had ended; the sequencer looked, found it running, and slept again
/// until the next command: for a second, with ticks, and otherwise for ever.
#[test]
fn a_keeper_that_fails_ends_an_idle_exchange() {
    for _ in 0..100 {
        let disk = FaultyStorage::new();
        let sequencer = start(&disk, settings());
        // The journal's write and sync come first.
        disk.fail_call(disk.call_count() + 2, Failure::Io);
        let client = Client::new();
        client.ask_all(sequencer.ingress(), vec![name(0)]);
        let error = ends_by_itself(sequencer).unwrap_err();
        assert!(error.to_string().contains("os error 5"), "{error}");
        let failed = disk.calls().pop().unwrap();
        assert_eq!((failed.what, failed.path.starts_with("events/")), (CallKind::WriteAt, true));
    }
}

/// The last events were left behind in the sequencer's hands when it stopped without a snapshot: readers of the event log
/// had to wait for the next start.
#[test]
fn the_event_log_has_what_was_released() {
    let disk = FaultyStorage::new();
    // Nobody sends the last events while the thread stands still in the answer to their command.
    let (sequencer, let_go) = standing_still(&disk, settings());
    let ingress = sequencer.ingress().clone();
    let ending = std::thread::spawn(move || sequencer.abandon());
    while hand_in(&ingress, name(0)) != Err(SubmitError::Stopped) {
        std::thread::yield_now();
    }
    let_go.send(()).unwrap();
    ending.join().unwrap().unwrap();
    let story = Story::of(&disk.storage());
    assert!(story.end() >= Seq(1));
    story.assert_event_log(&disk.storage());
}
