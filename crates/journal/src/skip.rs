//! Marking a command that panics, so that every start steps over it: for a command-line tool, on a directory that no
//! server holds (its [`DataDir`](crate::DataDir) sees to that). Stepping over it is up to whoever applies commands.

use crate::error::JournalError;
use crate::settings::{Preparation, Settings};
use crate::storage::Storage;
use crate::survey::{From, SkipMark, Survey};
use crate::writer::JournalWriter;
use model::Seq;
use std::sync::Arc;

/// Appends a durable mark: "the command at `seq` is stepped over", with the operator's reason (at most 1024 bytes).
/// Refused when there is no such command, or when it is marked already.
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
    let settings = Settings { preparation: Preparation::WhenNeeded, ..settings.clone() };
    let mut writer = JournalWriter::resume(storage, &settings, &survey)?;
    writer.append_skip_mark(&SkipMark { seq, reason: reason.to_owned() })
}
