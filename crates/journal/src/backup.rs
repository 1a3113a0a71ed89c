//! A copy of a data directory's files that belong together, beside a process that writes them or without one.

use crate::error::JournalError;
use crate::frame::Durable;
use crate::segment::Log;
use crate::snapshot::{self, SnapshotStore};
use crate::storage::{Storage, StorageFile};
use crate::survey::Survey;
use crate::walk::Walk;
use model::{Seq, TimeNs};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Clocks are corrected by less than this; what was set back by more is somebody's to mend.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Bytes that are copied at once.
const PIECE: u64 = 1 << 20;

/// Copies what belongs together of each storage into an empty one, and syncs it: the newest whole snapshot, the event log and the
/// journal. The journal's copy ends where its last whole batch ended; the event log's is not beyond it, as events are written
/// behind their batch and are copied before it. A copy that ends in the middle of an event is what a crash leaves too: the start
/// derives it.
///
/// Several storages are those of the partitions of one exchange. Their journals are copied up to one moment, which is a
/// consistent cut: no batch is stamped before the one that it has heard of.
pub fn copy(pairs: &[(&Arc<dyn Storage>, &dyn Storage)]) -> Result<Vec<Copied>, JournalError> {
    let begun = pairs.iter().map(|(from, into)| begin(from, *into)).collect::<Result<Vec<_>, _>>()?;
    let mut moment = TimeNs::NEVER;
    if pairs.len() > 1 {
        moment = TimeNs(0);
        for ((from, _), (newest, _)) in pairs.iter().zip(&begun) {
            moment = moment.max(Survey::read(from, *newest)?.time_ns);
        }
        // Whatever is stamped from now on is behind it, unless the clock was set back.
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        while let Some(ahead) = Duration::from_nanos(moment.0).checked_sub(now()) {
            if ahead > LONGEST_WAIT {
                return Err(JournalError::ClockBehind { seconds: ahead.as_secs() });
            }
            std::thread::sleep(ahead + Duration::from_millis(1));
        }
    }
    let finish = |((from, into), (newest, paths)): (&(&Arc<dyn Storage>, &dyn Storage), _)| {
        finish(from, *into, newest, paths, moment)
    };
    pairs.iter().zip(begun).map(finish).collect()
}

/// Snapshot and event log: what must not be ahead of the journal's copy.
fn begin(from: &Arc<dyn Storage>, into: &dyn Storage) -> Result<(Durable, Vec<String>), JournalError> {
    let (newest, mut paths) = copy_snapshot(from, into)?;
    for number in Log::Events.numbers(&**from)? {
        let path = Log::Events.path(number);
        let file = from.open(&path).map_err(JournalError::io("open", &path))?;
        let size = file.size().map_err(JournalError::io("see the size of", &path))?;
        copy_file(&*file, into, &path, size, size)?;
        paths.push(path);
    }
    Ok((newest, paths))
}

/// The journal, up to a moment.
fn finish(
    from: &Arc<dyn Storage>,
    into: &dyn Storage,
    newest: Durable,
    mut paths: Vec<String>,
    moment: TimeNs,
) -> Result<Copied, JournalError> {
    let survey = Survey::read(from, newest)?;
    let (mut last, mut used, mut end) =
        (survey.segments.len().checked_sub(1), survey.tail.at, survey.end.seq());
    if moment < survey.time_ns && !survey.segments.is_empty() {
        let start =
            survey.segments.partition_point(|segment| segment.first_seq <= newest.seq().max(Seq(1))) - 1;
        let mut walk = Walk::open(Arc::clone(from), survey.segments.clone(), start, Some(survey.tail.at))?;
        (last, used, end) = (Some(start), walk.at, Seq(survey.segments[start].first_seq.get() - 1));
        while let Some(frame) = walk.next()? {
            if frame.time_ns > moment {
                break;
            }
            (last, used, end) = (Some(walk.segment_index()), walk.at, Seq(frame.next_seq() - 1));
        }
    }
    for (index, segment) in survey.segments.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
        let path = Log::Journal.path(segment.number);
        let file = from.open(&path).map_err(JournalError::io("open", &path))?;
        // What is behind the end may be a batch that is being written, or one behind the moment.
        let used = if last == Some(index) { used } else { segment.capacity };
        copy_file(&*file, into, &path, used, segment.capacity)?;
        paths.push(path);
    }
    for folder in [snapshot::FOLDER, Log::Events.folder(), Log::Journal.folder()] {
        into.sync_folder(folder).map_err(JournalError::io("sync the folder", folder))?;
    }
    Ok(Copied { end, snapshot: newest.seq(), paths })
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
