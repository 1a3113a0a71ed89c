//! `rialto bench`: the yardsticks, as one table or as JSON.

use std::path::PathBuf;

use anyhow::Context as _;
use bench::Measurement;
use bench::rest::Load;
use clap::{Args, ValueEnum};

use crate::terminal::say;

#[derive(Args)]
pub struct Options {
    /// Which yardsticks.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Where the journals of the durable yardsticks are made; they go away at the end.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Commands of the flow through partition and journal. The whole flow has 16,016,000.
    #[arg(long, default_value_t = 16_016_000)]
    commands: usize,
    /// Connections that send orders at once.
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Orders over all connections.
    #[arg(long, default_value = "200000", value_parser = clap::value_parser!(u64).range(1..))]
    orders: u64,
    /// Orders of the one client that sends one at a time.
    #[arg(long, default_value = "20000", value_parser = clap::value_parser!(u64).range(1..))]
    single_orders: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The partition alone.
    Partition,
    /// Partition and journal, and the replay after a crash.
    Durable,
    /// Signed orders over REST: a server in a process of its own, many connections, then one order at a time. Each
    /// connection waits for its answer before it sends again, so a stall of the server also holds back the load.
    Rest,
    /// All of them.
    All,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let wants = |what| options.what == what || options.what == What::All;
    let mut found = Vec::new();
    let mut show = |measurement: Measurement| {
        if !options.json {
            say!("{measurement}");
        }
        found.push(measurement);
    };
    if !options.json {
        say!("{}", Measurement::HEADER);
    }
    if wants(What::Partition) {
        show(bench::partition::run(options.commands));
    }
    if wants(What::Durable) {
        let durable = bench::durable::run(&options.folder, options.commands)?;
        show(durable.live);
        show(durable.replay);
    }
    if wants(What::Rest) {
        let program = std::env::current_exe().context("cannot tell which program this is")?;
        let many = Load { connections: usize::from(options.connections), orders: options.orders };
        let single = Load { connections: 1, orders: options.single_orders };
        for load in [many, single] {
            let rest = bench::rest::run(&program, &options.folder, &load)?;
            show(rest.orders);
            show(rest.cancels);
        }
    }
    if options.json {
        say!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    for Measurement { name, remark, .. } in &found {
        if let Some(remark) = remark {
            say!("\n{name}: {remark}.");
        }
    }
    Ok(())
}
