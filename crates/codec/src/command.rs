//! Commands and the vocabulary they share with events.

use model::{
    AddApiKey, AddAsset, AddContract, AddMarket, AddMarketTo, AmendOrder, AssetTerms, Bracket, CancelAlgoAt,
    CancelAllOrders, CancelOrder, CancelRestriction, ChangeApiKey, ChangeLeverage, ChangeMarginType,
    ChangePositionMode, Command, Confirm, ContractTerms, CreateAccount, CreateApiKey, Deposit, FeeRounding,
    FromSource, IndexSource, IpRange, JoinExchange, KeyKind, MarginMove, MarginType, MarketStatus,
    MarketTerms, ModifyContractOrder, MoveFunds, MoveMarket, MovePositionMargin, OrderAction, OrderCommand,
    OrderKind, OrderRef, PlaceContractOrder, PlaceGoodTillDate, PlaceOrder, PositionMode, PositionSide,
    RegisterSource, ReplaceMode, ReplaceOrder, RequestWithdrawal, ResealApiKey, RevokeApiKey,
    SelfTradePrevention, SetCountdown, SetIndexPrice, SettleWithdrawal, Side, Skip, SkipEnvelope,
    SourceTerms, TimeInForce, TriggerKind, Wallet,
};

use crate::{coded_enum, coded_sided_struct, coded_struct};

coded_enum!(Side, "a side" { 0 => Buy, 1 => Sell });
coded_enum!(PositionSide, "a position side" { 0 => Both, 1 => Long, 2 => Short });
coded_enum!(TimeInForce, "a time in force" { 0 => Gtc, 1 => Ioc, 2 => Fok });
coded_enum!(OrderKind, "a kind of order" {
    0 => Limit { price_ticks, qty_lots, time_in_force },
    1 => LimitMaker { price_ticks, qty_lots },
    2 => Market { qty_lots },
    3 => MarketQuote { quote_amount },
    4 => StopMarket { qty_lots, trigger, stop_ticks, trailing_bips },
    5 => StopLimit { price_ticks, qty_lots, time_in_force, trigger, stop_ticks, trailing_bips },
});
coded_enum!(TriggerKind, "a kind of trigger" { 0 => StopLoss, 1 => TakeProfit });
coded_enum!(SelfTradePrevention, "a self-trade prevention mode" {
    0 => None, 1 => ExpireMaker, 2 => ExpireTaker, 3 => ExpireBoth, 4 => Decrement, 5 => Transfer,
});
coded_enum!(MarketStatus, "a market status" { 0 => Trading, 1 => CancelOnly, 2 => Halt });
coded_enum!(FeeRounding, "a fee rounding" { 0 => Up, 1 => HalfUp, 2 => Down });
coded_enum!(CancelRestriction, "a cancel restriction" { 0 => None, 1 => OnlyNew, 2 => OnlyPartiallyFilled });
coded_enum!(ReplaceMode, "a replace mode" { 0 => StopOnFailure, 1 => AllowFailure });

coded_enum!(KeyKind, "a kind of API key" { 0 => HmacSha256, 1 => Ed25519 });
coded_enum!(IpRange, "a range of addresses" { 4 => V4 { network, prefix_bits }, 6 => V6 { network, prefix_bits } });

coded_struct!(AssetTerms { name, scale });
coded_struct!(MarketTerms {
    name,
    base,
    quote,
    price_scale,
    tick_size,
    base_atoms_per_lot,
    quote_atoms_per_tick_lot,
    min_price_ticks,
    max_price_ticks,
    min_qty_lots,
    max_qty_lots,
    min_notional,
    max_notional,
    max_open_orders,
    max_open_orders_per_account,
    max_amends_per_order,
    maker_fee_ppm,
    taker_fee_ppm,
    fee_rounding,
    band_ppm,
    initial_reference_ticks,
    status,
});

coded_struct!(AddAsset { terms });
coded_struct!(AddMarket { terms });
coded_struct!(CreateAccount { name, trade_group });
coded_struct!(CreateApiKey { account, key, sealed_secret, permissions });
coded_struct!(RevokeApiKey { key });
coded_struct!(AddApiKey { account, key, kind, sealed, label, permissions, ip_ranges });
coded_struct!(ChangeApiKey { key, permissions, ip_ranges });
coded_struct!(ResealApiKey { key, sealed });
coded_struct!(Deposit { account, asset, amount, reference });
coded_struct!(RequestWithdrawal { account, asset, amount, reference });
coded_struct!(SettleWithdrawal { withdrawal, paid_out });
coded_struct!(PlaceOrder {
    account,
    market,
    side,
    kind,
    self_trade_prevention,
    client_order_id,
    valid_until_ns
});
coded_enum!(OrderRef, "an order reference" { 0 => Id(id), 1 => Client(name), 2 => Both(both) });
coded_struct!(CancelOrder { account, market, order, restriction, valid_until_ns });
coded_struct!(CancelAllOrders { account, market, valid_until_ns });
coded_struct!(ReplaceOrder { cancel, restriction, mode, place });
coded_struct!(AmendOrder { account, market, order, new_qty_lots, new_client_order_id, valid_until_ns });
coded_struct!(Skip { reason });
coded_struct!(AddMarketTo { terms, partition });
coded_struct!(MoveMarket { market, to });
coded_struct!(JoinExchange { partition });
coded_struct!(Confirm { by, taken });
coded_struct!(SkipEnvelope { from, number, reason });

coded_struct!(SourceTerms { name, key, incarnation });
coded_struct!(RegisterSource { partition, terms, remember });
coded_enum!(OrderAction, "an action of a source" {
    0 => Place, 1 => Cancel, 2 => CancelAll, 3 => Replace, 4 => Amend, 5 => PlaceAlgo, 6 => CancelAlgo,
    7 => CancelAllAlgos,
});
coded_enum!(OrderCommand, "a command of a source" {
    0 => Place(place),
    1 => Cancel(cancel),
    2 => CancelAll(cancel),
    3 => Replace(replace),
    4 => Amend(amend),
    5 => PlaceContract(place),
    6 => PlaceGoodTillDate(place),
    7 => Modify(modify),
    8 => PlaceAlgo(place),
    9 => CancelAlgo(at),
    10 => CancelAllAlgos(cancel),
});
coded_struct!(CancelAlgoAt { market, cancel });
coded_struct!(FromSource { source, entry, order });

coded_struct!(Bracket { cap, max_leverage, maintenance_ppm });
coded_struct!(IndexSource { market, weight });
coded_struct!(ContractTerms {
    brackets,
    default_leverage,
    max_position_lots,
    funding_interval_hours,
    funding_cap,
    funding_floor,
    interest,
    impact_notional,
    clearance_fee_ppm,
    liquidation_step_lots,
    fund,
    sources,
    stale_after_ns,
    outlier_ppm,
});
coded_struct!(AddContract { terms, contract, partition });
coded_enum!(Wallet, "a wallet" { 0 => Spot, 1 => Futures });
coded_struct!(MoveFunds { account, asset, amount, to, valid_until_ns });
coded_sided_struct!(PlaceContractOrder {
    account,
    market,
    side,
    position_side,
    kind,
    self_trade_prevention,
    reduce_only,
    client_order_id,
    valid_until_ns,
});
coded_struct!(ChangeLeverage { account, market, leverage, valid_until_ns });
coded_enum!(MarginType, "a margin type" { 0 => Cross, 1 => Isolated });
coded_struct!(ChangeMarginType { account, market, margin_type, valid_until_ns });
coded_enum!(MarginMove, "a way of margin" { 0 => Add, 1 => Reduce });
coded_struct!(MovePositionMargin { account, market, position_side, amount, way, valid_until_ns });
coded_enum!(PositionMode, "a position mode" { 0 => OneWay, 1 => Hedge });
coded_struct!(ChangePositionMode { account, mode, valid_until_ns });
coded_struct!(SetCountdown { account, market, countdown_ns, valid_until_ns });
coded_sided_struct!(PlaceGoodTillDate {
    account,
    market,
    side,
    position_side,
    price_ticks,
    qty_lots,
    self_trade_prevention,
    reduce_only,
    client_order_id,
    good_till_ns,
    valid_until_ns,
});
coded_struct!(ModifyContractOrder {
    account,
    market,
    order,
    price_ticks,
    qty_lots,
    maker_only,
    self_trade_prevention,
    valid_until_ns,
});
coded_struct!(SetIndexPrice { partition, market, source, price_ticks });

coded_enum!(Command, "a command" {
    1 => AddAsset(add),
    2 => AddMarket(add),
    3 => ChangeMarket(change),
    4 => CreateAccount(create),
    5 => CreateApiKey(create),
    6 => RevokeApiKey(revoke),
    7 => Deposit(deposit),
    8 => RequestWithdrawal(request),
    9 => SettleWithdrawal(settle),
    10 => PlaceOrder(place),
    11 => CancelOrder(cancel),
    12 => CancelAllOrders(cancel),
    13 => ReplaceOrder(replace),
    14 => AmendOrder(amend),
    15 => Tick,
    16 => Skip(skip),
    17 => AddApiKey(add),
    18 => ChangeApiKey(change),
    19 => ResealApiKey(reseal),
    20 => AddMarketTo(add),
    21 => MoveMarket(to),
    22 => AddPartition,
    23 => JoinExchange(join),
    24 => Deliver(envelope),
    25 => Confirm(confirm),
    26 => SkipEnvelope(skip),
    27 => RegisterSource(register),
    28 => FromSource(from),
    29 => AddContract(add),
    30 => ChangeContract(change),
    31 => MoveFunds(moves),
    32 => PlaceContractOrder(place),
    33 => ChangeLeverage(change),
    34 => SetIndexPrice(set),
    35 => Continue,
    36 => ChangeMarginType(change),
    37 => MovePositionMargin(moves),
    38 => ChangePositionMode(change),
    39 => PlaceAlgoOrder(place),
    40 => CancelAlgoOrder(cancel),
    41 => CancelAllAlgoOrders(cancel),
    42 => SetCountdown(set),
    43 => ModifyContractOrder(modify),
    44 => PlaceGoodTillDate(place),
});
