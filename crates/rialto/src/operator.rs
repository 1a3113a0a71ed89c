//! Commands for an exchange that runs: what the operator's API does, in words, with the next step behind it.

mod accounts;
mod api;
mod contracts;
mod funds;
mod keys;
mod listed;
mod partitions;
pub mod place;
mod status;
mod table;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::terminal::say;
use api::Api;
use partitions::PartitionCommand;
use place::{Environment, Server};

/// What an operator does with an exchange that runs.
#[derive(Subcommand)]
pub enum Command {
    /// Assets of a running exchange.
    Asset(On<listed::AssetCommand>),
    /// Markets of a running exchange.
    Market(Box<On<listed::MarketCommand>>),
    /// Perpetual contracts of a running exchange.
    Contract(Box<On<contracts::ContractCommand>>),
    /// Partitions: adding one, what lives where, and moving markets.
    #[command(subcommand)]
    Partition(PartitionCommand),
    /// Accounts of a running exchange.
    Account(On<accounts::AccountCommand>),
    /// API keys of a running exchange.
    Key(On<keys::KeyCommand>),
    /// Adds money that has arrived for an account.
    Deposit(funds::Deposit),
    /// Money that leaves a running exchange.
    Withdraw(On<funds::WithdrawCommand>),
    /// Whether an exchange runs, and how it is.
    Status(status::Options),
    /// What was deposited and withdrawn, and where it is, asset by asset.
    BalanceSheet(Plain),
}

/// A group of commands for one exchange.
#[derive(Args)]
pub struct On<A: Subcommand> {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: A,
}

/// A command that needs nothing but the exchange.
#[derive(Args)]
pub struct Plain {
    #[command(flatten)]
    server: Server,
}

/// The exchange that a command is for.
struct Exchange {
    api: Api,
    /// Options by which the next command finds it, with a blank before each.
    flags: String,
}

/// What a command has to say.
struct Told {
    /// As the API answered.
    body: Value,
    /// The same in words.
    text: String,
    /// What comes next: a command, or a sentence.
    next: Option<String>,
}

impl Told {
    fn new(body: Value, text: impl Into<String>) -> Self {
        Self { body, text: text.into(), next: None }
    }

    fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }
}

impl Exchange {
    fn of(server: &Server) -> anyhow::Result<Self> {
        let place = server.place(&Environment::current())?;
        Ok(Self { api: Api::new(place)?, flags: server.flags() })
    }

    /// A command for the same exchange.
    fn command(&self, words: &str) -> String {
        format!("rialto {words}{}", self.flags)
    }
}

/// Does it, and says what was done.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let (server, told) = match command {
        Command::Asset(On { server, action }) => (server, listed::asset(&Exchange::of(server)?, action)?),
        Command::Market(market) => {
            (&market.server, listed::market(&Exchange::of(&market.server)?, &market.action)?)
        }
        Command::Contract(contract) => {
            (&contract.server, contracts::run(&Exchange::of(&contract.server)?, &contract.action)?)
        }
        Command::Partition(PartitionCommand::Add { data }) => return crate::partitions::add(data),
        Command::Partition(PartitionCommand::List(Plain { server })) => {
            (server, partitions::list(&Exchange::of(server)?)?)
        }
        Command::Partition(PartitionCommand::Move { server, market, to }) => {
            (server, partitions::move_market(&Exchange::of(server)?, market, *to)?)
        }
        Command::Account(On { server, action }) => (server, accounts::run(&Exchange::of(server)?, action)?),
        Command::Key(On { server, action }) => (server, keys::run(&Exchange::of(server)?, action)?),
        Command::Deposit(deposit) => {
            (&deposit.server, funds::deposit(&Exchange::of(&deposit.server)?, deposit)?)
        }
        Command::Withdraw(On { server, action }) => {
            (server, funds::withdraw(&Exchange::of(server)?, action)?)
        }
        Command::Status(options) => return status::run(options),
        Command::BalanceSheet(Plain { server }) => (server, funds::balance_sheet(&Exchange::of(server)?)?),
    };
    print(server, &told);
    Ok(())
}

fn print(server: &Server, told: &Told) {
    if server.json {
        say!("{}", told.body);
        return;
    }
    say!("{}", told.text);
    if let Some(next) = &told.next {
        say!("Next: {next}");
    }
}

/// An account that somebody means.
struct Account {
    number: u64,
    /// As they wrote it.
    given: String,
}

/// Digits are a number, anything else is a name.
fn account(api: &Api, given: &str) -> anyhow::Result<Account> {
    let meant = |number| Account { number, given: given.to_owned() };
    if !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(meant(given.parse()?));
    }
    let found = api.read(&format!("/accounts?name={}", api::encoded(given)))?;
    match found[0]["account"].as_u64() {
        Some(number) => Ok(meant(number)),
        None => bail!("there is no account '{given}'{}", nearest(given, &account_names(api)?)),
    }
}

/// Pages of accounts that are searched for a name like one that is not there: enough for who types names.
const PAGES: usize = 10;

fn account_names(api: &Api) -> anyhow::Result<Vec<String>> {
    let (mut names, mut from) = (Vec::new(), 1);
    for _ in 0..PAGES {
        let page = api.read(&format!("/accounts?from={from}"))?;
        let page = page.as_array().map(Vec::as_slice).unwrap_or_default();
        names.extend(page.iter().filter_map(|account| account["name"].as_str()).map(str::to_owned));
        match page.last().and_then(|account| account["account"].as_u64()) {
            Some(last) => from = last + 1,
            None => break,
        }
    }
    Ok(names)
}

/// Names that somebody may have meant, as the end of a sentence; nothing when none is like it.
pub fn nearest(given: &str, names: &[String]) -> String {
    let likeness = |name: &String| strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase());
    let mut alike: Vec<(f64, &String)> = names.iter().map(|name| (likeness(name), name)).collect();
    alike.retain(|(likeness, _)| *likeness > 0.75);
    alike.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let names: Vec<&str> = alike.iter().take(3).map(|(_, name)| name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) }
}

/// The same for names in a list of the API. The list failing is no reason to hide the first error.
fn nearest_listed(api: &Api, path: &str, given: &str) -> String {
    let list = api.read(path).unwrap_or_default();
    let names = list.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let names: Vec<String> = names.filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect();
    if names.iter().any(|name| name == given) { String::new() } else { nearest(given, &names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_name() {
        let names = ["carol", "caroline", "bob", "treasury"].map(str::to_owned);
        assert_eq!(nearest("carl", &names), "; did you mean carol or caroline?");
        assert_eq!(nearest("BOB", &names), "; did you mean bob?");
        assert_eq!(nearest("xyzzy", &names), "");
    }
}
