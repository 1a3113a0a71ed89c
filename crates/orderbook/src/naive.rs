//! The same book written the obvious way: a list of orders in the order of their arrival, searched from end to end for
//! everything. It is what the fast book must agree with, report for report, and it is never used for anything else.

use model::{
    AccountId, OrderId, PlaceMessage, PriceTicks, QtyLots, SelfTradePrevention, Side, TradeGroup, TriggerKind,
};

use crate::{Incoming, OrderSlot, Outcome, Remainder, Report, Stop, TickLots, Touched};

/// An order at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NaiveOrder {
    /// Its number.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// Whose it is, for self-trade prevention.
    pub trade_group: TradeGroup,
    /// On which side.
    pub side: Side,
    /// Its price.
    pub price_ticks: PriceTicks,
    /// What can still trade.
    pub open_lots: QtyLots,
    /// What it was for.
    pub qty_lots: QtyLots,
    /// What has traded of it.
    pub traded_lots: QtyLots,
    /// What it asks for when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
}

/// A book without any structure.
#[derive(Clone, Debug, Default)]
pub struct NaiveBook {
    arrived: Vec<NaiveOrder>,
}

impl NaiveBook {
    /// The orders of a side in the order in which they would trade: a stable sort keeps arrivals apart.
    pub fn queue(&self, side: Side) -> Vec<NaiveOrder> {
        let mut queue: Vec<_> = self.arrived.iter().filter(|order| order.side == side).cloned().collect();
        match side {
            Side::Buy => queue.sort_by_key(|order| -order.price_ticks),
            Side::Sell => queue.sort_by_key(|order| order.price_ticks),
        }
        queue
    }

    fn open_at(&self, side: Side, price: PriceTicks) -> QtyLots {
        let mut open = QtyLots::ZERO;
        for order in self.arrived.iter().filter(|order| order.side == side && order.price_ticks == price) {
            open += order.open_lots;
        }
        open
    }

    fn tell_level(&self, side: Side, price: PriceTicks, reports: &mut Vec<Report>) {
        reports.push(Report::LevelChanged { side, price_ticks: price, open_lots: self.open_at(side, price) });
    }

    /// As [`crate::Book::cancel`]; false when there is no such order.
    pub fn cancel(&mut self, id: OrderId, reports: &mut Vec<Report>) -> bool {
        let Some(at) = self.arrived.iter().position(|order| order.id == id) else { return false };
        let order = self.arrived.remove(at);
        self.tell_level(order.side, order.price_ticks, reports);
        true
    }

    /// As [`crate::Book::reduce`].
    pub fn reduce(&mut self, id: OrderId, qty: QtyLots, reports: &mut Vec<Report>) {
        let order = self.arrived.iter_mut().find(|order| order.id == id).expect("it rests");
        order.open_lots = qty - (order.qty_lots - order.open_lots);
        order.qty_lots = qty;
        let (side, price) = (order.side, order.price_ticks);
        self.tell_level(side, price, reports);
    }

    /// As [`crate::Book::place`].
    pub fn place(&mut self, incoming: &Incoming, reports: &mut Vec<Report>) -> Outcome {
        if incoming.remainder == Remainder::NoneAllowed {
            let trial = Incoming { remainder: Remainder::Expires, ..incoming.clone() };
            let mut reports = Vec::new();
            let outcome = self.clone().place(&trial, &mut reports);
            if outcome.traded_lots != incoming.max_lots {
                // Where it would lose anything, that is why it cannot fill, wherever else it would come to its end.
                let loses = |report: &Report| matches!(report, Report::Prevented { taker_lots, .. } if !taker_lots.is_zero());
                let stop = if reports.iter().any(loses) { Stop::Prevented } else { outcome.stop };
                let (traded_lots, prevented_lots) = (QtyLots::ZERO, QtyLots::ZERO);
                return Outcome { stop, traded_lots, prevented_lots, ..outcome };
            }
        }

        let counter = incoming.side.opposite();
        let mut left = incoming.max_lots;
        let mut left_tick_lots = incoming.max_tick_lots;
        let mut traded = QtyLots::ZERO;
        // The price at which something traded that nobody was told of yet.
        let mut untold: Option<PriceTicks> = None;
        let stop = loop {
            if left.is_zero() {
                break Stop::Lots;
            }
            let Some(maker) = self.queue(counter).into_iter().next() else { break Stop::BookEnded };
            if untold.is_some_and(|price| price != maker.price_ticks) {
                self.tell_level(counter, untold.take().expect("just seen"), reports);
            }
            let acceptable = match incoming.side {
                Side::Buy => maker.price_ticks <= incoming.worst_ticks,
                Side::Sell => maker.price_ticks >= incoming.worst_ticks,
            };
            if !acceptable {
                break Stop::Price;
            }
            let same_group =
                incoming.trade_group != TradeGroup::NONE && incoming.trade_group == maker.trade_group;
            // What it could still trade at this price, whoever rests there.
            let mut affordable = left;
            while cost(maker.price_ticks, affordable) > left_tick_lots {
                // One lot less at a time is slow for large orders, so halve first where even half is too much.
                let half = QtyLots(affordable.0.checked_div(2).expect("two is not zero"));
                let half_is_too_much = cost(maker.price_ticks, half) > left_tick_lots;
                affordable = if half_is_too_much { half } else { affordable - QtyLots(1) };
            }
            if affordable.is_zero() {
                break Stop::TickLots;
            }
            let own = incoming.account == maker.account || same_group;
            if own && incoming.self_trade_prevention != SelfTradePrevention::None {
                if let Some(price) = untold.take() {
                    self.tell_level(counter, price, reports);
                }
                let mut mode = incoming.self_trade_prevention;
                let both_transfer = maker.self_trade_prevention == SelfTradePrevention::Transfer;
                if mode == SelfTradePrevention::Transfer
                    && (!both_transfer || incoming.account == maker.account)
                {
                    mode = SelfTradePrevention::Decrement;
                }
                let would_trade = affordable.min(maker.open_lots);
                let (maker_lots, taker_lots) = match mode {
                    SelfTradePrevention::None => panic!("asked above"),
                    SelfTradePrevention::ExpireMaker => (maker.open_lots, QtyLots::ZERO),
                    SelfTradePrevention::ExpireTaker => (QtyLots::ZERO, affordable),
                    SelfTradePrevention::ExpireBoth => (maker.open_lots, affordable),
                    SelfTradePrevention::Decrement | SelfTradePrevention::Transfer => {
                        (would_trade, would_trade)
                    }
                };
                reports.push(Report::Prevented {
                    maker: maker.id,
                    maker_account: maker.account,
                    price_ticks: maker.price_ticks,
                    mode,
                    maker_lots,
                    taker_lots,
                    maker_done: maker_lots == maker.open_lots,
                });
                let resting =
                    self.arrived.iter_mut().find(|order| order.id == maker.id).expect("it was in the queue");
                resting.open_lots -= maker_lots;
                self.arrived.retain(|order| !order.open_lots.is_zero());
                if !maker_lots.is_zero() {
                    self.tell_level(counter, maker.price_ticks, reports);
                }
                left -= taker_lots;
                if left_tick_lots != TickLots::MAX {
                    left_tick_lots = left_tick_lots.saturating_sub(cost(maker.price_ticks, taker_lots));
                }
                if taker_lots == affordable {
                    break Stop::Prevented;
                }
                continue;
            }
            let qty = affordable.min(maker.open_lots);
            left -= qty;
            traded += qty;
            if left_tick_lots != TickLots::MAX {
                left_tick_lots = left_tick_lots.saturating_sub(cost(maker.price_ticks, qty));
            }
            let resting =
                self.arrived.iter_mut().find(|order| order.id == maker.id).expect("it was in the queue");
            resting.open_lots -= qty;
            resting.traded_lots += qty;
            reports.push(Report::Traded {
                maker: maker.id,
                maker_slot: OrderSlot::UNKNOWN,
                maker_account: maker.account,
                price_ticks: maker.price_ticks,
                qty_lots: qty,
                maker_done: resting.open_lots.is_zero(),
            });
            untold = Some(maker.price_ticks);
            self.arrived.retain(|order| !order.open_lots.is_zero());
        };
        if let Some(price) = untold {
            self.tell_level(counter, price, reports);
        }

        let rests =
            incoming.remainder == Remainder::Rests && (stop == Stop::Price || stop == Stop::BookEnded);
        if rests {
            self.arrived.push(NaiveOrder {
                id: incoming.id,
                account: incoming.account,
                trade_group: incoming.trade_group,
                side: incoming.side,
                price_ticks: incoming.worst_ticks,
                open_lots: left,
                qty_lots: incoming.max_lots,
                traded_lots: traded,
                self_trade_prevention: incoming.self_trade_prevention,
            });
            self.tell_level(incoming.side, incoming.worst_ticks, reports);
        }
        Outcome { stop, traded_lots: traded, prevented_lots: incoming.max_lots - left - traded, rests }
    }
}

fn cost(price: PriceTicks, qty: QtyLots) -> TickLots {
    i128::from(price.0).saturating_mul(i128::from(qty.0))
}

/// Orders that wait for a price, in the order in which they were accepted, with the best price since they follow it. What
/// [`crate::Triggers`] must agree with.
#[derive(Clone, Debug, Default)]
pub struct NaiveTriggers {
    waiting: Vec<(PlaceMessage, Option<PriceTicks>)>,
}

impl NaiveTriggers {
    /// As [`crate::Triggers::add`].
    pub fn add(&mut self, place: PlaceMessage, last: Option<PriceTicks>) {
        let trigger = place.kind.trigger().expect("it has one");
        let nothing_yet = if place.side == Side::Buy { PriceTicks(i64::MAX) } else { PriceTicks(0) };
        let extreme = if trigger.stop_ticks.is_none() { Some(last.unwrap_or(nothing_yet)) } else { None };
        self.waiting.push((place, extreme));
    }

    /// As [`crate::Triggers::remove`].
    pub fn remove(&mut self, order: OrderId) -> Option<PlaceMessage> {
        let at = self.waiting.iter().position(|(place, _)| place.order == order)?;
        Some(self.waiting.remove(at).0)
    }

    /// As [`crate::Triggers::see`].
    pub fn see(&mut self, price: PriceTicks) -> Vec<Touched> {
        let mut touched = Vec::new();
        self.waiting.retain_mut(|(place, extreme)| {
            let trigger = place.kind.trigger().expect("it has one");
            let is_buy = place.side == Side::Buy;
            if let Some(best) = extreme {
                *best = if is_buy { price.min(*best) } else { price.max(*best) };
                let bips = i128::from(trigger.trailing_bips.expect("it trails"));
                let (best, price) = (i128::from(best.0), i128::from(price.0));
                // As a part of the extreme, in hundredths of a per cent.
                let back = if is_buy { price.saturating_sub(best) } else { best.saturating_sub(price) };
                if back.saturating_mul(10_000) < best.saturating_mul(bips) {
                    return true;
                }
            } else {
                let stop = trigger.stop_ticks.expect("it waits for one");
                let has_come = match (trigger.kind, place.side) {
                    (TriggerKind::StopLoss, Side::Buy) | (TriggerKind::TakeProfit, Side::Sell) => {
                        price >= stop
                    }
                    (TriggerKind::StopLoss, Side::Sell) | (TriggerKind::TakeProfit, Side::Buy) => {
                        price <= stop
                    }
                };
                if has_come && trigger.trailing_bips.is_some() {
                    *extreme = Some(price);
                    touched.push(Touched::Tracks { order: place.order, account: place.account });
                }
                if !has_come || trigger.trailing_bips.is_some() {
                    return true;
                }
            }
            touched.push(Touched::Triggered { place: *place, amends: 0 });
            false
        });
        touched
    }
}
