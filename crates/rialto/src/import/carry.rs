//! Handing a plan in: to an exchange in memory, which shows before anything is written what would be refused, and to the real
//! one. What is there already is left as it is, so the same plan may be handed in again.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use exchange::Partition;
use gateway_http::{Grant, KeyStore};
use model::{
    AccountId, AccountName, AddAsset, AddMarket, AddMarketTo, Amount, AssetId, AssetName, Command,
    CreateAccount, Deposit, Event, FromSource, MarketId, MarketName, MarketTerms, OrderCommand, OrderKind,
    PartitionId, Partitions, PlaceOrder, Reference, RegisterSource, Reject, SelfTradePrevention, Sequenced,
    SourceId, SourceKey, SourceName, SourceTerms, TimeInForce, TimeNs,
};

use super::plan::{Order, Plan, Problems};

/// An exchange that does commands.
pub trait Exchange {
    /// Does all of them, in order, and says what came of each.
    fn all(&mut self, commands: Vec<Command>) -> anyhow::Result<Vec<Vec<Event>>>;

    /// How its accounts are spread.
    fn partitions(&self) -> Partitions;
}

/// An exchange in memory, of one partition.
#[derive(Default)]
pub struct Rehearsal {
    pub partition: Partition,
}

impl Exchange for Rehearsal {
    fn all(&mut self, commands: Vec<Command>) -> anyhow::Result<Vec<Vec<Event>>> {
        let apply = |command| {
            let input = Sequenced { seq: self.partition.seq().next(), time_ns: TimeNs(1), command };
            let mut events = Vec::new();
            self.partition.apply(&input, &mut events);
            events
        };
        Ok(commands.into_iter().map(apply).collect())
    }

    fn partitions(&self) -> Partitions {
        self.partition.partitions().clone()
    }
}

/// What an exchange has before anything comes.
#[derive(Default)]
pub struct Known {
    pub assets: BTreeMap<AssetName, (AssetId, u8)>,
    pub markets: BTreeMap<MarketName, MarketId>,
    pub accounts: BTreeMap<AccountName, AccountId>,
}

impl Known {
    /// What the views know of.
    pub fn of(catalog: &views::Catalog) -> Self {
        let assets = catalog.assets().map(|(asset, terms)| (terms.name, (asset, terms.scale)));
        let markets = catalog.markets().map(|(market, terms)| (terms.name, market));
        let accounts = catalog.accounts().map(|(id, account)| (account.name, id));
        Self { assets: assets.collect(), markets: markets.collect(), accounts: accounts.collect() }
    }
}

/// How many came, and how many were there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub new: u64,
    pub there: u64,
}

/// What came of a plan.
#[derive(Default)]
pub struct Carried {
    /// By place in the plan.
    pub assets: Vec<AssetId>,
    markets: Vec<MarketId>,
    /// By place in the plan.
    pub accounts: Vec<AccountId>,
    pub counts: [(&'static str, Count); 6],
    pub problems: Problems,
}

impl Carried {
    /// Whether everything was there.
    pub fn is_nothing_new(&self) -> bool {
        self.counts.iter().all(|(_, count)| count.new == 0)
    }
}

/// Hands in what the exchange does not have yet.
pub fn carry(
    plan: &Plan,
    known: &Known,
    keys: &KeyStore,
    source: SourceTerms,
    exchange: &mut dyn Exchange,
) -> anyhow::Result<Carried> {
    let mut carried = Carried::default();
    let assets = list_assets(plan, known, exchange, &mut carried)?;
    let markets = list_markets(plan, known, exchange, &mut carried)?;
    let accounts = open_accounts(plan, known, exchange, &mut carried)?;
    if carried.problems.count > 0 {
        return Ok(carried);
    }
    let balances = deposit(plan, exchange, &mut carried)?;
    let issued = hand_over_keys(plan, keys, exchange, &mut carried)?;
    let orders = place_orders(plan, source, exchange, &mut carried)?;
    carried.counts = [
        ("assets", assets),
        ("markets", markets),
        ("accounts", accounts),
        ("balances", balances),
        ("API keys", issued),
        ("open orders", orders),
    ];
    Ok(carried)
}

fn rejected(events: &[Event]) -> Option<&Reject> {
    events.iter().find_map(|event| match event {
        Event::Rejected { reject, .. } => Some(reject),
        _ => None,
    })
}

fn list_assets(
    plan: &Plan,
    known: &Known,
    exchange: &mut dyn Exchange,
    carried: &mut Carried,
) -> anyhow::Result<Count> {
    // All before the first is listed.
    for terms in &plan.assets {
        if let Some((_, scale)) = known.assets.get(&terms.name)
            && *scale != terms.scale
        {
            bail!(
                "the exchange has the asset {} with scale {scale}, and the map brings it with {}: nothing was changed",
                terms.name,
                terms.scale
            );
        }
    }
    let mut count = Count::default();
    for terms in &plan.assets {
        if let Some(&(asset, _)) = known.assets.get(&terms.name) {
            count.there += 1;
            carried.assets.push(asset);
            continue;
        }
        let events = exchange.all(vec![Command::AddAsset(AddAsset { terms: *terms })])?.concat();
        let asset = made(&events, |event| match event {
            Event::AssetAdded { asset, .. } => Some(*asset),
            _ => None,
        });
        carried.assets.push(asset.map_err(|why| anyhow!("the asset {} was refused: {why}", terms.name))?);
        count.new += 1;
    }
    Ok(count)
}

/// What a command has made, as `of` finds it in an event, or why it was refused.
fn made<T>(events: &[Event], of: impl Fn(&Event) -> Option<T>) -> Result<T, String> {
    let refused =
        || rejected(events).map_or_else(|| "the exchange does not say why".to_owned(), ToString::to_string);
    events.iter().find_map(of).ok_or_else(refused)
}

fn list_markets(
    plan: &Plan,
    known: &Known,
    exchange: &mut dyn Exchange,
    carried: &mut Carried,
) -> anyhow::Result<Count> {
    let mut count = Count::default();
    for (form, terms) in &plan.markets {
        if let Some(&market) = known.markets.get(&terms.name) {
            count.there += 1;
            carried.markets.push(market);
            continue;
        }
        let named = |asset: AssetId| carried.assets[usize::try_from(asset.0).expect("fits")];
        let terms = MarketTerms { base: named(terms.base), quote: named(terms.quote), ..*terms };
        let others = exchange.partitions().count() > 1;
        let command = match form.partition.map(PartitionId) {
            Some(partition) if others && partition != PartitionId::FIRST => {
                Command::AddMarketTo(Box::new(AddMarketTo { terms, partition }))
            }
            Some(_) | None => Command::AddMarket(Box::new(AddMarket { terms })),
        };
        let events = exchange.all(vec![command])?.concat();
        let listed = made(&events, |event| match event {
            Event::MarketAdded { market, .. } => Some(*market),
            _ => None,
        });
        match listed {
            Ok(market) => {
                count.new += 1;
                carried.markets.push(market);
            }
            Err(why) => carried.problems.add(format!("the market {} was refused: {why}", terms.name)),
        }
    }
    Ok(count)
}

fn open_accounts(
    plan: &Plan,
    known: &Known,
    exchange: &mut dyn Exchange,
    carried: &mut Carried,
) -> anyhow::Result<Count> {
    let missing = plan.accounts.iter().filter(|account| !known.accounts.contains_key(&account.name));
    let create = |account: &super::plan::Account| {
        Command::CreateAccount(CreateAccount { name: account.name, trade_group: account.trade_group })
    };
    let created = exchange.all(missing.map(create).collect())?;
    let mut created = created.into_iter();
    let mut count = Count::default();
    for account in &plan.accounts {
        if let Some(&id) = known.accounts.get(&account.name) {
            count.there += 1;
            carried.accounts.push(id);
            continue;
        }
        let events = created.next().expect("each missing account was asked for");
        let opened = made(&events, |event| match event {
            Event::AccountCreated { account, .. } => Some(*account),
            _ => None,
        });
        match opened {
            Ok(id) => {
                count.new += 1;
                carried.accounts.push(id);
            }
            Err(why) => carried.problems.add(format!("the account {} was refused: {why}", account.name)),
        }
    }
    Ok(count)
}

fn deposit(plan: &Plan, exchange: &mut dyn Exchange, carried: &mut Carried) -> anyhow::Result<Count> {
    let mut commands = Vec::new();
    let mut places = Vec::new();
    for (&(account, asset), balance) in &plan.balances {
        let amount = balance.free + balance.held;
        if amount > Amount::ZERO {
            let (id, name) = (carried.accounts[account], plan.assets[asset].name);
            // The same in every run, so that no run after the first credits anything.
            let reference = Reference::new(&format!("import-{}-{name}", id.0))?;
            let deposit = Deposit { account: id, asset: carried.assets[asset], amount, reference };
            commands.push(Command::Deposit(Box::new(deposit)));
            places.push((account, asset));
        }
    }
    let outcomes = exchange.all(commands)?;
    let mut count = Count::default();
    for ((account, asset), events) in places.into_iter().zip(outcomes) {
        match rejected(&events) {
            None => count.new += 1,
            Some(Reject::DuplicateReference) => count.there += 1,
            Some(reject) => carried.problems.add(format!(
                "the balance of {} of the account {} was refused: {reject}",
                plan.assets[asset].name, plan.accounts[account].name
            )),
        }
    }
    Ok(count)
}

fn hand_over_keys(
    plan: &Plan,
    keys: &KeyStore,
    exchange: &mut dyn Exchange,
    carried: &mut Carried,
) -> anyhow::Result<Count> {
    let mut commands = Vec::new();
    for key in &plan.keys {
        let grant = Grant {
            account: carried.accounts[key.account],
            label: key.label,
            permissions: key.permissions,
            ip_ranges: key.ip_ranges.clone(),
        };
        commands.push(Command::AddApiKey(Box::new(keys.reissue(grant, key.id, &key.secret)?)));
    }
    let outcomes = exchange.all(commands)?;
    let mut count = Count::default();
    for (key, events) in plan.keys.iter().zip(outcomes) {
        match rejected(&events) {
            None => count.new += 1,
            Some(Reject::NameTaken) => count.there += 1,
            Some(reject) => carried.problems.add(format!("the API key {} was refused: {reject}", key.id)),
        }
    }
    Ok(count)
}

/// Places the open orders as entries of a source, so that each is placed once, whatever became of it since.
fn place_orders(
    plan: &Plan,
    terms: SourceTerms,
    exchange: &mut dyn Exchange,
    carried: &mut Carried,
) -> anyhow::Result<Count> {
    let mut count = Count::default();
    if plan.orders.is_empty() {
        return Ok(count);
    }
    let partitions = exchange.partitions();
    let mut sources: BTreeMap<PartitionId, SourceId> = BTreeMap::new();
    for partition in partitions.all() {
        // Which entries were there is told by the mark alone, since they come in the order of their numbers.
        let register = RegisterSource { partition, terms, remember: 0 };
        let events = exchange.all(vec![Command::RegisterSource(Box::new(register))])?.concat();
        let registered = made(&events, |event| match event {
            Event::SourceRegistered { source, .. } => Some(*source),
            _ => None,
        });
        let source = registered.map_err(|why| anyhow!("the import cannot be registered: {why}"))?;
        sources.insert(partition, source);
    }
    let commands = plan
        .orders
        .iter()
        .map(|order| {
            let account = carried.accounts[order.account];
            let place = OrderCommand::Place(placing(order, account, carried.markets[order.market]));
            let source = sources[&partitions.home(account)];
            Command::FromSource(Box::new(FromSource { source, entry: order.entry, order: place }))
        })
        .collect();
    let outcomes = exchange.all(commands)?;
    for (order, events) in plan.orders.iter().zip(outcomes) {
        let was_there =
            |event: &Event| matches!(event, Event::EntryRepeated { .. } | Event::EntryOutOfOrder { .. });
        match rejected(&events) {
            Some(reject) => {
                carried.problems.add(format!("the order {} was refused: {reject}", order.entry.0));
            }
            None if events.iter().any(was_there) => count.there += 1,
            None => count.new += 1,
        }
    }
    Ok(count)
}

fn placing(order: &Order, account: AccountId, market: MarketId) -> PlaceOrder {
    PlaceOrder {
        account,
        market,
        side: order.side,
        kind: OrderKind::Limit {
            price_ticks: order.price,
            qty_lots: order.qty,
            time_in_force: TimeInForce::Gtc,
        },
        self_trade_prevention: SelfTradePrevention::None,
        client_order_id: order.name,
        valid_until_ns: TimeNs::NEVER,
    }
}

/// The source that an import is, for each database by itself.
pub fn source_of(database: &str) -> anyhow::Result<SourceTerms> {
    Ok(SourceTerms { name: SourceName::new("import")?, key: SourceKey::new(database)?, incarnation: 0 })
}
