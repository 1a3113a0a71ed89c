//! The open quantity at each price of a market.

use std::collections::BTreeMap;

use codec::{Coded, DecodeError, Reader};
use model::{LevelChanged, PriceTicks, QtyLots, Side};

/// The book of one market, as the public sees it.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    bids: BTreeMap<PriceTicks, QtyLots>,
    asks: BTreeMap<PriceTicks, QtyLots>,
    last_update_id: u64,
}

impl Depth {
    /// Number of the latest change that is in it; 0 before the first.
    pub const fn last_update_id(&self) -> u64 {
        self.last_update_id
    }

    /// What is bid, best (highest) first.
    pub fn bids(&self) -> impl ExactSizeIterator<Item = (PriceTicks, QtyLots)> {
        self.bids.iter().rev().map(|(price, open)| (*price, *open))
    }

    /// What is asked, best (lowest) first.
    pub fn asks(&self) -> impl ExactSizeIterator<Item = (PriceTicks, QtyLots)> {
        self.asks.iter().map(|(price, open)| (*price, *open))
    }

    /// The highest bid and what is open there.
    pub fn best_bid(&self) -> Option<(PriceTicks, QtyLots)> {
        self.bids.last_key_value().map(|(price, open)| (*price, *open))
    }

    /// The lowest ask and what is open there.
    pub fn best_ask(&self) -> Option<(PriceTicks, QtyLots)> {
        self.asks.first_key_value().map(|(price, open)| (*price, *open))
    }

    /// What is open at a price.
    pub fn open_at(&self, side: Side, price: PriceTicks) -> QtyLots {
        let levels = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        levels.get(&price).copied().unwrap_or(QtyLots::ZERO)
    }

    /// The number of the last change before the book moved here, where it is told again with numbers that go on from there.
    pub(crate) fn goes_on_from(&mut self, last_update_id: u64) {
        if self.last_update_id == 0 {
            self.last_update_id = last_update_id;
        }
    }

    pub(crate) fn changed(&mut self, changed: &LevelChanged) {
        assert!(
            self.last_update_id == 0 || Some(changed.update_id) == self.last_update_id.checked_add(1),
            "changes of a book are numbered without gaps"
        );
        assert!(changed.open_lots >= QtyLots::ZERO, "what is open is never negative");
        self.last_update_id = changed.update_id;
        let levels = match changed.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if changed.open_lots.is_zero() {
            levels.remove(&changed.price_ticks);
        } else {
            levels.insert(changed.price_ticks, changed.open_lots);
        }
    }
}

impl Coded for Depth {
    fn encode(&self, out: &mut Vec<u8>) {
        self.last_update_id.encode(out);
        for levels in [&self.bids, &self.asks] {
            let levels: Vec<(PriceTicks, QtyLots)> =
                levels.iter().map(|(price, open)| (*price, *open)).collect();
            levels.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            last_update_id: Coded::decode(input)?,
            bids: Vec::decode(input)?.into_iter().collect(),
            asks: Vec::decode(input)?.into_iter().collect(),
        })
    }
}
