//! What accounts and markets say to each other. Messages are values in a first-in-first-out queue and a handler returns
//! nothing to its sender, so that nothing secretly depends on their being delivered at once.
//!
//! Each cancel and each amendment is answered by exactly one message, and each accepted order ends by exactly one
//! [`FromMarket::Ended`]. Several cancels of one order may be on their way, so the answer names the replacement that waits
//! for it.

use std::collections::VecDeque;

use model::{
    AccountId, Amount, CancelRestriction, ClientOrderId, EndReason, Liquidity, MarketId, OrderId, OrderKind,
    PriceTicks, QtyLots, Reject, SelfTradePrevention, Side, TradeGroup, TradeId,
};

/// Number of a replacement that waits for the answer to its cancel. An account gives the lowest above those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplacementId(pub u64);

/// From an account to a market.
#[derive(Clone, Debug)]
pub enum ToMarket {
    /// An order, with what was held for it.
    Place(PlaceMessage),
    /// Take an order off the book.
    Cancel {
        order: OrderId,
        account: AccountId,
        restriction: CancelRestriction,
        /// Who waits for the answer.
        replacement: Option<ReplacementId>,
    },
    /// Make an order smaller.
    Amend { order: OrderId, account: AccountId, new_qty_lots: QtyLots, new_client_order_id: ClientOrderId },
}

/// An order that its account can pay for.
#[derive(Clone, Debug)]
pub struct PlaceMessage {
    pub order: OrderId,
    pub account: AccountId,
    pub trade_group: TradeGroup,
    pub side: Side,
    pub kind: OrderKind,
    pub self_trade_prevention: SelfTradePrevention,
    /// All that the market may spend: quote atoms for a buy, base atoms for a sell.
    pub held: Amount,
}

/// From a market to an account.
#[derive(Clone, Debug)]
pub enum FromMarket {
    /// The order is accepted.
    Accepted { kind: OrderKind, side: Side, self_trade_prevention: SelfTradePrevention },
    /// The order is refused; the account is as if it had never come.
    Refused { reject: Reject },
    /// The order has traded.
    Filled { trade: TradeId, liquidity: Liquidity, price_ticks: PriceTicks, qty_lots: QtyLots },
    /// The order met one of its owner's own.
    Prevented {
        prevented_match: u64,
        liquidity: Liquidity,
        counter_order: OrderId,
        price_ticks: PriceTicks,
        prevented_lots: QtyLots,
        mode: SelfTradePrevention,
    },
    /// The order has ended.
    Ended {
        reason: EndReason,
        /// Who waits for it, where it is the answer to a cancel.
        replacement: Option<ReplacementId>,
    },
    /// The order is smaller by `cut_lots`.
    Amended { qty_lots: QtyLots, cut_lots: QtyLots, new_client_order_id: ClientOrderId },
    /// The order could not be cancelled.
    CancelRefused {
        reject: Reject,
        /// Who waits for it.
        replacement: Option<ReplacementId>,
    },
    /// The order could not be amended.
    AmendRefused { reject: Reject },
}

/// A message with its two ends.
#[derive(Clone, Debug)]
pub enum Message {
    ToMarket {
        market: MarketId,
        body: ToMarket,
    },
    ToAccount {
        account: AccountId,
        market: MarketId,
        order: OrderId,
        body: FromMarket,
    },
    /// To everybody who holds for orders of this market.
    ReferencePrice {
        market: MarketId,
        price_ticks: PriceTicks,
    },
}

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
    pub fn next(&mut self) -> Option<Message> {
        self.queue.pop_front()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
