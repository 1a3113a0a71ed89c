//! What comes of rebuilding the book without rules: every row taken at its word in the order of the file, its price
//! included. Most such books are crossed or locked, and [`Diagnosis`] says why, by taking the causes away one after the
//! other. Nothing is built on this; it is the reason for [`super::rules`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use model::{PriceTicks, Side};

use super::rows::{Row, RowKind};
use super::rules::{Action, Entry, Flow};

/// Live rows, by the state of the book after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Best bid above best ask.
    pub crossed: u32,
    /// Best bid equal to best ask.
    pub locked: u32,
    /// Best bid below best ask, or one side empty.
    pub apart: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "crossed {:>6}, locked {:>6}, neither {:>6}", self.crossed, self.locked, self.apart)
    }
}

/// The naive book with more and more of the causes taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// All rows at their word.
    pub everything: Tally,
    /// Without the orders that had gone before the recording began.
    pub without_stale: Tally,
    /// Also without the orders that the venue did not let in, whose create and delete are two rows.
    pub without_refused: Tally,
    /// The second again, but looked at only where the venue's time moves on: not between the rows of one match, nor between
    /// the two rows of an order that was not let in.
    pub without_stale_when_settled: Tally,
}

impl Diagnosis {
    /// Rebuilds the book four times.
    pub fn of(rows: &[Row], flow: &Flow) -> Self {
        let stale: HashSet<u64> = flow.stale.iter().copied().collect();
        let refused = flow
            .steps
            .iter()
            .filter(|step| matches!(step.action, Action::Place { entry: Entry::PostOnly(_), .. }));
        let stale_or_refused: HashSet<u64> =
            refused.map(|step| step.order).chain(stale.iter().copied()).collect();
        let first = flow.span.made_up_creates + 1;
        let rows = &rows[..flow.span.last_live_row() as usize];
        Self {
            everything: rebuild(rows, first, &HashSet::new(), Look::AfterEachRow),
            without_stale: rebuild(rows, first, &stale, Look::AfterEachRow),
            without_refused: rebuild(rows, first, &stale_or_refused, Look::AfterEachRow),
            without_stale_when_settled: rebuild(rows, first, &stale, Look::WhenTimeMovesOn),
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}  every row at its word", self.everything)?;
        writeln!(out, "{}  without orders gone before the recording", self.without_stale)?;
        writeln!(out, "{}  also without orders that were not let in", self.without_refused)?;
        writeln!(
            out,
            "{}  without the first only, at the end of a millisecond",
            self.without_stale_when_settled
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    AfterEachRow,
    WhenTimeMovesOn,
}

fn rebuild(rows: &[Row], first: u32, without: &HashSet<u64>, look: Look) -> Tally {
    let mut prices: HashMap<u64, PriceTicks> = HashMap::new();
    let mut bids: BTreeMap<PriceTicks, u32> = BTreeMap::new();
    let mut asks: BTreeMap<PriceTicks, u32> = BTreeMap::new();
    let mut tally = Tally::default();
    for (at, row) in rows.iter().enumerate() {
        if !without.contains(&row.order) {
            let side = match row.side {
                Side::Buy => &mut bids,
                Side::Sell => &mut asks,
            };
            if let Some(price) = prices.remove(&row.order) {
                let orders = side.get_mut(&price).expect("an order with a price stands at it");
                *orders -= 1;
                if *orders == 0 {
                    side.remove(&price);
                }
            }
            if row.kind != RowKind::Deleted {
                prices.insert(row.order, row.price);
                *side.entry(row.price).or_default() += 1;
            }
        }
        let time_stands = rows.get(at + 1).is_some_and(|next| next.exchange_ms == row.exchange_ms);
        if row.number < first || (look == Look::WhenTimeMovesOn && time_stands) {
            continue;
        }
        match (bids.last_key_value(), asks.first_key_value()) {
            (Some((bid, _)), Some((ask, _))) if bid > ask => tally.crossed += 1,
            (Some((bid, _)), Some((ask, _))) if bid == ask => tally.locked += 1,
            _ => tally.apart += 1,
        }
    }
    tally
}
