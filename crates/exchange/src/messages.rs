//! Letters on their way between accounts and markets: values in a first-in-first-out queue. What they say is in
//! [`Letter`].

use model::{AccountId, FromMarket, Letter, MarketId, OrderId, PriceTicks, ToMarket};

/// Letters on their way.
#[derive(Default)]
pub struct Mail {
    queue: Vec<Letter>,
    /// An empty queue that keeps its room for the next round.
    spare: Vec<Letter>,
}

impl Mail {
    #[inline]
    pub fn send_to_market(&mut self, market: MarketId, body: ToMarket) {
        self.queue.push(Letter::ToMarket { market, body });
    }

    #[inline]
    pub fn send_to_account(
        &mut self,
        account: AccountId,
        market: MarketId,
        order: OrderId,
        body: FromMarket,
    ) {
        self.queue.push(Letter::ToAccount { account, market, order, body });
    }

    #[inline]
    pub fn send_reference_price(&mut self, market: MarketId, price_ticks: PriceTicks) {
        self.queue.push(Letter::ReferencePrice { market, price_ticks });
    }

    #[inline]
    pub fn push(&mut self, letter: Letter) {
        self.queue.push(letter);
    }

    /// All that is on its way, oldest first; `None` when nothing is. What is sent while a round is delivered comes after it, so
    /// rounds one after the other are one queue, and no letter is moved but once. It comes back by [`Self::delivered`].
    #[inline]
    pub fn round(&mut self) -> Option<Vec<Letter>> {
        if self.queue.is_empty() {
            return None;
        }
        let spare = std::mem::take(&mut self.spare);
        Some(std::mem::replace(&mut self.queue, spare))
    }

    /// Takes a round back whose letters are all delivered.
    #[inline]
    pub fn delivered(&mut self, mut round: Vec<Letter>) {
        round.clear();
        self.spare = round;
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
