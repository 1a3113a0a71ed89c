//! The book as the rows alone tell it, without matching anything: what the exchange's book is held against.
//!
//! It shares with the rest nothing but the parsed [`Row`]s. Its rules are few: a created order stands at the price of its
//! create, with what its last row says is open, until it is deleted; a change that leaves as much open or more may move it. The messages of one match come one by one, so the book
//! is looked at only where a row is *settled*: the next one has another venue time. A book that is settled is never crossed;
//! where it would be, the newer order is right, and the older one was never there (it came from a list of standing orders
//! that was out of date): such orders are found in a first pass and left out of the second.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{PriceTicks, QtyLots, Side};

use super::rows::{Row, RowKind};

/// A price, and all that is open there.
pub type Level = (PriceTicks, QtyLots);

/// The best levels of both sides, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// To buy, highest price first.
    pub bids: Vec<Level>,
    /// To sell, lowest price first.
    pub asks: Vec<Level>,
}

/// A moment at which the book can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// All rows up to this one, which is settled, have happened.
    pub row: u32,
    /// The best levels after it.
    pub levels: Levels,
}

/// Rebuilds the book and looks at its best `depth` levels a side at about `wanted` settled rows, evenly spread over the rows
/// from number `first` to number `last`.
pub fn moments(rows: &[Row], first: u32, last: u32, wanted: u32, depth: usize) -> Vec<Moment> {
    let stale = stale_orders(rows, first, last);
    let stride = ((last - first) / wanted.max(1)).max(1);
    let mut next_look = first;
    let mut book = Book::default();
    let mut moments = Vec::new();
    for (row, settled) in with_settled(rows).take_while(|(row, _)| row.number <= last) {
        if !stale.contains(&row.order) {
            book.hear(row);
        }
        if settled && row.number >= next_look {
            moments.push(Moment { row: row.number, levels: book.best(depth) });
            next_look = row.number + stride;
        }
    }
    moments
}

/// The orders that a settled book shows to be out of date, by number.
fn stale_orders(rows: &[Row], first: u32, last: u32) -> HashSet<u64> {
    let mut stale = HashSet::new();
    let mut book = Book::default();
    for (row, settled) in with_settled(rows).take_while(|(row, _)| row.number <= last) {
        book.hear(row);
        if settled && row.number >= first {
            while let Some(older) = book.older_of_a_crossed_pair() {
                book.remove(older);
                stale.insert(older);
            }
        }
    }
    stale
}

/// Each row, and whether the next one has another venue time.
fn with_settled(rows: &[Row]) -> impl Iterator<Item = (&Row, bool)> {
    rows.iter()
        .enumerate()
        .map(|(at, row)| (row, rows.get(at + 1).is_some_and(|next| next.exchange_ms != row.exchange_ms)))
}

/// Where an order stands on its side: best price first, then by the row that created it.
type Place = (i64, u32);

struct Standing {
    side: Side,
    place: Place,
    open: QtyLots,
}

#[derive(Default)]
struct Book {
    orders: HashMap<u64, Standing>,
    bids: BTreeMap<Place, u64>,
    asks: BTreeMap<Place, u64>,
}

impl Book {
    /// No limit order has these prices.
    const NOT_A_LIMIT: [PriceTicks; 2] = [PriceTicks(0), PriceTicks(999_999_999)];

    fn hear(&mut self, row: &Row) {
        match row.kind {
            RowKind::Created => {
                if !Self::NOT_A_LIMIT.contains(&row.price) {
                    self.stand(row);
                }
            }
            RowKind::Changed => match self.orders.get_mut(&row.order) {
                // The price of a row with less open is that of a match.
                Some(standing) if row.open < standing.open => standing.open = row.open,
                Some(_) => {
                    self.remove(row.order);
                    self.stand(row);
                }
                None => {}
            },
            RowKind::Deleted => self.remove(row.order),
        }
    }

    fn stand(&mut self, row: &Row) {
        let rank = match row.side {
            Side::Buy => -row.price.0,
            Side::Sell => row.price.0,
        };
        let place = (rank, row.number);
        self.side(row.side).insert(place, row.order);
        self.orders.insert(row.order, Standing { side: row.side, place, open: row.open });
    }

    fn side(&mut self, side: Side) -> &mut BTreeMap<Place, u64> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    fn remove(&mut self, order: u64) {
        if let Some(gone) = self.orders.remove(&order) {
            self.side(gone.side).remove(&gone.place);
        }
    }

    fn older_of_a_crossed_pair(&self) -> Option<u64> {
        let (bid, &buyer) = self.bids.first_key_value()?;
        let (ask, &seller) = self.asks.first_key_value()?;
        let crossed = -bid.0 >= ask.0;
        crossed.then_some(if bid.1 < ask.1 { buyer } else { seller })
    }

    fn best(&self, depth: usize) -> Levels {
        Levels { bids: self.best_of(&self.bids, depth), asks: self.best_of(&self.asks, depth) }
    }

    fn best_of(&self, side: &BTreeMap<Place, u64>, depth: usize) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::with_capacity(depth);
        for (&(rank, _), order) in side {
            let price = PriceTicks(rank.abs());
            let open = self.orders[order].open;
            if open.is_zero() {
                continue;
            }
            let full = levels.len() == depth;
            match levels.last_mut() {
                Some(level) if level.0 == price => level.1 += open,
                _ if full => break,
                _ => levels.push((price, open)),
            }
        }
        levels
    }
}
