//! Opening everything in a data directory, in the one order in which each can be checked against the others before
//! anything is changed. Applying commands again is the caller's.

use crate::error::JournalError;
use crate::event_frame::EventPosition;
use crate::event_log::{CutTail, EventLogWriter};
use crate::frame::Durable;
use crate::reader::JournalReader;
use crate::settings::Settings;
use crate::snapshot::{DamagedSnapshot, Newest, Snapshot, SnapshotStore};
use crate::storage::Storage;
use crate::survey::{Survey, ahead};
use crate::writer::JournalWriter;
use std::sync::Arc;

/// A directory that is ready: start from [`snapshot`](Recovery::snapshot), apply what [`replay`](Recovery::replay)
/// gives (stepping over the survey's skip marks), hand each batch's events to
/// [`EventLogWriter::expect_or_append`]; then append.
#[derive(Debug)]
pub struct Recovery {
    /// `None`: start empty.
    pub snapshot: Option<Snapshot>,
    /// Newer ones that could not be used.
    pub damaged_snapshots: Vec<DamagedSnapshot>,
    /// What the journal holds behind the snapshot.
    pub survey: Survey,
    /// Behind the last batch.
    pub journal: JournalWriter,
    /// At the snapshot; behind it there may be events that are to be compared.
    pub events: EventLogWriter,
    /// The event log's bad end, which is derived again.
    pub cut_events: Option<CutTail>,
    /// For the next snapshot.
    pub snapshots: SnapshotStore,
    storage: Arc<dyn Storage>,
}

impl Recovery {
    /// Finds the newest whole snapshot, reads the journal from there, compares all of them with each other, and only
    /// then mends the ends that a crash has left.
    pub fn open(storage: &Arc<dyn Storage>, settings: &Settings) -> Result<Self, JournalError> {
        settings.assert_in_range();
        let snapshots = SnapshotStore::new(storage, settings.snapshots_kept);
        let Newest { snapshot, damaged } = snapshots.newest_valid()?;
        let known = snapshot.as_ref().map_or(Durable::GENESIS, Snapshot::journal);
        let survey = Survey::read(storage, known)?;
        // A snapshot gets its name when it is whole, so also a damaged one tells how far the journal was.
        if let Some(newest) = damaged.iter().find(|damaged| damaged.seq > survey.end.seq()) {
            return Err(ahead(&newest.path, newest.seq, survey.end.seq()));
        }
        let from = snapshot.as_ref().map_or(EventPosition::GENESIS, Snapshot::events);
        let (cut_events, events) = EventLogWriter::open(storage, settings, survey.end.seq(), from)?;
        let journal = JournalWriter::resume(storage, settings, &survey)?;
        snapshots.remove_unfinished()?;
        Ok(Self {
            snapshot,
            damaged_snapshots: damaged,
            survey,
            journal,
            events,
            cut_events,
            snapshots,
            storage: Arc::clone(storage),
        })
    }

    /// The commands behind the snapshot.
    pub fn replay(&self) -> Result<JournalReader, JournalError> {
        let from = self.snapshot.as_ref().map_or(Durable::GENESIS, Snapshot::journal).seq().next();
        JournalReader::open(&self.storage, &self.survey, from)
    }

    /// What the operator should know although the program starts: one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let torn = self.survey.torn.as_ref().map(|torn| {
            format!(
                "{}: an unfinished last batch of {} bytes at byte {} was dropped; nobody had been told about it",
                torn.path, torn.bytes, torn.offset
            )
        });
        let damaged = self.damaged_snapshots.iter().map(|damaged| {
            format!("{} is damaged ({}) and was not used; an older one was", damaged.path, damaged.fault)
        });
        torn.into_iter().chain(damaged).collect()
    }
}
