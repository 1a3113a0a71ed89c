//! Cancelling: one order, all orders of an account in a market, and one to be replaced by another. The account finds the
//! order; the market decides. Source: semantics 1.4.

use model::{
    CancelAllOrders, CancelOrder, CancelRestriction, Event, PlaceOrder, Reject, ReplaceMode, ReplaceOrder,
    ReplacementId, ToMarket,
};

use crate::accounts::{Accounts, Replacement};
use crate::catalog::Catalog;
use crate::messages::Mail;
use crate::open_orders::{Hint, Named, OpenOrders};

impl Accounts {
    pub fn cancel(
        &mut self,
        catalog: &Catalog,
        cancel: &CancelOrder,
        hint: Hint,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        catalog.open_market(cancel.market)?;
        self.account(cancel.account)?;
        let (slot, order) = self.find_order(catalog, (cancel.account, cancel.market), &cancel.order, hint)?;
        let body = ToMarket::Cancel {
            order,
            account: cancel.account,
            restriction: cancel.restriction,
            replacement: None,
        };
        mail.send_about(slot, cancel.market, || body);
        Ok(())
    }

    pub fn cancel_all(
        &mut self,
        catalog: &Catalog,
        cancel: &CancelAllOrders,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        catalog.open_market(cancel.market)?;
        self.account(cancel.account)?;
        let any = if catalog.contract(cancel.market).is_some() {
            self.send_cancels_at_contract(cancel, mail)
        } else {
            send_cancels(&self.open, cancel, mail)
        };
        if any { Ok(()) } else { Err(Reject::UnknownOrder) }
    }

    /// In hedge mode an account has orders at several seats.
    fn send_cancels_at_contract(&self, cancel: &CancelAllOrders, mail: &mut Mail) -> bool {
        let (account, market) = (cancel.account, cancel.market);
        let seats = self.futures.seats_at(account, market);
        let mut orders: Vec<_> =
            seats.flat_map(|seat| self.futures.open.at_seat(seat)).map(|open| open.id()).collect();
        orders.sort_unstable();
        for order in &orders {
            let (order, restriction) = (*order, CancelRestriction::None);
            mail.send_to_market(market, ToMarket::Cancel { order, account, restriction, replacement: None });
        }
        !orders.is_empty()
    }

    /// The new order's rules are checked before anything is cancelled; its cost and its name after, when the old order has
    /// given back what it held.
    pub fn replace(
        &mut self,
        catalog: &Catalog,
        replace: &ReplaceOrder,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let place = &replace.place;
        self.check_rules(catalog, place, Hint::NONE)?;
        let replacement = Replacement { mode: replace.mode, place: place.clone() };
        match self.find_order(catalog, (place.account, place.market), &replace.cancel, Hint::NONE) {
            Ok((slot, order)) => {
                let last = self.replacements.last_key_value().map_or(0, |(last, _)| last.0);
                let waiting = ReplacementId(last.checked_add(1).expect("a counter never runs out"));
                self.replacements.insert(waiting, replacement);
                let body = ToMarket::Cancel {
                    order,
                    account: place.account,
                    restriction: replace.restriction,
                    replacement: Some(waiting),
                };
                mail.send_about(slot, place.market, || body);
            }
            Err(reject) => {
                events.push(Event::Rejected { account: place.account, reject });
                self.replace_after_failure(catalog, &replacement, mail, events);
            }
        }
        Ok(())
    }

    /// An order has ended; where that is the answer to a replacement's cancel, the new one is placed.
    pub fn replace_after_cancel(
        &mut self,
        catalog: &Catalog,
        waiting: Option<ReplacementId>,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        if let Some(replacement) = waiting.map(|waiting| self.waiting(waiting))
            && let Err(reject) = self.place_replacement(catalog, &replacement.place, mail)
        {
            events.push(Event::Rejected { account: replacement.place.account, reject });
        }
    }

    /// Its rules were checked before the cancel was sent.
    fn place_replacement(
        &mut self,
        catalog: &Catalog,
        place: &PlaceOrder,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        let seat = self.seat(None, place.account, place.market)?;
        let named = Named::new(place.account, &place.client_order_id);
        self.place_checked(catalog, place, (seat, &named), mail)
    }

    fn waiting(&mut self, waiting: ReplacementId) -> Replacement {
        self.replacements.remove(&waiting).expect("a replacement waits until its cancel is answered")
    }

    /// The old order could not be cancelled, which the owner was told.
    fn replace_after_failure(
        &mut self,
        catalog: &Catalog,
        replacement: &Replacement,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let placed = match replacement.mode {
            ReplaceMode::StopOnFailure => Err(Reject::ReplaceNotAttempted),
            ReplaceMode::AllowFailure => self.place_replacement(catalog, &replacement.place, mail),
        };
        if let Err(reject) = placed {
            events.push(Event::Rejected { account: replacement.place.account, reject });
        }
    }

    /// A cancel was refused, which the owner was told.
    pub fn replace_after_refusal(
        &mut self,
        catalog: &Catalog,
        waiting: Option<ReplacementId>,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        if let Some(replacement) = waiting.map(|waiting| self.waiting(waiting)) {
            self.replace_after_failure(catalog, &replacement, mail, events);
        }
    }
}

/// Sends a cancel for every open order of an account in a market, oldest first. False where there is none.
fn send_cancels<S, H: Clone>(orders: &OpenOrders<S, H>, cancel: &CancelAllOrders, mail: &mut Mail) -> bool {
    let (account, market) = (cancel.account, cancel.market);
    let mut any = false;
    for open in orders.find_seat(account, market).into_iter().flat_map(|seat| orders.at_seat(seat)) {
        let (order, restriction) = (open.id(), CancelRestriction::None);
        let body = ToMarket::Cancel { order, account, restriction, replacement: None };
        mail.send_about(open.slot(), market, || body);
        any = true;
    }
    any
}
