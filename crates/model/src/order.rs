//! What an order can be. Source: semantics 1.1 and 1.2.

use crate::{Amount, PriceTicks, QtyLots};

/// Which way an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Side {
    /// Pays the quote asset, receives the base asset.
    Buy = 0,
    /// Pays the base asset, receives the quote asset.
    Sell = 1,
}

impl Side {
    /// The side it trades with.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// How long a limit order may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TimeInForce {
    /// Good till cancelled: what does not trade at once rests.
    Gtc = 0,
    /// Immediate or cancel: what does not trade at once expires.
    Ioc = 1,
    /// Fill or kill: all of it trades at once, or none.
    Fok = 2,
}

/// For what sort of price an order waits. Source: semantics 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TriggerKind {
    /// For one that is worse for its owner: above the market for a buy, below it for a sell.
    StopLoss = 0,
    /// For one that is better for its owner.
    TakeProfit = 1,
}

/// What an order waits for. Source: semantics 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trigger {
    /// On which side of the market it waits.
    pub kind: TriggerKind,
    /// The price that triggers it, or, when it trails, from which on it does; `None` of one that trails at once.
    pub stop_ticks: Option<PriceTicks>,
    /// By how many hundredths of a per cent the price must turn back from its best since then; `None` of one that does not trail.
    pub trailing_bips: Option<u16>,
}

impl Trigger {
    /// A hundredth of a per cent, of one.
    pub const BIPS: i64 = 10_000;

    /// Whether it waits for its stop price or one above, instead of one below.
    #[inline]
    pub const fn rises(&self, side: Side) -> bool {
        matches!(
            (self.kind, side),
            (TriggerKind::StopLoss, Side::Buy) | (TriggerKind::TakeProfit, Side::Sell)
        )
    }

    /// Whether `price` has reached its stop price.
    #[inline]
    pub fn is_reached(&self, side: Side, price: PriceTicks) -> bool {
        self.stop_ticks.is_some_and(|stop| if self.rises(side) { price >= stop } else { price <= stop })
    }
}

/// What kind of order it is, with just the fields that this kind has. It takes 32 bytes, which is why a trigger's fields stand
/// one by one: zero where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// Trades at its price or better.
    Limit {
        /// The worst price it accepts.
        price_ticks: PriceTicks,
        /// Total quantity.
        qty_lots: QtyLots,
        /// How long it may live.
        time_in_force: TimeInForce,
    },
    /// A limit order that only ever rests; refused when it would trade at once.
    LimitMaker {
        /// Its price.
        price_ticks: PriceTicks,
        /// Total quantity.
        qty_lots: QtyLots,
    },
    /// Trades a quantity at the best prices there are, inside the market's band.
    Market {
        /// Total quantity.
        qty_lots: QtyLots,
    },
    /// Trades as near to this amount of the quote asset as whole lots allow, and never more than it.
    MarketQuote {
        /// To spend (a buy) or to receive before fees (a sell), in quote atoms.
        quote_amount: Amount,
    },
    /// Waits for a price, then is a `Market` order.
    StopMarket {
        /// Total quantity.
        qty_lots: QtyLots,
        /// On which side of the market it waits.
        trigger: TriggerKind,
        /// See [`Trigger::stop_ticks`].
        stop_ticks: PriceTicks,
        /// See [`Trigger::trailing_bips`].
        trailing_bips: u16,
    },
    /// Waits for a price, then is a `Limit` order.
    StopLimit {
        /// The worst price it accepts then.
        price_ticks: PriceTicks,
        /// Total quantity.
        qty_lots: QtyLots,
        /// How long it may live then.
        time_in_force: TimeInForce,
        /// On which side of the market it waits.
        trigger: TriggerKind,
        /// See [`Trigger::stop_ticks`].
        stop_ticks: PriceTicks,
        /// See [`Trigger::trailing_bips`].
        trailing_bips: u16,
    },
}

impl OrderKind {
    /// The limit price, where there is one.
    #[inline]
    pub const fn price_ticks(&self) -> Option<PriceTicks> {
        match self {
            Self::Limit { price_ticks, .. }
            | Self::LimitMaker { price_ticks, .. }
            | Self::StopLimit { price_ticks, .. } => Some(*price_ticks),
            Self::Market { .. } | Self::MarketQuote { .. } | Self::StopMarket { .. } => None,
        }
    }

    /// The quantity, where it is given in the base asset.
    #[inline]
    pub const fn qty_lots(&self) -> Option<QtyLots> {
        match self {
            Self::Limit { qty_lots, .. }
            | Self::LimitMaker { qty_lots, .. }
            | Self::Market { qty_lots }
            | Self::StopMarket { qty_lots, .. }
            | Self::StopLimit { qty_lots, .. } => Some(*qty_lots),
            Self::MarketQuote { .. } => None,
        }
    }

    /// Gives it another quantity; not for an order by amount.
    pub const fn set_qty_lots(&mut self, qty: QtyLots) {
        match self {
            Self::Limit { qty_lots, .. }
            | Self::LimitMaker { qty_lots, .. }
            | Self::Market { qty_lots }
            | Self::StopMarket { qty_lots, .. }
            | Self::StopLimit { qty_lots, .. } => *qty_lots = qty,
            Self::MarketQuote { .. } => panic!("an order by amount has no quantity"),
        }
    }

    /// What it waits for, where it does.
    pub const fn trigger(&self) -> Option<Trigger> {
        match *self {
            Self::StopMarket { trigger, stop_ticks, trailing_bips, .. }
            | Self::StopLimit { trigger, stop_ticks, trailing_bips, .. } => Some(Trigger {
                kind: trigger,
                stop_ticks: if stop_ticks.0 == 0 { None } else { Some(stop_ticks) },
                trailing_bips: if trailing_bips == 0 { None } else { Some(trailing_bips) },
            }),
            Self::Limit { .. } | Self::LimitMaker { .. } | Self::Market { .. } | Self::MarketQuote { .. } => {
                None
            }
        }
    }

    /// What it is once its trigger is reached.
    #[must_use]
    pub const fn triggered(self) -> Self {
        match self {
            Self::StopMarket { qty_lots, .. } => Self::Market { qty_lots },
            Self::StopLimit { price_ticks, qty_lots, time_in_force, .. } => {
                Self::Limit { price_ticks, qty_lots, time_in_force }
            }
            Self::Limit { .. } | Self::LimitMaker { .. } | Self::Market { .. } | Self::MarketQuote { .. } => {
                self
            }
        }
    }
}

/// What happens when an order meets another of the same owner; the taker's mode decides. Source: semantics 1.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SelfTradePrevention {
    /// They trade.
    #[default]
    None = 0,
    /// The resting order expires, the taker goes on.
    ExpireMaker = 1,
    /// The taker expires.
    ExpireTaker = 2,
    /// Both expire.
    ExpireBoth = 3,
    /// Both lose what they would have traded; whoever has nothing left expires.
    Decrement = 4,
    /// As `Decrement`, and what they would have traded changes hands, without a fee and without a trade. Only between two
    /// accounts of one trade group whose orders both ask for it; otherwise it is `Decrement`.
    Transfer = 5,
}

impl SelfTradePrevention {
    /// Whether both orders lose the same, instead of one or both expiring as a whole.
    #[inline]
    pub const fn takes_from_both(self) -> bool {
        match self {
            Self::Decrement | Self::Transfer => true,
            Self::None | Self::ExpireMaker | Self::ExpireTaker | Self::ExpireBoth => false,
        }
    }
}

/// Accounts that count as one owner for self-trade prevention. 0 means the account stands alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TradeGroup(pub u32);

impl TradeGroup {
    /// The account stands alone.
    pub const NONE: Self = Self(0);
}

/// What a market accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MarketStatus {
    /// Everything.
    #[default]
    Trading = 0,
    /// Nothing but cancels.
    CancelOnly = 1,
    /// Nothing at all.
    Halt = 2,
}
