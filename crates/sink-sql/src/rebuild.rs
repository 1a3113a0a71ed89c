//! Deriving the tables again from the event log's first event.

use std::sync::Arc;

use journal::{Durable, Storage, Survey};
use model::{PartitionId, Seq};

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
        let mut tail = Tail::open(storage, position)?;
        let mut fold = Fold::new(partition, listed, settings.rows_remembered);
        let mut batches = Vec::new();
        loop {
            let left_at = tail.position();
            batches.clear();
            tail.read(&mut batches, settings.batch_max_events, settings.batch_max_bytes)?;
            if batches.is_empty() {
                break;
            }
            let reached = (left_at, tail.position());
            let rows = write(&mut *database, partition, &writer, &mut fold, &batches, reached)?;
            rebuilt.rows += u64::try_from(rows).expect("fits");
            progress(before + tail.position().seq.0.min(end.0), total);
        }
        rebuilt.events += tail.position().event_seq.0;
        before += end.0;
    }
    Ok(rebuilt)
}
