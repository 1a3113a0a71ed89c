//! What traders at two contracts do, beside spot orders: positions both ways, isolated and hedged ones, funding, liquidations.

use std::path::Path;

use codec::Coded as _;
use journal::{DataDir, Durable, FrameBuffer, JournalWriter};
use model::{
    AccountId, AddContract, Amount, AssetId, Bracket, CancelOrder, CancelRestriction, ChangeLeverage,
    ChangeMarginType, ChangePositionMode, ClientOrderId, Command, ContractTerms, Deposit, FundingRate,
    IndexSource, MarginMove, MarginType, MarketId, ModifyContractOrder, MoveFunds, MovePositionMargin,
    OrderId, OrderKind, OrderRef, PartitionId, PlaceContractOrder, PlaceGoodTillDate, PositionMode,
    PositionSide, PriceTicks, QtyLots, Reference, SelfTradePrevention, Seq, SetIndexPrice, Side, TimeInForce,
    TimeNs, Wallet,
};

use super::flow::{Flow, Random, account, preparation, terms};

const SECOND: u64 = 1_000_000_000;
const NEVER: TimeNs = TimeNs::NEVER;
/// What contracts are settled in.
pub const SETTLED: AssetId = AssetId(2);
/// Behind the spot markets of the preparation.
pub const CONTRACTS: [MarketId; 2] = [MarketId(2), MarketId(3)];
pub const FUND: u64 = 5;
pub const TRADERS: std::ops::RangeInclusive<u64> = 6..=11;
/// These two have a long and a short position, those two isolated ones.
const HEDGED: [u64; 2] = [7, 8];
const ISOLATED: [u64; 2] = [6, 8];

fn beginning() -> Vec<Command> {
    let mut commands = preparation();
    for number in std::iter::once(FUND).chain(TRADERS) {
        commands.push(account(&format!("trader-{number}")));
        let (account, amount) = (AccountId(number), Amount(50_000_000));
        let reference = Reference::new(&format!("trader-{number}")).unwrap();
        commands.push(Command::Deposit(Box::new(Deposit { account, asset: SETTLED, amount, reference })));
        let amount = Amount(if number == FUND { 3_000_000 } else { 600_000 });
        let (asset, to, valid_until_ns) = (SETTLED, Wallet::Futures, NEVER);
        commands.push(Command::MoveFunds(Box::new(MoveFunds { account, asset, amount, to, valid_until_ns })));
    }
    for name in ["AAACCC", "BBBCCC_PERP"] {
        let cap = Amount(1_000_000_000_000_000);
        let contract = ContractTerms {
            brackets: vec![Bracket { cap, max_leverage: 50, maintenance_ppm: 10_000 }],
            default_leverage: 20,
            max_position_lots: QtyLots(1_000_000),
            funding_interval_hours: 8,
            funding_cap: FundingRate(1_000_000),
            funding_floor: FundingRate(-1_000_000),
            interest: FundingRate(10_000),
            impact_notional: Amount(1_000_000),
            clearance_fee_ppm: 5_000,
            liquidation_step_lots: QtyLots(1),
            fund: AccountId(FUND),
            sources: vec![IndexSource { market: None, weight: 1 }],
            stale_after_ns: 24 * 3_600 * SECOND,
            outlier_ppm: 50_000,
        };
        let (terms, partition) = (terms(name, 0, 2), PartitionId::FIRST);
        commands.push(Command::AddContract(Box::new(AddContract { terms, contract, partition })));
    }
    for number in HEDGED {
        let (account, mode, valid_until_ns) = (AccountId(number), PositionMode::Hedge, NEVER);
        commands.push(Command::ChangePositionMode(ChangePositionMode { account, mode, valid_until_ns }));
    }
    for (number, market) in ISOLATED.into_iter().flat_map(|number| CONTRACTS.map(|market| (number, market))) {
        let (account, margin_type, valid_until_ns) = (AccountId(number), MarginType::Isolated, NEVER);
        let change = ChangeMarginType { account, market, margin_type, valid_until_ns };
        commands.push(Command::ChangeMarginType(change));
    }
    commands
}

/// What traders and prices do; a moment passes before each.
struct Traders {
    random: Random,
    time_ns: u64,
    prices: [i64; 2],
}

impl Traders {
    fn next(&mut self) -> (TimeNs, Command) {
        let random = &mut self.random;
        let signed = |number: u64| i64::try_from(number).unwrap();
        let which = random.index(2);
        let (market, price) = (CONTRACTS[which], self.prices[which]);
        let number = TRADERS.start() + random.below(6);
        let (account, valid_until_ns) = (AccountId(number), NEVER);
        let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let position_side = match (HEDGED.contains(&number), random.below(2)) {
            (false, _) => PositionSide::Both,
            (true, 0) => PositionSide::Long,
            (true, _) => PositionSide::Short,
        };
        let price_ticks = PriceTicks(price + signed(random.below(21)) - 10);
        let qty_lots = QtyLots(1 + signed(random.below(900)));
        let (self_trade_prevention, client_order_id) = (SelfTradePrevention::None, ClientOrderId::EMPTY);
        let reduce_only = position_side == PositionSide::Both && random.below(8) == 0;
        let order = OrderRef::Id(OrderId(1 + random.below(self.time_ns / SECOND)));
        let mut passes = SECOND / 4;
        let command = match random.below(100) {
            0..58 => {
                let time_in_force = match random.below(6) {
                    0 => TimeInForce::Ioc,
                    1 => TimeInForce::Fok,
                    _ => TimeInForce::Gtc,
                };
                let kind = match random.below(8) {
                    0 => OrderKind::Market { qty_lots },
                    1 => OrderKind::LimitMaker { price_ticks, qty_lots },
                    _ => OrderKind::Limit { price_ticks, qty_lots, time_in_force },
                };
                Command::PlaceContractOrder(PlaceContractOrder {
                    account,
                    market,
                    side,
                    position_side,
                    kind,
                    self_trade_prevention,
                    reduce_only,
                    client_order_id,
                    valid_until_ns,
                })
            }
            58..66 => Command::PlaceGoodTillDate(Box::new(PlaceGoodTillDate {
                account,
                market,
                side,
                position_side,
                price_ticks,
                qty_lots,
                self_trade_prevention,
                reduce_only,
                client_order_id,
                good_till_ns: TimeNs(self.time_ns + 5 * SECOND),
                valid_until_ns,
            })),
            66..72 => Command::ModifyContractOrder(ModifyContractOrder {
                account,
                market,
                order,
                price_ticks,
                qty_lots,
                maker_only: false,
                self_trade_prevention,
                valid_until_ns,
            }),
            72..78 => {
                let restriction = CancelRestriction::None;
                Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
            }
            78..82 => {
                let leverage = 10 + u16::try_from(random.below(40)).unwrap();
                Command::ChangeLeverage(ChangeLeverage { account, market, leverage, valid_until_ns })
            }
            82..85 => {
                let way = if random.below(2) == 0 { MarginMove::Add } else { MarginMove::Reduce };
                let amount = Amount(1 + i128::from(random.below(20_000)));
                let moves =
                    MovePositionMargin { account, market, position_side, amount, way, valid_until_ns };
                Command::MovePositionMargin(Box::new(moves))
            }
            85..87 => {
                let margin_type = if random.below(2) == 0 { MarginType::Cross } else { MarginType::Isolated };
                Command::ChangeMarginType(ChangeMarginType { account, market, margin_type, valid_until_ns })
            }
            87..89 => {
                let to = if random.below(3) == 0 { Wallet::Spot } else { Wallet::Futures };
                let (asset, amount) = (SETTLED, Amount(1 + i128::from(random.below(100_000))));
                Command::MoveFunds(Box::new(MoveFunds { account, asset, amount, to, valid_until_ns }))
            }
            89..94 => {
                // Now and then by so much that somebody is liquidated.
                let by = if random.below(5) == 0 { 61 } else { 7 };
                self.prices[which] = (price + signed(random.below(by)) - signed(by / 2)).clamp(200, 800);
                let (partition, source) = (PartitionId::FIRST, 0);
                let price_ticks = PriceTicks(self.prices[which]);
                Command::SetIndexPrice(SetIndexPrice { partition, market, source, price_ticks })
            }
            94..99 => {
                passes = SECOND;
                Command::Tick
            }
            _ => {
                passes = if random.below(6) == 0 { 8 * 3_600 * SECOND } else { SECOND };
                Command::Tick
            }
        };
        self.time_ns += passes;
        (TimeNs(self.time_ns), command)
    }
}

/// All of it from the beginning, spot orders in between, and when each is sequenced.
pub fn flow(seed: u64, count: usize) -> Vec<(TimeNs, Command)> {
    let mut traders = Traders { random: Random::new(seed), time_ns: SECOND, prices: [500, 500] };
    let mut spot = Flow::new(seed);
    let mut commands: Vec<_> =
        beginning().into_iter().map(|command| (TimeNs(traders.time_ns), command)).collect();
    for number in 0..count {
        commands.push(traders.next());
        if number % 4 == 0 {
            commands.push((TimeNs(traders.time_ns), spot.next()));
        }
    }
    commands
}

/// The files of a new exchange that has sequenced these commands.
pub fn record(data: &Path, files: &journal::Settings, commands: &[(TimeNs, Command)]) {
    let directory = DataDir::open(data).unwrap();
    let (_, mut journal) = JournalWriter::open(directory.storage(), files, Durable::GENESIS).unwrap();
    let mut frame = FrameBuffer::new();
    for (seq, (time_ns, command)) in (1..).map(Seq).zip(commands) {
        frame.begin(seq, *time_ns);
        frame.push(|out| command.encode(out));
        journal.append(&mut frame).unwrap();
    }
    drop(journal);
    // A start derives the events.
    sequencer::recover(directory.storage(), files, &mut ()).unwrap();
}
