//! What lives in which partition, and moving a market to another one.

use std::path::PathBuf;

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use super::api::{Retry, encoded};
use super::table::{cell, table};
use super::{Exchange, Plain, Server, Told, nearest_listed};

/// Partitions of an exchange.
#[derive(Subcommand)]
pub enum PartitionCommand {
    /// Adds one, empty, to an exchange that is not running.
    Add {
        /// The data directory.
        #[arg(long, default_value = "./rialto-data")]
        data: PathBuf,
    },
    /// Shows what lives where in a running exchange.
    List(Plain),
    /// Moves a market of a running exchange with all its orders. It accepts nothing until it is there, which takes as long as its
    /// book takes to move.
    Move {
        #[command(flatten)]
        server: Server,
        /// Which market.
        market: String,
        /// To which partition.
        #[arg(long)]
        to: u8,
    },
}

pub fn list(exchange: &Exchange) -> anyhow::Result<Told> {
    let list = exchange.api.read("/partitions")?;
    let columns = [
        ("partition", "partition"),
        ("accounts", "accounts"),
        ("open orders", "open_orders"),
        ("waiting", "waiting"),
        ("command", "seq"),
        ("markets", "markets"),
    ];
    let text = table(&list, &columns);
    Ok(Told::new(list, text))
}

pub fn move_market(exchange: &Exchange, market: &str, to: u8) -> anyhow::Result<Told> {
    let api = &exchange.api;
    let path = format!("/markets/{}/move", encoded(market));
    let moved = api
        .ask(&Method::POST, &path, Some(&json!({ "to": to })), Retry::Look("rialto partition list"))
        .map_err(|error| anyhow::anyhow!("{error}{}", nearest_listed(api, "/markets", market)))?;
    let text = format!("The market {market} is in partition {}, and goes on.", cell(&moved["partition"]));
    Ok(Told::new(moved, text).next(exchange.command("partition list")))
}
