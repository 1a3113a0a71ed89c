//! What the clients of a world ask for: few accounts, few markets and narrow prices, so that everything meets.

use std::collections::BTreeMap;

use model::{
    AccountId, AccountName, AddAsset, AddMarket, AddMarketTo, AmendOrder, Amount, AssetId, AssetName,
    AssetTerms, CancelAllOrders, CancelOrder, CancelRestriction, ClientOrderId, Command, CreateAccount,
    Deposit, Event, FeeRounding, MarketId, MarketName, MarketStatus, MarketTerms, MoveMarket, OrderId,
    OrderKind, OrderRef, PartitionId, Partitions, PlaceOrder, PriceTicks, QtyLots, Reference, ReplaceMode,
    ReplaceOrder, RequestWithdrawal, SelfTradePrevention, SettleWithdrawal, Side, TimeInForce, TimeNs,
    TradeGroup, WithdrawalId,
};

use super::node::Told;
use crate::random::Random;

const ACCOUNTS: u32 = 6;
const MARKETS: u32 = 3;

pub struct Flow {
    random: Random,
    partitions: Partitions,
    unique: u32,
}

impl Flow {
    pub fn new(seed: u64, count: u8) -> Self {
        let mut partitions = Partitions::default();
        for _ in 1..count {
            partitions.add(AccountId(1));
        }
        Self { random: Random::new(seed, 1), partitions, unique: 0 }
    }

    /// Where a command is sequenced.
    pub fn home(&self, command: &Command) -> PartitionId {
        match command {
            Command::Deposit(deposit) => self.partitions.home(deposit.account),
            Command::RequestWithdrawal(request) => self.partitions.home(request.account),
            Command::SettleWithdrawal(settle) => settle.withdrawal.partition(),
            Command::PlaceOrder(place) => self.partitions.home(place.account),
            Command::CancelOrder(cancel) => self.partitions.home(cancel.account),
            Command::CancelAllOrders(cancel) => self.partitions.home(cancel.account),
            Command::ReplaceOrder(replace) => self.partitions.home(replace.place.account),
            Command::AmendOrder(amend) => self.partitions.home(amend.account),
            _ => PartitionId::FIRST,
        }
    }

    /// Assets, markets, accounts and their money.
    pub fn preparation(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        for asset in 0..=MARKETS {
            let name = AssetName::new(&format!("A{asset}")).expect("short");
            commands.push(Command::AddAsset(AddAsset { terms: AssetTerms { name, scale: 8 } }));
        }
        for market in 0..MARKETS {
            let partition = PartitionId(u8::try_from(market).expect("few") % self.partitions.count());
            let terms = terms(market, MarketStatus::Trading);
            commands.push(Command::AddMarketTo(AddMarketTo { terms, partition }));
        }
        for account in 1..=ACCOUNTS {
            let name = AccountName::new(&format!("trader-{account}")).expect("short");
            // Two and three do not trade with each other when an order asks for that.
            let trade_group = if account / 2 == 1 { TradeGroup(7) } else { TradeGroup::NONE };
            commands.push(Command::CreateAccount(CreateAccount { name, trade_group }));
            for asset in 0..=MARKETS {
                commands.push(Command::Deposit(Deposit {
                    account: AccountId(u64::from(account)),
                    asset: AssetId(asset),
                    amount: Amount(40_000_000),
                    reference: Reference::new(&format!("{account}-{asset}")).expect("short"),
                }));
            }
        }
        commands
    }

    pub fn next(&mut self, told: &BTreeMap<u32, Told>) -> Command {
        self.unique += 1;
        let account = AccountId(u64::from(1 + self.random.below(ACCOUNTS)));
        let market = MarketId(self.random.below(MARKETS));
        let valid_until_ns = TimeNs::NEVER;
        match self.random.below(100) {
            0..58 => Command::PlaceOrder(self.place(account, market)),
            58..72 => {
                let (account, market, order) = self.known(told, account, market);
                let restriction = CancelRestriction::None;
                Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
            }
            72..76 => Command::CancelAllOrders(CancelAllOrders { account, market, valid_until_ns }),
            76..82 => {
                let (account, market, cancel) = self.known(told, account, market);
                let mode = if self.random.permille(500) {
                    ReplaceMode::AllowFailure
                } else {
                    ReplaceMode::StopOnFailure
                };
                let place = self.place(account, market);
                let restriction = CancelRestriction::None;
                Command::ReplaceOrder(ReplaceOrder { cancel, restriction, mode, place })
            }
            82..86 => {
                let (account, market, order) = self.known(told, account, market);
                let new_qty_lots = QtyLots(i64::from(1 + self.random.below(6)));
                let new_client_order_id = ClientOrderId::EMPTY;
                Command::AmendOrder(AmendOrder {
                    account,
                    market,
                    order,
                    new_qty_lots,
                    new_client_order_id,
                    valid_until_ns,
                })
            }
            86..89 => {
                // Sometimes one that was asked for before, perhaps by another account.
                let reference = format!("late-{}", self.random.below(self.unique) / 2);
                Command::Deposit(Deposit {
                    account,
                    asset: AssetId(self.random.below(MARKETS + 1)),
                    amount: Amount(i128::from(1 + self.random.below(1_000))),
                    reference: Reference::new(&reference).expect("short"),
                })
            }
            89..92 => {
                let reference = format!("out-{}", self.random.below(self.unique) / 2);
                Command::RequestWithdrawal(RequestWithdrawal {
                    account,
                    asset: AssetId(self.random.below(MARKETS + 1)),
                    amount: Amount(i128::from(1 + self.random.below(1_000))),
                    reference: Reference::new(&reference).expect("short"),
                })
            }
            92..94 => {
                let of =
                    PartitionId(u8::try_from(self.random.below(3)).expect("few") % self.partitions.count());
                let withdrawal = WithdrawalId(WithdrawalId::first_of(of).0 + u64::from(self.random.below(3)));
                let paid_out = self.random.permille(500);
                Command::SettleWithdrawal(SettleWithdrawal { withdrawal, paid_out })
            }
            94..96 => {
                let status = match self.random.below(4) {
                    0 => MarketStatus::Halt,
                    1 => MarketStatus::CancelOnly,
                    _ => MarketStatus::Trading,
                };
                Command::ChangeMarket(AddMarket { terms: terms(market.0, status) })
            }
            96..99 => {
                let to = u8::try_from(self.random.below(3)).expect("few") % self.partitions.count();
                Command::MoveMarket(MoveMarket { market, to: PartitionId(to) })
            }
            _ => {
                let name = AccountName::new(&format!("late-{}", self.unique)).expect("short");
                Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE })
            }
        }
    }

    fn place(&mut self, account: AccountId, market: MarketId) -> PlaceOrder {
        let qty_lots = QtyLots(i64::from(1 + self.random.below(9)));
        let price_ticks = PriceTicks(i64::from(96 + self.random.below(9)));
        let limit = |time_in_force| OrderKind::Limit { price_ticks, qty_lots, time_in_force };
        PlaceOrder {
            account,
            market,
            side: if self.random.permille(500) { Side::Buy } else { Side::Sell },
            kind: match self.random.below(10) {
                0 => OrderKind::Market { qty_lots },
                1 => OrderKind::MarketQuote { quote_amount: Amount(i128::from(qty_lots.0) * 1_000) },
                2 => OrderKind::LimitMaker { price_ticks, qty_lots },
                3 => limit(TimeInForce::Ioc),
                4 => limit(TimeInForce::Fok),
                _ => limit(TimeInForce::Gtc),
            },
            self_trade_prevention: match self.random.below(6) {
                0 => SelfTradePrevention::ExpireMaker,
                1 => SelfTradePrevention::ExpireTaker,
                2 => SelfTradePrevention::ExpireBoth,
                _ => SelfTradePrevention::None,
            },
            client_order_id: ClientOrderId::new(&format!("order-{}", self.random.below(self.unique + 1)))
                .expect("short"),
            valid_until_ns: TimeNs::NEVER,
        }
    }

    /// Some order that somebody was told of, mostly; it may have ended long ago.
    fn known(
        &mut self,
        told: &BTreeMap<u32, Told>,
        account: AccountId,
        market: MarketId,
    ) -> (AccountId, MarketId, OrderRef) {
        let accepted: Vec<_> = told
            .values()
            .flat_map(|told| &told.parts)
            .flat_map(|(_, events)| events)
            .filter_map(|event| match event {
                Event::OrderAccepted(order) => Some((order.account, order.market, OrderRef::Id(order.order))),
                _ => None,
            })
            .collect();
        if accepted.is_empty() || self.random.permille(100) {
            return (account, market, OrderRef::Id(OrderId(u64::from(1 + self.random.below(9)))));
        }
        // The later ones are more likely to be there.
        let back = self.random.below(12) as usize;
        accepted[accepted.len().saturating_sub(1 + back)]
    }
}

fn terms(market: u32, status: MarketStatus) -> MarketTerms {
    MarketTerms {
        name: MarketName::new(&format!("M{market}")).expect("short"),
        base: AssetId(market + 1),
        quote: AssetId(0),
        price_scale: 2,
        tick_size: 1,
        base_atoms_per_lot: Amount(1_000),
        quote_atoms_per_tick_lot: Amount(10),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(1_000_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(1_000_000),
        min_notional: Amount::ZERO,
        max_notional: Amount::ZERO,
        max_open_orders: 1_000_000,
        max_open_orders_per_account: 1_000,
        max_amends_per_order: 10,
        maker_fee_ppm: 1_000,
        taker_fee_ppm: 2_000,
        fee_rounding: FeeRounding::Up,
        band_ppm: 100_000,
        initial_reference_ticks: PriceTicks(100),
        status,
    }
}
