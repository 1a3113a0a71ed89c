//! A position: how much, and what it has cost. The cost is kept, not the entry price, which need not be a number of ticks.

use model::{Amount, MarketTerms, PriceTicks, QtyLots, Side};

use crate::rounding::{quotient_half_up, quotient_up, times};

/// What an account has of a contract, and what it has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Above zero for a long position, below for a short one.
    pub qty_lots: QtyLots,
    /// What opening it has cost, of the same sign as the quantity; in atoms of the settlement asset.
    pub cost: Amount,
}

impl Position {
    /// No position.
    pub const NONE: Self = Self { qty_lots: QtyLots::ZERO, cost: Amount::ZERO };

    /// True where nothing is held.
    #[inline]
    pub fn is_none(&self) -> bool {
        self.qty_lots.is_zero()
    }

    /// The size, without the sign.
    #[inline]
    pub fn size(&self) -> QtyLots {
        QtyLots(self.qty_lots.0.saturating_abs())
    }

    /// Which way an order goes that closes it; `None` where there is nothing to be closed.
    pub fn closed_by(&self) -> Option<Side> {
        match self.qty_lots.0.signum() {
            1 => Some(Side::Sell),
            -1 => Some(Side::Buy),
            _ => None,
        }
    }

    /// Takes a fill in, and returns what it realises: profit above zero, loss below. The part that goes against the position
    /// closes it, at the cost that belongs to that part; the rest opens. Only closing realises anything.
    ///
    /// The cost of a part is rounded up, so that the profit is rounded down, and the rest of the position keeps the
    /// remainder: nothing is lost, and the last part takes all that is left.
    pub fn fill(&mut self, terms: &MarketTerms, side: Side, price: PriceTicks, qty: QtyLots) -> Amount {
        let closes = if self.closed_by() == Some(side) { qty.min(self.size()) } else { QtyLots::ZERO };
        let mut realized = Amount::ZERO;
        if !closes.is_zero() {
            let released = self.cost_of(closes);
            self.cost -= released;
            self.qty_lots += signed(side, closes);
            realized = -signed_amount(side, terms.notional(price, closes)) - released;
        }
        let opens = qty - closes;
        if !opens.is_zero() {
            self.qty_lots += signed(side, opens);
            self.cost += signed_amount(side, terms.notional(price, opens));
        }
        realized
    }

    /// This one and another of the same contract, as if they were one.
    #[must_use]
    pub fn together_with(&self, other: &Self) -> Self {
        Self { qty_lots: self.qty_lots + other.qty_lots, cost: self.cost + other.cost }
    }

    /// The cost that belongs to a part of the position, rounded up.
    fn cost_of(&self, part: QtyLots) -> Amount {
        if part == self.size() {
            return self.cost;
        }
        Amount(quotient_up(times(self.cost.0, part.0.into()), self.size().0.into()))
    }

    /// What it is worth at a price, signed as the quantity: exact.
    #[inline]
    pub fn value(&self, terms: &MarketTerms, price: PriceTicks) -> Amount {
        terms.notional(price, self.qty_lots)
    }

    /// The profit that closing it at a price would realise; a loss is below zero. Exact.
    #[inline]
    pub fn unrealized(&self, terms: &MarketTerms, price: PriceTicks) -> Amount {
        self.value(terms, price) - self.cost
    }

    /// The average price at which it was opened, in ticks divided by `parts_of_tick`, rounded half up; 0 without a position.
    /// For showing: nothing is decided by it.
    pub fn entry_price(&self, terms: &MarketTerms, parts_of_tick: i64) -> i128 {
        if self.is_none() {
            return 0;
        }
        let of_a_tick = terms.notional(PriceTicks(1), self.size());
        quotient_half_up(times(self.cost.0.abs(), parts_of_tick.into()), of_a_tick.0)
    }
}

#[inline]
fn signed(side: Side, qty: QtyLots) -> QtyLots {
    match side {
        Side::Buy => qty,
        Side::Sell => -qty,
    }
}

#[inline]
fn signed_amount(side: Side, amount: Amount) -> Amount {
    match side {
        Side::Buy => amount,
        Side::Sell => -amount,
    }
}
