//! One value of every variant, its fields all different. The golden lines were made from these; they never change.

use model::{
    AccountId, AddApiKey, AddAsset, AddMarket, AddMarketTo, AlgoEndReason, AlgoPlaces, AlgoRef, AlgoTrigger,
    AmendOrder, Amount, ApiKeyAdded, ApiKeyChanged, ApiKeyCreated, AssetId, AssetTerms, CancelAlgoAt,
    CancelAllOrders, CancelOrder, CancelRestriction, ChangeApiKey, Command, Confirm, CreateAccount,
    CreateApiKey, Deposit, Deposited, EndReason, EntryId, Envelope, Event, ExpiryReason, FeeRounding,
    FromMarket, FromSource, IpRange, JoinExchange, KeyKind, Letter, LevelChanged, Liquidity, MarketId,
    MarketState, MarketStatus, MarketTerms, Marks, Message, MoveMarket, Notice, OrderAccepted, OrderAction,
    OrderAmended, OrderCommand, OrderEnded, OrderFilled, OrderId, OrderKind, OrderPrevented, OrderRef,
    OrderTracks, OrderTriggered, Origin, PartitionId, PlaceMessage, PlaceOrder, PriceTicks, QtyLots,
    RegisterSource, Reject, ReplaceMode, ReplaceOrder, ReplacementId, RequestWithdrawal, ResealApiKey,
    RestingOrder, RevokeApiKey, SelfTradePrevention, Seq, SettleWithdrawal, Side, Skip, SkipEnvelope,
    SourceId, SourceTerms, Spread, TermsError, Text, TimeInForce, TimeNs, ToMarket, TradeGroup, TradeId,
    Traded, TriggerKind, WaitingOrder, WithdrawalId, WithdrawalRequested, WithdrawalSettled, WorkingPrice,
};

use crate::{examples_algos, examples_contracts};

/// An enum that can say what its variants are called.
pub trait Named {
    /// All of them.
    const NAMES: &'static [&'static str];
    fn name(&self) -> &'static str;
}

/// A variant that is not listed does not compile; one that is listed needs a golden line.
macro_rules! variants {
    ($($type:ident { $($variant:ident),* $(,)? })*) => {$(
        impl Named for $type {
            const NAMES: &'static [&'static str] = &[$(stringify!($variant)),*];
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant)),*
                }
            }
        }
    )*};
}

variants! {
    Side { Buy, Sell }
    TimeInForce { Gtc, Ioc, Fok }
    OrderKind { Limit, LimitMaker, Market, MarketQuote, StopMarket, StopLimit }
    TriggerKind { StopLoss, TakeProfit }
    SelfTradePrevention { None, ExpireMaker, ExpireTaker, ExpireBoth, Decrement, Transfer }
    MarketStatus { Trading, CancelOnly, Halt }
    FeeRounding { Up, HalfUp, Down }
    CancelRestriction { None, OnlyNew, OnlyPartiallyFilled }
    ReplaceMode { StopOnFailure, AllowFailure }
    OrderAction { Place, Cancel, CancelAll, Replace, Amend, PlaceAlgo, CancelAlgo, CancelAllAlgos }
    OrderCommand {
        Place, Cancel, CancelAll, Replace, Amend, PlaceContract, PlaceGoodTillDate, Modify, PlaceAlgo, CancelAlgo,
        CancelAllAlgos,
    }
    OrderRef { Id, Client, Both }
    KeyKind { HmacSha256, Ed25519 }
    IpRange { V4, V6 }
    Liquidity { Maker, Taker }
    ExpiryReason { UnfilledIoc, UnfilledFok, InsufficientLiquidity, PriceRangeExceeded, ExchangeCanceled, GoodTillDate }
    EndReason { Filled, Canceled, Expired, ExpiredInMatch }
    Command {
        AddAsset, AddMarket, ChangeMarket, CreateAccount, CreateApiKey, RevokeApiKey, Deposit, RequestWithdrawal,
        SettleWithdrawal, PlaceOrder, CancelOrder, CancelAllOrders, ReplaceOrder, AmendOrder, Tick, Skip,
        AddApiKey, ChangeApiKey, ResealApiKey, AddMarketTo, MoveMarket, AddPartition, JoinExchange, Deliver, Confirm,
        SkipEnvelope, RegisterSource, FromSource,
        AddContract, ChangeContract, MoveFunds, PlaceContractOrder, ChangeLeverage, SetIndexPrice, Continue,
        ChangeMarginType, MovePositionMargin, ChangePositionMode,
        PlaceAlgoOrder, CancelAlgoOrder, CancelAllAlgoOrders, SetCountdown,
        ModifyContractOrder, PlaceGoodTillDate,
    }
    Event {
        AssetAdded, MarketAdded, AccountCreated, ApiKeyCreated, ApiKeyRevoked, Deposited, WithdrawalRequested,
        WithdrawalSettled, OrderAccepted, OrderFilled, OrderPrevented, OrderAmended, OrderEnded, Rejected, Traded,
        LevelChanged, Skipped, ApiKeyAdded, ApiKeyChanged, ApiKeyResealed, PartitionAdded, MarketPlaced, MarketMoving,
        MarketLeft, Heard, SourceRegistered, EntryTaken, EntryRepeated, EntryOutOfOrder,
        EntryOpen, EntryAnswered,
        OrderTracks, OrderTriggered,
        ContractAdded, FundsMoved, ContractOrderAccepted, ContractFilled, LeverageChanged, MarkPriceChanged, IndexPriceSet,
        FundingSettled, FundingPaid, LiquidationBegun, LiquidationEnded, ClearancePaid, FundReceived, PositionForced,
        DebtCovered,
        MarginTypeChanged, PositionMarginChanged, PositionDebtCovered, PositionLiquidationBegun, PositionLiquidationEnded,
        PositionModeChanged,
        AlgoOrderAccepted, AlgoOrderTracks, AlgoOrderTriggered, AlgoOrderEnded, CountdownSet, CountdownFired,
        ContractOrderModified, GoodTillDate,
    }
    AlgoTrigger { Reaches, Trails }
    AlgoPlaces { Order, ClosesPosition }
    WorkingPrice { Contract, Mark }
    AlgoRef { Id, Client }
    AlgoEndReason { Canceled, PositionGone, Liquidated, Deleveraged, Refused }
    Reject {
        UnknownAccount, UnknownAsset, UnknownMarket, UnknownOrder, UnknownWithdrawal, UnknownApiKey, NameTaken,
        NameMissing, ScaleTooLarge, BadTerms, TermsAreFixed, BadSealedSecret, DuplicateReference, ReferenceMissing,
        AmountNotPositive, DepositLimit, TooLate, MarketClosed, PriceOutOfRange, QtyOutOfRange, NotionalOutOfRange,
        InsufficientBalance, DuplicateClientOrderId, TooManyOpenOrders, BookFull, WouldTake, NoLiquidity,
        CancelRestricted, AmendChangesNothing, AmendIncreases, TooManyAmends, ReplaceNotAttempted, OrderGone,
        TooManyIpRanges, BadIpRange, UnknownPartition, TooManyPartitions, MarketIsThere, MarketMoves, NotTheFirst,
        HasJoined, UnknownSource, TooManySources, TriggerMissing, WouldTrigger, TrailingDeltaOutOfRange,
        TooManyAlgoOrders,
        BadContract, IsContract, NotContract, NotAtContracts, InsufficientMargin, PositionTooLarge, TooManyLots,
        NothingToReduce, LeverageOutOfRange, InLiquidation, UnknownIndexSource, WalletShort, ContractStays, LivesElsewhere,
        LosesTooMuch,
        MarginTypeUnchanged, MarginTypeHasOrders, MarginTypeHasPosition, NotIsolated, PositionMarginShort, LeverageCannotFall,
        IsFund, PositionModeUnchanged, PositionModeHasOrders, PositionModeHasPosition, PositionSideMismatch, ReduceOnlyInHedge,
        AlgoCombination, ClosesAlready, BeingModified, DatePassed,
    }
    TermsError {
        NameMissing, SameAsset, PriceScale, Tick, Lot, TickLot, PriceRange, MaxPrice, QtyRange, MaxQty, OpenOrders,
        OpenLots, OpenOrdersPerAccount, MaxOrderNotional, MaxOrderBase, NegativeNotional, NotionalRange, MakerFee,
        TakerFee, Band, Reference,
    }
}

fn text<const N: usize>(text: &str) -> Text<N> {
    Text::new(text).unwrap()
}

fn asset_terms() -> AssetTerms {
    AssetTerms { name: text("USDT"), scale: 6 }
}

fn market_terms() -> MarketTerms {
    MarketTerms {
        name: text("BTCUSDT"),
        base: AssetId(0x0102_0304),
        quote: AssetId(0x0506_0708),
        price_scale: 2,
        tick_size: 5,
        base_atoms_per_lot: Amount(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF),
        quote_atoms_per_tick_lot: Amount(12),
        min_price_ticks: PriceTicks(13),
        max_price_ticks: PriceTicks(1 << 44),
        min_qty_lots: QtyLots(15),
        max_qty_lots: QtyLots(16),
        min_notional: Amount(17),
        max_notional: Amount(18),
        max_open_orders: 19,
        max_open_orders_per_account: 20,
        max_amends_per_order: 21,
        maker_fee_ppm: 22,
        taker_fee_ppm: 23,
        fee_rounding: FeeRounding::HalfUp,
        band_ppm: 24,
        initial_reference_ticks: PriceTicks(25),
        status: MarketStatus::Halt,
    }
}

fn limit() -> OrderKind {
    OrderKind::Limit {
        price_ticks: PriceTicks(6_500_001),
        qty_lots: QtyLots(42),
        time_in_force: TimeInForce::Ioc,
    }
}

fn place() -> PlaceOrder {
    PlaceOrder {
        account: AccountId(7),
        market: MarketId(3),
        side: Side::Sell,
        kind: limit(),
        self_trade_prevention: SelfTradePrevention::ExpireBoth,
        client_order_id: text("my-order-1"),
        valid_until_ns: TimeNs(1_700_000_000_000_000_001),
    }
}

pub fn sides() -> Vec<Side> {
    vec![Side::Buy, Side::Sell]
}

pub fn times_in_force() -> Vec<TimeInForce> {
    vec![TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok]
}

pub fn order_kinds() -> Vec<OrderKind> {
    vec![
        limit(),
        OrderKind::LimitMaker { price_ticks: PriceTicks(-2), qty_lots: QtyLots(i64::MAX) },
        OrderKind::Market { qty_lots: QtyLots(43) },
        OrderKind::MarketQuote { quote_amount: Amount(-3) },
        OrderKind::StopMarket {
            qty_lots: QtyLots(124),
            trigger: TriggerKind::TakeProfit,
            stop_ticks: PriceTicks(125),
            trailing_bips: 126,
        },
        OrderKind::StopLimit {
            price_ticks: PriceTicks(127),
            qty_lots: QtyLots(128),
            time_in_force: TimeInForce::Fok,
            trigger: TriggerKind::StopLoss,
            stop_ticks: PriceTicks(129),
            trailing_bips: 130,
        },
    ]
}

pub fn trigger_kinds() -> Vec<TriggerKind> {
    vec![TriggerKind::StopLoss, TriggerKind::TakeProfit]
}

pub fn self_trade_preventions() -> Vec<SelfTradePrevention> {
    use SelfTradePrevention as Mode;
    vec![Mode::None, Mode::ExpireMaker, Mode::ExpireTaker, Mode::ExpireBoth, Mode::Decrement, Mode::Transfer]
}

pub fn market_statuses() -> Vec<MarketStatus> {
    vec![MarketStatus::Trading, MarketStatus::CancelOnly, MarketStatus::Halt]
}

pub fn fee_roundings() -> Vec<FeeRounding> {
    vec![FeeRounding::Up, FeeRounding::HalfUp, FeeRounding::Down]
}

pub fn cancel_restrictions() -> Vec<CancelRestriction> {
    vec![CancelRestriction::None, CancelRestriction::OnlyNew, CancelRestriction::OnlyPartiallyFilled]
}

pub fn replace_modes() -> Vec<ReplaceMode> {
    vec![ReplaceMode::StopOnFailure, ReplaceMode::AllowFailure]
}

pub fn order_refs() -> Vec<OrderRef> {
    vec![
        OrderRef::Id(OrderId(44)),
        OrderRef::Client(text("abcdefghijklmnopqrstuvwxyz0123456789")),
        OrderRef::Both((OrderId(45), text(""))),
    ]
}

pub fn key_kinds() -> Vec<KeyKind> {
    vec![KeyKind::HmacSha256, KeyKind::Ed25519]
}

pub fn ip_ranges() -> Vec<IpRange> {
    vec![
        IpRange::V4 { network: 0xC000_0200, prefix_bits: 24 },
        IpRange::V6 { network: 0x2001_0DB8_0000_0000_0000_0000_0000_0007, prefix_bits: 128 },
    ]
}

pub fn liquidities() -> Vec<Liquidity> {
    vec![Liquidity::Maker, Liquidity::Taker]
}

pub fn expiry_reasons() -> Vec<ExpiryReason> {
    vec![
        ExpiryReason::UnfilledIoc,
        ExpiryReason::UnfilledFok,
        ExpiryReason::InsufficientLiquidity,
        ExpiryReason::PriceRangeExceeded,
        ExpiryReason::ExchangeCanceled,
        ExpiryReason::GoodTillDate,
    ]
}

pub fn end_reasons() -> Vec<EndReason> {
    vec![
        EndReason::Filled,
        EndReason::Canceled,
        EndReason::Expired(ExpiryReason::PriceRangeExceeded),
        EndReason::ExpiredInMatch,
    ]
}

pub fn commands() -> Vec<Command> {
    let mut commands = commands_before_partitions();
    commands.extend(commands_of_partitions());
    commands.extend(examples_contracts::commands(market_terms(), order_kinds().remove(0)));
    commands.extend(examples_algos::commands());
    commands
}

fn commands_before_partitions() -> Vec<Command> {
    let (account, market, asset) = (AccountId(7), MarketId(3), AssetId(2));
    vec![
        Command::AddAsset(AddAsset { terms: asset_terms() }),
        Command::AddMarket(Box::new(AddMarket { terms: market_terms() })),
        Command::ChangeMarket(Box::new(AddMarket { terms: MarketTerms { band_ppm: 1, ..market_terms() } })),
        Command::CreateAccount(CreateAccount { name: text("alice"), trade_group: TradeGroup(9) }),
        Command::CreateApiKey(Box::new(CreateApiKey {
            account,
            key: text("key-of-alice"),
            sealed_secret: vec![0xDE, 0xAD, 0x00, 0xBE, 0xEF],
            permissions: 0x8000_0003,
        })),
        Command::RevokeApiKey(RevokeApiKey { key: text("key-of-alice") }),
        Command::Deposit(Box::new(Deposit {
            account,
            asset,
            amount: Amount(1 << 100),
            reference: text("chain:tx:0"),
        })),
        Command::RequestWithdrawal(Box::new(RequestWithdrawal {
            account,
            asset,
            amount: Amount(1_234_567),
            reference: text("withdrawal-1"),
        })),
        Command::SettleWithdrawal(SettleWithdrawal { withdrawal: WithdrawalId(11), paid_out: true }),
        Command::PlaceOrder(place()),
        Command::CancelOrder(CancelOrder {
            account,
            market,
            order: OrderRef::Both((OrderId(45), text("my-order-1"))),
            restriction: CancelRestriction::OnlyPartiallyFilled,
            valid_until_ns: TimeNs(46),
        }),
        Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns: TimeNs(47) }),
        Command::ReplaceOrder(Box::new(ReplaceOrder {
            cancel: OrderRef::Client(text("my-order-0")),
            restriction: CancelRestriction::OnlyNew,
            mode: ReplaceMode::AllowFailure,
            place: place(),
        })),
        Command::AmendOrder(AmendOrder {
            account,
            market,
            order: OrderRef::Id(OrderId(48)),
            new_qty_lots: QtyLots(49),
            new_client_order_id: text("my-order-2"),
            valid_until_ns: TimeNs::NEVER,
        }),
        Command::Tick,
        Command::Skip(Skip { reason: "it broke an invariant: ∑ ≠ 0".into() }),
        Command::AddApiKey(Box::new(AddApiKey {
            account,
            key: text("other-key-of-alice"),
            kind: KeyKind::Ed25519,
            sealed: vec![0xCA, 0xFE, 0x00, 0x01],
            label: text("bot-1"),
            permissions: 0x8000_0005,
            ip_ranges: ip_ranges(),
        })),
        Command::ChangeApiKey(Box::new(ChangeApiKey {
            key: text("key-of-alice"),
            permissions: 0x4000_0001,
            ip_ranges: ip_ranges(),
        })),
        Command::ResealApiKey(Box::new(ResealApiKey {
            key: text("key-of-alice"),
            sealed: vec![0xFE, 0xED, 0x00],
        })),
    ]
}

fn commands_of_partitions() -> Vec<Command> {
    let market = MarketId(3);
    vec![
        Command::AddMarketTo(Box::new(AddMarketTo { terms: market_terms(), partition: PartitionId(2) })),
        Command::MoveMarket(MoveMarket { market, to: PartitionId(1) }),
        Command::AddPartition,
        Command::JoinExchange(JoinExchange { partition: PartitionId(2) }),
        Command::Deliver(std::sync::Arc::new(envelope())),
        Command::Confirm(Confirm { by: PartitionId(2), taken: 71 }),
        Command::SkipEnvelope(SkipEnvelope {
            from: PartitionId(2),
            number: 72,
            reason: "it broke an invariant".into(),
        }),
        Command::RegisterSource(Box::new(RegisterSource {
            partition: PartitionId(2),
            terms: source_terms(),
            remember: 118,
        })),
        Command::FromSource(Box::new(FromSource {
            source: SourceId(119),
            entry: entry(),
            order: OrderCommand::Place(place()),
        })),
    ]
}

fn source_terms() -> SourceTerms {
    SourceTerms { name: text("orders"), key: text("{rialto}:orders"), incarnation: 120 }
}

/// As a Redis Stream has it: milliseconds, and which one of that millisecond.
fn entry() -> EntryId {
    EntryId((1_700_000_000_123 << 64) | 5)
}

pub fn order_actions() -> Vec<OrderAction> {
    let mut actions: Vec<OrderAction> = Vec::new();
    for action in order_commands().iter().map(OrderCommand::action) {
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    actions
}

pub fn order_commands() -> Vec<OrderCommand> {
    let mut commands = commands_before_partitions();
    commands.extend(examples_contracts::commands(market_terms(), order_kinds().remove(0)));
    commands.extend(examples_algos::commands());
    let of_name = |name| commands.iter().find(|command| command.name() == name).cloned();
    let orders = [
        "place_order",
        "cancel_order",
        "cancel_all_orders",
        "replace_order",
        "amend_order",
        "place_contract_order",
        "place_good_till_date",
        "modify_contract_order",
        "place_algo_order",
        "cancel_algo_order",
        "cancel_all_algo_orders",
    ];
    let order = |name| match of_name(name).expect("there is one") {
        Command::PlaceOrder(place) => OrderCommand::Place(place),
        Command::CancelOrder(cancel) => OrderCommand::Cancel(cancel),
        Command::CancelAllOrders(cancel) => OrderCommand::CancelAll(cancel),
        Command::ReplaceOrder(replace) => OrderCommand::Replace(*replace),
        Command::AmendOrder(amend) => OrderCommand::Amend(amend),
        Command::PlaceContractOrder(place) => OrderCommand::PlaceContract(place),
        Command::PlaceGoodTillDate(place) => OrderCommand::PlaceGoodTillDate(*place),
        Command::ModifyContractOrder(modify) => OrderCommand::Modify(modify),
        Command::PlaceAlgoOrder(place) => OrderCommand::PlaceAlgo(*place),
        Command::CancelAlgoOrder(cancel) => {
            OrderCommand::CancelAlgo(CancelAlgoAt { market: MarketId(121), cancel })
        }
        Command::CancelAllAlgoOrders(cancel) => OrderCommand::CancelAllAlgos(cancel),
        other => unreachable!("{} is no order", other.name()),
    };
    orders.map(order).to_vec()
}

fn spread() -> Spread {
    Spread { first_account: AccountId(73), count: 3 }
}

fn resting() -> RestingOrder {
    RestingOrder {
        order: OrderId(74),
        account: AccountId(75),
        trade_group: TradeGroup(76),
        price_ticks: PriceTicks(77),
        open_lots: QtyLots(78),
        qty_lots: QtyLots(79),
        amends: 80,
    }
}

/// With one message of every kind.
pub fn envelope() -> Envelope {
    let Command::PlaceOrder(order) =
        commands_before_partitions().into_iter().find(|command| command.name() == "place_order").unwrap()
    else {
        unreachable!("it has that name")
    };
    let (account, market) = (AccountId(81), MarketId(82));
    let to_market = [
        ToMarket::Place(PlaceMessage {
            order: OrderId(83),
            account,
            trade_group: TradeGroup(84),
            side: Side::Sell,
            kind: order.kind,
            self_trade_prevention: SelfTradePrevention::ExpireTaker,
            held: Amount(85),
        }),
        ToMarket::Cancel {
            order: OrderId(86),
            account,
            restriction: CancelRestriction::OnlyNew,
            replacement: Some(ReplacementId(87)),
        },
        ToMarket::Amend {
            order: OrderId(88),
            account,
            new_qty_lots: QtyLots(89),
            new_client_order_id: text("my-order-3"),
        },
    ];
    let from_market = [
        FromMarket::Accepted {
            kind: order.kind,
            side: Side::Sell,
            self_trade_prevention: SelfTradePrevention::ExpireBoth,
        },
        FromMarket::Refused { reject: Reject::BookFull { max: 90 } },
        FromMarket::Filled {
            trade: TradeId(91),
            side: Side::Sell,
            liquidity: Liquidity::Taker,
            price_ticks: PriceTicks(92),
            qty_lots: QtyLots(93),
        },
        FromMarket::Prevented {
            prevented_match: 94,
            liquidity: Liquidity::Taker,
            counter_order: OrderId(95),
            price_ticks: PriceTicks(96),
            prevented_lots: QtyLots(97),
            mode: SelfTradePrevention::ExpireMaker,
        },
        FromMarket::Ended { reason: EndReason::Filled, replacement: None },
        FromMarket::Amended {
            qty_lots: QtyLots(98),
            cut_lots: QtyLots(99),
            new_client_order_id: text("my-order-4"),
        },
        FromMarket::CancelRefused { reject: Reject::CancelRestricted, replacement: Some(ReplacementId(100)) },
        FromMarket::AmendRefused { reject: Reject::AmendChangesNothing },
    ];
    let (reference, partition) = (text("chain:tx:1"), PartitionId(1));
    let deposit = Deposit { account, asset: AssetId(101), amount: Amount(102), reference };
    let request = RequestWithdrawal { account, asset: AssetId(103), amount: Amount(104), reference };
    let notices = [
        Notice::AssetListed(asset_terms()),
        Notice::MarketListed { add: AddMarket { terms: market_terms() }, partition },
        Notice::MarketChanged(AddMarket { terms: market_terms() }),
        Notice::AccountOpened { account, name: text("bob"), trade_group: TradeGroup(105) },
        Notice::PartitionAdded(spread()),
        Notice::DepositAsked(deposit.clone()),
        Notice::DepositAllowed(deposit),
        Notice::WithdrawalAsked(request.clone()),
        Notice::WithdrawalAllowed(request.clone()),
        Notice::FundsRefused { account, reject: Reject::DuplicateReference, withdrawal: Some(request) },
        Notice::MarketLeaves { market, to: PartitionId(2) },
        Notice::MarketQuiet { market, to: PartitionId(2), from: partition },
        Notice::OrdersMove { market, side: Side::Sell, orders: vec![resting()] },
        Notice::MarketMoves {
            market,
            state: MarketState {
                reference_ticks: PriceTicks(106),
                next_trade: TradeId(107),
                next_prevented_match: 108,
                update_id: 109,
            },
        },
        Notice::MarketLeft { market, to: PartitionId(2) },
        Notice::MarketReady { market, to: PartitionId(2), from: partition },
        Notice::MarketArrived { market, partition: PartitionId(2) },
        Notice::Heard,
    ];
    let mut messages: Vec<_> = to_market.into_iter().map(|body| Letter::ToMarket { market, body }).collect();
    messages.extend(from_market.map(|body| Letter::ToAccount { account, market, order: OrderId(110), body }));
    messages.push(Letter::ReferencePrice { market, price_ticks: PriceTicks(111) });
    let mut messages: Vec<_> = messages.into_iter().map(Message::Letter).collect();
    messages.extend(notices.into_iter().map(|notice| Message::Notice(Box::new(notice))));
    Envelope {
        from: PartitionId(2),
        number: 112,
        taken: 113,
        time_ns: TimeNs(114),
        origin: Origin { partition, seq: Seq(115) },
        more: true,
        messages,
    }
}

/// Messages that came after the first envelope's line was written, which has all of those before; each has a line of its own.
pub fn later_messages() -> Vec<(&'static str, Message)> {
    let (account, market, order) = (AccountId(7), MarketId(3), OrderId(110));
    let to_account = |body| Message::Letter(Letter::ToAccount { account, market, order, body });
    let notice = |notice| Message::Notice(Box::new(notice));
    let mut messages = vec![
        (
            "Transferred",
            to_account(FromMarket::Transferred {
                prevented_match: 112,
                side: Side::Buy,
                liquidity: Liquidity::Maker,
                counter_order: OrderId(113),
                price_ticks: PriceTicks(114),
                qty_lots: QtyLots(115),
            }),
        ),
        ("Tracks", to_account(FromMarket::Tracks { price_ticks: PriceTicks(131) })),
        (
            "Triggered",
            to_account(FromMarket::Triggered { price_ticks: PriceTicks(132), missing: Amount(133) }),
        ),
        (
            "Held",
            Message::Letter(Letter::ToMarket { market, body: ToMarket::Held { order, held: Amount(134) } }),
        ),
        (
            "WaitingMove",
            notice(Notice::WaitingMove {
                market,
                orders: vec![WaitingOrder {
                    number: 135,
                    place: PlaceMessage {
                        order,
                        account,
                        trade_group: TradeGroup(136),
                        side: Side::Sell,
                        kind: order_kinds().pop().expect("there are some"),
                        self_trade_prevention: SelfTradePrevention::Transfer,
                        held: Amount(137),
                    },
                    amends: 138,
                    extreme_ticks: Some(PriceTicks(139)),
                }],
            }),
        ),
        (
            "OrdersMarked",
            notice(Notice::OrdersMarked {
                marks: vec![
                    (OrderId(116), Marks::TRANSFERS),
                    (OrderId(117), Marks::TRANSFERS.with(Marks::UNTRADED)),
                ],
            }),
        ),
    ];
    messages.extend(examples_contracts::messages(market_terms(), order_kinds().remove(0)));
    messages.extend(examples_algos::messages());
    messages
}

/// An encounter in which both orders lose the same: what the form of the first version had no room for.
pub fn decremented() -> OrderPrevented {
    OrderPrevented {
        order: OrderId(118),
        account: AccountId(7),
        market: MarketId(3),
        prevented_match: 119,
        liquidity: Liquidity::Maker,
        counter_order: OrderId(120),
        price_ticks: PriceTicks(121),
        prevented_lots: QtyLots(122),
        mode: SelfTradePrevention::Decrement,
        released: Amount(123),
    }
}

pub fn events() -> Vec<Event> {
    let (order, account, market, asset) = (OrderId(6), AccountId(7), MarketId(3), AssetId(2));
    let trade = TradeId(8);
    let mut events = vec![
        Event::AssetAdded { asset, terms: asset_terms() },
        Event::MarketAdded { market, terms: Box::new(market_terms()) },
        Event::AccountCreated { account, name: text("alice"), trade_group: TradeGroup(9) },
        Event::ApiKeyCreated(ApiKeyCreated { account, key: text("key-of-alice"), permissions: 0x8000_0003 }),
        Event::ApiKeyRevoked { account, key: text("key-of-alice") },
        Event::Deposited(Box::new(Deposited {
            account,
            asset,
            amount: Amount(1 << 100),
            reference: text("chain:tx:0"),
        })),
        Event::WithdrawalRequested(Box::new(WithdrawalRequested {
            withdrawal: WithdrawalId(11),
            account,
            asset,
            amount: Amount(1_234_567),
            reference: text("withdrawal-1"),
        })),
        Event::WithdrawalSettled(WithdrawalSettled {
            withdrawal: WithdrawalId(11),
            account,
            asset,
            amount: Amount(1_234_567),
            paid_out: false,
        }),
        Event::OrderAccepted(OrderAccepted {
            order,
            account,
            market,
            side: Side::Sell,
            kind: limit(),
            self_trade_prevention: SelfTradePrevention::ExpireTaker,
            client_order_id: text("my-order-1"),
            held: Amount(50),
        }),
        Event::OrderFilled(OrderFilled {
            order,
            account,
            market,
            trade,
            side: Side::Sell,
            liquidity: Liquidity::Taker,
            price_ticks: PriceTicks(51),
            qty_lots: QtyLots(52),
            fee: Amount(53),
            released: Amount(54),
        }),
        Event::OrderPrevented(OrderPrevented {
            order,
            account,
            market,
            prevented_match: 55,
            liquidity: Liquidity::Taker,
            counter_order: OrderId(56),
            price_ticks: PriceTicks(57),
            prevented_lots: QtyLots(58),
            mode: SelfTradePrevention::ExpireMaker,
            released: Amount::ZERO,
        }),
        Event::OrderAmended(OrderAmended {
            order,
            account,
            market,
            qty_lots: QtyLots(59),
            client_order_id: text("my-order-2"),
            released: Amount(60),
        }),
        Event::OrderEnded(OrderEnded {
            order,
            account,
            market,
            reason: EndReason::Expired(ExpiryReason::UnfilledFok),
            released: Amount(61),
        }),
        Event::Rejected {
            account,
            reject: Reject::InsufficientBalance { needed: Amount(62), available: Amount(63) },
        },
        Event::Traded(Traded {
            market,
            trade,
            price_ticks: PriceTicks(64),
            qty_lots: QtyLots(65),
            taker_side: Side::Sell,
            maker_order: OrderId(66),
            taker_order: OrderId(67),
        }),
        Event::LevelChanged(LevelChanged {
            market,
            update_id: 68,
            side: Side::Sell,
            price_ticks: PriceTicks(69),
            open_lots: QtyLots(70),
        }),
        Event::Skipped { reason: "it broke an invariant: ∑ ≠ 0".into() },
        Event::ApiKeyAdded(Box::new(ApiKeyAdded {
            account,
            key: text("other-key-of-alice"),
            kind: KeyKind::Ed25519,
            label: text("bot-1"),
            permissions: 0x8000_0005,
            ip_ranges: ip_ranges(),
        })),
        Event::ApiKeyChanged(ApiKeyChanged {
            account,
            key: text("key-of-alice"),
            permissions: 0x4000_0001,
            ip_ranges: ip_ranges(),
        }),
        Event::ApiKeyResealed { account, key: text("key-of-alice") },
        Event::PartitionAdded { spread: spread() },
        Event::MarketPlaced { market, partition: PartitionId(2) },
        Event::MarketMoving { market, to: PartitionId(1) },
        Event::MarketLeft { market, to: PartitionId(1) },
        Event::Heard {
            from: PartitionId(2),
            time_ns: TimeNs(116),
            origin: Origin { partition: PartitionId(1), seq: Seq(117) },
        },
        Event::SourceRegistered { source: SourceId(119), terms: Box::new(source_terms()), mark: entry() },
        Event::EntryTaken {
            source: SourceId(121),
            entry: entry(),
            action: OrderAction::Amend,
            account,
            market,
        },
        Event::EntryRepeated { source: SourceId(122), entry: entry() },
        Event::EntryOutOfOrder { source: SourceId(123), entry: EntryId(124), mark: entry() },
        Event::EntryOpen { source: SourceId(125), entry: entry() },
        Event::EntryAnswered { source: SourceId(126), entry: entry() },
        Event::OrderTracks(OrderTracks { order, account, market, price_ticks: PriceTicks(140) }),
        Event::OrderTriggered(OrderTriggered {
            order,
            account,
            market,
            price_ticks: PriceTicks(141),
            held: Amount(142),
        }),
    ];
    events.extend(examples_contracts::events(market_terms(), order_kinds().remove(0)));
    events.extend(examples_algos::events());
    events
}

pub fn rejects() -> Vec<Reject> {
    let mut rejects = vec![
        Reject::UnknownAccount { account: AccountId(1) },
        Reject::UnknownAsset { asset: AssetId(2) },
        Reject::UnknownMarket { market: MarketId(3) },
        Reject::UnknownOrder,
        Reject::UnknownWithdrawal { withdrawal: WithdrawalId(5) },
        Reject::UnknownApiKey,
        Reject::NameTaken,
        Reject::NameMissing,
        Reject::ScaleTooLarge { scale: 19 },
        Reject::BadTerms { rule: TermsError::MaxOrderNotional },
        Reject::TermsAreFixed,
        Reject::BadSealedSecret { len: 1_025 },
        Reject::DuplicateReference,
        Reject::ReferenceMissing,
        Reject::AmountNotPositive { amount: Amount(-15) },
        Reject::DepositLimit { left: Amount(16) },
        Reject::TooLate { valid_until_ns: TimeNs(17) },
        Reject::MarketClosed,
        Reject::PriceOutOfRange { min_ticks: PriceTicks(19), max_ticks: PriceTicks(20) },
        Reject::QtyOutOfRange { min_lots: QtyLots(21), max_lots: QtyLots(22) },
        Reject::NotionalOutOfRange { min: Amount(23), max: Amount(24) },
        Reject::InsufficientBalance { needed: Amount(25), available: Amount(26) },
        Reject::DuplicateClientOrderId,
        Reject::TooManyOpenOrders { max: 28 },
        Reject::BookFull { max: 29 },
        Reject::WouldTake { best_ticks: PriceTicks(30) },
        Reject::NoLiquidity,
        Reject::CancelRestricted,
        Reject::AmendChangesNothing,
        Reject::AmendIncreases { qty_lots: QtyLots(34) },
        Reject::TooManyAmends { max: 35 },
        Reject::ReplaceNotAttempted,
        Reject::OrderGone { order: OrderId(37) },
        Reject::TooManyIpRanges { max: 38 },
        Reject::BadIpRange { range: ip_ranges()[1] },
        Reject::UnknownPartition { partition: PartitionId(40), count: 3 },
        Reject::TooManyPartitions { max: 32 },
        Reject::MarketIsThere { partition: PartitionId(1) },
        Reject::MarketMoves { to: PartitionId(2) },
        Reject::NotTheFirst { partition: PartitionId(3) },
        Reject::HasJoined { partition: PartitionId(4) },
        Reject::UnknownSource { source: SourceId(5) },
        Reject::TooManySources { max: 6 },
        Reject::TriggerMissing,
        Reject::WouldTrigger { last_ticks: PriceTicks(7) },
        Reject::TrailingDeltaOutOfRange { min_bips: 8, max_bips: 9 },
        Reject::TooManyAlgoOrders { max: 10 },
    ];
    rejects.extend(examples_contracts::rejects());
    rejects.extend(examples_algos::rejects());
    rejects
}

pub fn terms_errors() -> Vec<TermsError> {
    vec![
        TermsError::NameMissing,
        TermsError::SameAsset,
        TermsError::PriceScale,
        TermsError::Tick,
        TermsError::Lot,
        TermsError::TickLot,
        TermsError::PriceRange,
        TermsError::MaxPrice,
        TermsError::QtyRange,
        TermsError::MaxQty,
        TermsError::OpenOrders,
        TermsError::OpenLots,
        TermsError::OpenOrdersPerAccount,
        TermsError::MaxOrderNotional,
        TermsError::MaxOrderBase,
        TermsError::NegativeNotional,
        TermsError::NotionalRange,
        TermsError::MakerFee,
        TermsError::TakerFee,
        TermsError::Band,
        TermsError::Reference,
    ]
}

/// A fill and a forced change at a contract.
pub fn events_with_sides() -> Vec<Event> {
    let has_sides = |event: &Event| matches!(event, Event::ContractFilled(_) | Event::PositionForced(_));
    events().into_iter().filter(has_sides).collect()
}
