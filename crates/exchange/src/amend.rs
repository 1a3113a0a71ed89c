//! Amending: an order becomes smaller and keeps its number and its priority. Source: semantics 1.4 and section 8.

use model::{AmendOrder, Reject, ToMarket};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::messages::Mail;
use crate::open_orders::Named;

impl Accounts {
    pub fn amend(&mut self, catalog: &Catalog, amend: &AmendOrder, mail: &mut Mail) -> Result<(), Reject> {
        let terms = catalog.open_market(amend.market)?;
        self.account(amend.account)?;
        let slot = self.find_order(amend.account, amend.market, &amend.order)?;
        let open = self.open.order(slot);
        let (order, name) = (open.id, amend.new_client_order_id);
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
            && self.open.find_named(&Named::new(amend.account, &name)).is_some()
        {
            return Err(Reject::DuplicateClientOrderId);
        }
        let body = ToMarket::Amend {
            order,
            account: amend.account,
            new_qty_lots: amend.new_qty_lots,
            new_client_order_id: name,
        };
        mail.send_to_market(amend.market, body);
        Ok(())
    }
}
