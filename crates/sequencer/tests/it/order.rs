//! What comes out comes in order, without gaps, with its time, and behind the gate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use codec::Coded;
use journal::faulty::FaultyStorage;
use journal::{Durable, FrameBuffer, JournalError, JournalWriter};
use model::{Command, EventSeq, Seq, TimeNs};
use sequencer::{
    Egress, Reply, SequencerError, Session, Settings, Submission, SubmitError, Subscription, recover,
};

use crate::clients::{Client, Heard, PATIENCE, hand_in};
use crate::flow::{Flow, account, preparation};
use crate::memory::{files, recovered, settings, start};
use crate::story::Story;

#[test]
fn many_producers_each_keep_their_own_order() {
    const EACH: u64 = 400;
    let disk = FaultyStorage::new();
    let settings = Settings { batch_max_commands: 17, ingress_limit: 40, ..settings() };
    let sequencer = start(&disk, settings);
    let subscription = sequencer.egress().subscribe();
    let late = sequencer.egress().clone();

    let clients: Vec<Arc<Client>> = (0..4).map(|_| Client::new()).collect();
    std::thread::scope(|scope| {
        for (producer, client) in clients.iter().enumerate() {
            let ingress = sequencer.ingress();
            scope.spawn(move || {
                let command = |token| account(&format!("{producer}-{token}"));
                let mut waiting: Vec<Submission> = Vec::new();
                for token in 0..EACH {
                    waiting.push(client.asks(token, command(token)));
                    // Some hand in one by one, some in small piles.
                    while waiting.len() > producer {
                        let outcome = ingress.submit_batch(&mut waiting);
                        assert_ne!(outcome, Err(SubmitError::Stopped));
                        std::thread::yield_now();
                    }
                }
                while ingress.submit_batch(&mut waiting).is_err() {
                    std::thread::yield_now();
                }
                client.wait_for(usize::try_from(EACH).unwrap());
            });
        }
        // A reader that comes in the middle misses nothing from then on.
        scope.spawn(|| {
            let subscription = late.subscribe();
            let mut next = None;
            let mut last = Seq(0);
            while last.0 < 4 * EACH {
                let Some(batches) = subscription.wait(PATIENCE) else { break };
                for batch in batches {
                    assert!(next.is_none_or(|next| next == batch.first_seq));
                    last = batch.last_seq();
                    next = Some(last.next());
                }
                assert!(late.released_seq() >= last, "nobody is told of what is not released");
            }
        });
    });
    sequencer.ingress().stop();
    let stopped = sequencer.join().unwrap();
    assert_eq!(stopped.seq, Seq(4 * EACH));

    let mut taken = BTreeMap::new();
    for (producer, client) in clients.iter().enumerate() {
        let mut last = Seq(0);
        for (token, heard) in client.heard() {
            let Heard::Done { seq, .. } = heard else { panic!("a clean stop gives nothing up") };
            assert!(seq > last, "producer {producer} had its commands in another order");
            last = seq;
            taken.insert(seq, account(&format!("{producer}-{token}")));
        }
    }
    let story = Story::of(&disk.storage());
    let journal: BTreeMap<Seq, Command> =
        story.commands.iter().map(|input| (input.seq, input.command.clone())).collect();
    assert_eq!(journal, taken, "each at the place that its owner was told");
    assert_eq!(read(&subscription), story.batches, "subscribers are given what the journal gives");
    story.assert_event_log(&disk.storage());
}

/// All that a subscription has, after the end.
fn read(subscription: &Subscription) -> Vec<model::EventBatch> {
    let mut batches = Vec::new();
    while let Some(more) = subscription.wait(PATIENCE) {
        batches.extend(more.into_iter().map(|batch| (*batch).clone()));
    }
    batches
}

#[test]
fn subscribers_are_given_every_event_once_and_in_order() {
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, Settings { batch_max_commands: 3, ..settings() });
    let first = sequencer.egress().subscribe();
    let mut commands = preparation();
    commands.extend(Flow::new(5).take(100));
    Client::new().ask_all(sequencer.ingress(), commands);
    let second = sequencer.egress().subscribe();
    hand_in(sequencer.ingress(), account("last")).unwrap();
    sequencer.ingress().stop();
    sequencer.join().unwrap();

    let batches = read(&first);
    let (mut seq, mut event_seq) = (Seq(1), EventSeq(1));
    for batch in &batches {
        assert_eq!((batch.first_seq, batch.first_event_seq), (seq, event_seq));
        assert!(batch.commands() <= 3);
        seq = batch.last_seq().next();
        event_seq.0 += batch.events.len() as u64;
    }
    assert_eq!(read(&second), batches[batches.len() - 1..], "from then on, and nothing before");
}

/// A session that looks around when it is told.
struct Witness {
    egress: Egress,
    subscription: Mutex<Subscription>,
    seen: AtomicU64,
    told: AtomicU64,
}

impl Session for Witness {
    fn deliver(&self, _: u64, reply: Reply) {
        assert!(self.egress.released_seq() >= reply.seq(), "who is told finds the position there");
        for batch in self.subscription.lock().unwrap().wait(Duration::ZERO).unwrap() {
            self.seen.store(batch.last_seq().0, Ordering::Relaxed);
        }
        assert!(self.seen.load(Ordering::Relaxed) >= reply.seq().0, "subscribers have what anybody is told");
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    fn abandon(&self, _: u64) {
        panic!("nothing is given up");
    }
}

/// A read that follows an answer waits for the views to reach `released_seq`; so by then the position is there and the
/// views have been sent the batch.
#[test]
fn an_answer_comes_after_the_position_and_after_the_subscribers() {
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, Settings { batch_max_commands: 3, ..settings() });
    let egress = sequencer.egress().clone();
    let witness = Arc::new(Witness {
        subscription: Mutex::new(egress.subscribe()),
        egress: egress.clone(),
        seen: AtomicU64::new(0),
        told: AtomicU64::new(0),
    });
    // And everybody else: what is released is there to be read.
    let reader = std::thread::spawn({
        let subscription = egress.subscribe();
        move || {
            let mut seen = Seq(0);
            while seen < Seq(300) {
                let released = egress.released_seq();
                while seen < released {
                    let batches = subscription.wait(PATIENCE).unwrap();
                    seen = batches.back().expect("what is released arrives").last_seq();
                }
                std::thread::yield_now();
            }
        }
    });
    for token in 0..300 {
        let session: Arc<dyn Session> = Arc::<Witness>::clone(&witness);
        let command = account(&format!("{token}"));
        sequencer.ingress().submit(Submission { command, reply_to: Some((session, token)) }).unwrap();
    }
    sequencer.ingress().stop();
    sequencer.join().unwrap();
    reader.join().unwrap();
    assert_eq!(witness.told.load(Ordering::Relaxed), 300);
}

#[test]
fn an_idle_exchange_ticks() {
    let disk = FaultyStorage::new();
    let sequencer = recovered(&disk.storage()).start(
        Settings { tick: Duration::from_millis(1), ..settings() },
        Egress::default(),
        None,
    );
    let subscription = sequencer.egress().subscribe();
    let mut last = Seq(0);
    while last < Seq(3) {
        let batches = subscription.wait(PATIENCE).unwrap();
        last = batches.back().expect("an idle exchange ticks").last_seq();
    }
    sequencer.ingress().stop();
    sequencer.join().unwrap();
    let story = Story::of(&disk.storage());
    assert!(story.commands.iter().all(|input| input.command == Command::Tick));
    let millisecond = |pair: &[model::Sequenced<Command>]| pair[1].time_ns.0 - pair[0].time_ns.0 >= 1_000_000;
    assert!(story.commands.windows(2).all(millisecond), "a tick comes when the time has passed, not before");
}

/// A journal that was written under a clock that ran ahead, or before it was set back.
#[test]
fn time_never_runs_backwards_in_a_journal() {
    let disk = FaultyStorage::new();
    let year_2100 = TimeNs::from_millis(4_102_444_800_000);
    let (_, mut journal) = JournalWriter::open(&disk.storage(), &files(), Durable::GENESIS).unwrap();
    let mut frame = FrameBuffer::new();
    frame.begin(Seq(1), year_2100);
    frame.push(|out| account("from-the-future").encode(out));
    journal.append(&mut frame).unwrap();
    drop(journal);

    let sequencer = start(&disk, settings());
    let client = Client::new();
    let answers = client.ask_all(sequencer.ingress(), vec![account("a"), account("b")]);
    sequencer.ingress().stop();
    sequencer.join().unwrap();
    for answer in answers {
        let Heard::Done { time_ns, .. } = answer else { panic!("nothing is given up") };
        assert_eq!(time_ns, year_2100);
    }
}

#[test]
fn commands_have_the_time_of_the_clock() {
    let now = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    let sequencer = start(&FaultyStorage::new(), settings());
    let before = now();
    let answers = Client::new().ask_all(sequencer.ingress(), vec![account("a")]);
    let after = now();
    let Heard::Done { time_ns, .. } = answers[0] else { panic!("nothing is given up") };
    assert!((before..=after).contains(&time_ns.0));
    sequencer.abandon().unwrap();
}

/// The event log tells what readers have seen. A program that makes other events of the same journal must not go on.
#[test]
fn an_event_log_that_tells_another_story_is_refused() {
    let told = |name: &str| {
        let disk = FaultyStorage::new();
        let (_, mut journal) = JournalWriter::open(&disk.storage(), &files(), Durable::GENESIS).unwrap();
        let mut frame = FrameBuffer::new();
        for (seq, name) in [(1, "the-same"), (2, name)] {
            frame.begin(Seq(seq), TimeNs(seq));
            frame.push(|out| account(name).encode(out));
            journal.append(&mut frame).unwrap();
        }
        drop(journal);
        // The first start derives the events.
        drop(recovered(&disk.storage()));
        disk
    };
    let (disk, another) = (told("alice"), told("bobby"));
    let log = "events/00000000000000000001.seg";
    assert_ne!(disk.bytes(log), another.bytes(log));
    disk.put(log, &another.bytes(log));
    let error = recover(&disk.storage(), &files(), &mut ()).err().unwrap();
    assert!(
        matches!(error, SequencerError::Journal(JournalError::EventsDiffer { seq: Seq(2), .. })),
        "{error}"
    );
}
