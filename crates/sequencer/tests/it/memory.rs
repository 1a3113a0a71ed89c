//! An exchange on the storage in memory.

use std::sync::Arc;
use std::time::Duration;

use journal::faulty::FaultyStorage;
use journal::{Preparation, Storage};
use sequencer::{Egress, Recovered, Sequencer, SequencerError, Settings, recover};

use crate::clients::PATIENCE;

/// Small segments, and no thread that makes calls of its own.
pub fn files() -> journal::Settings {
    journal::Settings {
        journal_segment_bytes: journal::Settings::MIN_SEGMENT_BYTES,
        event_segment_bytes: journal::Settings::MIN_SEGMENT_BYTES,
        snapshots_kept: 2,
        preparation: Preparation::WhenNeeded,
    }
}

/// Nothing happens by itself: no ticks, no snapshots.
pub fn settings() -> Settings {
    Settings { tick: Duration::MAX, snapshot_every_commands: u64::MAX, ..Settings::default() }
}

pub fn recovered(storage: &Arc<dyn Storage>) -> Recovered {
    recover(storage, &files(), &mut ()).unwrap()
}

/// Runs on `disk`.
pub fn start(disk: &FaultyStorage, settings: Settings) -> Sequencer {
    recovered(&disk.storage()).start(settings, Egress::default(), None)
}

/// Waits for an end that comes by itself; one that never comes fails the test instead of hanging it.
pub fn ends_by_itself(sequencer: Sequencer) -> Result<sequencer::Stopped, SequencerError> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(sequencer.join()));
    told.recv_timeout(PATIENCE).expect("the sequencer ends by itself")
}
