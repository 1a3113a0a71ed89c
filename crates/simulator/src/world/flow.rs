//! What the clients of a world ask for: few accounts, few markets and narrow prices, so that everything meets. Clients know
//! what they were told, and now and then try what they were not.

use std::collections::BTreeMap;

use model::{
    AccountId, AccountName, AddAsset, AddMarket, AddMarketTo, AmendOrder, Amount, AssetId, AssetName,
    AssetTerms, CancelAllOrders, CancelOrder, CancelRestriction, ClientOrderId, Command, CreateAccount,
    Deposit, Event, FeeRounding, MarketId, MarketName, MarketStatus, MarketTerms, MoveMarket, OrderAccepted,
    OrderId, OrderKind, OrderRef, PartitionId, Partitions, PlaceOrder, PriceTicks, QtyLots, Reference,
    ReplaceMode, ReplaceOrder, RequestWithdrawal, SelfTradePrevention, SettleWithdrawal, Side, TimeInForce,
    TimeNs, TradeGroup, TriggerKind, WithdrawalId,
};

use crate::random::Random;

/// Accounts, assets and markets that a world begins with.
const ACCOUNTS: u64 = 6;
const ASSETS: u32 = 4;
const MARKETS: u32 = 3;
/// In a hundred things that are asked for, these are the first that are amendments, and that move a market.
const AMEND: u32 = 80;
const MOVE: u32 = 95;
/// More markets are not listed.
const MOST_MARKETS: u32 = 5;

/// Whether clients wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Everybody asks when he likes.
    AtOnce,
    /// Nobody asks before everything else is done.
    InTurn,
}

pub struct Flow {
    random: Random,
    pace: Pace,
    /// One market moves on as soon as it has arrived, again and again.
    restless: bool,
    unique: u32,
    /// Markets that were asked for.
    asked_markets: u32,
    accounts: Vec<AccountId>,
    markets: BTreeMap<MarketId, MarketTerms>,
    /// In the order in which their owners were told.
    orders: Vec<OrderAccepted>,
    withdrawals: BTreeMap<WithdrawalId, Reference>,
}

/// Where a command is sequenced.
pub fn home(partitions: &Partitions, command: &Command) -> PartitionId {
    match command {
        Command::Deposit(deposit) => partitions.home(deposit.account),
        Command::RequestWithdrawal(request) => partitions.home(request.account),
        Command::SettleWithdrawal(settle) => settle.withdrawal.partition(),
        Command::PlaceOrder(place) => partitions.home(place.account),
        Command::CancelOrder(cancel) => partitions.home(cancel.account),
        Command::CancelAllOrders(cancel) => partitions.home(cancel.account),
        Command::ReplaceOrder(replace) => partitions.home(replace.place.account),
        Command::AmendOrder(amend) => partitions.home(amend.account),
        _ => PartitionId::FIRST,
    }
}

impl Flow {
    pub fn new(seed: u64, pace: Pace) -> Self {
        let mut random = Random::new(seed, 1);
        let restless = random.permille(150);
        Self {
            random,
            pace,
            restless,
            unique: 0,
            asked_markets: MARKETS,
            accounts: (1..=ACCOUNTS).map(AccountId).collect(),
            markets: BTreeMap::new(),
            orders: Vec::new(),
            withdrawals: BTreeMap::new(),
        }
    }

    /// Assets, markets, accounts and their money.
    pub fn preparation(&mut self, partitions: u8) -> Vec<Command> {
        let mut commands = Vec::new();
        for asset in 0..ASSETS {
            let name = AssetName::new(&format!("A{asset}")).expect("short");
            commands.push(Command::AddAsset(AddAsset { terms: AssetTerms { name, scale: 8 } }));
        }
        for market in 0..MARKETS {
            let partition = PartitionId(u8::try_from(market).expect("few") % partitions);
            let terms = self.terms(market);
            self.markets.insert(MarketId(market), terms);
            commands.push(Command::AddMarketTo(Box::new(AddMarketTo { terms, partition })));
        }
        for account in 1..=ACCOUNTS {
            let name = AccountName::new(&format!("trader-{account}")).expect("short");
            // Two and three do not trade with each other when an order asks for that.
            let trade_group = if account / 2 == 1 { TradeGroup(7) } else { TradeGroup::NONE };
            commands.push(Command::CreateAccount(CreateAccount { name, trade_group }));
            for asset in 0..ASSETS {
                commands.push(Command::Deposit(Box::new(Deposit {
                    account: AccountId(account),
                    asset: AssetId(asset),
                    amount: Amount([12_000, 60_000, 40_000_000, 40_000_000][self.choice(4)]),
                    reference: Reference::new(&format!("{account}-{asset}")).expect("short"),
                })));
            }
        }
        commands
    }

    /// Somebody was told of this.
    pub fn learn(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::AccountCreated { account, .. } if !self.accounts.contains(account) => {
                    self.accounts.push(*account);
                }
                Event::MarketAdded { market, terms } => {
                    self.markets.insert(*market, **terms);
                }
                Event::OrderAccepted(order) => self.orders.push(order.clone()),
                Event::WithdrawalRequested(requested) => {
                    self.withdrawals.insert(requested.withdrawal, requested.reference);
                }
                _ => {}
            }
        }
    }

    /// The reference of a withdrawal that somebody was told of.
    pub fn withdrawal(&self, withdrawal: WithdrawalId) -> Option<Reference> {
        self.withdrawals.get(&withdrawal).copied()
    }

    /// What somebody asks for next, of an exchange with so many partitions.
    pub fn next(&mut self, partitions: u8, now_ns: TimeNs) -> Command {
        self.unique += 1;
        let whose = self.choice(self.accounts.len());
        let account = self.accounts[whose];
        let mut market = self.market();
        let valid_until_ns = self.deadline(now_ns);
        // In turn no market stands still for long, so more of them move, and more orders change that have moved.
        let what = match self.pace {
            _ if self.restless && self.random.permille(300) => {
                market = MarketId(0);
                MOVE
            }
            Pace::InTurn if self.random.permille(200) => [AMEND, MOVE][self.choice(2)],
            Pace::AtOnce | Pace::InTurn => self.random.below(100),
        };
        match what {
            0..56 => Command::PlaceOrder(self.place(account, market, valid_until_ns)),
            56..70 => {
                let (account, market, order) = self.known(account, market);
                let restriction = self.restriction();
                Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
            }
            70..74 => Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns }),
            74..80 => {
                let (account, market, cancel) = self.known(account, market);
                let mode = [ReplaceMode::AllowFailure, ReplaceMode::StopOnFailure][self.choice(2)];
                let place = self.place(account, market, valid_until_ns);
                let restriction = self.restriction();
                Command::ReplaceOrder(Box::new(ReplaceOrder { cancel, restriction, mode, place }))
            }
            AMEND..84 => {
                let (account, market, order) = self.known(account, market);
                let new_qty_lots = QtyLots(i64::from(1 + self.random.below(6)));
                let new_client_order_id = self.name();
                Command::AmendOrder(AmendOrder {
                    account,
                    market,
                    order,
                    new_qty_lots,
                    new_client_order_id,
                    valid_until_ns,
                })
            }
            84..88 => {
                // Sometimes one that was asked for before, perhaps by another account.
                let reference = format!("late-{}", self.random.below(self.unique) / 2);
                Command::Deposit(Box::new(Deposit {
                    account,
                    asset: AssetId(self.random.below(ASSETS)),
                    amount: Amount([i128::from(1 + self.random.below(1_000)), 30_000][self.choice(2)]),
                    reference: Reference::new(&reference).expect("short"),
                }))
            }
            88..91 => {
                let reference = format!("out-{}", self.random.below(self.unique) / 2);
                Command::RequestWithdrawal(Box::new(RequestWithdrawal {
                    account,
                    asset: AssetId(self.random.below(ASSETS)),
                    amount: Amount(i128::from(1 + self.random.below(30_000))),
                    reference: Reference::new(&reference).expect("short"),
                }))
            }
            91..93 => {
                let withdrawal = self.some_withdrawal(partitions);
                let paid_out = self.random.permille(500);
                Command::SettleWithdrawal(SettleWithdrawal { withdrawal, paid_out })
            }
            93..95 => Command::ChangeMarket(Box::new(AddMarket { terms: self.terms(market.0) })),
            MOVE..97 => {
                let to = PartitionId(u8::try_from(self.choice(usize::from(partitions))).expect("few"));
                Command::MoveMarket(MoveMarket { market, to })
            }
            97..99 if self.asked_markets < MOST_MARKETS => {
                let terms = self.terms(self.asked_markets);
                self.asked_markets += 1;
                let partition = PartitionId(u8::try_from(self.choice(usize::from(partitions))).expect("few"));
                Command::AddMarketTo(Box::new(AddMarketTo { terms, partition }))
            }
            _ => {
                let name = AccountName::new(&format!("late-{}", self.unique)).expect("short");
                Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE })
            }
        }
    }

    fn choice(&mut self, among: usize) -> usize {
        self.random.below(u32::try_from(among).expect("few")) as usize
    }

    /// One that is listed, mostly.
    fn market(&mut self) -> MarketId {
        if self.random.permille(30) {
            return MarketId(self.random.below(self.asked_markets + 1));
        }
        let at = self.choice(self.markets.len());
        self.markets.keys().nth(at).copied().unwrap_or(MarketId(0))
    }

    /// None, mostly. Who waits for others may be late for no fault of his own.
    fn deadline(&mut self, now_ns: TimeNs) -> TimeNs {
        match self.pace {
            Pace::AtOnce if self.random.permille(50) => {
                TimeNs(now_ns.0 + u64::from(self.random.below(20_000_000)))
            }
            Pace::AtOnce | Pace::InTurn => TimeNs::NEVER,
        }
    }

    fn restriction(&mut self) -> CancelRestriction {
        [
            CancelRestriction::None,
            CancelRestriction::None,
            CancelRestriction::None,
            CancelRestriction::OnlyNew,
            CancelRestriction::OnlyPartiallyFilled,
        ][self.choice(5)]
    }

    /// A new name, or one that was used before, or none.
    fn name(&mut self) -> ClientOrderId {
        if self.random.permille(100) {
            return ClientOrderId::EMPTY;
        }
        let name = if self.random.permille(300) { self.random.below(self.unique) } else { self.unique };
        ClientOrderId::new(&format!("order-{name}")).expect("short")
    }

    fn place(&mut self, account: AccountId, market: MarketId, valid_until_ns: TimeNs) -> PlaceOrder {
        let qty_lots = QtyLots(i64::from(1 + self.random.below(9)));
        let price_ticks = PriceTicks(i64::from(96 + self.random.below(9)));
        let limit = |time_in_force| OrderKind::Limit { price_ticks, qty_lots, time_in_force };
        PlaceOrder {
            account,
            market,
            side: [Side::Buy, Side::Sell][self.choice(2)],
            kind: match self.random.below(12) {
                10 => OrderKind::StopMarket {
                    qty_lots,
                    trigger: [TriggerKind::StopLoss, TriggerKind::TakeProfit][self.choice(2)],
                    stop_ticks: price_ticks,
                    trailing_bips: 0,
                },
                11 => OrderKind::StopLimit {
                    price_ticks,
                    qty_lots,
                    time_in_force: TimeInForce::Gtc,
                    trigger: [TriggerKind::StopLoss, TriggerKind::TakeProfit][self.choice(2)],
                    stop_ticks: PriceTicks::ZERO,
                    trailing_bips: 100,
                },
                0 => OrderKind::Market { qty_lots },
                1 => OrderKind::MarketQuote { quote_amount: Amount(i128::from(qty_lots.0) * 1_000) },
                2 => OrderKind::LimitMaker { price_ticks, qty_lots },
                3 => limit(TimeInForce::Ioc),
                4 => limit(TimeInForce::Fok),
                _ => limit(TimeInForce::Gtc),
            },
            self_trade_prevention: match self.random.below(8) {
                0 => SelfTradePrevention::ExpireMaker,
                1 => SelfTradePrevention::ExpireTaker,
                2 => SelfTradePrevention::ExpireBoth,
                3 => SelfTradePrevention::Decrement,
                4 => SelfTradePrevention::Transfer,
                _ => SelfTradePrevention::None,
            },
            client_order_id: self.name(),
            valid_until_ns,
        }
    }

    /// Some order that somebody was told of, mostly; it may have ended long ago. In turn it goes by its name, which is the same
    /// however many partitions there are.
    fn known(&mut self, account: AccountId, market: MarketId) -> (AccountId, MarketId, OrderRef) {
        if self.orders.is_empty() || self.random.permille(100) {
            let order = match self.pace {
                Pace::AtOnce => OrderRef::Id(OrderId(u64::from(1 + self.random.below(9)))),
                Pace::InTurn => OrderRef::Client(self.name()),
            };
            return (account, market, order);
        }
        // The later ones are more likely to be there.
        let back = self.choice(12);
        let order = &self.orders[self.orders.len().saturating_sub(1 + back)];
        let (account, market, id, name) = (order.account, order.market, order.order, order.client_order_id);
        let by_name = self.pace == Pace::InTurn || self.random.permille(200);
        (account, market, if by_name { OrderRef::Client(name) } else { OrderRef::Id(id) })
    }

    /// One that somebody was told of; at once, also one that nobody was told of.
    fn some_withdrawal(&mut self, partitions: u8) -> WithdrawalId {
        if !self.withdrawals.is_empty() && (self.pace == Pace::InTurn || self.random.permille(700)) {
            let at = self.choice(self.withdrawals.len());
            return *self.withdrawals.keys().nth(at).expect("it is one of them");
        }
        let of = PartitionId(u8::try_from(self.choice(usize::from(partitions))).expect("few"));
        let first = WithdrawalId::first_of(of);
        match self.pace {
            Pace::AtOnce => WithdrawalId(first.0 + u64::from(self.random.below(3))),
            Pace::InTurn => WithdrawalId(first.0 + (1 << 40)),
        }
    }

    /// Terms of the market of that number: what may be changed is as it comes, mostly so that there is trade.
    fn terms(&mut self, market: u32) -> MarketTerms {
        let is_listed = self.markets.contains_key(&MarketId(market));
        let status = match self.random.below(6) {
            0 if is_listed => MarketStatus::Halt,
            1 if is_listed => MarketStatus::CancelOnly,
            _ => MarketStatus::Trading,
        };
        let (min_price_ticks, max_price_ticks) = [(1, 1_000_000), (1, 1_000_000), (98, 102)][self.choice(3)];
        MarketTerms {
            name: MarketName::new(&format!("M{market}")).expect("short"),
            base: AssetId(1 + market % (ASSETS - 1)),
            quote: AssetId(0),
            price_scale: 2,
            tick_size: 1,
            base_atoms_per_lot: Amount(1_000),
            quote_atoms_per_tick_lot: Amount(10),
            min_price_ticks: PriceTicks(min_price_ticks),
            max_price_ticks: PriceTicks(max_price_ticks),
            min_qty_lots: QtyLots(1),
            max_qty_lots: QtyLots(1_000_000),
            min_notional: Amount::ZERO,
            max_notional: Amount::ZERO,
            max_open_orders: [1_000_000, 1_000_000, 8][self.choice(3)],
            max_open_orders_per_account: [1_000, 1_000, 4][self.choice(3)],
            max_amends_per_order: [10, 1][self.choice(2)],
            maker_fee_ppm: [0, 1_000, 333_333][self.choice(3)],
            taker_fee_ppm: [0, 2_000, 1_000_000][self.choice(3)],
            fee_rounding: [FeeRounding::Up, FeeRounding::HalfUp, FeeRounding::Down][self.choice(3)],
            band_ppm: [0, 10_000, 100_000][self.choice(3)],
            initial_reference_ticks: PriceTicks(100),
            status,
        }
    }
}
