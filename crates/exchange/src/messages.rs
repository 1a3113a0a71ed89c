//! Messages on their way between accounts and markets: values in a first-in-first-out queue. What they say is in
//! [`model::Message`].

use std::collections::VecDeque;

use model::{AccountId, FromMarket, MarketId, Message, OrderId, PriceTicks, ToMarket};

/// Messages on their way.
#[derive(Default)]
pub struct Mail {
    queue: VecDeque<Message>,
}

impl Mail {
    #[inline]
    pub fn send_to_market(&mut self, market: MarketId, body: ToMarket) {
        self.queue.push_back(Message::ToMarket { market, body });
    }

    #[inline]
    pub fn send_to_account(
        &mut self,
        account: AccountId,
        market: MarketId,
        order: OrderId,
        body: FromMarket,
    ) {
        self.queue.push_back(Message::ToAccount { account, market, order, body });
    }

    #[inline]
    pub fn send_reference_price(&mut self, market: MarketId, price_ticks: PriceTicks) {
        self.queue.push_back(Message::ReferencePrice { market, price_ticks });
    }

    #[inline]
    pub fn push(&mut self, message: Message) {
        self.queue.push_back(message);
    }

    #[inline]
    pub fn next(&mut self) -> Option<Message> {
        self.queue.pop_front()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
