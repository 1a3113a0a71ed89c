//! Rules that a command can break: each with the numbers needed to mend it.

use std::fmt;

use crate::{
    AccountId, AlgoId, Amount, AssetId, ContractTermsError, IpRange, MarketId, OrderId, PartitionId,
    PositionMode, PriceTicks, QtyLots, SourceId, TermsError, TimeNs, WithdrawalId,
};

/// One variant per rule. Their codes (in `codec`) go into the log: never renumber one, never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// No such account.
    UnknownAccount {
        /// The one that was named.
        account: AccountId,
    },
    /// No such asset.
    UnknownAsset {
        /// The one that was named.
        asset: AssetId,
    },
    /// No such market.
    UnknownMarket {
        /// The one that was named.
        market: MarketId,
    },
    /// No such open order of this account in this market.
    UnknownOrder,
    /// No such withdrawal, or it has ended.
    UnknownWithdrawal {
        /// The one that was named.
        withdrawal: WithdrawalId,
    },
    /// No such API key.
    UnknownApiKey,
    /// The name is taken.
    NameTaken,
    /// Names of assets, markets, accounts and keys must not be empty.
    NameMissing,
    /// The asset's scale is above 18.
    ScaleTooLarge {
        /// The one that was given.
        scale: u8,
    },
    /// The market's terms contradict themselves or could leave their types; the rule says how.
    BadTerms {
        /// The rule they break.
        rule: TermsError,
    },
    /// A market's assets, tick and lot stay as they were listed.
    TermsAreFixed,
    /// The sealed secret is empty or too long.
    BadSealedSecret {
        /// Its length in bytes.
        len: u32,
    },
    /// The reference was executed before.
    DuplicateReference,
    /// A reference must not be empty.
    ReferenceMissing,
    /// An amount must be above zero.
    AmountNotPositive {
        /// The one that was given.
        amount: Amount,
    },
    /// With this deposit the asset would have more than can be counted safely.
    DepositLimit {
        /// What may still be deposited.
        left: Amount,
    },
    /// It came too late.
    TooLate {
        /// Its deadline.
        valid_until_ns: TimeNs,
    },
    /// The market does not accept this now.
    MarketClosed,
    /// The price is outside `PRICE_FILTER`.
    PriceOutOfRange {
        /// The lowest allowed.
        min_ticks: PriceTicks,
        /// The highest allowed.
        max_ticks: PriceTicks,
    },
    /// The quantity is outside `LOT_SIZE`.
    QtyOutOfRange {
        /// The smallest allowed.
        min_lots: QtyLots,
        /// The largest allowed.
        max_lots: QtyLots,
    },
    /// Price x quantity is outside `NOTIONAL`.
    NotionalOutOfRange {
        /// The smallest allowed, in quote atoms.
        min: Amount,
        /// The largest allowed, in quote atoms; 0 when the order is not too large in any case.
        max: Amount,
    },
    /// The account has less than the order can cost.
    InsufficientBalance {
        /// What it needs.
        needed: Amount,
        /// What is free.
        available: Amount,
    },
    /// An open order of this account has this name.
    DuplicateClientOrderId,
    /// The account has as many open orders in this market as it may.
    TooManyOpenOrders {
        /// The limit.
        max: u32,
    },
    /// The market's book is full.
    BookFull {
        /// The limit.
        max: u32,
    },
    /// A `LIMIT_MAKER` order would trade at once.
    WouldTake {
        /// The best price of the other side.
        best_ticks: PriceTicks,
    },
    /// An order by amount found no book to trade with.
    NoLiquidity,
    /// The order is not in the state that the cancel asks for.
    CancelRestricted,
    /// The amendment changes nothing.
    AmendChangesNothing,
    /// The amendment makes the order larger.
    AmendIncreases {
        /// The order's quantity.
        qty_lots: QtyLots,
    },
    /// The order was amended as often as is allowed.
    TooManyAmends {
        /// The limit.
        max: u16,
    },
    /// The cancel of a replacement failed, so nothing was placed.
    ReplaceNotAttempted,
    /// The order has left the book since; only seen between partitions.
    OrderGone {
        /// Which one.
        order: OrderId,
    },
    /// The key has more address ranges than it may.
    TooManyIpRanges {
        /// The limit.
        max: u32,
    },
    /// An address range has a prefix that is too long, or bits behind its prefix.
    BadIpRange {
        /// The first such range.
        range: IpRange,
    },
    /// No such partition.
    UnknownPartition {
        /// The one that was named.
        partition: PartitionId,
        /// How many there are; they are numbered from 0.
        count: u8,
    },
    /// There are as many partitions as there can be.
    TooManyPartitions {
        /// The limit.
        max: u8,
    },
    /// The market lives there already.
    MarketIsThere {
        /// Where it lives.
        partition: PartitionId,
    },
    /// The market is on its way to another partition.
    MarketMoves {
        /// Where it goes.
        to: PartitionId,
    },
    /// Only the first partition does this.
    NotTheFirst {
        /// Which one was asked.
        partition: PartitionId,
    },
    /// The partition has begun already, and knows which one it is.
    HasJoined {
        /// Which one it is.
        partition: PartitionId,
    },
    /// No such source is registered.
    UnknownSource {
        /// The one that was named.
        source: SourceId,
    },
    /// There are as many sources as there can be.
    TooManySources {
        /// The limit.
        max: u32,
    },
    /// An order that waits has neither a stop price nor a distance at which it follows the price.
    TriggerMissing,
    /// The price that the order would wait for has come already.
    WouldTrigger {
        /// The last trade's price.
        last_ticks: PriceTicks,
    },
    /// The distance at which an order follows the price is outside `TRAILING_DELTA`.
    TrailingDeltaOutOfRange {
        /// The smallest allowed, in hundredths of a per cent.
        min_bips: u16,
        /// The largest allowed, in hundredths of a per cent.
        max_bips: u16,
    },
    /// The account has as many orders in this market that wait for a price as it may.
    TooManyAlgoOrders {
        /// The limit.
        max: u32,
    },
    /// The contract's terms contradict themselves or could leave their types; the rule says how.
    BadContract {
        /// The rule they break.
        rule: ContractTermsError,
    },
    /// This is a contract: the command is for spot markets.
    IsContract {
        /// The one that was named.
        market: MarketId,
    },
    /// This is a spot market: the command is for contracts.
    NotContract {
        /// The one that was named.
        market: MarketId,
    },
    /// Orders of this kind, or with this way of self-trade prevention, are not for contracts.
    NotAtContracts,
    /// The futures wallet has too little for what the order can lead to.
    InsufficientMargin {
        /// What positions and orders would take with it.
        needed: Amount,
        /// What there is, unrealised profits and losses included.
        available: Amount,
    },
    /// With this order the position could be larger than its leverage allows.
    PositionTooLarge {
        /// The largest value that it allows, in atoms of the settlement asset.
        max: Amount,
    },
    /// With this order the position could have more lots than the contract allows.
    TooManyLots {
        /// The limit.
        max: QtyLots,
    },
    /// The order would only reduce a position, and there is nothing to be closed by it.
    NothingToReduce,
    /// The leverage is below 1 or above what the position's bracket allows.
    LeverageOutOfRange {
        /// The highest allowed.
        max: u16,
    },
    /// The account is being liquidated.
    InLiquidation,
    /// The contract has no such source, or it is a market and no feed.
    UnknownIndexSource {
        /// The one that was named.
        source: u8,
    },
    /// Less can be moved out of the futures wallet than was asked for: the rest backs positions and orders.
    WalletShort {
        /// What can be moved.
        available: Amount,
    },
    /// Contracts stay in the partition where they were listed.
    ContractStays,
    /// At its price the order would lose more at once than its account has beside what positions and orders take.
    LosesTooMuch {
        /// The worst price at which it would not.
        worst_ticks: PriceTicks,
    },
    /// The contract lives in another partition.
    LivesElsewhere {
        /// Where.
        partition: PartitionId,
    },
    /// The account's positions at this contract are backed so already.
    MarginTypeUnchanged,
    /// What backs positions at a contract does not change while the account has open orders there.
    MarginTypeHasOrders,
    /// What backs positions at a contract does not change while the account has a position there.
    MarginTypeHasPosition,
    /// The account has no isolated position at this contract.
    NotIsolated,
    /// Less can be taken out of the position's margin than was asked for.
    PositionMarginShort {
        /// What can be taken.
        available: Amount,
    },
    /// The leverage of an isolated position cannot be lowered.
    LeverageCannotFall {
        /// What it is.
        leverage: u16,
    },
    /// The account is an insurance fund, whose wallet backs all that it carries.
    IsFund,
    /// The account has so many positions at each contract already.
    PositionModeUnchanged,
    /// An account with open orders at a contract keeps its position mode.
    PositionModeHasOrders,
    /// An account with a position at a contract keeps its position mode.
    PositionModeHasPosition,
    /// The account has no such position in its position mode.
    PositionSideMismatch {
        /// Its mode.
        mode: PositionMode,
    },
    /// In hedge mode the position side says what an order does; none is called one that only reduces.
    ReduceOnlyInHedge,
    /// An algo order that trails places a market order and has no price protection; one that closes a position does not trail.
    AlgoCombination,
    /// The date till which the order would be good has passed.
    DatePassed {
        /// The one that was given.
        good_till_ns: TimeNs,
    },
    /// The order is being modified: wait until it is.
    BeingModified,
    /// An algo order waits already that closes this position at a price of this sort.
    ClosesAlready {
        /// Which one.
        algo: AlgoId,
    },
}

impl fmt::Display for Reject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAccount { account } => write!(out, "there is no account {account}"),
            Self::UnknownAsset { asset } => write!(out, "there is no asset {asset}"),
            Self::UnknownMarket { market } => write!(out, "there is no market {market}"),
            Self::UnknownOrder => write!(out, "the account has no such open order in this market"),
            Self::UnknownWithdrawal { withdrawal } => write!(out, "there is no open withdrawal {withdrawal}"),
            Self::UnknownApiKey => write!(out, "there is no such API key"),
            Self::NameTaken => write!(out, "the name is taken"),
            Self::NameMissing => write!(out, "a name is needed"),
            Self::ScaleTooLarge { scale } => write!(out, "the scale must be at most 18, not {scale}"),
            Self::BadTerms { rule } => rule.fmt(out),
            Self::TermsAreFixed => {
                write!(
                    out,
                    "base, quote, tick and lot of a market cannot change: list another market instead"
                )
            }
            Self::BadSealedSecret { len } => write!(out, "a sealed secret has 1 to 1,024 bytes, not {len}"),
            Self::DuplicateReference => write!(out, "this reference was executed before"),
            Self::ReferenceMissing => write!(out, "a reference is needed, so that nothing is executed twice"),
            Self::AmountNotPositive { amount } => {
                write!(out, "the amount must be above zero, not {amount} atoms")
            }
            Self::DepositLimit { left } => {
                write!(out, "at most {left} more atoms of this asset can be deposited")
            }
            Self::TooLate { valid_until_ns } => {
                write!(out, "valid until {} ms only", valid_until_ns.as_millis())
            }
            Self::MarketClosed => write!(out, "the market does not accept this now"),
            Self::PriceOutOfRange { min_ticks, max_ticks } => {
                write!(out, "the price must be from {min_ticks} to {max_ticks} ticks")
            }
            Self::QtyOutOfRange { min_lots, max_lots } => {
                write!(out, "the quantity must be from {min_lots} to {max_lots} lots")
            }
            Self::NotionalOutOfRange { min, max } if max.is_zero() => {
                write!(out, "price x quantity must be at least {min} atoms")
            }
            Self::NotionalOutOfRange { min, max } => {
                write!(out, "price x quantity must be from {min} to {max} atoms")
            }
            Self::InsufficientBalance { needed, available } => {
                write!(out, "{needed} atoms are needed, {available} are free")
            }
            Self::DuplicateClientOrderId => write!(out, "an open order has this client order id"),
            Self::TooManyOpenOrders { max } => {
                write!(out, "the account has {max} open orders here, which is the limit")
            }
            Self::BookFull { max } => write!(out, "the book has {max} orders, which is the limit"),
            Self::WouldTake { best_ticks } => write!(out, "it would trade at once at {best_ticks} ticks"),
            Self::NoLiquidity => write!(out, "there is nothing to trade with"),
            Self::CancelRestricted => write!(out, "the order is not in the state that the cancel asks for"),
            Self::AmendChangesNothing => write!(out, "the order has this quantity already"),
            Self::AmendIncreases { qty_lots } => {
                write!(out, "an amendment can only lower the quantity, which is {qty_lots} lots")
            }
            Self::TooManyAmends { max } => {
                write!(out, "the order was amended {max} times, which is the limit")
            }
            Self::ReplaceNotAttempted => write!(out, "the cancel failed, so nothing was placed"),
            Self::OrderGone { order } => write!(out, "order {order} has ended meanwhile"),
            Self::TooManyIpRanges { max } => write!(out, "a key has at most {max} address ranges"),
            Self::BadIpRange { range } => {
                write!(out, "{range} has bits behind its prefix, or too long a prefix")
            }
            Self::UnknownPartition { partition, count } => {
                write!(out, "there is no partition {partition}: there are {count}, numbered from 0")
            }
            Self::TooManyPartitions { max } => write!(out, "there are {max} partitions, which is the limit"),
            Self::MarketIsThere { partition } => {
                write!(out, "the market is in partition {partition} already")
            }
            Self::MarketMoves { to } => {
                write!(out, "the market is moving to partition {to}; wait until it is there")
            }
            Self::NotTheFirst { partition } => {
                write!(out, "partition {partition} does not do this: ask the first one")
            }
            Self::HasJoined { partition } => write!(out, "this is partition {partition} already"),
            Self::UnknownSource { source } => write!(out, "there is no source {source}: register it first"),
            Self::TooManySources { max } => write!(out, "there are {max} sources, which is the limit"),
            Self::TriggerMissing => write!(out, "it needs a stop price, a trailing distance, or both"),
            Self::WouldTrigger { last_ticks } => {
                write!(out, "the last price, {last_ticks} ticks, would trigger it at once")
            }
            Self::TrailingDeltaOutOfRange { min_bips, max_bips } => {
                write!(
                    out,
                    "the trailing distance must be from {min_bips} to {max_bips} hundredths of a per cent"
                )
            }
            Self::TooManyAlgoOrders { max } => {
                write!(out, "the account has {max} orders here that wait for a price, which is the limit")
            }
            Self::BadContract { rule } => rule.fmt(out),
            Self::IsContract { market } => {
                write!(out, "market {market} is a perpetual contract, and this is for spot markets")
            }
            Self::NotContract { market } => {
                write!(out, "market {market} is a spot market, and this is for perpetual contracts")
            }
            Self::NotAtContracts => write!(
                out,
                "contracts take orders with a limit, as maker only or without a limit, and NONE, EXPIRE_MAKER, EXPIRE_TAKER or \
                 EXPIRE_BOTH against self-trade"
            ),
            Self::InsufficientMargin { needed, available } => {
                write!(out, "{needed} atoms of margin are needed, and there are {available}")
            }
            Self::PositionTooLarge { max } => {
                write!(
                    out,
                    "the position could come to more than {max} atoms, which is the most at this leverage"
                )
            }
            Self::TooManyLots { max } => {
                write!(out, "the position could come to more than {max} lots, which is the limit")
            }
            Self::NothingToReduce => write!(out, "there is no position that the order would make smaller"),
            Self::LeverageOutOfRange { max } => write!(out, "the leverage must be from 1 to {max}"),
            Self::InLiquidation => write!(out, "the account is being liquidated"),
            Self::UnknownIndexSource { source } => {
                write!(out, "the contract has no source {source} that is a feed")
            }
            Self::WalletShort { available } => {
                write!(out, "at most {available} atoms can be moved: the rest backs positions and orders")
            }
            Self::LosesTooMuch { worst_ticks } => {
                write!(out, "beyond {worst_ticks} ticks it would lose more than the account can bear")
            }
            Self::LivesElsewhere { partition } => {
                write!(out, "the contract lives in partition {partition}: tell that one")
            }
            Self::MarginTypeUnchanged => write!(out, "positions at this contract are backed so already"),
            Self::MarginTypeHasOrders => {
                write!(out, "the account has open orders at this contract: cancel them first")
            }
            Self::MarginTypeHasPosition => {
                write!(out, "the account has a position at this contract: close it first")
            }
            Self::NotIsolated => write!(out, "the account has no isolated position at this contract"),
            Self::PositionMarginShort { available } => {
                write!(
                    out,
                    "at most {available} atoms can be taken: the rest is the position's initial margin"
                )
            }
            Self::LeverageCannotFall { leverage } => {
                write!(out, "the leverage of an isolated position, {leverage}, can only be raised")
            }
            Self::PositionModeUnchanged => write!(out, "the account has this position mode already"),
            Self::PositionModeHasOrders => {
                write!(out, "the account has open orders at contracts: cancel them first")
            }
            Self::PositionModeHasPosition => write!(out, "the account has positions: close them first"),
            Self::PositionSideMismatch { mode: PositionMode::OneWay } => {
                write!(out, "in one-way mode the position side is BOTH")
            }
            Self::PositionSideMismatch { mode: PositionMode::Hedge } => {
                write!(out, "in hedge mode the position side is LONG or SHORT")
            }
            Self::ReduceOnlyInHedge => {
                write!(out, "in hedge mode there is no reduce-only: the position side says what closes")
            }
            Self::IsFund => {
                write!(out, "the account is an insurance fund: its wallet backs all that it carries")
            }
            Self::AlgoCombination => {
                write!(out, "an order that trails is a market order for a quantity, without price protection")
            }
            Self::ClosesAlready { algo } => {
                write!(out, "algo order {algo} closes this position already")
            }
            Self::DatePassed { good_till_ns } => {
                write!(out, "the order would be good till {} ms, which has passed", good_till_ns.as_millis())
            }
            Self::BeingModified => write!(out, "the order is being modified"),
            Self::ContractStays => write!(out, "a contract stays in the partition where it was listed"),
        }
    }
}
