//! A command that breaks an invariant: it is on the disk before anybody knows that it cannot be applied. The exchange stops,
//! stops again at every start, and goes on when an operator has taken the command out.

use std::collections::BTreeMap;

use journal::faulty::{Failure, FaultyStorage};
use journal::{Durable, JournalError, Survey};
use model::{Command, Event, Seq};
use sequencer::{SequencerError, Settings, audit, recover};

use crate::clients::{Client, Heard, PATIENCE, hand_in};
use crate::flow::{Flow, account, poison, preparation};
use crate::memory::{ends_by_itself, files, recovered, settings, start};
use crate::story::{Story, event_log};

const REASON: &str = "ticket 4711: an account that was planted";

fn accounts(prefix: &str, count: usize) -> Vec<Command> {
    (0..count).map(|number| account(&format!("{prefix}-{number}"))).collect()
}

#[track_caller]
fn assert_names(error: &SequencerError, poisoned: Seq) {
    let SequencerError::Panicked { seq, invariant, .. } = error else { panic!("{error}") };
    assert_eq!(*seq, poisoned);
    assert_eq!(invariant, "an invariant that was planted to be broken");
    let sentence = error.to_string();
    assert!(sentence.contains(invariant), "{sentence}");
    assert!(sentence.contains(&format!("rialto journal skip {poisoned}")), "{sentence}");
}

#[track_caller]
fn assert_does_not_start(disk: &FaultyStorage, poisoned: Seq) {
    let error = recover(&disk.storage(), &files(), &mut ()).err().expect("it stops again at every start");
    assert_names(&error, poisoned);
}

fn journal_end(disk: &FaultyStorage) -> Seq {
    Survey::read(&disk.storage(), Durable::GENESIS).unwrap().end.seq()
}

/// `before` batches with answers, then one batch with the poison behind `ahead` commands and ahead of `behind`.
fn a_poisoned_batch(before: usize, ahead: usize, behind: usize, snapshot_every_commands: u64) {
    crate::quiet_panics();
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, Settings { snapshot_every_commands, ..settings() });
    let subscription = sequencer.egress().subscribe();
    for commands in [preparation(), Flow::new(1).take(30)].into_iter().take(before) {
        Client::new().ask_all(sequencer.ingress(), commands);
    }
    let good = sequencer.egress().released_seq();
    let mut batches = 0;
    while batches < before {
        batches += subscription.wait(PATIENCE).unwrap().len();
    }

    let mut commands = accounts("ahead", ahead);
    commands.push(poison());
    commands.extend(accounts("behind", behind));
    let poisoned = Seq(good.0 + ahead as u64 + 1);
    let last = Seq(poisoned.0 + behind as u64);
    let client = Client::new();
    let heard = client.ask_all(sequencer.ingress(), commands.clone());
    assert_eq!(heard, vec![Heard::Abandoned; commands.len()], "nobody in the batch was told");
    assert!(subscription.wait(PATIENCE).is_none(), "and no subscriber");
    assert_eq!(sequencer.egress().released_seq(), good);
    assert_names(&ends_by_itself(sequencer).unwrap_err(), poisoned);

    assert_eq!(journal_end(&disk), last, "all of it is in the journal");
    let read_before = event_log(&disk.storage());
    assert_eq!(read_before.len(), before, "and nothing of it in the event log");
    assert_does_not_start(&disk, poisoned);
    assert_does_not_start(&disk, poisoned);
    disk.crash(0);
    assert_does_not_start(&disk, poisoned);

    journal::skip(&disk.storage(), &files(), poisoned, REASON).unwrap();
    disk.crash(0);
    let skipped = BTreeMap::from([(poisoned, REASON)]);
    let mut whole = recovered(&disk.storage());
    for round in 0..3 {
        let story = Story::skipping(&disk.storage(), &skipped);
        story.assert_event_log(&disk.storage());
        assert_eq!(event_log(&disk.storage())[..before], read_before);
        assert_eq!(whole.partition().seq(), story.end());
        assert_eq!(whole.partition().state_hash(), story.state_hash);
        assert_eq!(whole.event_chain(), story.event_chain);

        let events = |seq: Seq| {
            let batch = story.batches.iter().find(|batch| batch.last_seq() >= seq).unwrap();
            batch.by_command().find(|(at, _)| *at == seq).unwrap().1.to_vec()
        };
        assert_eq!(events(poisoned), [Event::Skipped { reason: REASON.to_owned() }]);
        for seq in good.0 + 1..=last.0 {
            let created = matches!(events(Seq(seq))[..], [Event::AccountCreated { .. }]);
            assert_eq!(created, Seq(seq) != poisoned, "its neighbours are applied");
        }

        // It goes on, with and without a snapshot behind the mark.
        let sequencer = whole.start(settings(), sequencer::Egress::default(), None);
        Client::new().ask_all(sequencer.ingress(), accounts(&format!("later-{round}"), 5));
        if round == 0 {
            sequencer.abandon().unwrap();
        } else {
            sequencer.ingress().stop();
            sequencer.join().unwrap();
        }
        whole = recovered(&disk.storage());
    }
    drop(whole);

    // From the very beginning it is the same: the mark is found, wherever the reading starts.
    let audited = audit(&disk.storage(), &mut |_| Ok::<_, SequencerError>(())).unwrap();
    for path in disk.paths() {
        if path.starts_with("snapshots/") {
            disk.lose(&path);
        }
    }
    let whole = recovered(&disk.storage());
    assert_eq!(whole.replayed(), last.0 + 15);
    let story = Story::skipping(&disk.storage(), &skipped);
    assert_eq!((whole.event_chain(), audited.event_chain), (story.event_chain, story.event_chain));
    assert_eq!(whole.partition().state_hash(), audited.state_hash);
}

#[test]
fn alone_as_the_very_first_command() {
    a_poisoned_batch(0, 0, 0, u64::MAX);
}

#[test]
fn first_in_its_batch() {
    a_poisoned_batch(1, 0, 4, u64::MAX);
}

#[test]
fn in_the_middle_of_its_batch() {
    a_poisoned_batch(2, 3, 4, u64::MAX);
}

#[test]
fn last_in_its_batch_and_behind_a_snapshot() {
    a_poisoned_batch(2, 3, 0, 1);
}

/// Each is taken out by a mark of its own.
#[test]
fn two_in_one_batch() {
    crate::quiet_panics();
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, settings());
    let commands = vec![account("a"), poison(), account("b"), poison(), account("c")];
    Client::new().ask_all(sequencer.ingress(), commands);
    assert_names(&ends_by_itself(sequencer).unwrap_err(), Seq(2));

    journal::skip(&disk.storage(), &files(), Seq(2), "the first").unwrap();
    assert_does_not_start(&disk, Seq(4));
    journal::skip(&disk.storage(), &files(), Seq(4), "the second").unwrap();
    let whole = recovered(&disk.storage());
    let skipped = BTreeMap::from([(Seq(2), "the first"), (Seq(4), "the second")]);
    let story = Story::skipping(&disk.storage(), &skipped);
    assert_eq!(whole.partition().state_hash(), story.state_hash);
    story.assert_event_log(&disk.storage());
}

/// What waited behind the poisoned batch is not in the journal, and is given up.
#[test]
fn what_waits_behind_the_batch_is_given_up() {
    crate::quiet_panics();
    let disk = FaultyStorage::new();
    let sequencer = start(&disk, Settings { batch_max_commands: 2, ..settings() });
    let mut commands = vec![account("a"), poison()];
    commands.extend(accounts("behind", 5));
    let heard = Client::new().ask_all(sequencer.ingress(), commands);
    assert_eq!(heard, vec![Heard::Abandoned; 7]);
    ends_by_itself(sequencer).unwrap_err();
    assert_eq!(journal_end(&disk), Seq(2));
}

/// Then it is not in the journal, and there is nothing to take out: the disk is what the operator has to hear of.
#[test]
fn when_the_disk_fails_at_the_same_time_the_disk_is_named() {
    crate::quiet_panics();
    for failure in [Failure::DiskFull, Failure::Io] {
        let disk = FaultyStorage::new();
        let sequencer = start(&disk, settings());
        Client::new().ask_all(sequencer.ingress(), accounts("told", 3));
        sequencer.abandon().unwrap();

        let sequencer = start(&disk, settings());
        disk.fail_call(disk.call_count(), failure);
        let heard = Client::new().ask_all(sequencer.ingress(), vec![poison()]);
        assert_eq!(heard, [Heard::Abandoned]);
        let error = ends_by_itself(sequencer).unwrap_err();
        assert!(matches!(error, SequencerError::Journal(JournalError::Io { .. })), "{error}");
        disk.crash(0);
        assert_eq!(recovered(&disk.storage()).partition().seq(), Seq(3));
    }
}

/// Somebody was told of that command. Taking it out would tell readers another story than the one they have read, and no
/// later start could get past that: a slip of the operator's finger must not cost a data directory.
#[test]
fn a_command_that_was_answered_cannot_be_taken_out() {
    let disk = FaultyStorage::new();
    let refused = |seq, by: &str| {
        let error = journal::skip(&disk.storage(), &files(), Seq(seq), "by mistake").unwrap_err();
        assert!(matches!(&error, JournalError::AlreadyApplied { .. }), "{error}");
        assert!(error.to_string().contains(by), "{error}");
    };
    let sequencer = start(&disk, settings());
    Client::new().ask_all(sequencer.ingress(), accounts("told", 3));
    sequencer.abandon().unwrap();
    (1..=3).for_each(|seq| refused(seq, "events/00000000000000000001.seg has the events up to"));

    let sequencer = start(&disk, settings());
    sequencer.ingress().stop();
    sequencer.join().unwrap();
    (1..=3).for_each(|seq| refused(seq, "there is a snapshot at 3"));
    assert_eq!(recover(&disk.storage(), &files(), &mut ()).unwrap().partition().seq(), Seq(3));
}

/// A record that this program does not know is named, and can be taken out like one that cannot be applied.
#[test]
fn a_record_that_cannot_be_read_is_named() {
    let disk = FaultyStorage::new();
    let (_, mut journal) = journal::JournalWriter::open(&disk.storage(), &files(), Durable::GENESIS).unwrap();
    let mut frame = journal::FrameBuffer::new();
    frame.begin(Seq(1), model::TimeNs(1));
    frame.push(|out| out.push(250));
    journal.append(&mut frame).unwrap();
    drop(journal);

    let error = recover(&disk.storage(), &files(), &mut ()).err().unwrap();
    assert!(matches!(error, SequencerError::Command { seq: Seq(1), .. }), "{error}");
    journal::skip(&disk.storage(), &files(), Seq(1), REASON).unwrap();
    let sequencer = start(&disk, settings());
    hand_in(sequencer.ingress(), account("later")).unwrap();
    assert_eq!(sequencer.abandon().unwrap().seq, Seq(2));
}
