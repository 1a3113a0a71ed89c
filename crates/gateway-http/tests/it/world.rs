//! A whole exchange in a temporary folder, on ports of its own: journal, sequencer, views, both listeners. It is set up
//! through the operator's API, as an operator would.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use codec::Reader;
use gateway_http::{
    Admin, AdminToken, Gateway, GatewaySettings, KeyStore, MasterKey, Port, ReadModels, StoredKey, Tls,
};
use journal::{DataDir, Storage};
use model::{AccountId, Command, EventBatch, JoinExchange, OrderId, PartitionId, Partitions, Seq};
use sequencer::{
    Companion, CompanionCopy, Egress, Ingress, Lane, Recovered, Replay, Sections, Sequencer, Submission,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use views::{ViewSettings, Views};

use crate::http::{Answer, Connection, Trader};

pub const TOKEN: &str = "the-token-of-the-operator";

pub struct World {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub ingress: Ingress,
    runtime: Runtime,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    sequencer: Option<Sequencer>,
    /// Held open as long as the sequencer writes.
    directory: Option<DataDir>,
    folder: Option<TempDir>,
}

struct Following(Views);

/// The views of a partition of a [`World`], for its snapshots. None may fail.
struct Saving(Arc<ReadModels>, PartitionId);

impl Companion for Saving {
    fn copy(&self) -> Box<dyn CompanionCopy> {
        Box::new(Following(Views::new(ViewSettings::default())))
    }

    fn last(&self, seq: Seq) -> Sections {
        vec![("views", self.0.of(self.1).save_at_end(seq).expect("the views come this far"))]
    }

    fn failed(&self, sentence: &str) {
        eprintln!("{sentence}");
        std::process::abort();
    }
}

impl CompanionCopy for Following {
    fn sections(self: Box<Self>) -> Result<Sections, String> {
        let mut bytes = Vec::new();
        self.0.save(&mut bytes);
        Ok(vec![("views", bytes)])
    }
}

impl Replay for Following {
    fn snapshot(&mut self, _: Seq, section: &dyn Fn(&str) -> Option<Vec<u8>>) {
        let bytes = section("views").expect("every snapshot here has views");
        self.0 = Views::load(ViewSettings::default(), &mut Reader::new(&bytes)).expect("they are sound");
    }

    fn batch(&mut self, batch: &EventBatch) {
        self.0.apply(batch);
    }

    fn progress(&mut self, _: u64, _: u64) {}
}

/// How many partitions the exchanges of these tests have: everything is to be the same with any number.
fn partitions() -> u8 {
    std::env::var("RIALTO_PARTITIONS").map_or(1, |count| count.parse().expect("a small number"))
}

/// The first number that the partition of an account gives out, of an order or a withdrawal.
pub fn first_number(account: u64) -> u64 {
    let mut all = Partitions::default();
    for _ in 1..partitions() {
        all.add(AccountId(1));
    }
    OrderId::first_of(all.home(AccountId(account))).0
}

/// Where markets of these tests live: apart from many accounts, whatever the number of partitions.
fn last_partition() -> u8 {
    partitions() - 1
}

/// Makes the partitions of a new exchange.
fn add_partitions(directory: &mut DataDir, journal: &journal::Settings) {
    let missing = usize::from(partitions()) - directory.storages().len();
    for _ in 0..missing {
        let partition = PartitionId(u8::try_from(directory.storages().len()).unwrap());
        let storage = directory.add_partition().expect("the folder is ours");
        first_commands(storage, journal, vec![Command::JoinExchange(JoinExchange { partition })]);
    }
    first_commands(directory.storage(), journal, vec![Command::AddPartition; missing]);
}

fn first_commands(storage: &Arc<dyn Storage>, journal: &journal::Settings, commands: Vec<Command>) {
    if commands.is_empty() {
        return;
    }
    let recovered = sequencer::recover(storage, journal, &mut ()).unwrap();
    let sequencer = recovered.start(sequencer::Settings::default(), Egress::default(), None);
    for command in commands {
        sequencer.ingress().submit(Submission { command, reply_to: None }).unwrap();
    }
    sequencer.abandon().unwrap();
}

impl World {
    /// Nothing is listed and nobody is here.
    pub fn empty(settings: GatewaySettings) -> Self {
        Self::start(tempfile::tempdir().expect("a folder"), settings)
    }

    /// The same, with TLS on the public port.
    pub fn empty_with_tls(settings: GatewaySettings, tls: Arc<Tls>) -> Self {
        Self::start_with(tempfile::tempdir().expect("a folder"), settings, Some(tls))
    }

    /// BTCUSDT with ticks of 0.05 and lots of 0.001; alice and bob, funded.
    pub fn open() -> (Self, Trader, Trader) {
        Self::open_with(GatewaySettings::default())
    }

    pub fn open_with(settings: GatewaySettings) -> (Self, Trader, Trader) {
        let world = Self::empty(settings);
        world.list();
        let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
        (world, alice, bob)
    }

    fn start(folder: TempDir, settings: GatewaySettings) -> Self {
        Self::start_with(folder, settings, None)
    }

    fn start_with(folder: TempDir, settings: GatewaySettings, tls: Option<Arc<Tls>>) -> Self {
        let mut directory = DataDir::open(folder.path()).expect("the folder is ours");
        let journal = journal::Settings {
            journal_segment_bytes: 1 << 20,
            event_segment_bytes: 1 << 20,
            ..journal::Settings::default()
        };
        add_partitions(&mut directory, &journal);
        let (mut recovered, mut followed, mut egress) = (Vec::new(), Vec::new(), Vec::new());
        for storage in directory.storages() {
            let mut following = Following(Views::new(ViewSettings::default()));
            recovered.push(sequencer::recover(storage, &journal, &mut following).expect("it recovers"));
            egress.push(Egress::default());
            followed.push((following.0, egress[egress.len() - 1].subscribe()));
        }
        let master_file = folder.path().join("master.key");
        if !master_file.exists() {
            MasterKey::generate().unwrap().write_new(&master_file).unwrap();
        }
        let stored: Vec<StoredKey> = recovered[0]
            .partition()
            .api_keys()
            .map(|(key, stored)| StoredKey {
                key: *key,
                account: stored.account,
                kind: stored.kind,
                sealed: stored.sealed.clone(),
                permissions: stored.permissions,
                ip_ranges: stored.ip_ranges.clone(),
            })
            .collect();
        let keys = Arc::new(KeyStore::open(MasterKey::from_file(&master_file).unwrap(), stored).unwrap());
        let read_models = ReadModels::start(followed).unwrap();
        // Often, so that every test has snapshots taken in between.
        let often = sequencer::Settings { snapshot_every_commands: 10, ..sequencer::Settings::default() };
        let lane = |((at, recovered), egress): ((u8, Recovered), &Egress)| {
            let saving = Arc::new(Saving(Arc::clone(&read_models), PartitionId(at)));
            Lane { recovered, egress: egress.clone(), companion: Some(saving) }
        };
        let lanes = (0..).zip(recovered).zip(&egress).map(lane).collect();
        let sequencer = Sequencer::start(lanes, often).expect("the partitions agree");

        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let gateway = Gateway::new(
            settings,
            sequencer.ingress().clone(),
            egress,
            read_models,
            keys,
            runtime.handle().clone(),
        );
        let token = AdminToken::new(TOKEN).unwrap().expect("it is long enough");
        let (stop, stopping) = watch::channel(false);
        let stopped = || {
            let mut stopping = stopping.clone();
            async move { drop(stopping.wait_for(|stop| *stop).await) }
        };
        let [public, operator] =
            [(); 2].map(|()| runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free"));
        let addresses = [&public, &operator].map(|listener| listener.local_addr().unwrap());
        let port = match tls {
            Some(tls) => Port::with_tls(public, tls),
            None => public.into(),
        };
        let servers = vec![
            runtime.spawn(gateway_http::serve(port, Arc::clone(&gateway), stopped())),
            runtime.spawn(gateway_http::serve_admin(operator, Admin::new(gateway, token), stopped())),
        ];
        Self {
            public: addresses[0],
            admin: addresses[1],
            ingress: sequencer.ingress().clone(),
            runtime,
            stop,
            servers,
            sequencer: Some(sequencer),
            directory: Some(directory),
            folder: Some(folder),
        }
    }

    /// Where the master key is.
    pub fn master_file(&self) -> PathBuf {
        self.folder.as_ref().expect("a world has a folder").path().join("master.key")
    }

    /// Stops in order and starts again on the same folder, on other ports.
    pub fn restart(self) -> Self {
        self.restart_with(GatewaySettings::default())
    }

    pub fn restart_with(mut self, settings: GatewaySettings) -> Self {
        self.end();
        let folder = self.folder.take().expect("a world has a folder");
        drop(self);
        Self::start(folder, settings)
    }

    /// Tells the listeners to stop, and waits until they have.
    pub fn stop_serving(&mut self) {
        self.stop.send_replace(true);
        for server in self.servers.drain(..) {
            self.runtime.block_on(server).expect("a server ends in order");
        }
    }

    /// Tells the listeners to stop, and does not wait.
    pub fn begin_to_stop(&self) {
        self.stop.send_replace(true);
    }

    fn end(&mut self) {
        self.stop_serving();
        if let Some(sequencer) = self.sequencer.take() {
            sequencer.ingress().stop();
            sequencer.join_all().expect("the sequencers end in order");
        }
        self.directory = None;
    }

    pub fn operate(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = format!("authorization: Bearer {TOKEN}\r\n");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Connection::open(self.admin).send(method, &format!("/admin/v1{path}"), &headers, &body)
    }

    /// What must be done as asked.
    #[track_caller]
    pub fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.operate(method, path, body);
        assert!(answer.status == 200 || answer.status == 201, "{} {}", answer.status, answer.body);
        answer.body
    }

    pub fn list(&self) {
        self.done("POST", "/assets", &json!({"name": "BTC", "scale": 8}));
        self.done("POST", "/assets", &json!({"name": "USDT", "scale": 6}));
        let market = json!({
            "name": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick_size": "0.05", "lot_size": "0.001",
            "initial_price": "50000", "max_price": "1000000", "max_qty": "1000", "min_notional": "5",
            "max_open_orders": 100_000, "maker_fee": "0.001", "taker_fee": "0.0015",
            "partition": last_partition(),
        });
        self.done("POST", "/markets", &market);
    }

    /// An account with 10 BTC and 1,000,000 USDT and a key that may do everything.
    pub fn trader(&self, name: &str) -> Trader {
        let account = self.done("POST", "/accounts", &json!({"name": name}))["account"].as_u64().unwrap();
        for (asset, amount) in [("BTC", "10"), ("USDT", "1000000")] {
            let reference = format!("{name}-{asset}");
            let deposit =
                json!({"account": account, "asset": asset, "amount": amount, "reference": reference});
            self.done("POST", "/deposits", &deposit);
        }
        self.key(account, &["read", "trade", "withdraw"])
    }

    pub fn key(&self, account: u64, permissions: &[&str]) -> Trader {
        let path = format!("/accounts/{account}/keys");
        let key = self.done("POST", &path, &json!({"permissions": permissions}));
        let text = |field: &str| key[field].as_str().unwrap().to_owned();
        Trader { address: self.public, account, key: text("key"), secret: text("secret") }
    }

    pub fn get(&self, target: &str) -> Answer {
        Connection::open(self.public).send("GET", target, "", "")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        } else if let Some(sequencer) = self.sequencer.take() {
            // Nothing writes any more when the folder goes: a snapshot that fails ends the program, and all other tests.
            drop(sequencer.abandon_all());
        }
    }
}

/// The names of an object's fields, in their order.
pub fn fields(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Asserts that `value` has at least these fields.
#[track_caller]
pub fn assert_fields(value: &Value, wanted: &str) {
    let there = fields(value);
    for name in wanted.split_whitespace() {
        assert!(there.contains(&name), "{name} is missing in {value}");
    }
}
