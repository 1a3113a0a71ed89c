//! An ancestor: a side is one sorted array of orders, and whoever comes or goes shifts all that are behind him.

use simulator::walking::{Kind, Message};

use super::contender::Contender;
use super::places::{Places, price, rank};
use super::report::{Report, Reports};

struct Resting {
    rank: i64,
    arrival: u64,
    id: u64,
    open: u32,
}

/// Orders by rank and arrival, best first.
#[derive(Default)]
pub struct Sorted {
    sides: [Vec<Resting>; 2],
    places: Places,
}

impl Contender for Sorted {
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        let counter = arriving.side.opposite();
        let worst = rank(counter, arriving.price);
        let makers = &mut self.sides[counter as usize];
        let mut left = arriving.qty;
        while left > 0
            && let Some(maker) = makers.first_mut()
            && maker.rank <= worst
        {
            let qty = left.min(maker.open);
            left -= qty;
            maker.open -= qty;
            let (maker_id, done) = (maker.id, maker.open == 0);
            let at = price(counter, maker.rank);
            reports.tell(Report::Trade { maker: maker_id, taker: arriving.id, price: at, qty });
            if done {
                self.places.leave(maker_id);
                makers.remove(0);
            }
        }
        if left > 0 && arriving.kind != Kind::Immediate {
            let place = self.places.enter(arriving.id, arriving.side, arriving.price);
            let side = &mut self.sides[arriving.side as usize];
            let at = side.partition_point(|resting| resting.rank <= place.rank);
            let resting = Resting { rank: place.rank, arrival: place.arrival, id: arriving.id, open: left };
            side.insert(at, resting);
        }
    }

    fn cancel(&mut self, order: u64) -> bool {
        let Some(place) = self.places.leave(order) else { return false };
        let side = &mut self.sides[place.side as usize];
        let wanted = (place.rank, place.arrival);
        let at = side.binary_search_by_key(&wanted, |resting| (resting.rank, resting.arrival));
        side.remove(at.expect("a resting order is on its side"));
        true
    }
}
