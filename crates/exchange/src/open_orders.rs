//! An account's half of its open orders: what is held, and what the owner calls them. The book's half is an [`Order`], which lies at
//! the same place of another list. Spot and contracts keep theirs apart, each with what it has at stake.

use std::num::NonZeroU32;
use std::ops::Deref;

use ledger::BalanceSlot;
use model::{AccountId, ClientOrderId, MarketId, OrderId, PriceTicks, QtyLots, Side, TradeGroup};
use orderbook::{Order, OrderSlot, Orders, SlotTable, fetch_ahead, fetch_whole};

use crate::client_ids;

const NONE: u32 = u32::MAX;

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

/// What an account keeps for an open order. At spot it takes one line of memory, and there may be millions. The hash of its name is
/// not among it: it is made again when the order ends.
#[derive(Clone, Debug)]
pub struct Kept<H> {
    /// What is held for it, or reserved.
    pub held: H,
    pub client_order_id: ClientOrderId,
    pub seat: SeatSlot,
    /// The one before it at its seat, unless it is the first.
    prev: u32,
    next: u32,
}

/// An open order, as its account knows it: what it keeps for it, and what never changes of the book's half.
pub struct OpenOrder<'a, H> {
    slot: OrderSlot,
    kept: &'a Kept<H>,
    order: &'a Order,
}

impl<H> Deref for OpenOrder<'_, H> {
    type Target = Kept<H>;

    #[inline]
    fn deref(&self) -> &Kept<H> {
        self.kept
    }
}

impl<H> OpenOrder<'_, H> {
    #[inline]
    pub fn slot(&self) -> OrderSlot {
        self.slot
    }

    #[inline]
    pub fn id(&self) -> OrderId {
        self.order.id
    }

    #[inline]
    pub fn side(&self) -> Side {
        self.order.side
    }

    /// The limit, which says how much of the hold belongs to a lot; `None` for market orders.
    #[inline]
    pub fn limit_ticks(&self) -> Option<PriceTicks> {
        Some(self.order.price_ticks).filter(|limit| !limit.is_zero())
    }

    /// It waits for a price, as far as its account has heard.
    pub fn waits(&self) -> bool {
        self.order.waits
    }
}

/// What an account calls an order, hashed once for all that is asked of it.
pub struct Named<'a> {
    account: AccountId,
    name: &'a ClientOrderId,
    hash: u32,
}

/// What looking ahead has found of a command, before those that came first were applied: whoever uses it asks whether it still holds.
#[derive(Clone, Copy)]
pub struct Hint {
    /// Where the order is that it asks for.
    pub order: OrderSlot,
    /// Where its account sits at its market.
    pub seat: Option<SeatSlot>,
    /// How many were looked at of those that it will trade with first, as it seems.
    pub makers: usize,
    /// The hash of the name that it gives. That one always holds.
    hash: Option<u32>,
}

impl Hint {
    /// Nobody has looked.
    pub const NONE: Self = Self { order: OrderSlot::UNKNOWN, seat: None, makers: 0, hash: None };

    /// Of an order that will be placed.
    pub fn to_place(seat: Option<SeatSlot>, named: &Named) -> Self {
        Self { seat, hash: Some(named.hash), ..Self::NONE }
    }

    /// Of an order that will be looked for.
    pub fn to_find(order: Option<OrderSlot>) -> Self {
        Self { order: order.unwrap_or(OrderSlot::UNKNOWN), ..Self::NONE }
    }

    /// As [`Named::new`], for the name of the command that was looked at.
    #[inline]
    pub fn named<'a>(&self, account: AccountId, name: &'a ClientOrderId) -> Named<'a> {
        match self.hash {
            Some(hash) => Named { account, name, hash },
            None => Named::new(account, name),
        }
    }
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

/// The seats and open orders of all accounts of a partition, and the orders of all books that are alike: spot's, or contracts'.
pub struct OpenOrders<S, H> {
    /// Also those of accounts that live in other partitions.
    pub orders: Orders,
    /// Each at the place of its order.
    kept: Vec<Kept<H>>,
    seats: Vec<Seat<S>>,
    client_ids: SlotTable,
    /// Where an account sits at a market.
    seat_table: SlotTable,
    /// By seat: how many of its orders wait for a price, as far as their account has heard. Apart, since few orders ask.
    waiting: Vec<u16>,
}

impl<S, H> Default for OpenOrders<S, H> {
    fn default() -> Self {
        Self {
            orders: Orders::default(),
            kept: Vec::new(),
            seats: Vec::new(),
            client_ids: SlotTable::default(),
            seat_table: SlotTable::default(),
            waiting: Vec::new(),
        }
    }
}

impl<S, H: Clone> OpenOrders<S, H> {
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

    /// As [`Self::find_seat`], by somebody who may know where it is.
    #[inline]
    pub fn find_seat_at(
        &self,
        maybe_here: Option<SeatSlot>,
        account: AccountId,
        market: MarketId,
    ) -> Option<SeatSlot> {
        let is_it = |slot: &SeatSlot| {
            let seat = self.seat(*slot);
            seat.account == account && seat.market == market
        };
        maybe_here.filter(is_it).or_else(|| self.find_seat(account, market))
    }

    /// Asks for where an account's seat at a market is named.
    #[inline]
    pub fn fetch_seat_cell(&self, account: AccountId, market: MarketId) {
        self.seat_table.fetch_ahead(seat_hash(account, market));
    }

    /// As [`Self::find_seat`], without looking at the seat: rarely another one.
    #[inline]
    pub fn guess_seat(&self, account: AccountId, market: MarketId) -> Option<SeatSlot> {
        self.seat_table.guess(seat_hash(account, market)).map(SeatSlot::new)
    }

    /// Asks for where the last order of a seat names the one behind it.
    #[inline]
    pub fn fetch_last(&self, seat: &Seat<S>) {
        self.fetch_link(seat.last);
    }

    /// Asks for both halves of an order.
    #[inline]
    pub fn fetch_order(&self, slot: OrderSlot) {
        fetch_whole(&self.orders[slot]);
        self.kept.get(slot.place()).map(fetch_whole);
    }

    /// Asks for the orders before and behind an order at its seat, where they name each other.
    #[inline]
    pub fn fetch_around(&self, order: &Kept<H>) {
        self.fetch_link(order.prev);
        self.fetch_link(order.next);
    }

    /// Asks for where an order names its neighbours. Where there is none, for another one: a branch would be guessed wrong.
    #[inline]
    fn fetch_link(&self, number: u32) {
        let number = at(number).min(self.kept.len().saturating_sub(1));
        if let Some(kept) = self.kept.get(number) {
            fetch_ahead(&kept.next);
        }
    }

    /// What is kept for an order, where it is known to be there or was guessed.
    #[inline]
    pub fn kept(&self, slot: OrderSlot) -> Option<&Kept<H>> {
        self.kept.get(slot.place())
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
    pub fn guess_named(&self, named: &Named) -> Option<OrderSlot> {
        self.client_ids.guess(named.hash).map(OrderSlot::new)
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
    pub fn order(&self, slot: OrderSlot) -> OpenOrder<'_, H> {
        OpenOrder { slot, kept: &self.kept[slot.place()], order: &self.orders[slot] }
    }

    #[inline]
    pub fn kept_mut(&mut self, slot: OrderSlot) -> &mut Kept<H> {
        &mut self.kept[slot.place()]
    }

    #[inline]
    pub fn find(&self, id: OrderId) -> Option<OrderSlot> {
        self.orders.find_kept(id)
    }

    /// The open order that the account calls so, in any market.
    #[inline]
    pub fn find_named(&self, named: &Named) -> Option<OrderSlot> {
        let is_it = |slot| {
            let slot = OrderSlot::new(slot);
            self.kept[slot.place()].client_order_id == *named.name
                && self.orders[slot].account == named.account
        };
        if named.name.is_empty() {
            return None;
        }
        self.client_ids.find(named.hash, is_it).map(OrderSlot::new)
    }

    /// As [`Self::find_named`], by somebody who may know where it is.
    #[inline]
    pub fn find_named_at(
        &self,
        maybe_here: OrderSlot,
        account: AccountId,
        name: &ClientOrderId,
    ) -> Option<OrderSlot> {
        let is_it = |slot: &OrderSlot| {
            self.orders.is_kept(*slot)
                && self.orders[*slot].account == account
                && self.kept[slot.place()].client_order_id == *name
        };
        let here = maybe_here.known().filter(|_| !name.is_empty()).filter(is_it);
        here.or_else(|| self.find_named(&Named::new(account, name)))
    }

    /// The open orders at a seat, oldest first.
    pub fn at_seat(&self, seat: SeatSlot) -> impl Iterator<Item = OpenOrder<'_, H>> {
        let mut next = self.seat(seat).first;
        std::iter::from_fn(move || {
            if next == NONE {
                return None;
            }
            let order = self.order(OrderSlot::new(next));
            next = order.next;
            Some(order)
        })
    }

    /// Adds an order whose number is above all that were there before, and that does not wait for a price.
    pub fn insert(
        &mut self,
        id: OrderId,
        seat_slot: SeatSlot,
        (side, limit_ticks): (Side, Option<PriceTicks>),
        held: H,
        named: &Named,
    ) -> OrderSlot {
        let Seat { account, market, last, .. } = self.seats[at(seat_slot.place())];
        let slot = self.orders.keep(id, || {
            Order::new(
                // For self-trade prevention its market says whose it is.
                (id, account, TradeGroup::NONE),
                (market, side, limit_ticks.unwrap_or(PriceTicks::ZERO)),
                (QtyLots::ZERO, QtyLots::ZERO, 0),
            )
        });
        let client_order_id = *named.name;
        let kept = || Kept { held, client_order_id, seat: seat_slot, prev: last, next: NONE };
        if let Some(place) = self.kept.get_mut(slot.place()) {
            *place = kept();
        } else {
            // Also where orders lie that only rest here.
            self.kept.resize(slot.place().saturating_add(1), kept());
        }
        if last == NONE {
            self.seats[at(seat_slot.place())].first = slot.number();
        } else {
            self.kept[at(last)].next = slot.number();
        }
        let seat = &mut self.seats[at(seat_slot.place())];
        seat.last = slot.number();
        seat.open_orders = seat.open_orders.saturating_add(1);
        if !client_order_id.is_empty() {
            self.client_ids.insert(named.hash, slot.number());
        }
        slot
    }

    /// How many orders of a seat wait for a price, as far as their account has heard.
    pub fn waiting_at(&self, seat: SeatSlot) -> u32 {
        self.waiting.get(at(seat.place())).copied().unwrap_or_default().into()
    }

    /// Asks for where it says how many orders of a seat wait.
    #[inline]
    pub fn fetch_waiting(&self, seat: SeatSlot) {
        self.waiting.get(at(seat.place())).map(fetch_ahead);
    }

    /// An order waits for a price from now on.
    pub fn begin_to_wait(&mut self, slot: OrderSlot) {
        assert!(!std::mem::replace(&mut self.orders[slot].waits, true), "an order waits once");
        let seat = at(self.kept[slot.place()].seat.place());
        if self.waiting.len() <= seat {
            self.waiting.resize(self.seats.len(), 0);
        }
        self.waiting[seat] = self.waiting[seat].checked_add(1).expect("few orders of an account wait");
    }

    /// An order waits no longer.
    pub fn waits_no_longer(&mut self, slot: OrderSlot) {
        assert!(std::mem::take(&mut self.orders[slot].waits), "it has waited until now");
        let seat = at(self.kept[slot.place()].seat.place());
        self.waiting[seat] = self.waiting[seat].checked_sub(1).expect("an order that waits is counted");
    }

    /// Gives an order another name, which no open order of the account has.
    pub fn rename(&mut self, slot: OrderSlot, name: ClientOrderId) {
        let (old_name, account) = (self.kept[slot.place()].client_order_id, self.orders[slot].account);
        if !old_name.is_empty() {
            self.client_ids.remove(Named::new(account, &old_name).hash, slot.number());
        }
        if !name.is_empty() {
            self.client_ids.insert(Named::new(account, &name).hash, slot.number());
        }
        self.kept_mut(slot).client_order_id = name;
    }

    /// Forgets an order.
    pub fn remove(&mut self, slot: OrderSlot) {
        if self.orders[slot].waits {
            self.waits_no_longer(slot);
        }
        let Kept { seat, prev, next, ref client_order_id, .. } = self.kept[slot.place()];
        let named = Named::new(self.orders[slot].account, client_order_id);
        if !named.name.is_empty() {
            self.client_ids.remove(named.hash, slot.number());
        }
        let seat = &mut self.seats[at(seat.place())];
        seat.open_orders = seat.open_orders.saturating_sub(1);
        if seat.first == slot.number() {
            // The next one still names who was before it: that is asked of no first one, so its memory need not be touched.
            seat.first = next;
            if next == NONE {
                seat.last = NONE;
            }
        } else {
            self.kept[at(prev)].next = next;
            if next == NONE {
                seat.last = prev;
            } else {
                self.kept[at(next)].prev = prev;
            }
        }
        self.orders.let_go(slot);
    }
}

#[cfg(test)]
mod tests {
    use model::Amount;

    use super::*;

    #[test]
    fn both_halves_of_an_open_order_take_a_line_of_memory() {
        assert_eq!((size_of::<Order>(), size_of::<Kept<Amount>>()), (64, 64));
    }

    #[test]
    fn what_is_counted_of_a_contract_takes_few_lines() {
        use crate::futures::{Backs, Stake};

        assert_eq!(size_of::<Seat<Stake>>(), 256);
        assert_eq!(size_of::<Backs>(), 192);
    }

    #[test]
    fn a_seat_that_was_guessed_is_asked_whose_it_is() {
        let mut by_hash = std::collections::BTreeMap::new();
        let places = (1..=3_000)
            .flat_map(|account| (0..100).map(move |market| (AccountId(account), MarketId(market))));
        let alike = places.into_iter().find_map(|place| {
            let before = by_hash.insert(seat_hash(place.0, place.1), place);
            before.map(|before| [before, place])
        });
        let [(account, market), second] = alike.expect("of so many some are alike");
        let mut open = OpenOrders::<(), Amount>::default();
        let seats = [open.add_seat(account, market, ()), open.add_seat(second.0, second.1, ())];
        let guesses = [open.guess_seat(account, market), open.guess_seat(second.0, second.1)];
        assert_eq!(guesses[0], guesses[1], "one of them is guessed wrong");
        assert_eq!(open.find_seat_at(guesses[0], account, market), Some(seats[0]));
        assert_eq!(open.find_seat_at(guesses[1], second.0, second.1), Some(seats[1]));
        assert_eq!(open.find_seat_at(guesses[1], second.0, MarketId(1_000)), None);
    }

    #[test]
    fn the_hash_tells_seats_apart() {
        let hashes: std::collections::BTreeSet<u32> = (1..=100)
            .flat_map(|account| (0..100).map(move |market| seat_hash(AccountId(account), MarketId(market))))
            .collect();
        assert!(hashes.len() > 9_990, "{} different hashes of 10,000", hashes.len());
    }
}
