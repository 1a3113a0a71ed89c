//! How much memory an order at rest takes with all that a partition has of it, and how long cancelling one takes among so many.
//!
//! Measured as the process's resident pages before the orders are there and with them, in a thread of its own: there the
//! allocator has little freed memory of anybody else to give out again. The orders are those with which the mixed flow begins, but
//! made one by one and forgotten, so that nothing but the partition remembers them.

use std::thread;
use std::time::{Duration, Instant};

use exchange::Partition;
use hdrhistogram::Histogram;
use model::{
    AccountId, CancelOrder, CancelRestriction, Command, MarketId, OrderKind, PlaceOrder, PriceTicks, QtyLots,
    Seq, Sequenced, TimeInForce, TimeNs,
};
use simulator::mixed::{Orders, client_id};

use crate::book::memory::resident_bytes;
use crate::flow::{Shape, naming};
use crate::partition::{begun, refused};
use crate::{Measurement, Target};

/// Bytes that an order may take, and nanoseconds that half of the cancels may take, at the most.
const WANTED_BYTES: u64 = 160;
const WANTED_CANCEL_NS: u64 = 500;
/// Orders that are cancelled.
const CANCELS: u64 = 100_000;

/// Steps of a prime above their number reach all of them, neighbours in time far from each other.
const PRIME: usize = 2_147_483_647;

struct Found {
    bytes: u64,
    filling: Duration,
    cancelling: Duration,
    nanos: Histogram<u64>,
    rejects: u64,
}

/// So many resting orders over the markets and accounts of the standard flow. `bytes` is what another process has found that they
/// take, which has done nothing else before. `None` where the system does not tell how much memory a process has.
pub fn run(orders: u64, bytes: Option<u64>) -> Option<[Measurement; 2]> {
    let mut found = thread::spawn(move || measure(orders)).join().expect("a partition works")?;
    found.bytes = bytes.unwrap_or(found.bytes);
    let bytes = found.bytes / orders;
    let filled = Measurement::new("partition, orders that rest", orders, found.filling, found.rejects)
        .with_figures([("bytes", found.bytes), ("bytes_per_order", bytes)])
        .with_target(Target {
            wanted: format!("below {WANTED_BYTES} bytes each"),
            met: bytes < WANTED_BYTES && found.rejects == 0,
        })
        .with_remark(format!(
            "{bytes} bytes for each of {orders} resting orders, everything in the partition included"
        ));
    let p50_ns = found.nanos.value_at_quantile(0.5);
    let cancels = found.nanos.len();
    let cancelled =
        Measurement::new("partition, one of them cancelled", cancels, found.cancelling, found.rejects)
            .with_latency(&found.nanos)
            .with_figures([("p50_ns", p50_ns)])
            .with_target(Target {
                wanted: format!("p50 {WANTED_CANCEL_NS} ns"),
                met: p50_ns <= WANTED_CANCEL_NS && found.rejects == 0,
            });
    Some([filled, cancelled])
}

fn measure(orders: u64) -> Option<Found> {
    let shape = Shape::STANDARD;
    let (mut partition, _) = begun(&shape);
    let mut drawing = Orders::new(&shape);
    // One in so many is cancelled later.
    let stride = (orders / CANCELS).max(1);
    let mut to_cancel = Vec::with_capacity(usize::try_from(orders / stride).expect("fits"));
    let mut events = Vec::with_capacity(1_024);
    let before = resident_bytes()?;
    let (mut filling, mut rejects) = (Duration::ZERO, 0);
    for number in 1..=orders {
        let drawn = drawing.draw();
        let (account, market) = (AccountId(u64::from(drawn.account)), MarketId(drawn.market));
        let kind = OrderKind::Limit {
            price_ticks: PriceTicks(drawn.price(Shape::MID_TICKS)),
            qty_lots: QtyLots(i64::from(drawn.qty)),
            time_in_force: TimeInForce::Gtc,
        };
        let place = Command::PlaceOrder(PlaceOrder {
            account,
            market,
            side: drawn.side,
            kind,
            self_trade_prevention: shape.self_trade_prevention,
            client_order_id: client_id(number),
            valid_until_ns: TimeNs::NEVER,
        });
        let start = Instant::now();
        apply(&mut partition, place, &mut events);
        filling += start.elapsed();
        rejects += refused(&mut events);
        if number.is_multiple_of(stride) {
            to_cancel.push((number, account, market));
        }
    }
    let listed = (to_cancel.capacity() * size_of_val(&to_cancel[..1])) as u64;
    let bytes = resident_bytes()?.saturating_sub(before).saturating_sub(listed);

    let mut nanos: Histogram<u64> = Histogram::new(3).expect("three digits are within its range");
    let mut cancelling = Duration::ZERO;
    let count = to_cancel.len();
    for place in 0..count {
        let (number, account, market) = to_cancel[place * PRIME % count];
        let cancel = Command::CancelOrder(CancelOrder {
            account,
            market,
            order: naming(number),
            restriction: CancelRestriction::None,
            valid_until_ns: TimeNs::NEVER,
        });
        let start = Instant::now();
        apply(&mut partition, cancel, &mut events);
        let taken = start.elapsed();
        cancelling += taken;
        nanos.record(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX)).expect("it grows as it must");
        rejects += refused(&mut events);
    }
    Some(Found { bytes, filling, cancelling, nanos, rejects })
}

fn apply(partition: &mut Partition, command: Command, events: &mut Vec<model::Event>) {
    let seq: Seq = partition.seq().next();
    let input = Sequenced { seq, time_ns: TimeNs(seq.0), command };
    partition.apply_all(std::slice::from_ref(&input), events, |_, _| ());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_counted_and_cancelled_without_a_refusal() {
        let Some([filled, cancelled]) = run(2_000, None) else { return };
        assert_eq!((filled.commands, filled.rejects), (2_000, 0));
        assert_eq!((cancelled.commands, cancelled.rejects), (2_000, 0));
    }
}
