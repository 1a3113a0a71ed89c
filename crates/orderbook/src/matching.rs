//! Placing an order: it trades with what rests on the other side, best price first and then oldest first, at the resting
//! order's price; what is left rests or is given back, as the order says. Sources: semantics 1.3, 1.4, 1.7.

use model::{AccountId, Marks, OrderId, PriceTicks, QtyLots, SelfTradePrevention, Side, TradeGroup};

use crate::side::{Missing, Rank};
use crate::{Book, Order, OrderSlot, Orders};

/// Price x quantity, in ticks times lots. With terms that pass their check it stays far below the type's end.
pub type TickLots = i128;

/// An order on its way into the book.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its number, not on any book.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// Whose it is, for self-trade prevention.
    pub trade_group: TradeGroup,
    /// Which way.
    pub side: Side,
    /// The worst price it accepts.
    pub worst_ticks: PriceTicks,
    /// The most it trades; above zero.
    pub max_lots: QtyLots,
    /// The most that its trades may come to; `TickLots::MAX` where the price alone limits that.
    pub max_tick_lots: TickLots,
    /// What becomes of the rest.
    pub remainder: Remainder,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// Where it lies already, if its owner keeps something for it here ([`Orders::keep`]) and the caller knows.
    pub slot: OrderSlot,
    /// What it has traded and lost before, where it comes once more behind [`Stop::Reduces`].
    pub before: Before,
}

/// What an order has done before that comes once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// What it has traded.
    pub traded_lots: QtyLots,
    /// What was prevented.
    pub prevented_lots: QtyLots,
}

/// What becomes of that part of an order that does not trade at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remainder {
    /// It rests at the worst price.
    Rests,
    /// It expires.
    Expires,
    /// If there is any, nothing trades at all.
    NoneAllowed,
}

/// What happened on the book, in order. A level is told of once all that happened to it by this step is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The incoming order traded with a resting one.
    Traded {
        /// The resting order.
        maker: OrderId,
        /// Where it is, or was.
        maker_slot: OrderSlot,
        /// Whose it is.
        maker_account: AccountId,
        /// The resting order's price.
        price_ticks: PriceTicks,
        /// How much.
        qty_lots: QtyLots,
        /// Nothing of the resting order is left.
        maker_done: bool,
    },
    /// The incoming order met one of its owner's own.
    Prevented {
        /// The resting order.
        maker: OrderId,
        /// Whose it is.
        maker_account: AccountId,
        /// The resting order's price.
        price_ticks: PriceTicks,
        /// What is done about it: what the incoming order asks for, or [`SelfTradePrevention::Decrement`] where it asks for a
        /// transfer that cannot be.
        mode: SelfTradePrevention,
        /// What the resting order loses by it: all that is open of it, nothing, or what the two would have traded.
        maker_lots: QtyLots,
        /// What the incoming order loses by it: all that it could still trade at this price, nothing, or what the two would have
        /// traded.
        taker_lots: QtyLots,
        /// Nothing of the resting order is left.
        maker_done: bool,
    },
    /// What is open at a price is another amount now.
    LevelChanged {
        /// On which side.
        side: Side,
        /// At which price.
        price_ticks: PriceTicks,
        /// All that is open there.
        open_lots: QtyLots,
    },
}

/// Why an incoming order stopped trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It traded the most it may, in lots.
    Lots,
    /// What is left of its tick-lots buys less than one lot at the best price.
    TickLots,
    /// Nobody is left on the other side.
    BookEnded,
    /// The best price is worse than the worst it accepts.
    Price,
    /// Self-trade prevention ended it.
    Prevented,
    /// The next one to trade with only makes a position smaller ([`Marks::REDUCES`]), and may be too large for that since something
    /// has traded: whoever knows positions cuts it, and the order comes once more.
    Reduces,
}

/// How far an incoming order came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Why it stopped. An order that rests stopped at [`Stop::Price`] or [`Stop::BookEnded`].
    pub stop: Stop,
    /// How much it traded; what was prevented is not part of it.
    pub traded_lots: QtyLots,
    /// What was prevented.
    pub prevented_lots: QtyLots,
    /// It rests with what is left.
    pub rests: bool,
}

impl Book {
    /// Trades `incoming`, and lets the rest of it rest when it asks for that.
    pub fn place(&mut self, orders: &mut Orders, incoming: &Incoming, reports: &mut Vec<Report>) -> Outcome {
        debug_assert!(orders.find(incoming.id).is_none(), "an order is placed once");
        let counter = incoming.side.opposite();
        let worst = Rank::new(counter, incoming.worst_ticks);
        if incoming.remainder == Remainder::NoneAllowed
            && let Some(stop) = self.cannot_fill(orders, incoming, worst)
        {
            let (traded_lots, prevented_lots) = (QtyLots::ZERO, QtyLots::ZERO);
            return Outcome { stop, traded_lots, prevented_lots, rests: false };
        }

        let mut left = Left {
            lots: incoming.max_lots,
            tick_lots: incoming.max_tick_lots,
            prevented_lots: QtyLots::ZERO,
            is_untouched: true,
        };
        let stop = loop {
            if left.lots.is_zero() {
                break Stop::Lots;
            }
            let Some(best) = self.side(counter).best() else { break Stop::BookEnded };
            if best > worst {
                break Stop::Price;
            }
            if let Some(stop) = self.sweep_level(orders, incoming, best, &mut left, reports) {
                break stop;
            }
        };
        let traded_lots = incoming.max_lots - left.lots - left.prevented_lots;

        let rests = incoming.remainder == Remainder::Rests && matches!(stop, Stop::Price | Stop::BookEnded);
        if rests {
            let mut order = Order::new(
                (incoming.id, incoming.account, incoming.trade_group),
                (self.market, incoming.side, incoming.worst_ticks),
                (
                    left.lots,
                    incoming.max_lots + incoming.before.traded_lots + incoming.before.prevented_lots,
                    0,
                ),
            );
            if incoming.self_trade_prevention == SelfTradePrevention::Transfer {
                order.marks = order.marks.with(Marks::TRANSFERS);
            }
            let traded = traded_lots + incoming.before.traded_lots;
            let prevented = left.prevented_lots + incoming.before.prevented_lots;
            if traded.is_zero() && !prevented.is_zero() {
                order.marks = order.marks.with(Marks::UNTRADED);
            }
            self.rest_at(orders, incoming.slot, &order, reports);
        }
        Outcome { stop, traded_lots, prevented_lots: left.prevented_lots, rests }
    }

    /// Trades with the level at `best` until it or the incoming order is at its end; says so in the latter case.
    fn sweep_level(
        &mut self,
        orders: &mut Orders,
        incoming: &Incoming,
        best: Rank,
        left: &mut Left,
        reports: &mut Vec<Report>,
    ) -> Option<Stop> {
        let counter = incoming.side.opposite();
        let price_ticks = best.price(counter);
        let mut traded = false;
        let stop = loop {
            if left.lots.is_zero() {
                break Some(Stop::Lots);
            }
            let levels = match counter {
                Side::Buy => &mut self.bids,
                Side::Sell => &mut self.asks,
            };
            let level = levels.level_mut(best);
            let slot = level.front().expect("a level in use has somebody");
            let maker = &mut orders[slot];
            if maker.marks.has(Marks::REDUCES) && !left.is_untouched {
                break Some(Stop::Reduces);
            }
            // Before anything is prevented: what cannot trade here meets nobody.
            let affordable = left.lots.min(lots_for(left.tick_lots, price_ticks));
            if affordable.is_zero() {
                break Some(Stop::TickLots);
            }
            if incoming.self_trade_prevention != SelfTradePrevention::None && incoming.meets_its_own(maker) {
                if std::mem::take(&mut traded) {
                    reports.push(Report::LevelChanged {
                        side: counter,
                        price_ticks,
                        open_lots: level.open_lots(),
                    });
                }
                let last_of_level = maker.next == OrderSlot::NONE;
                if self.prevent(orders, incoming, slot, affordable, left, reports) {
                    return Some(Stop::Prevented);
                }
                // Where the incoming order goes on, the resting one is done.
                if last_of_level {
                    return None;
                }
                continue;
            }

            let qty = affordable.min(maker.open_lots);
            maker.open_lots -= qty;
            maker.marks = maker.marks.without(Marks::UNTRADED);
            let (next, maker_done) = (maker.next, maker.open_lots.is_zero());
            reports.push(Report::Traded {
                maker: maker.id,
                maker_slot: slot,
                maker_account: maker.account,
                price_ticks,
                qty_lots: qty,
                maker_done,
            });
            traded = true;
            left.take(price_ticks, qty);
            let open_lots = level.fill(qty, maker_done.then_some(next));
            if maker_done {
                orders.remove(slot);
                self.open_orders = self.open_orders.saturating_sub(1);
            }
            if open_lots.is_zero() {
                levels.level_emptied(best);
                reports.push(Report::LevelChanged { side: counter, price_ticks, open_lots });
                return None;
            }
            if !left.lots.is_zero() && next != OrderSlot::NONE {
                // Whoever trades behind the next one, so that it is there when its turn comes.
                orders.fetch_link(orders[next].next);
            }
        };
        if traded {
            let open_lots = self.side_mut(counter).level_mut(best).open_lots();
            reports.push(Report::LevelChanged { side: counter, price_ticks, open_lots });
        }
        stop
    }

    /// The incoming order has met its owner's `maker`, of which it could trade `affordable`. True when this ends the incoming
    /// order; otherwise it has ended the maker.
    fn prevent(
        &mut self,
        orders: &mut Orders,
        incoming: &Incoming,
        maker: OrderSlot,
        affordable: QtyLots,
        left: &mut Left,
        reports: &mut Vec<Report>,
    ) -> bool {
        let order = &orders[maker];
        let (side, price_ticks, open) = (order.side, order.price_ticks, order.open_lots);
        let mode = incoming.prevention_of(order);
        let (maker_lots, taker_lots) = match mode {
            SelfTradePrevention::None => unreachable!("without a mode nothing is prevented"),
            SelfTradePrevention::ExpireMaker => (open, QtyLots::ZERO),
            SelfTradePrevention::ExpireTaker => (QtyLots::ZERO, affordable),
            SelfTradePrevention::ExpireBoth => (open, affordable),
            SelfTradePrevention::Decrement | SelfTradePrevention::Transfer => {
                (open.min(affordable), open.min(affordable))
            }
        };
        let maker_done = maker_lots == open;
        reports.push(Report::Prevented {
            maker: order.id,
            maker_account: order.account,
            price_ticks,
            mode,
            maker_lots,
            taker_lots,
            maker_done,
        });
        left.prevent(price_ticks, taker_lots);
        if maker_done {
            self.cancel(orders, maker, reports);
        } else if !maker_lots.is_zero() {
            if orders[maker].gone_lots().is_zero() {
                orders[maker].marks = orders[maker].marks.with(Marks::UNTRADED);
            }
            let level = self.side_mut(side).level_mut(Rank::new(side, price_ticks));
            level.reduce(orders, maker, maker_lots);
            reports.push(Report::LevelChanged { side, price_ticks, open_lots: level.open_lots() });
        }
        taker_lots == affordable
    }

    /// Why `incoming` cannot trade in full at once; `None` when it can. Changes nothing.
    fn cannot_fill(&self, orders: &Orders, incoming: &Incoming, worst: Rank) -> Option<Stop> {
        use SelfTradePrevention::{ExpireMaker, None as Nothing};
        let levels = self.side(incoming.side.opposite());
        // What all orders have together says no sooner than what others have. In other modes its owner's own may end it before.
        if matches!(incoming.self_trade_prevention, Nothing | ExpireMaker) {
            match levels.has(incoming.max_lots, worst) {
                Err(Missing::BehindWorst) => return Some(Stop::Price),
                Err(Missing::Everywhere) => return Some(Stop::BookEnded),
                Ok(()) if incoming.self_trade_prevention == Nothing => return None,
                Ok(()) => {}
            }
        }
        let mut missing = incoming.max_lots;
        for (rank, level) in levels.iter() {
            if rank > worst {
                return Some(Stop::Price);
            }
            let mut next = level.front();
            while let Some(slot) = next {
                let order = &orders[slot];
                if !incoming.meets_its_own(order) {
                    missing -= missing.min(order.open_lots);
                } else if incoming.self_trade_prevention != ExpireMaker {
                    // The incoming order would end here.
                    return Some(Stop::Prevented);
                }
                if missing.is_zero() {
                    return None;
                }
                next = (order.next != OrderSlot::NONE).then_some(order.next);
            }
        }
        Some(Stop::BookEnded)
    }
}

/// What an incoming order may still trade.
struct Left {
    lots: QtyLots,
    tick_lots: TickLots,
    /// What it has lost to self-trade prevention.
    prevented_lots: QtyLots,
    /// Nothing has changed on the book yet.
    is_untouched: bool,
}

impl Left {
    #[inline]
    fn take(&mut self, price: PriceTicks, qty: QtyLots) {
        self.lots -= qty;
        self.is_untouched = false;
        if self.tick_lots != TickLots::MAX {
            let paid = i128::from(price.0).saturating_mul(i128::from(qty.0));
            self.tick_lots = self.tick_lots.saturating_sub(paid);
        }
    }

    /// What is prevented counts against the bounds as if it had traded.
    fn prevent(&mut self, price: PriceTicks, qty: QtyLots) {
        self.take(price, qty);
        self.prevented_lots += qty;
    }
}

impl Incoming {
    /// What is done when it meets this order of its owner's.
    fn prevention_of(&self, maker: &Order) -> SelfTradePrevention {
        let mode = self.self_trade_prevention;
        let between_two = maker.marks.has(Marks::TRANSFERS) && self.account != maker.account;
        if mode == SelfTradePrevention::Transfer && !between_two {
            SelfTradePrevention::Decrement
        } else {
            mode
        }
    }

    #[inline]
    fn meets_its_own(&self, maker: &Order) -> bool {
        self.account == maker.account
            || (self.trade_group != TradeGroup::NONE && self.trade_group == maker.trade_group)
    }
}

/// How many lots `tick_lots` pay for at `price`.
#[inline]
fn lots_for(tick_lots: TickLots, price: PriceTicks) -> QtyLots {
    if tick_lots == TickLots::MAX {
        return QtyLots(i64::MAX);
    }
    // A division of 128 bits takes ten times as long as one of 64, which nearly always is enough.
    let lots = if let Ok(tick_lots) = i64::try_from(tick_lots) {
        tick_lots.checked_div(price.0)
    } else {
        let lots = tick_lots.checked_div(i128::from(price.0));
        lots.map(|lots| i64::try_from(lots).unwrap_or(i64::MAX))
    };
    QtyLots(lots.expect("prices are above zero"))
}
