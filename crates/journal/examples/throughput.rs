//! Measures the journal on the disk that a directory is on: `cargo run --release -p journal --example throughput DIR`.
//! Appends of large batches on fresh and on recycled segments, the latency of small ones, reading. The directory must be
//! new; it is left behind, about a GiB.

use journal::{
    Behind, DataDir, Durable, EventLogWriter, EventPosition, FrameBuffer, JournalReader, JournalWriter,
    Preparation, Recovery, Settings, Survey,
};
use model::{Seq, TimeNs};
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let root: PathBuf = std::env::args_os().nth(1).ok_or("which directory?")?.into();
    if root.exists() {
        return Err("the directory must be new".into());
    }
    appends(&root.join("fresh"))?;
    recycled(&root.join("recycled"))?;
    reads(&root.join("reads"))?;
    events(&root.join("events-only"))?;
    Ok(())
}

/// A batch of about `bytes`, in commands of 100 bytes.
fn fill(frame: &mut FrameBuffer, first_seq: Seq, bytes: usize) {
    frame.begin(first_seq, TimeNs(first_seq.get()));
    while frame.is_empty() || frame.frame_bytes() + 104 <= bytes {
        frame.push(|out| out.extend_from_slice(&[0x5a; 100]));
    }
}

/// Appends `count` batches and prints what it took.
fn run(name: &str, writer: &mut JournalWriter, bytes: usize, count: u32) -> Result<(), Box<dyn Error>> {
    let mut frame = FrameBuffer::new();
    let mut took = Vec::new();
    let begin = Instant::now();
    for _ in 0..count {
        fill(&mut frame, writer.end().seq().next(), bytes);
        let before = Instant::now();
        writer.append(&mut frame)?;
        took.push(before.elapsed());
    }
    let seconds = begin.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 1000).min(took.len() - 1)];
    println!(
        "{name:<42} {:>7.0} batches/s {:>6.0} MB/s  p50 {:>8} p99 {:>8} p99.9 {:>8} max {:>8}",
        f64::from(count) / seconds,
        f64::from(count) * f64::from(u32::try_from(frame.frame_bytes())?) / seconds / 1e6,
        micros(at(500)),
        micros(at(990)),
        micros(at(999)),
        micros(at(1000)),
    );
    Ok(())
}

fn micros(time: Duration) -> String {
    format!("{} us", time.as_micros())
}

fn appends(root: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let dir = DataDir::open(root)?;
    let settings = Settings::default();
    let begin = Instant::now();
    let (_, mut writer) = JournalWriter::open(dir.storage(), &settings, Durable::GENESIS)?;
    println!("first segment of {} MiB ready in {:?}", settings.journal_segment_bytes >> 20, begin.elapsed());
    run("200 B, the next segment being prepared", &mut writer, 200, 1000)?;
    // Opened again, the next segment is there already and nothing is written in the background.
    drop(writer);
    std::thread::sleep(Duration::from_secs(1));
    let (_, mut writer) = JournalWriter::open(dir.storage(), &settings, Durable::GENESIS)?;
    std::thread::sleep(Duration::from_secs(2));
    run("200 B, nothing else going on", &mut writer, 200, 10_000)?;
    run("4 KiB, nothing else going on", &mut writer, 4 << 10, 4000)?;
    run("64 KiB, fresh segments", &mut writer, 64 << 10, 6000)?;
    run("1 MiB, fresh segments", &mut writer, 1 << 20, 400)?;
    Ok(())
}

fn recycled(root: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let dir = DataDir::open(root)?;
    let settings = Settings { preparation: Preparation::Background, ..Settings::default() };
    let mut recovery = Recovery::open(dir.storage(), &settings)?;
    // Three segments are written, snapshotted and handed back; the same again before each measurement.
    for (name, bytes, count) in
        [("64 KiB, recycled segments", 64 << 10, 1800), ("1 MiB, recycled segments", 1 << 20, 112)]
    {
        for _ in 0..4 {
            let mut frame = FrameBuffer::new();
            for _ in 0..48 {
                fill(&mut frame, recovery.journal.end().seq().next(), 1 << 20);
                recovery.journal.append(&mut frame)?;
            }
            let end = recovery.journal.end();
            let mut events = journal::EventFrame::new();
            let position = recovery.events.position();
            events.begin(position.seq.next(), recovery.journal.time_ns(), position.event_seq.next());
            events.finish(end.seq(), [0; 32]);
            recovery.events.append(&mut events)?;
            let synced = recovery.events.sync()?;
            let time_ns = recovery.journal.time_ns();
            let proof = recovery.snapshots.write(end, synced.position(), synced, time_ns, &[])?;
            recovery.journal.remove_behind(&proof, Behind::Recycle)?;
        }
        run(name, &mut recovery.journal, bytes, count)?;
    }
    Ok(())
}

fn reads(root: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let dir = DataDir::open(root)?;
    let (_, mut writer) = JournalWriter::open(dir.storage(), &Settings::default(), Durable::GENESIS)?;
    let mut frame = FrameBuffer::new();
    for _ in 0..3000 {
        frame.begin(writer.end().seq().next(), TimeNs(1));
        for _ in 0..1000 {
            frame.push(|out| out.extend_from_slice(&[0x5a; 60]));
        }
        writer.append(&mut frame)?;
    }
    let begin = Instant::now();
    let survey = Survey::read(dir.storage(), Durable::GENESIS)?;
    let surveyed = begin.elapsed();
    let begin = Instant::now();
    let mut reader = JournalReader::open(dir.storage(), &survey, Seq(1))?;
    let (mut commands, mut bytes) = (0_u32, 0_usize);
    while let Some(batch) = reader.next()? {
        for (_, record) in batch.commands() {
            commands += 1;
            bytes += record.len();
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "survey of {commands} commands of 60 B: {surveyed:?}; reading: {:.1} million commands/s, {:.0} MB/s",
        f64::from(commands) / seconds / 1e6,
        f64::from(u32::try_from(bytes)?) / seconds / 1e6,
    );
    Ok(())
}

fn events(root: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let dir = DataDir::open(root)?;
    let (_, mut writer) =
        EventLogWriter::open(dir.storage(), &Settings::default(), Seq(0), EventPosition::GENESIS)?;
    let mut frame = journal::EventFrame::new();
    let begin = Instant::now();
    let batches = 3000_u32;
    for _ in 0..batches {
        let position = writer.position();
        frame.begin(position.seq.next(), TimeNs(1), position.event_seq.next());
        for _ in 0..1000 {
            frame.push(|out| out.extend_from_slice(&[0x5a; 60]));
        }
        frame.finish(position.seq.next(), [0; 32]);
        writer.append(&mut frame)?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "event log: {:.1} million events of 60 B/s written, not synced",
        f64::from(batches) / seconds / 1e3
    );
    let begin = Instant::now();
    writer.sync()?;
    println!("event log: synced in {:?}", begin.elapsed());
    Ok(())
}
