//! Our book, called as a partition's market calls it: all order semantics, and reports in a list that is used again.

use model::{AccountId, MarketId, OrderId, PriceTicks, QtyLots, SelfTradePrevention, TradeGroup};
use orderbook::{Book, Incoming, LookAhead, Orders, Remainder, TickLots};
use simulator::walking::{Kind, Message};

use super::contender::Contender;
use super::report::{Report, Reports};

/// The book of one market, with its orders.
pub struct Ours {
    book: Book,
    orders: Orders,
    reports: Vec<orderbook::Report>,
}

impl Default for Ours {
    fn default() -> Self {
        Self { book: Book::new(MarketId(0)), orders: Orders::default(), reports: Vec::with_capacity(1_024) }
    }
}

impl Ours {
    /// How many orders rest.
    pub fn resting(&self) -> u64 {
        u64::from(self.book.open_orders())
    }
}

impl Contender for Ours {
    #[inline]
    fn place(&mut self, arriving: &Message, reports: &mut impl Reports) {
        let incoming = Incoming {
            id: OrderId(arriving.id),
            // Everybody has one order, and prevents trades with himself: all of them are checked, none is prevented.
            account: AccountId(arriving.id),
            trade_group: TradeGroup::NONE,
            side: arriving.side,
            worst_ticks: PriceTicks(arriving.price),
            max_lots: QtyLots(i64::from(arriving.qty)),
            max_tick_lots: TickLots::MAX,
            remainder: match arriving.kind {
                Kind::New | Kind::Modify => Remainder::Rests,
                Kind::Immediate => Remainder::Expires,
                Kind::Cancel => unreachable!("a cancel is not placed"),
            },
            self_trade_prevention: SelfTradePrevention::ExpireMaker,
            slot: orderbook::OrderSlot::UNKNOWN,
            before: orderbook::Before::default(),
        };
        self.book.place(&mut self.orders, &incoming, &mut self.reports);
        for report in self.reports.drain(..) {
            match report {
                orderbook::Report::Traded { maker, price_ticks, qty_lots, .. } => {
                    let qty = u32::try_from(qty_lots.0).expect("a trade is no larger than its message");
                    reports.tell(Report::Trade {
                        maker: maker.0,
                        taker: arriving.id,
                        price: price_ticks.0,
                        qty,
                    });
                }
                orderbook::Report::LevelChanged { .. } => {}
                orderbook::Report::Prevented { .. } => unreachable!("nobody has two orders"),
            }
        }
    }

    #[inline]
    fn announce(&self, coming: &[Message]) {
        let Some(mut ahead) = LookAhead::at(&self.book, &self.orders) else { return };
        for message in coming {
            if message.kind != Kind::New && message.kind != Kind::Immediate {
                ahead.finds(OrderId(message.id));
            }
            if message.kind != Kind::Cancel {
                ahead.places(message.side, PriceTicks(message.price));
            }
        }
        ahead.look();
    }

    #[inline]
    fn cancel(&mut self, order: u64) -> bool {
        let Some(slot) = self.orders.find(OrderId(order)) else { return false };
        self.book.cancel(&mut self.orders, slot, &mut self.reports);
        self.reports.clear();
        true
    }
}
