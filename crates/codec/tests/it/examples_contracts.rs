//! One value of every variant that contracts have brought, its fields all different.

use model::{
    AccountId, AddContract, Amount, AssetId, Bracket, ChangeLeverage, ChangeMarginType, ChangePositionMode,
    Command, ContractFilled, ContractOrder, ContractOrderAccepted, ContractTerms, ContractTermsError, Event,
    Forced, FundingPaid, FundingRate, FundingSettled, FundsMoved, IndexSource, Letter, Liquidity, MarginMove,
    MarginType, MarkPriceChanged, MarketId, MarketTerms, Message, MoveFunds, MovePositionMargin, Notice,
    OrderCause, OrderId, OrderKind, PartitionId, PlaceContractOrder, PositionForced, PositionMarginChanged,
    PositionMode, PositionNow, PositionSide, PriceTicks, QtyLots, Reject, SelfTradePrevention, SetIndexPrice,
    Side, Text, TimeNs, ToHolder, ToMarket, TradeGroup, TradeId, Wallet,
};

const ACCOUNT: AccountId = AccountId(7);
const MARKET: MarketId = MarketId(3);
const ORDER: OrderId = OrderId(110);

fn contract_terms() -> ContractTerms {
    ContractTerms {
        brackets: vec![
            Bracket { cap: Amount(140), max_leverage: 141, maintenance_ppm: 142 },
            Bracket { cap: Amount(143), max_leverage: 144, maintenance_ppm: 145 },
        ],
        default_leverage: 146,
        max_position_lots: QtyLots(147),
        funding_interval_hours: 8,
        funding_cap: FundingRate(148),
        funding_floor: FundingRate(-149),
        interest: FundingRate(150),
        impact_notional: Amount(151),
        clearance_fee_ppm: 152,
        liquidation_step_lots: QtyLots(153),
        fund: AccountId(154),
        sources: vec![
            IndexSource { market: Some(MarketId(155)), weight: 156 },
            IndexSource { market: None, weight: 157 },
        ],
        stale_after_ns: 158,
        outlier_ppm: 159,
    }
}

fn add_contract(terms: MarketTerms) -> AddContract {
    AddContract { terms, contract: contract_terms(), partition: PartitionId(2) }
}

pub fn commands(terms: MarketTerms, kind: OrderKind) -> Vec<Command> {
    vec![
        Command::AddContract(Box::new(add_contract(terms))),
        Command::ChangeContract(Box::new(add_contract(terms))),
        Command::MoveFunds(Box::new(MoveFunds {
            account: ACCOUNT,
            asset: AssetId(160),
            amount: Amount(161),
            to: Wallet::Futures,
            valid_until_ns: TimeNs(162),
        })),
        Command::PlaceContractOrder(PlaceContractOrder {
            account: ACCOUNT,
            market: MARKET,
            side: Side::Sell,
            position_side: PositionSide::Both,
            kind,
            self_trade_prevention: SelfTradePrevention::ExpireTaker,
            reduce_only: true,
            client_order_id: Text::new("my-order-5").unwrap(),
            valid_until_ns: TimeNs(163),
        }),
        Command::ChangeLeverage(ChangeLeverage {
            account: ACCOUNT,
            market: MARKET,
            leverage: 164,
            valid_until_ns: TimeNs(165),
        }),
        Command::SetIndexPrice(SetIndexPrice {
            partition: PartitionId(2),
            market: MARKET,
            source: 166,
            price_ticks: PriceTicks(167),
        }),
        Command::Continue,
        Command::ChangeMarginType(ChangeMarginType {
            account: ACCOUNT,
            market: MARKET,
            margin_type: MarginType::Isolated,
            valid_until_ns: TimeNs(219),
        }),
        Command::MovePositionMargin(Box::new(MovePositionMargin {
            account: ACCOUNT,
            market: MARKET,
            position_side: PositionSide::Short,
            amount: Amount(220),
            way: MarginMove::Reduce,
            valid_until_ns: TimeNs(221),
        })),
        Command::ChangePositionMode(ChangePositionMode {
            account: ACCOUNT,
            mode: PositionMode::Hedge,
            valid_until_ns: TimeNs(228),
        }),
    ]
}

fn now() -> PositionNow {
    PositionNow { qty_lots: QtyLots(-168), cost: Amount(-169), wallet: Amount(170) }
}

pub fn events(terms: MarketTerms, kind: OrderKind) -> Vec<Event> {
    vec![
        Event::ContractAdded { market: MARKET, terms: Box::new(terms), contract: Box::new(contract_terms()) },
        Event::FundsMoved(FundsMoved {
            account: ACCOUNT,
            asset: AssetId(171),
            amount: Amount(-172),
            wallet: Amount(173),
        }),
        Event::ContractOrderAccepted(ContractOrderAccepted {
            order: ORDER,
            account: ACCOUNT,
            market: MARKET,
            side: Side::Sell,
            position_side: PositionSide::Both,
            kind,
            self_trade_prevention: SelfTradePrevention::ExpireBoth,
            reduce_only: true,
            cause: OrderCause::Liquidation,
            client_order_id: Text::new("my-order-6").unwrap(),
        }),
        Event::ContractFilled(ContractFilled {
            order: ORDER,
            account: ACCOUNT,
            market: MARKET,
            trade: TradeId(174),
            side: Side::Sell,
            position_side: PositionSide::Both,
            liquidity: Liquidity::Taker,
            price_ticks: PriceTicks(175),
            qty_lots: QtyLots(176),
            fee: Amount(177),
            realized: Amount(-178),
            now: now(),
        }),
        Event::LeverageChanged { account: ACCOUNT, market: MARKET, leverage: 179 },
        Event::MarkPriceChanged(MarkPriceChanged {
            market: MARKET,
            index_ticks: PriceTicks(180),
            mark_ticks: PriceTicks(181),
            rate: FundingRate(-182),
            next_funding_ns: TimeNs(183),
        }),
        Event::IndexPriceSet { market: MARKET, source: 184, price_ticks: PriceTicks(185) },
        Event::FundingSettled(FundingSettled {
            market: MARKET,
            rate: FundingRate(186),
            mark_ticks: PriceTicks(187),
        }),
        Event::FundingPaid(FundingPaid {
            account: ACCOUNT,
            market: MARKET,
            amount: Amount(-188),
            wallet: Amount(189),
        }),
        Event::LiquidationBegun { account: ACCOUNT, asset: AssetId(190) },
        Event::LiquidationEnded { account: ACCOUNT, asset: AssetId(191) },
        Event::ClearancePaid { account: ACCOUNT, market: MARKET, amount: Amount(192), wallet: Amount(193) },
        Event::FundReceived { account: ACCOUNT, market: MARKET, amount: Amount(194), wallet: Amount(195) },
        Event::PositionForced(Box::new(PositionForced {
            account: ACCOUNT,
            market: MARKET,
            forced: Forced::Deleveraged,
            side: Side::Sell,
            position_side: PositionSide::Both,
            price_ticks: PriceTicks(196),
            qty_lots: QtyLots(197),
            realized: Amount(-198),
            now: now(),
        })),
        Event::DebtCovered { account: ACCOUNT, market: MARKET, amount: Amount(200) },
        Event::MarginTypeChanged { account: ACCOUNT, market: MARKET, margin_type: MarginType::Isolated },
        Event::PositionMarginChanged(Box::new(PositionMarginChanged {
            account: ACCOUNT,
            market: MARKET,
            position_side: PositionSide::Long,
            moved: Amount(-222),
            margin: Amount(223),
            wallet: Amount(224),
        })),
        Event::PositionDebtCovered {
            account: ACCOUNT,
            market: MARKET,
            position_side: PositionSide::Short,
            amount: Amount(225),
        },
        Event::PositionLiquidationBegun {
            account: ACCOUNT,
            market: MARKET,
            position_side: PositionSide::Long,
        },
        Event::PositionLiquidationEnded {
            account: ACCOUNT,
            market: MARKET,
            position_side: PositionSide::Short,
        },
        Event::PositionModeChanged { account: ACCOUNT, mode: PositionMode::Hedge },
    ]
}

pub fn rejects() -> Vec<Reject> {
    vec![
        Reject::BadContract { rule: ContractTermsError::LiquidationStep },
        Reject::IsContract { market: MARKET },
        Reject::NotContract { market: MARKET },
        Reject::NotAtContracts,
        Reject::InsufficientMargin { needed: Amount(201), available: Amount(-202) },
        Reject::PositionTooLarge { max: Amount(203) },
        Reject::TooManyLots { max: QtyLots(204) },
        Reject::NothingToReduce,
        Reject::LeverageOutOfRange { max: 205 },
        Reject::InLiquidation,
        Reject::UnknownIndexSource { source: 206 },
        Reject::WalletShort { available: Amount(207) },
        Reject::ContractStays,
        Reject::LivesElsewhere { partition: PartitionId(2) },
        Reject::LosesTooMuch { worst_ticks: PriceTicks(208) },
        Reject::MarginTypeUnchanged,
        Reject::MarginTypeHasOrders,
        Reject::MarginTypeHasPosition,
        Reject::NotIsolated,
        Reject::PositionMarginShort { available: Amount(226) },
        Reject::LeverageCannotFall { leverage: 227 },
        Reject::IsFund,
        Reject::PositionModeUnchanged,
        Reject::PositionModeHasOrders,
        Reject::PositionModeHasPosition,
        Reject::PositionSideMismatch { mode: PositionMode::Hedge },
        Reject::ReduceOnlyInHedge,
    ]
}

pub fn messages(terms: MarketTerms, kind: OrderKind) -> Vec<(&'static str, Message)> {
    let (account, market) = (ACCOUNT, MARKET);
    let letter = Message::Letter;
    let to_market = |body| letter(Letter::ToMarket { market, body });
    let to_holder = |body| letter(Letter::ToHolder { account, market, body });
    let notice = |notice| Message::Notice(Box::new(notice));
    let (side, price_ticks, qty_lots) = (Side::Sell, PriceTicks(209), QtyLots(210));
    vec![
        (
            "PlaceContract",
            to_market(ToMarket::PlaceContract(ContractOrder {
                order: ORDER,
                account,
                trade_group: TradeGroup(211),
                side,
                position_side: PositionSide::Both,
                kind,
                self_trade_prevention: SelfTradePrevention::ExpireMaker,
                reduce_only: true,
                worst_ticks: PriceTicks(212),
                cause: OrderCause::Liquidation,
            })),
        ),
        ("TakeOver", to_market(ToMarket::TakeOver { account, price_ticks, qty_lots })),
        (
            "TakeOverLeg",
            to_market(ToMarket::TakeOverLeg {
                account,
                position_side: PositionSide::Long,
                price_ticks,
                qty_lots,
            }),
        ),
        ("PayFund", to_market(ToMarket::PayFund { amount: Amount(-213) })),
        ("Carries", to_market(ToMarket::Carries { carries: true })),
        (
            "Winner",
            to_market(ToMarket::Winner { partition: PartitionId(2), winner: Some((AccountId(214), 215)) }),
        ),
        ("Funding", to_holder(ToHolder::Funding { amount: Amount(-216) })),
        (
            "FundingOfLeg",
            to_holder(ToHolder::FundingOfLeg { position_side: PositionSide::Short, amount: Amount(-229) }),
        ),
        (
            "Forced",
            to_holder(ToHolder::Forced {
                forced: Forced::Bankrupt,
                side,
                price_ticks,
                qty_lots,
                is_last: true,
            }),
        ),
        ("CarryAsked", to_holder(ToHolder::CarryAsked { side, price_ticks, qty_lots })),
        ("FundReceives", to_holder(ToHolder::FundReceives { amount: Amount(217) })),
        ("MarkPrice", letter(Letter::MarkPrice { market, mark_ticks: PriceTicks(218) })),
        ("WinnerAsked", letter(Letter::WinnerAsked { market, side })),
        ("ContractListed", notice(Notice::ContractListed(add_contract(terms)))),
        ("ContractChanged", notice(Notice::ContractChanged(add_contract(terms)))),
    ]
}
