//! How far a partition's events are in the database: a row that is written in the transaction of each batch, and that lets one
//! writer in.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

use model::{EventSeq, PartitionId, Seq, TimeNs};

use crate::SqlError;
use crate::dialect::Dialect;
use crate::listed::Listed;
use crate::settings::Tables;
use crate::table::{Moment, Value, WRITER_POSITION};

/// A place in the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last command whose events are written.
    pub seq: Seq,
    /// The last of them.
    pub event_seq: EventSeq,
    /// The hash over all events up to there.
    pub chain: [u8; 32],
    /// When that was.
    pub time_ns: TimeNs,
}

impl Position {
    /// Before the first event.
    pub const GENESIS: Self =
        Self { seq: Seq(0), event_seq: EventSeq(0), chain: [0; 32], time_ns: TimeNs(0) };
}

/// The name of one run of one writer; no other ever had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterName(String);

impl WriterName {
    pub fn new() -> Self {
        let halves = [(); 2].map(|()| RandomState::new().hash_one(std::process::id()));
        Self(format!("{:016x}{:016x}", halves[0], halves[1]))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The row of a partition: where it stands, what is listed there, and who writes it.
pub struct Standing {
    pub position: Position,
    pub listed: Listed,
    writer: String,
}

/// Reads the row of a partition; `None` before the first writer.
pub fn read(
    database: &mut dyn Dialect,
    partition: PartitionId,
    lock: bool,
) -> Result<Option<Standing>, SqlError> {
    let words = database.words();
    let (listed, micros) = ((words.hex)("listed"), (words.micros)("batch_time"));
    let locking = if lock { words.locking } else { "" };
    let rows = database.query(&format!(
        "SELECT command_seq, event_seq, event_chain, {micros}, writer, {listed} FROM writer_position WHERE partition_id = \
         {partition}{locking}"
    ))?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let wrong = || {
        SqlError::Disagrees(format!("the row of partition {partition} in writer_position is not one of ours"))
    };
    let row: Vec<String> = row.into_iter().collect::<Option<_>>().ok_or_else(wrong)?;
    let number = |column: usize| row[column].parse::<u64>().map_err(|_| wrong());
    let chain = from_hex(&row[2]).and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
    let listed = from_hex(&row[5]).ok_or_else(wrong)?;
    let listed =
        Listed::decode(&listed).map_err(|error| SqlError::Disagrees(format!("what is listed: {error}")))?;
    let position = Position {
        seq: Seq(number(0)?),
        event_seq: EventSeq(number(1)?),
        chain,
        time_ns: TimeNs(number(3)?.saturating_mul(1_000)),
    };
    Ok(Some(Standing { position, listed, writer: row[4].clone() }))
}

/// Makes `writer` the one who writes a partition, from now on: whoever did so before finds out before it writes again. A writer
/// that had it (`again`) and lost it to another does not take it back.
pub fn take(
    database: &mut dyn Dialect,
    partition: PartitionId,
    tables: Tables,
    writer: &WriterName,
    again: bool,
) -> Result<(Position, Listed), SqlError> {
    let words = database.words();
    database.execute(words.begin)?;
    let standing = read(database, partition, true)?;
    if again && standing.as_ref().is_none_or(|standing| standing.writer != writer.0) {
        return Err(SqlError::TakenOver { partition: partition.0 });
    }
    let (position, listed) = match standing {
        None => (Position::GENESIS, Listed::new(tables)),
        Some(mut standing) => {
            standing.listed.take_tables(tables)?;
            (standing.position, standing.listed)
        }
    };
    write(database, partition, writer, &position, Some(&listed))?;
    database.execute("COMMIT")?;
    Ok((position, listed))
}

/// Begins a transaction in which nobody else can move the position, and stops unless it is where this writer left it.
pub fn lock(
    database: &mut dyn Dialect,
    partition: PartitionId,
    writer: &WriterName,
    left_at: &Position,
) -> Result<(), SqlError> {
    database.execute(database.words().begin)?;
    let locking = database.words().locking;
    let rows = database.query(&format!(
        "SELECT writer, event_seq, event_chain FROM writer_position WHERE partition_id = {partition}{locking}"
    ))?;
    let ours = [writer.0.clone(), left_at.event_seq.to_string(), hex(&left_at.chain)].map(Some);
    if rows.first().is_some_and(|row| row[..] == ours) {
        Ok(())
    } else {
        Err(SqlError::TakenOver { partition: partition.0 })
    }
}

/// Writes the row of a partition; `listed` where it has changed.
pub fn write(
    database: &mut dyn Dialect,
    partition: PartitionId,
    writer: &WriterName,
    position: &Position,
    listed: Option<&Listed>,
) -> Result<(), SqlError> {
    let Position { seq, event_seq, chain, time_ns } = position;
    let (chain, moment) = (hex(chain), Moment::from(*time_ns));
    if let Some(listed) = listed {
        return database.upsert(
            &WRITER_POSITION,
            &[
                Value::id(partition.0.into()),
                Value::id(seq.0),
                Value::id(event_seq.0),
                Value::Text(&chain),
                Value::Moment(moment),
                Value::Text(&writer.0),
                Value::Bytes(&listed.encode()),
            ],
        );
    }
    database.execute(&format!(
        "UPDATE writer_position SET command_seq = {seq}, event_seq = {event_seq}, event_chain = '{chain}', batch_time = '{moment}' \
         WHERE partition_id = {partition}"
    ))
}
