//! `rialto bench`: the yardsticks, as one table or as JSON.

use std::path::PathBuf;

use bench::Measurement;
use clap::Args;

#[derive(Args)]
pub struct Options {
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Where the journals of the durable yardsticks are made; they go away at the end.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Commands of the flow through partition and journal. The whole flow has 16,016,000.
    #[arg(long, default_value_t = 16_016_000)]
    commands: usize,
    /// Orders of each REST yardstick.
    #[arg(long, default_value_t = 100_000)]
    orders: usize,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut found = Vec::new();
    let mut show = |measurement: Measurement| {
        if !options.json {
            println!("{measurement}");
        }
        found.push(measurement);
    };
    if !options.json {
        println!("{}", Measurement::HEADER);
    }
    show(bench::partition::run(options.commands));
    let durable = bench::durable::run(&options.folder, options.commands)?;
    show(durable.live);
    show(durable.replay);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    }
    Ok(())
}
