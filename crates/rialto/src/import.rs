//! `rialto import`: what an exchange has in its old database becomes a Rialto exchange: assets, markets, accounts, API keys,
//! balances and open orders. Everything is read, held against itself and tried on an exchange in memory first; only then is anything
//! written, and what is there already stays as it is.

mod carry;
mod map;
mod plan;
mod rows;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};
use dialect::decimal::Decimal;
use exchange::Partition;
use gateway_http::{KeyStore, MasterKey};
use journal::DataDir;
use model::{AccountId, Amount, AssetId, Command, Event, Partitions};
use sequencer::{Egress, Ingress, Lane, Recovered, Reply, Sequencer, Session, Submission};
use sink_sql::{Engine, Password, Source, SqlError, SqlSettings};

use crate::config::{Config, WrongSettings};
use crate::partitions::{self, Wanted};
use crate::terminal::{complain, say};
use crate::{progress, serve, setup};

use carry::{Carried, Exchange, Known, Rehearsal, carry};
use map::Map;
use plan::Plan;
use rows::Row;

/// Commands that are under way together.
const TOGETHER: usize = 1_000;

#[derive(Args)]
pub struct Options {
    /// Which kind of database.
    #[arg(value_enum)]
    kind: Kind,
    /// Where it is, without a password, as `mysql://user@host:3306/database` or `postgres://user@host:5432/database`.
    #[arg(long)]
    dsn: String,
    /// The environment variable that has the password.
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    /// The file that has the password.
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Option<PathBuf>,
    /// The authorities (PEM) that the database's certificate is checked with; with them the connection is under TLS.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Which queries bring what: docs/import.md.
    #[arg(long)]
    map: PathBuf,
    /// The settings file of the exchange, which must not be running.
    #[arg(long, default_value = "rialto.toml")]
    config: PathBuf,
    /// Reads, checks and tries everything, and writes nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// `MySQL` and `MariaDB`.
    Mysql,
    /// `PostgreSQL`.
    Postgres,
}

impl Kind {
    const fn engine(self) -> Engine {
        match self {
            Self::Mysql => Engine::Mysql,
            Self::Postgres => Engine::Postgres,
        }
    }
}

/// Imports, or says why not.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let config = Config::read(&options.config)?;
    let map = Map::read(&options.map)?;
    let database = options.database()?;
    let mut source = Source::connect(&database).map_err(|error| wrong(&error))?;
    let plan = read(&mut source, &map)?;
    drop(source);
    refuse(&plan.problems, "what the map brings does not fit")?;

    let terms = carry::source_of(&database.url)?;
    let mut rehearsal = Rehearsal::default();
    let nobody = KeyStore::open(MasterKey::generate()?, [])?;
    let tried = carry(&plan, &Known::default(), &nobody, terms, &mut rehearsal)?;
    refuse(&tried.problems, "an exchange would refuse")?;
    if options.dry_run {
        settle(&plan, &tried, &[&rehearsal.partition])?;
        say!("A dry run: nothing was written.");
        return Ok(());
    }

    let mut directory = DataDir::open(&config.data_dir)?;
    partitions::found(&mut directory, &config.journal(), config.partitions.count)?;
    let (mut recovered, mut known) = (Vec::new(), None);
    for (partition, views) in serve::recover(directory.storages(), &config, &config.views())? {
        recovered.push(partition);
        // What is listed and who there is, the first partition knows.
        known.get_or_insert_with(|| Known::of(views.catalog()));
    }
    let known = known.expect("there is a first partition");
    partitions::check(&recovered, Wanted::Settings(config.partitions.count), &config.data_dir)?;
    let is_new = partitions::is_new(recovered[0].partition());
    let master = serve::master_key(&config.beside_data(&config.keys.master_key_file), is_new)?;
    let keys = KeyStore::open(master, serve::stored_keys(&recovered[0]))?;
    let lane = |recovered| Lane { recovered, egress: Egress::default(), companion: None };
    let sequencer = Sequencer::start(recovered.into_iter().map(lane).collect(), config.sequencer())?;
    let together = TOGETHER.min(config.sequencer().ingress_limit);
    let mut running = Running { ingress: sequencer.ingress().clone(), together };
    let carried = carry(&plan, &known, &keys, terms, &mut running)?;
    // The next start makes a snapshot, with the views in it.
    sequencer
        .abandon_all()
        .context("the exchange has stopped; everything that was acknowledged is on the disk")?;
    refuse(&carried.problems, "the exchange refused")?;

    // What the disk has, not what somebody was told.
    let stored = directory.storages().iter();
    let stored: Vec<_> = stored
        .map(|storage| sequencer::recover(storage, &config.journal(), &mut ()))
        .collect::<Result<_, _>>()?;
    let stored: Vec<&Partition> = stored.iter().map(Recovered::partition).collect();
    settle(&plan, &carried, &stored)?;
    say!("rialto serve --config {} starts the exchange.", options.config.display());
    Ok(())
}

impl Options {
    fn database(&self) -> anyhow::Result<SqlSettings> {
        let password = match (&self.password_env, &self.password_file) {
            (Some(name), _) => Password::Environment(name.clone()),
            (None, Some(file)) => Password::File(file.clone()),
            (None, None) => Password::None,
        };
        let settings = SqlSettings {
            url: self.dsn.clone(),
            password,
            ca_file: self.ca_file.clone(),
            ..SqlSettings::default()
        };
        if settings.engine().map_err(|error| wrong(&error))? != self.kind.engine() {
            let problem = format!("--dsn: {} is the address of another kind of database", self.dsn);
            return Err(WrongSettings::new(problem).into());
        }
        Ok(settings)
    }
}

/// What is wrong with the connection, in the words of this command.
fn wrong(error: &SqlError) -> anyhow::Error {
    let names = [
        ("sql.url", "--dsn"),
        ("sql.password_env", "--password-env"),
        ("sql.password_file", "--password-file"),
        ("sql.ca_file", "--ca-file"),
    ];
    let told = names.iter().fold(error.to_string(), |told, (setting, option)| told.replace(setting, option));
    match error {
        SqlError::Settings(_) => WrongSettings::new(told).into(),
        _ => anyhow!("the old database: {told}"),
    }
}

/// What a query brings, and where its rows go.
type Section<'m> = (&'static str, Option<&'m str>, fn(&mut Plan, &Row) -> Result<(), String>);

/// Reads everything, as it is at one moment.
fn read(source: &mut Source, map: &Map) -> anyhow::Result<Plan> {
    let mut plan = Plan::default();
    let sections: [Section; 6] = [
        ("assets", map.assets.as_ref().map(|section| section.query.as_str()), Plan::add_asset),
        ("markets", map.markets.as_ref().map(|section| section.query.as_str()), Plan::add_market),
        ("accounts", Some(&map.accounts.query), Plan::add_account),
        ("balances", map.balances.as_ref().map(|section| section.query.as_str()), Plan::add_balance),
        ("api_keys", map.api_keys.as_ref().map(|section| section.query.as_str()), Plan::add_key),
        ("open_orders", map.open_orders.as_ref().map(|section| section.query.as_str()), Plan::add_order),
    ];
    for (section, query, add) in sections {
        let Some(query) = query else { continue };
        let mut number = 0;
        source
            .each(query, &mut |names, values| {
                number += 1;
                if let Err(problem) = add(&mut plan, &Row { section, number, names, values }) {
                    plan.problems.add(problem);
                }
            })
            .map_err(|error| anyhow!("{section}: {error}"))?;
    }
    plan.finish(map.balances.as_ref().map_or_else(Default::default, |balances| balances.unexplained_holds));
    Ok(plan)
}

/// Ends the import where there are problems, and says which.
fn refuse(problems: &plan::Problems, what: &str) -> anyhow::Result<()> {
    if problems.count == 0 {
        return Ok(());
    }
    for problem in &problems.shown {
        complain!("  {problem}");
    }
    let more = problems.count - problems.shown.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    bail!("{what}: {} problems{more}; see above", problems.count)
}

/// Prints what came, and what the accounts have of each asset in the source and in the exchange; the two must agree, unless the exchange
/// has gone on since it was imported.
fn settle(plan: &Plan, carried: &Carried, partitions: &[&Partition]) -> anyhow::Result<()> {
    for (what, count) in &carried.counts {
        say!("{what}: {} imported, {} were there", count.new, count.there);
    }
    let home = |account: AccountId| partitions[partitions[0].partitions().home(account).index()];
    say!("{:<16} {:>30} {:>30} {:>30} {:>30}", "asset", "in the source", "imported", "of which free", "held");
    let mut differ = Vec::new();
    for (place, terms) in plan.assets.iter().enumerate() {
        let (free, held) = sums(carried, carried.assets[place], home)?;
        let text = |amount: Amount| Decimal { units: amount.0, scale: terms.scale }.to_string();
        let source = plan.total(place);
        say!(
            "{:<16} {:>30} {:>30} {:>30} {:>30}",
            terms.name,
            text(source),
            text(free + held),
            text(free),
            text(held)
        );
        if source != free + held {
            differ.push(terms.name.to_string());
        }
    }
    if differ.is_empty() {
        return Ok(());
    }
    let differ = differ.join(", ");
    if carried.is_nothing_new() {
        say!("The accounts have other totals of {differ} since: the exchange, or the source, has gone on.");
        return Ok(());
    }
    bail!(
        "the totals of {differ} do not agree: the exchange had balances of these accounts before, or the import is wrong"
    )
}

/// What the imported accounts have of an asset: free, and held.
fn sums<'p>(
    carried: &Carried,
    asset: AssetId,
    home: impl Fn(AccountId) -> &'p Partition,
) -> anyhow::Result<(Amount, Amount)> {
    let (mut free, mut held) = (Amount::ZERO, Amount::ZERO);
    for &account in &carried.accounts {
        let balances = home(account).balances(account).map_err(|reject| anyhow!("{reject}"))?;
        for balance in balances.filter(|balance| balance.asset == asset) {
            free += balance.free;
            held += balance.held;
        }
    }
    Ok((free, held))
}

/// The real exchange.
struct Running {
    ingress: Ingress,
    together: usize,
}

/// Where a reply goes, with the place of its command.
struct Answers(Sender<(u64, Option<Reply>)>);

impl Session for Answers {
    fn deliver(&self, place: u64, reply: Reply) {
        // Whoever asked may have gone.
        let _ = self.0.send((place, Some(reply)));
    }

    fn abandon(&self, place: u64) {
        let _ = self.0.send((place, None));
    }
}

impl Exchange for Running {
    fn all(&mut self, commands: Vec<Command>) -> anyhow::Result<Vec<Vec<Event>>> {
        let bar = progress::bar("Importing", commands.len() as u64, false);
        let mut outcomes = Vec::with_capacity(commands.len());
        let mut commands = commands.into_iter().peekable();
        while commands.peek().is_some() {
            let (answer, answered) = channel();
            let session: Arc<dyn Session> = Arc::new(Answers(answer));
            let batch: Vec<_> = (0..)
                .zip(commands.by_ref().take(self.together))
                .map(|(place, command)| Submission { command, reply_to: Some((Arc::clone(&session), place)) })
                .collect();
            drop(session);
            let mut came = vec![Vec::new(); batch.len()];
            setup::hand_in(&self.ingress, batch)?;
            for _ in 0..came.len() {
                let (place, reply) = answered.recv()?;
                let reply = reply.ok_or_else(|| anyhow!("the exchange stopped before it could answer"))?;
                came[usize::try_from(place)?] = reply.events().to_vec();
            }
            bar.inc(came.len() as u64);
            outcomes.append(&mut came);
        }
        bar.finish_and_clear();
        Ok(outcomes)
    }

    fn partitions(&self) -> Partitions {
        self.ingress.partitions().clone()
    }
}
