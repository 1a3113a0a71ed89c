//! Algo orders: random ones at the real state machine. Those that wait are those that it has; of the others everything is known that
//! its events have told; saved and loaded nothing is different.

use std::collections::BTreeMap;

use exchange::Partition;
use model::{
    AccountId, AccountName, AddAsset, AddContract, AlgoEndReason, AlgoId, AlgoPlaces, AlgoRef, AlgoTrigger,
    Amount, AssetId, AssetName, AssetTerms, Bracket, CancelAlgoOrder, CancelAllAlgoOrders, CancelAllOrders,
    ClientOrderId, Command, ContractTerms, CreateAccount, Deposit, Event, EventBatch, EventSeq, FundingRate,
    IndexSource, MarketId, ModifyContractOrder, MoveFunds, OrderId, OrderKind, OrderRef, PartitionId,
    PlaceAlgoOrder, PlaceContractOrder, PlaceGoodTillDate, PositionSide, PriceTicks, QtyLots, Reference,
    SelfTradePrevention, Sequenced, Side, TimeInForce, TimeNs, TradeGroup, TriggerKind, Wallet, WorkingPrice,
};
use views::{AlgoOrder, AlgoStatus, Page, ViewSettings, Views};

use crate::restart::{loaded, saved};
use crate::world::{Random, terms};

const ACCOUNTS: u64 = 4;
const CONTRACTS: u32 = 2;

struct Flow {
    random: Random,
    partition: Partition,
    views: Views,
    time_ns: TimeNs,
    /// All events, with when they were told.
    told: Vec<(TimeNs, Event)>,
}

impl Flow {
    fn new(seed: u64, settings: &ViewSettings) -> Self {
        let mut flow = Self {
            random: Random::new(seed),
            partition: Partition::default(),
            views: Views::new(settings.clone()),
            time_ns: TimeNs::from_millis(1_700_000_000_000),
            told: Vec::new(),
        };
        for name in ["AAA", "BBB"] {
            let terms = AssetTerms { name: AssetName::new(name).unwrap(), scale: 8 };
            flow.run(Command::AddAsset(AddAsset { terms }));
        }
        for account in 1..=ACCOUNTS {
            let name = AccountName::new(&format!("account-{account}")).unwrap();
            flow.run(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
            let (account, asset, amount) = (AccountId(account), AssetId(1), Amount(100_000_000));
            let reference = Reference::new(&format!("chain:{account}")).unwrap();
            flow.run(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
            let (to, valid_until_ns) = (Wallet::Futures, TimeNs::NEVER);
            flow.run(Command::MoveFunds(Box::new(MoveFunds { account, asset, amount, to, valid_until_ns })));
        }
        for name in ["AAABBB_PERP", "AAABBB_ALSO"] {
            let mut terms = terms(name, 0, 1);
            terms.quote_atoms_per_tick_lot = Amount(10);
            let contract = ContractTerms {
                brackets: vec![Bracket {
                    cap: Amount(1_000_000_000_000),
                    max_leverage: 20,
                    maintenance_ppm: 10_000,
                }],
                default_leverage: 10,
                max_position_lots: QtyLots(1_000_000),
                funding_interval_hours: 8,
                funding_cap: FundingRate(0),
                funding_floor: FundingRate(0),
                interest: FundingRate(0),
                impact_notional: Amount(1_000_000),
                clearance_fee_ppm: 0,
                liquidation_step_lots: QtyLots(1),
                fund: AccountId(1),
                sources: vec![IndexSource { market: None, weight: 1 }],
                stale_after_ns: 1,
                outlier_ppm: 1_000_000,
            };
            let partition = PartitionId::FIRST;
            flow.run(Command::AddContract(Box::new(AddContract { terms, contract, partition })));
        }
        flow
    }

    fn run(&mut self, command: Command) {
        let seq = self.partition.seq().next();
        self.time_ns = TimeNs(self.time_ns.0 + self.random.below(1_000));
        let mut batch = EventBatch {
            first_seq: seq,
            time_ns: self.time_ns,
            first_event_seq: EventSeq(self.views.seq().0 + 1),
            ..EventBatch::default()
        };
        self.partition.apply(&Sequenced { seq, time_ns: self.time_ns, command }, &mut batch.events);
        batch.ends.push(u32::try_from(batch.events.len()).unwrap());
        self.told.extend(batch.events.iter().map(|event| (self.time_ns, event.clone())));
        self.views.apply(&batch);
    }

    fn name(&mut self) -> ClientOrderId {
        match self.random.below(8) {
            name @ 0..6 => ClientOrderId::new(&format!("algo-{name}")).unwrap(),
            _ => ClientOrderId::EMPTY,
        }
    }

    fn step(&mut self) -> Command {
        let account = AccountId(2 + self.random.below(ACCOUNTS - 1));
        let market = MarketId(u32::try_from(self.random.below(CONTRACTS.into())).unwrap());
        let side = if self.random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let mut price = || PriceTicks(490 + i64::try_from(self.random.below(21)).unwrap());
        let (limit, trigger_ticks) = (price(), price());
        let qty_lots = QtyLots(1 + i64::try_from(self.random.below(20)).unwrap());
        let (self_trade_prevention, valid_until_ns) = (SelfTradePrevention::None, TimeNs::NEVER);
        let kind = if self.random.below(3) == 0 {
            OrderKind::Market { qty_lots }
        } else {
            OrderKind::Limit { price_ticks: limit, qty_lots, time_in_force: TimeInForce::Gtc }
        };
        match self.random.below(12) {
            0..5 => Command::PlaceContractOrder(PlaceContractOrder {
                account,
                market,
                side,
                position_side: PositionSide::Both,
                kind,
                self_trade_prevention,
                reduce_only: self.random.below(6) == 0,
                client_order_id: ClientOrderId::EMPTY,
                valid_until_ns,
            }),
            5..10 => {
                let trigger = match self.random.below(3) {
                    0 => AlgoTrigger::Reaches { kind: TriggerKind::StopLoss, trigger_ticks },
                    1 => AlgoTrigger::Reaches { kind: TriggerKind::TakeProfit, trigger_ticks },
                    _ => AlgoTrigger::Trails {
                        activation_ticks: Some(trigger_ticks).filter(|_| self.random.below(2) == 0),
                        callback_permille: 5,
                    },
                };
                let places = match (trigger, self.random.below(3)) {
                    (AlgoTrigger::Trails { .. }, _) => {
                        AlgoPlaces::Order { kind: OrderKind::Market { qty_lots }, reduce_only: false }
                    }
                    (AlgoTrigger::Reaches { .. }, 0) => AlgoPlaces::ClosesPosition,
                    (AlgoTrigger::Reaches { .. }, _) => {
                        AlgoPlaces::Order { kind, reduce_only: self.random.below(3) == 0 }
                    }
                };
                Command::PlaceAlgoOrder(Box::new(PlaceAlgoOrder {
                    account,
                    market,
                    side,
                    position_side: PositionSide::Both,
                    trigger,
                    places,
                    working_price: WorkingPrice::Contract,
                    price_protect: false,
                    self_trade_prevention,
                    client_algo_id: self.name(),
                    valid_until_ns,
                }))
            }
            10 if self.random.below(4) == 0 => Command::PlaceGoodTillDate(Box::new(PlaceGoodTillDate {
                account,
                market,
                side,
                position_side: PositionSide::Both,
                price_ticks: limit,
                qty_lots,
                self_trade_prevention,
                reduce_only: self.random.below(2) == 0,
                client_order_id: ClientOrderId::EMPTY,
                good_till_ns: TimeNs(self.time_ns.0 + 1_000 + self.random.below(200_000)),
                valid_until_ns,
            })),
            10 => match self.random.below(14) {
                8.. => match self.views.contract_orders().open(account).last() {
                    Some(order) => Command::ModifyContractOrder(ModifyContractOrder {
                        account,
                        market: order.market,
                        order: OrderRef::Id(order.id),
                        price_ticks: limit,
                        qty_lots: order.executed_lots + qty_lots,
                        maker_only: false,
                        self_trade_prevention,
                        valid_until_ns,
                    }),
                    None => Command::Continue,
                },
                0 => Command::CancelAllAlgoOrders(CancelAllAlgoOrders { account, market, valid_until_ns }),
                1 => Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns }),
                _ => Command::Continue,
            },
            _ => {
                let algo = AlgoRef::Client(self.name());
                Command::CancelAlgoOrder(CancelAlgoOrder { account, algo, valid_until_ns })
            }
        }
    }

    /// Orders at contracts, modified ones too, are on the books as the views have them.
    fn orders_agree(&self) {
        let mut resting = Vec::new();
        for market in (0..CONTRACTS).map(MarketId) {
            for side in [Side::Buy, Side::Sell] {
                resting.extend(self.partition.queue(market, side).unwrap());
            }
        }
        let open = accounts().flat_map(|account| self.views.contract_orders().open(account));
        let mut seen: Vec<_> = open
            .map(|order| (order.id, order.account, order.price_ticks().unwrap(), order.open_lots()))
            .collect();
        resting.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, resting);
        let modified = self.told.iter().filter(|(_, event)| matches!(event, Event::ContractOrderModified(_)));
        assert!(modified.count() > 0, "some are modified");
        let dated = self.told.iter().filter_map(|(_, event)| match event {
            Event::GoodTillDate { order, good_till_ns, .. } => Some((*order, *good_till_ns)),
            _ => None,
        });
        let dated: BTreeMap<_, _> = dated.collect();
        assert!(!dated.is_empty(), "some have a date");
        let views = loaded(&ViewSettings::default(), &saved(&self.views));
        for (_, event) in &self.told {
            let Event::ContractOrderAccepted(accepted) = event else { continue };
            for views in [&self.views, &views] {
                let order = views.contract_orders().by_id(accepted.order).expect("it is kept");
                let at_contract = order.at_contract.expect("it is at a contract");
                assert_eq!(at_contract.good_till_ns, dated.get(&accepted.order).copied());
                assert_eq!(at_contract.reduce_only, accepted.reduce_only);
            }
        }
    }

    /// Everything that was ever accepted, worked out from all events, the obvious way.
    fn expected(&self) -> BTreeMap<AlgoId, Expected> {
        let mut orders: BTreeMap<AlgoId, Expected> = BTreeMap::new();
        for (over, (time_ns, event)) in (1..).zip(&self.told) {
            let of_order = |orders: &BTreeMap<AlgoId, Expected>, order: OrderId| {
                orders.iter().find(|(_, it)| it.order == Some(order)).map(|(algo, _)| *algo)
            };
            let (algo, status) = match event {
                Event::AlgoOrderAccepted(accepted) => {
                    orders.insert(accepted.algo, Expected::new(accepted, *time_ns));
                    continue;
                }
                Event::AlgoOrderTracks(tracks) => (Some(tracks.algo), AlgoStatus::New),
                Event::AlgoOrderTriggered(triggered) => {
                    let it = orders.get_mut(&triggered.algo).unwrap();
                    (it.order, it.over) = (Some(triggered.order), over);
                    (Some(triggered.algo), AlgoStatus::Triggering)
                }
                Event::AlgoOrderEnded(ended) => {
                    let it = orders.get_mut(&ended.algo).unwrap();
                    it.over = if it.over == 0 { over } else { it.over };
                    let status = match ended.reason {
                        AlgoEndReason::Canceled => AlgoStatus::Canceled,
                        AlgoEndReason::Refused { .. } => AlgoStatus::Rejected,
                        _ => AlgoStatus::Expired,
                    };
                    (Some(ended.algo), status)
                }
                Event::ContractOrderAccepted(accepted) => {
                    (of_order(&orders, accepted.order), AlgoStatus::Triggered)
                }
                Event::ContractFilled(filled) => {
                    let algo = of_order(&orders, filled.order);
                    if let Some(algo) = algo {
                        let it = orders.get_mut(&algo).unwrap();
                        it.executed += filled.qty_lots.0;
                        it.value += filled.qty_lots.0 * filled.price_ticks.0 * 10;
                    }
                    (algo, AlgoStatus::Triggered)
                }
                Event::OrderEnded(ended) => (of_order(&orders, ended.order), AlgoStatus::Finished),
                _ => continue,
            };
            if let Some(algo) = algo {
                let it = orders.get_mut(&algo).unwrap();
                (it.status, it.updated_ns) = (status, *time_ns);
            }
        }
        orders
    }
}

#[derive(Debug, PartialEq)]
struct Expected {
    account: AccountId,
    market: MarketId,
    name: ClientOrderId,
    status: AlgoStatus,
    accepted_ns: TimeNs,
    updated_ns: TimeNs,
    order: Option<OrderId>,
    executed: i64,
    value: i64,
    over: usize,
}

impl Expected {
    fn new(accepted: &model::AlgoOrder, time_ns: TimeNs) -> Self {
        Self {
            account: accepted.account,
            market: accepted.market,
            name: accepted.client_algo_id,
            status: AlgoStatus::New,
            accepted_ns: time_ns,
            updated_ns: time_ns,
            order: None,
            executed: 0,
            value: 0,
            over: 0,
        }
    }

    fn is(&self, order: &AlgoOrder) {
        let placed = order.placed;
        let seen = Self {
            account: order.accepted.account,
            market: order.accepted.market,
            name: order.accepted.client_algo_id,
            status: order.status,
            accepted_ns: order.accepted_ns,
            updated_ns: order.updated_ns,
            order: placed.map(|placed| placed.order),
            executed: placed.map_or(0, |placed| placed.executed_lots.0),
            value: placed.map_or(0, |placed| i64::try_from(placed.executed_value.0).unwrap()),
            over: self.over,
        };
        assert_eq!(&seen, self);
        assert_eq!(order.is_open(), self.over == 0);
        assert_eq!(order.reject.is_some(), self.status == AlgoStatus::Rejected);
    }
}

fn ids(orders: Vec<&AlgoOrder>) -> Vec<AlgoId> {
    orders.into_iter().map(|order| order.accepted.algo).collect()
}

fn accounts() -> impl Iterator<Item = AccountId> {
    (1..=ACCOUNTS).map(AccountId)
}

#[test]
fn algo_orders_are_what_was_told_of_them() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..12 {
        let settings = ViewSettings::default();
        let mut flow = Flow::new(seed, &settings);
        for _ in 0..400 {
            let command = flow.step();
            flow.run(command);
        }
        flow.orders_agree();
        let expected = flow.expected();
        let views = loaded(&settings, &saved(&flow.views));
        assert_eq!(saved(&views), saved(&flow.views));
        for views in [&flow.views, &views] {
            let view = views.algo_orders();
            for (algo, expected) in &expected {
                let order = view.by_id(*algo).expect("it is kept");
                expected.is(order);
                let is_at_market = matches!(expected.status, AlgoStatus::Triggering | AlgoStatus::Triggered);
                let by_order = expected.order.and_then(|order| view.by_order(order));
                assert_eq!(by_order.is_some(), is_at_market, "found by its order while that is open");
            }
            let open = accounts().flat_map(|account| ids(view.open(account)));
            let there: Vec<_> =
                flow.partition.algo_orders().map(|order| (order.account, order.algo)).collect();
            let mut by_account: Vec<_> = there.clone();
            by_account.sort_unstable();
            assert_eq!(open.collect::<Vec<_>>(), by_account.iter().map(|it| it.1).collect::<Vec<_>>());
            for (account, market) in
                accounts().flat_map(|account| (0..CONTRACTS).map(move |market| (account, MarketId(market))))
            {
                let of = |is: &dyn Fn(&Expected) -> bool| -> Vec<AlgoId> {
                    let here = expected.iter().filter(|(_, it)| it.account == account && it.market == market);
                    here.filter(|(_, it)| is(it)).map(|(algo, _)| *algo).collect()
                };
                let page = Page::last(10_000);
                assert_eq!(ids(view.open_in(account, market)), of(&|it| it.over == 0));
                assert_eq!(ids(view.past(account, market, &page)), of(&|it| it.over != 0));
                let all = of(&|_| true);
                assert_eq!(ids(view.all(account, market, &page)), all);
                let last: Vec<_> = all.iter().rev().take(3).rev().copied().collect();
                assert_eq!(ids(view.all(account, market, &Page::last(3))), last);
                if let Some(from) = all.get(2) {
                    assert_eq!(
                        ids(view.all(account, market, &Page::starting(*from, 2))),
                        all[2..].iter().take(2).copied().collect::<Vec<_>>()
                    );
                }
            }
            for account in accounts() {
                for name in 0..6 {
                    let name = ClientOrderId::new(&format!("algo-{name}")).unwrap();
                    let latest =
                        expected.iter().rev().find(|(_, it)| it.account == account && it.name == name);
                    let found = view.by_client_id(account, name).map(|order| order.accepted.algo);
                    assert_eq!(found, latest.map(|(algo, _)| *algo));
                }
                assert_eq!(view.by_client_id(account, ClientOrderId::EMPTY), None);
            }
        }
        for it in expected.values() {
            *seen.entry(format!("{:?}", it.status)).or_default() += 1;
        }
        let tracks = expected
            .keys()
            .filter(|algo| flow.views.algo_orders().by_id(**algo).unwrap().tracks_from.is_some());
        *seen.entry("tracks".into()).or_default() += u32::try_from(tracks.count()).unwrap();
    }
    for status in ["New", "Triggered", "Finished", "Canceled", "Expired", "Rejected", "tracks"] {
        assert!(seen.contains_key(status), "no order was {status}: {seen:?}");
    }
}

/// With small bounds those are forgotten first that stopped waiting first, and nobody who waits.
#[test]
fn what_is_over_is_forgotten_in_its_order() {
    let unbounded = ViewSettings::default();
    for settings in [
        ViewSettings { orders_kept_per_account: 3, ..ViewSettings::default() },
        ViewSettings { orders_kept: 7, ..ViewSettings::default() },
    ] {
        let mut flow = Flow::new(77, &settings);
        for step in 0..600 {
            let command = flow.step();
            flow.run(command);
            if step % 100 == 50 {
                flow.views = loaded(&settings, &saved(&flow.views));
            }
        }
        let mut expected = flow.expected();
        let mut by_end: Vec<_> =
            expected.iter().map(|(algo, it)| (it.over, it.account, it.market, *algo)).collect();
        by_end.retain(|(over, ..)| *over != 0);
        by_end.sort_unstable();
        assert!(by_end.len() > 50, "there is something to forget");
        let mut kept: BTreeMap<(AccountId, MarketId), usize> = BTreeMap::new();
        for (at, (_, account, market, algo)) in by_end.iter().rev().enumerate() {
            let here = kept.entry((*account, *market)).or_default();
            *here += 1;
            if *here > settings.orders_kept_per_account || at >= settings.orders_kept {
                expected.remove(algo);
            }
        }
        // Loaded with small settings, what was kept with large ones is cut to the same.
        let mut all = Views::new(unbounded.clone());
        let mut next = EventSeq(1);
        let mut seq = model::Seq(1);
        for (time_ns, event) in &flow.told {
            let batch = EventBatch {
                first_seq: seq,
                time_ns: *time_ns,
                first_event_seq: next,
                events: vec![event.clone()],
                ends: vec![1],
            };
            all.apply(&batch);
            (next, seq) = (next.next(), seq.next());
        }
        for views in [&flow.views, &loaded(&settings, &saved(&all))] {
            let view = views.algo_orders();
            for account in accounts() {
                for market in (0..CONTRACTS).map(MarketId) {
                    let here = expected.iter().filter(|(_, it)| it.account == account && it.market == market);
                    let here: Vec<_> = here.map(|(algo, _)| *algo).collect();
                    assert_eq!(ids(view.all(account, market, &Page::last(10_000))), here);
                }
            }
            for (algo, expected) in &expected {
                expected.is(view.by_id(*algo).expect("it is kept"));
            }
        }
    }
}
