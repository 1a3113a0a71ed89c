//! `rialto status`: for people, and for whatever restarts programs that are not well.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::Exchange;
use super::place::Server;
use super::table::cell;
use crate::terminal::say;

/// Whether it runs.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    server: Server,
    /// Prints nothing when all is well. Needs no token.
    #[arg(long)]
    quiet: bool,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let Exchange { api, flags: _ } = Exchange::of(&options.server)?;
    let ready = api.ready()?;
    let reason = ready.body["reason"].as_str().unwrap_or("it does not say why").to_owned();
    if !options.quiet {
        let status = api.read("/status")?;
        if options.server.json {
            say!("{}", json!({ "health": ready.body, "status": status }));
        } else {
            let field = |name: &str| cell(&status[name]);
            say!(
                "It runs for {} s: command {}, {} accounts, {} markets, {} open orders.",
                field("uptime_seconds"),
                field("seq"),
                field("accounts"),
                field("markets"),
                field("open_orders")
            );
        }
    }
    if !ready.status.is_success() {
        bail!("the exchange is not ready: {reason}");
    }
    if !options.quiet && !options.server.json {
        say!("It is ready.");
    }
    Ok(())
}
