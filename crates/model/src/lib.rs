//! Rialto's vocabulary. Every other crate speaks it; it knows none of them and decides nothing.

mod algo;
mod batch;
mod command;
mod contract;
mod event;
mod ip_range;
mod message;
mod order;
mod partition;
mod reject;
mod source;
mod terms;
mod text;
mod units;

pub use algo::{
    AlgoEndReason, AlgoOrder, AlgoOrderEnded, AlgoOrderTracks, AlgoOrderTriggered, AlgoPlaces, AlgoRef,
    AlgoTrigger, CancelAlgoOrder, CancelAllAlgoOrders, PlaceAlgoOrder, WorkingPrice,
};
pub use batch::EventBatch;
pub use command::{
    AddApiKey, AddAsset, AddContract, AddMarket, AddMarketTo, AmendOrder, CancelAllOrders, CancelOrder,
    CancelRestriction, ChangeApiKey, ChangeLeverage, ChangeMarginType, ChangePositionMode, Command, Confirm,
    CreateAccount, CreateApiKey, Deposit, JoinExchange, KeyKind, MarginMove, MarginType, ModifyContractOrder,
    MoveFunds, MoveMarket, MovePositionMargin, OrderRef, PlaceContractOrder, PlaceGoodTillDate, PlaceOrder,
    PositionMode, PositionSide, ReplaceMode, ReplaceOrder, RequestWithdrawal, ResealApiKey, RevokeApiKey,
    Sequenced, SetCountdown, SetIndexPrice, SettleWithdrawal, Skip, SkipEnvelope, SkipMark, Wallet,
};
pub use contract::{Bracket, ContractTerms, ContractTermsError, IndexSource};
pub use event::{
    ApiKeyAdded, ApiKeyChanged, ApiKeyCreated, ContractFilled, ContractOrderAccepted, ContractOrderModified,
    Deposited, EndReason, Event, ExpiryReason, Forced, FundingPaid, FundingSettled, FundsMoved, LevelChanged,
    Liquidity, MarkPriceChanged, OrderAccepted, OrderAmended, OrderEnded, OrderFilled, OrderPrevented,
    OrderTracks, OrderTriggered, PositionForced, PositionMarginChanged, PositionNow, Traded,
    WithdrawalRequested, WithdrawalSettled,
};
pub use ip_range::{IpRange, IpRangeError};
pub use message::{
    ContractOrder, Envelope, FromMarket, Letter, MarketState, Marks, Message, Notice, OrderCause,
    PlaceMessage, ReplacementId, RestingOrder, ToHolder, ToMarket, WaitingOrder,
};
pub use order::{
    MarketStatus, OrderKind, SelfTradePrevention, Side, TimeInForce, TradeGroup, Trigger, TriggerKind,
};
pub use partition::{Origin, PartitionId, Partitions, Spread};
pub use reject::Reject;
pub use source::{CancelAlgoAt, FromSource, OrderAction, OrderCommand, RegisterSource, SourceTerms};
pub use terms::{AssetTerms, FeeRounding, MarketTerms, TermsError};
pub use text::{
    AccountName, ApiKeyId, AssetName, ClientOrderId, KeyLabel, MarketName, Reference, SourceKey, SourceName,
    Text, TextError,
};
pub use units::{
    AccountId, AlgoId, Amount, AssetId, EntryId, EventSeq, FundingRate, MarketId, OrderId, PriceTicks,
    QtyLots, Seq, SourceId, TimeNs, TradeId, WithdrawalId,
};
