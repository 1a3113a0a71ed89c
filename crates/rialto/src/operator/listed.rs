//! `rialto asset`, `rialto market`.

use anyhow::bail;
use clap::{Args, Subcommand};
use gateway_http::{MarketChange, MarketForm};
use hyper::Method;
use serde_json::json;

use super::api::{Retry, encoded};
use super::table::{cell, table};
use super::{Exchange, Told, nearest_listed};

/// What to do with assets.
#[derive(Subcommand)]
pub enum AssetCommand {
    /// Lists them.
    List,
    /// Adds one, for ever.
    Add {
        /// Its name, such as EUR.
        name: String,
        /// Decimals of an amount, 0 to 18.
        #[arg(long, default_value_t = 8)]
        scale: u8,
    },
}

/// What to do with markets.
#[derive(Subcommand)]
pub enum MarketCommand {
    /// Lists them.
    List,
    /// Opens one.
    Add(NewMarket),
    /// Changes one.
    Set {
        /// Its name, such as BTCUSDT.
        name: String,
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Args)]
pub struct NewMarket {
    /// Its name, such as BTCUSDT.
    name: String,
    /// What is bought and sold: an asset.
    #[arg(long)]
    base: String,
    /// What it is paid with: an asset.
    #[arg(long)]
    quote: String,
    /// The smallest step of a price.
    #[arg(long)]
    tick_size: String,
    /// The smallest step of a quantity.
    #[arg(long)]
    lot_size: String,
    /// The reference price before the first trade.
    #[arg(long)]
    initial_price: String,
    /// The partition where it lives. Default: 0.
    #[arg(long)]
    partition: Option<u8>,
    #[command(flatten)]
    change: Change,
}

/// What may change about a market. What is left out stays as it is, or is at the default of a new market.
#[derive(Args, Clone)]
pub struct Change {
    /// TRADING, `CANCEL_ONLY` or HALT.
    #[arg(long)]
    status: Option<String>,
    /// Lowest price. At first one tick.
    #[arg(long)]
    min_price: Option<String>,
    /// Highest price. At first 100 times the initial price.
    #[arg(long)]
    max_price: Option<String>,
    /// Smallest quantity. At first one lot.
    #[arg(long)]
    min_qty: Option<String>,
    /// Largest quantity. At first 1,000,000 lots.
    #[arg(long)]
    max_qty: Option<String>,
    /// Smallest price x quantity; 0 for none, as at first.
    #[arg(long)]
    min_notional: Option<String>,
    /// Largest price x quantity; 0 for none, as at first.
    #[arg(long)]
    max_notional: Option<String>,
    /// Most orders on the book. At first 1,000,000.
    #[arg(long)]
    max_open_orders: Option<u32>,
    /// Most open orders of one account. At first 200.
    #[arg(long)]
    max_open_orders_per_account: Option<u32>,
    /// Most amendments of one order. At first 10.
    #[arg(long)]
    max_amends_per_order: Option<u16>,
    /// Fee of the resting side, as a part of what it receives. At first 0.001.
    #[arg(long)]
    maker_fee: Option<String>,
    /// Fee of the arriving side, as a part of what it receives. At first 0.001.
    #[arg(long)]
    taker_fee: Option<String>,
    /// UP, `HALF_UP` or DOWN. At first UP.
    #[arg(long)]
    fee_rounding: Option<String>,
    /// Market orders trade within this part of the last price; 0 for no such rule.
    #[arg(long)]
    band: Option<String>,
}

impl NewMarket {
    pub(super) fn form(&self) -> MarketForm {
        MarketForm {
            partition: self.partition,
            name: self.name.clone(),
            base: self.base.clone(),
            quote: self.quote.clone(),
            tick_size: self.tick_size.clone(),
            lot_size: self.lot_size.clone(),
            initial_price: self.initial_price.clone(),
            change: self.change.clone().into(),
        }
    }
}

impl From<Change> for MarketChange {
    fn from(change: Change) -> Self {
        Self {
            min_price: change.min_price,
            max_price: change.max_price,
            min_qty: change.min_qty,
            max_qty: change.max_qty,
            min_notional: change.min_notional,
            max_notional: change.max_notional,
            max_open_orders: change.max_open_orders,
            max_open_orders_per_account: change.max_open_orders_per_account,
            max_amends_per_order: change.max_amends_per_order,
            maker_fee: change.maker_fee,
            taker_fee: change.taker_fee,
            fee_rounding: change.fee_rounding,
            band: change.band,
            status: change.status,
        }
    }
}

pub fn asset(exchange: &Exchange, command: &AssetCommand) -> anyhow::Result<Told> {
    let api = &exchange.api;
    match command {
        AssetCommand::List => {
            let list = api.read("/assets")?;
            let text = table(&list, &[("name", "name"), ("decimals", "scale")]);
            Ok(Told::new(list, text))
        }
        AssetCommand::Add { name, scale } => {
            let body = json!({ "name": name, "scale": scale });
            let added = api.ask(&Method::POST, "/assets", Some(&body), Retry::Look("rialto asset list"))?;
            let others = api.read("/assets")?;
            let others = others.as_array().map(Vec::as_slice).unwrap_or_default();
            let other = others.iter().find(|other| other["name"] != name.as_str());
            let next = match other {
                Some(other) => {
                    let base = cell(&other["name"]);
                    let base_scale = other["scale"].as_u64().unwrap_or_default();
                    let (tick, lot) = steps(base_scale, u64::from(*scale));
                    format!(
                        "market add {base}{name} --base {base} --quote {name} --tick-size {tick} --lot-size {lot} \
                         --initial-price PRICE"
                    )
                }
                None => "asset add NAME".to_owned(),
            };
            let text = format!("The asset {name} is listed, with {scale} decimals.");
            Ok(Told::new(added, text).next(exchange.command(&next)))
        }
    }
}

/// A tick and a lot to begin with: a tick of a lot is a whole number of the quote asset's smallest unit. From the decimals of
/// base and quote.
fn steps(base_scale: u64, quote_scale: u64) -> (String, String) {
    let tick = (quote_scale / 3).min(2);
    let lot = (quote_scale - tick).min(5).min(base_scale);
    let step = |decimals: u64| match decimals {
        0 => "1".to_owned(),
        _ => format!("0.{}1", "0".repeat(usize::try_from(decimals - 1).unwrap_or_default())),
    };
    (step(tick), step(lot))
}

pub fn market(exchange: &Exchange, command: &MarketCommand) -> anyhow::Result<Told> {
    let api = &exchange.api;
    match command {
        MarketCommand::List => {
            let list = api.read("/markets")?;
            let columns = [
                ("name", "name"),
                ("status", "status"),
                ("tick", "tick_size"),
                ("lot", "lot_size"),
                ("least notional", "min_notional"),
                ("maker fee", "maker_fee"),
                ("taker fee", "taker_fee"),
            ];
            let text = table(&list, &columns);
            Ok(Told::new(list, text))
        }
        MarketCommand::Add(market) => {
            let form = market.form();
            let body = serde_json::to_value(&form)?;
            let added = api.ask(&Method::POST, "/markets", Some(&body), Retry::Look("rialto market list"))?;
            let accounts = api.read("/accounts?limit=1")?;
            let text = format!(
                "The market {} is there, {}: {} is paid with {}.",
                form.name,
                cell(&added["status"]),
                form.base,
                form.quote
            );
            let next = match accounts[0]["name"].as_str() {
                None => "account add NAME".to_owned(),
                Some(name) => format!("deposit {name} {} 1000 --reference REFERENCE", form.quote),
            };
            Ok(Told::new(added, text).next(exchange.command(&next)))
        }
        MarketCommand::Set { name, change } => {
            let body = serde_json::to_value(MarketChange::from(change.clone()))?;
            if body.as_object().is_some_and(serde_json::Map::is_empty) {
                bail!("nothing to change: rialto market set --help shows what can be");
            }
            let path = format!("/markets/{}", encoded(name));
            let changed = api
                .ask(&Method::PUT, &path, Some(&body), Retry::Look("rialto market list"))
                .map_err(|error| anyhow::anyhow!("{error}{}", nearest_listed(api, "/markets", name)))?;
            let fields = body.as_object().into_iter().flatten();
            let now: Vec<String> =
                fields.map(|(field, _)| format!("{field} = {}", cell(&changed[field]))).collect();
            let text = format!("The market {name} is changed: {}.", now.join(", "));
            Ok(Told::new(changed, text).next(exchange.command("market list")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_that_is_proposed_can_be_made() {
        let steps = |base, quote| {
            let (tick, lot) = steps(base, quote);
            format!("{tick} {lot}")
        };
        assert_eq!(steps(8, 8), "0.01 0.00001");
        assert_eq!(steps(8, 2), "1 0.01");
        assert_eq!(steps(8, 6), "0.01 0.0001");
        assert_eq!(steps(0, 18), "0.01 1");
        assert_eq!(steps(8, 0), "1 1");
    }
}
