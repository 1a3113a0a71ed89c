//! Random plans: how a partition is set up, and what happens then. Accounts are few and mostly poor, names and references
//! few, so that everything meets and much is refused; numbers are small or at the bounds of their types.

use model::{
    AccountId, AddApiKey, AddAsset, AddMarket, AmendOrder, Amount, AssetId, AssetTerms, CancelAllOrders,
    CancelOrder, CancelRestriction, ChangeApiKey, ClientOrderId, Command, CreateAccount, CreateApiKey,
    Deposit, FeeRounding, IpRange, KeyKind, MarketId, MarketStatus, MarketTerms, OrderAccepted, OrderId,
    OrderKind, OrderRef, PlaceOrder, PriceTicks, QtyLots, Reference, ReplaceMode, ReplaceOrder,
    RequestWithdrawal, ResealApiKey, RevokeApiKey, SelfTradePrevention, SettleWithdrawal, Side, Skip, Text,
    TimeInForce, TimeNs, TradeGroup, TriggerKind, WithdrawalId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What happens to a partition, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// After how many of them one of the runs goes on from a snapshot.
    pub restart_after: usize,
}

/// A command and its time.
#[derive(Clone, Debug)]
pub struct Step {
    pub time_ns: TimeNs,
    command: Command,
    /// Aims a cancel, an amendment or a replacement at an order that is open by then; without it, most would miss.
    aim: Option<Index>,
}

impl Step {
    /// The command, aimed at one of the open orders.
    pub fn aimed(&self, open: &[&OrderAccepted]) -> Command {
        let mut command = self.command.clone();
        let Some(aim) = self.aim.filter(|_| !open.is_empty()) else { return command };
        let at = aim.get(open);
        let order_ref = OrderRef::Id(at.order);
        match &mut command {
            Command::CancelOrder(cancel) => {
                (cancel.account, cancel.market, cancel.order) = (at.account, at.market, order_ref);
            }
            Command::AmendOrder(amend) => {
                (amend.account, amend.market, amend.order) = (at.account, at.market, order_ref);
            }
            Command::ReplaceOrder(replace) => {
                (replace.place.account, replace.place.market, replace.cancel) =
                    (at.account, at.market, order_ref);
            }
            _ => {}
        }
        command
    }
}

/// The sort of numbers a partition has to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    Small,
    /// Terms at their bounds, and deposits that pay for them.
    Huge,
}

const MAX: i64 = 1 << 44;
const ACCOUNTS: u64 = 4;

/// A partition with three markets between three assets, and up to `len` commands.
pub fn plan(len: usize) -> impl Strategy<Value = Plan> {
    prop_oneof![3 => Just(Numbers::Small), 1 => Just(Numbers::Huge)].prop_flat_map(move |numbers| {
        let markets = (0_u32..3).map(|market| terms(numbers, market)).collect::<Vec<_>>();
        let aim = prop_oneof![1 => Just(None), 3 => any::<Index>().prop_map(Some)];
        let steps = vec((0_u64..3, command(numbers), aim), len / 2..len);
        (markets, vec(purse(numbers), 3 * usize::try_from(ACCOUNTS).unwrap()), steps, any::<Index>())
            .prop_map(|(markets, purses, steps, restart)| {
                let first = listing(&markets, &purses).into_iter();
                let mut all: Vec<_> =
                    first.map(|command| Step { time_ns: TimeNs(0), command, aim: None }).collect();
                let mut time = 0;
                for (later, command, aim) in steps {
                    time += later;
                    all.push(Step { time_ns: TimeNs(time), command, aim });
                }
                let restart_after = restart.index(all.len());
                Plan { steps: all, restart_after }
            })
    })
}

fn listing(markets: &[MarketTerms], purses: &[i128]) -> Vec<Command> {
    let mut commands: Vec<Command> = ["A", "B", "Q"]
        .map(|name| {
            Command::AddAsset(AddAsset { terms: AssetTerms { name: Text::new(name).unwrap(), scale: 0 } })
        })
        .into();
    commands.extend(markets.iter().map(|terms| Command::AddMarket(Box::new(AddMarket { terms: *terms }))));
    for account in 1..=ACCOUNTS {
        let trade_group = TradeGroup(if account <= 2 { 7 } else { 0 });
        let name = Text::new(&format!("trader-{account}")).unwrap();
        commands.push(Command::CreateAccount(CreateAccount { name, trade_group }));
    }
    let owners = (1..=ACCOUNTS).flat_map(|account| (0..3).map(move |asset| (account, asset)));
    for ((account, asset), amount) in owners.zip(purses) {
        commands.push(Command::Deposit(Box::new(Deposit {
            account: AccountId(account),
            asset: AssetId(asset),
            amount: Amount(*amount),
            reference: Reference::new(&format!("start-{account}-{asset}")).unwrap(),
        })));
    }
    commands
}

fn purse(numbers: Numbers) -> BoxedStrategy<i128> {
    match numbers {
        Numbers::Small => prop_oneof![1 => 0_i128..50, 1 => 0_i128..3_000, 3 => Just(100_000)].boxed(),
        Numbers::Huge => {
            prop_oneof![Just(10_i128.pow(35)), Just(10_i128.pow(31)), Just(10_i128.pow(13))].boxed()
        }
    }
}

/// Terms that are accepted. The quote atoms of a tick and a lot are 1, 6 and 1, or as many as the bounds allow.
fn terms(numbers: Numbers, market: u32) -> BoxedStrategy<MarketTerms> {
    let fee = || select(vec![0_u32, 1, 999, 1_000, 333_333, 999_999, 1_000_000]);
    let rounding = select(vec![FeeRounding::Up, FeeRounding::HalfUp, FeeRounding::Down]);
    let band = select(vec![0_u32, 10_000, 30_001, 100_000, 500_000, 1_000_000]);
    let (notional_min, notional_max) = match numbers {
        Numbers::Small => (select(vec![0_i128, 0, 0, 0, 300]), select(vec![0_i128, 0, 0, 0, 6_000])),
        Numbers::Huge => (select(vec![0_i128]), select(vec![0_i128, 10_i128.pow(31)])),
    };
    let limits = (
        select(vec![4_u32, 65_536, 65_536, 65_536]),
        select(vec![2_u32, 100, 100]),
        select(vec![0_u16, 1, 3]),
    );
    let status = prop_oneof![30 => Just(MarketStatus::Trading), 1 => Just(MarketStatus::CancelOnly), 1 => Just(MarketStatus::Halt)];
    let reference = prop_oneof![Just(100_i64), Just(97)];
    (fee(), fee(), rounding, band, notional_min, notional_max, limits, status, reference)
        .prop_map(move |(maker, taker, rounding, band, min, max, limits, status, reference)| {
            let (base, quote, lot, tick, price_scale) = match (numbers, market) {
                (Numbers::Small, 0) => (0, 2, 1, 1, 0),
                (Numbers::Small, 1) => (1, 2, 3, 2, 0),
                (Numbers::Small, _) => (1, 0, 1, 1, 0),
                (Numbers::Huge, 0) => (0, 2, 1, 32_311, 0),
                (Numbers::Huge, 1) => (1, 2, 500_000_000_000_000_000, 1, 17),
                (Numbers::Huge, _) => (1, 0, 10, 3_000, 0),
            };
            let tick_lot = i128::from(tick) * lot / 10_i128.pow(price_scale);
            let (min_price, max_price, max_qty) = match numbers {
                Numbers::Small => (90, 110, 20),
                Numbers::Huge => (1, MAX, MAX),
            };
            MarketTerms {
                name: Text::new(&format!("M{market}")).unwrap(),
                base: AssetId(base),
                quote: AssetId(quote),
                price_scale: u8::try_from(price_scale).unwrap(),
                tick_size: tick,
                base_atoms_per_lot: Amount(lot),
                quote_atoms_per_tick_lot: Amount(tick_lot),
                min_price_ticks: PriceTicks(min_price),
                max_price_ticks: PriceTicks(max_price),
                min_qty_lots: QtyLots(1),
                max_qty_lots: QtyLots(max_qty),
                min_notional: Amount(min),
                max_notional: Amount(max),
                max_open_orders: limits.0,
                max_open_orders_per_account: limits.1,
                max_amends_per_order: limits.2,
                maker_fee_ppm: maker,
                taker_fee_ppm: taker,
                fee_rounding: rounding,
                band_ppm: band,
                initial_reference_ticks: PriceTicks(reference),
                status,
            }
        })
        .boxed()
}

/// Other terms for one of the markets: another range of prices and quantities too, so that open orders lie outside.
fn changed_terms(numbers: Numbers) -> BoxedStrategy<MarketTerms> {
    let range = match numbers {
        Numbers::Small => {
            select(vec![(90, 110, 20), (90, 110, 20), (98, 102, 20), (90, 99, 5), (1, 1_000, 500)])
        }
        Numbers::Huge => select(vec![(1, MAX, MAX), (1, 1, MAX), (MAX, MAX, 1), (90, 200, MAX)]),
    };
    (0_u32..3)
        .prop_flat_map(move |market| terms(numbers, market))
        .prop_flat_map(move |terms| (Just(terms), range.clone()))
        .prop_map(|(mut terms, (min, max, qty))| {
            terms.min_price_ticks = PriceTicks(min);
            terms.max_price_ticks = PriceTicks(max);
            terms.max_qty_lots = QtyLots(qty);
            terms.initial_reference_ticks = PriceTicks(min);
            terms
        })
        .boxed()
}

fn price(numbers: Numbers) -> BoxedStrategy<i64> {
    let wild = select(vec![i64::MIN, -1, 0, 1, 89, 111, MAX + 1, i64::MAX]);
    match numbers {
        Numbers::Small => prop_oneof![20 => 97_i64..104, 3 => 90_i64..=110, 1 => wild].boxed(),
        Numbers::Huge => {
            let bounds = select(vec![1_i64, 2, 100, MAX / 2, MAX - 1, MAX]);
            prop_oneof![10 => bounds, 5 => 96_i64..105, 1 => wild].boxed()
        }
    }
}

fn qty(numbers: Numbers) -> BoxedStrategy<i64> {
    let wild = select(vec![i64::MIN, -1, 0, 21, MAX + 1, i64::MAX]);
    match numbers {
        Numbers::Small => prop_oneof![20 => 1_i64..12, 4 => 1_i64..=20, 1 => wild].boxed(),
        Numbers::Huge => {
            let bounds = select(vec![1_i64, 2, MAX / 2, MAX - 1, MAX]);
            prop_oneof![10 => bounds, 5 => 1_i64..1_000, 1 => wild].boxed()
        }
    }
}

fn amount(numbers: Numbers) -> BoxedStrategy<Amount> {
    let wild = select(vec![i128::MIN, -1, 0, 10_i128.pow(31) + 1, i128::MAX]);
    match numbers {
        Numbers::Small => {
            prop_oneof![12 => 1_i128..1_200, 4 => 1_i128..30, 1 => wild].prop_map(Amount).boxed()
        }
        Numbers::Huge => {
            let bounds = select(vec![1, 10_i128.pow(31), 10_i128.pow(30), 10_i128.pow(36)]);
            prop_oneof![8 => bounds, 1 => wild].prop_map(Amount).boxed()
        }
    }
}

fn account() -> impl Strategy<Value = AccountId> {
    prop_oneof![60 => 1..=ACCOUNTS, 1 => select(vec![0, ACCOUNTS + 1, u64::MAX])].prop_map(AccountId)
}

fn market() -> impl Strategy<Value = MarketId> {
    prop_oneof![40 => Just(0_u32), 30 => 0_u32..3, 1 => select(vec![3, u32::MAX])].prop_map(MarketId)
}

fn asset() -> impl Strategy<Value = AssetId> {
    prop_oneof![20 => 0_u32..3, 1 => select(vec![3, u32::MAX])].prop_map(AssetId)
}

fn client_id() -> impl Strategy<Value = ClientOrderId> {
    prop_oneof![
        1 => Just(ClientOrderId::EMPTY),
        3 => (0_u8..12).prop_map(|name| Text::new(&format!("name-{name}")).unwrap()),
    ]
}

fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![
        1 => Just(Reference::EMPTY),
        4 => (0_u8..4).prop_map(|name| Text::new(&format!("twice-{name}")).unwrap()),
        20 => any::<u64>().prop_map(|name| Text::new(&format!("once-{name}")).unwrap()),
    ]
}

fn deadline() -> impl Strategy<Value = TimeNs> {
    prop_oneof![40 => Just(TimeNs::NEVER), 1 => (0_u64..100).prop_map(TimeNs)]
}

fn order_ref() -> impl Strategy<Value = OrderRef> {
    let id = || prop_oneof![30 => 1_u64..90, 1 => Just(u64::MAX)].prop_map(OrderId);
    prop_oneof![
        3 => id().prop_map(OrderRef::Id),
        3 => client_id().prop_map(OrderRef::Client),
        1 => (id(), client_id()).prop_map(OrderRef::Both),
    ]
}

fn place(numbers: Numbers) -> impl Strategy<Value = PlaceOrder> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let force =
        prop_oneof![5 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)];
    let trigger = (
        prop_oneof![Just(TriggerKind::StopLoss), Just(TriggerKind::TakeProfit)],
        prop_oneof![1 => Just(0), 5 => price(numbers)],
        prop_oneof![6 => Just(0_u16), 2 => Just(100_u16), 1 => Just(200_u16), 1 => select(vec![9_u16, 2_001])],
    );
    let kind = prop_oneof![
        3 => (qty(numbers), trigger.clone()).prop_map(|(qty, (trigger, stop, trailing_bips))| {
            let (qty_lots, stop_ticks) = (QtyLots(qty), PriceTicks(stop));
            OrderKind::StopMarket { qty_lots, trigger, stop_ticks, trailing_bips }
        }),
        3 => (price(numbers), qty(numbers), force.clone(), trigger).prop_map(
            |(price, qty, time_in_force, (trigger, stop, trailing_bips))| OrderKind::StopLimit {
                price_ticks: PriceTicks(price),
                qty_lots: QtyLots(qty),
                time_in_force,
                trigger,
                stop_ticks: PriceTicks(stop),
                trailing_bips,
            }
        ),
        10 => (price(numbers), qty(numbers), force).prop_map(|(price, qty, time_in_force)| OrderKind::Limit {
            price_ticks: PriceTicks(price),
            qty_lots: QtyLots(qty),
            time_in_force,
        }),
        2 => (price(numbers), qty(numbers)).prop_map(|(price, qty)| OrderKind::LimitMaker {
            price_ticks: PriceTicks(price),
            qty_lots: QtyLots(qty),
        }),
        3 => qty(numbers).prop_map(|qty| OrderKind::Market { qty_lots: QtyLots(qty) }),
        3 => amount(numbers).prop_map(|quote_amount| OrderKind::MarketQuote { quote_amount }),
    ];
    let stp = prop_oneof![
        3 => Just(SelfTradePrevention::None),
        1 => Just(SelfTradePrevention::ExpireMaker),
        1 => Just(SelfTradePrevention::ExpireTaker),
        1 => Just(SelfTradePrevention::ExpireBoth),
        1 => Just(SelfTradePrevention::Decrement),
        1 => Just(SelfTradePrevention::Transfer),
    ];
    (account(), market(), side, kind, stp, client_id(), deadline()).prop_map(
        |(account, market, side, kind, self_trade_prevention, client_order_id, valid_until_ns)| PlaceOrder {
            account,
            market,
            side,
            kind,
            self_trade_prevention,
            client_order_id,
            valid_until_ns,
        },
    )
}

fn restriction() -> impl Strategy<Value = CancelRestriction> {
    prop_oneof![
        4 => Just(CancelRestriction::None),
        1 => Just(CancelRestriction::OnlyNew),
        1 => Just(CancelRestriction::OnlyPartiallyFilled),
    ]
}

fn command(numbers: Numbers) -> impl Strategy<Value = Command> {
    let cancel = (account(), market(), order_ref(), restriction(), deadline()).prop_map(
        |(account, market, order, restriction, valid_until_ns)| {
            Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
        },
    );
    let cancel_all = (account(), market(), deadline()).prop_map(|(account, market, valid_until_ns)| {
        Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns })
    });
    let mode = prop_oneof![Just(ReplaceMode::StopOnFailure), Just(ReplaceMode::AllowFailure)];
    let replace =
        (order_ref(), restriction(), mode, place(numbers)).prop_map(|(cancel, restriction, mode, place)| {
            Command::ReplaceOrder(Box::new(ReplaceOrder { cancel, restriction, mode, place }))
        });
    let amend = (account(), market(), order_ref(), qty(numbers), client_id(), deadline()).prop_map(
        |(account, market, order, qty, new_client_order_id, valid_until_ns)| {
            let new_qty_lots = QtyLots(qty);
            Command::AmendOrder(AmendOrder {
                account,
                market,
                order,
                new_qty_lots,
                new_client_order_id,
                valid_until_ns,
            })
        },
    );
    let deposit =
        (account(), asset(), amount(numbers), reference()).prop_map(|(account, asset, amount, reference)| {
            Command::Deposit(Box::new(Deposit { account, asset, amount, reference }))
        });
    let withdraw =
        (account(), asset(), amount(numbers), reference()).prop_map(|(account, asset, amount, reference)| {
            Command::RequestWithdrawal(Box::new(RequestWithdrawal { account, asset, amount, reference }))
        });
    let settle = (0_u64..6, any::<bool>()).prop_map(|(id, paid_out)| {
        Command::SettleWithdrawal(SettleWithdrawal { withdrawal: WithdrawalId(id), paid_out })
    });
    let change =
        changed_terms(numbers).prop_map(|terms| Command::ChangeMarket(Box::new(AddMarket { terms })));
    prop_oneof![
        90 => place(numbers).prop_map(Command::PlaceOrder),
        10 => cancel,
        2 => cancel_all,
        10 => replace,
        10 => amend,
        4 => deposit,
        4 => withdraw,
        4 => settle,
        2 => change,
        4 => operator(numbers),
    ]
}

/// What only operators do, and what happens by itself.
fn operator(numbers: Numbers) -> impl Strategy<Value = Command> {
    let name = || select(vec!["", "A", "C", "trader-1", "somebody"]);
    let listed = (name(), 0_u8..21).prop_map(|(name, scale)| {
        Command::AddAsset(AddAsset { terms: AssetTerms { name: Text::new(name).unwrap(), scale } })
    });
    // A listing that is right but for one number, or one more that is right.
    let market = (changed_terms(numbers), 0_u8..10).prop_map(|(mut terms, what)| {
        match what {
            0 => terms.name = Text::EMPTY,
            1 => terms.base = AssetId(u32::MAX),
            2 => terms.quote_atoms_per_tick_lot = Amount(i128::MAX),
            3 => terms.tick_size = i64::MAX,
            4 => terms.base_atoms_per_lot = Amount(i128::MAX),
            5 => terms.max_open_orders = u32::MAX,
            6 => terms.maker_fee_ppm = u32::MAX,
            7 | 8 => {
                terms.tick_size *= 2;
                terms.quote_atoms_per_tick_lot += terms.quote_atoms_per_tick_lot;
                terms.max_qty_lots = QtyLots(1);
            }
            _ => terms.name = Text::new("M-other").unwrap(),
        }
        terms
    });
    let open = (name(), 0_u32..3).prop_map(|(name, group)| {
        Command::CreateAccount(CreateAccount {
            name: Text::new(name).unwrap(),
            trade_group: TradeGroup(group),
        })
    });
    let key = (account(), select(vec!["", "K", "L"]), select(vec![0_usize, 1, 1_024, 1_025])).prop_map(
        |(account, key, len)| {
            let key = Text::new(key).unwrap();
            Command::CreateApiKey(Box::new(CreateApiKey {
                account,
                key,
                sealed_secret: vec![7; len],
                permissions: 1,
            }))
        },
    );
    // A third has bits behind the prefix; 31 are one too many.
    let ranges = (select(vec![0_usize, 0, 1, 30, 31]), 0_u32..3).prop_map(|(count, odd)| {
        let network = 0x0A00_0000 | u32::from(odd == 1);
        vec![IpRange::V4 { network, prefix_bits: 8 }; count]
    });
    let kind = select(vec![KeyKind::HmacSha256, KeyKind::Ed25519]);
    let add_key = (
        (account(), select(vec!["", "K", "L"]), kind),
        (select(vec![0_usize, 1, 1_024, 1_025]), select(vec!["", "bot"]), ranges.clone()),
    )
        .prop_map(|((account, key, kind), (len, label, ip_ranges))| {
            let (key, label) = (Text::new(key).unwrap(), Text::new(label).unwrap());
            let (sealed, permissions) = (vec![7; len], 1);
            Command::AddApiKey(Box::new(AddApiKey {
                account,
                key,
                kind,
                sealed,
                label,
                permissions,
                ip_ranges,
            }))
        });
    let change_key = (select(vec!["K", "L"]), 0_u32..8, ranges).prop_map(|(key, permissions, ip_ranges)| {
        Command::ChangeApiKey(Box::new(ChangeApiKey { key: Text::new(key).unwrap(), permissions, ip_ranges }))
    });
    let reseal_key = (select(vec!["K", "L"]), select(vec![0_usize, 7, 1_025])).prop_map(|(key, len)| {
        Command::ResealApiKey(Box::new(ResealApiKey { key: Text::new(key).unwrap(), sealed: vec![9; len] }))
    });
    let revoke_key = select(vec!["K", "L"])
        .prop_map(|key| Command::RevokeApiKey(RevokeApiKey { key: Text::new(key).unwrap() }));
    prop_oneof![
        1 => listed,
        1 => market.clone().prop_map(|terms| Command::AddMarket(Box::new(AddMarket { terms }))),
        1 => market.prop_map(|terms| Command::ChangeMarket(Box::new(AddMarket { terms }))),
        1 => open,
        1 => key,
        2 => add_key,
        3 => change_key,
        2 => reseal_key,
        1 => revoke_key,
        1 => Just(Command::Tick),
        1 => Just(Command::Skip(Skip { reason: "it broke an invariant".into() })),
    ]
}
