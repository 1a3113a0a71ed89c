//! Order flow for perpetual contracts: who there is, with which positions, and the mixed flow on top of it; and the file that it is
//! kept in, which `rialto replay` reads.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use model::{
    AccountId, AddAsset, AddContract, AmendOrder, Amount, AssetId, AssetTerms, Bracket, CancelOrder,
    CancelRestriction, ClientOrderId, Command, ContractTerms, CreateAccount, Deposit, FeeRounding,
    FundingRate, IndexSource, MarketId, MarketStatus, MarketTerms, MoveFunds, OrderId, OrderKind, OrderRef,
    PartitionId, PlaceContractOrder, PositionSide, PriceTicks, QtyLots, Reference, SelfTradePrevention, Side,
    Text, TimeInForce, TimeNs, TradeGroup, Wallet,
};

use crate::mixed::{Mixed, Shape, Step, What, client_id};

const SECOND: u64 = 1_000_000_000;
const MID: i64 = Shape::MID_TICKS;
/// Lots of each position that there is before the flow begins.
pub const POSITION: i64 = 1_000;
/// What everybody has who is not to be liquidated: more than all its orders could take.
pub const RICH: i128 = 1_000_000_000_000_000;

fn text<const N: usize>(name: &str) -> Text<N> {
    Text::new(name).expect("short")
}

fn terms(contract: u32) -> MarketTerms {
    MarketTerms {
        name: text(&format!("COIN{contract}_PERP")),
        base: AssetId(1),
        quote: AssetId(0),
        price_scale: 2,
        tick_size: 1,
        base_atoms_per_lot: Amount(1_000_000),
        quote_atoms_per_tick_lot: Amount(10_000),
        min_price_ticks: PriceTicks(1),
        max_price_ticks: PriceTicks(10_000_000),
        min_qty_lots: QtyLots(1),
        max_qty_lots: QtyLots(100_000),
        min_notional: Amount::ZERO,
        max_notional: Amount::ZERO,
        max_open_orders: 1_000_000,
        max_open_orders_per_account: 1_000_000,
        max_amends_per_order: Shape::MAX_AMENDS.into(),
        maker_fee_ppm: 200,
        taker_fee_ppm: 500,
        fee_rounding: FeeRounding::Up,
        band_ppm: Shape::BAND_PPM,
        initial_reference_ticks: PriceTicks(MID),
        status: MarketStatus::Trading,
    }
}

fn contract(fund: AccountId) -> ContractTerms {
    let bracket = |cap: i128, max_leverage, maintenance_ppm| Bracket {
        cap: Amount(cap * 100_000_000),
        max_leverage,
        maintenance_ppm,
    };
    ContractTerms {
        brackets: vec![
            bracket(50_000, 125, 4_000),
            bracket(600_000, 100, 5_000),
            bracket(3_000_000, 75, 6_500),
            bracket(12_000_000, 50, 10_000),
            bracket(7_000_000_000, 25, 20_000),
        ],
        default_leverage: 20,
        max_position_lots: QtyLots(1_000_000_000),
        funding_interval_hours: 8,
        funding_cap: FundingRate(2_000_000),
        funding_floor: FundingRate(-2_000_000),
        interest: FundingRate(10_000),
        impact_notional: Amount(100_000_000_000),
        clearance_fee_ppm: 1_250,
        liquidation_step_lots: QtyLots(1),
        fund,
        sources: vec![IndexSource { market: None, weight: 1 }],
        stale_after_ns: 3_600 * SECOND,
        outlier_ppm: 50_000,
    }
}

/// An order of a one-way account, with nothing special.
pub fn placed(account: u64, market: u32, side: Side, kind: OrderKind) -> PlaceContractOrder {
    PlaceContractOrder {
        account: AccountId(account),
        market: MarketId(market),
        side,
        position_side: PositionSide::Both,
        kind,
        self_trade_prevention: SelfTradePrevention::None,
        reduce_only: false,
        client_order_id: ClientOrderId::EMPTY,
        valid_until_ns: TimeNs::NEVER,
    }
}

/// A limit order.
pub fn limit(price: i64, qty: i64, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price_ticks: PriceTicks(price), qty_lots: QtyLots(qty), time_in_force }
}

/// Assets, accounts with their futures wallets as `wallet` says by number, the fund behind them, and contracts.
pub fn founding(contracts: u32, accounts: u32, wallet: &dyn Fn(u64) -> i128) -> Vec<Command> {
    let mut commands = Vec::new();
    for (asset, scale) in [("USDT", 8), ("COIN", 8)] {
        commands.push(Command::AddAsset(AddAsset { terms: AssetTerms { name: text(asset), scale } }));
    }
    let fund = u64::from(accounts) + 1;
    for number in 1..=fund {
        let name = text(&format!("trader-{number}"));
        let trade_group = TradeGroup::NONE;
        commands.push(Command::CreateAccount(CreateAccount { name, trade_group }));
        let (account, asset) = (AccountId(number), AssetId(0));
        let amount = Amount(wallet(number));
        let reference = Reference::new(&format!("{number}")).expect("short");
        commands.push(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
        let (to, valid_until_ns) = (Wallet::Futures, TimeNs::NEVER);
        commands.push(Command::MoveFunds(Box::new(MoveFunds { account, asset, amount, to, valid_until_ns })));
    }
    for market in 0..contracts {
        commands.push(Command::AddContract(Box::new(AddContract {
            terms: terms(market),
            contract: contract(AccountId(fund)),
            partition: PartitionId::FIRST,
        })));
    }
    commands
}

/// Orders that leave each account with a position: every other one long, at the contract that `at` says for the pair.
pub fn positions(accounts: u32, at: &dyn Fn(u64) -> u32) -> Vec<Command> {
    let pairs = 0..u64::from(accounts / 2);
    let orders = pairs.flat_map(|pair| {
        let (long, short) = (2 * pair + 1, 2 * pair + 2);
        [(short, Side::Sell), (long, Side::Buy)].map(|(account, side)| {
            Command::PlaceContractOrder(placed(
                account,
                at(pair),
                side,
                limit(MID, POSITION, TimeInForce::Gtc),
            ))
        })
    });
    orders.collect()
}

/// How many orders [`positions`] has.
pub fn orders_before(accounts: u32) -> u64 {
    u64::from(accounts / 2) * 2
}

/// Pairs spread evenly over contracts.
pub fn spread(pair: u64, contracts: u32) -> u32 {
    u32::try_from(pair % u64::from(contracts)).expect("there are few")
}

/// The mixed flow over contracts, with a thousand resting orders each.
pub fn shape(contracts: u32, accounts: u32) -> Shape {
    let fewest = 1_000 * contracts as usize;
    Shape { markets: contracts, accounts, fewest, most: 2 * fewest, stop_distance: 0, ..Shape::STANDARD }
}

/// What a step asks for. Orders of the flow are numbered from 1; `before` of them come before, see [`orders_before`].
pub fn command_of(step: &Step, before: u64) -> Command {
    let (account, market) = (AccountId(u64::from(step.account)), MarketId(step.market));
    let (price_ticks, qty_lots) = (PriceTicks(step.price), QtyLots(i64::from(step.qty)));
    let order = if step.order.is_multiple_of(2) {
        OrderRef::Id(OrderId(step.order + before))
    } else {
        OrderRef::Client(client_id(step.order))
    };
    let valid_until_ns = TimeNs::NEVER;
    let place = |kind| {
        Command::PlaceContractOrder(PlaceContractOrder {
            self_trade_prevention: SelfTradePrevention::ExpireMaker,
            client_order_id: client_id(step.order),
            ..placed(account.0, step.market, step.side, kind)
        })
    };
    let at = |time_in_force| limit(step.price, qty_lots.0, time_in_force);
    match step.what {
        What::Limit => place(at(TimeInForce::Gtc)),
        What::Ioc => place(at(TimeInForce::Ioc)),
        What::Fok => place(at(TimeInForce::Fok)),
        What::LimitMaker => place(OrderKind::LimitMaker { price_ticks, qty_lots }),
        What::Market => place(OrderKind::Market { qty_lots }),
        What::Cancel => {
            let restriction = CancelRestriction::None;
            Command::CancelOrder(CancelOrder { account, market, order, restriction, valid_until_ns })
        }
        What::Amend => Command::AmendOrder(AmendOrder {
            account,
            market,
            order,
            new_qty_lots: qty_lots,
            new_client_order_id: ClientOrderId::EMPTY,
            valid_until_ns,
        }),
        What::StopMarket | What::StopLimit => unreachable!("the flow at contracts is without stops"),
    }
}

/// How a file of such a flow begins. Another form would have another number.
const FIRST_LINE: &str = "# rialto futures flow 1";
const COLUMNS: [&str; 7] = ["what", "account", "contract", "side", "price_ticks", "quantity_lots", "order"];
const WORDS: [(What, &str); 7] = [
    (What::Limit, "LIMIT"),
    (What::LimitMaker, "LIMIT_MAKER"),
    (What::Market, "MARKET"),
    (What::Ioc, "IOC"),
    (What::Fok, "FOK"),
    (What::Cancel, "CANCEL"),
    (What::Amend, "AMEND"),
];

/// A flow as a file has it: every account begins with a position, then the steps come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// How many contracts.
    pub contracts: u32,
    /// How many accounts, an even number.
    pub accounts: u32,
    /// In their order.
    pub steps: Vec<Step>,
}

/// Why a file is none of such a flow.
#[derive(Debug)]
pub enum FlowError {
    /// It cannot be read or written.
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line of it is not what it should be.
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl fmt::Display for FlowError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(out, "{}: {source}", path.display()),
            Self::Line { path, line, problem } => write!(out, "{} line {line}: {problem}", path.display()),
        }
    }
}

impl std::error::Error for FlowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Line { .. } => None,
        }
    }
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = BufReader::new(File::open(path)?);
    Ok(if is_compressed(path) { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// True of a file that begins as one of these does.
pub fn is_futures_flow(path: &Path) -> Result<bool, FlowError> {
    let failed = |source| FlowError::Io { path: path.to_owned(), source };
    let mut first = Vec::new();
    let most = u64::try_from(FIRST_LINE.len()).expect("short");
    open(path).map_err(failed)?.take(most).read_to_end(&mut first).map_err(failed)?;
    Ok(first == FIRST_LINE.as_bytes())
}

impl Recorded {
    /// The first so many steps of the flow of the yardstick `perp`.
    pub fn generate(contracts: u32, accounts: u32, steps: usize) -> Self {
        let steps = Mixed::new(&shape(contracts, accounts)).take(steps).collect();
        Self { contracts, accounts, steps }
    }

    /// Writes it, compressed where the name ends with `.gz`.
    pub fn write(&self, path: &Path) -> Result<(), FlowError> {
        let failed = |source| FlowError::Io { path: path.to_owned(), source };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        if is_compressed(path) {
            let mut out = BufWriter::new(GzEncoder::new(file, Compression::default()));
            self.write_to(&mut out).and_then(|()| out.into_inner()?.finish()?.flush()).map_err(failed)
        } else {
            let mut out = file;
            self.write_to(&mut out).and_then(|()| out.flush()).map_err(failed)
        }
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { contracts, accounts, steps } = self;
        writeln!(out, "{FIRST_LINE}: {contracts} contracts, {accounts} accounts")?;
        writeln!(out, "{}", COLUMNS.join(","))?;
        for Step { what, side, market, account, order, price, qty } in steps {
            let word = WORDS.iter().find(|(of, _)| of == what).expect("each has one").1;
            let side = match side {
                Side::Buy => "BUY",
                Side::Sell => "SELL",
            };
            writeln!(out, "{word},{account},{market},{side},{price},{qty},{order}")?;
        }
        Ok(())
    }

    /// Reads a file that [`Self::write`] has written, or that somebody else has in the same form.
    pub fn read(path: &Path) -> Result<Self, FlowError> {
        let failed = |source| FlowError::Io { path: path.to_owned(), source };
        let wrong = |line, problem| FlowError::Line { path: path.to_owned(), line, problem };
        let mut input = open(path).map_err(failed)?;
        let mut first = String::new();
        input.read_line(&mut first).map_err(failed)?;
        let (contracts, accounts) = sizes(first.trim_end()).ok_or_else(|| {
            wrong(
                1,
                format!(
                    "it should be '{FIRST_LINE}: N contracts, M accounts', with 1 to 1,000 and an even number from 2 to 10,000,000"
                ),
            )
        })?;
        let mut rows = csv::Reader::from_reader(input);
        let columns = rows.headers().map_err(|error| wrong(2, error.to_string()))?;
        if columns != COLUMNS.as_slice() {
            return Err(wrong(2, format!("the columns should be {}", COLUMNS.join(","))));
        }
        let mut steps = Vec::new();
        for (row, line) in rows.records().zip(3..) {
            let row = row.map_err(|error| wrong(line, error.to_string()))?;
            let step = step(&row, contracts, accounts).map_err(|problem| wrong(line, problem))?;
            steps.push(step);
        }
        Ok(Self { contracts, accounts, steps })
    }
}

fn sizes(line: &str) -> Option<(u32, u32)> {
    let rest = line.strip_prefix(FIRST_LINE)?.strip_prefix(": ")?;
    let (contracts, rest) = rest.split_once(" contracts, ")?;
    let (contracts, accounts) = (contracts.parse().ok()?, rest.strip_suffix(" accounts")?.parse().ok()?);
    let fits = (1..=1_000).contains(&contracts) && (2..=10_000_000).contains(&accounts) && accounts % 2 == 0;
    fits.then_some((contracts, accounts))
}

fn step(row: &csv::StringRecord, contracts: u32, accounts: u32) -> Result<Step, String> {
    fn number<T: std::str::FromStr + PartialOrd + fmt::Display>(
        row: &csv::StringRecord,
        column: usize,
        bounds: std::ops::RangeInclusive<T>,
    ) -> Result<T, String> {
        let parsed = row[column].parse().ok().filter(|number| bounds.contains(number));
        parsed.ok_or_else(|| {
            let (name, found) = (COLUMNS[column], &row[column]);
            format!("{name} is '{found}', and should be from {} to {}", bounds.start(), bounds.end())
        })
    }
    let what = WORDS.iter().find(|(_, word)| *word == &row[0]).ok_or_else(|| {
        let words = WORDS.map(|(_, word)| word).join(", ");
        format!("what is '{}', and should be one of {words}", &row[0])
    })?;
    let side = match &row[3] {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        other => return Err(format!("side is '{other}', and should be BUY or SELL")),
    };
    Ok(Step {
        what: what.0,
        side,
        market: number(row, 2, 0..=contracts - 1)?,
        account: number(row, 1, 1..=accounts)?,
        order: number(row, 6, 1..=u64::from(u32::MAX))?,
        price: number(row, 4, 0..=i64::from(u32::MAX))?,
        qty: number(row, 5, 0..=u32::MAX)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("rialto-flow-{}-{name}", std::process::id()))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let flow = Recorded::generate(3, 40, 2_000);
        assert_eq!(flow.steps.len(), 2_000);
        for name in ["flow.csv", "flow.csv.gz"] {
            let path = file(name);
            flow.write(&path).unwrap();
            assert!(is_futures_flow(&path).unwrap());
            assert_eq!(Recorded::read(&path).unwrap(), flow);
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_line_that_is_wrong_is_told_with_what_would_be_right() {
        let refused = |text: &str| {
            let path = file("wrong.csv");
            std::fs::write(&path, text).unwrap();
            let refused = Recorded::read(&path).unwrap_err().to_string();
            std::fs::remove_file(path).unwrap();
            refused
        };
        let head = format!("{FIRST_LINE}: 2 contracts, 4 accounts\n");
        let columns = "what,account,contract,side,price_ticks,quantity_lots,order\n";
        assert!(
            refused("# something else\n")
                .contains("line 1: it should be '# rialto futures flow 1: N contracts")
        );
        assert!(
            refused(&format!("{head}what,account\n"))
                .contains("line 2: the columns should be what,account,contract")
        );
        for (row, told) in [
            ("SELL,1,0,BUY,1,1,1", "line 3: what is 'SELL', and should be one of LIMIT, LIMIT_MAKER,"),
            ("LIMIT,5,0,BUY,1,1,1", "line 3: account is '5', and should be from 1 to 4"),
            ("LIMIT,1,2,BUY,1,1,1", "line 3: contract is '2', and should be from 0 to 1"),
            ("LIMIT,1,0,LONG,1,1,1", "line 3: side is 'LONG', and should be BUY or SELL"),
            ("LIMIT,1,0,BUY,1.5,1,1", "line 3: price_ticks is '1.5', and should be from 0 to"),
        ] {
            let refused = refused(&format!("{head}{columns}{row}\n"));
            assert!(refused.contains(told), "{row}: {refused}");
        }
    }
}
