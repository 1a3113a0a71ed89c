//! The simulated traders of the demo: their accounts, what they trade, and where it starts.

use std::net::SocketAddr;

use anyhow::{anyhow, bail};
use gateway_http::{Grant, IssuedKey, KeyStore, MasterKey, Permissions, StoredKey};
use model::{
    AccountId, AccountName, Amount, AssetId, AssetTerms, ChangeLeverage, ChangeMarginType, Command,
    CreateAccount, Deposit, KeyKind, MarginType, MarketId, MarketTerms, PriceTicks, Reference, Seq, TimeNs,
    TradeGroup,
};
use simulator::client::{Credentials, Mandate, Wishes};
use simulator::market::{GAMBLERS, Listing, Pace, PriceSource, TRADERS};
use views::Catalog;

use super::{ACCOUNTS, Options, into_futures};
use crate::config::Config;

/// Whole units of each asset that every trader begins with: enough for years of fees.
const FUNDS: [(&str, i128); 3] = [("BTC", 1_000_000), ("ETH", 20_000_000), ("USDT", 100_000_000_000)];

/// Whole USDT of that which go into the futures wallet where there are contracts.
const MARGIN: i128 = 1_000_000_000;

/// What there is to trade, and how many accounts there are.
pub struct Scene {
    assets: Vec<(AssetId, AssetTerms)>,
    markets: Vec<(MarketId, MarketTerms)>,
    contracts: Vec<(MarketId, MarketTerms)>,
    accounts: u64,
}

impl Scene {
    /// In an exchange that has begun.
    pub fn of(catalog: &Catalog) -> Self {
        let listed = catalog.markets().map(|(id, terms)| (id, *terms));
        let (contracts, markets) = listed.partition(|(id, _)| catalog.contract(*id).is_some());
        Self {
            assets: catalog.assets().map(|(id, terms)| (id, *terms)).collect(),
            markets,
            contracts,
            accounts: catalog.accounts().len() as u64,
        }
    }

    /// In a new one, once the settings' listing and the demo's own accounts are there.
    pub fn planned(config: &Config) -> anyhow::Result<Self> {
        // Contracts are listed after the markets. Who the fund is does not matter here.
        let mut places = (0..).map(MarketId);
        let markets = config.markets()?;
        let contracts = config.contracts(&|_| Some(AccountId(1)))?;
        Ok(Self {
            assets: (0..).map(AssetId).zip(config.assets()?).collect(),
            markets: places.by_ref().zip(markets).collect(),
            contracts: places.zip(contracts).map(|(id, (terms, _))| (id, terms)).collect(),
            accounts: ACCOUNTS.len() as u64,
        })
    }

    fn asset(&self, name: &str) -> Option<AssetId> {
        self.assets.iter().find(|(_, terms)| terms.name.as_str() == name).map(|(id, _)| *id)
    }

    fn scale(&self, asset: AssetId) -> u8 {
        let found = self.assets.iter().find(|(id, _)| *id == asset);
        found.expect("a market is listed after its assets").1.scale
    }

    fn market(&self, name: &str) -> Option<(MarketId, &MarketTerms)> {
        let found = self.markets.iter().find(|(_, terms)| terms.name.as_str() == name);
        found.map(|(id, terms)| (*id, terms))
    }

    fn listing(&self, name: &str, price: PriceSource, activity_permille: u32) -> Option<Listing> {
        let markets = match price {
            PriceSource::Walk { .. } | PriceSource::Ratio { .. } => &self.markets,
            PriceSource::Contract { .. } => &self.contracts,
        };
        let (market, terms) = *markets.iter().find(|(_, terms)| terms.name.as_str() == name)?;
        let (base_scale, quote_scale) = (self.scale(terms.base), self.scale(terms.quote));
        Some(Listing { market, terms, base_scale, quote_scale, price, activity_permille })
    }

    /// What comes behind the listing of the contracts: the traders' futures wallets, and the leverage and isolated margin of
    /// those who gamble.
    fn at_contracts(&self) -> Vec<Command> {
        let account = |trader: usize| AccountId(self.accounts + 1 + trader as u64);
        let Some(usdt) = self.asset("USDT").filter(|_| !self.contracts.is_empty()) else { return Vec::new() };
        let atoms = MARGIN * 10_i128.pow(u32::from(self.scale(usdt)));
        let mut commands: Vec<_> =
            (0..TRADERS.len()).map(|trader| into_futures(account(trader), usdt, atoms)).collect();
        for (market, _) in &self.contracts {
            for (trader, leverage) in GAMBLERS {
                let (account, market, valid_until_ns) = (account(trader.0), *market, TimeNs::NEVER);
                let margin_type = MarginType::Isolated;
                commands.push(Command::ChangeMarginType(ChangeMarginType {
                    account,
                    market,
                    margin_type,
                    valid_until_ns,
                }));
                commands.push(Command::ChangeLeverage(ChangeLeverage {
                    account,
                    market,
                    leverage,
                    valid_until_ns,
                }));
            }
        }
        commands
    }
}

const BTCUSDT: &str = "BTCUSDT";
const ETHUSDT: &str = "ETHUSDT";
const ETHBTC: &str = "ETHBTC";

/// The traders: their keys, and what they were told so far.
pub struct Troupe {
    credentials: Vec<Credentials>,
    first_step: u64,
    listings: Vec<Listing>,
    told: Vec<MarketId>,
}

impl Troupe {
    const fn new(credentials: Vec<Credentials>, first_step: u64) -> Self {
        Self { credentials, first_step, listings: Vec::new(), told: Vec::new() }
    }
}

/// Whether the traders have been in an exchange before.
pub enum Known {
    /// They have not.
    Never,
    /// They can go on.
    Ready(Troupe),
    /// Somebody has taken keys away from them.
    KeysGone,
}

impl Troupe {
    /// Those who have been in this exchange before. `seq` is its last command.
    pub fn known(
        master: &MasterKey,
        stored: &[StoredKey],
        catalog: &Catalog,
        seq: Seq,
    ) -> anyhow::Result<Known> {
        let mut credentials = Vec::with_capacity(TRADERS.len());
        let mut accounts = 0;
        for name in TRADERS {
            let Some(account) = catalog.account_by_name(&AccountName::new(name)?) else { continue };
            accounts += 1;
            let is_its =
                |stored: &&StoredKey| stored.account == account && stored.kind == KeyKind::HmacSha256;
            let Some(stored) = stored.iter().find(is_its) else { continue };
            let secret = master.open(stored.kind, &stored.key, stored.account, &stored.sealed)?;
            credentials.push(Credentials { key: stored.key.to_string(), secret: String::from_utf8(secret)? });
        }
        // Every step so far took a command or a tick, nearly all of them more: no step had this number yet.
        Ok(match (accounts, credentials.len()) {
            (0, _) => Known::Never,
            (_, keys) if keys == TRADERS.len() => Known::Ready(Self::new(credentials, seq.0)),
            _ => Known::KeysGone,
        })
    }

    /// What opens and funds their accounts and gives each a key; and what prepares these for contracts, once they are listed.
    pub fn hire(keys: &KeyStore, scene: &Scene) -> anyhow::Result<(Self, Vec<StoredKey>, [Vec<Command>; 2])> {
        let (mut credentials, mut stored, mut commands) = (Vec::new(), Vec::new(), Vec::new());
        for (name, account) in TRADERS.into_iter().zip((scene.accounts + 1..).map(AccountId)) {
            let create = CreateAccount { name: AccountName::new(name)?, trade_group: TradeGroup::NONE };
            commands.push(Command::CreateAccount(create));
            for (asset_name, units) in FUNDS {
                let Some(asset) = scene.asset(asset_name) else { continue };
                let amount = Amount(units * 10_i128.pow(u32::from(scene.scale(asset))));
                let reference = Reference::new(&format!("{name}-{asset_name}"))?;
                commands.push(Command::Deposit(Box::new(Deposit { account, asset, amount, reference })));
            }
            let grant = Grant::new(account, Permissions::READ.and(Permissions::TRADE));
            let IssuedKey { command, secret } = keys.issue(grant)?;
            credentials.push(Credentials { key: command.key.to_string(), secret });
            stored.push(StoredKey::from(&command));
            commands.push(Command::AddApiKey(Box::new(command)));
        }
        Ok((Self::new(credentials, 0), stored, [commands, scene.at_contracts()]))
    }

    /// Tells them what there is to trade, and where it starts.
    pub fn learn(&mut self, options: &Options, scene: &Scene) -> anyhow::Result<()> {
        for (name, unrest_permille, activity_permille) in [(BTCUSDT, 1_000, 1_000), (ETHUSDT, 1_300, 800)] {
            let (market, terms) =
                scene.market(name).ok_or_else(|| anyhow!("a demo has the market {name}"))?;
            let start = match options.prices.iter().rfind(|(market, _)| market == name) {
                Some((_, price)) => {
                    self.told.push(market);
                    price_ticks(name, price, terms)?
                }
                None => terms.initial_reference_ticks,
            };
            let price = PriceSource::Walk { start, home: start, unrest_permille };
            self.listings.extend(scene.listing(name, price, activity_permille));
        }
        self.listings.extend(scene.listing(ETHBTC, PriceSource::Ratio { over: 1, under: 0 }, 400));
        for (of, name) in [BTCUSDT, ETHUSDT].into_iter().enumerate() {
            self.listings.extend(scene.listing(name, PriceSource::Contract { of }, 1_500));
        }
        Ok(())
    }

    /// What they are to do.
    pub fn mandate(self, seed: u64, pace: Pace, address: SocketAddr) -> Mandate {
        Mandate {
            address: address.to_string(),
            credentials: self.credentials,
            listings: self.listings,
            told: self.told,
            seed,
            first_step: self.first_step,
            pace,
        }
    }
}

/// What somebody has asked for in a file that [`super::directory`] reads: prices of these listings. What is none is not heard.
pub fn wishes(asked: &[(String, String)], listings: &[Listing]) -> Wishes {
    let wish = |(name, price): &(String, String)| {
        let listing = listings.iter().find(|listing| listing.terms.name.as_str() == name)?;
        Some((listing.market, price_ticks(name, price, &listing.terms).ok()?))
    };
    asked.iter().filter_map(wish).collect()
}

/// `MARKET=PRICE`, as far as it can be told without the market.
pub fn price_of(text: &str) -> Result<(String, String), String> {
    let (market, price) = text.split_once('=').ok_or("must be MARKET=PRICE, such as BTCUSDT=65000")?;
    if ![BTCUSDT, ETHUSDT].contains(&market) {
        return Err(format!("only {BTCUSDT} and {ETHUSDT} have a price of their own, not '{market}'"));
    }
    Ok((market.to_owned(), price.to_owned()))
}

/// The prices at which a new demo's markets begin; the third one follows the others.
pub fn set_prices(config: &mut Config, prices: &[(String, String)]) -> anyhow::Result<()> {
    if prices.is_empty() {
        return Ok(());
    }
    for (market, price) in prices {
        config.set_initial_price(market, price);
    }
    let markets = config.markets()?;
    let ticks = |name: &str| {
        let found = markets.iter().find(|terms| terms.name.as_str() == name);
        found.map(|terms| i128::from(terms.initial_reference_ticks.0)).expect("the demo's settings list it")
    };
    // Ticks of 0.01 both; the ratio has ticks of 0.00001.
    let ratio = ticks(ETHUSDT) * 100_000 / ticks(BTCUSDT).max(1);
    if !(1..=1_000 * 100_000).contains(&ratio) {
        bail!("with these prices {ETHBTC} would be below its tick or above 1,000: choose others");
    }
    config.set_initial_price(ETHBTC, &format!("{}.{:05}", ratio / 100_000, ratio % 100_000));
    config.markets().map(drop)
}

fn price_ticks(market: &str, price: &str, terms: &MarketTerms) -> anyhow::Result<PriceTicks> {
    let units = dialect::decimal::parse(price, terms.price_scale);
    let ticks = units.ok().and_then(|units| i64::try_from(units).ok()).map(|units| units / terms.tick_size);
    ticks
        .map(PriceTicks)
        .filter(|ticks| (terms.min_price_ticks..=terms.max_price_ticks).contains(ticks))
        .ok_or_else(|| anyhow!("--price {market}={price}: not a price of this market"))
}
