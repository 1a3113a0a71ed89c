//! What the traders believe to be on the book of one market: what they sent, matched as an exchange would. Nobody else's
//! orders are in it, and no answers; so it is right as long as nobody else trades, and nearly right otherwise.

use model::Side;

use super::{OrderName, TraderId};

/// An order that should be resting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resting {
    pub(super) name: OrderName,
    pub(super) trader: TraderId,
    pub(super) side: Side,
    pub(super) price_ticks: i64,
    pub(super) open_lots: i64,
}

/// The orders of one market in the order of their arrival: a few hundred, so that looking through all of them is fast.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    orders: Vec<Resting>,
}

impl Record {
    pub(super) fn orders(&self) -> &[Resting] {
        &self.orders
    }

    pub(super) fn is_open(&self, name: OrderName) -> bool {
        self.orders.iter().any(|order| order.name == name)
    }

    /// The best price of a side.
    pub(super) fn best(&self, side: Side) -> Option<i64> {
        self.first(side, None).map(|at| self.orders[at].price_ticks)
    }

    /// What is open on a side, up to and including a price.
    pub(super) fn open_to(&self, side: Side, limit_ticks: i64) -> i64 {
        let reached =
            self.orders.iter().filter(|order| order.side == side && reaches(side, limit_ticks, order));
        reached.map(|order| order.open_lots).sum()
    }

    pub(super) fn remove(&mut self, name: OrderName) {
        self.orders.retain(|order| order.name != name);
    }

    pub(super) fn remove_all_of(&mut self, trader: TraderId) {
        self.orders.retain(|order| order.trader != trader);
    }

    /// An order arrives, trades with what it meets, and rests if it may. An own order that it meets goes.
    pub(super) fn arrive(&mut self, mut arriving: Resting, limit_ticks: Option<i64>, rests: bool) {
        let facing = arriving.side.opposite();
        while arriving.open_lots > 0 {
            let Some(at) = self.first(facing, limit_ticks) else { break };
            if self.orders[at].trader == arriving.trader {
                self.orders.remove(at);
                continue;
            }
            let traded = self.orders[at].open_lots.min(arriving.open_lots);
            arriving.open_lots -= traded;
            self.orders[at].open_lots -= traded;
            if self.orders[at].open_lots == 0 {
                self.orders.remove(at);
            }
        }
        if rests && arriving.open_lots > 0 {
            self.orders.push(arriving);
        }
    }

    /// The first order of a side in price-time order, if the limit reaches it.
    fn first(&self, side: Side, limit_ticks: Option<i64>) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (at, order) in self.orders.iter().enumerate().filter(|(_, order)| order.side == side) {
            let is_better = best.is_none_or(|best| match side {
                Side::Buy => order.price_ticks > self.orders[best].price_ticks,
                Side::Sell => order.price_ticks < self.orders[best].price_ticks,
            });
            if is_better {
                best = Some(at);
            }
        }
        best.filter(|&at| limit_ticks.is_none_or(|limit| reaches(side, limit, &self.orders[at])))
    }
}

/// True when an order that trades no worse than at `limit_ticks` may trade with this one, which rests on `side`.
fn reaches(side: Side, limit_ticks: i64, resting: &Resting) -> bool {
    match side {
        Side::Buy => resting.price_ticks >= limit_ticks,
        Side::Sell => resting.price_ticks <= limit_ticks,
    }
}
