//! What can be asked of a partition: one command, one type with its own fields. Results are events.

use std::sync::Arc;

use crate::{
    AccountId, AccountName, Amount, ApiKeyId, AssetId, AssetTerms, CancelAlgoOrder, CancelAllAlgoOrders,
    ClientOrderId, ContractTerms, Envelope, FromSource, IpRange, KeyLabel, MarketId, MarketTerms, OrderId,
    OrderKind, PartitionId, PlaceAlgoOrder, PriceTicks, QtyLots, Reference, RegisterSource,
    SelfTradePrevention, Seq, Side, TimeNs, TradeGroup, WithdrawalId,
};

/// A command with its place and its time, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequenced<C> {
    /// Its place: one more than the command before.
    pub seq: Seq,
    /// Its time, never before that of the command before.
    pub time_ns: TimeNs,
    /// What is asked.
    pub command: C,
}

/// Everything that changes the state of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Lists an asset.
    AddAsset(AddAsset),
    /// Lists a market.
    AddMarket(Box<AddMarket>),
    /// Gives a market other terms; what is held for open orders stays as it was.
    ChangeMarket(Box<AddMarket>),
    /// Opens an account.
    CreateAccount(CreateAccount),
    /// Gives an account an API key, in the form of the first version, which old journals have.
    CreateApiKey(Box<CreateApiKey>),
    /// Takes an API key away.
    RevokeApiKey(RevokeApiKey),
    /// Credits an account.
    Deposit(Box<Deposit>),
    /// Holds what is to be withdrawn.
    RequestWithdrawal(Box<RequestWithdrawal>),
    /// Ends a withdrawal: paid out, or given back.
    SettleWithdrawal(SettleWithdrawal),
    /// Places an order.
    PlaceOrder(PlaceOrder),
    /// Cancels an order.
    CancelOrder(CancelOrder),
    /// Cancels all orders of an account in one market.
    CancelAllOrders(CancelAllOrders),
    /// Cancels one order and places another.
    ReplaceOrder(Box<ReplaceOrder>),
    /// Makes an order smaller without moving it.
    AmendOrder(AmendOrder),
    /// A second has passed without any other command.
    Tick,
    /// Stands where a command was that must not be applied, see `rialto journal skip`. Never journaled itself.
    Skip(Skip),
    /// Gives an account an API key.
    AddApiKey(Box<AddApiKey>),
    /// Gives an API key other permissions and other addresses.
    ChangeApiKey(Box<ChangeApiKey>),
    /// Gives an API key the same credential, sealed under another master key.
    ResealApiKey(Box<ResealApiKey>),
    /// Lists a market that lives in another partition than the first.
    AddMarketTo(Box<AddMarketTo>),
    /// Moves a market to another partition.
    MoveMarket(MoveMarket),
    /// There is one more partition, which gets its share of the accounts to come. Only the first partition takes it.
    AddPartition,
    /// The first command of every partition but the first: which one it is.
    JoinExchange(JoinExchange),
    /// What another partition has to say.
    Deliver(Arc<Envelope>),
    /// Another partition has taken what this one said: it need not be said again.
    Confirm(Confirm),
    /// Stands where an envelope was that must not be applied, see `rialto journal skip`. Never journaled itself.
    SkipEnvelope(SkipEnvelope),
    /// Registers a source of commands.
    RegisterSource(Box<RegisterSource>),
    /// What an entry of a source asks for.
    FromSource(Box<FromSource>),
    /// Lists a perpetual contract.
    AddContract(Box<AddContract>),
    /// Gives a contract other terms; its sources and its fund included.
    ChangeContract(Box<AddContract>),
    /// Moves money between an account's spot balance and its futures wallet.
    MoveFunds(Box<MoveFunds>),
    /// Places an order at a contract.
    PlaceContractOrder(PlaceContractOrder),
    /// Sets with how much leverage an account's position at a contract counts.
    ChangeLeverage(ChangeLeverage),
    /// What a feed says a contract's index price is.
    SetIndexPrice(SetIndexPrice),
    /// Nothing new has come, and bounded work is left over: settlements, liquidations, algo orders whose price has come.
    Continue,
    /// Sets what backs an account's positions at a contract: its wallet, or margin of their own.
    ChangeMarginType(ChangeMarginType),
    /// Moves money between an account's wallet and the margin of an isolated position.
    MovePositionMargin(Box<MovePositionMargin>),
    /// Sets whether an account has one position at each contract, or a long and a short one.
    ChangePositionMode(ChangePositionMode),
    /// Places an order that waits for a price of a contract.
    PlaceAlgoOrder(Box<PlaceAlgoOrder>),
    /// Cancels one that waits.
    CancelAlgoOrder(CancelAlgoOrder),
    /// Cancels all of an account that wait at one contract.
    CancelAllAlgoOrders(CancelAllAlgoOrders),
    /// Has an account's orders at a contract cancelled after a while, or not any more.
    SetCountdown(SetCountdown),
    /// Gives an order at a contract another price or another quantity.
    ModifyContractOrder(ModifyContractOrder),
    /// Places an order at a contract that is good till a date.
    PlaceGoodTillDate(Box<PlaceGoodTillDate>),
}

/// Lists a perpetual contract under the next [`MarketId`], or changes the one of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddContract {
    /// The settings that every market has. Its quote asset is what it is settled in; nobody ever owns its base asset by it.
    pub terms: MarketTerms,
    /// Those that a contract has beside.
    pub contract: ContractTerms,
    /// Where it lives; a change leaves it where it is.
    pub partition: PartitionId,
}

/// The two places where an account has money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Wallet {
    /// What spot orders and withdrawals are paid from.
    Spot = 0,
    /// What positions are backed by.
    Futures = 1,
}

/// Moves money between an account's two wallets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveFunds {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much; above zero.
    pub amount: Amount,
    /// To which of the two.
    pub to: Wallet,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Places an order at a perpetual contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceContractOrder {
    /// Whose order.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// Which position: [`PositionSide::Both`] in one-way mode, one of the other two in hedge mode. There an order that goes against
    /// its position closes it, and is cut and refused as one that only reduces.
    pub position_side: PositionSide,
    /// What kind, with price and quantity: with a limit, as maker only (GTX), or without a limit.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own: one of the two expires, or both, or neither.
    pub self_trade_prevention: SelfTradePrevention,
    /// It only makes the position smaller: it is cut to the position's size, and refused where there is nothing to be closed.
    pub reduce_only: bool,
    /// The owner's name for it; unique among the owner's open orders at contracts.
    pub client_order_id: ClientOrderId,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Sets an account's leverage at a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeLeverage {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// From 1 to what the bracket of the position allows.
    pub leverage: u16,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// What backs a position. Source: semantics 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MarginType {
    /// The account's futures wallet, together with everything else that it backs.
    #[default]
    Cross = 0,
    /// Margin of its own, taken from the wallet: it can lose no more than that.
    Isolated = 1,
}

/// Sets what backs an account's positions at a contract. Refused while there is a position or an open order
/// ([`crate::Reject::MarginTypeHasPosition`], [`crate::Reject::MarginTypeHasOrders`]), where nothing would change
/// ([`crate::Reject::MarginTypeUnchanged`]), and to insurance funds that would isolate theirs ([`crate::Reject::IsFund`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeMarginType {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// From now on.
    pub margin_type: MarginType,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Which of an account's positions at a contract. Source: semantics 2 ("Position").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PositionSide {
    /// The only one, in one-way mode: long or short.
    #[default]
    Both = 0,
    /// The long one, in hedge mode.
    Long = 1,
    /// The short one, in hedge mode.
    Short = 2,
}

impl PositionSide {
    /// The position that an order of this side opens, or closes, in hedge mode.
    pub const fn of_hedge(side: Side, closes: bool) -> Self {
        match (side, closes) {
            (Side::Buy, false) | (Side::Sell, true) => Self::Long,
            (Side::Sell, false) | (Side::Buy, true) => Self::Short,
        }
    }

    /// Which way an order goes that closes it; `None` where that depends on the position.
    pub const fn closed_by(self) -> Option<Side> {
        match self {
            Self::Both => None,
            Self::Long => Some(Side::Sell),
            Self::Short => Some(Side::Buy),
        }
    }
}

/// How many positions an account has at each contract. Source: semantics 2 ("Position").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PositionMode {
    /// One, which buying and selling make larger or smaller.
    #[default]
    OneWay = 0,
    /// A long and a short one.
    Hedge = 1,
}

/// Sets how many positions an account has at each contract. Refused while there is a position or an open order at any
/// ([`crate::Reject::PositionModeHasPosition`], [`crate::Reject::PositionModeHasOrders`]), where nothing would change
/// ([`crate::Reject::PositionModeUnchanged`]), and to insurance funds that would have two ([`crate::Reject::IsFund`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePositionMode {
    /// Whose.
    pub account: AccountId,
    /// From now on.
    pub mode: PositionMode,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Which way margin moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MarginMove {
    /// From the wallet into the position's margin.
    Add = 0,
    /// From the position's margin into the wallet.
    Reduce = 1,
}

/// Moves money between an account's wallet and the margin of an isolated position ([`crate::Reject::NotIsolated`] where there is
/// none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovePositionMargin {
    /// Whose.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which position.
    pub position_side: PositionSide,
    /// How much, in atoms of the settlement asset; above zero. At most what the wallet can give
    /// ([`crate::Reject::WalletShort`]), or what the position leaves of its margin beside the initial margin at the mark price
    /// ([`crate::Reject::PositionMarginShort`]).
    pub amount: Amount,
    /// Which way.
    pub way: MarginMove,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Has all orders of an account at a contract cancelled when so much time has passed without another such command. Its algo orders
/// stay: they protect positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCountdown {
    /// Whose orders.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// From now on, in nanoseconds; 0 stops the one that runs.
    pub countdown_ns: u64,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Places an order at a contract whose rest expires at a date (GTD): a limit order that otherwise is good till cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceGoodTillDate {
    /// Whose order.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// For which position.
    pub position_side: PositionSide,
    /// The worst price it accepts.
    pub price_ticks: PriceTicks,
    /// Total quantity.
    pub qty_lots: QtyLots,
    /// What happens when it meets its owner's own: one of the two expires, or both, or neither.
    pub self_trade_prevention: SelfTradePrevention,
    /// It only makes the position smaller: see [`PlaceContractOrder::reduce_only`].
    pub reduce_only: bool,
    /// The owner's name for it; unique among the owner's open orders at contracts.
    pub client_order_id: ClientOrderId,
    /// It expires with the first command at or behind this time; to come when it is sequenced.
    pub good_till_ns: TimeNs,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Gives an order that rests at a contract another price or another quantity. It keeps its number, and its place only where
/// nothing but its quantity changes, and that to less; otherwise it trades as one that has just come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifyContractOrder {
    /// Whose order.
    pub account: AccountId,
    /// At which contract.
    pub market: MarketId,
    /// Which one.
    pub order: OrderRef,
    /// Its new price; the old one where that stays.
    pub price_ticks: PriceTicks,
    /// Its new total quantity, what has traded included; the old one where that stays. With no more than has traded it ends.
    pub qty_lots: QtyLots,
    /// It only ever rests (GTX): refused when it would trade at once. What it was placed with is not remembered.
    pub maker_only: bool,
    /// What happens when it meets its owner's own: one of the two expires, or both, or neither. What it was placed with is not
    /// remembered.
    pub self_trade_prevention: SelfTradePrevention,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// A price feed says what a contract's index price is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetIndexPrice {
    /// Where the contract lives: that partition takes it, another one says which it is.
    pub partition: PartitionId,
    /// Of which contract.
    pub market: MarketId,
    /// Which of its sources says so, from 0; one that is a feed.
    pub source: u8,
    /// The price, within the contract's `PRICE_FILTER`.
    pub price_ticks: PriceTicks,
}

/// Lists an asset under the next [`AssetId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddAsset {
    /// Its settings.
    pub terms: AssetTerms,
}

/// Lists a market under the next [`MarketId`], or changes the one of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddMarket {
    /// Its settings.
    pub terms: MarketTerms,
}

/// Lists a market under the next [`MarketId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddMarketTo {
    /// Its settings.
    pub terms: MarketTerms,
    /// Where it lives.
    pub partition: PartitionId,
}

/// Moves a market, with all orders that rest there, to another partition. It accepts nothing while it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveMarket {
    /// Which one.
    pub market: MarketId,
    /// To which partition.
    pub to: PartitionId,
}

/// Which partition a journal belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinExchange {
    /// Its number; above 0.
    pub partition: PartitionId,
}

/// Another partition has taken what this one said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// Who has taken it.
    pub by: PartitionId,
    /// The number of the last envelope that is durable there.
    pub taken: u64,
}

/// An envelope that an operator had taken out, because it cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipEnvelope {
    /// Whose envelope it is.
    pub from: PartitionId,
    /// Its number.
    pub number: u64,
    /// The operator's words.
    pub reason: String,
}

/// Opens an account under the next [`AccountId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateAccount {
    /// What its operator calls it; unique.
    pub name: AccountName,
    /// Accounts of one group do not trade with each other when an order asks for self-trade prevention.
    pub trade_group: TradeGroup,
}

/// Gives an account an API key of the kind [`KeyKind::HmacSha256`], usable from everywhere: what [`AddApiKey`] was at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateApiKey {
    /// Whose orders it signs.
    pub account: AccountId,
    /// The public half, unique.
    pub key: ApiKeyId,
    /// The secret half, sealed under a master key that the journal never sees; at most 1,024 bytes.
    pub sealed_secret: Vec<u8>,
    /// Bits of what it may do; the gateway gives them their meaning.
    pub permissions: u32,
}

impl CreateApiKey {
    /// Longest sealed secret, in bytes.
    pub const MAX_SEALED_BYTES: usize = 1_024;
}

/// How the requests of an API key are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyKind {
    /// Both sides have one secret: HMAC with SHA-256.
    HmacSha256 = 0,
    /// The client has the private half, the exchange the public one: Ed25519.
    Ed25519 = 1,
}

/// Gives an account an API key. The partition keeps it for the gateways and never looks into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddApiKey {
    /// Whose orders it signs.
    pub account: AccountId,
    /// Its name, unique.
    pub key: ApiKeyId,
    /// How it signs.
    pub kind: KeyKind,
    /// What its signatures are checked with, sealed under a master key that the journal never sees; at most
    /// [`CreateApiKey::MAX_SEALED_BYTES`]. Of Ed25519 this is the public half, which is no secret: it is sealed so that nobody
    /// who can write the journal, but does not have the master key, puts another in its place.
    pub sealed: Vec<u8>,
    /// What its owner calls it; may be empty.
    pub label: KeyLabel,
    /// Bits of what it may do; the gateway gives them their meaning.
    pub permissions: u32,
    /// From where it may be used, at most [`Self::MAX_IP_RANGES`]; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
}

impl AddApiKey {
    /// Most address ranges of a key. Source: Binance's API management allows as many addresses.
    pub const MAX_IP_RANGES: usize = 30;
}

/// Gives an API key other permissions and other addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeApiKey {
    /// Which one.
    pub key: ApiKeyId,
    /// Bits of what it may do from now on.
    pub permissions: u32,
    /// From where it may be used from now on, at most [`AddApiKey::MAX_IP_RANGES`]; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
}

/// Gives an API key the same credential, sealed under another master key. Doing it twice is the same as doing it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResealApiKey {
    /// Which one.
    pub key: ApiKeyId,
    /// The credential, sealed anew.
    pub sealed: Vec<u8>,
}

/// Takes an API key away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeApiKey {
    /// The public half.
    pub key: ApiKeyId,
}

/// Credits an account with what has arrived at the custody service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Who receives it.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much; above zero.
    pub amount: Amount,
    /// The custody service's name for it (chain, transaction, output): the same one is credited once.
    pub reference: Reference,
}

/// Holds an amount until the custody service has paid it out or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestWithdrawal {
    /// Whose money.
    pub account: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much, any fee of the custody service included; above zero.
    pub amount: Amount,
    /// The requester's name for it: the same one is requested once.
    pub reference: Reference,
}

/// How a withdrawal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleWithdrawal {
    /// Which one.
    pub withdrawal: WithdrawalId,
    /// True when it was paid out, false when the money goes back to its owner.
    pub paid_out: bool,
}

/// Places an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceOrder {
    /// Whose order.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Which way.
    pub side: Side,
    /// What kind, with price and quantity.
    pub kind: OrderKind,
    /// What happens when it meets its owner's own.
    pub self_trade_prevention: SelfTradePrevention,
    /// The owner's name for it; unique among the owner's open orders.
    pub client_order_id: ClientOrderId,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Which open order is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderRef {
    /// The one with this number.
    Id(OrderId),
    /// The one with this name.
    Client(ClientOrderId),
    /// The one with this number, if it has this name too.
    Both((OrderId, ClientOrderId)),
}

/// In which state an order may be cancelled. Source: semantics 1.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum CancelRestriction {
    /// In any.
    #[default]
    None = 0,
    /// While nothing of it has traded.
    OnlyNew = 1,
    /// After a part of it has traded.
    OnlyPartiallyFilled = 2,
}

/// Cancels an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelOrder {
    /// Whose order.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Which one.
    pub order: OrderRef,
    /// In which state.
    pub restriction: CancelRestriction,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// Cancels all open orders of an account in one market, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelAllOrders {
    /// Whose orders.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// What a replacement does when the cancel fails. Source: semantics 1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReplaceMode {
    /// Nothing more.
    StopOnFailure = 0,
    /// It places the new order all the same.
    AllowFailure = 1,
}

/// Cancels one order, then places another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaceOrder {
    /// The order to cancel; it belongs to the account and market of `place`.
    pub cancel: OrderRef,
    /// In which state it may be cancelled.
    pub restriction: CancelRestriction,
    /// What happens when it cannot be.
    pub mode: ReplaceMode,
    /// The order to place.
    pub place: PlaceOrder,
}

/// Lowers the quantity of an order, which keeps its number and its priority. Source: semantics 1.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmendOrder {
    /// Whose order.
    pub account: AccountId,
    /// Where.
    pub market: MarketId,
    /// Which one.
    pub order: OrderRef,
    /// Its new total quantity, what has traded included; smaller than before.
    pub new_qty_lots: QtyLots,
    /// Its new name; empty keeps the old one.
    pub new_client_order_id: ClientOrderId,
    /// Refused when it is sequenced later than this.
    pub valid_until_ns: TimeNs,
}

/// A command that an operator had taken out, because it cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The operator's words.
    pub reason: String,
}

/// What a command is called in logs and metrics.
impl Command {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AddAsset(_) => "add_asset",
            Self::AddMarket(_) => "add_market",
            Self::ChangeMarket(_) => "change_market",
            Self::CreateAccount(_) => "create_account",
            Self::CreateApiKey(_) => "create_api_key",
            Self::RevokeApiKey(_) => "revoke_api_key",
            Self::Deposit(_) => "deposit",
            Self::RequestWithdrawal(_) => "request_withdrawal",
            Self::SettleWithdrawal(_) => "settle_withdrawal",
            Self::PlaceOrder(_) => "place_order",
            Self::CancelOrder(_) => "cancel_order",
            Self::CancelAllOrders(_) => "cancel_all_orders",
            Self::ReplaceOrder(_) => "replace_order",
            Self::AmendOrder(_) => "amend_order",
            Self::Tick => "tick",
            Self::Skip(_) => "skip",
            Self::AddApiKey(_) => "add_api_key",
            Self::ChangeApiKey(_) => "change_api_key",
            Self::ResealApiKey(_) => "reseal_api_key",
            Self::AddMarketTo(_) => "add_market_to",
            Self::MoveMarket(_) => "move_market",
            Self::AddPartition => "add_partition",
            Self::JoinExchange(_) => "join_exchange",
            Self::Deliver(_) => "deliver",
            Self::Confirm(_) => "confirm",
            Self::SkipEnvelope(_) => "skip_envelope",
            Self::RegisterSource(_) => "register_source",
            Self::FromSource(from) => from.order.name(),
            Self::AddContract(_) => "add_contract",
            Self::ChangeContract(_) => "change_contract",
            Self::MoveFunds(_) => "move_funds",
            Self::PlaceContractOrder(_) => "place_contract_order",
            Self::ChangeLeverage(_) => "change_leverage",
            Self::SetIndexPrice(_) => "set_index_price",
            Self::Continue => "continue",
            Self::ChangeMarginType(_) => "change_margin_type",
            Self::MovePositionMargin(_) => "move_position_margin",
            Self::ChangePositionMode(_) => "change_position_mode",
            Self::PlaceAlgoOrder(_) => "place_algo_order",
            Self::CancelAlgoOrder(_) => "cancel_algo_order",
            Self::CancelAllAlgoOrders(_) => "cancel_all_algo_orders",
            Self::SetCountdown(_) => "set_countdown",
            Self::ModifyContractOrder(_) => "modify_contract_order",
            Self::PlaceGoodTillDate(_) => "place_good_till_date",
        }
    }

    /// The deadline after which it is refused.
    pub const fn valid_until_ns(&self) -> TimeNs {
        match self {
            Self::PlaceOrder(place) => place.valid_until_ns,
            Self::CancelOrder(cancel) => cancel.valid_until_ns,
            Self::CancelAllOrders(cancel) => cancel.valid_until_ns,
            Self::ReplaceOrder(replace) => replace.place.valid_until_ns,
            Self::AmendOrder(amend) => amend.valid_until_ns,
            Self::MoveFunds(moves) => moves.valid_until_ns,
            Self::PlaceContractOrder(place) => place.valid_until_ns,
            Self::ChangeLeverage(change) => change.valid_until_ns,
            Self::ChangeMarginType(change) => change.valid_until_ns,
            Self::MovePositionMargin(moves) => moves.valid_until_ns,
            Self::ChangePositionMode(change) => change.valid_until_ns,
            Self::PlaceAlgoOrder(place) => place.valid_until_ns,
            Self::CancelAlgoOrder(cancel) => cancel.valid_until_ns,
            Self::CancelAllAlgoOrders(cancel) => cancel.valid_until_ns,
            Self::SetCountdown(set) => set.valid_until_ns,
            Self::ModifyContractOrder(modify) => modify.valid_until_ns,
            Self::PlaceGoodTillDate(place) => place.valid_until_ns,
            Self::AddContract(_)
            | Self::ChangeContract(_)
            | Self::SetIndexPrice(_)
            | Self::Continue
            | Self::AddAsset(_)
            | Self::AddMarket(_)
            | Self::ChangeMarket(_)
            | Self::CreateAccount(_)
            | Self::CreateApiKey(_)
            | Self::RevokeApiKey(_)
            | Self::Deposit(_)
            | Self::RequestWithdrawal(_)
            | Self::SettleWithdrawal(_)
            | Self::Tick
            | Self::Skip(_)
            | Self::AddApiKey(_)
            | Self::ChangeApiKey(_)
            | Self::ResealApiKey(_)
            | Self::AddMarketTo(_)
            | Self::MoveMarket(_)
            | Self::AddPartition
            | Self::JoinExchange(_)
            | Self::Deliver(_)
            | Self::Confirm(_)
            | Self::SkipEnvelope(_)
            | Self::RegisterSource(_)
            // Its place counts also when it comes too late, so the partition looks at the deadline behind that.
            | Self::FromSource(_) => TimeNs::NEVER,
        }
    }
}

/// The skip mark of a journal: the command at `seq` is replaced by [`Skip`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipMark {
    /// Which command.
    pub seq: Seq,
    /// The operator's words.
    pub reason: String,
}
