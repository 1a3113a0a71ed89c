//! An account's half of its open orders: what is held, and what the owner calls them. The market has the other half. Spot and
//! contracts keep theirs apart, each with what it has at stake.

use std::num::NonZeroU32;

use ledger::BalanceSlot;
use model::{AccountId, ClientOrderId, MarketId, OrderId, PriceTicks, Side};
use orderbook::{IdIndex, fetch_ahead};

use crate::client_ids;
use crate::slot_table::SlotTable;

const NONE: u32 = u32::MAX;

/// Where an open order lies. Private to its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrderSlot(u32);

/// Where a seat lies. Private to its partition. One more than its place, so that none takes no more room than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeatSlot(NonZeroU32);

impl SeatSlot {
    #[inline]
    fn new(place: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(place))
    }

    #[inline]
    fn place(self) -> u32 {
        self.0.get().wrapping_sub(1)
    }
}

fn at(slot: u32) -> usize {
    usize::try_from(slot).expect("slots fit into memory")
}

/// An account's place at one market: what it has there, and its open orders, oldest first.
#[derive(Clone, Debug)]
pub struct Seat<S> {
    pub account: AccountId,
    pub market: MarketId,
    pub stake: S,
    pub open_orders: u32,
    first: u32,
    last: u32,
}

/// An account's two balances at a spot market.
#[derive(Clone, Copy, Debug)]
pub struct Balances {
    pub base: BalanceSlot,
    pub quote: BalanceSlot,
}

impl Seat<Balances> {
    /// The balance that an order of this side pays from.
    #[inline]
    pub fn pays_from(&self, side: Side) -> BalanceSlot {
        match side {
            Side::Buy => self.stake.quote,
            Side::Sell => self.stake.base,
        }
    }
}

/// An open order, as its account knows it: 80 bytes, of which there may be millions. The hash of its name is not among them: it
/// is made again when the order ends.
#[derive(Clone, Debug)]
pub struct OpenOrder<H> {
    pub id: OrderId,
    pub seat: SeatSlot,
    /// What is held for it, or reserved.
    pub held: H,
    pub client_order_id: ClientOrderId,
    limit: SidedLimit,
    /// It waits for a price, as far as its account has heard.
    pub waits: bool,
    prev: u32,
    next: u32,
}

impl<H> OpenOrder<H> {
    #[inline]
    pub fn side(&self) -> Side {
        self.limit.side()
    }

    /// Gives it another limit.
    pub fn set_limit(&mut self, ticks: Option<PriceTicks>) {
        self.limit = SidedLimit::new(self.side(), ticks);
    }

    /// The limit, which says how much of the hold belongs to a lot; `None` for market orders.
    #[inline]
    pub fn limit_ticks(&self) -> Option<PriceTicks> {
        self.limit.ticks()
    }
}

/// A limit of at most 2^44 ticks and a side in 48 bits: twice the limit, one more for a sell. No limit is 0, which no price is.
#[derive(Clone, Copy, Debug)]
struct SidedLimit([u8; 6]);

impl SidedLimit {
    #[inline]
    fn new(side: Side, limit: Option<PriceTicks>) -> Self {
        let ticks = limit.map_or(0, |limit| u64::try_from(limit.0).expect("prices are above zero"));
        let sell = match side {
            Side::Buy => 0,
            Side::Sell => 1,
        };
        let [low @ .., above, above_that] = ((ticks << 1) | sell).to_le_bytes();
        assert!(above == 0 && above_that == 0, "terms keep prices at 2^44 ticks or below");
        Self(low)
    }

    #[inline]
    fn side(self) -> Side {
        if self.0[0] & 1 == 0 { Side::Buy } else { Side::Sell }
    }

    #[inline]
    fn ticks(self) -> Option<PriceTicks> {
        let mut word = [0; 8];
        word[..self.0.len()].copy_from_slice(&self.0);
        let ticks = i64::from_le_bytes(word) >> 1;
        (ticks != 0).then_some(PriceTicks(ticks))
    }
}

/// What an account calls an order, hashed once for all that is asked of it.
pub struct Named<'a> {
    account: AccountId,
    name: &'a ClientOrderId,
    hash: u32,
}

impl<'a> Named<'a> {
    #[inline]
    pub fn new(account: AccountId, name: &'a ClientOrderId) -> Self {
        let hash = if name.is_empty() { 0 } else { client_ids::hash(account, name) };
        Self { account, name, hash }
    }
}

/// A hash of an account's place at a market.
#[inline]
fn seat_hash(account: AccountId, market: MarketId) -> u32 {
    let mixed = account.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ u64::from(market.0).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    let bytes = (mixed ^ (mixed >> 29)).to_le_bytes();
    u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]])
}

/// The seats and open orders of all accounts of a partition.
pub struct OpenOrders<S, H> {
    seats: Vec<Seat<S>>,
    slab: Vec<OpenOrder<H>>,
    free: Vec<u32>,
    index: IdIndex,
    client_ids: SlotTable,
    /// Where an account sits at a market.
    seat_table: SlotTable,
}

impl<S, H> Default for OpenOrders<S, H> {
    fn default() -> Self {
        Self {
            seats: Vec::new(),
            slab: Vec::new(),
            free: Vec::new(),
            index: IdIndex::default(),
            client_ids: SlotTable::default(),
            seat_table: SlotTable::default(),
        }
    }
}

impl<S, H> OpenOrders<S, H> {
    pub fn add_seat(&mut self, account: AccountId, market: MarketId, stake: S) -> SeatSlot {
        let slot = self.add_seat_beside(account, market, stake);
        self.seat_table.insert(seat_hash(account, market), slot.place());
        slot
    }

    /// Another seat of an account at a market, which is not found by the two: it is remembered by the seat that is.
    pub fn add_seat_beside(&mut self, account: AccountId, market: MarketId, stake: S) -> SeatSlot {
        let slot = SeatSlot::new(u32::try_from(self.seats.len()).expect("fewer than 2^32 seats"));
        self.seats.push(Seat { account, market, stake, open_orders: 0, first: NONE, last: NONE });
        slot
    }

    /// Where an account sits at a market.
    #[inline]
    pub fn find_seat(&self, account: AccountId, market: MarketId) -> Option<SeatSlot> {
        let is_it = |slot| {
            let seat = &self.seats[at(slot)];
            seat.account == account && seat.market == market
        };
        self.seat_table.find(seat_hash(account, market), is_it).map(SeatSlot::new)
    }

    /// Asks for where an account's seat at a market is named.
    #[inline]
    pub fn fetch_seat_cell(&self, account: AccountId, market: MarketId) {
        self.seat_table.fetch_ahead(seat_hash(account, market));
    }

    /// As [`Self::find_seat`], without looking at the seat: rarely another one.
    #[inline]
    pub fn guess_seat(&self, account: AccountId, market: MarketId) -> Option<&Seat<S>> {
        self.seat_table.guess(seat_hash(account, market)).map(|slot| &self.seats[at(slot)])
    }

    /// Asks for where the last order of a seat names the one behind it.
    #[inline]
    pub fn fetch_last(&self, seat: &Seat<S>) {
        if let Some(last) = self.slab.get(at(seat.last)) {
            fetch_ahead(&last.next);
        }
    }

    /// Asks for where an order's number leads.
    #[inline]
    pub fn fetch_index(&self, id: OrderId) {
        self.index.fetch_ahead(id);
    }

    /// Asks for the order to which a number leads.
    #[inline]
    pub fn fetch_order(&self, id: OrderId) {
        if let Some(slot) = self.index.find(id) {
            fetch_ahead(&self.slab[at(slot)]);
        }
    }

    /// Asks for the orders before and behind an order at its seat, where they name each other.
    #[inline]
    pub fn fetch_around(&self, order: &OpenOrder<H>) {
        if let Some(before) = self.slab.get(at(order.prev)) {
            fetch_ahead(&before.next);
        }
        if let Some(behind) = self.slab.get(at(order.next)) {
            fetch_ahead(&behind.prev);
        }
    }

    /// An open order, with its seat.
    #[inline]
    pub fn seat_of(&self, id: OrderId) -> Option<(&Seat<S>, &OpenOrder<H>)> {
        let order = &self.slab[at(self.index.find(id)?)];
        Some((self.seat(order.seat), order))
    }

    /// Where a name leads.
    #[inline]
    pub fn fetch_name(&self, named: &Named) {
        if !named.name.is_empty() {
            self.client_ids.fetch_ahead(named.hash);
        }
    }

    /// As [`Self::find_named`], without looking at the order: rarely another one.
    #[inline]
    pub fn guess_named(&self, named: &Named) -> Option<&OpenOrder<H>> {
        self.client_ids.guess(named.hash).map(|slot| &self.slab[at(slot)])
    }

    #[inline]
    pub fn seat(&self, seat: SeatSlot) -> &Seat<S> {
        &self.seats[at(seat.place())]
    }

    #[inline]
    pub fn seat_mut(&mut self, seat: SeatSlot) -> &mut Seat<S> {
        &mut self.seats[at(seat.place())]
    }

    /// All seats.
    pub fn seats(&self) -> impl Iterator<Item = (SeatSlot, &Seat<S>)> {
        (0..).map(SeatSlot::new).zip(&self.seats)
    }

    /// Seats at which there are open orders, by account and market.
    pub fn seats_in_use(&self) -> Vec<(SeatSlot, &Seat<S>)> {
        let mut seats: Vec<_> = self.seats().filter(|(_, seat)| seat.open_orders > 0).collect();
        seats.sort_unstable_by_key(|(_, seat)| (seat.account, seat.market));
        seats
    }

    #[inline]
    pub fn order(&self, slot: OpenOrderSlot) -> &OpenOrder<H> {
        &self.slab[at(slot.0)]
    }

    #[inline]
    pub fn order_mut(&mut self, slot: OpenOrderSlot) -> &mut OpenOrder<H> {
        &mut self.slab[at(slot.0)]
    }

    #[inline]
    pub fn find(&self, id: OrderId) -> Option<OpenOrderSlot> {
        self.index.find(id).map(OpenOrderSlot)
    }

    /// The open order that the account calls so, in any market.
    #[inline]
    pub fn find_named(&self, named: &Named) -> Option<OpenOrderSlot> {
        let is_it = |slot| {
            let order = &self.slab[at(slot)];
            order.client_order_id == *named.name && self.seat(order.seat).account == named.account
        };
        if named.name.is_empty() {
            return None;
        }
        self.client_ids.find(named.hash, is_it).map(OpenOrderSlot)
    }

    /// The open orders at a seat, oldest first.
    pub fn at_seat(&self, seat: SeatSlot) -> impl Iterator<Item = &OpenOrder<H>> {
        let mut next = self.seat(seat).first;
        std::iter::from_fn(move || {
            let order = self.slab.get(at(next))?;
            next = order.next;
            Some(order)
        })
    }

    /// Adds an order whose number is above all that were there before, and that does not wait for a price.
    pub fn insert(
        &mut self,
        id: OrderId,
        seat: SeatSlot,
        side: Side,
        limit_ticks: Option<PriceTicks>,
        held: H,
        named: &Named,
    ) -> OpenOrderSlot {
        let last = self.seat(seat).last;
        let client_order_id = *named.name;
        let limit = SidedLimit::new(side, limit_ticks);
        let order =
            OpenOrder { id, seat, held, client_order_id, limit, waits: false, prev: last, next: NONE };
        let slot = if let Some(slot) = self.free.pop() {
            self.slab[at(slot)] = order;
            slot
        } else {
            self.slab.push(order);
            u32::try_from(self.slab.len().saturating_sub(1)).expect("fewer than 2^32 - 1 open orders")
        };
        if last == NONE {
            self.seats[at(seat.place())].first = slot;
        } else {
            self.slab[at(last)].next = slot;
        }
        let seat = &mut self.seats[at(seat.place())];
        seat.last = slot;
        seat.open_orders = seat.open_orders.saturating_add(1);
        self.index.insert(id, slot);
        if !client_order_id.is_empty() {
            self.client_ids.insert(named.hash, slot);
        }
        OpenOrderSlot(slot)
    }

    /// Gives an order another name, which no open order of the account has.
    pub fn rename(&mut self, slot: OpenOrderSlot, name: ClientOrderId) {
        let (old_name, account) = {
            let order = self.order(slot);
            (order.client_order_id, self.seat(order.seat).account)
        };
        if !old_name.is_empty() {
            self.client_ids.remove(Named::new(account, &old_name).hash, slot.0);
        }
        if !name.is_empty() {
            self.client_ids.insert(Named::new(account, &name).hash, slot.0);
        }
        self.order_mut(slot).client_order_id = name;
    }

    /// Forgets an order.
    pub fn remove(&mut self, slot: OpenOrderSlot) {
        let order = self.order(slot);
        let (id, seat, prev, next) = (order.id, order.seat, order.prev, order.next);
        let named = Named::new(self.seat(seat).account, &order.client_order_id);
        if !named.name.is_empty() {
            self.client_ids.remove(named.hash, slot.0);
        }
        self.index.remove(id);
        if prev == NONE {
            self.seats[at(seat.place())].first = next;
        } else {
            self.slab[at(prev)].next = next;
        }
        if next == NONE {
            self.seats[at(seat.place())].last = prev;
        } else {
            self.slab[at(next)].prev = prev;
        }
        let seat = &mut self.seats[at(seat.place())];
        seat.open_orders = seat.open_orders.saturating_sub(1);
        self.free.push(slot.0);
    }
}

#[cfg(test)]
mod tests {
    use model::{Amount, MarketTerms};

    use super::*;

    #[test]
    fn an_open_order_takes_80_bytes() {
        assert_eq!(size_of::<OpenOrder<Amount>>(), 80);
    }

    #[test]
    fn what_is_counted_of_a_contract_takes_few_lines() {
        use crate::futures::{Backs, Stake};

        assert_eq!(size_of::<Seat<Stake>>(), 256);
        assert_eq!(size_of::<Backs>(), 192);
    }

    #[test]
    fn the_hash_tells_seats_apart() {
        let hashes: std::collections::BTreeSet<u32> = (1..=100)
            .flat_map(|account| (0..100).map(move |market| seat_hash(AccountId(account), MarketId(market))))
            .collect();
        assert!(hashes.len() > 9_990, "{} different hashes of 10,000", hashes.len());
    }

    #[test]
    fn a_side_and_a_limit_come_out_as_they_went_in() {
        let limits =
            [None, Some(PriceTicks(1)), Some(PriceTicks(1 << 31)), Some(MarketTerms::MAX_PRICE_TICKS)];
        for limit in limits {
            for side in [Side::Buy, Side::Sell] {
                let packed = SidedLimit::new(side, limit);
                assert_eq!((packed.side(), packed.ticks()), (side, limit));
            }
        }
    }
}
