//! A copy of a data directory's files that belong together, beside a process that writes them or without one.

use crate::error::JournalError;
use crate::frame::Durable;
use crate::segment::Log;
use crate::snapshot::{self, SnapshotStore};
use crate::storage::{Storage, StorageFile};
use crate::survey::Survey;
use model::Seq;
use std::sync::Arc;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The last command in the copy.
    pub end: Seq,
    /// The last command in its snapshot, 0 without one.
    pub snapshot: Seq,
    /// Every file, as a path in the storage, in order.
    pub paths: Vec<String>,
}

/// Bytes that are copied at once.
const PIECE: u64 = 1 << 20;

/// Copies the newest whole snapshot, the event log and the journal into an empty storage, and syncs them. The journal's
/// copy ends where its last whole batch ended; the event log's is not beyond it, as events are written behind their batch
/// and are copied before it. A copy that ends in the middle of an event is what a crash leaves too: the start derives it.
pub fn copy(from: &Arc<dyn Storage>, into: &dyn Storage) -> Result<Copied, JournalError> {
    let (newest, mut paths) = copy_snapshot(from, into)?;
    for number in Log::Events.numbers(&**from)? {
        let path = Log::Events.path(number);
        let file = from.open(&path).map_err(JournalError::io("open", &path))?;
        let size = file.size().map_err(JournalError::io("see the size of", &path))?;
        copy_file(&*file, into, &path, size, size)?;
        paths.push(path);
    }
    let survey = Survey::read(from, newest)?;
    for (index, segment) in survey.segments.iter().enumerate() {
        let path = Log::Journal.path(segment.number);
        let file = from.open(&path).map_err(JournalError::io("open", &path))?;
        // What is behind the end may be a batch that is being written.
        let is_last = index + 1 == survey.segments.len();
        let used = if is_last { survey.tail.at } else { segment.capacity };
        copy_file(&*file, into, &path, used, segment.capacity)?;
        paths.push(path);
    }
    for folder in [snapshot::FOLDER, Log::Events.folder(), Log::Journal.folder()] {
        into.sync_folder(folder).map_err(JournalError::io("sync the folder", folder))?;
    }
    Ok(Copied { end: survey.end.seq(), snapshot: newest.seq(), paths })
}

/// The newest whole one; while it is copied a running exchange may replace it by a newer one.
fn copy_snapshot(
    from: &Arc<dyn Storage>,
    into: &dyn Storage,
) -> Result<(Durable, Vec<String>), JournalError> {
    let store = SnapshotStore::new(from, 1);
    loop {
        let before = store.list()?;
        let newest = match store.newest_valid() {
            Ok(newest) => newest.snapshot,
            Err(JournalError::Io { .. }) if store.list()? != before => continue,
            Err(error) => return Err(error),
        };
        let Some(newest) = newest else { return Ok((Durable::GENESIS, Vec::new())) };
        let path = snapshot::path(newest.seq());
        write(into, &path, newest.bytes())?;
        return Ok((newest.journal(), vec![path]));
    }
}

fn write(into: &dyn Storage, path: &str, bytes: &[u8]) -> Result<(), JournalError> {
    let file = into.create(path).map_err(JournalError::io("create", path))?;
    file.write_at(bytes, 0).map_err(JournalError::io("write", path))?;
    file.sync().map_err(JournalError::io("sync", path))
}

/// The first `used` bytes, and zeros behind them up to `size`.
fn copy_file(
    file: &dyn StorageFile,
    into: &dyn Storage,
    path: &str,
    used: u64,
    size: u64,
) -> Result<(), JournalError> {
    let copy = into.create(path).map_err(JournalError::io("create", path))?;
    let mut piece = vec![0; crate::layout::in_memory(PIECE)];
    let mut at = 0;
    while at < used {
        let len = crate::layout::in_memory(PIECE.min(used - at));
        let read = file.read_at(&mut piece[..len], at).map_err(JournalError::io("read", path))?;
        if read == 0 {
            break;
        }
        copy.write_at(&piece[..read], at).map_err(JournalError::io("write", path))?;
        at += crate::layout::offset(read);
    }
    copy.set_size(size).map_err(JournalError::io("set the size of", path))?;
    copy.sync().map_err(JournalError::io("sync", path))
}
