//! Moving in from a Laravel exchange's database: what it has comes once, to the atom, and its users go on trading with the keys that
//! they have.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::http::{Connection, Signer};
use crate::program::{Ended, Program, rialto, run, serve, verify};
use crate::sql::servers::{Engine, PASSWORD, Server};

/// The old exchange, and where the new one will be.
struct Move {
    engine: Engine,
    database: Server,
    folder: TempDir,
}

/// What MariaDB says of a type or a name, and what PostgreSQL does.
const POSTGRES: [(&str, &str); 7] = [
    ("BIGINT AUTO_INCREMENT", "BIGSERIAL"),
    ("BIGINT UNSIGNED", "BIGINT"),
    ("TINYINT", "SMALLINT"),
    ("ENUM('buy', 'sell')", "VARCHAR(4)"),
    ("DOUBLE", "DOUBLE PRECISION"),
    ("SIGNED", "BIGINT"),
    ("`key`", "key"),
];

impl Move {
    fn new(engine: Engine) -> Self {
        let there = Self { engine, database: Server::new(engine), folder: tempfile::tempdir().unwrap() };
        there.tell(include_str!("import/laravel.sql"));
        // The map that the documentation shows, as it is.
        let page =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/import.md")).unwrap();
        let map = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        there.write_map(map);
        let settings = format!(
            "data_dir = '{}'\n[public]\nlisten = '127.0.0.1:0'\n[admin]\nlisten = '127.0.0.1:0'\n[partitions]\ncount = {}\n",
            there.file("data").display(),
            std::env::var("RIALTO_PARTITIONS").unwrap_or_else(|_| "1".to_owned())
        );
        fs::write(there.file("rialto.toml"), settings).unwrap();
        there
    }

    fn tell(&self, sql: &str) {
        self.database.ask(&self.spoken(sql));
    }

    fn spoken(&self, sql: &str) -> String {
        let words = if self.engine == Engine::Postgres { &POSTGRES[..] } else { &[] };
        words.iter().fold(sql.to_owned(), |sql, (one, other)| sql.replace(one, other))
    }

    fn write_map(&self, map: &str) {
        fs::write(self.file("map.toml"), self.spoken(map)).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, more: &[&str]) -> Ended {
        let kind = match self.engine {
            Engine::Mariadb => "mysql",
            Engine::Postgres => "postgres",
        };
        let mut command = rialto(["import", kind, "--dsn"]);
        command.arg(self.database.url()).args(["--password-env", "OLD_PASSWORD", "--map"]);
        command.arg(self.file("map.toml")).arg("--config").arg(self.file("rialto.toml")).args(more);
        command.env("OLD_PASSWORD", PASSWORD);
        run(command)
    }

    /// What is told of an import that is refused.
    #[track_caller]
    fn refused(&self, sql: &str) -> String {
        self.tell(sql);
        let ended = self.import(&[]);
        assert!(!ended.status.success(), "{ended:?}");
        assert!(!self.file("data").exists(), "nothing is written before everything fits");
        ended.stderr
    }
}

/// The words of the line that begins with `first`.
#[track_caller]
fn line<'t>(ended: &'t Ended, first: &str) -> Vec<&'t str> {
    assert!(ended.status.success(), "{ended:?}");
    let line = ended.stdout.lines().find(|line| line.starts_with(first));
    line.unwrap_or_else(|| panic!("{ended:?}")).split_whitespace().collect()
}

#[test]
fn an_exchange_moves_in_with_everything_it_has() {
    for engine in [Engine::Mariadb, Engine::Postgres] {
        moves_in(engine);
    }
}

fn moves_in(engine: Engine) {
    let old = Move::new(engine);
    let totals = |ended: &Ended| {
        assert_eq!(line(ended, "BTC"), ["BTC", "1.50000001", "1.50000001", "1.00000001", "0.50000000"]);
        assert_eq!(
            line(ended, "USDT"),
            ["USDT", "51000.500000", "51000.500000", "50100.500000", "900.000000"]
        );
    };
    let dry = old.import(&["--dry-run"]);
    totals(&dry);
    assert!(!old.file("data").exists(), "a dry run writes nothing");

    let first = old.import(&[]);
    totals(&first);
    assert_eq!(line(&first, "open orders:").join(" "), "open orders: 2 imported, 0 were there");
    assert_eq!(line(&first, "API keys:").join(" "), "API keys: 2 imported, 0 were there");

    // Users go on with their keys: they see their orders, and one trades with the other's.
    let (program, addresses) = Program::spawn(serve(&old.file("rialto.toml"))).listening();
    let mut connection = Connection::open(&addresses.public).unwrap();
    let seven = Signer::new("key-of-seven", "secret-of-seven");
    let twelve = Signer::new("key-of-twelve", "secret-of-twelve");
    let open = connection.signed("GET", "/api/v3/openOrders", &seven, "").unwrap().good();
    let shown =
        |field: &str| open.as_array().unwrap().iter().map(|order| order[field].clone()).collect::<Vec<_>>();
    assert_eq!(shown("price"), ["60000.00", "61000.05"]);
    assert_eq!(shown("origQty"), ["0.01500000", "0.50000000"]);
    let taking = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=61000.05&quantity=0.5";
    let taken = connection.signed("POST", "/api/v3/order", &twelve, taking).unwrap().good();
    assert_eq!((&taken["status"], &taken["cummulativeQuoteQty"]), (&"FILLED".into(), &"30500.025000".into()));
    // The fee of market_fee_setting: 0.1 % of what is received.
    assert_eq!(taken["fills"][0]["commission"], "0.00050000");
    let revoked =
        connection.signed("GET", "/api/v3/openOrders", &Signer::new("old-key", "old-secret"), "").unwrap();
    assert_eq!(revoked.code(), -2015);
    program.terminate().well();

    // Again: nothing comes back, neither balances nor the order that has traded.
    let again = old.import(&[]);
    for what in ["assets:", "markets:", "accounts:", "balances:", "API keys:", "open orders:"] {
        assert!(line(&again, what).join(" ").contains(" 0 imported, "), "{again:?}");
    }
    assert!(again.stdout.contains("The accounts have other totals of BTC, USDT since"), "{again:?}");
    let verified = verify(&old.file("data"));
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn what_does_not_fit_is_told_and_nothing_is_written() {
    for engine in [Engine::Mariadb, Engine::Postgres] {
        is_told(engine);
    }
}

fn is_told(engine: Engine) {
    let old = Move::new(engine);
    let told = old.refused("UPDATE wallets SET locked = 901 WHERE user_id = 7 AND coin = 'USDT'");
    assert!(
        told.contains("the account user-7 has 901.000000 USDT held, and its open orders come to 900.000000"),
        "{told}"
    );
    let told = old.refused(
        "UPDATE wallets SET locked = 900, available = 100.0000005 WHERE user_id = 7 AND coin = 'USDT'",
    );
    assert!(
        told.contains(": free is '100.000000500000000000': at most 6 decimals are possible here"),
        "{told}"
    );
    let told = old.refused("UPDATE wallets SET available = 100.5 WHERE user_id = 7 AND coin = 'USDT'; UPDATE pairs SET min_total = 901");
    assert!(told.contains("the order 31 was refused: "), "{told}");
    let map = fs::read_to_string(old.file("map.toml")).unwrap();
    old.write_map(&map.replace("w.available AS free", "w.cached AS free"));
    let told = old.refused("UPDATE pairs SET min_total = 10");
    assert!(told.contains("balances: the column free is of floating point"), "{told}");
    old.write_map(&map.replace("FROM wallets", "FROM wallet"));
    let told = old.refused("SELECT 1");
    assert!(told.contains("balances: the database refused a question: "), "{told}");
    assert!(told.contains("exist"), "{told}");
}
