//! The flow of the partition's yardsticks: sixteen copies of trace S, one a market, interleaved record by record. The account
//! of an order is its number in the trace modulo 10,000; all are funded before the clock starts; client ids have 32 characters.

use model::{
    AccountId, AddAsset, AddMarket, Amount, AssetId, AssetTerms, CancelOrder, CancelRestriction,
    ClientOrderId, Command, CreateAccount, Deposit, FeeRounding, MarketId, MarketStatus, MarketTerms,
    OrderId, OrderKind, OrderRef, PlaceOrder, PriceTicks, QtyLots, Reference, SelfTradePrevention, Seq,
    Sequenced, Side, Text, TimeInForce, TimeNs, TradeGroup,
};
use simulator::trace::{Kind, Record, Shape, Trace};

/// Copies of the trace, and markets.
pub const MARKETS: u32 = 16;
/// Accounts.
pub const ACCOUNTS: u64 = 10_000;

/// The commands that come before the clock starts: assets, markets, accounts, money.
pub fn preparation() -> Vec<Command> {
    let mut commands = Vec::new();
    for asset in 0..=MARKETS {
        let name = if asset == MARKETS { "USDT".to_owned() } else { format!("COIN{asset}") };
        commands.push(Command::AddAsset(AddAsset { terms: AssetTerms { name: text(&name), scale: 8 } }));
    }
    for market in 0..MARKETS {
        commands.push(Command::AddMarket(Box::new(AddMarket { terms: terms(market) })));
    }
    for account in 1..=ACCOUNTS {
        let name = text(&format!("trader-{account}"));
        commands.push(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
        for asset in (0..=MARKETS).map(AssetId) {
            commands.push(Command::Deposit(Box::new(Deposit {
                account: AccountId(account),
                asset,
                amount: Amount(1_000_000_000_000_000_000),
                reference: Reference::new(&format!("{account}-{asset}")).expect("short"),
            })));
        }
    }
    commands
}

fn text<const N: usize>(name: &str) -> Text<N> {
    Text::new(name).expect("short")
}

fn terms(market: u32) -> MarketTerms {
    MarketTerms {
        name: text(&format!("COIN{market}USDT")),
        base: AssetId(market),
        quote: AssetId(MARKETS),
        price_scale: 2,
        tick_size: 1,
        base_atoms_per_lot: Amount(1_000),
        quote_atoms_per_tick_lot: Amount(10),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(1_000_000_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(1_000_000),
        min_notional: Amount::ZERO,
        max_notional: Amount::ZERO,
        max_open_orders: MarketTerms::MAX_OPEN_ORDERS,
        max_open_orders_per_account: 1_000_000,
        max_amends_per_order: 10,
        maker_fee_ppm: 1_000,
        taker_fee_ppm: 1_000,
        fee_rounding: FeeRounding::Up,
        band_ppm: 100_000,
        initial_reference_ticks: PriceTicks(50_000),
        status: MarketStatus::Trading,
    }
}

/// The flow, made piece by piece, so that what is measured is not the reading of gigabytes of commands.
pub struct Flow {
    records: Vec<Record>,
    /// For each market, by the trace's number: the number that the exchange gives the order.
    orders: Vec<Vec<u64>>,
    at: usize,
    market: u32,
    placed: u64,
    /// Of all orders so far, by their number here.
    sides: Vec<Side>,
    seq: Seq,
}

impl Flow {
    /// The flow behind `preparation` commands.
    pub fn new(preparation: usize) -> Self {
        let records = Trace::new(&Shape::SHALLOW).records;
        let seq = Seq(u64::try_from(preparation).expect("fits"));
        let orders = (0..MARKETS).map(|_| vec![0]).collect();
        Self { records, orders, at: 0, market: 0, placed: 0, sides: vec![Side::Buy], seq }
    }

    /// Commands of the whole flow.
    pub fn total(&self) -> usize {
        self.records.len() * MARKETS as usize
    }

    /// Appends up to `count` commands; none when the flow is at its end.
    pub fn fill(&mut self, count: usize, commands: &mut Vec<Sequenced<Command>>) {
        for _ in 0..count {
            let Some(record) = self.records.get(self.at).copied() else { return };
            let command = self.command(&record);
            self.seq = self.seq.next();
            commands.push(Sequenced { seq: self.seq, time_ns: TimeNs(self.seq.0), command });
            self.market += 1;
            if self.market == MARKETS {
                self.market = 0;
                self.at += 1;
            }
        }
    }

    /// What the order is called that the flow gives this number.
    pub fn name_of(&self, order: OrderId) -> ClientOrderId {
        client_id(self.sides[usize::try_from(order.0).expect("fits")], order.0)
    }

    fn command(&mut self, record: &Record) -> Command {
        let account = AccountId(1 + record.id % ACCOUNTS);
        let market = MarketId(self.market);
        let orders = &mut self.orders[self.market as usize];
        match record.kind {
            Kind::Add | Kind::Take => {
                self.placed += 1;
                self.sides.push(record.side);
                orders.push(self.placed);
                let (price_ticks, qty_lots) = (PriceTicks(record.price), QtyLots(i64::from(record.qty)));
                Command::PlaceOrder(PlaceOrder {
                    account,
                    market,
                    side: record.side,
                    kind: OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Gtc },
                    self_trade_prevention: SelfTradePrevention::None,
                    client_order_id: client_id(record.side, self.placed),
                    valid_until_ns: TimeNs::NEVER,
                })
            }
            Kind::Cancel => Command::CancelOrder(CancelOrder {
                account,
                market,
                order: OrderRef::Id(OrderId(orders[usize::try_from(record.id).expect("fits")])),
                restriction: CancelRestriction::None,
                valid_until_ns: TimeNs::NEVER,
            }),
        }
    }
}

pub(crate) fn client_id(side: Side, number: u64) -> ClientOrderId {
    let mut bytes = *b"x-bench-b-0000000000000000000000";
    bytes[8] = if side == Side::Buy { b'b' } else { b's' };
    let mut rest = number;
    for byte in bytes.iter_mut().rev().take(20) {
        *byte = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    ClientOrderId::from_bytes(&bytes).expect("visible ASCII")
}
