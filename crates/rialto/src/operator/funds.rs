//! `rialto deposit`, `rialto withdraw`, `rialto balance-sheet`. What moves money has a reference, under which it is done once.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::api::{Api, Retry};
use super::place::Server;
use super::table::{cell, table};
use super::{Exchange, Told, account, nearest_listed};

/// Money that has arrived.
#[derive(Args)]
pub struct Deposit {
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    transfer: Transfer,
}

#[derive(Args)]
pub struct Transfer {
    /// Whose: name or number.
    account: String,
    /// What, such as USDT.
    asset: String,
    /// How much, as a decimal number.
    amount: String,
    /// What it is known by outside, such as the hash of a transaction. The same one never moves money twice.
    #[arg(long)]
    reference: String,
}

/// What to do with withdrawals.
#[derive(Subcommand)]
pub enum WithdrawCommand {
    /// Lists those that wait for approval.
    List,
    /// Sets money aside for its owner.
    Request(Transfer),
    /// Says that one was paid out: the money is gone.
    Approve {
        /// Its number; `rialto withdraw list` shows it.
        withdrawal: u64,
    },
    /// Says that one will not be paid out: the money goes back to its owner.
    Reject {
        /// Its number; `rialto withdraw list` shows it.
        withdrawal: u64,
    },
}

pub fn deposit(exchange: &Exchange, deposit: &Deposit) -> anyhow::Result<Told> {
    let Transfer { account, amount, asset, reference } = &deposit.transfer;
    let moved = transfer(&exchange.api, "/deposits", &deposit.transfer)?;
    let amount = moved["amount"].as_str().unwrap_or(amount);
    let text = format!("{amount} {asset} were added to {account}, reference {reference}.");
    Ok(Told::new(moved.clone(), text).next(exchange.command(&format!("account show {account}"))))
}

fn transfer(api: &Api, path: &str, transfer: &Transfer) -> anyhow::Result<Value> {
    let Transfer { account: given, asset, amount, reference } = transfer;
    let account = account(api, given)?.number;
    let body = json!({ "account": account, "asset": asset, "amount": amount, "reference": reference });
    api.ask(&Method::POST, path, Some(&body), Retry::Reference(reference)).map_err(|error| {
        if error.to_string().contains("there is no asset") {
            anyhow::anyhow!("{error}{}", nearest_listed(api, "/assets", asset))
        } else {
            error
        }
    })
}

pub fn withdraw(exchange: &Exchange, command: &WithdrawCommand) -> anyhow::Result<Told> {
    let api = &exchange.api;
    match command {
        WithdrawCommand::List => {
            let list = api.read("/withdrawals")?;
            let columns = [
                ("number", "withdrawal"),
                ("account", "account"),
                ("asset", "asset"),
                ("amount", "amount"),
                ("reference", "reference"),
            ];
            let text = table(&list, &columns);
            let oldest = list[0]["withdrawal"].as_u64();
            let told = Told::new(list, text);
            Ok(match oldest {
                Some(oldest) => told.next(once_paid_out(exchange, oldest)),
                None => told,
            })
        }
        WithdrawCommand::Request(asked) => {
            let moved = transfer(api, "/withdrawals", asked)?;
            let withdrawal = moved["withdrawal"].as_u64().context("the answer has no number")?;
            let Transfer { account, asset, amount, reference } = asked;
            let amount = moved["amount"].as_str().unwrap_or(amount);
            let text = format!(
                "Withdrawal {withdrawal}: {amount} {asset} of {account} are set aside, reference {reference}."
            );
            Ok(Told::new(moved.clone(), text).next(once_paid_out(exchange, withdrawal)))
        }
        WithdrawCommand::Approve { withdrawal } => {
            let what = asked_for(api, *withdrawal)?;
            let settled = settle(api, *withdrawal, "confirm")?;
            let text = format!("Withdrawal {withdrawal} is settled: {what} have left the exchange.");
            Ok(Told::new(settled, text).next(exchange.command("balance-sheet")))
        }
        WithdrawCommand::Reject { withdrawal } => {
            let what = asked_for(api, *withdrawal)?;
            let settled = settle(api, *withdrawal, "release")?;
            let text = format!("Withdrawal {withdrawal} is rejected: {what} are free again for their owner.");
            Ok(Told::new(settled, text).next(exchange.command("withdraw list")))
        }
    }
}

fn once_paid_out(exchange: &Exchange, withdrawal: u64) -> String {
    format!(
        "pay it out, then: {}; or else: {}",
        exchange.command(&format!("withdraw approve {withdrawal}")),
        exchange.command(&format!("withdraw reject {withdrawal}"))
    )
}

/// What an open withdrawal is about, in words.
fn asked_for(api: &Api, withdrawal: u64) -> anyhow::Result<String> {
    let open = api.read("/withdrawals")?;
    let mut entries = open.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let entry = entries.find(|entry| entry["withdrawal"].as_u64() == Some(withdrawal));
    let entry = entry.with_context(|| {
        format!("there is no open withdrawal {withdrawal}: it was settled before or never asked for; rialto withdraw list")
    })?;
    let [amount, asset, account] = ["amount", "asset", "account"].map(|field| cell(&entry[field]));
    Ok(format!("{amount} {asset} of account {account}"))
}

fn settle(api: &Api, withdrawal: u64, how: &str) -> anyhow::Result<Value> {
    let path = format!("/withdrawals/{withdrawal}/{how}");
    api.ask(&Method::POST, &path, None, Retry::Look("rialto withdraw list"))
}

pub fn balance_sheet(exchange: &Exchange) -> anyhow::Result<Told> {
    let sheet = exchange.api.read("/balance-sheet")?;
    let columns = ["asset", "deposited", "withdrawn", "free", "held", "fees"].map(|name| (name, name));
    let columns: Vec<_> = columns.into_iter().chain([("adds up", "adds_up")]).collect();
    let text = table(&sheet, &columns);
    Ok(Told::new(sheet, text))
}
