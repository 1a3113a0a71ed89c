//! Where an order is, by its number: numbers are dense, so this is a list.

use model::Side;

/// What finds an order in its book.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// On which side.
    pub side: Side,
    /// Its price as its side counts it: see [`rank`].
    pub rank: i64,
    /// How many had arrived before it: no two orders of a book have the same.
    pub arrival: u64,
}

/// The places of all orders there are.
#[derive(Default)]
pub struct Places {
    by_id: Vec<Option<Place>>,
    arrived: u64,
}

impl Places {
    /// An order comes to rest.
    pub fn enter(&mut self, id: u64, side: Side, price: i64) -> Place {
        let place = Place { side, rank: rank(side, price), arrival: self.arrived };
        self.arrived += 1;
        let at = index(id);
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, None);
        }
        self.by_id[at] = Some(place);
        place
    }

    /// An order is gone; says where it was, if it was anywhere.
    pub fn leave(&mut self, id: u64) -> Option<Place> {
        self.by_id.get_mut(index(id))?.take()
    }
}

/// A price as its side counts it: the lower, the better.
pub fn rank(side: Side, price: i64) -> i64 {
    match side {
        Side::Buy => -price,
        Side::Sell => price,
    }
}

/// The price that has this rank.
pub fn price(side: Side, rank: i64) -> i64 {
    self::rank(side, rank)
}

/// Where what belongs to an order is kept.
pub fn index(id: u64) -> usize {
    usize::try_from(id).expect("a number is an index")
}
