//! One data directory through many lives: its traders and their notes, and what has to be true of it whenever it stands
//! still.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::custody::{Custody, Operator};
use super::money::{ASSETS, Atoms, MARKETS, atoms, listings, text};
use super::tail::{Follower, Place, Tail};
use super::tally::Tally;
use super::traders::{Trade, Trader};
use crate::http::{Connection, Signer};
use crate::program::{Addresses, Program, serve};
use crate::random::Random;

/// The settings that differ between rounds.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub snapshot_every: u64,
    pub batch_max: u64,
    pub event_segment_mib: u64,
    pub tick_ms: u64,
    /// Orders and trades of an account that can be asked for.
    pub kept: u64,
    /// Accounts are spread over so many partitions; the markets are in the first and in the last.
    pub partitions: u8,
}

impl Habits {
    /// No snapshot but at an orderly end.
    pub const NO_SNAPSHOTS: Self = Self {
        snapshot_every: 1_000_000_000,
        batch_max: 4_096,
        event_segment_mib: 1,
        tick_ms: 1_000,
        kept: 1_000,
        partitions: 1,
    };
}

pub struct World {
    /// Goes away with it.
    _folder: TempDir,
    pub data: PathBuf,
    pub config: PathBuf,
    pub traders: Vec<Trader>,
    custody: Custody,
    pub token: String,
    /// A reader that lives as long as the directory.
    live: Option<Tail>,
    /// What it has read since the last check.
    read: Vec<Place>,
    /// Where the last check stood.
    checked: Tail,
    last_trade: [u64; 2],
    trades: u64,
    partitions: u8,
}

/// What a settings file says.
pub fn settings(data: &Path, habits: Habits) -> String {
    let Habits { snapshot_every, batch_max, event_segment_mib, tick_ms, kept, partitions } = habits;
    let spread = match partitions {
        1 => String::new(),
        _ => format!(
            "[partitions]\ncount = {partitions}\n[partitions.markets]\n\"ETH*\" = {}\n",
            partitions - 1
        ),
    };
    format!(
        "data_dir = \"{}\"\n[public]\nlisten = \"127.0.0.1:0\"\nmax_list_entries = 10000\n[admin]\nlisten = \
         \"127.0.0.1:0\"\n[journal]\nsegment_mib = 1\nevent_segment_mib = {event_segment_mib}\n\
         snapshot_every_commands = {snapshot_every}\n[sequencer]\nbatch_max_commands = {batch_max}\ntick_ms = {tick_ms}\n[views]\n\
         orders_kept_per_account = {kept}\nown_trades_kept_per_account = {kept}\n{spread}{}",
        data.display(),
        listings()
    )
}

impl World {
    /// An empty directory with funded traders. The exchange goes on running.
    pub fn new(random: &mut Random, traders: usize, habits: Habits) -> (Self, Program, Addresses) {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        Self::within(folder, data, random, traders, habits)
    }

    /// As [`Self::new`], in a data directory of its own choice.
    pub fn within(
        folder: TempDir,
        data: PathBuf,
        random: &mut Random,
        traders: usize,
        habits: Habits,
    ) -> (Self, Program, Addresses) {
        let config = folder.path().join("rialto.toml");
        fs::write(&config, settings(&data, habits)).expect("a file");
        let (program, addresses) = Program::spawn(serve(&config)).listening();
        let token = fs::read_to_string(data.join("admin.token")).expect("it is made at the start");
        let token = token.trim().to_owned();
        let mut operator = Operator::open(&addresses, &token).expect("it listens");
        let traders: Vec<Trader> = (0..traders)
            .map(|index| {
                let account = operator.create_account(&format!("trader-{index}"));
                let (key, secret) = operator.create_key(account);
                Trader::new(account, Signer::new(&key, &secret), random.fork())
            })
            .collect();
        let mut custody = Custody::new(random.fork(), traders.iter().map(|trader| trader.account).collect());
        custody.fund(&mut operator);
        let world = Self {
            live: Some(Tail::open(&data)),
            checked: Tail::open(&data),
            _folder: folder,
            data,
            config,
            traders,
            custody,
            token,
            read: Vec::new(),
            last_trade: [0; 2],
            trades: 0,
            partitions: habits.partitions,
        };
        (world, program, addresses)
    }

    pub fn set(&self, habits: Habits) {
        fs::write(&self.config, settings(&self.data, habits)).expect("a file");
    }

    pub fn start(&self) -> Program {
        Program::spawn(serve(&self.config))
    }

    /// Everybody trades, at most `limit` things each, while `meanwhile` goes on.
    pub fn load<T>(&mut self, addresses: &Addresses, limit: u64, meanwhile: impl FnOnce(&Tally) -> T) -> T {
        let tally = Tally::default();
        let follower = Follower::start(self.live.take().expect("back since the last round"));
        let (traders, custody, token) = (&mut self.traders, &mut self.custody, &self.token);
        let result = thread::scope(|scope| {
            let tally = &tally;
            let everybody: Vec<_> = traders.iter().map(|_| tally.begin()).collect();
            for (trader, running) in traders.iter_mut().zip(everybody) {
                scope.spawn(move || {
                    let _running = running;
                    trader.trade(addresses, limit, tally);
                });
            }
            scope.spawn(move || custody.work(addresses, token, limit, tally));
            meanwhile(tally)
        });
        let (live, places) = follower.stop();
        self.live = Some(live);
        self.read.extend(places);
        result
    }

    /// Holds everything against everything. The exchange runs, and nobody else talks to it.
    pub fn check(&mut self, addresses: &Addresses) {
        let mut operator = Operator::open(addresses, &self.token).expect("it listens");
        operator.settled();
        self.custody.check(&mut operator, &mut self.traders);
        let mut connection = Connection::open(&addresses.public).expect("it listens");
        let (mut orders, mut trades) = (BTreeSet::new(), Vec::new());
        for trader in &mut self.traders {
            let (new_orders, new_trades) = trader.check(&mut connection);
            for order in new_orders {
                assert!(orders.insert(order), "order {order} has two owners");
            }
            trades.extend(new_trades);
        }
        self.check_trades(&trades);
        self.check_depth(&mut connection);
        self.check_sheet(&operator.get("balance-sheet"));
        let seq = operator.get("status")["seq"].as_u64().expect("a number");
        // With several partitions there is an event log of each, and the first one's tells of its own business only.
        if self.partitions == 1 {
            self.check_events(seq, &orders);
        }
    }

    /// As [`Self::check`], of an exchange that has got more partitions than it began with.
    pub fn check_books(&mut self, addresses: &Addresses) {
        self.partitions = self.partitions.max(2);
        self.check(addresses);
    }

    /// Each trade has a buyer and a seller, a maker and a taker; numbers leave nothing out.
    fn check_trades(&mut self, trades: &[Trade]) {
        for market in 0..MARKETS.len() {
            let mut sides: BTreeMap<u64, Vec<&Trade>> = BTreeMap::new();
            for trade in trades.iter().filter(|trade| trade.market == market) {
                sides.entry(trade.id).or_default().push(trade);
            }
            for (id, told) in sides {
                assert_eq!(id, self.last_trade[market] + 1, "trades are numbered one by one");
                self.last_trade[market] = id;
                self.trades += 1;
                let [one, other] = told[..] else { panic!("a trade has two sides: {told:?}") };
                assert_eq!((one.price, one.qty), (other.price, other.qty));
                assert!(one.is_buyer != other.is_buyer && one.is_maker != other.is_maker, "{told:?}");
            }
        }
    }

    /// The book is what the traders' open orders add up to.
    fn check_depth(&self, connection: &mut Connection) {
        for (index, market) in MARKETS.iter().enumerate() {
            let path = format!("/api/v3/depth?symbol={}&limit=5000", market.symbol);
            let told = connection.ask("GET", &path, "", "").expect("the exchange is there").good();
            let side = |name: &str| -> BTreeMap<Atoms, Atoms> {
                let levels = told[name].as_array().expect("a list").iter();
                let number = |value: &Value| atoms(value.as_str().expect("text"));
                levels.map(|level| (number(&level[0]), number(&level[1]))).collect()
            };
            let mut noted = [BTreeMap::new(), BTreeMap::new()];
            let resting = self.traders.iter().flat_map(Trader::resting);
            for (_, is_buy, price, qty) in resting.filter(|(market, ..)| *market == index) {
                *noted[usize::from(is_buy)].entry(price).or_default() += qty;
            }
            assert_eq!([side("asks"), side("bids")], noted, "the book of {}", market.symbol);
        }
    }

    /// To the atom: what came in less what went out is what the accounts have and what was taken as fees.
    fn check_sheet(&self, sheet: &Value) {
        for (index, asset) in ASSETS.iter().enumerate() {
            let line = sheet.as_array().expect("a list").iter().find(|line| line["asset"] == *asset);
            let line = line.expect("every asset");
            let told = |field: &str| atoms(line[field].as_str().expect("text"));
            assert_eq!(line["adds_up"], true, "{line}");
            let (deposited, withdrawn) = (self.custody.deposited[index], self.custody.withdrawn[index]);
            let owned: Atoms = self.traders.iter().map(|trader| trader.balances[index]).sum();
            assert_eq!(text(told("deposited")), text(deposited), "{asset}");
            assert_eq!(text(told("withdrawn")), text(withdrawn), "{asset}");
            assert_eq!(text(told("free") + told("held")), text(owned), "{asset}");
            assert_eq!(text(told("fees")), text(deposited - withdrawn - owned), "{asset}");
        }
    }

    /// What a reader had read is there still; and the events tell of the orders and trades that the traders know.
    fn check_events(&mut self, seq: u64, orders: &BTreeSet<u64>) {
        let mut again = Tail::behind(&self.data, &self.checked);
        let places = again.read_to(seq);
        let read = std::mem::take(&mut self.read);
        assert!(
            read.len() <= places.len() && read.iter().zip(&places).all(|(before, now)| before == now),
            "a reader saw other events before the restart: {:?}",
            read.iter().zip(&places).find(|(before, now)| before != now)
        );
        assert_eq!(again.told.accepted, *orders, "orders by events, and by what clients know");
        let live = self.live.as_mut().expect("no load goes on");
        // The reader that has been there all the time finds the rest.
        live.read_to(seq);
        assert_eq!(live.told.trades, self.trades, "trades by events, and by what clients know");
        self.checked = again;
    }

    pub fn unknowns(&self) -> u64 {
        self.traders.iter().map(|trader| trader.unknowns).sum()
    }

    pub fn orders(&self) -> usize {
        self.traders.iter().map(|trader| trader.orders.len()).sum()
    }
}
