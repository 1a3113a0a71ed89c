//! On real files: whatever was answered live is what the journal gives again, over clean stops and stops without a
//! snapshot, with batches of any size.

use std::path::Path;
use std::time::Duration;

use journal::{DataDir, Preparation};
use model::Seq;
use sequencer::{Egress, Sequencer, SequencerError, Settings, audit, recover};

use crate::clients::{Client, Heard};
use crate::flow::{Flow, preparation};
use crate::story::Story;

/// Segments so small that a run fills several.
fn files() -> journal::Settings {
    journal::Settings {
        journal_segment_bytes: journal::Settings::MIN_SEGMENT_BYTES,
        event_segment_bytes: journal::Settings::MIN_SEGMENT_BYTES,
        snapshots_kept: 2,
        preparation: Preparation::Background,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a snapshot.
    Join,
    /// Without.
    Abandon,
}

fn start(path: &Path, batch_max_commands: usize) -> (Sequencer, Story) {
    let directory = DataDir::open(path).unwrap();
    let recovered = recover(directory.storage(), &files(), &mut ()).unwrap();
    assert_eq!(recovered.warnings(), [""; 0]);

    let story = Story::of(directory.storage());
    story.assert_event_log(directory.storage());
    assert_eq!(recovered.partition().seq(), story.end());
    assert_eq!(recovered.partition().state_hash(), story.state_hash);
    assert_eq!(recovered.event_chain(), story.event_chain);
    recovered.partition().assert_invariants();

    let settings = Settings {
        batch_max_commands,
        snapshot_every_commands: 40,
        tick: Duration::MAX,
        ..Settings::default()
    };
    (recovered.start(settings, Egress::default(), None), story)
}

fn live_is_recovered(batch_max_commands: usize, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut flow = Flow::new(seed);
    let mut commands = preparation();
    let mut answers = Vec::new();
    for life in 0..6 {
        let (sequencer, story) = start(folder.path(), batch_max_commands);
        assert_eq!(sequencer.egress().released_seq(), story.end(), "a start releases nothing");
        assert_answered(&story, &answers);

        let client = Client::new();
        let mut expected = 0;
        for (token, command) in (0..).zip(commands.drain(..)) {
            sequencer.ingress().submit(client.asks(token, command)).unwrap();
            expected += 1;
            // Sometimes alone, sometimes many at once.
            if flow.random.below(8) == 0 {
                client.wait_for(expected);
            }
        }
        client.wait_for(expected);
        assert_eq!(sequencer.egress().released_seq(), Seq(story.end().0 + expected as u64));
        answers.extend(client.heard().into_values());

        let end = [End::Join, End::Abandon][flow.random.index(2)];
        let stopped = match end {
            End::Join => {
                sequencer.ingress().stop();
                sequencer.join().unwrap()
            }
            End::Abandon => sequencer.abandon().unwrap(),
        };
        let directory = DataDir::open_read_only(folder.path()).unwrap();
        let story = Story::of(directory.storage());
        story.assert_event_log(directory.storage());
        assert_eq!(
            (stopped.seq, stopped.event_chain, stopped.state_hash),
            (story.end(), story.event_chain, story.state_hash),
            "life {life}"
        );
        assert_answered(&story, &answers);
        let audited = audit(directory.storage(), &mut |_| Ok::<_, SequencerError>(())).unwrap();
        assert_eq!(audited, stopped, "an audit comes to the same end");
        drop(directory);

        let again = recover(DataDir::open(folder.path()).unwrap().storage(), &files(), &mut ()).unwrap();
        match end {
            End::Join => assert_eq!(again.replayed(), 0, "a clean stop leaves a snapshot of everything"),
            End::Abandon if life == 0 => {}
            End::Abandon => assert!(again.replayed() < story.end().0, "earlier snapshots are used"),
        }
        commands = flow.take(130);
    }
    let segments = std::fs::read_dir(folder.path().join("journal")).unwrap().count();
    assert!(segments > 3, "{segments} segments: the journal has changed files");
}

/// Everybody was told what the journal gives.
fn assert_answered(story: &Story, answers: &[Heard]) {
    assert_eq!(answers.len(), story.commands.len());
    let told = story.batches.iter().flat_map(|batch| {
        batch.by_command().map(|(seq, events)| Heard::Done {
            seq,
            time_ns: batch.time_ns,
            events: events.to_vec(),
        })
    });
    for (answer, told) in answers.iter().zip(told) {
        assert_eq!(*answer, told);
    }
}

#[test]
fn one_command_a_batch() {
    live_is_recovered(1, 1);
}

#[test]
fn small_batches() {
    live_is_recovered(3, 2);
}

#[test]
fn all_that_waits_in_one_batch() {
    live_is_recovered(1_000, 3);
}
