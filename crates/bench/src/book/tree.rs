//! A rival: a tree of levels, each a queue of orders. What most books of the field are.

use std::collections::{BTreeMap, VecDeque};

use simulator::walking::{Kind, Message};

use super::contender::Contender;
use super::places::{Places, price, rank};
use super::report::{Report, Reports};

struct Resting {
    id: u64,
    arrival: u64,
    open: u32,
}

/// Levels by rank, orders by arrival.
#[derive(Default)]
pub struct Tree {
    sides: [BTreeMap<i64, VecDeque<Resting>>; 2],
    places: Places,
}

impl Contender for Tree {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        let counter = arriving.side.opposite();
        let worst = rank(counter, arriving.price);
        let mut left = arriving.qty;
        while left > 0
            && let Some(mut level) = self.sides[counter as usize].first_entry()
            && *level.key() <= worst
        {
            let at = price(counter, *level.key());
            let queue = level.get_mut();
            while left > 0
                && let Some(maker) = queue.front_mut()
            {
                let qty = left.min(maker.open);
                left -= qty;
                maker.open -= qty;
                reports.tell(Report::Trade { maker: maker.id, taker: arriving.id, price: at, qty });
                if maker.open == 0 {
                    self.places.leave(maker.id);
                    queue.pop_front();
                }
            }
            if queue.is_empty() {
                level.remove();
            }
        }
        if left > 0 && arriving.kind != Kind::Immediate {
            let place = self.places.enter(arriving.id, arriving.side, arriving.price);
            let resting = Resting { id: arriving.id, arrival: place.arrival, open: left };
            self.sides[arriving.side as usize].entry(place.rank).or_default().push_back(resting);
        }
    }

    fn cancel(&mut self, order: u64) -> bool {
        let Some(place) = self.places.leave(order) else { return false };
        let levels = &mut self.sides[place.side as usize];
        let queue = levels.get_mut(&place.rank).expect("a resting order has a level");
        let at = queue.binary_search_by_key(&place.arrival, |resting| resting.arrival);
        queue.remove(at.expect("a resting order is in its queue"));
        if queue.is_empty() {
            levels.remove(&place.rank);
        }
        true
    }
}
