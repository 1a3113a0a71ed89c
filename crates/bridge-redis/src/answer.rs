//! From the events of an entry to the fields of its result. Pure.

use dialect::Listing;
use dialect::rejects::{Asked, api_error};
use model::{
    AccountId, Amount, EndReason, EntryId, Event, MarketId, OrderAccepted, OrderAction, OrderAmended,
    OrderEnded, OrderFilled, OrderId, QtyLots, Reject, TimeNs,
};

use crate::entry::text_of;

mod contracts;

/// What was told of an entry until now.
#[derive(Clone, Debug)]
pub struct Answer {
    entry: EntryId,
    action: OrderAction,
    account: AccountId,
    /// Where.
    pub market: MarketId,
    time_ns: TimeNs,
    accepted: Option<OrderAccepted>,
    fills: Vec<OrderFilled>,
    amended: Option<OrderAmended>,
    ended: Vec<OrderEnded>,
    rejects: Vec<Reject>,
    at_contract: contracts::Told,
}

/// A result, ready to be written.
pub type Fields = Vec<(&'static str, String)>;

impl Answer {
    /// Of an entry that was taken; nothing is told yet.
    pub fn new(entry: EntryId, action: OrderAction, account: AccountId, market: MarketId) -> Self {
        Self {
            entry,
            action,
            account,
            market,
            time_ns: TimeNs(0),
            accepted: None,
            fills: Vec::new(),
            amended: None,
            ended: Vec::new(),
            rejects: Vec::new(),
            at_contract: contracts::Told::default(),
        }
    }

    /// Takes in what happened at that time. What happens to others is none of it.
    pub fn hear(&mut self, time_ns: TimeNs, events: &[Event]) {
        self.time_ns = time_ns;
        for event in events {
            self.at_contract.hear(self.account, event);
            match event {
                Event::Heard { time_ns, .. } => self.time_ns = *time_ns,
                Event::OrderAccepted(accepted) if accepted.account == self.account => {
                    self.accepted = Some(accepted.clone());
                }
                Event::OrderFilled(filled) if filled.account == self.account => {
                    self.fills.push(filled.clone());
                }
                Event::OrderAmended(amended) if amended.account == self.account => {
                    self.amended = Some(amended.clone());
                }
                Event::OrderEnded(ended) if ended.account == self.account => self.ended.push(ended.clone()),
                Event::Rejected { account, reject } if *account == self.account => {
                    self.rejects.push(*reject);
                }
                _ => {}
            }
        }
    }

    /// Whose entry it was.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The entry that it answers.
    pub fn entry(&self) -> String {
        text_of(self.entry)
    }

    /// The result. `account` is what the account is called.
    pub fn fields(&self, account: &str, listing: Option<&Listing>) -> Fields {
        let mut fields: Fields = vec![
            ("entry", self.entry()),
            ("action", action_name(self.action).to_owned()),
            ("account", account.to_owned()),
            ("transactTime", self.time_ns.as_millis().to_string()),
        ];
        // A market that is not listed has no name, and nothing happens there.
        let Some(listing) = listing else {
            self.refused(None, &mut fields);
            return fields;
        };
        if listing.contract.is_some() {
            fields.push(("market", "futures".to_owned()));
        }
        fields.push(("symbol", listing.terms.name.to_string()));
        if listing.contract.is_some() {
            // Whoever is refused has done nothing: what else was told came of other orders.
            let done = if self.rejects.is_empty() {
                self.at_contract.done(self.action, &self.ended, listing)
            } else {
                None
            };
            match done {
                Some(done) => fields.extend(done),
                None => self.refused(Some(listing), &mut fields),
            }
            return fields;
        }
        match self.action {
            OrderAction::Place => {
                if !self.placed(listing, &mut fields) {
                    self.refused(Some(listing), &mut fields);
                }
            }
            OrderAction::Cancel | OrderAction::CancelAll => {
                let ended = self.ended.iter().filter(|ended| ended.reason == EndReason::Canceled);
                let ids: Vec<String> = ended.map(|ended| ended.order.to_string()).collect();
                if ids.is_empty() {
                    self.refused(Some(listing), &mut fields);
                } else {
                    fields.push(("result", "OK".to_owned()));
                    fields.push(("status", "CANCELED".to_owned()));
                    fields.push(("orderId", ids.join(",")));
                }
            }
            OrderAction::Amend => match &self.amended {
                None => self.refused(Some(listing), &mut fields),
                Some(amended) => {
                    fields.push(("result", "OK".to_owned()));
                    fields.push(("orderId", amended.order.to_string()));
                    fields.push(("clientOrderId", amended.client_order_id.to_string()));
                    fields.push(("origQty", listing.quantity(amended.qty_lots).to_string()));
                }
            },
            OrderAction::Replace => self.replaced(listing, &mut fields),
            // Of contracts alone.
            OrderAction::PlaceAlgo | OrderAction::CancelAlgo | OrderAction::CancelAllAlgos => {
                self.refused(Some(listing), &mut fields);
            }
        }
        fields
    }

    /// What became of the new order; false when there is none.
    fn placed(&self, listing: &Listing, fields: &mut Fields) -> bool {
        let Some(accepted) = &self.accepted else { return false };
        let (executed, quote) = self.executed(accepted.order, listing);
        let end = self.ended.iter().find(|ended| ended.order == accepted.order).map(|ended| ended.reason);
        fields.push(("result", "OK".to_owned()));
        fields.push(("orderId", accepted.order.to_string()));
        fields.push(("clientOrderId", accepted.client_order_id.to_string()));
        fields.push(("status", status(end, executed).to_owned()));
        if let Some(qty) = accepted.kind.qty_lots() {
            fields.push(("origQty", listing.quantity(qty).to_string()));
        }
        fields.push(("executedQty", listing.quantity(executed).to_string()));
        fields.push(("cummulativeQuoteQty", listing.quote_amount(quote).to_string()));
        true
    }

    fn executed(&self, order: OrderId, listing: &Listing) -> (QtyLots, Amount) {
        let fills = self.fills.iter().filter(|filled| filled.order == order);
        fills.fold((QtyLots::ZERO, Amount::ZERO), |(lots, quote), filled| {
            (lots + filled.qty_lots, quote + listing.terms.notional(filled.price_ticks, filled.qty_lots))
        })
    }

    fn replaced(&self, listing: &Listing, fields: &mut Fields) {
        let new = self.accepted.as_ref().map(|accepted| accepted.order);
        let cancelled = self
            .ended
            .iter()
            .find(|ended| ended.reason == EndReason::Canceled && Some(ended.order) != new)
            .map(|ended| ended.order);
        if let Some(cancelled) = cancelled {
            fields.push(("cancelOrderId", cancelled.to_string()));
        }
        let was_placed = self.placed(listing, fields);
        let not_attempted =
            cancelled.is_none() && !was_placed && self.rejects.last() == Some(&Reject::ReplaceNotAttempted);
        // One refusal alone came before either half was tried.
        let was_tried = cancelled.is_some() || was_placed || self.rejects.len() > 1;
        let half = |done| if done { "SUCCESS" } else { "FAILURE" };
        if was_tried {
            let new_result = if not_attempted { "NOT_ATTEMPTED" } else { half(was_placed) };
            fields.push(("cancelResult", half(cancelled.is_some()).to_owned()));
            fields.push(("newOrderResult", new_result.to_owned()));
        }
        if let Some(reject) = self.rejects.first() {
            let is_of_cancel = was_tried && cancelled.is_none();
            let error = api_error(if is_of_cancel { Asked::Cancel } else { Asked::Place }, reject);
            if !was_placed {
                fields.push(("result", "REFUSED".to_owned()));
            }
            fields.push(("code", error.code.to_string()));
            fields.push(("msg", error.message.into_owned()));
        }
    }

    fn refused(&self, listing: Option<&Listing>, fields: &mut Fields) {
        let asked = match self.action {
            OrderAction::Place | OrderAction::Replace | OrderAction::PlaceAlgo => Asked::Place,
            OrderAction::Cancel
            | OrderAction::CancelAll
            | OrderAction::CancelAlgo
            | OrderAction::CancelAllAlgos => Asked::Cancel,
            OrderAction::Amend => Asked::Amend,
        };
        fields.push(("result", "REFUSED".to_owned()));
        // A source is trusted to say whose order it is, so it is told when there is nobody of that name.
        if let Some(Reject::UnknownAccount { account }) = self.rejects.first() {
            fields.push(("code", crate::entry::UNKNOWN_ACCOUNT.to_string()));
            fields.push(("msg", format!("There is no account {account}.")));
        } else if let Some(reject) = self.rejects.first() {
            let error = match listing.filter(|listing| listing.contract.is_some()) {
                Some(contract) => contracts::refusal(reject, contract),
                None => api_error(asked, reject),
            };
            fields.push(("code", error.code.to_string()));
            fields.push(("msg", error.message.into_owned()));
        } else {
            // The operator had the command taken out.
            fields.push(("code", "-1000".to_owned()));
            fields.push(("msg", "The command was skipped by the operator.".to_owned()));
        }
    }
}

fn action_name(action: OrderAction) -> &'static str {
    match action {
        OrderAction::Place | OrderAction::PlaceAlgo => "NEW",
        OrderAction::Cancel | OrderAction::CancelAlgo => "CANCEL",
        OrderAction::CancelAll => "CANCEL_ALL",
        OrderAction::CancelAllAlgos => "CANCEL_ALL_ALGO",
        OrderAction::Replace => "CANCEL_REPLACE",
        OrderAction::Amend => "AMEND",
    }
}

/// What an order's state is called.
pub fn status(end: Option<EndReason>, executed: QtyLots) -> &'static str {
    match end {
        None if executed.is_zero() => "NEW",
        None => "PARTIALLY_FILLED",
        Some(EndReason::Filled) => "FILLED",
        Some(EndReason::Canceled) => "CANCELED",
        Some(EndReason::Expired(_)) => "EXPIRED",
        Some(EndReason::ExpiredInMatch) => "EXPIRED_IN_MATCH",
    }
}

#[cfg(test)]
mod tests {
    use dialect::sample::btcusdt;
    use model::{
        ClientOrderId, Liquidity, OrderKind, PriceTicks, SelfTradePrevention, Side, TimeInForce, TradeId,
    };

    use super::*;

    const MINE: AccountId = AccountId(7);
    const MARKET: MarketId = MarketId(0);

    fn accepted(order: u64) -> Event {
        let (price_ticks, qty_lots, time_in_force) = (PriceTicks(1_000_000), QtyLots(500), TimeInForce::Gtc);
        Event::OrderAccepted(OrderAccepted {
            order: OrderId(order),
            account: MINE,
            market: MARKET,
            side: Side::Buy,
            kind: OrderKind::Limit { price_ticks, qty_lots, time_in_force },
            self_trade_prevention: SelfTradePrevention::None,
            client_order_id: ClientOrderId::new("mine").unwrap(),
            held: Amount(0),
        })
    }

    fn filled(order: u64, account: AccountId, lots: i64) -> Event {
        Event::OrderFilled(OrderFilled {
            order: OrderId(order),
            account,
            market: MARKET,
            trade: TradeId(1),
            side: Side::Buy,
            liquidity: Liquidity::Taker,
            price_ticks: PriceTicks(1_000_000),
            qty_lots: QtyLots(lots),
            fee: Amount(0),
            released: Amount(0),
        })
    }

    fn ended(order: u64, reason: EndReason) -> Event {
        let (order, released) = (OrderId(order), Amount(0));
        Event::OrderEnded(OrderEnded { order, account: MINE, market: MARKET, reason, released })
    }

    fn rejected(reject: Reject) -> Event {
        Event::Rejected { account: MINE, reject }
    }

    fn told(action: OrderAction, events: &[Event]) -> String {
        let mut answer = Answer::new(EntryId((9 << 64) | 1), action, MINE, MARKET);
        answer.hear(TimeNs(5_000_000), events);
        let fields = answer.fields("alice", Some(&btcusdt()));
        let text: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text.join(" ")
    }

    #[track_caller]
    fn says(action: OrderAction, events: &[Event], expected: &str) {
        let text = told(action, events);
        let head = "entry=9-1 action=";
        assert!(text.starts_with(head) && text.ends_with(expected), "{text}");
    }

    #[test]
    fn a_result_tells_what_became_of_the_order() {
        let mut other = filled(3, AccountId(8), 100);
        says(
            OrderAction::Place,
            &[accepted(4)],
            "symbol=BTCUSDT result=OK orderId=4 clientOrderId=mine status=NEW origQty=0.50000000 executedQty=0.00000000 \
             cummulativeQuoteQty=0.000000",
        );
        says(
            OrderAction::Place,
            &[accepted(4), other.clone(), filled(4, MINE, 100)],
            "status=PARTIALLY_FILLED origQty=0.50000000 executedQty=0.10000000 cummulativeQuoteQty=5000.000000",
        );
        if let Event::OrderFilled(filled) = &mut other {
            filled.account = MINE;
        }
        // Its own older order traded as well: that is no part of this one.
        says(
            OrderAction::Place,
            &[accepted(4), other, filled(4, MINE, 500), ended(4, EndReason::Filled)],
            "status=FILLED origQty=0.50000000 executedQty=0.50000000 cummulativeQuoteQty=25000.000000",
        );
        let late = rejected(Reject::TooLate { valid_until_ns: TimeNs(1) });
        says(
            OrderAction::Place,
            &[late],
            "result=REFUSED code=-1021 msg=Timestamp for this request is outside of the recvWindow.",
        );
    }

    #[test]
    fn cancels_and_replacements_tell_of_both_orders() {
        let gone = [ended(4, EndReason::Canceled), ended(5, EndReason::Canceled)];
        says(OrderAction::CancelAll, &gone, "result=OK status=CANCELED orderId=4,5");
        let unknown = rejected(Reject::UnknownOrder);
        says(
            OrderAction::Cancel,
            std::slice::from_ref(&unknown),
            "result=REFUSED code=-2011 msg=Unknown order sent.",
        );
        let replace = |events: &[Event]| told(OrderAction::Replace, events);
        let both = replace(&[ended(4, EndReason::Canceled), accepted(5)]);
        assert!(both.contains("cancelOrderId=4 result=OK orderId=5"), "{both}");
        assert!(both.ends_with("cancelResult=SUCCESS newOrderResult=SUCCESS"), "{both}");
        let neither = replace(&[unknown.clone(), rejected(Reject::ReplaceNotAttempted)]);
        assert!(
            neither.contains("cancelResult=FAILURE newOrderResult=NOT_ATTEMPTED result=REFUSED code=-2011"),
            "{neither}"
        );
        let new_alone = replace(&[unknown, accepted(5)]);
        assert!(new_alone.contains("result=OK") && !new_alone.contains("REFUSED"), "{new_alone}");
        assert!(new_alone.contains("cancelResult=FAILURE newOrderResult=SUCCESS code=-2011"), "{new_alone}");
        let at_once = replace(&[rejected(Reject::MarketClosed)]);
        assert!(at_once.ends_with("result=REFUSED code=-2010 msg=Market is closed."), "{at_once}");
        let old_alone = replace(&[ended(4, EndReason::Canceled), rejected(Reject::DuplicateClientOrderId)]);
        assert!(
            old_alone.contains("cancelResult=SUCCESS newOrderResult=FAILURE result=REFUSED code=-2010"),
            "{old_alone}"
        );
    }
}
