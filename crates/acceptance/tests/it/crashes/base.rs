//! A data directory that has something in it: several segments, killed and not stopped, copied for each test that damages it;
//! and what the exchange answered before, which it has to answer again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::custody::Operator;
use super::files::{copy, fingerprint};
use super::money::MARKETS;
use super::world::{Habits, World, settings};
use crate::http::{Connection, Signer};
use crate::program::{Addresses, Ended, Program, serve, verify};
use crate::random::Random;

/// What is asked, and what comes back.
pub type Answers = BTreeMap<String, String>;

/// Two of them: one that never took a snapshot, one with several.
pub struct Base {
    data: PathBuf,
    signers: Vec<Signer>,
    token: String,
    /// Before the last command.
    pub before_last: Answers,
    /// At the end.
    pub answers: Answers,
}

/// Name of the order that is the journal's last command.
pub const LAST: &str = "the-last-one";

const TRADERS: usize = 6;

fn asked(signers: &[Signer], token: &str, addresses: &Addresses) -> Answers {
    let mut connection = Connection::open(&addresses.public).expect("it listens");
    let mut answers = Answers::new();
    for (index, signer) in signers.iter().enumerate() {
        for market in &MARKETS {
            let symbol = format!("symbol={}", market.symbol);
            for path in ["openOrders", "allOrders", "myTrades"] {
                let limit = if path == "openOrders" { "" } else { "&limit=10000" };
                let path = format!("/api/v3/{path}");
                let told = connection.signed("GET", &path, signer, &format!("{symbol}{limit}"));
                let told = told.expect("the exchange is there");
                told.good();
                answers.insert(format!("{path} of {index} in {}", market.symbol), told.body);
            }
        }
        let told = connection.signed("GET", "/api/v3/account", signer, "").expect("the exchange is there");
        answers.insert(format!("account of {index}"), told.good()["balances"].to_string());
    }
    for market in &MARKETS {
        for path in ["depth", "trades", "aggTrades"] {
            let path = format!("/api/v3/{path}?symbol={}&limit=1000", market.symbol);
            let told = connection.ask("GET", &path, "", "").expect("the exchange is there");
            told.good();
            answers.insert(path, told.body);
        }
        // Candles without a trade come with the clock.
        let path = format!("/api/v3/klines?symbol={}&limit=1000&interval=1m", market.symbol);
        let told = connection.ask("GET", &path, "", "").expect("the exchange is there").good();
        let traded = told.as_array().expect("a list").iter().filter(|candle| candle[8] != 0);
        answers.insert(path, Value::from(traded.cloned().collect::<Vec<_>>()).to_string());
    }
    let mut operator = Operator::open(addresses, token).expect("it listens");
    for path in ["balance-sheet", "withdrawals", "accounts", "markets", "assets"] {
        answers.insert(path.to_owned(), operator.get(path).to_string());
    }
    answers
}

/// Habits of those that are damaged: nothing happens but what is asked for.
pub const QUIET: Habits = Habits { tick_ms: 3_600_000, kept: 100_000, ..Habits::NO_SNAPSHOTS };

impl Base {
    /// Three segments or more, no snapshot.
    pub fn grown() -> &'static Self {
        static GROWN: OnceLock<Base> = OnceLock::new();
        GROWN.get_or_init(|| Self::make("grown", 6_000, QUIET))
    }

    /// Little, with snapshots, the newest some way before the end.
    pub fn with_snapshots() -> &'static Self {
        static WITH_SNAPSHOTS: OnceLock<Base> = OnceLock::new();
        WITH_SNAPSHOTS
            .get_or_init(|| Self::make("with-snapshots", 200, Habits { snapshot_every: 150, ..QUIET }))
    }

    fn make(name: &str, things: u64, habits: Habits) -> Self {
        let (mut world, program, addresses) = World::new(&mut Random::new(7), TRADERS, habits);
        world.load(&addresses, things, |tally| tally.wait_for(u64::MAX));
        world.check(&addresses);
        let signers: Vec<Signer> = world.traders.iter().map(|trader| trader.signer().clone()).collect();
        let before_last = asked(&signers, &world.token, &addresses);
        let mut connection = Connection::open(&addresses.public).expect("it listens");
        let order = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=1000&quantity=1&newClientOrderId={LAST}"
        );
        connection
            .signed("POST", "/api/v3/order", &signers[0], &order)
            .expect("the exchange is there")
            .good();
        let answers = asked(&signers, &world.token, &addresses);
        program.kill();
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if data.exists() {
            fs::remove_dir_all(&data).expect("an earlier run's");
        }
        copy(&world.data, &data);
        Self { data, signers, token: world.token, before_last, answers }
    }
}

/// A copy to be damaged.
pub struct Case {
    base: &'static Base,
    folder: TempDir,
    pub data: PathBuf,
    pub config: PathBuf,
}

impl Case {
    pub fn of(base: &'static Base) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        copy(&base.data, &data);
        let config = folder.path().join("rialto.toml");
        fs::write(&config, settings(&data, QUIET)).expect("a file");
        Self { base, folder, data, config }
    }

    /// The folder around the data directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn start(&self) -> Program {
        Program::spawn(serve(&self.config))
    }

    /// It does not start, says why in one line, and changes nothing.
    #[track_caller]
    pub fn refuses(&self, words: &[&str]) {
        let before = fingerprint(&self.data);
        let Err(ended) = self.start().listens() else { panic!("it starts, rather than say {words:?}") };
        ended.refused(words);
        assert_eq!(fingerprint(&self.data), before, "a refused start changes nothing");
    }

    /// It starts with one line of warning for each of `warnings`, and answers as before.
    #[track_caller]
    pub fn starts(&self, warnings: &[&str]) -> Ended {
        self.starts_with(&self.base.answers, warnings)
    }

    /// As [`Self::starts`], with other answers.
    #[track_caller]
    pub fn starts_with(&self, expected: &Answers, warnings: &[&str]) -> Ended {
        let (program, addresses) = self.start().listening();
        self.answers_as(expected, &addresses);
        let ended = program.terminate();
        assert!(ended.status.success(), "{ended:?}");
        let lines: Vec<&str> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), warnings.len(), "{ended:?}");
        for (line, words) in lines.iter().zip(warnings) {
            assert!(line.starts_with("warning: ") && line.contains(words), "'{words}' in {ended:?}");
        }
        // And again, with nothing to complain of.
        let (program, addresses) = self.start().listening();
        self.answers_as(expected, &addresses);
        program.terminate().well();
        ended
    }

    #[track_caller]
    pub fn answers_as(&self, expected: &Answers, addresses: &Addresses) {
        let answers = asked(&self.base.signers, &self.base.token, addresses);
        for (asked, answer) in expected {
            let now = answers.get(asked).map_or("nothing", String::as_str);
            let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            assert!(json(now) == json(answer), "{asked}: was {answer}, is {now}");
        }
    }

    /// Journal, event log and snapshots agree.
    #[track_caller]
    pub fn verifies(&self) {
        let ended = verify(&self.data).well();
        assert!(ended.stdout.contains("The journal, the event log and the snapshots agree."), "{ended:?}");
    }

    /// They do not, and it says in one line what is wrong.
    #[track_caller]
    pub fn does_not_verify(&self, words: &[&str]) {
        verify(&self.data).refused(words);
    }
}
