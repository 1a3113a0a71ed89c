//! What the parts of an exchange say to each other: accounts and markets, and the directory of what there is. Messages are
//! values, and a handler returns nothing to its sender, so that nothing depends on their being delivered at once. Between two
//! partitions they travel in [`Envelope`]s.
//!
//! Each cancel, each amendment and each modification is answered by exactly one message, and each accepted order ends by exactly one
//! [`FromMarket::Ended`]. Several cancels of one order may be on their way, so the answer names the replacement that waits
//! for it.

use crate::{
    AccountId, AccountName, AddContract, AddMarket, Amount, AssetTerms, CancelRestriction, ClientOrderId,
    Deposit, EndReason, Forced, Liquidity, MarketId, MarketTerms, OrderId, OrderKind, Origin, PartitionId,
    PositionSide, PriceTicks, QtyLots, Reject, RequestWithdrawal, SelfTradePrevention, Side, Spread, TimeNs,
    TradeGroup, TradeId,
};

/// Number of a replacement that waits for the answer to its cancel. An account gives the lowest above those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplacementId(pub u64);

impl ReplacementId {
    /// None: the exchange has cancelled, and nobody waits for the answer.
    pub const NOBODY: Self = Self(0);
}

/// From an account to a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToMarket {
    /// An order, with what was held for it.
    Place(PlaceMessage),
    /// Take an order off the book.
    Cancel {
        /// Which one.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// In which state.
        restriction: CancelRestriction,
        /// Who waits for the answer.
        replacement: Option<ReplacementId>,
    },
    /// Make an order smaller.
    Amend {
        /// Which one.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// Its new total quantity, what has traded included.
        new_qty_lots: QtyLots,
        /// Its new name; empty keeps the old one.
        new_client_order_id: ClientOrderId,
    },
    /// What an order that was triggered asked for is held, as far as there is anything free.
    Held {
        /// Which one.
        order: OrderId,
        /// How much more than before.
        held: Amount,
    },
    /// An order at a contract, for which there is margin.
    PlaceContract(ContractOrder),
    /// Take an order at a contract off the book that was good till now. Only its end is told.
    Expire {
        /// Which one.
        order: OrderId,
        /// Whose.
        account: AccountId,
    },
    /// Give an order at a contract another price or another quantity.
    Modify {
        /// Which one.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// What it shall be, with its total quantity, what has traded included.
        kind: OrderKind,
        /// What happens when it meets its owner's own.
        self_trade_prevention: SelfTradePrevention,
        /// For so much there is margin.
        most_lots: QtyLots,
    },
    /// A liquidation could not sell all of a position: somebody else has to take it.
    TakeOver {
        /// Whose position.
        account: AccountId,
        /// At its bankruptcy price.
        price_ticks: PriceTicks,
        /// How much of it.
        qty_lots: QtyLots,
    },
    /// The same of one of the two positions that an account in hedge mode has.
    TakeOverLeg {
        /// Whose position.
        account: AccountId,
        /// Which one.
        position_side: PositionSide,
        /// At its bankruptcy price.
        price_ticks: PriceTicks,
        /// How much of it.
        qty_lots: QtyLots,
    },
    /// A liquidated account pays the insurance fund.
    PayFund {
        /// How much.
        amount: Amount,
    },
    /// The insurance fund's answer to [`ToHolder::CarryAsked`].
    Carries {
        /// Whether it can carry the position.
        carries: bool,
    },
    /// A partition's answer to [`Letter::WinnerAsked`].
    Winner {
        /// Who answers.
        partition: PartitionId,
        /// The account there that is deleveraged first, with its score; `None` where no account has such a position.
        winner: Option<(AccountId, i128)>,
    },
}

/// Who has placed an order at a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderCause {
    /// The account's owner.
    Owner = 0,
    /// The exchange, which liquidates the account.
    Liquidation = 1,
}

/// An order at a contract, for which its account has margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractOrder {
    /// Its number.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Whose, for self-trade prevention.
    pub trade_group: TradeGroup,
    /// Which way.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// What kind, with price and quantity.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// It only makes the position smaller.
    pub reduce_only: bool,
    /// Beyond this price it would lose more than its account can bear; one without a limit goes no further.
    pub worst_ticks: PriceTicks,
    /// Who has placed it.
    pub cause: OrderCause,
}

/// From a contract to an account that has a position there, or is its insurance fund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToHolder {
    /// Funding is settled.
    Funding {
        /// Received; below zero paid.
        amount: Amount,
    },
    /// Funding is settled of one of the two positions that an account in hedge mode has.
    FundingOfLeg {
        /// Which one.
        position_side: PositionSide,
        /// Received; below zero paid.
        amount: Amount,
    },
    /// The exchange has changed the position.
    Forced {
        /// Why.
        forced: Forced,
        /// Which way an order would have gone that did the same.
        side: Side,
        /// At the bankruptcy price.
        price_ticks: PriceTicks,
        /// How much.
        qty_lots: QtyLots,
        /// Of a liquidated account: all is done that it has asked for.
        is_last: bool,
    },
    /// Can the insurance fund take over so much at this price?
    CarryAsked {
        /// Which way an order would go that did it.
        side: Side,
        /// The bankruptcy price.
        price_ticks: PriceTicks,
        /// How much.
        qty_lots: QtyLots,
    },
    /// The insurance fund receives something.
    FundReceives {
        /// How much.
        amount: Amount,
    },
}

/// An order that its account can pay for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceMessage {
    /// Its number.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Whose, for self-trade prevention.
    pub trade_group: TradeGroup,
    /// Which way.
    pub side: Side,
    /// What kind, with price and quantity.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// All that the market may spend: quote atoms for a buy, base atoms for a sell.
    pub held: Amount,
}

/// From a market to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromMarket {
    /// The order is accepted.
    Accepted {
        /// What kind.
        kind: OrderKind,
        /// Which way.
        side: Side,
        /// What happens when it meets its owner's own.
        self_trade_prevention: SelfTradePrevention,
    },
    /// The order is refused; the account is as if it had never come.
    Refused {
        /// The rule it broke.
        reject: Reject,
    },
    /// The order has traded.
    Filled {
        /// Which trade of that market.
        trade: TradeId,
        /// Which way the order goes.
        side: Side,
        /// Maker or taker.
        liquidity: Liquidity,
        /// At the resting order's price.
        price_ticks: PriceTicks,
        /// How much.
        qty_lots: QtyLots,
    },
    /// The order met one of its owner's own.
    Prevented {
        /// Number of the encounter in that market.
        prevented_match: u64,
        /// Maker or taker.
        liquidity: Liquidity,
        /// The other order.
        counter_order: OrderId,
        /// The resting order's price.
        price_ticks: PriceTicks,
        /// What this order loses by it.
        prevented_lots: QtyLots,
        /// What the taker asked for; `Decrement` where it asked for a transfer that cannot be.
        mode: SelfTradePrevention,
    },
    /// The order has ended.
    Ended {
        /// Why.
        reason: EndReason,
        /// Who waits for it, where it is the answer to a cancel.
        replacement: Option<ReplacementId>,
    },
    /// The order is smaller by `cut_lots`.
    Amended {
        /// Its total quantity now, what has traded included.
        qty_lots: QtyLots,
        /// By how much it is smaller.
        cut_lots: QtyLots,
        /// Its new name; empty keeps the old one.
        new_client_order_id: ClientOrderId,
    },
    /// The order could not be cancelled.
    CancelRefused {
        /// Why.
        reject: Reject,
        /// Who waits for it.
        replacement: Option<ReplacementId>,
    },
    /// The order could not be amended.
    AmendRefused {
        /// Why.
        reject: Reject,
    },
    /// The order met one of another account of its trade group, and instead of trading they give each other what they would have
    /// traded, without a fee.
    Transferred {
        /// Number of the encounter in that market.
        prevented_match: u64,
        /// Which way the order goes.
        side: Side,
        /// Maker or taker.
        liquidity: Liquidity,
        /// The other order.
        counter_order: OrderId,
        /// The resting order's price.
        price_ticks: PriceTicks,
        /// How much.
        qty_lots: QtyLots,
    },
    /// The order, which trails, has seen its stop price.
    Tracks {
        /// The price that it follows from.
        price_ticks: PriceTicks,
    },
    /// The price that the order waits for has come.
    Triggered {
        /// The price.
        price_ticks: PriceTicks,
        /// What it may cost beyond what is held for it. Where this is not zero the market waits for [`ToMarket::Held`].
        missing: Amount,
    },
    /// The order has another price or another quantity. What it trades by that is told behind.
    Modified {
        /// What it is now, with its total quantity.
        kind: OrderKind,
        /// What happens when it meets its owner's own.
        self_trade_prevention: SelfTradePrevention,
        /// What can still trade of it.
        left_lots: QtyLots,
    },
    /// The order could not be modified.
    ModifyRefused {
        /// Why; `None` where more is left of it than there is margin for.
        reject: Option<Reject>,
    },
}

impl FromMarket {
    /// What changes hands by it, if anything does: the order's side, price and quantity.
    #[inline]
    pub const fn moves(&self) -> Option<(Side, PriceTicks, QtyLots)> {
        match *self {
            Self::Filled { side, price_ticks, qty_lots, .. }
            | Self::Transferred { side, price_ticks, qty_lots, .. } => Some((side, price_ticks, qty_lots)),
            Self::Accepted { .. }
            | Self::Refused { .. }
            | Self::Prevented { .. }
            | Self::Ended { .. }
            | Self::Amended { .. }
            | Self::CancelRefused { .. }
            | Self::AmendRefused { .. }
            | Self::Tracks { .. }
            | Self::Triggered { .. }
            | Self::Modified { .. }
            | Self::ModifyRefused { .. } => None,
        }
    }
}

/// An order that moves with its market: what the book knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    /// Its number.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Whose, for self-trade prevention.
    pub trade_group: TradeGroup,
    /// Its price.
    pub price_ticks: PriceTicks,
    /// What can still trade.
    pub open_lots: QtyLots,
    /// What it was for, amendments included.
    pub qty_lots: QtyLots,
    /// How often it was amended.
    pub amends: u16,
}

impl RestingOrder {
    /// Most orders in one message.
    pub const MAX_TOGETHER: usize = 8;
}

/// An order that waits for a price, as a snapshot or another partition is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingOrder {
    /// Its place among those that wait in its market, in the order in which they were accepted.
    pub number: u64,
    /// The order.
    pub place: PlaceMessage,
    /// How often it was amended.
    pub amends: u16,
    /// The best price since it follows the price; `None` while it does not.
    pub extreme_ticks: Option<PriceTicks>,
}

impl WaitingOrder {
    /// Most orders in one message.
    pub const MAX_TOGETHER: usize = 4;
}

/// What few orders on a book have; most have [`Self::NONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u8);

impl Marks {
    /// Nothing in particular.
    pub const NONE: Self = Self(0);
    /// It asks for [`SelfTradePrevention::Transfer`].
    pub const TRANSFERS: Self = Self(1);
    /// What is missing of it was prevented: nothing of it has traded.
    pub const UNTRADED: Self = Self(2);
    /// It only makes a position smaller.
    pub const REDUCES: Self = Self(4);
    /// Most orders in one message.
    pub const MAX_TOGETHER: usize = 32;

    /// Whether it has all of these.
    #[inline]
    pub const fn has(self, marks: Self) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// With these too.
    #[inline]
    #[must_use]
    pub const fn with(self, marks: Self) -> Self {
        Self(self.0 | marks.0)
    }

    /// Without these.
    #[inline]
    #[must_use]
    pub const fn without(self, marks: Self) -> Self {
        Self(self.0 & !marks.0)
    }
}

/// What a market is beside its orders, on its way from one partition to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketState {
    /// The last trade's price; before the first trade the one given at listing.
    pub reference_ticks: PriceTicks,
    /// The number of its next trade.
    pub next_trade: TradeId,
    /// The number of the next encounter of an owner's own orders.
    pub next_prevented_match: u64,
    /// Number of the last change of a level.
    pub update_id: u64,
}

/// What accounts and markets say to each other, with where it goes. Plain values, so that a queue of them costs nothing to empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// To a market.
    ToMarket {
        /// Which one.
        market: MarketId,
        /// What it is asked.
        body: ToMarket,
    },
    /// To the account of an order.
    ToAccount {
        /// Which account.
        account: AccountId,
        /// Who says it.
        market: MarketId,
        /// Of which order.
        order: OrderId,
        /// What has happened.
        body: FromMarket,
    },
    /// To everybody who holds for orders of this market.
    ReferencePrice {
        /// Which market.
        market: MarketId,
        /// Its last trade's price.
        price_ticks: PriceTicks,
    },
    /// From a contract to an account.
    ToHolder {
        /// Which account.
        account: AccountId,
        /// Which contract says it.
        market: MarketId,
        /// What it says.
        body: ToHolder,
    },
    /// To everybody who has positions at this contract.
    MarkPrice {
        /// Which contract.
        market: MarketId,
        /// What positions are measured by from now on.
        mark_ticks: PriceTicks,
    },
    /// To everybody: who is deleveraged first among those whose positions an order of this side would close?
    WinnerAsked {
        /// At which contract.
        market: MarketId,
        /// Which way an order would go that closes the position.
        side: Side,
    },
}

impl Letter {
    /// Money that travels with a letter, in atoms of its market's base and quote assets; below zero the receiver pays. `terms` are
    /// the market's, `is_contract` says whether anything of its base asset changes hands.
    #[inline]
    pub fn carries(&self, terms: &MarketTerms, is_contract: bool) -> Option<(Amount, Amount)> {
        let traded = |side, price_ticks, qty_lots| {
            let quote = terms.notional(price_ticks, qty_lots);
            let base = if is_contract { Amount::ZERO } else { terms.base_amount(qty_lots) };
            match side {
                Side::Buy => (base, -quote),
                Side::Sell => (-base, quote),
            }
        };
        match *self {
            Self::ToAccount { body, .. } => {
                body.moves().map(|(side, price_ticks, qty_lots)| traded(side, price_ticks, qty_lots))
            }
            Self::ToHolder { body, .. } => match body {
                ToHolder::Funding { amount }
                | ToHolder::FundingOfLeg { amount, .. }
                | ToHolder::FundReceives { amount } => Some((Amount::ZERO, amount)),
                ToHolder::Forced { side, price_ticks, qty_lots, .. } => {
                    Some(traded(side, price_ticks, qty_lots))
                }
                ToHolder::CarryAsked { .. } => None,
            },
            Self::ToMarket { body: ToMarket::PayFund { amount }, .. } => Some((Amount::ZERO, amount)),
            Self::ToMarket { .. }
            | Self::ReferencePrice { .. }
            | Self::MarkPrice { .. }
            | Self::WinnerAsked { .. } => None,
        }
    }

    /// Its market.
    pub const fn market(&self) -> MarketId {
        match *self {
            Self::ToMarket { market, .. }
            | Self::ToAccount { market, .. }
            | Self::ReferencePrice { market, .. }
            | Self::ToHolder { market, .. }
            | Self::MarkPrice { market, .. }
            | Self::WinnerAsked { market, .. } => market,
        }
    }
}

/// What one partition says to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// What also goes back and forth within one.
    Letter(Letter),
    /// What comes seldom, boxed so that letters stay small.
    Notice(Box<Notice>),
}

/// What comes seldom: what is listed, who there is, money that comes and goes, markets that move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// From the directory: an asset is listed, under the next number.
    AssetListed(AssetTerms),
    /// From the directory: a market is listed, under the next number, and lives in a partition.
    MarketListed {
        /// Its settings.
        add: AddMarket,
        /// Where it lives.
        partition: PartitionId,
    },
    /// From the directory: a market has other terms.
    MarketChanged(AddMarket),
    /// From the directory: a contract is listed, under the next number.
    ContractListed(AddContract),
    /// From the directory: a contract has other terms.
    ContractChanged(AddContract),
    /// From the directory to the account's partition: an account is open.
    AccountOpened {
        /// Its number.
        account: AccountId,
        /// Its name.
        name: AccountName,
        /// Its group for self-trade prevention.
        trade_group: TradeGroup,
    },
    /// From the directory: this is how accounts are spread from now on.
    PartitionAdded(Spread),
    /// To the directory: may this deposit be credited? Its reference must be new everywhere.
    DepositAsked(Deposit),
    /// From the directory: credit it.
    DepositAllowed(Deposit),
    /// To the directory: may this withdrawal be made, for which the money is held? Its reference must be new everywhere.
    WithdrawalAsked(RequestWithdrawal),
    /// From the directory: make it.
    WithdrawalAllowed(RequestWithdrawal),
    /// From the directory: neither credit nor withdraw.
    FundsRefused {
        /// Whose money.
        account: AccountId,
        /// Why.
        reject: Reject,
        /// The withdrawal for which money is held; `None` of a deposit.
        withdrawal: Option<RequestWithdrawal>,
    },
    /// From the directory: accept nothing more for this market, it moves there.
    MarketLeaves {
        /// Which market.
        market: MarketId,
        /// To which partition.
        to: PartitionId,
    },
    /// To the market's old home: nothing more comes from this partition.
    MarketQuiet {
        /// Which market.
        market: MarketId,
        /// Where it goes.
        to: PartitionId,
        /// Who has stopped.
        from: PartitionId,
    },
    /// To the market's new home: some of its orders, in the order in which they would trade; at most
    /// [`RestingOrder::MAX_TOGETHER`].
    OrdersMove {
        /// Which market.
        market: MarketId,
        /// On which side.
        side: Side,
        /// The orders.
        orders: Vec<RestingOrder>,
    },
    /// To the market's new home, behind all its orders: those that have [`Marks`]; at most [`Marks::MAX_TOGETHER`].
    OrdersMarked {
        /// The orders and their marks.
        marks: Vec<(OrderId, Marks)>,
    },
    /// To the market's new home: some of the orders that wait for a price there; at most [`WaitingOrder::MAX_TOGETHER`].
    WaitingMove {
        /// Which market.
        market: MarketId,
        /// The orders.
        orders: Vec<WaitingOrder>,
    },
    /// To the market's new home, behind all its orders: here it is.
    MarketMoves {
        /// Which market.
        market: MarketId,
        /// The rest of it.
        state: MarketState,
    },
    /// From the market's old home: that was all it had to say.
    MarketLeft {
        /// Which market.
        market: MarketId,
        /// Where it goes.
        to: PartitionId,
    },
    /// To the market's new home: this partition has heard all that the old one had to say.
    MarketReady {
        /// Which market.
        market: MarketId,
        /// Where it goes.
        to: PartitionId,
        /// Who is ready.
        from: PartitionId,
    },
    /// To the directory, from where an account or a market lives: what was told of it is known there, so whoever asked for it
    /// may be answered.
    Heard,
    /// From the market's new home: it goes on.
    MarketArrived {
        /// Which market.
        market: MarketId,
        /// Where it is.
        partition: PartitionId,
    },
}

/// What one command of one partition has to say to another partition. Numbered from 1 without gaps between each two; the
/// receiver takes each number once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Who says it.
    pub from: PartitionId,
    /// Its number on the way from there to here.
    pub number: u64,
    /// The number of the last envelope that the sender has taken on the way back: the receiver may forget those up to it.
    pub taken: u64,
    /// The time of the command that says it. It is applied no earlier, so time goes forward along every chain of messages.
    pub time_ns: TimeNs,
    /// The command that it goes back to, whose answer it may carry.
    pub origin: Origin,
    /// True when more of what this command has to say follows in the next envelope.
    pub more: bool,
    /// What is said, in order; at most [`Self::MAX_MESSAGES`].
    pub messages: Vec<Message>,
}

impl Envelope {
    /// Most messages in one envelope; with it no envelope is longer than 64 KiB in the journal.
    pub const MAX_MESSAGES: usize = 128;
}
