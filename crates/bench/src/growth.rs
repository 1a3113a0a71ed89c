//! What a command costs as an exchange grows: more markets, more resting orders, more accounts, more connections. Each curve
//! changes one of these and leaves the others as the standard flow has them.

use std::error::Error;
use std::path::Path;

use sequencer::Settings;
use simulator::trace;

use crate::book::ours::Ours;
use crate::book::traces::Prepared;
use crate::flow::Shape;
use crate::{Axis, Measurement, durable, partition, rest, ws};

/// How far it goes, so that a small machine, or a test, may stop earlier.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most markets.
    pub markets: u32,
    /// Most resting orders.
    pub resting: u32,
    /// Most accounts.
    pub accounts: u32,
    /// Most connections; with none the program is not started.
    pub connections: usize,
    /// Commands that are measured at each point in memory.
    pub commands: usize,
}

const MARKETS: [u32; 5] = [1, 10, 100, 1_000, 10_000];
const RESTING: [u32; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const ACCOUNTS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const CONNECTIONS: [usize; 5] = [1, 10, 100, 1_000, 10_000];

/// One point of the partition's curves: what changes, how much of it there is, and the flow that this makes.
fn points(bounds: &Bounds) -> Vec<(Axis, u32, Shape)> {
    let mut points = Vec::new();
    for markets in MARKETS.into_iter().filter(|&markets| markets <= bounds.markets) {
        points.push((Axis::Markets, markets, Shape { markets, ..Shape::STANDARD }));
    }
    for resting in RESTING.into_iter().filter(|&resting| resting <= bounds.resting) {
        let fewest = resting as usize;
        points.push((Axis::RestingOrders, resting, Shape { fewest, most: 2 * fewest, ..Shape::STANDARD }));
    }
    for accounts in ACCOUNTS.into_iter().filter(|&accounts| accounts <= bounds.accounts) {
        points.push((Axis::Accounts, accounts, Shape { accounts, ..Shape::STANDARD }));
    }
    points
}

fn called(what: &str, axis: Axis, x: u64) -> String {
    let unit = match axis {
        Axis::Markets => "markets",
        Axis::RestingOrders => "resting orders",
        Axis::Accounts => "accounts",
        Axis::Connections => "connections",
        Axis::BatchBound => "commands a batch",
        Axis::Rate => "orders a second",
    };
    format!("{what}, {x} {unit}")
}

/// The partition in memory, and the book alone.
pub fn in_memory(bounds: &Bounds, show: &mut dyn FnMut(Measurement)) {
    for (axis, x, shape) in points(bounds) {
        let name = called("partition", axis, u64::from(x));
        let found = partition::throughput(name, &shape, bounds.commands);
        show(found.on_curve("partition", axis, u64::from(x)));
    }
    for resting in RESTING.into_iter().filter(|&resting| resting <= bounds.resting) {
        let name = called("book alone", Axis::RestingOrders, u64::from(resting));
        let operations =
            u32::try_from(bounds.commands).unwrap_or(u32::MAX).min(trace::Shape::DEEP.operations);
        let shape = trace::Shape {
            warm: resting,
            operations,
            fewest: resting as usize / 2,
            most: 2 * resting as usize,
            ..trace::Shape::DEEP
        };
        let elapsed = Prepared::new(&shape).pass::<Ours>(&name, BOOK_BATCH);
        let found = Measurement::new(name, u64::from(operations), elapsed, 0);
        show(found.on_curve("book alone", Axis::RestingOrders, u64::from(resting)));
    }
}

/// Messages of a batch for the book alone.
const BOOK_BATCH: usize = 1_000;

/// Partition and journal, at the ends of each curve and in its middle.
pub fn through_the_journal(
    folder: &Path,
    bounds: &Bounds,
    show: &mut dyn FnMut(Measurement),
) -> Result<(), Box<dyn Error>> {
    let (mut standard, mut curves) = (None, Vec::new());
    for (axis, x, shape) in points(bounds) {
        let is_end = matches!(
            (axis, x),
            (Axis::Markets, 1 | 10_000)
                | (Axis::RestingOrders, 1_000 | 1_000_000)
                | (Axis::Accounts, 1_000 | 100_000)
        );
        let batch_max_commands = Settings::default().batch_max_commands;
        let load = durable::Load { shape, commands: bounds.commands, batch_max_commands };
        let found = if is_end {
            durable::run(folder, &load)?.live
        } else if shape == Shape::STANDARD {
            // It is a point of all three curves.
            match standard.take() {
                Some(found) => found,
                None => durable::run(folder, &load)?.live,
            }
        } else {
            continue;
        };
        if shape == Shape::STANDARD {
            standard = Some(found.clone());
        }
        curves.push((axis, x, found));
    }
    for (axis, x, found) in curves {
        let name = called("durable", axis, u64::from(x));
        show(Measurement { name, target: None, ..found }.on_curve("durable", axis, u64::from(x)));
    }
    Ok(())
}

/// Orders over REST and the WebSocket API, durable: the whole way, by connections. What is wanted of many connections is not
/// wanted of one, so no point of these curves is held against it.
pub fn over_the_road(
    program: &Path,
    folder: &Path,
    bounds: &Bounds,
    show: &mut dyn FnMut(Measurement),
) -> Result<(), Box<dyn Error>> {
    for connections in CONNECTIONS.into_iter().filter(|&connections| connections <= bounds.connections) {
        let x = u64::try_from(connections).expect("fits");
        let orders = (x * 20).clamp(2_000, 100_000);
        let load = rest::Load { connections, orders };
        let found = rest::run(program, folder, &load)?.orders;
        let name = called("REST", Axis::Connections, x);
        show(Measurement { name, target: None, ..found }.on_curve("REST", Axis::Connections, x));
        let load = ws::Load { connections, window: 4, proof: ws::Proof::Signed, orders };
        let found = ws::run(program, folder, &load)?.orders;
        let name = called("WebSocket API", Axis::Connections, x);
        show(Measurement { name, target: None, ..found }.on_curve("WebSocket API", Axis::Connections, x));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_curve_has_the_standard_flow_and_goes_as_far_as_its_bound() {
        let bounds =
            Bounds { markets: 1_000, resting: 100_000, accounts: 10_000, connections: 0, commands: 1 };
        let points = points(&bounds);
        assert_eq!(points.iter().filter(|(_, _, shape)| *shape == Shape::STANDARD).count(), 3);
        let furthest = |axis| points.iter().filter(|point| point.0 == axis).map(|point| point.1).max();
        let axes = [Axis::Markets, Axis::RestingOrders, Axis::Accounts];
        assert_eq!(axes.map(furthest), [Some(1_000), Some(100_000), Some(10_000)]);
    }
}
