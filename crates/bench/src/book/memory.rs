//! How much memory a book takes for an order at rest.
//!
//! Measured as the process's resident pages before the book is there and with it, in a thread of its own: there the allocator
//! has no freed memory of anybody else to give out again. What a growing table has reserved and never touched is not counted.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use simulator::trace::{Shape, Trace};
use simulator::walking::Message;

use super::contender::answer_all;
use super::ours::Ours;
use super::report::Tally;
use crate::{Measurement, Target};

/// What an order of a large book may take.
const MOST_BYTES: u64 = 80;

/// The process's resident memory in bytes: `VmRSS` of `proc_pid_status(5)`. `None` where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

/// Bytes for an order: of 1,000,000 resting ones, and of trace D's book at its peak. `None` where the system does not tell how
/// much memory a process has. Another shape of the trace has as many orders as it begins with.
pub fn per_order(shape: &Shape) -> Option<[Measurement; 2]> {
    let trace = Trace::new(shape);
    let warm = shape.warm as usize;
    let messages: Vec<_> = trace.records.iter().copied().map(Message::from).collect();
    drop(trace);
    let measured = thread::spawn(move || {
        let before = resident_bytes()?;
        let start = Instant::now();
        let (mut book, mut tally) = (Ours::default(), Tally::default());
        answer_all(&mut book, &messages[..warm], 1_000, &mut tally);
        let taken = |book: &Ours| {
            let bytes = resident_bytes()?.saturating_sub(before);
            Some(found(book.resting(), bytes, start.elapsed()))
        };
        let first = taken(&book)?;
        let mut peak = book.resting();
        for piece in messages[warm..].chunks(100) {
            answer_all(&mut book, piece, piece.len(), &mut tally);
            peak = peak.max(book.resting());
        }
        // What a book has taken it keeps for later, so the end is as large as the peak.
        let bytes = resident_bytes()?.saturating_sub(before);
        Some([first, found(peak, bytes, start.elapsed())])
    });
    measured.join().expect("a book works")
}

fn found(orders: u64, bytes: u64, elapsed: Duration) -> Measurement {
    let each = bytes / orders.max(1);
    let name = format!("book alone, memory of {orders} resting orders");
    let target = Target { wanted: format!("under {MOST_BYTES} bytes each"), met: each < MOST_BYTES };
    Measurement::new(name, orders, elapsed, 0)
        .with_figures([("bytes", bytes), ("bytes_per_order", each)])
        .with_target(target)
        .with_remark(format!("{each} bytes an order, as resident memory"))
}
