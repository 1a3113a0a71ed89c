//! `rialto bench`: the yardsticks, as one table or as JSON.

use std::path::PathBuf;

use anyhow::Context as _;
use bench::Measurement;
use bench::{many, rest, snapshot, streams, ws};
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
    /// Requests that each connection to the WebSocket API has under way at the most.
    #[arg(long, default_value = "16", value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,
    /// Subscribers of the streams.
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u16).range(1..))]
    subscribers: u16,
    /// Orders and cancels a second in the market whose streams are read.
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(u64).range(100..))]
    events: u64,
    /// Of those, orders that trade.
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u64).range(1..))]
    trades: u64,
    /// WebSocket connections with ten streams each, and REST connections, that are there at once.
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(u16).range(1..))]
    sockets: u16,
    #[arg(long, default_value = "2000", value_parser = clap::value_parser!(u16).range(1..))]
    rest_connections: u16,
    /// Orders and cancels a second beside them.
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u64).range(10..))]
    calm_events: u64,
    /// Connections that harmful clients open and close in a second.
    #[arg(long, default_value_t = 1_000)]
    storm: u64,
    /// Open orders beside which a snapshot is made.
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    open_orders: u64,
    /// How many seconds the streams are read, each half of the many connections takes, and the flow without a snapshot.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The partition alone.
    Partition,
    /// Two partitions against one, on one thread and on two, without journal; then one order at a time, durable.
    Partitions,
    /// Partition and journal, and the replay after a crash.
    Durable,
    /// Signed orders over REST: a server in a process of its own, many connections, then one order at a time. Each
    /// connection waits for its answer before it sends again, so a stall of the server also holds back the load.
    Rest,
    /// Signed orders over the WebSocket API: many connections with several requests under way on each, then one order at a
    /// time.
    Ws,
    /// Depth and trades of one busy market to many subscribers: whether each gets everything in order, and how late.
    Streams,
    /// Thousands of connections at once, by themselves and beside harmful clients: whether anything is dropped, and how much
    /// memory they take.
    Many,
    /// For how long nothing is released while a snapshot of many open orders is made.
    Snapshot,
    /// All of them.
    All,
}

/// Commands of the flow for two partitions, which are made beforehand: 200 bytes each.
const MOST_COMMANDS_IN_MEMORY: usize = 2_000_000;

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
    if wants(What::Partitions) {
        bench::partitions::run(options.commands.min(MOST_COMMANDS_IN_MEMORY), &mut show);
        let durable = bench::partitions::durable(&options.folder);
        durable.map_err(|error| anyhow::anyhow!("{error}"))?.into_iter().for_each(&mut show);
    }
    if wants(What::Durable) {
        let durable = bench::durable::run(&options.folder, options.commands)?;
        show(durable.live);
        show(durable.replay);
    }
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let connections = usize::from(options.connections);
    if wants(What::Rest) {
        let many = rest::Load { connections, orders: options.orders };
        let single = rest::Load { connections: 1, orders: options.single_orders };
        for load in [many, single] {
            let rest = rest::run(&program, &options.folder, &load)?;
            show(rest.orders);
            show(rest.cancels);
        }
    }
    if wants(What::Ws) {
        let signed = ws::Load {
            connections,
            window: usize::from(options.window),
            proof: ws::Proof::Signed,
            orders: options.orders,
        };
        let logged_on = ws::Load { proof: ws::Proof::LoggedOn, ..signed };
        let single = ws::Load { connections: 1, window: 1, orders: options.single_orders, ..signed };
        for load in [signed, logged_on, single] {
            let ws = ws::run(&program, &options.folder, &load)?;
            show(ws.orders);
            show(ws.cancels);
        }
    }
    if wants(What::Streams) {
        let load = streams::Load {
            subscribers: usize::from(options.subscribers),
            events_per_s: options.events,
            trades_per_s: options.trades,
            seconds: options.seconds,
        };
        streams::run(&program, &options.folder, &load)?.into_iter().for_each(&mut show);
    }
    if wants(What::Many) {
        let load = many::Load {
            sockets: usize::from(options.sockets),
            rest: usize::from(options.rest_connections),
            events_per_s: options.calm_events,
            storm_per_s: options.storm,
            seconds: options.seconds,
        };
        many::run(&program, &options.folder, &load)?.into_iter().for_each(&mut show);
    }
    if wants(What::Snapshot) {
        let load = snapshot::Load {
            open_orders: options.open_orders,
            events_per_s: options.events,
            seconds: options.seconds,
        };
        snapshot::run(&options.folder, &load)?.into_iter().for_each(&mut show);
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
