//! One market's book: two sides of levels. Placing is in `matching`; here is what changes or asks about resting orders.

use model::{MarketId, PriceTicks, QtyLots, Side};

use crate::level::Level;
use crate::matching::Report;
use crate::side::{Rank, SideLevels};
use crate::{Order, OrderSlot, Orders, fetch_ahead};

/// One market's book. The orders themselves lie in [`Orders`], which all books of a partition share.
pub struct Book {
    pub(crate) market: MarketId,
    pub(crate) bids: SideLevels,
    pub(crate) asks: SideLevels,
    pub(crate) open_orders: u32,
}

impl Book {
    /// An empty book.
    pub fn new(market: MarketId) -> Self {
        Self { market, bids: SideLevels::default(), asks: SideLevels::default(), open_orders: 0 }
    }

    /// How many orders rest here.
    pub fn open_orders(&self) -> u32 {
        self.open_orders
    }

    /// The best price of a side.
    #[inline]
    pub fn best(&self, side: Side) -> Option<PriceTicks> {
        self.side(side).best().map(|rank| rank.price(side))
    }

    /// Whether an order at `price` would trade at once.
    pub fn crosses(&self, side: Side, price: PriceTicks) -> bool {
        self.side(side.opposite()).best().is_some_and(|best| best <= Rank::new(side.opposite(), price))
    }

    /// The levels of a side, best first: price and all that is open there.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (PriceTicks, QtyLots)> {
        self.side(side).iter().map(move |(rank, level)| (rank.price(side), level.open_lots()))
    }

    /// The orders of a side in the order in which they would trade.
    pub fn queue<'a>(&'a self, orders: &'a Orders, side: Side) -> impl Iterator<Item = &'a Order> {
        self.side(side).iter().flat_map(move |(_, level)| {
            let mut next = level.front();
            std::iter::from_fn(move || {
                let order = &orders[next?];
                next = (order.next != OrderSlot::NONE).then_some(order.next);
                Some(order)
            })
        })
    }

    /// Takes an order off the book.
    pub fn cancel(&mut self, orders: &mut Orders, slot: OrderSlot, reports: &mut Vec<Report>) {
        self.unlink(orders, slot, reports);
        orders.remove(slot);
    }

    /// Lowers what an order is for to `qty`, which is more than has traded; it keeps its place.
    pub fn reduce(&mut self, orders: &mut Orders, slot: OrderSlot, qty: QtyLots, reports: &mut Vec<Report>) {
        let (side, price) = (orders[slot].side, orders[slot].price_ticks);
        let cut = orders[slot].qty_lots - qty;
        assert!(
            QtyLots::ZERO < cut && cut < orders[slot].open_lots,
            "an amendment leaves something open, and less than before"
        );
        orders[slot].qty_lots = qty;
        orders[slot].amends = orders[slot].amends.saturating_add(1);
        let level = self.side_mut(side).level_mut(Rank::new(side, price));
        level.reduce(orders, slot, cut);
        reports.push(Report::LevelChanged { side, price_ticks: price, open_lots: level.open_lots() });
    }

    /// Puts an order behind all others at its price. It must not cross; used for what is left of an incoming order and
    /// by a snapshot, which names the orders of a level oldest first.
    pub fn rest(&mut self, orders: &mut Orders, order: &Order, reports: &mut Vec<Report>) {
        self.rest_at(orders, OrderSlot::UNKNOWN, order, reports);
    }

    pub(crate) fn rest_at(
        &mut self,
        orders: &mut Orders,
        maybe_here: OrderSlot,
        order: &Order,
        reports: &mut Vec<Report>,
    ) {
        let (side, price) = (order.side, order.price_ticks);
        assert!(!self.crosses(side, price), "a resting order never crosses the book");
        let slot = orders.insert_at(maybe_here, order);
        let level = self.side_mut(side).level_to_join(Rank::new(side, price));
        level.push_back(orders, slot);
        reports.push(Report::LevelChanged { side, price_ticks: price, open_lots: level.open_lots() });
        self.open_orders = self.open_orders.saturating_add(1);
    }

    /// Takes an order off its level and tells of the level. Its slot is still valid.
    pub(crate) fn unlink(&mut self, orders: &mut Orders, slot: OrderSlot, reports: &mut Vec<Report>) {
        let (side, price) = (orders[slot].side, orders[slot].price_ticks);
        let rank = Rank::new(side, price);
        let levels = self.side_mut(side);
        let level = levels.level_mut(rank);
        level.unlink(orders, slot);
        reports.push(Report::LevelChanged { side, price_ticks: price, open_lots: level.open_lots() });
        if level.front().is_none() {
            levels.level_emptied(rank);
        }
        self.open_orders = self.open_orders.saturating_sub(1);
    }

    /// Looks ahead at the orders of a side that so many lots will trade with at prices up to `worst`, and tells of them in that
    /// order: of no more than `most`, at 16 prices.
    #[inline]
    pub fn makers(
        &self,
        orders: &Orders,
        side: Side,
        (wanted, worst): (QtyLots, Option<PriceTicks>),
        most: usize,
        tell: impl FnMut(OrderSlot),
    ) {
        let worst = worst.map_or(Rank::NOWHERE, |worst| Rank::new(side, worst));
        self.side(side).makers(orders, (wanted, worst), most, tell);
    }

    /// The order of a side that trades first, if its level is at hand.
    #[inline]
    pub fn first(&self, side: Side) -> Option<OrderSlot> {
        self.side(side).level_at_hand(self.side(side).best()?)?.front()
    }

    /// Looks ahead at an order that will be placed or taken off: where its level is named.
    #[inline]
    pub fn fetch_leaf(&self, side: Side, price: PriceTicks) {
        self.side(side).fetch_leaf(Rank::new(side, price));
    }

    /// The look behind [`Self::fetch_leaf`]: the level.
    #[inline]
    pub fn fetch_level(&self, side: Side, price: PriceTicks) {
        self.side(side).fetch_level(Rank::new(side, price));
    }

    /// Looks ahead at an order that will be placed, when its level is there: the order that it may come behind.
    #[inline]
    pub fn fetch_back(&self, orders: &Orders, side: Side, price: PriceTicks) {
        let rank = Rank::new(side, price);
        match self.side(side).level_at_hand(rank).and_then(Level::back) {
            Some(back) => fetch_ahead(&orders[back].next),
            None => self.side(side).fetch_bitmap(rank),
        }
    }

    /// Looks ahead at an order that will be taken off the book, behind [`Self::fetch_around`]: its level.
    #[inline]
    pub fn fetch_level_of(&self, order: &Order) {
        let (levels, rank) = (self.side(order.side), Rank::new(order.side, order.price_ticks));
        levels.fetch_level(rank);
        if order.next == OrderSlot::NONE {
            // It may be alone there.
            levels.fetch_bitmap(rank);
        }
    }

    /// Looks ahead at the best level of a side, of which nothing may be left.
    #[inline]
    pub fn fetch_best(&self, side: Side) {
        if let Some(best) = self.side(side).best() {
            self.side(side).fetch_level(best);
            self.side(side).fetch_bitmap(best);
        }
    }

    /// Looks ahead at an order that will be taken off the book: where its level is named, and the orders before and behind it.
    #[inline]
    pub fn fetch_around(&self, orders: &Orders, order: &Order) {
        self.fetch_leaf(order.side, order.price_ticks);
        for neighbour in [order.prev, order.next] {
            orders.fetch_link(neighbour);
        }
    }

    pub(crate) fn side(&self, side: Side) -> &SideLevels {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    pub(crate) fn side_mut(&mut self, side: Side) -> &mut SideLevels {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}
