//! A real database beside a real exchange: killed and started again under load, written by two, asked as customers would ask it;
//! and what stands in it is what the exchange has, to the atom.

// The sequencer's random commands.
#[path = "../../../sequencer/tests/it/flow.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod flow;
pub mod servers;
// What traders at contracts do, as the writer's own tests have it.
#[path = "../../../sink-sql/tests/it/traders.rs"]
mod traders;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use journal::DataDir;
use model::PartitionId;
use sink_sql::{SqlSettings, State, Tables, Writer};

use crate::crashes::money::{ASSETS, atoms, text};
use crate::crashes::world::{Habits, World, settings};
use crate::http::Connection;
use crate::program::{Addresses, Ended, Program, rialto, serve};
use crate::random::Random;
use servers::{Engine, PASSWORD, PASSWORD_ENV, Server};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// An exchange with traders, and its database.
struct Beside {
    world: World,
    /// `None` once it was ended.
    program: Option<Program>,
    addresses: Addresses,
    database: Server,
}

fn habits(partitions: u8) -> Habits {
    Habits { partitions, ..Habits::NO_SNAPSHOTS }
}

impl Beside {
    /// Trades a little before there is a database, which has to catch up with it.
    fn new(engine: Engine, partitions: u8, seed: u64) -> Self {
        Self::with_habits(engine, habits(partitions), seed)
    }

    fn with_habits(engine: Engine, habits: Habits, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (world, program, _) = World::new(&mut random, 4, habits);
        program.terminate().well();
        let database = Server::new(engine);
        let text = settings(&world.data, habits);
        fs::write(&world.config, format!("{text}{}", database.settings())).expect("a file");
        let (program, addresses) = start(&world);
        Self { world, program: Some(program), addresses, database }
    }

    fn sql(&self, command: &str) -> Ended {
        sql(&self.world, command)
    }

    fn load(&mut self, things: u64, meanwhile: impl FnOnce(&mut Server)) {
        let Self { world, addresses, database, .. } = self;
        world.load(addresses, things, |_| meanwhile(database));
    }

    /// Which writers write, by partition.
    fn up(&self) -> Vec<String> {
        let up = values(&metrics(&self.addresses, &self.world.token), "rialto_sql_writer_up");
        up.iter().map(ToString::to_string).collect()
    }

    /// Waits until the database has all that has happened.
    fn written(&mut self) {
        let began = Instant::now();
        loop {
            let text = metrics(&self.addresses, &self.world.token);
            let lags: Vec<f64> = values(&text, "rialto_sql_lag_events");
            let up: Vec<f64> = values(&text, "rialto_sql_writer_up");
            if !lags.is_empty() && lags.iter().all(|lag| *lag < 1.0) && up.iter().all(|up| *up > 0.0) {
                return;
            }
            if began.elapsed() > PATIENCE {
                let ended = self.program.take().expect("it runs").kill();
                panic!("the database does not catch up: {lags:?} {up:?} {ended:?}");
            }
            park_timeout(Duration::from_millis(20));
        }
    }

    /// What the exchange says of itself, what its command says of the tables, and what a customer's sums say.
    fn holds(&mut self) {
        self.world.check(&self.addresses);
        self.written();
        let checked = self.sql("check").well();
        assert!(checked.stdout.contains("The tables and the journal agree."), "{checked:?}");
        let mut connection = Connection::open(&self.addresses.admin).expect("it listens");
        let token = format!("Authorization: Bearer {}\r\n", self.world.token);
        let sheet = connection.ask("GET", "/admin/v1/balance-sheet", &token, "").expect("it is there").good();
        let sums = self.database.ask(
            "SELECT a.name, (SELECT SUM(free) FROM balances b WHERE b.asset_id = a.asset_id), (SELECT SUM(held) FROM balances b WHERE \
             b.asset_id = a.asset_id), (SELECT SUM(fee) FROM ledger_postings p WHERE p.asset_id = a.asset_id), (SELECT SUM(amount + fee) \
             FROM ledger_postings p WHERE p.asset_id = a.asset_id) FROM assets a ORDER BY a.asset_id",
        );
        assert_eq!(sums.len(), ASSETS.len());
        for row in &sums {
            let line = sheet.as_array().expect("a list").iter().find(|line| line["asset"] == row[0]);
            let told = |field: &str| atoms(line.expect("every asset")[field].as_str().expect("text"));
            // MariaDB shows eighteen decimals of everything.
            let found = |column: usize| text(atoms(row[column].trim_end_matches('0')));
            assert_eq!(found(1), text(told("free")), "free {}", row[0]);
            assert_eq!(found(2), text(told("held")), "held {}", row[0]);
            assert_eq!(found(3), text(told("fees")), "fees {}", row[0]);
            assert_eq!(found(4), text(told("deposited") - told("withdrawn")), "in and out {}", row[0]);
        }
    }
}

fn with_password(mut command: Command) -> Command {
    command.env(PASSWORD_ENV, PASSWORD);
    command
}

fn start(world: &World) -> (Program, Addresses) {
    Program::spawn(with_password(serve(&world.config))).listening()
}

fn sql(world: &World, command: &str) -> Ended {
    let mut asked = with_password(rialto(["sql", command, "--config"]));
    asked.arg(&world.config);
    crate::program::run(asked)
}

fn metrics(addresses: &Addresses, token: &str) -> String {
    let mut connection = Connection::open(&addresses.admin).expect("it listens");
    let token = format!("Authorization: Bearer {token}\r\n");
    let answer = connection.ask("GET", "/metrics", &token, "").expect("it is there");
    answer.body
}

/// The values of a metric, by partition.
fn values(metrics: &str, name: &str) -> Vec<f64> {
    let lines = metrics.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    lines.map(|line| line.rsplit_once(' ').expect("a value").1.parse().expect("a number")).collect()
}

/// The database dies under load again and again, then the exchange dies; neither loses or doubles anything, and while the
/// database is down orders are taken as ever.
fn whatever_dies(engine: Engine, partitions: u8, seed: u64) {
    let mut random = Random::new(seed);
    let mut beside = Beside::new(engine, partitions, seed);
    let refused = beside.sql("check");
    refused.refused(&["the database has no tables", "rialto sql migrate"]);
    beside.load(20, |_| {});
    assert!(beside.sql("migrate").well().stdout.contains("The tables are made, version 2."));
    beside.holds();

    for _ in 0..3 {
        let moment = Duration::from_millis(50 + random.below(400));
        beside.load(60, |database| {
            park_timeout(moment);
            database.kill();
            database.start();
        });
        beside.holds();
    }
    // Standing still for a whole round of trading. (Of PostgreSQL's processes only the one that takes new connections does.)
    beside.database.signal("STOP");
    beside.load(20, |_| {});
    beside.world.check(&beside.addresses);
    beside.database.signal("CONT");
    beside.holds();
    // Down for a whole round of trading.
    beside.database.kill();
    beside.load(20, |_| {});
    beside.world.check(&beside.addresses);
    // A writer notices when it has something to write, up to a pause later.
    wait_until("somebody notices that the database is down", || beside.up().contains(&"0".to_owned()));
    beside.database.start();
    beside.holds();

    let program = beside.program.take().expect("it runs");
    beside.load(60, |_| {
        park_timeout(Duration::from_millis(200));
        program.kill();
    });
    let (program, addresses) = start(&beside.world);
    (beside.program, beside.addresses) = (Some(program), addresses);
    beside.holds();
    assert!(beside.sql("rebuild").well().stdout.contains("The tables are derived again"));
    assert!(beside.sql("check").well().stdout.contains("agree"));
    beside.program.take().expect("it runs").terminate();
}

#[test]
fn postgres_dies_and_nothing_is_lost_or_doubled() {
    whatever_dies(Engine::Postgres, 1, 11);
}

#[test]
fn mariadb_dies_and_nothing_is_lost_or_doubled() {
    whatever_dies(Engine::Mariadb, 1, 12);
}

#[test]
fn three_partitions_write_one_database() {
    whatever_dies(Engine::Postgres, 3, 13);
}

/// A writer that somebody starts beside the exchange's has the database from then on: the exchange's stops before it changes
/// another row, and trading goes on. At its next start the exchange has it again, and then it is the other one that stops.
#[test]
fn of_two_writers_one_stops() {
    let mut beside = Beside::new(Engine::Postgres, 1, 14);
    beside.sql("migrate").well();
    beside.load(20, |_| {});
    beside.holds();
    let data = DataDir::open_read_only(&beside.world.data).expect("it is there");
    let settings = beside.database.sql_settings();
    let other = Writer::start(PartitionId::FIRST, data.storage().clone(), None, settings).expect("a thread");
    wait_until("the other writes", || other.status().event_seq().0 > 0);
    beside.load(20, |_| {});
    wait_until("the exchange's writer has stopped", || beside.up() == ["0"]);
    beside.world.check(&beside.addresses);
    wait_until("the other has written it all", || {
        beside.sql("check").stdout.contains("agree") && other.status().transactions() > 0
    });
    assert_eq!(other.status().state(), State::Writing);

    let ended = beside.program.take().expect("it runs").terminate();
    assert!(ended.stderr.contains("another writer has taken over partition 0"), "{ended:?}");
    let (program, addresses) = start(&beside.world);
    (beside.program, beside.addresses) = (Some(program), addresses);
    beside.load(20, |_| {});
    beside.holds();
    wait_until("the other has stopped", || other.status().state() == State::Stopped);
    beside.program.take().expect("it runs").terminate().well();
}

/// The views keep next to nothing, and traders ask for all that they have done: the tables have it. Also while somebody amends, on
/// two partitions, and behind a restart; with the database away there is what the views have, and no error.
fn histories_reach_behind_the_views(engine: Engine, partitions: u8, seed: u64) {
    let kept = Habits { kept: 60, ..habits(partitions) };
    let mut beside = Beside::with_habits(engine, kept, seed);
    beside.sql("migrate").well();
    for _ in 0..2 {
        beside.load(400, |_| {});
        // Only then the tables have what the views have forgotten.
        beside.written();
        beside.holds();
    }
    beside.program.take().expect("it runs").terminate();
    let (program, addresses) = start(&beside.world);
    (beside.program, beside.addresses) = (Some(program), addresses);
    beside.load(400, |_| {});
    beside.written();
    beside.holds();

    beside.database.kill();
    let mut connection = Connection::open(&beside.addresses.public).expect("it listens");
    let signer = beside.world.traders[0].signer();
    let query = "symbol=BTCUSDT&orderId=1&limit=1000";
    let recent = connection.signed("GET", "/api/v3/allOrders", signer, query).expect("it is there").good();
    let recent = recent.as_array().expect("a list").len();
    assert!((1..=120).contains(&recent), "{recent} orders");
    beside.program.take().expect("it runs").terminate();
}

#[test]
fn postgres_remembers_what_the_views_forget() {
    histories_reach_behind_the_views(Engine::Postgres, 2, 41);
}

#[test]
fn mariadb_remembers_what_the_views_forget() {
    histories_reach_behind_the_views(Engine::Mariadb, 1, 42);
}

/// Contracts in a database of their own, on a server that dies while they are written.
fn contracts_apart(engine: Engine, seed: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let commands = traders::flow(seed, 2_000);
    traders::record(&data, &journal::Settings::default(), &commands);
    let config = folder.path().join("rialto.toml");
    let (mut spot, futures) = (Server::new(engine), Server::new(engine));
    let of_futures = futures.settings().replace("[sql]", "[sql.futures]").replace("max_retry_s = 1\n", "");
    let text = format!("data_dir = \"{}\"\n{}{of_futures}", data.display(), spot.settings());
    fs::write(&config, text).expect("a file");
    let asked = |command: &str| {
        let mut asked = with_password(rialto(["sql", command, "--config"]));
        asked.arg(&config);
        crate::program::run(asked)
    };
    let made = asked("migrate").well().stdout;
    assert!(
        made.contains("The database of spot markets:") && made.contains("The database of contracts:"),
        "{made}"
    );

    let storage = DataDir::open_read_only(&data).expect("it is there").storage().clone();
    let write = |server: &Server, tables| {
        let settings = SqlSettings { tables, batch_max_events: 20, ..server.sql_settings() };
        Writer::start(PartitionId::FIRST, storage.clone(), None, settings).expect("a thread")
    };
    let writers = [write(&spot, Tables::Spot), write(&futures, Tables::Futures)];
    wait_until("some is written", || writers.iter().all(|writer| writer.status().transactions() > 20));
    spot.kill();
    wait_until("the writer notices", || writers[0].status().failures() > 0);
    spot.start();
    let checked = || {
        let told = asked("check").stdout;
        let all = format!("up to         command {}\n", commands.len());
        told.matches(&all).count() == 2 && told.matches("The tables and the journal agree.").count() == 2
    };
    wait_until("both have everything", checked);
    for writer in writers {
        writer.stop();
    }

    // What a position is long of somebody is short of; what came in is what is there.
    let open = futures.ask("SELECT market_id, SUM(quantity), COUNT(*) FROM positions GROUP BY market_id");
    assert!(open.len() == 2 && open.iter().all(|row| row[1].trim_matches(['0', '.']).is_empty()), "{open:?}");
    let there = futures.ask(
        "SELECT (SELECT SUM(amount) FROM income) - (SELECT SUM(balance) FROM futures_wallets) - \
         COALESCE((SELECT SUM(margin) FROM positions), 0)",
    );
    assert!(there[0][0].trim_matches(['0', '.']).is_empty(), "{there:?}");
    let count =
        |server: &Server, table: &str| server.ask(&format!("SELECT COUNT(*) FROM {table}"))[0][0].clone();
    for table in ["positions", "futures_wallets", "income", "funding_rates", "contracts"] {
        assert!(count(&spot, table) == "0" && count(&futures, table) != "0", "{table}");
    }
    assert!(count(&spot, "ledger_postings") != "0" && count(&futures, "ledger_postings") == "0");

    let rebuilt = asked("rebuild").well().stdout;
    assert_eq!(rebuilt.matches("The tables are derived again").count(), 2, "{rebuilt}");
    assert!(checked());
    futures.ask("UPDATE positions SET cost = cost + 1 WHERE account_id = 9");
    asked("check").refused(&["the tables and the journal differ in", "rialto sql rebuild"]);
}

#[test]
fn postgres_has_contracts_apart_from_spot() {
    contracts_apart(Engine::Postgres, 21);
}

#[test]
fn mariadb_has_contracts_apart_from_spot() {
    contracts_apart(Engine::Mariadb, 22);
}

/// A database that is full takes nothing; when there is room again, everything comes, once.
fn fills_up(engine: Engine, seed: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let commands = traders::flow(seed, 14_000);
    traders::record(folder.path(), &journal::Settings::default(), &commands);
    let storage = DataDir::open_read_only(folder.path()).expect("it is there").storage().clone();
    let mut server = Server::cramped(engine);
    let settings =
        SqlSettings { batch_max_events: 500, max_retry: Duration::from_millis(100), ..server.sql_settings() };
    sink_sql::migrate(&settings).expect("there is room for tables");
    let writer =
        Writer::start(PartitionId::FIRST, storage.clone(), None, settings.clone()).expect("a thread");
    let full = match engine {
        Engine::Postgres => "File too large",
        Engine::Mariadb => "full",
    };
    wait_until("it is full, again and again", || writer.status().failures() > 3);
    let at = writer.status().event_seq();
    assert!(at.0 > 0 && server.log().contains(full), "event {at}\n{}", server.log());
    assert_eq!(writer.status().state(), State::Retrying);
    server.give_room();
    let check = || sink_sql::check(&settings, std::slice::from_ref(&storage), &mut |_, _| {});
    let seq = u64::try_from(commands.len()).expect("fits");
    wait_until("everything is there", || check().is_ok_and(|checked| checked.up_to[0].0 == seq));
    let checked = check().expect("it was done before");
    assert_eq!((checked.differences, checked.count), (Vec::new(), 0));
    writer.stop();
}

#[test]
fn postgres_that_is_full_is_filled_when_there_is_room_again() {
    fills_up(Engine::Postgres, 31);
}

#[test]
fn mariadb_that_is_full_is_filled_when_there_is_room_again() {
    fills_up(Engine::Mariadb, 32);
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        park_timeout(Duration::from_millis(20));
    }
}

/// The tables may be made before the exchange has ever run, in a data directory that is not there yet.
#[test]
fn a_file_of_sqlite_is_made_before_the_first_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
    let text = format!("{}[sql]\nurl = \"sqlite:rialto.db\"\n", settings(&data, habits(1)));
    fs::write(&config, text).expect("a file");
    let asked = |command: &str| {
        let mut asked = rialto(["sql", command, "--config"]);
        asked.arg(&config);
        crate::program::run(asked)
    };
    asked("migrate").well();
    let (program, _) = Program::spawn(serve(&config)).listening();
    program.terminate().well();
    assert!(asked("check").well().stdout.contains("The tables and the journal agree."));
}

/// The queries of the page, which are the same in all databases.
fn documented() -> Vec<String> {
    let page = include_str!("../../../../docs/sql.md");
    let blocks = page.split("```sql\n").skip(1).map(|block| block.split("```").next().expect("an end"));
    let code: Vec<&str> = blocks.flat_map(str::lines).filter(|line| !line.starts_with("--")).collect();
    let code = code.join("\n");
    code.split(';').map(str::trim).filter(|query| !query.is_empty()).map(str::to_owned).collect()
}

/// Tables that are large enough for their indexes to be worth it. `numbers` is where the numbers `n` come from, `time` grows with
/// them.
fn fill(database: &Server, numbers: &str, time: &str) {
    let ended = format!("CASE WHEN n % 50 = 0 THEN NULL ELSE {time} END");
    // One who does more than the others.
    let account = "CASE WHEN n % 50 = 0 THEN 7 ELSE n % 200 END";
    for rows in [
        format!(
            "orders SELECT n, {account}, n % 5, NULL, 'BUY', 'LIMIT', 'GTC', 'NONE', 1, 1, NULL, 0, 0, 0, 0, 0, 'NEW', NULL, {time}, \
             {time}, {ended}, NULL, 0, NULL, 'OWNER', NULL, NULL, NULL, NULL, NULL"
        ),
        format!("trades SELECT n % 5, n, 1, 1, 1, 'BUY', n, n + 1, {time}"),
        format!(
            "ledger_postings SELECT 0, n, 1, {account}, 0, 'TRADE_RECEIVED', 1, 0, 1, n % 5, n, n, NULL, NULL, {time}"
        ),
        format!("balances SELECT n, 0, 1, 0, {time}"),
        format!("futures_wallets SELECT n, 0, 1, {time}"),
        format!("positions SELECT n, n % 100, 'BOTH', 1, 1, NULL, {time}"),
        format!("position_settings SELECT n, n % 100, NULL, 'CROSS', {time}"),
        format!("income SELECT 0, n, 0, {account}, 0, n % 5, 'FUNDING_FEE', 1, NULL, NULL, {time}"),
        format!("funding_rates SELECT n % 5, {time}, 0.0001, 1"),
    ] {
        database.ask(&format!("INSERT INTO {rows} FROM {numbers}"));
    }
}

#[test]
fn postgres_answers_documented_queries_by_an_index() {
    let database = Server::new(Engine::Postgres);
    sink_sql::migrate(&database.sql_settings()).expect("it is there");
    fill(&database, "generate_series(1, 20000) n", "TIMESTAMP '2026-03-01' + n * INTERVAL '1 minute'");
    database.ask("ANALYZE");
    let queries = documented();
    assert!(queries.len() >= 7, "{queries:?}");
    for query in queries {
        // Disks without moving parts.
        let plan = database.ask(&format!("SET random_page_cost = 1.1; EXPLAIN {query}"));
        let plan = plan.into_iter().flatten().collect::<Vec<_>>().join("\n");
        assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{query}\n{plan}");
        assert!(!(query.contains("LIMIT") && plan.contains("Sort")), "{query}\nis sorted:\n{plan}");
    }
}

#[test]
fn mariadb_answers_documented_queries_by_an_index() {
    let database = Server::new(Engine::Mariadb);
    sink_sql::migrate(&database.sql_settings()).expect("it is there");
    fill(&database, "(SELECT seq AS n FROM seq_1_to_20000) numbers", "'2026-03-01' + INTERVAL n MINUTE");
    database.ask(
        "ANALYZE TABLE orders, trades, ledger_postings, balances, futures_wallets, positions, position_settings, income, \
         funding_rates",
    );
    for query in documented() {
        for step in database.ask(&format!("EXPLAIN {query}")) {
            // Which table, by which kind of access, with which key, and what has to be done besides.
            let (access, key, extra) = (&step[3], &step[5], &step[9]);
            assert!(["const", "eq_ref", "ref", "range"].contains(&access.as_str()), "{query}\n{step:?}");
            assert!(!key.is_empty(), "{query}\n{step:?}");
            assert!(!(query.contains("LIMIT") && extra.contains("filesort")), "{query}\nis sorted: {step:?}");
        }
    }
}

/// With an authority named, a server is believed that has a certificate of it, and nobody else.
fn speaks_tls(engine: Engine) {
    let server = Server::with_tls(engine);
    let plain = server.sql_settings();
    let named = plain.url.replace("127.0.0.1", "localhost");
    let folder = tempfile::tempdir().expect("a folder");
    servers::certify(&folder.path().join("other"));
    let with = |url: &str, ca_file: PathBuf| SqlSettings {
        url: url.to_owned(),
        ca_file: Some(ca_file),
        ..plain.clone()
    };

    let refused =
        |settings: &SqlSettings| sink_sql::migrate(settings).expect_err("it is not trusted").to_string();
    let other = refused(&with(&named, folder.path().join("other/ca.pem")));
    assert!(
        other.starts_with("cannot connect to the database") && other.contains("invalid peer certificate"),
        "{other}"
    );
    let missing = refused(&with(&named, folder.path().join("nothing.pem")));
    assert!(missing.contains("nothing.pem") || missing.contains("No such file"), "{missing}");
    assert_eq!(sink_sql::migrate(&with(&named, server.authority())).expect("it is trusted"), (0, 2));

    let other = Server::new(engine);
    let without = other.sql_settings();
    let url = without.url.replace("127.0.0.1", "localhost");
    let settings = SqlSettings { url, ca_file: Some(server.authority()), ..without };
    let open = refused(&settings);
    assert!(
        open.starts_with("cannot connect to the database"),
        "nothing goes over the network in the open: {open}"
    );
}

#[test]
fn postgres_is_believed_by_its_certificate() {
    speaks_tls(Engine::Postgres);
}

#[test]
fn mariadb_is_believed_by_its_certificate() {
    speaks_tls(Engine::Mariadb);
}
