//! Orders at contracts that are good till a date (GTD): what rests of one then expires. The clock that commands bring decides when,
//! with the first command at or behind that time. Source: Binance USD-M "New Order", `goodTillDate`.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AccountId, EndReason, Event, ExpiryReason, FromMarket, OrderId, OrderKind, PlaceContractOrder,
    PlaceGoodTillDate, Reject, TimeInForce, TimeNs, ToMarket,
};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::market::Desk;
use crate::messages::Mail;
use crate::place_contract::Filters;

/// When orders expire.
pub struct GoodTill {
    /// The first of them; [`TimeNs::NEVER`] where there is none. Every command looks at it.
    next_ns: TimeNs,
    until: BTreeMap<OrderId, TimeNs>,
    /// Those whose markets were not told yet that it is time.
    by_time: BTreeSet<(TimeNs, OrderId)>,
}

impl Default for GoodTill {
    fn default() -> Self {
        Self { next_ns: TimeNs::NEVER, until: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl GoodTill {
    /// Whether an order's time has come.
    #[inline]
    pub fn are_due(&self, now: TimeNs) -> bool {
        self.next_ns <= now
    }

    /// All that are open, by their numbers, and whether their markets were told that it is time.
    pub fn all(&self) -> impl Iterator<Item = (OrderId, TimeNs, bool)> {
        self.until.iter().map(|(order, until)| (*order, *until, !self.by_time.contains(&(*until, *order))))
    }

    /// How many wait for their time.
    pub fn waiting(&self) -> usize {
        self.by_time.len()
    }

    /// Until when an order is good; `None` where it has no date.
    pub fn of(&self, order: OrderId) -> Option<TimeNs> {
        self.until.get(&order).copied()
    }

    /// An order has a date. `is_told` says whether its market was told that it has come.
    pub fn set(&mut self, order: OrderId, until: TimeNs, is_told: bool) {
        self.until.insert(order, until);
        if !is_told {
            self.by_time.insert((until, order));
        }
        self.look();
    }

    /// An order has ended.
    pub fn forget(&mut self, order: OrderId) {
        if let Some(until) = self.until.remove(&order) {
            self.by_time.remove(&(until, order));
            self.look();
        }
    }

    fn pop_due(&mut self, now: TimeNs) -> Option<OrderId> {
        let first = *self.by_time.first().filter(|(until, _)| *until <= now)?;
        self.by_time.remove(&first);
        self.look();
        Some(first.1)
    }

    fn look(&mut self) {
        self.next_ns = self.by_time.first().map_or(TimeNs::NEVER, |(until, _)| *until);
    }
}

impl Accounts {
    pub fn place_good_till_date(
        &mut self,
        catalog: &Catalog,
        place: &PlaceGoodTillDate,
        now: TimeNs,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        let PlaceGoodTillDate {
            account,
            market,
            side,
            position_side,
            price_ticks,
            qty_lots,
            good_till_ns,
            ..
        } = *place;
        if good_till_ns <= now {
            return Err(Reject::DatePassed { good_till_ns });
        }
        let order = PlaceContractOrder {
            account,
            market,
            side,
            position_side,
            kind: OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Gtc },
            self_trade_prevention: place.self_trade_prevention,
            reduce_only: place.reduce_only,
            client_order_id: place.client_order_id,
            valid_until_ns: place.valid_until_ns,
        };
        let order = self.place_at_contract(catalog, &order, Filters::Apply, mail)?;
        self.futures.good_till.set(order, good_till_ns, false);
        Ok(())
    }

    /// An order is accepted: until when it is good is told behind that.
    pub fn tell_good_till(&self, order: OrderId, account: AccountId, events: &mut Vec<Event>) {
        let Some(good_till_ns) = self.futures.good_till.of(order) else { return };
        let open = self.futures.open.find(order).expect("an order is open until it ends");
        let market = self.futures.open.seat(self.futures.open.order(open).seat).market;
        events.push(Event::GoodTillDate { order, account, market, good_till_ns });
    }

    /// Has orders expire whose time has come, no more than `budget` of them. Returns what is left of that.
    pub fn expire_orders(&mut self, now: TimeNs, mail: &mut Mail, mut budget: u32) -> u32 {
        while budget > 0
            && let Some(order) = self.futures.good_till.pop_due(now)
        {
            budget = budget.saturating_sub(1);
            let open = self.futures.open.find(order).expect("an order has a date until it ends");
            let seat = self.futures.open.seat(self.futures.open.order(open).seat);
            mail.send_to_market(seat.market, ToMarket::Expire { order, account: seat.account });
        }
        budget
    }
}

impl Desk<'_> {
    /// An order's time has come, also where the market accepts nothing. It may have ended meanwhile, which its account hears.
    #[inline(never)]
    pub fn expire(&mut self, order: OrderId, account: AccountId) {
        let Some(slot) = self.orders.find(order) else { return };
        self.listed.book.cancel(self.orders, slot, self.reports);
        self.report(None);
        let reason = EndReason::Expired(ExpiryReason::GoodTillDate);
        self.tell(account, order, FromMarket::Ended { reason, replacement: None });
    }
}
