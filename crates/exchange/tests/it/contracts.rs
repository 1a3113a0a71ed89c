//! Contracts: random traders, prices that walk and jump, with a rich fund and with one that has nothing. After every command
//! [`World::apply`] looks at everything that must hold; here it is only driven.

use std::collections::BTreeMap;

use exchange::Partition;
use model::{
    AccountId, AccountName, AddAsset, AddContract, AddMarket, AlgoId, AlgoPlaces, AlgoRef, AlgoTrigger,
    AmendOrder, Amount, AssetId, AssetTerms, CancelAlgoOrder, CancelAllAlgoOrders, CancelAllOrders,
    CancelOrder, CancelRestriction, ChangeLeverage, ChangeMarginType, ChangePositionMode, ClientOrderId,
    Command, ContractTerms, CreateAccount, Deposit, EndReason, Event, IndexSource, MarginMove, MarginType,
    MarketId, MarketTerms, ModifyContractOrder, MoveFunds, MovePositionMargin, OrderId, OrderKind, OrderRef,
    PartitionId, PlaceAlgoOrder, PlaceContractOrder, PlaceGoodTillDate, PlaceOrder, PositionMode,
    PositionSide, PriceTicks, QtyLots, Reference, SelfTradePrevention, SetCountdown, SetIndexPrice, Side,
    Text, TimeInForce, TimeNs, TradeGroup, TriggerKind, Wallet, WorkingPrice,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::story_contracts::usual_contract;
use crate::world::World;

/// Accounts beside the fund, which is the first one.
pub const TRADERS: u64 = 7;
/// One whole unit.
pub const UNIT: i128 = 100_000_000;
const SPOT: MarketId = MarketId(0);
/// Its index price comes from the spot market and a feed.
pub const LARGE: MarketId = MarketId(1);
/// Its index price comes from two feeds.
pub const SMALL: MarketId = MarketId(2);
pub const SECOND: u64 = 1_000_000_000;

/// What one step does, before it is known which orders are open.
#[derive(Clone, Debug)]
pub enum Step {
    Place {
        who: u64,
        market: MarketId,
        side: Side,
        offset: i64,
        qty: i64,
        how: How,
        reduce_only: bool,
        /// In hedge mode.
        position_side: PositionSide,
    },
    Spot {
        who: u64,
        side: Side,
        offset: i64,
    },
    Cancel {
        which: usize,
    },
    CancelAll {
        who: u64,
        market: MarketId,
    },
    Amend {
        which: usize,
        to: i64,
    },
    Move {
        who: u64,
        amount: i128,
        to: Wallet,
    },
    Leverage {
        who: u64,
        market: MarketId,
        leverage: u16,
    },
    /// One position or two.
    Mode {
        who: u64,
        mode: PositionMode,
    },
    /// What backs a position is changed.
    Margin {
        who: u64,
        market: MarketId,
        margin_type: MarginType,
    },
    /// Money goes into the margin of a position, or comes back.
    MoveMargin {
        who: u64,
        market: MarketId,
        amount: i128,
        way: MarginMove,
        position_side: PositionSide,
    },
    /// So far from the index price it waits, and then places this.
    Waits {
        who: u64,
        market: MarketId,
        side: Side,
        trigger: AlgoTrigger,
        places: AlgoPlaces,
        by: (WorkingPrice, bool),
        called: u8,
    },
    CancelAlgo {
        who: u64,
        called: u8,
    },
    CancelAlgos {
        who: u64,
        market: MarketId,
    },
    Modify {
        which: usize,
        offset: i64,
        qty: i64,
        maker_only: bool,
    },
    GoodTill {
        who: u64,
        market: MarketId,
        side: Side,
        offset: i64,
        qty: i64,
        seconds: u64,
        reduce_only: bool,
    },
    CountsDown {
        who: u64,
        market: MarketId,
        seconds: u64,
    },
    /// Index prices move by so many thousandths, and a second passes.
    Jump {
        market: MarketId,
        by: i64,
    },
    /// So many seconds pass.
    Wait {
        seconds: u64,
    },
    Continue,
}

#[derive(Clone, Copy, Debug)]
pub enum How {
    Rests,
    MakerOnly,
    AtOnce,
    AllOrNothing,
    Market,
}

/// What is done, how rich the fund is, whose positions are isolated at first, and who has two: a bit for each trader.
#[derive(Clone, Debug)]
pub struct Plan {
    pub fund: i128,
    pub isolated: u8,
    pub hedged: u8,
    pub steps: Vec<Step>,
    pub restart_every: usize,
}

fn market() -> impl Strategy<Value = MarketId> {
    prop_oneof![Just(LARGE), Just(SMALL)]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn leg() -> impl Strategy<Value = PositionSide> {
    prop_oneof![Just(PositionSide::Long), Just(PositionSide::Short)]
}

/// Prices in it count from the index price.
fn trigger() -> impl Strategy<Value = AlgoTrigger> {
    let kind = prop_oneof![Just(TriggerKind::StopLoss), Just(TriggerKind::TakeProfit)];
    let offset = || (-20_i64..21).prop_map(|thousandths| PriceTicks(thousandths * 500));
    let reaches =
        (kind, offset()).prop_map(|(kind, trigger_ticks)| AlgoTrigger::Reaches { kind, trigger_ticks });
    let trails = (prop::option::of(offset()), 1_u16..30).prop_map(|(activation_ticks, callback_permille)| {
        AlgoTrigger::Trails { activation_ticks, callback_permille }
    });
    prop_oneof![3 => reaches, 2 => trails]
}

/// Limits count from the index price.
fn places() -> impl Strategy<Value = AlgoPlaces> {
    let force = prop_oneof![Just(TimeInForce::Gtc), Just(TimeInForce::Ioc), Just(TimeInForce::Fok)];
    let (qty, price) =
        (|| (1_i64..400).prop_map(QtyLots), || (-20_i64..21).prop_map(|offset| PriceTicks(offset * 500)));
    let kind = prop_oneof![
        4 => qty().prop_map(|qty_lots| OrderKind::Market { qty_lots }),
        2 => (price(), qty(), force)
            .prop_map(|(price_ticks, qty_lots, time_in_force)| OrderKind::Limit { price_ticks, qty_lots, time_in_force }),
        1 => (price(), qty()).prop_map(|(price_ticks, qty_lots)| OrderKind::LimitMaker { price_ticks, qty_lots }),
    ];
    prop_oneof![
        4 => (kind, prop::bool::weighted(0.3)).prop_map(|(kind, reduce_only)| AlgoPlaces::Order { kind, reduce_only }),
        3 => Just(AlgoPlaces::ClosesPosition),
    ]
}

/// Few names, so that they meet; 4 and above is none.
fn algo_name(called: u8) -> ClientOrderId {
    if called < 4 { ClientOrderId::new(&format!("algo-{called}")).unwrap() } else { ClientOrderId::EMPTY }
}

fn waits(who: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Step> {
    let by = (prop_oneof![Just(WorkingPrice::Contract), Just(WorkingPrice::Mark)], prop::bool::weighted(0.2));
    (who, market(), side(), trigger(), places(), by, 0_u8..12).prop_map(
        |(who, market, side, trigger, mut places, mut by, called)| {
            // Few that may not be.
            if matches!(trigger, AlgoTrigger::Trails { .. }) && called != 0 {
                let kind = OrderKind::Market { qty_lots: QtyLots(i64::from(called) * 20) };
                places = AlgoPlaces::Order { kind, reduce_only: called % 3 == 0 };
                by.1 = false;
            }
            Step::Waits { who, market, side, trigger, places, by, called }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let who = 2..=TRADERS + 1;
    let how = prop_oneof![
        6 => Just(How::Rests),
        1 => Just(How::MakerOnly),
        2 => Just(How::AtOnce),
        1 => Just(How::AllOrNothing),
        3 => Just(How::Market),
    ];
    let reduce_only = prop::bool::weighted(0.25);
    let order = (who.clone(), market(), side(), -8_i64..9, 1_i64..400, how, reduce_only, leg());
    let jump = prop_oneof![4 => -12_i64..13, 1 => -60_i64..61, 1 => prop_oneof![Just(-300_i64), Just(300)]];
    let way = prop_oneof![Just(MarginMove::Add), Just(MarginMove::Reduce)];
    prop_oneof![
        60 => order.prop_map(|(who, market, side, offset, qty, how, reduce_only, position_side)| Step::Place {
            who, market, side, offset, qty, how, reduce_only, position_side
        }),
        3 => (who.clone(), side(), -3_i64..4).prop_map(|(who, side, offset)| Step::Spot { who, side, offset }),
        6 => (0_usize..64).prop_map(|which| Step::Cancel { which }),
        1 => (who.clone(), market()).prop_map(|(who, market)| Step::CancelAll { who, market }),
        4 => (0_usize..64, 1_i64..200).prop_map(|(which, to)| Step::Amend { which, to }),
        4 => (who.clone(), 1_i128..3_000, prop_oneof![3 => Just(Wallet::Futures), 2 => Just(Wallet::Spot)])
            .prop_map(|(who, amount, to)| Step::Move { who, amount: amount * UNIT, to }),
        6 => (who.clone(), market(), prop_oneof![3 => Just(MarginType::Isolated), 1 => Just(MarginType::Cross)])
            .prop_map(|(who, market, margin_type)| Step::Margin { who, market, margin_type }),
        2 => (who.clone(), prop_oneof![Just(PositionMode::Hedge), Just(PositionMode::OneWay)])
            .prop_map(|(who, mode)| Step::Mode { who, mode }),
        4 => (who.clone(), market(), 1_i128..300, way, leg())
            .prop_map(|(who, market, amount, way, position_side)| Step::MoveMargin {
                who, market, amount: amount * UNIT, way, position_side
            }),
        30 => waits(who.clone()),
        2 => (who.clone(), 0_u8..6).prop_map(|(who, called)| Step::CancelAlgo { who, called }),
        1 => (who.clone(), market()).prop_map(|(who, market)| Step::CancelAlgos { who, market }),
        12 => (0_usize..64, -8_i64..9, 1_i64..400, prop::bool::weighted(0.2))
            .prop_map(|(which, offset, qty, maker_only)| Step::Modify { which, offset, qty, maker_only }),
        6 => (who.clone(), market(), side(), -8_i64..9, 1_i64..400, 0_u64..5, prop::bool::weighted(0.2)).prop_map(
            |(who, market, side, offset, qty, seconds, reduce_only)| Step::GoodTill {
                who, market, side, offset, qty, seconds, reduce_only
            }
        ),
        2 => (who.clone(), market(), 0_u64..4).prop_map(|(who, market, seconds)| Step::CountsDown { who, market, seconds }),
        3 => (who, market(), prop_oneof![1_u16..30, 1_u16..140])
            .prop_map(|(who, market, leverage)| Step::Leverage { who, market, leverage }),
        12 => (market(), jump).prop_map(|(market, by)| Step::Jump { market, by }),
        2 => prop_oneof![Just(1_u64), Just(7), Just(3_600), Just(8 * 3_600)]
            .prop_map(|seconds| Step::Wait { seconds }),
        4 => Just(Step::Continue),
    ]
}

pub fn plans(most: usize) -> impl Strategy<Value = Plan> {
    let fund = prop_oneof![Just(0), Just(2_000 * UNIT), Just(10_000_000 * UNIT)];
    let hedged = prop_oneof![Just(0), any::<u8>()];
    (fund, any::<u8>(), hedged, prop::collection::vec(step(), 1..most), 5_usize..60).prop_map(
        |(fund, isolated, hedged, steps, restart_every)| Plan {
            fund,
            isolated,
            hedged,
            steps,
            restart_every,
        },
    )
}

fn terms(name: &str, reference: i64) -> MarketTerms {
    MarketTerms {
        name: Text::new(name).unwrap(),
        base: AssetId(0),
        quote: AssetId(1),
        price_scale: 1,
        tick_size: 1,
        base_atoms_per_lot: Amount(100_000),
        quote_atoms_per_tick_lot: Amount(10_000),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(100_000_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(1_000_000),
        min_notional: Amount::ZERO,
        max_notional: Amount::ZERO,
        max_open_orders: 300,
        max_open_orders_per_account: 60,
        max_amends_per_order: 10,
        maker_fee_ppm: 200,
        taker_fee_ppm: 500,
        fee_rounding: model::FeeRounding::Up,
        band_ppm: 100_000,
        initial_reference_ticks: PriceTicks(reference),
        status: model::MarketStatus::Trading,
    }
}

/// What is listed before anything else, and who there is.
pub fn beginning(plan: &Plan) -> Vec<Command> {
    let mut commands: Vec<Command> = ["BTC", "USDT"]
        .map(|asset| AssetTerms { name: Text::new(asset).unwrap(), scale: 8 })
        .map(|terms| Command::AddAsset(AddAsset { terms }))
        .to_vec();
    commands.push(Command::AddMarket(Box::new(AddMarket { terms: terms("BTCUSDT", 500_000) })));
    for number in 1..=TRADERS + 1 {
        let name = AccountName::new(&format!("trader-{number}")).unwrap();
        commands.push(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
        let account = AccountId(number);
        for asset in [AssetId(0), AssetId(1)] {
            let reference = Reference::new(&format!("{number}-{asset}")).unwrap();
            let amount = Amount(20_000_000 * UNIT);
            commands.push(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
        }
        let amount = if number == 1 { plan.fund } else { i128::from(number) * 400 * UNIT };
        if amount > 0 {
            commands.push(into(account, Amount(amount), Wallet::Futures));
        }
    }
    let feed = IndexSource { market: None, weight: 1 };
    let spot = IndexSource { market: Some(SPOT), weight: 2 };
    let contracts = [("BTCUSDT", vec![spot, feed]), ("ETHUSDT_PERP", vec![feed, feed])];
    for (name, sources) in contracts {
        let terms = terms(name, 500_000);
        let contract = ContractTerms {
            sources,
            liquidation_step_lots: QtyLots(7),
            ..usual_contract(&terms, AccountId(1))
        };
        let partition = PartitionId::FIRST;
        commands.push(Command::AddContract(Box::new(AddContract { terms, contract, partition })));
    }
    for who in (0..TRADERS).filter(|trader| plan.isolated >> trader & 1 == 1).map(|trader| trader + 2) {
        let (account, margin_type) = (AccountId(who), MarginType::Isolated);
        let valid_until_ns = TimeNs::NEVER;
        commands.extend([LARGE, SMALL].map(|market| {
            Command::ChangeMarginType(ChangeMarginType { account, market, margin_type, valid_until_ns })
        }));
    }
    for who in (0..TRADERS).filter(|trader| plan.hedged >> trader & 1 == 1).map(|trader| trader + 2) {
        let (account, mode, valid_until_ns) = (AccountId(who), PositionMode::Hedge, TimeNs::NEVER);
        commands.push(Command::ChangePositionMode(ChangePositionMode { account, mode, valid_until_ns }));
    }
    commands
}

pub fn into(account: AccountId, amount: Amount, to: Wallet) -> Command {
    let (asset, valid_until_ns) = (AssetId(1), TimeNs::NEVER);
    Command::MoveFunds(Box::new(MoveFunds { account, asset, amount, to, valid_until_ns }))
}

/// Index prices, as they went so far.
#[derive(Default)]
pub struct Prices(BTreeMap<MarketId, i64>);

impl Prices {
    fn of(&self, market: MarketId) -> i64 {
        self.0.get(&market).copied().unwrap_or(500_000)
    }
}

/// The only position, or one of two.
fn either_leg(mode: PositionMode, number: i64) -> PositionSide {
    match (mode, number % 2) {
        (PositionMode::OneWay, _) => PositionSide::Both,
        (PositionMode::Hedge, 0) => PositionSide::Long,
        (PositionMode::Hedge, _) => PositionSide::Short,
    }
}

impl Step {
    /// The commands that it comes to, and how much time passes before each.
    pub fn commands(
        &self,
        prices: &mut Prices,
        open: &[(OrderId, AccountId, MarketId)],
        mode: impl Fn(u64) -> PositionMode,
        now: TimeNs,
    ) -> Vec<(u64, Command)> {
        let valid_until_ns = TimeNs::NEVER;
        let at_once = |command| vec![(0, command)];
        let (client_order_id, self_trade_prevention) = (ClientOrderId::EMPTY, SelfTradePrevention::None);
        match *self {
            Self::Place { who, market, side, offset, qty, how, reduce_only, position_side } => {
                // Now and then somebody does not know his mode.
                let is_hedge = (mode(who) == PositionMode::Hedge) != (qty % 50 == 0);
                let (position_side, reduce_only) =
                    if is_hedge { (position_side, qty % 60 == 1) } else { (PositionSide::Both, reduce_only) };
                let price_ticks = PriceTicks((prices.of(market) + offset * 500).max(1));
                let qty_lots = QtyLots(qty);
                let limit = |time_in_force| OrderKind::Limit { price_ticks, qty_lots, time_in_force };
                let kind = match how {
                    How::Rests => limit(TimeInForce::Gtc),
                    How::MakerOnly => OrderKind::LimitMaker { price_ticks, qty_lots },
                    How::AtOnce => limit(TimeInForce::Ioc),
                    How::AllOrNothing => limit(TimeInForce::Fok),
                    How::Market => OrderKind::Market { qty_lots },
                };
                let modes = [
                    SelfTradePrevention::None,
                    SelfTradePrevention::ExpireMaker,
                    SelfTradePrevention::ExpireTaker,
                    SelfTradePrevention::ExpireBoth,
                ];
                at_once(Command::PlaceContractOrder(PlaceContractOrder {
                    account: AccountId(who),
                    market,
                    side,
                    position_side,
                    kind,
                    self_trade_prevention: modes[usize::try_from(qty).unwrap() % modes.len()],
                    reduce_only,
                    client_order_id,
                    valid_until_ns,
                }))
            }
            Self::Spot { who, side, offset } => {
                let price_ticks = PriceTicks((prices.of(LARGE) + offset * 500).max(1));
                let (qty_lots, time_in_force) = (QtyLots(10), TimeInForce::Gtc);
                at_once(Command::PlaceOrder(PlaceOrder {
                    account: AccountId(who),
                    market: SPOT,
                    side,
                    kind: OrderKind::Limit { price_ticks, qty_lots, time_in_force },
                    self_trade_prevention,
                    client_order_id,
                    valid_until_ns,
                }))
            }
            Self::Cancel { which } | Self::Amend { which, .. } | Self::Modify { which, .. }
                if open.is_empty() =>
            {
                let _ = which;
                at_once(Command::Continue)
            }
            Self::Cancel { which } => {
                let (order, account, market) = open[which % open.len()];
                let (order, restriction) = (OrderRef::Id(order), CancelRestriction::None);
                at_once(Command::CancelOrder(CancelOrder {
                    account,
                    market,
                    order,
                    restriction,
                    valid_until_ns,
                }))
            }
            Self::Amend { which, to } => {
                let (order, account, market) = open[which % open.len()];
                at_once(Command::AmendOrder(AmendOrder {
                    account,
                    market,
                    order: OrderRef::Id(order),
                    new_qty_lots: QtyLots(to),
                    new_client_order_id: client_order_id,
                    valid_until_ns,
                }))
            }
            Self::CancelAll { who, market } => at_once(Command::CancelAllOrders(CancelAllOrders {
                account: AccountId(who),
                market,
                valid_until_ns,
            })),
            Self::Move { who, amount, to } => at_once(into(AccountId(who), Amount(amount), to)),
            Self::Leverage { who, market, leverage } => {
                let account = AccountId(who);
                at_once(Command::ChangeLeverage(ChangeLeverage { account, market, leverage, valid_until_ns }))
            }
            Self::Margin { who, market, margin_type } => {
                let account = AccountId(who);
                let change = ChangeMarginType { account, market, margin_type, valid_until_ns };
                at_once(Command::ChangeMarginType(change))
            }
            Self::Mode { who, mode } => {
                let account = AccountId(who);
                at_once(Command::ChangePositionMode(ChangePositionMode { account, mode, valid_until_ns }))
            }
            Self::MoveMargin { who, market, amount, way, position_side } => {
                let (account, amount) = (AccountId(who), Amount(amount));
                let is_hedge = mode(who) == PositionMode::Hedge;
                let position_side = if is_hedge { position_side } else { PositionSide::Both };
                let moves =
                    MovePositionMargin { account, market, position_side, amount, way, valid_until_ns };
                at_once(Command::MovePositionMargin(Box::new(moves)))
            }
            Self::Waits { who, market, side, mut trigger, mut places, by, called } => {
                let at =
                    |offset: &mut PriceTicks| *offset = PriceTicks((prices.of(market) + offset.0).max(1));
                match &mut trigger {
                    AlgoTrigger::Reaches { trigger_ticks, .. } => at(trigger_ticks),
                    AlgoTrigger::Trails { activation_ticks, .. } => activation_ticks.iter_mut().for_each(at),
                }
                if let AlgoPlaces::Order {
                    kind: OrderKind::Limit { price_ticks, .. } | OrderKind::LimitMaker { price_ticks, .. },
                    ..
                } = &mut places
                {
                    at(price_ticks);
                }
                let position_side = either_leg(mode(who), called.into());
                if let AlgoPlaces::Order { reduce_only, .. } = &mut places {
                    *reduce_only &= position_side == PositionSide::Both;
                }
                at_once(Command::PlaceAlgoOrder(Box::new(PlaceAlgoOrder {
                    account: AccountId(who),
                    market,
                    side,
                    position_side,
                    trigger,
                    places,
                    working_price: by.0,
                    price_protect: by.1,
                    self_trade_prevention,
                    client_algo_id: algo_name(called),
                    valid_until_ns,
                })))
            }
            Self::Modify { which, offset, qty, maker_only } => {
                let (order, account, market) = open[which % open.len()];
                let modes = [SelfTradePrevention::None, SelfTradePrevention::ExpireMaker];
                at_once(Command::ModifyContractOrder(ModifyContractOrder {
                    account,
                    market,
                    order: OrderRef::Id(order),
                    price_ticks: PriceTicks((prices.of(market) + offset * 500).max(1)),
                    qty_lots: QtyLots(qty),
                    maker_only,
                    self_trade_prevention: modes[usize::try_from(qty).unwrap() % modes.len()],
                    valid_until_ns,
                }))
            }
            Self::GoodTill { who, market, side, offset, qty, seconds, reduce_only } => {
                let position_side = either_leg(mode(who), qty);
                at_once(Command::PlaceGoodTillDate(Box::new(PlaceGoodTillDate {
                    account: AccountId(who),
                    market,
                    side,
                    position_side,
                    price_ticks: PriceTicks((prices.of(market) + offset * 500).max(1)),
                    qty_lots: QtyLots(qty),
                    self_trade_prevention,
                    reduce_only: reduce_only && position_side == PositionSide::Both,
                    client_order_id,
                    good_till_ns: TimeNs(now.0 + seconds * SECOND),
                    valid_until_ns,
                })))
            }
            Self::CountsDown { who, market, seconds } => {
                let (account, countdown_ns) = (AccountId(who), seconds * SECOND);
                at_once(Command::SetCountdown(SetCountdown { account, market, countdown_ns, valid_until_ns }))
            }
            Self::CancelAlgo { who, called } => {
                let algo = match algo_name(called) {
                    ClientOrderId::EMPTY => AlgoRef::Id(AlgoId(u64::from(called))),
                    name => AlgoRef::Client(name),
                };
                at_once(Command::CancelAlgoOrder(CancelAlgoOrder {
                    account: AccountId(who),
                    algo,
                    valid_until_ns,
                }))
            }
            Self::CancelAlgos { who, market } => at_once(Command::CancelAllAlgoOrders(CancelAllAlgoOrders {
                account: AccountId(who),
                market,
                valid_until_ns,
            })),
            Self::Jump { market, by } => {
                let price = (prices.of(market) * (1_000 + by) / 1_000).clamp(1_000, 50_000_000);
                prices.0.insert(market, price);
                let set = |source: u8, price: i64| {
                    let price_ticks = PriceTicks(price);
                    let partition = PartitionId::FIRST;
                    Command::SetIndexPrice(SetIndexPrice { partition, market, source, price_ticks })
                };
                let mut commands = vec![(0, set(1, price))];
                if market == SMALL {
                    commands.push((0, set(0, price + price / 500)));
                }
                commands.push((SECOND, Command::Tick));
                commands
            }
            Self::Wait { seconds } => vec![(seconds * SECOND, Command::Tick)],
            Self::Continue => at_once(Command::Continue),
        }
    }
}

/// The orders that are open, so that a step finds one.
fn open_orders(world: &World) -> Vec<(OrderId, AccountId, MarketId)> {
    world.witness.open_orders().iter().map(|order| (order.order, order.account, order.market)).collect()
}

/// Plays a plan, with restarts in between. Returns what happened.
fn play(plan: &Plan) -> Vec<Event> {
    let mut world = World::default();
    let mut all = Vec::new();
    for command in beginning(plan) {
        all.extend(world.apply(command));
    }
    let mut prices = Prices::default();
    for (at, step) in plan.steps.iter().enumerate() {
        let mode = |who| world.partition.position_mode(AccountId(who));
        for (passes, command) in step.commands(&mut prices, &open_orders(&world), mode, world.time_ns) {
            world.time_ns = TimeNs(world.time_ns.0 + passes);
            all.extend(world.apply(command));
        }
        if at % plan.restart_every == 0 {
            world.restart();
        }
    }
    while world.partition.has_work() {
        all.extend(world.apply(Command::Continue));
    }
    world.restart();
    // The journal, given to one that nobody restarts, leads to the same state.
    let mut again = Partition::default();
    for input in &world.journal {
        again.apply(input, &mut Vec::new());
    }
    assert!(again.snapshot() == world.partition.snapshot(), "the same journal leads to the same state");
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn positions_sum_to_zero_and_money_is_conserved(plan in plans(150)) {
        play(&plan);
    }
}

/// What no plan reached was not tested by the property above.
#[test]
fn random_traders_reach_everything() {
    let mut runner = TestRunner::deterministic();
    let strategy = plans(300);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..40 {
        let plan = strategy.new_tree(&mut runner).unwrap().current();
        for event in play(&plan) {
            let text = match &event {
                Event::Rejected { reject, .. } => format!("{reject:?}"),
                Event::PositionForced(forced) => format!("{:?}", forced.forced),
                Event::ContractOrderAccepted(accepted) => format!("{:?}", accepted.cause),
                Event::AlgoOrderEnded(ended) => format!("Algo{:?}", ended.reason),
                Event::OrderEnded(ended) => match ended.reason {
                    EndReason::Expired(reason) => format!("Ended{reason:?}"),
                    other => format!("Ended{other:?}"),
                },
                other => format!("{other:?}"),
            };
            let kind = text.split(['(', ' ', '{']).next().unwrap_or_default();
            *seen.entry(kind.into()).or_default() += 1;
            let position_side = match &event {
                Event::PositionForced(forced) => forced.position_side,
                Event::ContractOrderAccepted(accepted) => accepted.position_side,
                Event::PositionLiquidationBegun { position_side, .. } => *position_side,
                Event::PositionMarginChanged(changed) => changed.position_side,
                _ => PositionSide::Both,
            };
            if position_side != PositionSide::Both {
                *seen.entry(format!("{position_side:?}{kind}")).or_default() += 1;
            }
        }
    }
    println!("{seen:#?}");
    let wanted = [
        "AlgoCanceled",
        "AlgoCombination",
        "AlgoDeleveraged",
        "AlgoLiquidated",
        "AlgoOrderAccepted",
        "AlgoOrderTracks",
        "AlgoOrderTriggered",
        "AlgoPositionGone",
        "AlgoRefused",
        "CountdownFired",
        "CountdownSet",
        "DatePassed",
        "EndedGoodTillDate",
        "GoodTillDate",
        "ContractOrderModified",
        "DuplicateClientOrderId",
        "WouldTrigger",
        "Bankrupt",
        "Carried",
        "ClearancePaid",
        "ContractFilled",
        "Deleveraged",
        "FundReceived",
        "FundingPaid",
        "FundingSettled",
        "FundsMoved",
        "InsufficientMargin",
        "LongDeleveraged",
        "LongLiquidation",
        "LongPositionLiquidationBegun",
        "LongPositionMarginChanged",
        "LongTakenOver",
        "LeverageCannotFall",
        "LeverageChanged",
        "LeverageOutOfRange",
        "LosesTooMuch",
        "Liquidation",
        "LiquidationBegun",
        "LiquidationEnded",
        "MarginTypeChanged",
        "MarginTypeHasOrders",
        "MarginTypeHasPosition",
        "MarginTypeUnchanged",
        "MarkPriceChanged",
        "NotIsolated",
        "NothingToReduce",
        "OrderAmended",
        "OrderPrevented",
        "PositionLiquidationBegun",
        "PositionLiquidationEnded",
        "PositionMarginChanged",
        "PositionMarginShort",
        "PositionModeChanged",
        "PositionModeHasOrders",
        "PositionModeHasPosition",
        "PositionModeUnchanged",
        "PositionSideMismatch",
        "ReduceOnlyInHedge",
        "Owner",
        "ShortDeleveraged",
        "ShortLiquidation",
        "ShortPositionLiquidationBegun",
        "ShortPositionMarginChanged",
        "ShortTakenOver",
        "TakenOver",
        "WalletShort",
        "WouldTake",
    ];
    let missing: Vec<_> = wanted.iter().filter(|kind| !seen.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

/// More positions than one command settles. Some change while the settlement goes on, before their turn and more than once: each
/// has its turn once, for what it was when the settlement began.
#[test]
fn everybody_is_settled_once_however_long_it_takes() {
    const ACCOUNTS: u64 = 2_400;
    let plan = Plan { fund: 0, isolated: 0, hedged: 0, steps: Vec::new(), restart_every: 1 };
    let mut partition = Partition::default();
    let (mut seq, mut events) = (model::Seq(0), Vec::new());
    let mut apply = |partition: &mut Partition, events: &mut Vec<Event>, seconds: u64, command: Command| {
        seq = seq.next();
        let input = model::Sequenced { seq, time_ns: TimeNs(seconds * SECOND), command };
        partition.apply(&input, events);
    };
    for command in beginning(&plan) {
        apply(&mut partition, &mut events, 0, command);
    }
    let order = |who: u64, side: Side, qty: i64| {
        Command::PlaceContractOrder(PlaceContractOrder {
            account: AccountId(who),
            market: SMALL,
            side,
            position_side: PositionSide::Both,
            kind: OrderKind::Limit {
                price_ticks: PriceTicks(500_000),
                qty_lots: QtyLots(qty),
                time_in_force: TimeInForce::Gtc,
            },
            self_trade_prevention: SelfTradePrevention::None,
            reduce_only: false,
            client_order_id: ClientOrderId::EMPTY,
            valid_until_ns: TimeNs::NEVER,
        })
    };
    let first = TRADERS + 2;
    for who in first..first + ACCOUNTS {
        let name = AccountName::new(&format!("many-{who}")).unwrap();
        let create = CreateAccount { name, trade_group: TradeGroup::NONE };
        apply(&mut partition, &mut events, 0, Command::CreateAccount(create));
        let (account, asset, amount) = (AccountId(who), AssetId(1), Amount(1_000 * UNIT));
        let reference = Reference::new(&format!("many-{who}")).unwrap();
        let deposit = Deposit { account, asset, amount, reference };
        apply(&mut partition, &mut events, 0, Command::Deposit(Box::new(deposit)));
        apply(&mut partition, &mut events, 0, into(account, amount, Wallet::Futures));
        let side = if who % 2 == 0 { Side::Buy } else { Side::Sell };
        apply(&mut partition, &mut events, 0, order(who, side, 10));
    }
    for (source, price) in [(0, 500_000), (1, 500_000)] {
        let partition_id = PartitionId::FIRST;
        let price_ticks = PriceTicks(price);
        let set = SetIndexPrice { partition: partition_id, market: SMALL, source, price_ticks };
        apply(&mut partition, &mut events, 8 * 3_600 - 1, Command::SetIndexPrice(set));
    }
    // The first one sets the time of the settlement, the second begins it.
    apply(&mut partition, &mut events, 8 * 3_600 - 1, Command::Tick);
    events.clear();
    apply(&mut partition, &mut events, 8 * 3_600, Command::Tick);
    assert!(partition.has_work(), "they are more than one command settles");
    let last = first + ACCOUNTS - 2;
    for (who, side) in [(last, Side::Buy), (last + 1, Side::Sell), (last, Side::Sell), (last + 1, Side::Buy)]
    {
        apply(&mut partition, &mut events, 8 * 3_600, order(who, side, 7));
        partition.assert_invariants();
        partition = Partition::restore(&partition.snapshot()).expect("a snapshot can be read");
    }
    while partition.has_work() {
        apply(&mut partition, &mut events, 8 * 3_600, Command::Continue);
    }
    partition.assert_invariants();
    let mut paid: BTreeMap<AccountId, Vec<i128>> = BTreeMap::new();
    for event in &events {
        if let Event::FundingPaid(paying) = event {
            paid.entry(paying.account).or_default().push(paying.amount.0);
        }
    }
    assert!(paid.values().all(|amounts| amounts.len() == 1), "each has its turn once");
    let amounts: std::collections::BTreeSet<i128> =
        paid.iter().filter(|(account, _)| account.0 >= first).map(|(_, amounts)| amounts[0].abs()).collect();
    assert_eq!(paid.keys().filter(|account| account.0 >= first).count() as u64, ACCOUNTS);
    assert_eq!(amounts.len(), 1, "for what it was when the settlement began: {amounts:?}");
}

/// More liquidations than one command goes on with, of wallets and of isolated positions in turn, in both position modes, with a
/// restart behind each command: whose turn it is stays as it was, and so does what each is about.
#[test]
fn liquidations_that_wait_survive_a_restart() {
    const ACCOUNTS: u64 = 40;
    let plan = Plan { fund: 10_000_000 * UNIT, isolated: 0, hedged: 0, steps: Vec::new(), restart_every: 1 };
    let mut world = World::default();
    for command in beginning(&plan) {
        world.apply(command);
    }
    let (market, valid_until_ns) = (SMALL, TimeNs::NEVER);
    let is_hedger = |who: u64| who != 2 && who % 4 > 1;
    let order = |who: u64, side: Side, qty: i64| {
        let position_side = if is_hedger(who) { PositionSide::Long } else { PositionSide::Both };
        Command::PlaceContractOrder(PlaceContractOrder {
            account: AccountId(who),
            market,
            side,
            position_side,
            kind: OrderKind::Limit {
                price_ticks: PriceTicks(500_000),
                qty_lots: QtyLots(qty),
                time_in_force: TimeInForce::Gtc,
            },
            self_trade_prevention: SelfTradePrevention::None,
            reduce_only: false,
            client_order_id: ClientOrderId::EMPTY,
            valid_until_ns,
        })
    };
    let first = TRADERS + 2;
    world.apply(into(AccountId(2), Amount(1_000_000 * UNIT), Wallet::Futures));
    for who in first..first + ACCOUNTS {
        let account = AccountId(who);
        let name = AccountName::new(&format!("many-{who}")).unwrap();
        world.apply(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
        let (asset, amount) = (AssetId(1), Amount(30 * UNIT));
        let reference = Reference::new(&format!("many-{who}")).unwrap();
        world.apply(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
        world.apply(into(account, amount, Wallet::Futures));
        if is_hedger(who) {
            let mode = PositionMode::Hedge;
            world.apply(Command::ChangePositionMode(ChangePositionMode { account, mode, valid_until_ns }));
        }
        if who % 2 == 0 {
            let margin_type = MarginType::Isolated;
            let change = ChangeMarginType { account, market, margin_type, valid_until_ns };
            world.apply(Command::ChangeMarginType(change));
        }
        world.apply(order(who, Side::Buy, 10));
        world.apply(order(2, Side::Sell, 10));
    }
    let mut prices = Prices::default();
    let jump =
        Step::Jump { market, by: -100 }.commands(&mut prices, &[], |_| PositionMode::OneWay, TimeNs(0));
    let mut waited: BTreeMap<bool, u32> = BTreeMap::new();
    let mut events = Vec::new();
    for (passes, command) in jump.into_iter().chain((0..60).map(|_| (0, Command::Continue))) {
        world.time_ns = TimeNs(world.time_ns.0 + passes);
        events.extend(world.apply(command));
        *waited.entry(world.partition.has_work()).or_default() += 1;
        world.restart();
    }
    assert!(waited[&true] >= 3 && !world.partition.has_work(), "they are more than one command goes on with");
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count() as u64;
    let ended = [
        count(|event| matches!(event, Event::LiquidationEnded { .. })),
        count(|event| matches!(event, Event::PositionLiquidationEnded { .. })),
    ];
    assert_eq!(ended, [ACCOUNTS / 2, ACCOUNTS / 2], "all of them are liquidated");
    let mut again = Partition::default();
    for input in &world.journal {
        again.apply(input, &mut Vec::new());
    }
    assert!(again.snapshot() == world.partition.snapshot(), "as if nobody had been restarted");
}
