//! Recordings of a few rows, written for a test.

use std::fmt::Write as _;
use std::path::Path;

use simulator::l3::rows::{Row, orders_from};

/// Rows from lines of `order venue-time price lots kind side`; the recorder hears each 80 ms later. The made-up ones are
/// written with `listed` (time 1000, heard at 3000) and `standing` (time and heard at 9000) for kind.
pub fn recording(lines: &str) -> Vec<Row> {
    let mut text = "id,timestamp,exchange_timestamp,price,volume,action,direction\n".to_owned();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [order, time, price, lots, kind, side] = words[..] else { panic!("six words a line: {line:?}") };
        let time: u64 = time.parse().unwrap();
        let (local, exchange, action) = match kind {
            "listed" => (3000, 1000, "created"),
            "standing" => (9000, 9000, "deleted"),
            other => (time + 80, time, other),
        };
        writeln!(text, "{order},{local},{exchange},{price},{lots}e-8,{action},{side}").unwrap();
    }
    orders_from(Path::new("written here"), text.as_bytes()).unwrap()
}
