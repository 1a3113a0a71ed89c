//! A fast and a naive book that are given the same, and must answer the same. The one place that touches the API.

use model::{AccountId, MarketId, OrderId, PriceTicks, QtyLots, SelfTradePrevention, Side, TradeGroup};
use orderbook::naive::NaiveBook;
use orderbook::{Book, Incoming, OrderSlot, Orders, Outcome, Remainder, Report, TickLots};

pub struct Pair {
    pub book: Book,
    pub orders: Orders,
    pub naive: NaiveBook,
    next_id: u64,
}

/// What a test has to say of an order; the rest has defaults.
#[derive(Clone, Debug)]
pub struct New {
    pub account: u64,
    pub group: u32,
    pub side: Side,
    pub price: i64,
    pub qty: i64,
    pub tick_lots: TickLots,
    pub remainder: Remainder,
    pub stp: SelfTradePrevention,
}

impl New {
    pub fn limit(account: u64, side: Side, qty: i64, price: i64) -> Self {
        Self {
            account,
            group: 0,
            side,
            price,
            qty,
            tick_lots: TickLots::MAX,
            remainder: Remainder::Rests,
            stp: SelfTradePrevention::None,
        }
    }
}

impl Pair {
    pub fn new() -> Self {
        Self {
            book: Book::new(MarketId(0)),
            orders: Orders::default(),
            naive: NaiveBook::default(),
            next_id: 1,
        }
    }

    pub fn place(&mut self, new: &New) -> (OrderId, Outcome, Vec<Report>) {
        let id = OrderId(self.next_id);
        self.next_id += 1;
        let incoming = Incoming {
            id,
            account: AccountId(new.account),
            trade_group: TradeGroup(new.group),
            side: new.side,
            worst_ticks: PriceTicks(new.price),
            max_lots: QtyLots(new.qty),
            max_tick_lots: new.tick_lots,
            remainder: new.remainder,
            self_trade_prevention: new.stp,
            slot: orderbook::OrderSlot::UNKNOWN,
            before: orderbook::Before::default(),
        };
        let told = self.told_of(&incoming);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let outcome = self.book.place(&mut self.orders, &incoming, &mut ours);
        let expected = self.naive.place(&incoming, &mut theirs);
        for report in &mut ours {
            // The naive book has no slots.
            if let Report::Traded { maker_slot, .. } = report {
                *maker_slot = OrderSlot::UNKNOWN;
            }
        }
        assert_eq!(ours, theirs, "reports of {incoming:?}");
        assert_eq!(outcome, expected, "outcome of {incoming:?}");
        self.agree();
        // What is told is exact where nothing but price and quantity bounds an order.
        let makers: Vec<_> = ours
            .iter()
            .filter_map(|report| if let Report::Traded { maker, .. } = report { Some(*maker) } else { None })
            .collect();
        let all_or_nothing = new.remainder == Remainder::NoneAllowed && makers.is_empty();
        if new.stp == SelfTradePrevention::None && new.tick_lots == TickLots::MAX && !all_or_nothing {
            let is_enough = told.len() == makers.len() || told.len() >= 16;
            assert!(makers.starts_with(&told) && is_enough, "told of {told:?}, traded with {makers:?}");
        }
        (id, outcome, ours)
    }

    /// Whom an order will trade with, as it is said before.
    fn told_of(&self, incoming: &Incoming) -> Vec<OrderId> {
        let mut told = Vec::new();
        let wanted = (incoming.max_lots, Some(incoming.worst_ticks));
        self.book.makers(&self.orders, incoming.side.opposite(), wanted, 64, |slot| {
            told.push(self.orders[slot].id);
        });
        told
    }

    /// False when there is no such order.
    pub fn cancel(&mut self, id: OrderId) -> bool {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let found = self.orders.find(id);
        if let Some(slot) = found {
            self.book.cancel(&mut self.orders, slot, &mut ours);
        }
        assert_eq!(self.naive.cancel(id, &mut theirs), found.is_some());
        assert_eq!(ours, theirs);
        self.agree();
        found.is_some()
    }

    /// False when there is no such order, or nothing would be left of it.
    pub fn reduce(&mut self, id: OrderId, by: i64) -> bool {
        let Some(slot) = self.orders.find(id) else { return false };
        let order = &self.orders[slot];
        if by <= 0 || by >= order.open_lots.0 {
            return false;
        }
        let qty = order.qty_lots - QtyLots(by);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.book.reduce(&mut self.orders, slot, qty, &mut ours);
        self.naive.reduce(id, qty, &mut theirs);
        assert_eq!(ours, theirs);
        self.agree();
        true
    }

    /// Both hold the same, and it makes sense.
    fn agree(&self) {
        let mut count = 0;
        for side in [Side::Buy, Side::Sell] {
            let ours: Vec<_> =
                self.book.queue(&self.orders, side).map(|o| (o.id, o.price_ticks, o.open_lots)).collect();
            let theirs: Vec<_> =
                self.naive.queue(side).iter().map(|o| (o.id, o.price_ticks, o.open_lots)).collect();
            assert_eq!(ours, theirs, "queue of {side:?}");
            let ours_traded = self.book.queue(&self.orders, side).map(orderbook::Order::has_traded);
            let theirs_traded = self.naive.queue(side).into_iter().map(|o| !o.traded_lots.is_zero());
            assert!(ours_traded.eq(theirs_traded), "both know whether anything has traded");
            assert!(ours.iter().all(|(_, _, open)| open.0 > 0), "nothing on the book with nothing left");
            assert_eq!(
                self.book.best(side),
                ours.first().map(|(_, price, _)| *price),
                "best price of {side:?}"
            );
            for (price, open) in self.book.levels(side) {
                let sum: i64 = ours.iter().filter(|(_, at, _)| *at == price).map(|(_, _, open)| open.0).sum();
                assert_eq!(open.0, sum, "a level's quantity is that of its orders");
                assert!(sum > 0, "no empty levels");
            }
            for (id, _, _) in &ours {
                assert!(self.orders.find(*id).is_some(), "a resting order is found by its number");
            }
            count += ours.len();
        }
        assert_eq!(self.book.open_orders() as usize, count);
        if let (Some(bid), Some(ask)) = (self.book.best(Side::Buy), self.book.best(Side::Sell)) {
            assert!(bid < ask, "the book is never crossed");
        }
    }
}
