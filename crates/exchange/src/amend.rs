//! Amending: an order becomes smaller and keeps its number and its priority. Source: semantics 1.4 and section 8.

use model::{AmendOrder, MarketTerms, OrderId, Reject, ToMarket};
use orderbook::OrderSlot;

use crate::accounts::{Accounts, find_order};
use crate::catalog::Catalog;
use crate::messages::Mail;
use crate::open_orders::{Hint, Named, OpenOrders};

impl Accounts {
    pub fn amend(
        &mut self,
        catalog: &Catalog,
        amend: &AmendOrder,
        hint: Hint,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        let terms = catalog.open_market(amend.market)?;
        self.account(amend.account)?;
        let (slot, order) = if catalog.contract(amend.market).is_some() {
            checked(&self.futures.open, terms, amend, hint)?
        } else {
            checked(&self.open, terms, amend, hint)?
        };
        let body = ToMarket::Amend {
            order,
            account: amend.account,
            new_qty_lots: amend.new_qty_lots,
            new_client_order_id: amend.new_client_order_id,
        };
        mail.send_about(slot, amend.market, || body);
        Ok(())
    }
}

/// The order that is amended, and its number, if its account can see nothing wrong with that.
fn checked<S, H: Clone>(
    orders: &OpenOrders<S, H>,
    terms: &MarketTerms,
    amend: &AmendOrder,
    hint: Hint,
) -> Result<(OrderSlot, OrderId), Reject> {
    let slot = find_order(orders, (amend.account, amend.market), &amend.order, hint)?;
    let open = orders.order(slot);
    let name = amend.new_client_order_id;
    if amend.new_qty_lots < terms.min_qty_lots || terms.max_qty_lots < amend.new_qty_lots {
        return Err(Reject::QtyOutOfRange { min_lots: terms.min_qty_lots, max_lots: terms.max_qty_lots });
    }
    if let Some(price) = open.limit_ticks()
        // The price may be from before the terms were changed; an amendment that makes the order larger is refused later.
        && terms.checked_notional(price, amend.new_qty_lots).is_some_and(|notional| notional < terms.min_notional)
    {
        return Err(Reject::NotionalOutOfRange { min: terms.min_notional, max: terms.max_notional });
    }
    if !name.is_empty()
        && name != open.client_order_id
        && orders.find_named(&Named::new(amend.account, &name)).is_some()
    {
        return Err(Reject::DuplicateClientOrderId);
    }
    Ok((slot, open.id()))
}
