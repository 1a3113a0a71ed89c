//! As `examples`, of what waits for a price of a contract, or for a time.

use model::{
    AccountId, AlgoEndReason, AlgoId, AlgoOrder, AlgoOrderEnded, AlgoOrderTracks, AlgoOrderTriggered,
    AlgoPlaces, AlgoRef, AlgoTrigger, CancelAlgoOrder, CancelAllAlgoOrders, Command, ContractOrderModified,
    Event, FromMarket, Letter, MarketId, Message, ModifyContractOrder, OrderId, OrderKind, OrderRef,
    PlaceAlgoOrder, PlaceGoodTillDate, PositionSide, PriceTicks, QtyLots, Reject, SelfTradePrevention,
    SetCountdown, Side, Text, TimeNs, ToMarket, TriggerKind, WorkingPrice,
};

const ACCOUNT: AccountId = AccountId(7);
const MARKET: MarketId = MarketId(3);
const ALGO: AlgoId = AlgoId(0x0001_0000_0000_0101);

pub fn triggers() -> Vec<AlgoTrigger> {
    vec![
        AlgoTrigger::Reaches { kind: TriggerKind::TakeProfit, trigger_ticks: PriceTicks(258) },
        AlgoTrigger::Trails { activation_ticks: Some(PriceTicks(259)), callback_permille: 260 },
    ]
}

pub fn places() -> Vec<AlgoPlaces> {
    let (price_ticks, qty_lots) = (PriceTicks(261), QtyLots(262));
    vec![
        AlgoPlaces::Order { kind: OrderKind::LimitMaker { price_ticks, qty_lots }, reduce_only: true },
        AlgoPlaces::ClosesPosition,
    ]
}

pub fn working_prices() -> Vec<WorkingPrice> {
    vec![WorkingPrice::Contract, WorkingPrice::Mark]
}

pub fn refs() -> Vec<AlgoRef> {
    vec![AlgoRef::Id(ALGO), AlgoRef::Client(Text::new("my-stop-1").unwrap())]
}

pub fn end_reasons() -> Vec<AlgoEndReason> {
    vec![
        AlgoEndReason::Canceled,
        AlgoEndReason::PositionGone,
        AlgoEndReason::Liquidated,
        AlgoEndReason::Deleveraged,
        AlgoEndReason::Refused { reject: Reject::TooManyOpenOrders { max: 263 } },
    ]
}

pub fn commands() -> Vec<Command> {
    vec![
        Command::PlaceAlgoOrder(Box::new(PlaceAlgoOrder {
            account: ACCOUNT,
            market: MARKET,
            side: Side::Sell,
            position_side: PositionSide::Short,
            trigger: triggers()[0],
            places: places()[0],
            working_price: WorkingPrice::Mark,
            price_protect: true,
            self_trade_prevention: SelfTradePrevention::ExpireTaker,
            client_algo_id: Text::new("my-stop-1").unwrap(),
            valid_until_ns: TimeNs(264),
        })),
        Command::CancelAlgoOrder(CancelAlgoOrder {
            account: ACCOUNT,
            algo: refs()[1],
            valid_until_ns: TimeNs(265),
        }),
        Command::CancelAllAlgoOrders(CancelAllAlgoOrders {
            account: ACCOUNT,
            market: MARKET,
            valid_until_ns: TimeNs(266),
        }),
        Command::SetCountdown(SetCountdown {
            account: ACCOUNT,
            market: MARKET,
            countdown_ns: 270,
            valid_until_ns: TimeNs(271),
        }),
        Command::ModifyContractOrder(ModifyContractOrder {
            account: ACCOUNT,
            market: MARKET,
            order: OrderRef::Id(OrderId(273)),
            price_ticks: PriceTicks(274),
            qty_lots: QtyLots(275),
            maker_only: true,
            self_trade_prevention: SelfTradePrevention::ExpireMaker,
            valid_until_ns: TimeNs(276),
        }),
        Command::PlaceGoodTillDate(Box::new(PlaceGoodTillDate {
            account: ACCOUNT,
            market: MARKET,
            side: Side::Sell,
            position_side: PositionSide::Short,
            price_ticks: PriceTicks(283),
            qty_lots: QtyLots(284),
            self_trade_prevention: SelfTradePrevention::ExpireTaker,
            reduce_only: true,
            client_order_id: Text::new("my-order-7").unwrap(),
            good_till_ns: TimeNs(285),
            valid_until_ns: TimeNs(286),
        })),
    ]
}

pub fn events() -> Vec<Event> {
    let (algo, account, market) = (ALGO, ACCOUNT, MARKET);
    vec![
        Event::AlgoOrderAccepted(Box::new(AlgoOrder {
            algo,
            account,
            market,
            side: Side::Sell,
            position_side: PositionSide::Short,
            trigger: triggers()[1],
            places: places()[1],
            working_price: WorkingPrice::Mark,
            price_protect: true,
            self_trade_prevention: SelfTradePrevention::ExpireTaker,
            client_algo_id: Text::new("my-stop-2").unwrap(),
        })),
        Event::AlgoOrderTracks(AlgoOrderTracks { algo, account, market, price_ticks: PriceTicks(267) }),
        Event::AlgoOrderTriggered(AlgoOrderTriggered {
            algo,
            account,
            market,
            price_ticks: PriceTicks(268),
            order: OrderId(269),
        }),
        Event::AlgoOrderEnded(Box::new(AlgoOrderEnded { algo, account, market, reason: end_reasons()[4] })),
        Event::CountdownSet { account, market, fires_ns: Some(TimeNs(272)) },
        Event::CountdownFired { account, market },
        Event::ContractOrderModified(ContractOrderModified {
            order: OrderId(277),
            account,
            market,
            kind: kind(),
            self_trade_prevention: SelfTradePrevention::ExpireTaker,
        }),
        Event::GoodTillDate { order: OrderId(287), account, market, good_till_ns: TimeNs(288) },
    ]
}

pub fn rejects() -> Vec<Reject> {
    vec![
        Reject::AlgoCombination,
        Reject::ClosesAlready { algo: ALGO },
        Reject::BeingModified,
        Reject::DatePassed { good_till_ns: TimeNs(289) },
    ]
}

fn kind() -> OrderKind {
    OrderKind::LimitMaker { price_ticks: PriceTicks(278), qty_lots: QtyLots(279) }
}

pub fn messages() -> Vec<(&'static str, Message)> {
    let (account, market, order) = (ACCOUNT, MARKET, OrderId(280));
    let self_trade_prevention = SelfTradePrevention::ExpireBoth;
    let from_market = |body| Message::Letter(Letter::ToAccount { account, market, order, body });
    let body =
        ToMarket::Modify { order, account, kind: kind(), self_trade_prevention, most_lots: QtyLots(281) };
    vec![
        ("Expire", Message::Letter(Letter::ToMarket { market, body: ToMarket::Expire { order, account } })),
        ("Modify", Message::Letter(Letter::ToMarket { market, body })),
        (
            "Modified",
            from_market(FromMarket::Modified {
                kind: kind(),
                self_trade_prevention,
                left_lots: QtyLots(282),
            }),
        ),
        ("ModifyRefused", from_market(FromMarket::ModifyRefused { reject: Some(Reject::MarketClosed) })),
    ]
}
