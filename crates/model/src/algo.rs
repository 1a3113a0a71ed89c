//! Orders at perpetual contracts that wait for a price ("algo orders"): nothing is reserved for them, and they are no orders until
//! their price has come. Then an ordinary order is placed for them, which has a number of its own. Sources: semantics 2
//! ("reduce-only, closePosition"), Binance USD-M "New Algo Order".

use crate::{
    AccountId, AlgoId, ClientOrderId, MarketId, OrderId, OrderKind, PositionSide, PriceTicks, Reject,
    SelfTradePrevention, Side, TimeNs, TriggerKind,
};

/// What an algo order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgoTrigger {
    /// A price: `STOP`, `STOP_MARKET`, `TAKE_PROFIT`, `TAKE_PROFIT_MARKET`.
    Reaches {
        /// On which side of the market it waits.
        kind: TriggerKind,
        /// The price, within `PRICE_FILTER`.
        trigger_ticks: PriceTicks,
    },
    /// A turn of the price: `TRAILING_STOP_MARKET`. A sell follows the highest price, a buy the lowest.
    Trails {
        /// The price from which on it follows: above the present one for a sell, below it for a buy. `None` where it does at once.
        activation_ticks: Option<PriceTicks>,
        /// By how much the price must turn back from its best, in thousandths: from [`Self::MIN_CALLBACK_PERMILLE`] to
        /// [`Self::MAX_CALLBACK_PERMILLE`].
        callback_permille: u16,
    },
}

impl AlgoTrigger {
    /// 0.1 %.
    pub const MIN_CALLBACK_PERMILLE: u16 = 1;
    /// 10 %.
    pub const MAX_CALLBACK_PERMILLE: u16 = 100;
}

/// What an algo order places when its price has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgoPlaces {
    /// An order.
    Order {
        /// With a limit, as maker only (GTX), or without a limit.
        kind: OrderKind,
        /// It only makes the position smaller.
        reduce_only: bool,
    },
    /// A market order that closes all that there is then (`closePosition`). It waits no longer than the position that it closes.
    ClosesPosition,
}

/// Which price of a contract an algo order goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum WorkingPrice {
    /// `CONTRACT_PRICE`: that of the last trade; before the first trade the one given at listing.
    Contract = 0,
    /// `MARK_PRICE`: what positions are measured by.
    Mark = 1,
}

/// An order that waits for a price of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgoOrder {
    /// Its number, among those of algo orders.
    pub algo: AlgoId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// For which position.
    pub position_side: PositionSide,
    /// What it waits for.
    pub trigger: AlgoTrigger,
    /// What it places then.
    pub places: AlgoPlaces,
    /// Which price it goes by.
    pub working_price: WorkingPrice,
    /// It sees no price while mark price and last price are further apart than `ContractTerms::TRIGGER_PROTECT_PPM`.
    pub price_protect: bool,
    /// What happens when its order meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// The owner's name for it; its order has it too, where no open order has.
    pub client_algo_id: ClientOrderId,
}

/// Places an algo order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceAlgoOrder {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// For which position.
    pub position_side: PositionSide,
    /// What it waits for; refused where that has come already.
    pub trigger: AlgoTrigger,
    /// What it places then. One that trails places a market order; one that closes a position does not trail.
    pub places: AlgoPlaces,
    /// Which price it goes by.
    pub working_price: WorkingPrice,
    /// See [`AlgoOrder::price_protect`]; not for one that trails.
    pub price_protect: bool,
    /// What happens when its order meets its owner's own: one of the two expires, or both, or neither.
    pub self_trade_prevention: SelfTradePrevention,
    /// The owner's name for it; unique among the owner's algo orders that wait, empty for none.
    pub client_algo_id: ClientOrderId,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Which waiting algo order is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgoRef {
    /// The one with this number.
    Id(AlgoId),
    /// The one with this name.
    Client(ClientOrderId),
}

/// Cancels an algo order that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelAlgoOrder {
    /// Whose.
    pub account: AccountId,
    /// Which one.
    pub algo: AlgoRef,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Cancels all algo orders of an account that wait at one contract, oldest first. Its orders stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelAllAlgoOrders {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// One that trails has seen its activation price: what it waits for now is a turn of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgoOrderTracks {
    /// Which one.
    pub algo: AlgoId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// The price from which on it follows.
    pub price_ticks: PriceTicks,
}

/// An algo order's price has come, and there is margin for its order, which is on its way to the market. What becomes of the order
/// is told under its own number; where the market refuses it, [`AlgoOrderEnded`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgoOrderTriggered {
    /// Which one.
    pub algo: AlgoId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// The price that has triggered it.
    pub price_ticks: PriceTicks,
    /// The order that was placed for it (`actualOrderId`).
    pub order: OrderId,
}

/// Why an algo order came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgoEndReason {
    /// Its owner cancelled it.
    Canceled,
    /// The position is gone that it would have closed: status EXPIRED.
    PositionGone,
    /// The account is being liquidated: status EXPIRED.
    Liquidated,
    /// The account was deleveraged at this contract: status EXPIRED.
    Deleveraged,
    /// Its price has come, and its order was refused: status REJECTED.
    Refused {
        /// The rule that the order broke.
        reject: Reject,
    },
}

/// An algo order has come to nothing. Of each accepted one either this is told, or [`AlgoOrderTriggered`], or that and then
/// [`AlgoEndReason::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgoOrderEnded {
    /// Which one.
    pub algo: AlgoId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Why.
    pub reason: AlgoEndReason,
}
