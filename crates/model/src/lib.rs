//! Rialto's vocabulary. Every other crate speaks it; it knows none of them and decides nothing.

mod batch;
mod command;
mod event;
mod order;
mod reject;
mod terms;
mod text;
mod units;

pub use batch::EventBatch;
pub use command::{
    AddAsset, AddMarket, AmendOrder, CancelAllOrders, CancelOrder, CancelRestriction, Command, CreateAccount,
    CreateApiKey, Deposit, OrderRef, PlaceOrder, ReplaceMode, ReplaceOrder, RequestWithdrawal, RevokeApiKey,
    Sequenced, SettleWithdrawal, Skip, SkipMark,
};
pub use event::{
    ApiKeyCreated, Deposited, EndReason, Event, ExpiryReason, LevelChanged, Liquidity, OrderAccepted,
    OrderAmended, OrderEnded, OrderFilled, OrderPrevented, Traded, WithdrawalRequested, WithdrawalSettled,
};
pub use order::{MarketStatus, OrderKind, SelfTradePrevention, Side, TimeInForce, TradeGroup};
pub use reject::Reject;
pub use terms::{AssetTerms, FeeRounding, MarketTerms, TermsError};
pub use text::{AccountName, ApiKeyId, AssetName, ClientOrderId, MarketName, Reference, Text, TextError};
pub use units::{
    AccountId, Amount, AssetId, EventSeq, MarketId, OrderId, PriceTicks, QtyLots, Seq, TimeNs, TradeId,
    WithdrawalId,
};
