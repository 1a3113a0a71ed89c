//! `rialto verify`: applies the journal again from its first command and compares what comes of it with the event log and
//! with every snapshot; and what all partitions together come to with what must hold of them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use codec::EventChain;
use dialect::decimal::Decimal;
use exchange::{Partition, Together};
use journal::{DataDir, Durable, EventLogReader, JournalError, SnapshotStore, Storage, Survey};
use model::{Amount, Event, Seq, TimeNs};

use crate::progress;
use crate::terminal::say;

/// How far a journal was read.
struct End {
    seq: Seq,
    time_ns: TimeNs,
    /// How many partitions the journal knows of.
    partitions: u8,
    /// Commands that were stepped over.
    skipped: u64,
}

pub fn run(data: &Path) -> anyhow::Result<()> {
    let directory = DataDir::open_read_only(data)?;
    let storages = directory.storages();
    if let [only] = storages {
        let partitions = verify(only)?.partitions;
        if partitions > 1 {
            bail!("the exchange has {partitions} partitions, and {} has the files of one", data.display());
        }
        say!("The journal, the event log and the snapshots agree.");
        return Ok(());
    }
    let mut ends = Vec::new();
    for (partition, storage) in storages.iter().enumerate() {
        if partition > 0 {
            say!("");
        }
        say!("partition     {partition}");
        ends.push(verify(storage).with_context(|| format!("partition {partition}"))?);
    }
    together(storages, &ends)?;
    say!(
        "The journals, the event logs and the snapshots agree, each with itself and all {} partitions with each other.",
        storages.len()
    );
    Ok(())
}

/// What must hold of all partitions together: at their ends, or of a running exchange at the last moment up to which all of them
/// were read.
fn together(storages: &[Arc<dyn Storage>], ends: &[End]) -> anyhow::Result<()> {
    let mut is_running = false;
    for (storage, end) in storages.iter().zip(ends) {
        is_running |= Survey::read(storage, Durable::GENESIS)?.end.seq() > end.seq;
    }
    let times = || ends.iter().map(|end| end.time_ns.0);
    let moment = if is_running {
        // Another batch of that very moment may have come behind what was read.
        times().min().unwrap_or_default().saturating_sub(1)
    } else {
        // What comes from now on is behind all of it.
        times().max().unwrap_or_default()
    };
    let moment = TimeNs(moment);
    let states = storages
        .iter()
        .map(|storage| sequencer::state_at(storage, moment))
        .collect::<Result<Vec<Partition>, _>>()?;
    let states: Vec<&Partition> = states.iter().collect();
    let count = states[0].partitions().count();
    if usize::from(count) != states.len() {
        bail!("the exchange has {count} partitions, and there are journals of {}", states.len());
    }
    let all = Together::new(&states);
    let skipped: u64 = ends.iter().map(|end| end.skipped).sum();
    let why = match skipped {
        0 => String::new(),
        skipped => {
            format!(" ({skipped} commands were stepped over by rialto journal skip, which may be why)")
        }
    };
    all.check().map_err(|broken| anyhow!("the partitions do not fit together: {broken}{why}"))?;
    let envelopes = all.on_their_way().count();
    say!("\ntogether      {envelopes} messages on their way");
    for (asset, terms) in states[0].catalog().assets() {
        let totals = all.totals(asset);
        let text = |amount: Amount| Decimal { units: amount.0, scale: terms.scale };
        say!(
            "{:<13} {} deposited - {} withdrawn = {} free + {} held + {} fees + {} in flight",
            terms.name,
            text(totals.deposited),
            text(totals.withdrawn),
            text(totals.free),
            text(totals.held),
            text(totals.fees),
            text(totals.elsewhere)
        );
    }
    Ok(())
}

fn verify(storage: &Arc<dyn Storage>) -> anyhow::Result<End> {
    let settings = journal::Settings::default();
    let snapshots = SnapshotStore::new(storage, settings.snapshots_kept);
    let mut to_check = snapshots.list()?;
    let mut events = EventLogReader::open(storage, Seq(1)).context("the event log cannot be read")?;
    let bar = progress::bar("Verifying", 0, true);
    let (mut compared, mut following) = (0_u64, true);
    let mut chain = EventChain::default();
    let (mut time_ns, mut partitions, mut skipped) = (TimeNs(0), 1, 0);

    let end = sequencer::audit(storage, &mut |step| {
        bar.set_length(step.bytes_total);
        bar.set_position(step.bytes_done);
        let batch = step.batch;
        time_ns = batch.time_ns;
        partitions = step.partition.partitions().count();
        let is_skip = |event: &&Event| matches!(event, Event::Skipped { .. });
        skipped += batch.events.iter().filter(is_skip).count() as u64;
        // The event log may end before the journal: its tail is derived again at the next start, or is on its way.
        let frame = if following { events.next()? } else { None };
        following = frame.is_some();
        if let Some(frame) = frame {
            // The hash of what is there, not only the hash that stands beside it.
            let records = frame.records.as_bytes();
            let found = chain.extend(frame.first_seq, frame.time_ns, frame.first_event_seq, records);
            if (frame.last_seq, frame.chain, found) != (batch.last_seq(), step.chain, step.chain) {
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
    Ok(End { seq: end.seq, time_ns, partitions, skipped })
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
