//! Whoever has a snapshot of a book and the changes after it has the book.

use std::collections::BTreeMap;

use model::{Event, LevelChanged, MarketId, PriceTicks, QtyLots, Side};
use views::{Depth, ViewSettings, Views};

use crate::world::{Pace, World};

type Levels = BTreeMap<(u8, PriceTicks), QtyLots>;

fn side(side: Side) -> u8 {
    u8::from(side == Side::Sell)
}

fn snapshot(depth: &Depth) -> (u64, Levels) {
    let bids = depth.bids().map(|(price, open)| ((side(Side::Buy), price), open));
    let asks = depth.asks().map(|(price, open)| ((side(Side::Sell), price), open));
    (depth.last_update_id(), bids.chain(asks).collect())
}

#[test]
fn a_snapshot_and_the_changes_after_it_are_the_book() {
    let market = MarketId(0);
    for seed in 300..306 {
        println!("seed {seed}");
        let (mut world, listing) = World::new(seed, 1, 3, Pace::Busy);
        let mut views = Views::new(ViewSettings::default());
        views.apply(&listing);
        let mut changes: Vec<LevelChanged> = Vec::new();
        let mut snapshots = Vec::new();
        for step in 0..300 {
            if step % 40 == 0 {
                snapshots.push(snapshot(views.depth(market)));
            }
            let batch = world.step();
            views.apply(&batch);
            changes.extend(batch.events.iter().filter_map(|event| match event {
                Event::LevelChanged(level) => Some(level.clone()),
                _ => None,
            }));
        }
        let (last_update_id, expected) = snapshot(views.depth(market));
        assert_eq!(last_update_id, u64::try_from(changes.len()).unwrap());
        for (from, mut levels) in snapshots {
            // A reader listens before it asks: what it has heard before the snapshot is old.
            for change in changes.iter().filter(|change| change.update_id > from) {
                if change.open_lots.is_zero() {
                    levels.remove(&(side(change.side), change.price_ticks));
                } else {
                    levels.insert((side(change.side), change.price_ticks), change.open_lots);
                }
            }
            assert_eq!(levels, expected, "from update {from}");
        }
        for ((of, price), open) in expected {
            let of = if of == 0 { Side::Buy } else { Side::Sell };
            assert_eq!(views.depth(market).open_at(of, price), open);
        }
    }
}
