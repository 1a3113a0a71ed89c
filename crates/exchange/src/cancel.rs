//! Cancelling: one order, all orders of an account in a market, and one to be replaced by another. The account finds the
//! order; the market decides. Source: semantics 1.4.

use model::{
    AccountId, CancelAllOrders, CancelOrder, CancelRestriction, Event, OrderId, Reject, ReplaceMode,
    ReplaceOrder,
};

use crate::accounts::{Accounts, Replacement};
use crate::catalog::Catalog;
use crate::messages::{Mail, ToMarket};

impl Accounts {
    pub fn cancel(&mut self, catalog: &Catalog, cancel: &CancelOrder, mail: &mut Mail) -> Result<(), Reject> {
        catalog.market(cancel.market)?;
        self.account(cancel.account)?;
        let slot = self.find_order(cancel.account, cancel.market, &cancel.order)?;
        let order = self.open.order(slot).id;
        let body = ToMarket::Cancel { order, account: cancel.account, restriction: cancel.restriction };
        mail.send_to_market(cancel.market, body);
        Ok(())
    }

    pub fn cancel_all(
        &mut self,
        catalog: &Catalog,
        cancel: &CancelAllOrders,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        catalog.market(cancel.market)?;
        let seat = self.seat(cancel.account, cancel.market)?.ok_or(Reject::UnknownOrder)?;
        let account = cancel.account;
        let mut any = false;
        for open in self.open.at_seat(seat) {
            let body = ToMarket::Cancel { order: open.id, account, restriction: CancelRestriction::None };
            mail.send_to_market(cancel.market, body);
            any = true;
        }
        if any { Ok(()) } else { Err(Reject::UnknownOrder) }
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
        self.check_rules(catalog, place)?;
        let replacement = Replacement { mode: replace.mode, place: place.clone() };
        match self.find_order(place.account, place.market, &replace.cancel) {
            Ok(slot) => {
                let order = self.open.order(slot).id;
                self.replacements.insert(order, replacement);
                let body =
                    ToMarket::Cancel { order, account: place.account, restriction: replace.restriction };
                mail.send_to_market(place.market, body);
            }
            Err(reject) => {
                events.push(Event::Rejected { account: place.account, reject });
                self.replace_after_failure(catalog, &replacement, mail, events);
            }
        }
        Ok(())
    }

    /// The old order is cancelled.
    pub fn replace_after_cancel(
        &mut self,
        catalog: &Catalog,
        order: OrderId,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        if let Some(replacement) = self.replacements.remove(&order)
            && let Err(reject) = self.place_checked(catalog, &replacement.place, mail)
        {
            events.push(Event::Rejected { account: replacement.place.account, reject });
        }
    }

    /// The old order could not be cancelled, which the owner was told.
    pub fn replace_after_failure(
        &mut self,
        catalog: &Catalog,
        replacement: &Replacement,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let placed = match replacement.mode {
            ReplaceMode::StopOnFailure => Err(Reject::ReplaceNotAttempted),
            ReplaceMode::AllowFailure => self.place_checked(catalog, &replacement.place, mail),
        };
        if let Err(reject) = placed {
            events.push(Event::Rejected { account: replacement.place.account, reject });
        }
    }

    pub fn cancel_refused(
        &mut self,
        catalog: &Catalog,
        account: AccountId,
        order: OrderId,
        reject: Reject,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        events.push(Event::Rejected { account, reject });
        if let Some(replacement) = self.replacements.remove(&order) {
            self.replace_after_failure(catalog, &replacement, mail, events);
        }
    }
}
