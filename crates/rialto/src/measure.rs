//! `rialto bench`: which yardsticks are run, and how what they found is shown.

mod yardsticks;

use std::path::PathBuf;

use bench::Measurement;
use clap::{Args, Subcommand};

use crate::terminal::say;
use yardsticks::{ALL, Yardstick, parsed};

#[derive(Args)]
pub struct Options {
    /// Which yardsticks. Default: all.
    #[command(subcommand)]
    what: Option<What>,
    /// JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Where the journals of the durable yardsticks are made; they go away at the end.
    #[arg(long, global = true, default_value = ".")]
    folder: PathBuf,
}

#[derive(Subcommand)]
enum What {
    #[command(flatten)]
    One(Yardstick),
    /// All of them, each as it is without options.
    All(All),
}

#[derive(Args)]
struct All {
    /// Each as small as it can be: whether they run, not how fast anything is.
    #[arg(long)]
    quick: bool,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
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
    match &options.what {
        Some(What::One(yardstick)) => yardstick.measure(&options.folder, &mut show)?,
        Some(What::All(All { quick: true })) => {
            for run in ALL {
                parsed(run.quick).measure(&options.folder, &mut show)?;
            }
        }
        None | Some(What::All(All { quick: false })) => {
            for run in ALL {
                parsed(run.full).measure(&options.folder, &mut show)?;
            }
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn refused(line: &str) -> String {
        let parsed = Line::try_parse_from(format!("bench {line}").split(' '));
        parsed.err().unwrap_or_else(|| panic!("`{line}` is taken")).to_string()
    }

    #[test]
    fn whatever_is_common_stands_anywhere() {
        for line in ["--json --folder x", "ws --json --folder x", "--json partition --folder x"] {
            let Line { options } = Line::try_parse_from(format!("bench {line}").split(' ')).unwrap();
            assert!(options.json && options.folder.ends_with("x"), "{line}");
        }
        let Line { options } = Line::try_parse_from(["bench"]).unwrap();
        assert!(!options.json && options.folder.ends_with(".") && options.what.is_none());
    }

    #[test]
    fn a_slip_is_refused_with_the_nearest_name() {
        assert!(refused("partitoin").contains("'partition'"));
        assert!(refused("ws --conections 3").contains("'--connections'"));
    }

    #[test]
    fn a_yardstick_takes_no_options_of_another() {
        for line in ["partition --subscribers 3", "ws --storm 3", "all --orders 3", "--orders 3"] {
            assert!(refused(line).contains("unexpected argument"), "{line}");
        }
    }
}
