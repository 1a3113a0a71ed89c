//! Marking a command that panics, so that every start steps over it: for a command-line tool, on a directory that no
//! server holds (its [`DataDir`](crate::DataDir) sees to that). Stepping over it is up to whoever applies commands.

use crate::error::JournalError;
use crate::event_reader::{EventWalk, Opened};
use crate::segment::Log;
use crate::settings::{Preparation, Settings};
use crate::snapshot::SnapshotStore;
use crate::storage::Storage;
use crate::survey::{From, SkipMark, Survey};
use crate::writer::JournalWriter;
use model::Seq;
use std::sync::Arc;

/// Appends a durable mark: "the command at `seq` is stepped over", with the operator's reason (at most 1024 bytes).
/// Refused when there is no such command, when it is marked already, or when the event log or a snapshot has it: then it was
/// applied once, and others know what came of it.
pub fn skip(
    storage: &Arc<dyn Storage>,
    settings: &Settings,
    seq: Seq,
    reason: &str,
) -> Result<(), JournalError> {
    let survey = Survey::read_from(storage, From::Containing(seq))?;
    if seq < survey.oldest {
        return Err(JournalError::NotInJournal { seq, oldest: survey.oldest, end: survey.end.seq() });
    }
    if let Some(mark) = survey.skip_marks.iter().find(|mark| mark.seq == seq) {
        return Err(JournalError::AlreadySkipped { seq, reason: mark.reason.clone() });
    }
    if let Some(told) = told(&**storage, &SnapshotStore::new(storage, settings.snapshots_kept), seq)? {
        return Err(JournalError::AlreadyApplied { seq, told });
    }
    let settings = Settings { preparation: Preparation::WhenNeeded, ..settings.clone() };
    let mut writer = JournalWriter::resume(storage, &settings, &survey)?;
    writer.append_skip_mark(&SkipMark { seq, reason: reason.to_owned() })
}

/// The file that goes as far as `seq`. Events enter their log behind the gate only, and snapshots behind the event log.
fn told(storage: &dyn Storage, snapshots: &SnapshotStore, seq: Seq) -> Result<Option<String>, JournalError> {
    if let Some(newest) = snapshots.list()?.last().filter(|newest| **newest >= seq) {
        return Ok(Some(format!("there is a snapshot at {newest}")));
    }
    // Files follow each other, so the newest that begins before `seq` is the last to look at. What a crash has left behind
    // its good frames counts as well.
    for number in Log::Events.numbers(storage)?.into_iter().rev() {
        let Opened::Walk(walk, header) = EventWalk::open(storage, number)? else { continue };
        if let Some(reached) = walk.find_frame_reaching(seq.get(), walk.at)? {
            return Ok(Some(format!("{} has the events up to {reached}", walk.path)));
        }
        if header.first_seq <= seq {
            break;
        }
    }
    Ok(None)
}
