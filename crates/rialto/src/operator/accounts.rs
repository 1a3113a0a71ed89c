//! `rialto account`.

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use super::api::Retry;
use super::table::{cell, table};
use super::{Exchange, Told, account};

/// What to do with accounts.
#[derive(Subcommand)]
pub enum AccountCommand {
    /// Lists them, a thousand at a time.
    List {
        /// The number to begin with.
        #[arg(long, default_value_t = 1)]
        from: u64,
    },
    /// Opens one.
    Add {
        /// Its name; nobody else may have it.
        name: String,
        /// Accounts of one group, other than 0, do not trade with each other.
        #[arg(long, default_value_t = 0)]
        trade_group: u32,
    },
    /// Shows one with its money.
    Show {
        /// Its name or number.
        account: String,
    },
}

pub fn run(exchange: &Exchange, command: &AccountCommand) -> anyhow::Result<Told> {
    let api = &exchange.api;
    match command {
        AccountCommand::List { from } => {
            let list = api.read(&format!("/accounts?from={from}"))?;
            let text =
                table(&list, &[("number", "account"), ("name", "name"), ("trade group", "trade_group")]);
            let shown = list.as_array().map_or(0, Vec::len);
            let highest = list[shown.saturating_sub(1)]["account"].as_u64();
            let told = Told::new(list, text);
            Ok(match highest {
                Some(highest) if shown >= 1_000 => {
                    told.next(exchange.command(&format!("account list --from {}", highest + 1)))
                }
                _ => told,
            })
        }
        AccountCommand::Add { name, trade_group } => {
            let body = json!({ "name": name, "trade_group": trade_group });
            let made =
                api.ask(&Method::POST, "/accounts", Some(&body), Retry::Look("rialto account list"))?;
            let text = format!("The account {name} is open; its number is {}.", cell(&made["account"]));
            let next = exchange.command(&format!("key new --account {name} --permissions read,trade"));
            Ok(Told::new(made, text).next(next))
        }
        AccountCommand::Show { account: given } => {
            let number = account(api, given)?.number;
            let shown = api.read(&format!("/accounts/{number}"))?;
            let columns = [("asset", "asset"), ("free", "free"), ("held", "held")];
            let money = table(&shown["balances"], &columns);
            let text = format!("{} (account {number})\n{money}", cell(&shown["name"]));
            Ok(Told::new(shown, text))
        }
    }
}
