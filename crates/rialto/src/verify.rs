//! `rialto verify`: applies the journal again from its first command and compares what comes of it with the event log and
//! with every snapshot.

use std::path::Path;

use anyhow::{Context as _, bail};
use codec::EventChain;
use journal::{DataDir, Durable, EventLogReader, JournalError, SnapshotStore, Survey};
use model::Seq;

use crate::progress;
use crate::terminal::say;

pub fn run(data: &Path) -> anyhow::Result<()> {
    let directory = DataDir::open_read_only(data)?;
    let storage = directory.storage();
    let settings = journal::Settings::default();
    let snapshots = SnapshotStore::new(storage, settings.snapshots_kept);
    let mut to_check = snapshots.list()?;
    let mut events = EventLogReader::open(storage, Seq(1)).context("the event log cannot be read")?;
    let bar = progress::bar("Verifying", 0, true);
    let (mut compared, mut following) = (0_u64, true);
    let mut chain = EventChain::default();

    let end = sequencer::audit(storage, &mut |step| {
        bar.set_length(step.bytes_total);
        bar.set_position(step.bytes_done);
        let batch = step.batch;
        // The event log may end before the journal: its tail is derived again at the next start, or is on its way.
        let frame = if following { events.next()? } else { None };
        following = frame.is_some();
        if let Some(frame) = frame {
            // The hash of what is there, not only the hash that stands beside it.
            let records = frame.records.as_bytes();
            let found = chain.extend(frame.first_seq, frame.time_ns, frame.first_event_seq, records);
            if (frame.last_seq, frame.chain, found) != (batch.last_seq(), batch.chain, batch.chain) {
                bail!(
                    "the events of the batch that ends at command {} are not those of the journal",
                    frame.last_seq
                );
            }
            compared += u64::from(frame.event_count);
        }
        if to_check.first() == Some(&batch.last_seq()) {
            let seq = to_check.remove(0);
            let saved = match snapshots.read(seq) {
                // A running exchange has replaced it by newer ones meanwhile.
                Err(JournalError::Io { .. }) if !snapshots.list()?.contains(&seq) => return Ok(()),
                saved => saved?,
            };
            if saved.section("partition") != Some(step.partition.snapshot().as_slice()) {
                bail!("the snapshot at command {seq} is not the state that the journal leads to");
            }
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    if let Some(seq) = to_check.first() {
        if *seq <= end.seq {
            bail!("the snapshot at command {seq} lies inside a batch of the journal");
        }
        // It was there before the journal was read.
        bail!(ahead(&format!("the snapshot at command {seq} is"), end.seq));
    }
    if let Some(frame) = events.next()? {
        // A running exchange goes on meanwhile; but what is in the event log was in the journal before.
        let last = frame.last_seq;
        let end = Survey::read(storage, Durable::GENESIS)?.end.seq();
        if last > end {
            bail!(ahead(&format!("the event log has command {last} and is"), end));
        }
    }
    say!("commands      {}", end.seq);
    say!("events        {compared} compared with the event log");
    say!("state hash    {}", hex(&end.state_hash));
    say!("event chain   {}", hex(&end.event_chain));
    say!("The journal, the event log and the snapshots agree.");
    Ok(())
}

fn ahead(what: &str, end: Seq) -> String {
    format!("{what} ahead of the journal, which ends at command {end}: acknowledged batches are missing")
}

/// Two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
