//! The resting orders of all books of a partition, and those that their owners keep something for: one slab, found by number,
//! linked by slot.

use model::{AccountId, MarketId, Marks, OrderId, PriceTicks, QtyLots, Side, TradeGroup};

use crate::fetch_ahead;
use crate::id_index::IdIndex;

/// Where an order lies in the slab. Private to its partition: it is in no event, no hash and no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSlot(pub(crate) u32);

impl OrderSlot {
    /// The end of a list.
    pub(crate) const NONE: Self = Self(u32::MAX);
    /// Of whoever does not know where an order is.
    pub const UNKNOWN: Self = Self::NONE;

    /// Itself, unless it is [`Self::UNKNOWN`].
    #[inline]
    pub fn known(self) -> Option<Self> {
        (self != Self::UNKNOWN).then_some(self)
    }

    /// By its number.
    #[inline]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number, from 0: below 2^32 - 1.
    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its place in the slab, and in the list of what its owner keeps for it.
    #[inline]
    pub fn place(self) -> usize {
        usize::try_from(self.0).expect("slots fit into memory")
    }
}

/// An order at rest, or one that its owner keeps something for: one cache line.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// Its price; zero where it has none, and never rests.
    pub price_ticks: PriceTicks,
    /// What can still trade; above zero while it rests.
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
    /// It is on its book.
    rests: bool,
    /// Its owner keeps something for it.
    kept: bool,
    /// Of an order that is kept: it waits for a price, as far as its owner has heard.
    pub waits: bool,
    /// The order before it at its price, unless it is the first.
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
        let (rests, kept, waits) = (false, false, false);
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
            rests,
            kept,
            waits,
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

/// The number in a slot that nobody has.
const NOBODY: OrderId = OrderId(u64::MAX);

/// What became of an order that came to the slab.
enum Entered {
    /// It has a slot now.
    New(OrderSlot),
    /// It has had one before, where nothing has changed yet.
    Before(OrderSlot),
}

/// All resting orders of a partition, and all that their owners keep something for. What is kept lies at the same place of another
/// list ([`OrderSlot::place`]), so both halves of an order are found at once, and by one index.
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
        self.lookup(id).filter(|slot| self[*slot].rests)
    }

    /// The order with this number, if its owner keeps something for it.
    #[inline]
    pub fn find_kept(&self, id: OrderId) -> Option<OrderSlot> {
        self.lookup(id).filter(|slot| self[*slot].kept)
    }

    /// As [`Self::find`], by somebody who may know where it is.
    #[inline]
    pub fn find_at(&self, maybe_here: OrderSlot, id: OrderId) -> Option<OrderSlot> {
        self.lookup_at(maybe_here, id).filter(|slot| self[*slot].rests)
    }

    /// As [`Self::find_kept`], by somebody who may know where it is.
    #[inline]
    pub fn find_kept_at(&self, maybe_here: OrderSlot, id: OrderId) -> Option<OrderSlot> {
        self.lookup_at(maybe_here, id).filter(|slot| self[*slot].kept)
    }

    #[inline]
    fn lookup_at(&self, maybe_here: OrderSlot, id: OrderId) -> Option<OrderSlot> {
        match self.slab.get(maybe_here.place()) {
            Some(order) if order.id == id => Some(maybe_here),
            Some(_) | None => self.lookup(id),
        }
    }

    #[inline]
    fn lookup(&self, id: OrderId) -> Option<OrderSlot> {
        self.guess(id).filter(|slot| self[*slot].id == id)
    }

    /// Where an order is if it is anywhere, without looking at what is there: rarely somebody else.
    #[inline]
    pub fn guess(&self, id: OrderId) -> Option<OrderSlot> {
        self.index.guess(id).map(OrderSlot)
    }

    /// Whether an owner keeps something for whoever is here.
    #[inline]
    pub fn is_kept(&self, slot: OrderSlot) -> bool {
        self[slot].kept
    }

    /// So many, and what leads to them, are near the processor anyway: to look for them ahead costs more than it brings. Tests look
    /// always.
    const NEAR: usize = if cfg!(debug_assertions) { 1 } else { 8_192 };

    /// Whether it pays to look for orders ahead: there were many at once.
    #[inline]
    pub(crate) fn are_far(&self) -> bool {
        self.slab.len() >= Self::NEAR
    }

    /// Asks for where an order's number leads.
    #[inline]
    pub fn fetch_index(&self, id: OrderId) {
        self.index.fetch_ahead(id);
    }

    /// Asks for where an order names its neighbours. Where there is none, for another one: a branch would be guessed wrong.
    #[inline]
    pub(crate) fn fetch_link(&self, slot: OrderSlot) {
        let place = slot.place().min(self.slab.len().saturating_sub(1));
        if let Some(order) = self.slab.get(place) {
            fetch_ahead(&order.next);
        }
    }

    /// From now on an owner keeps something for this order, whether it is on a book here or not. Until it rests, its owner says what
    /// its price is, and from then on its market.
    #[inline]
    pub fn keep(&mut self, id: OrderId, order: impl FnOnce() -> Order) -> OrderSlot {
        let slot = match self.enter(id, order) {
            Entered::New(slot) => slot,
            Entered::Before(slot) => {
                assert!(!self[slot].kept, "an order's number is given out once");
                slot
            }
        };
        self[slot].kept = true;
        slot
    }

    /// Nobody keeps anything for an order any more.
    #[inline]
    pub fn let_go(&mut self, slot: OrderSlot) {
        let order = &mut self[slot];
        assert!(order.kept, "what is let go was kept");
        order.kept = false;
        if !order.rests {
            self.give_back(slot);
        }
    }

    /// Gives an order that is kept another price, unless it rests: then its market knows best.
    pub fn set_price(&mut self, slot: OrderSlot, price_ticks: PriceTicks) {
        if !self[slot].rests {
            self[slot].price_ticks = price_ticks;
        }
    }

    /// An order comes to rest. By somebody who may know where it is.
    #[inline]
    pub(crate) fn insert_at(&mut self, maybe_here: OrderSlot, order: &Order) -> OrderSlot {
        let is_here = self.slab.get(maybe_here.place()).is_some_and(|here| here.id == order.id);
        let entered =
            if is_here { Entered::Before(maybe_here) } else { self.enter(order.id, || order.clone()) };
        match entered {
            Entered::New(slot) => {
                self[slot].rests = true;
                slot
            }
            Entered::Before(slot) => {
                let here = &mut self[slot];
                assert!(!here.rests, "an order rests once");
                // Whose it is and where its owner has said before.
                here.rests = true;
                here.trade_group = order.trade_group;
                here.price_ticks = order.price_ticks;
                (here.open_lots, here.qty_lots) = (order.open_lots, order.qty_lots);
                (here.amends, here.marks) = (order.amends, order.marks);
                slot
            }
        }
    }

    /// An order rests no longer.
    #[inline]
    pub(crate) fn remove(&mut self, slot: OrderSlot) {
        let order = &mut self[slot];
        order.rests = false;
        if !order.kept {
            self.give_back(slot);
        }
    }

    /// Finds an order's slot, or gives it one.
    #[inline]
    fn enter(&mut self, id: OrderId, order: impl FnOnce() -> Order) -> Entered {
        let entry = self.index.entry(id);
        if let Some(slot) = entry.guess().map(OrderSlot)
            && self.slab[slot.place()].id == id
        {
            return Entered::Before(slot);
        }
        let slot = if self.free == OrderSlot::NONE {
            let slot = OrderSlot(u32::try_from(self.slab.len()).expect("terms keep orders below 2^32 - 1"));
            self.slab.push(order());
            slot
        } else {
            let slot = self.free;
            let place = &mut self.slab[slot.place()];
            self.free = place.next;
            *place = order();
            slot
        };
        entry.enter(slot.0);
        Entered::New(slot)
    }

    #[inline]
    fn give_back(&mut self, slot: OrderSlot) {
        self.index.remove(self[slot].id);
        self[slot].id = NOBODY;
        self[slot].next = self.free;
        self.free = slot;
    }
}

impl std::ops::Index<OrderSlot> for Orders {
    type Output = Order;
    #[inline]
    fn index(&self, slot: OrderSlot) -> &Order {
        &self.slab[slot.place()]
    }
}

impl std::ops::IndexMut<OrderSlot> for Orders {
    #[inline]
    fn index_mut(&mut self, slot: OrderSlot) -> &mut Order {
        &mut self.slab[slot.place()]
    }
}
