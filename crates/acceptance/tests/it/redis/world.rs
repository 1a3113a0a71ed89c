//! A Redis of one's own and an exchange that reads from it, both killed and started again at will.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::lasting_addresses;
use redis::{Client, Connection, FromRedisValue, cmd};
use serde_json::json;
use tempfile::TempDir;

use crate::crashes::custody::Operator;
use crate::crashes::world::{Habits, settings};
use crate::http::PATIENCE;
use crate::program::{Addresses, Program, serve};

pub const STREAM: &str = "{rialto}:orders";

/// A server in its own process, whose data outlives it.
pub struct Redis {
    child: Option<Child>,
    folder: PathBuf,
    pub address: String,
}

impl Redis {
    /// On a free port, with its files in `folder`. What it has acknowledged is on its disk.
    pub fn start(folder: &Path) -> Self {
        let [address, _] = lasting_addresses();
        let mut redis = Self { child: None, folder: folder.to_owned(), address };
        redis.start_again();
        redis
    }

    pub fn start_again(&mut self) {
        let port = self.address.rsplit(':').next().expect("an address has a port");
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--dir"])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(File::create(self.folder.join("redis.log")).expect("a file"))
            .spawn()
            .expect("redis-server is there; tools/test installs it");
        self.child = Some(child);
        let begun = Instant::now();
        while self.try_connect().is_none() {
            let log = || fs::read_to_string(self.folder.join("redis.log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "Redis does not answer: {}", log());
            sleep(Duration::from_millis(5));
        }
    }

    fn try_connect(&self) -> Option<Connection> {
        let client = Client::open(format!("redis://{}", self.address)).expect("it is an address");
        let mut connection = client.get_connection_with_timeout(PATIENCE).ok()?;
        cmd("PING").query::<String>(&mut connection).ok().map(|_| connection)
    }

    pub fn connect(&self) -> Connection {
        self.try_connect().expect("it runs")
    }

    /// One command on a connection of its own.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut self.connect()).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Stops it from answering, or lets it go on: `STOP` and `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "it runs");
    }

    /// Everything that it has is gone.
    pub fn forget(&self) {
        assert!(self.child.is_none(), "while it does not run");
        fs::remove_dir_all(self.folder.join("appendonlydir")).expect("it was there");
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it is ours");
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Both together.
pub struct World {
    folder: TempDir,
    pub redis: Redis,
    pub data: PathBuf,
    config: PathBuf,
    program: Option<Program>,
    /// Another exchange beside it.
    other: Option<Program>,
    pub addresses: Addresses,
    pub token: String,
    /// The numbers of alice and bob, where this began with an empty directory.
    pub accounts: [u64; 2],
}

impl World {
    /// With two accounts that have money. `stream` is what the settings say of the stream beside its key, and behind it.
    pub fn new(partitions: u8, stream: &str) -> Self {
        let mut world = Self::over(partitions, stream, |_| {});
        let mut operator = world.operator();
        world.accounts = ["alice", "bob"].map(|name| {
            let account = operator.create_account(name);
            for (asset, amount) in [("BTC", "1000"), ("USDT", "1000000")] {
                let reference = format!("{name}-{asset}");
                let deposit =
                    json!({ "account": account, "asset": asset, "amount": amount, "reference": reference });
                operator.post("deposits", &deposit);
            }
            account
        });
        world
    }

    /// Over a data directory that `prepare` has put something into.
    pub fn over(partitions: u8, stream: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let redis = Redis::start(folder.path());
        let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
        prepare(&data);
        write_settings(&config, &data, &redis, partitions, stream);
        let (program, addresses) = Program::spawn(serve(&config)).listening();
        let token = fs::read_to_string(data.join("admin.token")).expect("it is made at the start");
        let program = Some(program);
        Self {
            folder,
            redis,
            data,
            config,
            program,
            other: None,
            addresses,
            token: token.trim().to_owned(),
            accounts: [0; 2],
        }
    }

    pub fn operator(&self) -> Operator {
        Operator::open(&self.addresses, &self.token).expect("it listens")
    }

    /// Another exchange with files of its own, which reads the same stream.
    pub fn other(&mut self, stream: &str) -> (Addresses, String) {
        let (data, config) = (self.folder.path().join("other"), self.folder.path().join("other.toml"));
        write_settings(&config, &data, &self.redis, 1, stream);
        let (program, addresses) = Program::spawn(serve(&config)).listening();
        let token = fs::read_to_string(data.join("admin.token")).expect("it is made at the start");
        self.other = Some(program);
        (addresses, token.trim().to_owned())
    }

    pub fn kill(&mut self) {
        self.program.take().expect("it runs").kill();
    }

    pub fn start_again(&mut self) {
        let (program, addresses) = Program::spawn(serve(&self.config)).listening();
        (self.program, self.addresses) = (Some(program), addresses);
    }

    /// An orderly end, whatever it has complained of.
    pub fn terminate(&mut self) {
        let program = self.program.take().expect("it runs");
        program.signal("TERM");
        let ended = program.wait();
        assert!(ended.status.success(), "{ended:?}");
    }

    /// Adds an entry; its id.
    pub fn add(&self, fields: &[(&str, &str)]) -> String {
        let mut command = cmd("XADD");
        command.arg(STREAM).arg("*");
        for (name, value) in fields {
            command.arg(*name).arg(*value);
        }
        command.query(&mut self.redis.connect()).expect("Redis is there")
    }

    /// Waits until everything in the stream is acknowledged.
    pub fn drained(&self) {
        let begun = Instant::now();
        loop {
            let last: Vec<(String, Vec<String>)> =
                self.redis.ask(&["XREVRANGE", STREAM, "+", "-", "COUNT", "1"]);
            let groups: Vec<std::collections::HashMap<String, redis::Value>> =
                self.redis.ask(&["XINFO", "GROUPS", STREAM]);
            let of = |field: &str| -> String {
                let value = groups.first().and_then(|group| group.get(field)).cloned().unwrap_or_default();
                redis::from_redis_value(value).unwrap_or_default()
            };
            let delivered = last.first().is_none_or(|(id, _)| *id == of("last-delivered-id"));
            if delivered && of("pending") == "0" {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the stream is never done with: {groups:?}");
            sleep(Duration::from_millis(2));
        }
    }

    /// All results that are there once there are so many, in order.
    pub fn replies(&self, count: usize) -> Vec<Fields> {
        let begun = Instant::now();
        loop {
            let found: usize = self.redis.ask(&["XLEN", &format!("{STREAM}:replies")]);
            if found >= count {
                return self.entries(&format!("{STREAM}:replies"));
            }
            assert!(begun.elapsed() < PATIENCE, "only {found} results of {count} come");
            sleep(Duration::from_millis(2));
        }
    }

    /// All entries of a stream.
    pub fn entries(&self, key: &str) -> Vec<Fields> {
        let entries: Vec<(String, Vec<(String, String)>)> = self.redis.ask(&["XRANGE", key, "-", "+"]);
        entries.into_iter().map(|(_, fields)| Fields(fields)).collect()
    }
}

/// No test leaves a process behind, whatever became of it.
impl Drop for World {
    fn drop(&mut self) {
        for program in [self.program.take(), self.other.take()].into_iter().flatten() {
            program.kill();
        }
    }
}

/// An entry's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn says(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            assert_eq!(self.get(name), *value, "{name} of {self:?}");
        }
    }
}

fn write_settings(config: &Path, data: &Path, redis: &Redis, partitions: u8, stream: &str) {
    let habits = Habits { partitions, ..Habits::NO_SNAPSHOTS };
    let text = format!(
        "{}[redis]\nurl = \"redis://{}\"\ntimeout_ms = 2000\n[[redis.stream]]\nname = \"orders\"\nkey = \"{STREAM}\"\n{stream}",
        settings(data, habits),
        redis.address
    );
    fs::write(config, text).expect("a file");
}
