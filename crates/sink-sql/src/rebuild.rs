//! Deriving the tables again from the event log's first event.

use std::sync::Arc;
use std::{io, thread};

use journal::{Durable, Storage, Survey};
use model::{PartitionId, Seq};

use crate::ahead::Ahead;
use crate::fold::Fold;
use crate::position::{self, WriterName};
use crate::settings::SqlSettings;
use crate::tail::Tail;
use crate::writer::write;
use crate::{SqlError, dialect, schema};

/// What was derived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// From so many events.
    pub events: u64,
    /// So many rows were written, those included that were written again later.
    pub rows: u64,
}

/// Empties the tables and fills them from the event logs of all partitions, as far as they come now. A writer that is running
/// stops, since the tables are taken from it. `progress` is told how many of how many commands are done.
pub fn rebuild(
    settings: &SqlSettings,
    storages: &[Arc<dyn Storage>],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Rebuilt, SqlError> {
    let mut database = dialect::connect(settings)?;
    schema::empty(&mut *database)?;
    let ends = storages.iter().map(|storage| Ok(Survey::read(storage, Durable::GENESIS)?.end.seq()));
    let ends = ends.collect::<Result<Vec<Seq>, SqlError>>()?;
    let total = ends.iter().map(|end| end.0).sum();
    let (writer, mut rebuilt, mut before) = (WriterName::new(), Rebuilt::default(), 0);
    for ((partition, storage), end) in (0..).map(PartitionId).zip(storages).zip(ends) {
        let (position, listed) = position::take(&mut *database, partition, settings.tables, &writer, false)?;
        let tail = Tail::open(storage, position)?;
        let mut fold = Fold::new(partition, listed, settings.rows_remembered);
        let events = thread::scope(|scope| {
            let no_thread = |error: io::Error| SqlError::database("cannot start a thread")(&error);
            let mut ahead = Ahead::start(scope, "sql-rebuild", tail, settings).map_err(no_thread)?;
            loop {
                let piece = ahead.next()?;
                if piece.batches.is_empty() {
                    return Ok::<_, SqlError>(piece.reached.event_seq.0);
                }
                ahead.look();
                let rows = write(&mut *database, partition, &writer, &mut fold, &piece)?;
                rebuilt.rows += u64::try_from(rows).expect("fits");
                progress(before + piece.reached.seq.0.min(end.0), total);
            }
        })?;
        rebuilt.events += events;
        before += end.0;
    }
    Ok(rebuilt)
}
