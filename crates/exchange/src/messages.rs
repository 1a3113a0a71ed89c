//! Letters on their way between accounts and markets: values in a first-in-first-out queue. What they say is in
//! [`Letter`]. Beside it stands where the order lies that a letter is about, so that nobody here has to look for it once more.

use model::{
    AccountId, EndReason, FromMarket, Letter, Liquidity, MarketId, OrderId, PriceTicks, QtyLots, Side,
    ToMarket, TradeId,
};
use orderbook::OrderSlot;

use crate::append::append;

/// What is on its way.
pub enum Posted {
    Letter {
        letter: Letter,
        /// Where its order lies, as its sender knows; it may have gone from there.
        slot: OrderSlot,
    },
    /// One for both accounts, as long as it need not go to another partition.
    Trade(Trade),
}

/// A trade on its way to both accounts: two letters in one, or three.
#[derive(Clone, Copy)]
pub struct Trade {
    pub market: MarketId,
    pub id: TradeId,
    pub price_ticks: PriceTicks,
    pub qty_lots: QtyLots,
    pub taker_side: Side,
    pub maker: Party,
    pub taker: Party,
    /// Nothing of the maker's order is left: it has ended.
    pub maker_done: bool,
}

/// One of the two orders of a trade.
#[derive(Clone, Copy)]
pub struct Party {
    pub order: OrderId,
    pub account: AccountId,
    /// Where the order lies, as far as it is known.
    pub slot: OrderSlot,
}

impl Trade {
    /// The same as letters, for accounts that live apart.
    pub fn letters(&self) -> impl Iterator<Item = (Letter, OrderSlot)> {
        let Self { market, id: trade, price_ticks, qty_lots, taker_side, maker, taker, maker_done } = *self;
        let to = move |party: Party, body| {
            (Letter::ToAccount { account: party.account, market, order: party.order, body }, party.slot)
        };
        let filled = |side, liquidity| FromMarket::Filled { trade, side, liquidity, price_ticks, qty_lots };
        let ended = FromMarket::Ended { reason: EndReason::Filled, replacement: None };
        let fills = [
            to(maker, filled(taker_side.opposite(), Liquidity::Maker)),
            to(taker, filled(taker_side, Liquidity::Taker)),
        ];
        fills.into_iter().chain(maker_done.then(|| to(maker, ended)))
    }
}

/// Letters on their way.
#[derive(Default)]
pub struct Mail {
    queue: Box<Letters>,
    /// An empty queue that keeps its room for the next round.
    spare: Option<Box<Letters>>,
}

/// Letters, oldest first. They travel in a box, so that what is exchanged for a round is one pointer: a list's three words, of which
/// one was written just now, would be waited for.
#[derive(Default)]
pub struct Letters(pub Vec<Posted>);

impl Mail {
    #[inline]
    pub fn send_to_market(&mut self, market: MarketId, body: ToMarket) {
        self.send_about(OrderSlot::UNKNOWN, market, || body);
    }

    /// As [`Self::send_to_market`], about an order that lies there.
    #[inline]
    pub fn send_about(&mut self, slot: OrderSlot, market: MarketId, body: impl FnOnce() -> ToMarket) {
        append(&mut self.queue.0, || Posted::Letter {
            letter: Letter::ToMarket { market, body: body() },
            slot,
        });
    }

    #[inline]
    pub fn send_trade(&mut self, trade: impl FnOnce() -> Trade) {
        append(&mut self.queue.0, || Posted::Trade(trade()));
    }

    #[inline]
    pub fn send_to_account(
        &mut self,
        account: AccountId,
        market: MarketId,
        (order, slot): (OrderId, OrderSlot),
        body: FromMarket,
    ) {
        append(&mut self.queue.0, || Posted::Letter {
            letter: Letter::ToAccount { account, market, order, body },
            slot,
        });
    }

    #[inline]
    pub fn send_reference_price(&mut self, market: MarketId, price_ticks: PriceTicks) {
        self.push(Letter::ReferencePrice { market, price_ticks });
    }

    #[inline]
    pub fn push(&mut self, letter: Letter) {
        self.queue.0.push(Posted::Letter { letter, slot: OrderSlot::UNKNOWN });
    }

    /// All that is on its way, oldest first; `None` when nothing is. What is sent while a round is delivered comes after it, so
    /// rounds one after the other are one queue, and no letter is moved but once. It comes back by [`Self::delivered`].
    #[inline]
    pub fn round(&mut self) -> Option<Box<Letters>> {
        if self.is_empty() {
            return None;
        }
        let spare = self.spare.take().unwrap_or_default();
        Some(std::mem::replace(&mut self.queue, spare))
    }

    /// Takes a round back whose letters are all delivered.
    #[inline]
    pub fn delivered(&mut self, mut round: Box<Letters>) {
        round.0.clear();
        self.spare = Some(round);
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queue.0.is_empty()
    }
}
