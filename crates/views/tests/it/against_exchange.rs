//! The real state machine under random commands: what the views have put together from its events is what it has itself.

use std::collections::BTreeMap;

use exchange::Partition;
use model::{
    AccountId, AccountName, AddApiKey, AddAsset, AddMarket, AmendOrder, Amount, ApiKeyId, AssetId, AssetName,
    AssetTerms, CancelAllOrders, CancelOrder, CancelRestriction, ChangeApiKey, ClientOrderId, Command,
    CreateAccount, CreateApiKey, Deposit, Event, EventBatch, EventSeq, KeyKind, KeyLabel, MarketId, OrderId,
    OrderKind, OrderRef, PlaceOrder, PriceTicks, QtyLots, Reference, ReplaceMode, ReplaceOrder,
    RequestWithdrawal, RevokeApiKey, SelfTradePrevention, Seq, Sequenced, SettleWithdrawal, Side,
    TimeInForce, TimeNs, TradeGroup, TriggerKind, WithdrawalId,
};
use views::{OrderStatus, ViewSettings, Views};

use crate::world::{Random, terms};

const MARKETS: u64 = 3;
const ACCOUNTS: u64 = 5;

struct Flow {
    random: Random,
    partition: Partition,
    views: Views,
    time_ns: TimeNs,
    orders: u64,
    references: u64,
    seen: BTreeMap<&'static str, usize>,
}

impl Flow {
    fn new(seed: u64) -> Self {
        let mut flow = Self {
            random: Random::new(seed),
            partition: Partition::default(),
            views: Views::new(ViewSettings::default()),
            time_ns: TimeNs::from_millis(1_700_000_000_000),
            orders: 0,
            references: 0,
            seen: BTreeMap::new(),
        };
        let mut commands = Vec::new();
        for name in ["AAA", "BBB", "CCC"] {
            let terms = AssetTerms { name: AssetName::new(name).unwrap(), scale: 8 };
            commands.push(Command::AddAsset(AddAsset { terms }));
        }
        for (name, base, quote) in [("AAACCC", 0, 2), ("BBBCCC", 1, 2), ("BBBAAA", 1, 0)] {
            let mut terms = terms(name, base, quote);
            terms.quote_atoms_per_tick_lot = Amount(10);
            terms.max_amends_per_order = 3;
            terms.band_ppm = 100_000;
            commands.push(Command::AddMarket(Box::new(AddMarket { terms })));
        }
        for account in 1..=ACCOUNTS {
            let name = AccountName::new(&format!("account-{account}")).unwrap();
            let trade_group = TradeGroup(u32::from(account <= 2) * 7);
            commands.push(Command::CreateAccount(CreateAccount { name, trade_group }));
        }
        flow.run(&commands);
        for account in (1..=ACCOUNTS).map(AccountId) {
            for asset in (0..3).map(AssetId) {
                let deposit = flow.deposit(account, asset, 100_000_000);
                flow.run(&[deposit]);
            }
        }
        flow
    }

    fn deposit(&mut self, account: AccountId, asset: AssetId, amount: i128) -> Command {
        self.references += 1;
        let reference = Reference::new(&format!("chain:{}", self.references)).unwrap();
        Command::Deposit(Box::new(Deposit { account, asset, amount: Amount(amount), reference }))
    }

    fn run(&mut self, commands: &[Command]) {
        let first_seq = self.partition.seq().next();
        let mut batch = EventBatch {
            first_seq,
            time_ns: self.time_ns,
            first_event_seq: EventSeq(self.views.seq().0 + 1),
            ..EventBatch::default()
        };
        for (seq, command) in (first_seq.0..).zip(commands) {
            let input = Sequenced { seq: Seq(seq), time_ns: self.time_ns, command: command.clone() };
            self.partition.apply(&input, &mut batch.events);
            batch.ends.push(u32::try_from(batch.events.len()).unwrap());
        }
        for event in &batch.events {
            let name = match event {
                Event::OrderAccepted(accepted) => {
                    self.orders = self.orders.max(accepted.order.0);
                    "accepted"
                }
                Event::OrderFilled(_) => "filled",
                Event::OrderPrevented(_) => "prevented",
                Event::OrderAmended(_) => "amended",
                Event::OrderEnded(_) => "ended",
                Event::WithdrawalSettled(_) => "settled",
                Event::Rejected { .. } => "rejected",
                _ => "other",
            };
            *self.seen.entry(name).or_default() += 1;
        }
        self.views.apply(&batch);
    }

    fn step(&mut self) {
        self.time_ns.0 += self.random.below(3_000_000_000);
        let commands: Vec<Command> = (0..=self.random.below(3)).map(|_| self.command()).collect();
        self.run(&commands);
    }

    fn account(&mut self) -> AccountId {
        AccountId(1 + self.random.below(ACCOUNTS))
    }

    fn market(&mut self) -> MarketId {
        MarketId(u32::try_from(self.random.below(MARKETS)).unwrap())
    }

    /// Few enough names that they come again, and sometimes none.
    fn name(&mut self) -> ClientOrderId {
        if self.random.below(10) == 0 {
            return ClientOrderId::EMPTY;
        }
        ClientOrderId::new(&format!("name-{}", self.random.below(50))).unwrap()
    }

    fn command(&mut self) -> Command {
        let (account, market) = (self.account(), self.market());
        let asset = AssetId(u32::try_from(self.random.below(3)).unwrap());
        let valid_until_ns = TimeNs::NEVER;
        match self.random.below(50) {
            0 => self.deposit(account, asset, 1_000_000),
            1 => {
                self.references += 1;
                let reference = Reference::new(&format!("bank:{}", self.references)).unwrap();
                let amount = Amount(i128::from(self.random.below(200_000_000)));
                Command::RequestWithdrawal(Box::new(RequestWithdrawal { account, asset, amount, reference }))
            }
            2 => {
                let withdrawal = WithdrawalId(self.random.below(20));
                let paid_out = self.random.below(2) == 0;
                Command::SettleWithdrawal(SettleWithdrawal { withdrawal, paid_out })
            }
            3 if self.random.below(2) == 0 => {
                let key = ApiKeyId::new(&format!("key-{}", self.random.below(6))).unwrap();
                let (kind, label) = (KeyKind::Ed25519, KeyLabel::new("bot").unwrap());
                let (sealed, ip_ranges) = (vec![1], vec!["192.0.2.0/24".parse().unwrap()]);
                let permissions = 2;
                Command::AddApiKey(Box::new(AddApiKey {
                    account,
                    key,
                    kind,
                    sealed,
                    label,
                    permissions,
                    ip_ranges,
                }))
            }
            3 => {
                let key = ApiKeyId::new(&format!("key-{}", self.random.below(6))).unwrap();
                let sealed_secret = vec![1];
                Command::CreateApiKey(Box::new(CreateApiKey { account, key, sealed_secret, permissions: 1 }))
            }
            4 if self.random.below(2) == 0 => {
                let key = ApiKeyId::new(&format!("key-{}", self.random.below(6))).unwrap();
                let ip_ranges = vec!["2001:db8::/32".parse().unwrap()];
                Command::ChangeApiKey(Box::new(ChangeApiKey { key, permissions: 3, ip_ranges }))
            }
            4 => {
                let key = ApiKeyId::new(&format!("key-{}", self.random.below(6))).unwrap();
                Command::RevokeApiKey(RevokeApiKey { key })
            }
            5 => {
                let mut terms = *self.views.catalog().market(market).unwrap();
                terms.maker_fee_ppm = u32::try_from(self.random.below(10_000)).unwrap();
                Command::ChangeMarket(Box::new(AddMarket { terms }))
            }
            6 => Command::Tick,
            7 => Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns }),
            8..14 => {
                let order = self.reference();
                let restriction = CancelRestriction::None;
                Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
            }
            14..20 => {
                // The orders of somebody who has one: an amendment of nothing tests nothing.
                let open = self.views.orders().open(account);
                let Some(order) = open.get(self.random.index(open.len().max(1))) else {
                    return Command::Tick;
                };
                let (market, order) = (order.market, order.id);
                let new_qty_lots = QtyLots(1 + i64::try_from(self.random.below(300)).unwrap());
                let rename = self.random.below(2) == 0;
                let new_client_order_id = if rename { self.name() } else { ClientOrderId::EMPTY };
                Command::AmendOrder(AmendOrder {
                    account,
                    market,
                    order: OrderRef::Id(order),
                    new_qty_lots,
                    new_client_order_id,
                    valid_until_ns,
                })
            }
            20..24 => Command::ReplaceOrder(Box::new(ReplaceOrder {
                cancel: self.reference(),
                restriction: CancelRestriction::None,
                mode: [ReplaceMode::StopOnFailure, ReplaceMode::AllowFailure][self.random.index(2)],
                place: self.place(account, market),
            })),
            _ => Command::PlaceOrder(self.place(account, market)),
        }
    }

    fn reference(&mut self) -> OrderRef {
        let id = OrderId(self.orders.saturating_sub(self.random.below(60)));
        match self.random.below(3) {
            0 => OrderRef::Id(id),
            1 => OrderRef::Client(self.name()),
            _ => OrderRef::Both((id, self.name())),
        }
    }

    fn place(&mut self, account: AccountId, market: MarketId) -> PlaceOrder {
        let side = [Side::Buy, Side::Sell][self.random.index(2)];
        let middle = if side == Side::Buy { 470 } else { 500 };
        let price_ticks = PriceTicks(middle + i64::try_from(self.random.below(40)).unwrap());
        let qty_lots = QtyLots(1 + i64::try_from(self.random.below(400)).unwrap());
        let time_in_force =
            [TimeInForce::Gtc, TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok][self.random.index(4)];
        let trigger = [TriggerKind::StopLoss, TriggerKind::TakeProfit][self.random.index(2)];
        let (stop_ticks, trailing_bips) = if self.random.below(3) == 0 {
            (PriceTicks::ZERO, 200)
        } else {
            (price_ticks, [0, 200][self.random.index(2)])
        };
        let kind = match self.random.below(12) {
            10 => OrderKind::StopMarket { qty_lots, trigger, stop_ticks, trailing_bips },
            11 => OrderKind::StopLimit {
                price_ticks,
                qty_lots,
                time_in_force,
                trigger,
                stop_ticks,
                trailing_bips,
            },
            0 => OrderKind::Market { qty_lots },
            1 => {
                OrderKind::MarketQuote { quote_amount: Amount(1 + i128::from(self.random.below(2_000_000))) }
            }
            2 => OrderKind::LimitMaker { price_ticks, qty_lots },
            _ => OrderKind::Limit { price_ticks, qty_lots, time_in_force },
        };
        PlaceOrder {
            account,
            market,
            side,
            kind,
            self_trade_prevention: [
                SelfTradePrevention::None,
                SelfTradePrevention::ExpireMaker,
                SelfTradePrevention::ExpireTaker,
                SelfTradePrevention::ExpireBoth,
                SelfTradePrevention::Decrement,
                SelfTradePrevention::Transfer,
            ][self.random.index(6)],
            client_order_id: self.name(),
            valid_until_ns: TimeNs::NEVER,
        }
    }

    fn check(&self) {
        let Self { partition, views, .. } = self;
        for account in (1..=ACCOUNTS).map(AccountId) {
            for balance in partition.balances(account).unwrap() {
                let found = views.balances().balance(account, balance.asset);
                assert_eq!((found.free, found.held), (balance.free, balance.held), "{balance:?}");
            }
        }
        for asset in (0..3).map(AssetId) {
            let (found, expected) = (views.balances().totals(asset), partition.totals(asset).unwrap());
            assert!(found.conserved(Amount::ZERO), "{found:?}");
            assert_eq!(
                (found.deposited, found.withdrawn, found.free, found.held, found.fees),
                (expected.deposited, expected.withdrawn, expected.free, expected.held, expected.fees)
            );
        }
        self.check_catalog();
        let mut resting = 0;
        for (market, terms) in partition.catalog().markets() {
            let depth = views.depth(market);
            let bids = partition.levels(market, Side::Buy).unwrap();
            assert_eq!(depth.bids().collect::<Vec<_>>(), bids.collect::<Vec<_>>());
            let asks = partition.levels(market, Side::Sell).unwrap();
            assert_eq!(depth.asks().collect::<Vec<_>>(), asks.collect::<Vec<_>>());
            for side in [Side::Buy, Side::Sell] {
                for (id, account, price, open) in partition.queue(market, side).unwrap() {
                    let order = views.orders().by_id(id).expect("what rests is known");
                    assert!(order.is_open());
                    assert_eq!((order.account, order.market, order.side), (account, market, side));
                    assert_eq!((order.price_ticks(), order.open_lots()), (Some(price), open));
                    let named = views.orders().by_client_id(account, market, &order.client_order_id);
                    let nameless = order.client_order_id.is_empty();
                    assert_eq!(named.map(|order| order.id), (!nameless).then_some(id));
                    let held = match side {
                        Side::Buy => terms.notional(price, open),
                        Side::Sell => terms.base_amount(open),
                    };
                    assert_eq!(order.held, held);
                    resting += 1;
                }
            }
        }
        for place in partition.catalog().markets().flat_map(|(market, _)| partition.waiting(market).unwrap())
        {
            let order = views.orders().by_id(place.order).expect("what waits is known");
            assert_eq!((order.account, order.kind.trigger()), (place.account, place.kind.trigger()));
            assert_eq!((order.held, Some(order.open_lots())), (place.held, place.kind.qty_lots()));
            assert_eq!(order.working_ns(), None, "whoever waits takes no part in the market");
            resting += 1;
        }
        assert_eq!(views.orders().open_count(), resting, "what is open rests on a book, or waits");
        let open: usize = (1..=ACCOUNTS).map(|account| views.orders().open(AccountId(account)).len()).sum();
        assert_eq!(open, resting);
    }
}

impl Flow {
    fn check_catalog(&self) {
        let (catalog, expected) = (self.views.catalog(), self.partition.catalog());
        assert!(catalog.markets().eq(expected.markets()));
        for (market, terms) in expected.markets() {
            assert_eq!(catalog.market(market), Some(terms));
            assert_eq!(catalog.market_by_name(&terms.name), Some(market));
        }
        assert!(catalog.assets().eq(expected.assets()));
        for (asset, terms) in expected.assets() {
            assert_eq!(catalog.asset(asset), Some(terms));
            assert_eq!(catalog.asset_by_name(&terms.name), Some(asset));
        }
        let mut keys = 0;
        for (id, key) in self.partition.api_keys() {
            let found = catalog.key(id).expect("what the partition has was told");
            assert_eq!((found.account, found.permissions), (key.account, key.permissions));
            assert_eq!((found.kind, found.label, &found.ip_ranges), (key.kind, key.label, &key.ip_ranges));
            assert!(catalog.keys_of(key.account).any(|(other, _)| other == id));
            keys += 1;
        }
        let accounts = catalog.accounts().map(|(id, _)| id);
        assert_eq!(accounts.map(|id| catalog.keys_of(id).count()).sum::<usize>(), keys);
        for (id, account) in catalog.accounts() {
            assert_eq!(account.name.as_str(), format!("account-{id}"));
            assert_eq!(catalog.account_by_name(&account.name), Some(id));
            assert_eq!(catalog.account(id), Some(account));
        }
        assert_eq!(catalog.account(AccountId(0)), None);
        assert_eq!(catalog.account(AccountId(ACCOUNTS + 1)), None);
        assert_eq!(catalog.accounts().len(), usize::try_from(ACCOUNTS).unwrap());
    }
}

#[test]
fn the_views_have_what_the_partition_has() {
    let mut seen = BTreeMap::<&str, usize>::new();
    let mut statuses = BTreeMap::<String, usize>::new();
    for seed in 500..510 {
        println!("seed {seed}");
        let mut flow = Flow::new(seed);
        for _ in 0..400 {
            flow.step();
            flow.check();
        }
        for (name, count) in flow.seen {
            *seen.entry(name).or_default() += count;
        }
        for order in (1..=flow.orders).filter_map(|id| flow.views.orders().by_id(OrderId(id))) {
            *statuses.entry(format!("{:?}", order.status())).or_default() += 1;
        }
    }
    for name in ["accepted", "filled", "prevented", "amended", "ended", "settled", "rejected"] {
        assert!(seen[name] > 20, "{name} is rare: {seen:?}");
    }
    for status in [
        OrderStatus::New,
        OrderStatus::PartiallyFilled,
        OrderStatus::Filled,
        OrderStatus::Canceled,
        OrderStatus::Expired,
        OrderStatus::ExpiredInMatch,
    ] {
        assert!(statuses[&format!("{status:?}")] > 5, "{status:?} is rare: {statuses:?}");
    }
}
