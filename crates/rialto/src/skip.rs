//! `rialto journal skip`: a durable mark for a command that cannot be applied.

use std::path::Path;

use journal::DataDir;
use model::Seq;

use crate::partitions::storage_of;
use crate::terminal::say;

pub fn run(data: &Path, partition: u8, seq: u64, reason: &str) -> anyhow::Result<()> {
    // A folder that is not there must not come into being by a typo.
    DataDir::open_read_only(data)?;
    let directory = DataDir::open(data)?;
    let storage = storage_of(&directory, partition)?;
    journal::skip(storage, &journal::Settings::default(), Seq(seq), reason)?;
    say!("Command {seq} is marked. The next start steps over it and says so in the event log.");
    Ok(())
}
