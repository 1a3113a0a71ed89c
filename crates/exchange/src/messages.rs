//! Letters on their way between accounts and markets: values in a first-in-first-out queue. What they say is in
//! [`Letter`]. Beside it stands where the order lies that a letter is about, so that nobody here has to look for it once more.

use model::{AccountId, FromMarket, Letter, MarketId, OrderId, PriceTicks, ToMarket};
use orderbook::OrderSlot;

use crate::append::append;

/// A letter on its way.
pub struct Posted {
    pub letter: Letter,
    /// Where its order lies, as its sender knows; it may have gone from there.
    pub slot: OrderSlot,
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
        append(&mut self.queue.0, || Posted { letter: Letter::ToMarket { market, body: body() }, slot });
    }

    #[inline]
    pub fn send_to_account(
        &mut self,
        account: AccountId,
        market: MarketId,
        (order, slot): (OrderId, OrderSlot),
        body: FromMarket,
    ) {
        append(&mut self.queue.0, || Posted {
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
        self.queue.0.push(Posted { letter, slot: OrderSlot::UNKNOWN });
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
