//! How many events a second the views take in: `cargo run --release -p views --example apply`.
//!
//! A made-up flow (half of it new orders, a tenth takers, the rest cancels, as in the trace S of the benchmarks) runs through
//! the state machine; its events are kept in memory, and then only `Views::apply` is measured. After that come some questions,
//! saving and loading.

use std::time::Instant;

use codec::Reader;
use exchange::Partition;
use model::{
    AccountId, AccountName, AddAsset, AddMarket, Amount, AssetId, AssetName, AssetTerms, CancelOrder,
    CancelRestriction, ClientOrderId, Command, CreateAccount, Deposit, Event, EventBatch, EventSeq,
    FeeRounding, MarketId, MarketName, MarketStatus, MarketTerms, OrderId, OrderKind, OrderRef, PlaceOrder,
    PriceTicks, QtyLots, Reference, SelfTradePrevention, Seq, Sequenced, Side, TimeInForce, TimeNs,
    TradeGroup,
};
use views::{CandleQuery, Interval, Page, UtcOffset, ViewSettings, Views};

const ACCOUNTS: u64 = 10_000;
const COMMANDS_PER_BATCH: usize = 64;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) * bound) >> 32
    }
}

struct Flow {
    random: Random,
    partition: Partition,
    markets: u64,
    time_ns: TimeNs,
    event_seq: u64,
    placed: u64,
    /// Orders that may be open, with their owners.
    live: Vec<(OrderId, AccountId, MarketId)>,
}

impl Flow {
    fn batch(&mut self, commands: Vec<Command>) -> EventBatch {
        // Two seconds, so that a run of the usual length takes more than a day.
        self.time_ns.0 += 2_000_000_000;
        let first_seq = self.partition.seq().next();
        let mut batch = EventBatch {
            first_seq,
            time_ns: self.time_ns,
            first_event_seq: EventSeq(self.event_seq + 1),
            ..EventBatch::default()
        };
        for (seq, command) in (first_seq.0..).zip(commands) {
            let input = Sequenced { seq: Seq(seq), time_ns: self.time_ns, command };
            self.partition.apply(&input, &mut batch.events);
            batch.ends.push(u32::try_from(batch.events.len()).expect("a batch is small"));
        }
        for event in &batch.events {
            if let Event::OrderAccepted(accepted) = event {
                self.live.push((accepted.order, accepted.account, accepted.market));
            }
        }
        self.event_seq += u64::try_from(batch.events.len()).expect("fits");
        batch
    }

    fn listing(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        for name in ["BASE", "QUOTE"] {
            let terms = AssetTerms { name: AssetName::new(name).expect("short"), scale: 8 };
            commands.push(Command::AddAsset(AddAsset { terms }));
        }
        for market in 0..self.markets {
            let terms = MarketTerms {
                name: MarketName::new(&format!("MARKET{market}")).expect("short"),
                base: AssetId(0),
                quote: AssetId(1),
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
                max_open_orders_per_account: 200,
                max_amends_per_order: 10,
                maker_fee_ppm: 1_000,
                taker_fee_ppm: 1_000,
                fee_rounding: FeeRounding::Up,
                band_ppm: 100_000,
                initial_reference_ticks: PriceTicks(50_000),
                status: MarketStatus::Trading,
            };
            commands.push(Command::AddMarket(Box::new(AddMarket { terms })));
        }
        for account in 1..=ACCOUNTS {
            let name = AccountName::new(&format!("account-{account}")).expect("short");
            commands.push(Command::CreateAccount(CreateAccount { name, trade_group: TradeGroup::NONE }));
            for asset in 0..2 {
                commands.push(Command::Deposit(Box::new(Deposit {
                    account: AccountId(account),
                    asset: AssetId(asset),
                    amount: Amount(1_000_000_000_000_000),
                    reference: Reference::new(&format!("{account}:{asset}")).expect("short"),
                })));
            }
        }
        commands
    }

    fn command(&mut self) -> Command {
        let kind = self.random.below(100);
        let live = u64::try_from(self.live.len()).expect("fits");
        if kind < 40 && live > 1_000 * self.markets {
            let place = usize::try_from(self.random.below(live)).expect("fits");
            let (order, account, market) = self.live.swap_remove(place);
            return Command::CancelOrder(CancelOrder {
                account,
                market,
                order: OrderRef::Id(order),
                restriction: CancelRestriction::None,
                valid_until_ns: TimeNs::NEVER,
            });
        }
        self.placed += 1;
        let side = if self.random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let away = i64::try_from(self.random.below(100)).expect("small") + 1;
        // A taker reaches a little into the other side.
        let away = if kind >= 90 { -3 } else { away };
        let price = if side == Side::Buy { 50_000 - away } else { 50_000 + away };
        let qty = i64::try_from(self.random.below(100)).expect("small") + 1;
        Command::PlaceOrder(PlaceOrder {
            account: AccountId(1 + self.random.below(ACCOUNTS)),
            market: MarketId(u32::try_from(self.random.below(self.markets)).expect("few")),
            side,
            kind: OrderKind::Limit {
                price_ticks: PriceTicks(price),
                qty_lots: QtyLots(qty),
                time_in_force: TimeInForce::Gtc,
            },
            self_trade_prevention: SelfTradePrevention::None,
            client_order_id: ClientOrderId::new(&format!("client-order-{:019}", self.placed)).expect("32"),
            valid_until_ns: TimeNs::NEVER,
        })
    }
}

fn per_second(count: u64, start: Instant) -> u128 {
    u128::from(count) * 1_000_000_000 / start.elapsed().as_nanos()
}

fn nanos(times: u32, mut work: impl FnMut() -> usize) -> u128 {
    let start = Instant::now();
    let mut sum = 0;
    for _ in 0..times {
        sum += work();
    }
    assert!(sum > 0, "nothing was asked");
    start.elapsed().as_nanos() / u128::from(times)
}

fn main() {
    let argument = |place: usize, default: u64| {
        std::env::args().nth(place).map_or(default, |text| text.parse().expect("a number"))
    };
    let (commands, markets) = (argument(1, 3_000_000), argument(2, 16));
    let mut flow = Flow {
        random: Random(0x9E37_79B9_7F4A_7C15),
        partition: Partition::default(),
        markets,
        time_ns: TimeNs::from_millis(1_795_392_000_000),
        event_seq: 0,
        placed: 0,
        live: Vec::new(),
    };
    let mut views = Views::new(ViewSettings::default());
    let listing = flow.listing();
    views.apply(&flow.batch(listing));

    let (mut events, mut trades, mut spent) = (0, 0_usize, std::time::Duration::ZERO);
    let rounds = 10;
    for _ in 0..rounds {
        let batches: Vec<EventBatch> = (0..commands / rounds)
            .step_by(COMMANDS_PER_BATCH)
            .map(|_| {
                let commands = (0..COMMANDS_PER_BATCH).map(|_| flow.command()).collect();
                flow.batch(commands)
            })
            .collect();
        events += batches.iter().map(|batch| batch.events.len()).sum::<usize>();
        trades += batches
            .iter()
            .flat_map(|batch| &batch.events)
            .filter(|event| matches!(event, Event::Traded(_)))
            .count();
        let start = Instant::now();
        for batch in &batches {
            views.apply(batch);
        }
        let round = start.elapsed();
        spent += round;
        let count = batches.iter().map(|batch| batch.events.len()).sum::<usize>();
        println!(
            "round: {count} events, {} events/s",
            u128::try_from(count).expect("fits") * 1_000_000_000 / round.as_nanos()
        );
    }
    let total = u128::try_from(events).expect("fits");
    println!("{events} events ({trades} trades) of {commands} commands in {markets} markets");
    println!("apply: {} events/s", total * 1_000_000_000 / spent.as_nanos());
    println!("open orders: {}", views.orders().open_count());

    let now = views.time_ns();
    let markets: Vec<MarketId> = views.catalog().markets().map(|(market, _)| market).collect();
    println!(
        "24-hour tickers of all markets: {} ns",
        nanos(100, || markets.iter().filter(|market| views.ticker(**market, now).trades > 0).count())
    );
    println!(
        "book tickers of all markets: {} ns",
        nanos(100, || markets.iter().filter(|market| views.book_ticker(**market).bid.is_some()).count())
    );
    let query = CandleQuery {
        interval: Interval::Minute1,
        offset: UtcOffset::UTC,
        start: None,
        end: None,
        limit: 1_000,
        now: TimeNs(now.0 + 86_400_000_000_000),
    };
    println!("1,000 candles: {} ns", nanos(100, || views.candles(markets[0], &query).len()));
    let busy = views.own_trades().of(AccountId(1), markets[0], None, &Page::last(1_000)).len();
    println!(
        "own trades of an account, {busy}: {} ns",
        nanos(100, || {
            1 + views.own_trades().of(AccountId(1), markets[0], None, &Page::last(1_000)).len()
        })
    );
    println!(
        "orders of an account: {} ns",
        nanos(100, || { 1 + views.orders().all(AccountId(1), markets[0], &Page::last(1_000)).len() })
    );

    let mut bytes = Vec::new();
    let start = Instant::now();
    views.save(&mut bytes);
    println!("save: {} MiB in {} ms", bytes.len() >> 20, start.elapsed().as_millis());
    let start = Instant::now();
    let again = Views::load(ViewSettings::default(), &mut Reader::new(&bytes)).expect("it was just saved");
    println!(
        "load: {} ms, {} events/s if it were applied",
        start.elapsed().as_millis(),
        per_second(again.seq().0, start)
    );
}
