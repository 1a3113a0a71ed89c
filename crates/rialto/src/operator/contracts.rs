//! `rialto contract`.

use anyhow::bail;
use clap::{Args, Subcommand};
use gateway_http::{ContractChange, ContractForm, PerpetualChange, SourceForm};
use hyper::Method;
use serde_json::json;

use super::api::{Retry, encoded};
use super::listed::{Change, NewMarket};
use super::table::{cell, table};
use super::{Exchange, Told, nearest_listed};

/// What to do with perpetual contracts.
#[derive(Subcommand)]
pub enum ContractCommand {
    /// Lists them.
    List,
    /// Opens one.
    Add {
        #[command(flatten)]
        market: NewMarket,
        #[command(flatten)]
        perpetual: Perpetual,
    },
    /// Changes one.
    Set {
        /// Its name, such as BTCUSDT.
        name: String,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        perpetual: Perpetual,
    },
    /// Hands in what a price feed says a contract's index price is.
    Price {
        /// Its name, such as BTCUSDT.
        name: String,
        /// The price.
        price: String,
        /// Which of its sources says so, in their order, from 0. Default: the first one that is a feed.
        #[arg(long)]
        source: Option<u8>,
    },
}

/// What a contract has beside the settings of every market. Brackets of margin are set through the operator's API.
#[derive(Args, Clone)]
pub struct Perpetual {
    /// The account that is the insurance fund, by name.
    #[arg(long)]
    fund: Option<String>,
    /// One whose prices make the index price: a spot market, or the word feed; with a weight behind a colon, such as BTCUSDT:2.
    /// May be given several times. At first the spot market of the contract's name, or a feed.
    #[arg(long = "source", value_name = "MARKET|feed[:WEIGHT]", value_parser = source)]
    sources: Vec<SourceForm>,
    /// Leverage of accounts that have chosen none. At first 20.
    #[arg(long)]
    default_leverage: Option<u16>,
    /// Largest position.
    #[arg(long)]
    max_position: Option<String>,
    /// Hours between settlements of funding: 1, 2, 4 or 8. At first 8.
    #[arg(long)]
    funding_interval_hours: Option<u8>,
    /// Highest funding rate of a settlement. At first 0.02.
    #[arg(long)]
    funding_cap: Option<String>,
    /// Lowest funding rate of a settlement. At first -0.02.
    #[arg(long, allow_hyphen_values = true)]
    funding_floor: Option<String>,
    /// Paid to the fund on what a liquidation has sold, as a part of its value. At first 0.0125.
    #[arg(long)]
    clearance_fee: Option<String>,
    /// A price of a feed that is older, in milliseconds, does not count. At first 10,000.
    #[arg(long)]
    stale_after_ms: Option<u64>,
}

/// `BTCUSDT:2`, `feed`.
fn source(text: &str) -> Result<SourceForm, String> {
    let (name, weight) = match text.split_once(':') {
        None => (text, 1),
        Some((name, weight)) => {
            (name, weight.parse().map_err(|error| format!("the weight '{weight}': {error}"))?)
        }
    };
    Ok(SourceForm { spot: (name != "feed").then(|| name.to_owned()), weight })
}

impl From<Perpetual> for PerpetualChange {
    fn from(perpetual: Perpetual) -> Self {
        Self {
            fund: perpetual.fund,
            sources: (!perpetual.sources.is_empty()).then_some(perpetual.sources),
            default_leverage: perpetual.default_leverage,
            max_position: perpetual.max_position,
            funding_interval_hours: perpetual.funding_interval_hours,
            funding_cap: perpetual.funding_cap,
            funding_floor: perpetual.funding_floor,
            clearance_fee: perpetual.clearance_fee,
            stale_after_ms: perpetual.stale_after_ms,
            ..Self::default()
        }
    }
}

pub fn run(exchange: &Exchange, command: &ContractCommand) -> anyhow::Result<Told> {
    let api = &exchange.api;
    match command {
        ContractCommand::List => {
            let list = api.read("/contracts")?;
            let columns = [
                ("name", "name"),
                ("status", "status"),
                ("tick", "tick_size"),
                ("lot", "lot_size"),
                ("settled in", "quote"),
                ("maker fee", "maker_fee"),
                ("taker fee", "taker_fee"),
            ];
            let text = table(&list, &columns);
            Ok(Told::new(list, text))
        }
        ContractCommand::Add { market, perpetual } => {
            let form = ContractForm { market: market.form(), perpetual: perpetual.clone().into() };
            let body = serde_json::to_value(&form)?;
            let added =
                api.ask(&Method::POST, "/contracts", Some(&body), Retry::Look("rialto contract list"))?;
            let perpetual = &added["perpetual"];
            let text = format!(
                "The contract {} is there, {}: settled in {}, up to {}x, insured by {}.",
                form.market.name,
                cell(&added["status"]),
                form.market.quote,
                cell(&perpetual["brackets"][0]["max_leverage"]),
                cell(&perpetual["fund"]),
            );
            let next = format!(
                "deposit {} {} 1000 --reference REFERENCE",
                cell(&perpetual["fund"]),
                form.market.quote
            );
            Ok(Told::new(added, text).next(exchange.command(&next)))
        }
        ContractCommand::Set { name, change, perpetual } => {
            let form = ContractChange { market: change.clone().into(), perpetual: perpetual.clone().into() };
            if form == ContractChange::default() {
                bail!("nothing to change: rialto contract set --help shows what can be");
            }
            let path = format!("/contracts/{}", encoded(name));
            let body = serde_json::to_value(&form)?;
            let changed = api
                .ask(&Method::PUT, &path, Some(&body), Retry::Look("rialto contract list"))
                .map_err(|error| anyhow::anyhow!("{error}{}", nearest_listed(api, "/contracts", name)))?;
            let text = format!("The contract {name} has changed; it is {}.", cell(&changed["status"]));
            Ok(Told::new(changed, text))
        }
        ContractCommand::Price { name, price, source } => {
            let path = format!("/contracts/{}/index-price", encoded(name));
            let mut body = json!({ "price": price });
            if let Some(source) = source {
                body["source"] = json!(source);
            }
            let told = api
                .ask(&Method::PUT, &path, Some(&body), Retry::Look("rialto contract list"))
                .map_err(|error| anyhow::anyhow!("{error}{}", nearest_listed(api, "/contracts", name)))?;
            let text = format!("{name}: source {} says {}.", cell(&told["source"]), cell(&told["price"]));
            Ok(Told::new(told, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_markets_or_feeds_with_weights() {
        let spot = |name: &str, weight| Ok(SourceForm { spot: Some(name.to_owned()), weight });
        assert_eq!(source("BTCUSDT"), spot("BTCUSDT", 1));
        assert_eq!(source("BTCUSDT:3"), spot("BTCUSDT", 3));
        assert_eq!(source("feed:2"), Ok(SourceForm { spot: None, weight: 2 }));
        assert!(source("feed:x").unwrap_err().starts_with("the weight 'x': "));
    }
}
