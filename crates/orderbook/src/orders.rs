//! The resting orders of all books of a partition: one slab, found by number, linked by slot.

use model::{AccountId, MarketId, Marks, OrderId, PriceTicks, QtyLots, Side, TradeGroup};

use crate::IdIndex;

/// Where an order lies in the slab. Private to its partition: it is in no event, no hash and no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSlot(pub(crate) u32);

impl OrderSlot {
    /// The end of a list.
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    fn index(self) -> usize {
        usize::try_from(self.0).expect("slots fit into memory")
    }
}

/// An order at rest: one cache line.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// Its price.
    pub price_ticks: PriceTicks,
    /// What can still trade; above zero.
    pub open_lots: QtyLots,
    /// What it was for, amendments included; the part that has traded or was prevented is `qty_lots - open_lots`.
    pub qty_lots: QtyLots,
    /// Whose it is, for self-trade prevention.
    pub trade_group: TradeGroup,
    /// Whose book it rests on.
    pub market: MarketId,
    /// On which side.
    pub side: Side,
    /// How often it was amended.
    pub amends: u16,
    /// What few orders have.
    pub marks: Marks,
    /// The order before it at its price.
    pub(crate) prev: OrderSlot,
    /// The order behind it at its price, or the next free slot.
    pub(crate) next: OrderSlot,
}

impl Order {
    /// An order on its way to a book, linked to nobody yet, without marks: whose it is, where it goes, and how much of it is
    /// open, was asked for, and how often it was amended.
    pub fn new(
        (id, account, trade_group): (OrderId, AccountId, TradeGroup),
        (market, side, price_ticks): (MarketId, Side, PriceTicks),
        (open_lots, qty_lots, amends): (QtyLots, QtyLots, u16),
    ) -> Self {
        let (marks, prev, next) = (Marks::NONE, OrderSlot::NONE, OrderSlot::NONE);
        Self {
            id,
            account,
            price_ticks,
            open_lots,
            qty_lots,
            trade_group,
            market,
            side,
            amends,
            marks,
            prev,
            next,
        }
    }

    /// What has traded so far or was prevented.
    pub fn gone_lots(&self) -> QtyLots {
        self.qty_lots - self.open_lots
    }

    /// Whether any of it has traded.
    pub fn has_traded(&self) -> bool {
        !self.gone_lots().is_zero() && !self.marks.has(Marks::UNTRADED)
    }
}

/// All resting orders of a partition.
pub struct Orders {
    slab: Vec<Order>,
    free: OrderSlot,
    index: IdIndex,
}

impl Default for Orders {
    fn default() -> Self {
        Self { slab: Vec::new(), free: OrderSlot::NONE, index: IdIndex::default() }
    }
}

impl Orders {
    /// The order with this number, if it rests on some book.
    #[inline]
    pub fn find(&self, id: OrderId) -> Option<OrderSlot> {
        self.index.find(id).map(OrderSlot)
    }

    /// How many orders there is room for: as many as have rested at once.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Asks for where an order's number leads.
    #[inline]
    pub fn fetch_index(&self, id: OrderId) {
        self.index.fetch_ahead(id);
    }

    pub(crate) fn insert(&mut self, order: Order) -> OrderSlot {
        let id = order.id;
        let slot = if self.free == OrderSlot::NONE {
            let slot = OrderSlot(u32::try_from(self.slab.len()).expect("terms keep orders below 2^32 - 1"));
            self.slab.push(order);
            slot
        } else {
            let slot = self.free;
            self.free = self[slot].next;
            self[slot] = order;
            slot
        };
        self.index.insert(id, slot.0);
        slot
    }

    pub(crate) fn remove(&mut self, slot: OrderSlot) {
        self.index.remove(self[slot].id);
        self[slot].next = self.free;
        self.free = slot;
    }
}

impl std::ops::Index<OrderSlot> for Orders {
    type Output = Order;
    #[inline]
    fn index(&self, slot: OrderSlot) -> &Order {
        &self.slab[slot.index()]
    }
}

impl std::ops::IndexMut<OrderSlot> for Orders {
    #[inline]
    fn index_mut(&mut self, slot: OrderSlot) -> &mut Order {
        &mut self.slab[slot.index()]
    }
}
