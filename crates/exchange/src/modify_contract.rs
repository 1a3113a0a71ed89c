//! Giving an order at a contract another price or another quantity. It keeps its number, and its place only where nothing but its
//! quantity changes, and that to less. The account sees whether there is margin for it; the market knows what has traded since.
//! Source: Binance USD-M "Modify Order".

use std::collections::BTreeMap;

use model::{
    AccountId, Amount, ContractOrderModified, EndReason, Event, ExpiryReason, FromMarket, MarketId,
    MarketStatus, MarketTerms, Marks, ModifyContractOrder, OrderId, OrderKind, PlaceMessage, PriceTicks,
    QtyLots, Reject, SelfTradePrevention, TimeInForce, ToMarket,
};
use orderbook::OrderSlot;

use crate::accounts::{Accounts, find_order};
use crate::catalog::Catalog;
use crate::futures::Reserve;
use crate::market::Desk;
use crate::messages::Mail;
use crate::open_orders::Hint;
use crate::place::check_filters;
use crate::place_contract::{Weighed, check_kind};

/// What is reserved for an order as it will be, beside what is for it as it is, until its market has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modifying {
    pub reserve: Reserve,
    /// Why there is not more.
    pub reject: Option<Reject>,
}

/// Orders that are being modified.
pub type Modifications = BTreeMap<OrderId, Modifying>;

impl Accounts {
    #[inline(never)]
    pub fn modify_contract(
        &mut self,
        catalog: &Catalog,
        modify: &ModifyContractOrder,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        let ModifyContractOrder { account, market, price_ticks, qty_lots, self_trade_prevention, .. } =
            *modify;
        let terms = catalog.open_market(market)?;
        let contract = catalog.contract(market).ok_or(Reject::NotContract { market })?;
        self.account(account)?;
        let slot = find_order(&self.futures.open, (account, market), &modify.order, Hint::NONE)?;
        let kind = if modify.maker_only {
            OrderKind::LimitMaker { price_ticks, qty_lots }
        } else {
            OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Gtc }
        };
        check_kind(&kind, self_trade_prevention)?;
        check_filters(terms, &kind, price_ticks)?;
        let open = self.futures.open.order(slot);
        let (order, side, seat, held) = (open.id(), open.side(), open.seat, open.held);
        if self.futures.modifying.contains_key(&order) {
            return Err(Reject::BeingModified);
        }
        let stake = &self.futures.open.seat(seat).stake;
        if [stake.wallet, stake.backing()].into_iter().any(|wallet| self.futures.is_in_liquidation(wallet)) {
            return Err(Reject::InLiquidation);
        }
        let base = stake.reserved.without(terms, side, held, held.left_lots);
        let weigh = |qty: QtyLots| {
            let order = Weighed { side, limit: Some(price_ticks), qty, reduce_only: held.only_reduces() };
            self.weigh(catalog, (market, terms, contract), stake, base, order).map(|(reserve, _)| reserve)
        };
        // How much of it has traded only the market knows, so there may be margin for what is left though not for all of it.
        let modifying = match weigh(qty_lots) {
            Ok(reserve) => Modifying { reserve, reject: None },
            Err(reject) => {
                let (mut most, mut too_much) = (QtyLots::ZERO, qty_lots);
                while too_much - most > QtyLots(1) {
                    let between = most + QtyLots((too_much - most).0 / 2);
                    if weigh(between).is_ok() {
                        most = between;
                    } else {
                        too_much = between;
                    }
                }
                if most.is_zero() {
                    return Err(reject);
                }
                Modifying { reserve: weigh(most)?, reject: Some(reject) }
            }
        };
        let reserve = modifying.reserve;
        self.futures.modifying.insert(order, modifying);
        let stake = self.futures.stake_mut(seat);
        stake.reserved = stake.reserved.with(terms, side, reserve, reserve.left_lots);
        let most_lots = reserve.left_lots;
        let body = ToMarket::Modify { order, account, kind, self_trade_prevention, most_lots };
        mail.send_about(slot, market, || body);
        Ok(())
    }

    /// Nothing more is reserved for what an order would have been.
    pub fn end_modification(&mut self, terms: &MarketTerms, slot: OrderSlot) -> Option<Modifying> {
        let order = self.futures.open.order(slot);
        let (side, seat) = (order.side(), order.seat);
        let modifying = self.futures.modifying.remove(&order.id())?;
        let stake = self.futures.stake_mut(seat);
        let reserve = modifying.reserve;
        stake.reserved = stake.reserved.without(terms, side, reserve, reserve.left_lots);
        Some(modifying)
    }

    /// The market has modified an order, of which so much is left.
    pub fn modified(
        &mut self,
        terms: &MarketTerms,
        (account, market, slot): (AccountId, MarketId, OrderSlot),
        (kind, self_trade_prevention, left_lots): (OrderKind, SelfTradePrevention, QtyLots),
        events: &mut Vec<Event>,
    ) {
        let modifying = self.end_modification(terms, slot).expect("its owner has asked for it");
        let order = self.futures.open.order(slot);
        let (id, side, seat, before) = (order.id(), order.side(), order.seat, order.held);
        let reserve = Reserve { left_lots, ..modifying.reserve };
        let stake = self.futures.stake_mut(seat);
        stake.reserved = stake.reserved.without(terms, side, before, before.left_lots);
        stake.reserved = stake.reserved.with(terms, side, reserve, left_lots);
        self.futures.open.kept_mut(slot).held = reserve;
        self.futures.open.orders.set_price(slot, kind.price_ticks().unwrap_or(PriceTicks::ZERO));
        events.push(Event::ContractOrderModified(ContractOrderModified {
            order: id,
            account,
            market,
            kind,
            self_trade_prevention,
        }));
    }

    /// The market has not modified an order, which may have ended. `None` where there is not enough margin.
    pub fn modification_refused(
        &mut self,
        terms: &MarketTerms,
        account: AccountId,
        slot: Option<OrderSlot>,
        reject: Option<Reject>,
        events: &mut Vec<Event>,
    ) {
        let modifying = slot.and_then(|slot| self.end_modification(terms, slot));
        let short = modifying.and_then(|modifying| modifying.reject);
        if let Some(reject) = reject.or(short) {
            events.push(Event::Rejected { account, reject });
        }
    }
}

impl Desk<'_> {
    /// An order gets another price or another quantity, or the account hears why not.
    #[inline(never)]
    pub fn modify(
        &mut self,
        (order, account): (OrderId, AccountId),
        mut kind: OrderKind,
        self_trade_prevention: SelfTradePrevention,
        most_lots: QtyLots,
    ) {
        let refuse = |reject| FromMarket::ModifyRefused { reject: Some(reject) };
        if self.terms.status != MarketStatus::Trading {
            return self.tell(account, order, refuse(Reject::MarketClosed));
        }
        let Some(slot) = self.orders.find_at(self.slot, order) else {
            return self.tell(account, order, refuse(Reject::OrderGone { order }));
        };
        let resting = self.orders[slot].clone();
        let price = kind.price_ticks().expect("it has a limit");
        let mut qty = kind.qty_lots().expect("it has a quantity");
        let keeps_price = price == resting.price_ticks;
        if qty <= resting.gone_lots() {
            self.listed.book.cancel(self.orders, slot, self.reports);
            self.report(None);
            let reason = EndReason::Expired(ExpiryReason::ExchangeCanceled);
            return self.tell(account, order, FromMarket::Ended { reason, replacement: None });
        }
        let mut left_lots = qty - resting.gone_lots();
        if resting.marks.has(Marks::REDUCES) {
            // As when it was placed, it is cut to what there is to be closed.
            left_lots = left_lots.min(self.holders().closable(account, resting.side));
            qty = resting.gone_lots() + left_lots;
            kind.set_qty_lots(qty);
        }
        if keeps_price && qty == resting.qty_lots {
            return self.tell(account, order, refuse(Reject::AmendChangesNothing));
        }
        if left_lots > most_lots {
            return self.tell(account, order, FromMarket::ModifyRefused { reject: None });
        }
        let crossed = self.listed.book.best(resting.side.opposite());
        if matches!(kind, OrderKind::LimitMaker { .. })
            && self.listed.book.crosses(resting.side, price)
            && let Some(best_ticks) = crossed
        {
            return self.tell(account, order, refuse(Reject::WouldTake { best_ticks }));
        }
        let told = FromMarket::Modified { kind, self_trade_prevention, left_lots };
        if keeps_price && qty < resting.qty_lots {
            self.listed.book.reduce(self.orders, slot, qty, self.reports);
            self.tell(account, order, told);
            return self.report(None);
        }
        let position_side = self.holders().resting_for(account, order, resting.side);
        self.listed.book.cancel(self.orders, slot, self.reports);
        if let Some(reducing) = self.holders().reducing.get_mut(&account) {
            reducing.retain(|other| *other != order);
        }
        self.report(None);
        self.holders().arrives(account, position_side);
        self.tell(account, order, told);
        let mut left = kind;
        left.set_qty_lots(left_lots);
        let place = PlaceMessage {
            order,
            account,
            trade_group: resting.trade_group,
            side: resting.side,
            kind: left,
            self_trade_prevention,
            held: Amount::ZERO,
        };
        // Its limit is no worse than its account can bear.
        if self.work_contract(&place, price) {
            let slot = self.orders.find(order).expect("it rests");
            let rested = &mut self.orders[slot];
            rested.qty_lots = qty;
            rested.amends = resting.amends;
            rested.marks = rested.marks.with(Marks(resting.marks.0 & Marks::UNTRADED.0));
            if resting.marks.has(Marks::REDUCES) {
                self.rests_to_reduce(account, order);
            }
        }
    }
}
