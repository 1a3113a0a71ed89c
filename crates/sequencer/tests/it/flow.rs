//! Random commands, each different from every other by its bytes, so that one that is done twice shows. They hit and miss:
//! orders trade, rest, are cancelled, are refused.

use model::{
    AccountId, AccountName, AddApiKey, AddAsset, AddMarket, AmendOrder, Amount, ApiKeyId, AssetId, AssetName,
    AssetTerms, CancelAllOrders, CancelOrder, CancelRestriction, ClientOrderId, Command, CreateAccount,
    CreateApiKey, Deposit, FeeRounding, KeyKind, KeyLabel, MarketId, MarketName, MarketStatus, MarketTerms,
    OrderId, OrderKind, OrderRef, PlaceOrder, PriceTicks, QtyLots, Reference, ReplaceMode, ReplaceOrder,
    RequestWithdrawal, RevokeApiKey, SelfTradePrevention, SettleWithdrawal, Side, TimeInForce, TimeNs,
    TradeGroup, WithdrawalId,
};

/// Splitmix64.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From 0 to below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    fn signed(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }
}

/// Where the commands come from.
pub struct Flow {
    pub random: Random,
    /// Sealed secrets of a kilobyte fill a segment soon.
    secrets: bool,
    unique: u64,
    orders: u64,
    requested: u64,
    settled: u64,
    keys: Vec<ApiKeyId>,
}

pub fn account(name: &str) -> Command {
    Command::CreateAccount(CreateAccount {
        name: AccountName::new(name).unwrap(),
        trade_group: TradeGroup::NONE,
    })
}

/// In `apply` it breaks an invariant, see the feature `planted-panic` of `exchange`.
pub fn poison() -> Command {
    account("plant-a-panic")
}

fn market(name: &str, base: u32, quote: u32) -> Command {
    Command::AddMarket(Box::new(AddMarket { terms: terms(name, base, quote) }))
}

pub fn terms(name: &str, base: u32, quote: u32) -> MarketTerms {
    MarketTerms {
        name: MarketName::new(name).unwrap(),
        base: AssetId(base),
        quote: AssetId(quote),
        price_scale: 2,
        tick_size: 1,
        base_atoms_per_lot: Amount(1_000),
        quote_atoms_per_tick_lot: Amount(10),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(1_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(1_000_000),
        min_notional: Amount(0),
        max_notional: Amount(0),
        max_open_orders: 100_000,
        max_open_orders_per_account: 200,
        max_amends_per_order: 10,
        maker_fee_ppm: 1_000,
        taker_fee_ppm: 2_000,
        fee_rounding: FeeRounding::Up,
        band_ppm: 100_000,
        initial_reference_ticks: PriceTicks(500),
        status: MarketStatus::Trading,
    }
}

const ACCOUNTS: u64 = 4;

/// What has to be there before anybody trades.
pub fn preparation() -> Vec<Command> {
    let mut commands = Vec::new();
    for name in ["AAA", "BBB", "CCC"] {
        let terms = AssetTerms { name: AssetName::new(name).unwrap(), scale: 8 };
        commands.push(Command::AddAsset(AddAsset { terms }));
    }
    commands.push(market("AAACCC", 0, 2));
    commands.push(market("BBBCCC", 1, 2));
    for number in 1..=ACCOUNTS {
        commands.push(account(&format!("first-{number}")));
        for asset in 0..3 {
            commands.push(Command::Deposit(Box::new(Deposit {
                account: AccountId(number),
                asset: AssetId(asset),
                amount: Amount(10_000_000),
                reference: Reference::new(&format!("first-{number}-{asset}")).unwrap(),
            })));
        }
    }
    commands
}

impl Flow {
    pub fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        Self { random, secrets: false, unique: 0, orders: 1, requested: 0, settled: 0, keys: Vec::new() }
    }

    /// Every other command has a kilobyte.
    pub fn with_secrets(seed: u64) -> Self {
        Self { secrets: true, ..Self::new(seed) }
    }

    pub fn take(&mut self, count: usize) -> Vec<Command> {
        (0..count).map(|_| self.next()).collect()
    }

    pub fn next(&mut self) -> Command {
        self.unique += 1;
        let owner = AccountId(1 + self.random.below(ACCOUNTS));
        if self.secrets && self.random.below(2) == 0 {
            return self.create_api_key(owner);
        }
        match self.random.below(20) {
            0 => account(&format!("account-{}", self.unique)),
            1 => Command::Deposit(Box::new(Deposit {
                account: owner,
                asset: AssetId(u32::try_from(self.random.below(4)).unwrap()),
                amount: Amount(self.random.signed(100_000).into()),
                reference: Reference::new(&format!("deposit-{:080}", self.unique)).unwrap(),
            })),
            2 => {
                self.requested += 1;
                Command::RequestWithdrawal(Box::new(RequestWithdrawal {
                    account: owner,
                    asset: AssetId(u32::try_from(self.random.below(3)).unwrap()),
                    amount: Amount(self.random.signed(100_000).into()),
                    reference: Reference::new(&format!("withdrawal-{}", self.unique)).unwrap(),
                }))
            }
            3 if self.settled < self.requested => {
                self.settled += 1;
                Command::SettleWithdrawal(SettleWithdrawal {
                    withdrawal: WithdrawalId(self.settled),
                    paid_out: self.random.below(2) == 0,
                })
            }
            4 => self.create_api_key(owner),
            5 if !self.keys.is_empty() => {
                let at = self.random.index(self.keys.len());
                Command::RevokeApiKey(RevokeApiKey { key: self.keys.swap_remove(at) })
            }
            6 => Command::CancelAllOrders(CancelAllOrders {
                account: owner,
                market: self.market(),
                valid_until_ns: self.deadline(),
            }),
            7 | 8 => Command::CancelOrder(CancelOrder {
                account: owner,
                market: self.market(),
                order: self.order(),
                restriction: CancelRestriction::None,
                valid_until_ns: self.deadline(),
            }),
            9 => Command::AmendOrder(AmendOrder {
                account: owner,
                market: self.market(),
                order: self.order(),
                new_qty_lots: QtyLots(1 + self.random.signed(5)),
                new_client_order_id: ClientOrderId::EMPTY,
                valid_until_ns: self.deadline(),
            }),
            10 => Command::ReplaceOrder(Box::new(ReplaceOrder {
                cancel: self.order(),
                restriction: CancelRestriction::None,
                mode: ReplaceMode::AllowFailure,
                place: self.place(owner),
            })),
            _ => Command::PlaceOrder(self.place(owner)),
        }
    }

    fn create_api_key(&mut self, account: AccountId) -> Command {
        let key = ApiKeyId::new(&format!("key-{}", self.unique)).unwrap();
        self.keys.push(key);
        let byte = u8::try_from(self.random.below(255)).unwrap();
        if self.random.below(2) == 0 {
            let (kind, label) = (KeyKind::Ed25519, KeyLabel::new("bot").unwrap());
            let (sealed, ip_ranges) = (vec![byte; 1_000], vec!["2001:db8::/32".parse().unwrap()]);
            let permissions = 1;
            return Command::AddApiKey(Box::new(AddApiKey {
                account,
                key,
                kind,
                sealed,
                label,
                permissions,
                ip_ranges,
            }));
        }
        Command::CreateApiKey(Box::new(CreateApiKey {
            account,
            key,
            sealed_secret: vec![byte; 1_000],
            permissions: 1,
        }))
    }

    fn place(&mut self, account: AccountId) -> PlaceOrder {
        self.orders += 1;
        let qty_lots = QtyLots(1 + self.random.signed(20));
        let price_ticks = PriceTicks(490 + self.random.signed(21));
        PlaceOrder {
            account,
            market: self.market(),
            side: [Side::Buy, Side::Sell][self.random.index(2)],
            kind: match self.random.below(8) {
                0 => OrderKind::Market { qty_lots },
                1 => OrderKind::MarketQuote { quote_amount: Amount(qty_lots.0.into()) },
                2 => OrderKind::LimitMaker { price_ticks, qty_lots },
                3 => OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Ioc },
                4 => OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Fok },
                _ => OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Gtc },
            },
            self_trade_prevention: [SelfTradePrevention::None, SelfTradePrevention::ExpireMaker]
                [self.random.index(2)],
            client_order_id: ClientOrderId::new(&format!("order-{}", self.unique)).unwrap(),
            valid_until_ns: self.deadline(),
        }
    }

    fn market(&mut self) -> MarketId {
        MarketId(u32::try_from(self.random.below(2)).unwrap())
    }

    fn order(&mut self) -> OrderRef {
        OrderRef::Id(OrderId(1 + self.random.below(self.orders)))
    }

    /// Never reached, and no two are the same.
    fn deadline(&self) -> TimeNs {
        TimeNs(TimeNs::NEVER.0 - self.unique)
    }
}
