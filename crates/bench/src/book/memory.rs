//! How much memory a book takes for an order at rest.
//!
//! Measured as the process's resident pages before the book is there and with it, in a thread of its own: there the allocator
//! has no freed memory of anybody else to give out again. What a growing table has reserved and never touched is not counted.

use std::fs;
use std::thread;

use simulator::trace::{Shape, Trace};
use simulator::walking::Message;

use super::contender::answer_all;
use super::ours::Ours;
use super::report::Tally;
use crate::Measurement;

/// The process's resident memory in bytes: `VmRSS` of `proc_pid_status(5)`. `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

/// Bytes for an order: of 1,000,000 resting ones, and of trace D's book at its peak. `None` where the system does not tell how
/// much memory a process has.
pub fn per_order() -> Option<[Measurement; 2]> {
    let trace = Trace::new(&Shape::DEEP);
    let warm = Shape::DEEP.warm as usize;
    let messages: Vec<_> = trace.records.iter().copied().map(Message::from).collect();
    drop(trace);
    let measured = thread::spawn(move || {
        let before = resident_bytes()?;
        let (mut book, mut tally) = (Ours::default(), Tally::default());
        answer_all(&mut book, &messages[..warm], 1_000, &mut tally);
        let (first, first_bytes) = (book.resting(), resident_bytes()? - before);
        let mut peak = first;
        for piece in messages[warm..].chunks(100) {
            answer_all(&mut book, piece, piece.len(), &mut tally);
            peak = peak.max(book.resting());
        }
        // What a book has taken it keeps for later, so the end is as large as the peak.
        Some([
            ("resting orders, trace D's first", first, first_bytes),
            ("resting orders, trace D's peak", peak, resident_bytes()? - before),
        ])
    });
    let measured = measured.join().expect("a book works")?;
    Some(measured.map(|(name, orders, bytes)| {
        Measurement::new(format!("book alone, memory: {name}"), orders, std::time::Duration::ZERO, 0)
            .with_figures([("bytes", bytes), ("bytes_per_order", bytes / orders)])
            .with_remark(format!(
                "{} bytes for each of {orders} resting orders, by resident memory",
                bytes / orders
            ))
    }))
}
