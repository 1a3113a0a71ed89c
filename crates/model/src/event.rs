//! What happened: the only output of a partition.
//!
//! Three kinds stand side by side in the log. Those of an account (its orders, its money) and those of a market (trades,
//! levels) are told by different owners, so that each may live in another partition; a trade is told by the market, and by
//! both accounts. Reference data is told to everybody. Of one step (placing an order, cancelling, amending) the market's events
//! come before the accounts'; a replacement is two steps.
//! Amounts of money that follow from price, quantity and terms are not repeated; whatever would need a decision is.

use crate::{
    AccountId, AccountName, AlgoOrder, AlgoOrderEnded, AlgoOrderTracks, AlgoOrderTriggered, Amount, ApiKeyId,
    AssetId, AssetTerms, ClientOrderId, ContractTerms, EntryId, FundingRate, IpRange, KeyKind, KeyLabel,
    MarginType, MarketId, MarketTerms, OrderAction, OrderCause, OrderId, OrderKind, Origin, PartitionId,
    PositionMode, PositionSide, PriceTicks, QtyLots, Reference, Reject, SelfTradePrevention, Side, SourceId,
    SourceTerms, Spread, TimeNs, TradeGroup, TradeId, WithdrawalId,
};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An asset is listed.
    AssetAdded {
        /// Its id.
        asset: AssetId,
        /// Its settings.
        terms: AssetTerms,
    },
    /// A market is listed, or has other terms.
    MarketAdded {
        /// Its id.
        market: MarketId,
        /// Its settings.
        terms: Box<MarketTerms>,
    },
    /// An account is open.
    AccountCreated {
        /// Its id.
        account: AccountId,
        /// Its name.
        name: AccountName,
        /// Its group for self-trade prevention.
        trade_group: TradeGroup,
    },
    /// An account has an API key, as the first version told it.
    ApiKeyCreated(ApiKeyCreated),
    /// An API key is gone.
    ApiKeyRevoked {
        /// Whose it was.
        account: AccountId,
        /// The public half.
        key: ApiKeyId,
    },
    /// Money has arrived.
    Deposited(Box<Deposited>),
    /// Money is held, to be withdrawn.
    WithdrawalRequested(Box<WithdrawalRequested>),
    /// A withdrawal has ended.
    WithdrawalSettled(WithdrawalSettled),
    /// An order is accepted: execution type NEW.
    OrderAccepted(OrderAccepted),
    /// An order has traded: execution type TRADE.
    OrderFilled(OrderFilled),
    /// An order met one of its owner's own, and at least one of the two loses by it.
    OrderPrevented(OrderPrevented),
    /// An order is smaller than before: execution type REPLACED.
    OrderAmended(OrderAmended),
    /// An order has ended; it comes exactly once for each accepted order.
    OrderEnded(OrderEnded),
    /// A command was refused; balances, holds, orders and books are as before.
    Rejected {
        /// Whose command it was; 0 for the operator's.
        account: AccountId,
        /// The rule it broke.
        reject: Reject,
    },
    /// Two orders have traded.
    Traded(Traded),
    /// The quantity at a price has changed.
    LevelChanged(LevelChanged),
    /// An operator had this command taken out.
    Skipped {
        /// The operator's words.
        reason: String,
    },
    /// An account has an API key.
    ApiKeyAdded(Box<ApiKeyAdded>),
    /// An API key has other permissions and other addresses.
    ApiKeyChanged(ApiKeyChanged),
    /// An API key's credential is sealed under another master key.
    ApiKeyResealed {
        /// Whose key it is.
        account: AccountId,
        /// Which one.
        key: ApiKeyId,
    },
    /// There is one more partition; accounts to come are spread like this.
    PartitionAdded {
        /// From which account on, over how many partitions.
        spread: Spread,
    },
    /// A market lives in this partition; one that was never told of lives in the first.
    MarketPlaced {
        /// Which market.
        market: MarketId,
        /// Where it lives.
        partition: PartitionId,
    },
    /// A market accepts nothing, because it moves to another partition. [`Event::MarketPlaced`] ends that.
    MarketMoving {
        /// Which market.
        market: MarketId,
        /// To which partition.
        to: PartitionId,
    },
    /// What follows in this command has happened in another partition, to orders of accounts that live here, and this partition
    /// hears of it now.
    Heard {
        /// Where it has happened.
        from: PartitionId,
        /// When; not after the time of this command.
        time_ns: TimeNs,
        /// The command that it goes back to.
        origin: Origin,
    },
    /// A market has left this partition, its home: nothing more of it is told here, until [`Event::MarketPlaced`] says that it
    /// is back.
    MarketLeft {
        /// Which market.
        market: MarketId,
        /// To which partition.
        to: PartitionId,
    },
    /// A trailing order follows the price from now on.
    OrderTracks(OrderTracks),
    /// An order that waited for a price takes part in its market from now on.
    OrderTriggered(OrderTriggered),
    /// A source may hand in commands.
    SourceRegistered {
        /// By this number.
        source: SourceId,
        /// Which one it is.
        terms: Box<SourceTerms>,
        /// The last of its entries that this partition has applied; 0 before the first.
        mark: EntryId,
    },
    /// What follows in this command came of an entry of a source, and so does what other partitions tell of this command later.
    EntryTaken {
        /// Which source.
        source: SourceId,
        /// The entry's place there.
        entry: EntryId,
        /// What it asks for.
        action: OrderAction,
        /// On whose behalf.
        account: AccountId,
        /// In which market.
        market: MarketId,
    },
    /// The last event of a command that came of an entry: more of the answer will come from another partition, as
    /// [`Event::Heard`] of this command, up to [`Event::EntryAnswered`].
    EntryOpen {
        /// Which source.
        source: SourceId,
        /// The entry's place there.
        entry: EntryId,
    },
    /// With what was heard in this command, the answer to an entry is complete.
    EntryAnswered {
        /// Which source.
        source: SourceId,
        /// The entry's place there.
        entry: EntryId,
    },
    /// An entry of a source came again. Nothing was done: it was taken before.
    EntryRepeated {
        /// Which source.
        source: SourceId,
        /// The entry's place there.
        entry: EntryId,
    },
    /// An entry of a source has a place that has gone by, and is none of the entries that are remembered. Nothing was done: the
    /// queue has lost its order, or the entry is older than what is remembered.
    EntryOutOfOrder {
        /// Which source.
        source: SourceId,
        /// The entry's place there.
        entry: EntryId,
        /// The last place that was taken.
        mark: EntryId,
    },
    /// A perpetual contract is listed, or has other terms.
    ContractAdded {
        /// Its id, among those of markets.
        market: MarketId,
        /// The settings that every market has.
        terms: Box<MarketTerms>,
        /// Those that a contract has beside.
        contract: Box<ContractTerms>,
    },
    /// Money has moved between an account's spot balance and its futures wallet.
    FundsMoved(FundsMoved),
    /// An order at a contract is accepted: execution type NEW.
    ContractOrderAccepted(ContractOrderAccepted),
    /// An order at a contract has traded: execution type TRADE.
    ContractFilled(ContractFilled),
    /// An account's position at a contract counts with another leverage.
    LeverageChanged {
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
        /// From now on.
        leverage: u16,
    },
    /// A contract has another index price, mark price or expected funding rate.
    MarkPriceChanged(MarkPriceChanged),
    /// A price feed has told a price.
    IndexPriceSet {
        /// Of which contract.
        market: MarketId,
        /// Which of its sources.
        source: u8,
        /// The price.
        price_ticks: PriceTicks,
    },
    /// A settlement of funding has begun.
    FundingSettled(FundingSettled),
    /// An account has paid or received funding.
    FundingPaid(FundingPaid),
    /// Too little is left in an account's futures wallet: its orders are cancelled, and its positions will be closed.
    LiquidationBegun {
        /// Whose.
        account: AccountId,
        /// Of which asset the wallet is.
        asset: AssetId,
    },
    /// A liquidation is over.
    LiquidationEnded {
        /// Whose.
        account: AccountId,
        /// Of which asset the wallet is.
        asset: AssetId,
    },
    /// A liquidated account has paid the clearance fee to the insurance fund: out of its wallet, or of the margin of its isolated
    /// position, into the wallet of the fund.
    ClearancePaid {
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
        /// How much.
        amount: Amount,
        /// What is left in the wallet.
        wallet: Amount,
    },
    /// The insurance fund has received a clearance fee, or (below zero) has paid a debt.
    FundReceived {
        /// The fund's account.
        account: AccountId,
        /// Of which contract.
        market: MarketId,
        /// How much.
        amount: Amount,
        /// What the fund has in its wallet now.
        wallet: Amount,
    },
    /// A position was changed by the exchange, without an order of its owner.
    PositionForced(Box<PositionForced>),
    /// An account has closed its last position at a loss that its wallet could not bear: the insurance fund pays the rest.
    DebtCovered {
        /// Whose.
        account: AccountId,
        /// Whose fund pays.
        market: MarketId,
        /// How much: out of the fund's wallet into the account's, where nothing is left with that.
        amount: Amount,
    },
    /// Something else backs an account's positions at a contract.
    MarginTypeChanged {
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
        /// From now on.
        margin_type: MarginType,
    },
    /// The margin of an isolated position has changed: told behind every event that changes it.
    PositionMarginChanged(Box<PositionMarginChanged>),
    /// An isolated position was closed at a loss that its margin could not bear: the insurance fund pays the rest.
    PositionDebtCovered {
        /// Whose.
        account: AccountId,
        /// At which contract, whose fund pays.
        market: MarketId,
        /// Which position.
        position_side: PositionSide,
        /// How much: out of the fund's wallet into the position's margin, where nothing is left with that.
        amount: Amount,
    },
    /// Too little is left of an isolated position's margin: its orders are cancelled, and it will be closed. The rest of the account
    /// goes on.
    PositionLiquidationBegun {
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
        /// Which position.
        position_side: PositionSide,
    },
    /// The liquidation of an isolated position is over.
    PositionLiquidationEnded {
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
        /// Which position.
        position_side: PositionSide,
    },
    /// An account has one position at each contract from now on, or a long and a short one.
    PositionModeChanged {
        /// Whose.
        account: AccountId,
        /// From now on.
        mode: PositionMode,
    },
    /// An algo order is accepted, and waits for its price.
    AlgoOrderAccepted(Box<AlgoOrder>),
    /// An algo order that trails follows the price from now on.
    AlgoOrderTracks(AlgoOrderTracks),
    /// An algo order's price has come, and an order is placed for it.
    AlgoOrderTriggered(AlgoOrderTriggered),
    /// An algo order has come to nothing.
    AlgoOrderEnded(Box<AlgoOrderEnded>),
    /// An account has said when its orders at a contract are cancelled.
    CountdownSet {
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
        /// With the first command at or behind this time; `None` when they are not.
        fires_ns: Option<TimeNs>,
    },
    /// That time has come: the orders are cancelled, which is told of each.
    CountdownFired {
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
    },
    /// An order at a contract has another price or another quantity: execution type AMENDMENT. What it trades by that is told behind.
    ContractOrderModified(ContractOrderModified),
    /// The order at a contract that was accepted just now is good till a date.
    GoodTillDate {
        /// Its number.
        order: OrderId,
        /// Whose.
        account: AccountId,
        /// At which contract.
        market: MarketId,
        /// It expires with the first command at or behind this time.
        good_till_ns: TimeNs,
    },
}

impl Event {
    /// The market that it tells of, where it tells of orders, trades or a book.
    pub const fn market_of_order(&self) -> Option<MarketId> {
        match self {
            Self::OrderAccepted(accepted) => Some(accepted.market),
            Self::OrderFilled(filled) => Some(filled.market),
            Self::OrderPrevented(prevented) => Some(prevented.market),
            Self::OrderAmended(amended) => Some(amended.market),
            Self::OrderEnded(ended) => Some(ended.market),
            Self::OrderTracks(tracks) => Some(tracks.market),
            Self::OrderTriggered(triggered) => Some(triggered.market),
            Self::Traded(traded) => Some(traded.market),
            Self::LevelChanged(changed) => Some(changed.market),
            Self::ContractOrderAccepted(accepted) => Some(accepted.market),
            Self::ContractFilled(filled) => Some(filled.market),
            Self::ContractOrderModified(modified) => Some(modified.market),
            Self::GoodTillDate { market, .. } => Some(*market),
            _ => None,
        }
    }
}

/// What an isolated position has as its margin. What it has gained, lost or paid stands in the event before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionMarginChanged {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which position.
    pub position_side: PositionSide,
    /// From the wallet into the margin, in atoms of the settlement asset; below zero the other way.
    pub moved: Amount,
    /// What the margin is now; below zero only while a profit that is not realised stands against it, or until a liquidation or
    /// the insurance fund has settled it.
    pub margin: Amount,
    /// What is in the wallet now.
    pub wallet: Amount,
}

/// Money has moved between an account's two wallets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundsMoved {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// From free into the futures wallet; below zero the other way.
    pub amount: Amount,
    /// What is in the futures wallet now.
    pub wallet: Amount,
}

/// An order at a contract is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractOrderAccepted {
    /// Its number.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// What kind, with price and quantity; of an order that only reduces, the quantity that is left of it.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// It only makes the position smaller; in hedge mode whatever goes against it does.
    pub reduce_only: bool,
    /// Who has placed it.
    pub cause: OrderCause,
    /// The owner's name for it.
    pub client_order_id: ClientOrderId,
}

/// An order at a contract has another price or another quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractOrderModified {
    /// Its number.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// What it is now, with its total quantity, what has traded included.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
}

/// A position and its wallet, as something has left them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionNow {
    /// Above zero for a long position, below for a short one.
    pub qty_lots: QtyLots,
    /// What opening it has cost, of the same sign, in atoms of the settlement asset.
    pub cost: Amount,
    /// What is in the account's wallet.
    pub wallet: Amount,
}

/// An order at a contract has traded. What backs the position gains `realized` and loses `fee`: the wallet, or of an isolated
/// position its margin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractFilled {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which trade of that market.
    pub trade: TradeId,
    /// Which way the order goes.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// At the resting order's price.
    pub price_ticks: PriceTicks,
    /// How much.
    pub qty_lots: QtyLots,
    /// In atoms of the settlement asset.
    pub fee: Amount,
    /// What closing a part of the position has gained, in atoms of the settlement asset; below zero it has lost.
    pub realized: Amount,
    /// What there is now.
    pub now: PositionNow,
}

/// A contract's prices beside its book. Source: semantics 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkPriceChanged {
    /// Of which contract.
    pub market: MarketId,
    /// What its sources say.
    pub index_ticks: PriceTicks,
    /// What positions are measured by.
    pub mark_ticks: PriceTicks,
    /// What the next settlement would take, if it were now.
    pub rate: FundingRate,
    /// When the next settlement is.
    pub next_funding_ns: TimeNs,
}

/// A settlement of funding has begun: each position that there is now pays, or receives, this part of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingSettled {
    /// Of which contract.
    pub market: MarketId,
    /// Above zero long positions pay short ones.
    pub rate: FundingRate,
    /// What positions are measured by.
    pub mark_ticks: PriceTicks,
}

/// An account has paid or received funding: its wallet, or the margin of its isolated position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingPaid {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Received; below zero paid.
    pub amount: Amount,
    /// What is in the wallet now.
    pub wallet: Amount,
}

/// Why a position was changed without an order. Source: semantics 2 ("Liquidation").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Forced {
    /// The insurance fund has taken over what a liquidation could not sell.
    TakenOver = 0,
    /// The same, as the fund has it: it carries the position.
    Carried = 1,
    /// The insurance fund could not carry it: a position of the other side was closed against it.
    Bankrupt = 2,
    /// The same, as the other side has it: it was deleveraged.
    Deleveraged = 3,
}

/// A position was changed by the exchange. What backs it gains `realized`; there is no fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionForced {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Why.
    pub forced: Forced,
    /// Which way an order would have gone that did the same.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// At the bankruptcy price.
    pub price_ticks: PriceTicks,
    /// How much.
    pub qty_lots: QtyLots,
    /// What it has gained, in atoms of the settlement asset; below zero it has lost.
    pub realized: Amount,
    /// What there is now.
    pub now: PositionNow,
}

/// An account has an API key. The secret is never part of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyCreated {
    /// Whose.
    pub account: AccountId,
    /// The public half.
    pub key: ApiKeyId,
    /// What it may do.
    pub permissions: u32,
}

/// An account has an API key. What its signatures are checked with is never part of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyAdded {
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub key: ApiKeyId,
    /// How it signs.
    pub kind: KeyKind,
    /// What its owner calls it; may be empty.
    pub label: KeyLabel,
    /// What it may do.
    pub permissions: u32,
    /// From where it may be used; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
}

/// An API key has other permissions and other addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyChanged {
    /// Whose.
    pub account: AccountId,
    /// Which one.
    pub key: ApiKeyId,
    /// What it may do now.
    pub permissions: u32,
    /// From where it may be used now; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
}

/// Money has arrived, and is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposited {
    /// Who received it.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// The custody service's name for it.
    pub reference: Reference,
}

/// Money is held, to be withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalRequested {
    /// Its number.
    pub withdrawal: WithdrawalId,
    /// Whose money.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much: from free to held.
    pub amount: Amount,
    /// The requester's name for it.
    pub reference: Reference,
}

/// A withdrawal has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalSettled {
    /// Its number.
    pub withdrawal: WithdrawalId,
    /// Whose money.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much: out of held, and either gone or free again.
    pub amount: Amount,
    /// True when it was paid out.
    pub paid_out: bool,
}

/// An order is accepted, and what it can cost is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderAccepted {
    /// Its number.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// What kind, with price and quantity.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// The owner's name for it.
    pub client_order_id: ClientOrderId,
    /// From free to held, in atoms of quote (a buy) or base (a sell).
    pub held: Amount,
}

/// Which side of a trade an order was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Liquidity {
    /// It rested on the book.
    Maker = 0,
    /// It arrived.
    Taker = 1,
}

/// An order has traded. Out of held: the price of it (a buy) or the quantity (a sell), and `released` on top, which is free
/// again; free gains the quantity (a buy) or the price of it (a sell), less `fee`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFilled {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Which trade of that market.
    pub trade: TradeId,
    /// Which way the order goes.
    pub side: Side,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// At the resting order's price.
    pub price_ticks: PriceTicks,
    /// How much.
    pub qty_lots: QtyLots,
    /// In atoms of what was received: base for a buy, quote for a sell.
    pub fee: Amount,
    /// From held to free, because the price was better than the limit.
    pub released: Amount,
}

/// An order met one of its owner's own. Told of the taker and of the maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPrevented {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Number of the encounter in this market, from 0.
    pub prevented_match: u64,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// The other order.
    pub counter_order: OrderId,
    /// The resting order's price.
    pub price_ticks: PriceTicks,
    /// What this order loses by it; zero for the one that stays. A taker that expires loses what it could still trade at this
    /// price: all that is left of it, or what is left of its money would buy. In the modes that take from both, both lose what
    /// they would have traded.
    pub prevented_lots: QtyLots,
    /// What the taker asked for; `Decrement` where it asked for a transfer that cannot be.
    pub mode: SelfTradePrevention,
    /// From held to free at once, in the modes that take from both. (An order that expires gives back its hold when it ends.) Of a
    /// transfer, price x quantity changes hands besides.
    pub released: Amount,
}

/// An order is smaller than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderAmended {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Its total quantity now, what has traded included.
    pub qty_lots: QtyLots,
    /// Its name from now on.
    pub client_order_id: ClientOrderId,
    /// From held to free.
    pub released: Amount,
}

/// A trailing order has seen its stop price: what it waits for now is a turn of the price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTracks {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// The price from which on it follows.
    pub price_ticks: PriceTicks,
}

/// An order's price has come; what becomes of it is told behind this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTriggered {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// The price that triggered it.
    pub price_ticks: PriceTicks,
    /// From free to held, beside what was held already: a buy without a limit knows only now what it may cost.
    pub held: Amount,
}

/// Why an order has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// All of it has traded (or, of an order by amount, all that whole lots allow).
    Filled,
    /// Its owner cancelled it.
    Canceled,
    /// The rules of its type, or the exchange, ended it.
    Expired(ExpiryReason),
    /// Self-trade prevention ended it.
    ExpiredInMatch,
}

/// Why an order expired. Source: semantics 1.1, where the names on the wire are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExpiryReason {
    /// What an immediate-or-cancel order could not trade.
    UnfilledIoc = 0,
    /// A fill-or-kill order could not trade in full.
    UnfilledFok = 1,
    /// The book, or what was held, came to its end before a market order.
    InsufficientLiquidity = 2,
    /// What is left of a market order lies outside the market's band.
    PriceRangeExceeded = 3,
    /// The exchange ended it: amended to no more than had traded.
    ExchangeCanceled = 4,
    /// It was good till a date, which has come.
    GoodTillDate = 5,
}

/// An order has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEnded {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Why.
    pub reason: EndReason,
    /// From held to free: all that was still held for it.
    pub released: Amount,
}

/// Two orders have traded, as the market tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traded {
    /// Where.
    pub market: MarketId,
    /// Its number in this market.
    pub trade: TradeId,
    /// At the resting order's price.
    pub price_ticks: PriceTicks,
    /// How much.
    pub qty_lots: QtyLots,
    /// Which way the arriving order went.
    pub taker_side: Side,
    /// The resting order.
    pub maker_order: OrderId,
    /// The arriving order.
    pub taker_order: OrderId,
}

/// The quantity at a price has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelChanged {
    /// Where.
    pub market: MarketId,
    /// Number of the change in this market, from 1, without gaps.
    pub update_id: u64,
    /// On which side.
    pub side: Side,
    /// At which price.
    pub price_ticks: PriceTicks,
    /// All that is open there now; zero when nobody is left.
    pub open_lots: QtyLots,
}
