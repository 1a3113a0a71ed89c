//! The demo: three markets and two perpetual contracts that move by themselves, two funded accounts, keys to copy.

mod directory;
mod traders;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gateway_http::{Grant, IssuedKey, KeyStore, MasterKey, Permissions, StoredKey};
use model::{
    AccountId, AccountName, Amount, ApiKeyId, AssetId, Command, CreateAccount, Deposit, KeyKind, MoveFunds,
    Reference, Seq, TimeNs, TradeGroup, Wallet,
};
use simulator::client::Mandate;
use simulator::market::Pace;
use tokio::sync::watch;
use toml::Spanned;
use views::Catalog;

pub use directory::ask;
use directory::{KeptKeys, Marker, reset};
pub use traders::price_of;
use traders::{Known, Scene, Troupe};

use crate::config::{Config, TEMPLATE, is_loopback};
use crate::serve;
use crate::terminal::say;

/// What the demo lists beside the markets of [`TEMPLATE`].
const CONTRACTS: &str = include_str!("demo/contracts.toml");

/// The account that is the insurance fund of both.
const FUND: &str = "insurance";

const ACCOUNTS: [&str; 2] = ["demo-alice", "demo-bob"];
/// Whole units of each asset that a demo account begins with.
const FUNDS: [(&str, i128); 3] = [("BTC", 100), ("ETH", 1_000), ("USDT", 10_000_000 + MARGIN)];
/// Whole USDT of that which go into the futures wallet.
const MARGIN: i128 = 1_000_000;

/// How the demo is started.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where the API for traders listens. Only this machine may reach it while the demo's keys are on.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where the operator's API listens.
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub admin_listen: SocketAddr,
    /// The data directory. The next start goes on where the last one stopped.
    #[arg(long, default_value = "./rialto-data")]
    pub data: PathBuf,
    /// Whether simulated traders move the markets.
    #[arg(long, value_enum, default_value_t = Moves::Calm)]
    pub demo: Moves,
    /// What the simulated traders do follows from this number. Default: the one that the data directory began with, or 1.
    #[arg(long)]
    pub seed: Option<u64>,
    /// The price at which a market starts and to which it comes back in the course of hours, such as BTCUSDT=65000. May be
    /// given once for each market; ETHBTC follows the other two.
    #[arg(long = "price", value_name = "MARKET=PRICE", value_parser = traders::price_of)]
    pub prices: Vec<(String, String)>,
    /// Over how many partitions a new demo is spread. Default: 1, or what the data directory began with.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub partitions: Option<u8>,
    /// First removes what the demo has in its data directory, so that it starts anew.
    #[arg(long)]
    pub reset: bool,
}

/// How busy the simulated traders are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Moves {
    /// There are none: an empty exchange.
    Off,
    /// 20 to 50 requests a second at the spot markets, about 20 at contracts.
    Calm,
    /// 1,000 to 2,000 requests a second at the spot markets, 400 to 500 at contracts.
    Busy,
}

impl Moves {
    const fn pace(self) -> Option<Pace> {
        match self {
            Self::Off => None,
            Self::Calm => Some(Pace::CALM),
            Self::Busy => Some(Pace::BUSY),
        }
    }
}

/// Runs the demo until somebody stops it.
pub fn start(options: &Options) -> anyhow::Result<()> {
    for address in [options.listen, options.admin_listen] {
        if !is_loopback(address) {
            anyhow::bail!(
                "the demo listens on this machine only, not on {address}: its keys are printed. Use 127.0.0.1, or rialto init \
                 and rialto serve for an exchange of your own"
            );
        }
    }
    let mut config = Config::parse(&format!("{TEMPLATE}\n{CONTRACTS}"))?;
    config.public.listen = options.listen;
    config.admin.listen = options.admin_listen;
    config.data_dir.clone_from(&options.data);
    config.partitions.count = options.partitions.unwrap_or(1);
    let forms = config.markets.iter_mut().map(Spanned::get_mut);
    let forms = forms.chain(config.contracts.iter_mut().map(|form| &mut form.get_mut().market));
    for (form, partition) in forms.zip((0..config.partitions.count).cycle()) {
        form.partition = Some(partition);
    }
    traders::set_prices(&mut config, &options.prices)?;
    if options.demo != Moves::Off {
        // The traders place hundreds of orders in the time in which a person places one; nobody looks for the oldest of them.
        config.views.orders_kept = config.views.orders_kept.min(200_000);
        config.views.own_trades_kept = config.views.own_trades_kept.min(200_000);
    }
    if options.reset {
        reset(&options.data)?;
    }
    serve::start(&config, Some(options))
}

/// What a demo finds when it starts.
pub struct Standing {
    keys: Vec<DemoKey>,
    known: Known,
    scene: Scene,
}

/// A demo that is about to open.
pub struct Demo {
    options: Options,
    seed: u64,
    keys: Vec<DemoKey>,
    scene: Scene,
    troupe: Option<Troupe>,
    commands: Vec<Command>,
    /// Those that come behind the listing of contracts.
    at_contracts: Vec<Command>,
    issued: Vec<StoredKey>,
}

impl Standing {
    /// In an exchange whose last command was `seq`.
    pub fn of(master: &MasterKey, stored: &[StoredKey], catalog: &Catalog, seq: Seq) -> anyhow::Result<Self> {
        Ok(Self {
            keys: known_keys(master, stored, catalog)?,
            known: Troupe::known(master, stored, catalog, seq)?,
            scene: Scene::of(catalog),
        })
    }

    /// What the demo adds: everything to a new exchange, the traders to a demo that had none yet.
    pub fn prepare(
        self,
        options: &Options,
        config: &Config,
        keys: &KeyStore,
        is_new: bool,
    ) -> anyhow::Result<Demo> {
        let mut demo = Demo {
            options: options.clone(),
            seed: 0,
            keys: self.keys,
            scene: self.scene,
            troupe: None,
            commands: Vec::new(),
            at_contracts: Vec::new(),
            issued: Vec::new(),
        };
        // An exchange of somebody's own gets neither the mark of a demo nor traders.
        if !is_new && demo.keys.is_empty() {
            return Ok(demo);
        }
        demo.seed = Marker::read(&config.data_dir)?.settle(options.seed)?;
        if is_new {
            (demo.keys, demo.issued, demo.commands) = accounts(keys, &KeptKeys::read(&config.data_dir)?)?;
            demo.scene = Scene::planned(config)?;
        }
        demo.troupe = match (options.demo, self.known) {
            (Moves::Off, _) => None,
            (Moves::Calm | Moves::Busy, Known::Ready(troupe)) => Some(troupe),
            (Moves::Calm | Moves::Busy, Known::KeysGone) => {
                tracing::warn!(
                    "the simulated traders' keys were revoked, so nothing moves; rialto demo reset starts anew"
                );
                None
            }
            (Moves::Calm | Moves::Busy, Known::Never) => {
                let (troupe, issued, [commands, at_contracts]) = Troupe::hire(keys, &demo.scene)?;
                demo.issued.extend(issued);
                demo.commands.extend(commands);
                demo.at_contracts = at_contracts;
                Some(troupe)
            }
        };
        if let Some(troupe) = &mut demo.troupe {
            troupe.learn(options, &demo.scene)?;
        }
        Ok(demo)
    }
}

impl Demo {
    /// Adds its commands to the first ones of the exchange; the keys that are valid once these are durable.
    pub fn hand_in(&mut self, first: &mut Vec<Command>) -> Vec<StoredKey> {
        first.append(&mut self.commands);
        std::mem::take(&mut self.issued)
    }

    /// Adds the rest of them, once the contracts are listed.
    pub fn prepare_contracts(&mut self, first: &mut Vec<Command>) {
        first.append(&mut self.at_contracts);
    }

    /// Gives the insurance fund of a new exchange its money, behind the command that opens its account.
    pub fn insure(first: &mut Vec<Command>) -> anyhow::Result<()> {
        let opened = first.iter().filter_map(|command| match command {
            Command::CreateAccount(create) => Some(create.name),
            _ => None,
        });
        let Some((account, _)) = (1..).map(AccountId).zip(opened).find(|(_, name)| name.as_str() == FUND)
        else {
            return Ok(());
        };
        let (asset, amount) = (AssetId(2), Amount(MARGIN * 100_000_000));
        let reference = Reference::new(FUND)?;
        first.push(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
        first.push(into_futures(account, asset, amount.0));
        Ok(())
    }

    /// Tells everybody that it is open at this address; the traders, who are about to go there.
    pub fn open(self, address: SocketAddr) -> Option<Show> {
        let pace = self.options.demo.pace();
        let troupe = self.troupe.zip(pace);
        let mandate = troupe.map(|(troupe, pace)| troupe.mandate(self.seed, pace, address));
        announce(address, &self.keys, mandate.as_ref());
        mandate.map(|mandate| Show { mandate, data: self.options.data })
    }
}

/// The simulated traders at work.
pub struct Show {
    mandate: Mandate,
    data: PathBuf,
}

impl Show {
    /// How often it is looked whether somebody asks for a price.
    const LOOK: Duration = Duration::from_millis(500);

    /// Goes on until `stop` says true.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let (wishes, heard) = watch::channel(Vec::new());
        let listings = self.mandate.listings.clone();
        let trading = simulator::client::trade(self.mandate, stop, heard);
        let listening = async {
            let mut look = tokio::time::interval(Self::LOOK);
            loop {
                look.tick().await;
                let asked = traders::wishes(&directory::asked(&self.data), &listings);
                if !asked.is_empty() {
                    wishes.send_replace(asked);
                }
            }
        };
        tokio::select! {
            ended = trading => if let Err(error) = ended {
                tracing::warn!("the simulated traders have stopped: {error}");
            },
            () = listening => unreachable!("it never ends"),
        }
    }
}

/// True when a key of a demo account is valid.
pub fn keys_are_on(catalog: &Catalog) -> bool {
    ACCOUNTS.iter().any(|name| {
        let account = catalog.account_by_name(&AccountName::new(name).expect("short"));
        account.is_some_and(|account| catalog.keys_of(account).next().is_some())
    })
}

/// A key as the demo prints it.
struct DemoKey {
    name: &'static str,
    key: ApiKeyId,
    secret: String,
}

/// The demo's keys that are valid, of an exchange that was started before.
fn known_keys(master: &MasterKey, stored: &[StoredKey], catalog: &Catalog) -> anyhow::Result<Vec<DemoKey>> {
    let mut known = Vec::new();
    for name in ACCOUNTS {
        let account = catalog.account_by_name(&AccountName::new(name)?);
        // Of other kinds the exchange has no secret to tell.
        let has_secret = |stored: &&StoredKey| stored.kind == KeyKind::HmacSha256;
        let stored = stored.iter().filter(|stored| Some(stored.account) == account).filter(has_secret);
        for stored in stored {
            let secret = master.open(stored.kind, &stored.key, stored.account, &stored.sealed)?;
            known.push(DemoKey { name, key: stored.key, secret: String::from_utf8(secret)? });
        }
    }
    Ok(known)
}

/// What opens and funds the demo's accounts and gives each a key, in an exchange that has nothing but the demo's listing. The
/// keys are those that `kept` has from before a reset.
fn accounts(
    keys: &KeyStore,
    kept: &KeptKeys,
) -> anyhow::Result<(Vec<DemoKey>, Vec<StoredKey>, Vec<Command>)> {
    let (mut demo_keys, mut stored, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    for (name, account) in ACCOUNTS.into_iter().zip((1..).map(AccountId)) {
        let create = CreateAccount { name: AccountName::new(name)?, trade_group: TradeGroup::NONE };
        commands.push(Command::CreateAccount(create));
        // The demo lists just these assets, in this order, each with eight decimals.
        for ((asset, units), id) in FUNDS.into_iter().zip(0..) {
            let amount = Amount(units * 100_000_000);
            let reference = Reference::new(&format!("{name}-{asset}"))?;
            commands.push(Command::Deposit(Box::new(Deposit {
                account,
                asset: AssetId(id),
                amount,
                reference,
            })));
        }
        commands.push(into_futures(account, AssetId(2), MARGIN * 100_000_000));
        let grant = Grant::new(account, Permissions::READ.and(Permissions::TRADE));
        let IssuedKey { command, secret } = match kept.of(name) {
            Some((key, secret)) => IssuedKey { command: keys.reissue(grant, key, &secret)?, secret },
            None => keys.issue(grant)?,
        };
        demo_keys.push(DemoKey { name, key: command.key, secret });
        stored.push(StoredKey::from(&command));
        commands.push(Command::AddApiKey(Box::new(command)));
    }
    kept.keep(&demo_keys)?;
    Ok((demo_keys, stored, commands))
}

/// Puts money of a new account into its futures wallet.
fn into_futures(account: AccountId, asset: AssetId, atoms: i128) -> Command {
    Command::MoveFunds(Box::new(MoveFunds {
        account,
        asset,
        amount: Amount(atoms),
        to: Wallet::Futures,
        valid_until_ns: TimeNs::NEVER,
    }))
}

/// Prints who moves the markets, the keys, and a line to copy for curl and for ccxt.
fn announce(address: SocketAddr, keys: &[DemoKey], mandate: Option<&Mandate>) {
    match mandate {
        Some(Mandate { seed, pace, .. }) => say!(
            "Simulated traders move the markets: {}, seed {seed}. --demo off leaves them to you.\n",
            if *pace == Pace::BUSY { "busy" } else { "calm" }
        ),
        None => {
            say!("Nobody moves the markets but you. --demo calm and --demo busy bring simulated traders.\n");
        }
    }
    say!(
        "Accounts, each begun with 100 BTC, 1,000 ETH and 10,000,000 USDT, and 1,000,000 USDT in the futures wallet:"
    );
    for DemoKey { name, key, secret } in keys {
        say!("  {name}\n    key    {key}\n    secret {secret}");
    }
    let Some(DemoKey { key, secret, .. }) = keys.first() else { return };
    say!(
        "\nAn order with curl:\n  q=\"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000&timestamp=$(date +%s000)\"; \
         curl -s -H 'X-MBX-APIKEY: {key}' http://{address}/api/v3/order -d \"$q&signature=$(printf %s \"$q\" | openssl dgst -sha256 \
         -hmac {secret} -r | cut -d' ' -f1)\""
    );
    say!(
        "\nThe balance with ccxt (pip install ccxt):\n  python3 -c \"import ccxt; b = 'http://{address}'; print(ccxt.binance({{'apiKey': \
         '{key}', 'secret': '{secret}', 'urls': {{'api': {{'public': b + '/api/v3', 'private': b + '/api/v3', 'sapi': b + '/sapi/v1', \
         'fapiPublic': b + '/fapi/v1', 'dapiPublic': b + '/dapi/v1'}}}}}}).fetch_balance()['total'])\"\n"
    );
}
