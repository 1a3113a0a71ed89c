//! `rialto bench`: which yardsticks are run, and how what they found is shown.

mod yardsticks;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bench::Measurement;
use bench::report::Section;
use clap::{Args, Subcommand};

use crate::terminal::say;
use yardsticks::{ALL, RATES, Run, Show, Yardstick, parsed};

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
    /// All of them, and the API under fixed rates: writes the figures into a file, between two marks, and plots beside it.
    Report(Report),
}

#[derive(Args)]
struct All {
    /// Each as small as it can be: whether they run, not how fast anything is.
    #[arg(long)]
    quick: bool,
}

#[derive(Args)]
struct Report {
    /// The file; what is written by hand around the marks stays. Plots go into the folder of the same name.
    #[arg(long, default_value = "docs/benchmarks.md")]
    into: PathBuf,
    #[command(flatten)]
    all: All,
}

impl All {
    fn arguments(&self, run: &Run) -> &'static str {
        if self.quick { run.quick } else { run.full }
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut found = Vec::new();
    let mut show = |measurement: Measurement| {
        if !options.json {
            if found.is_empty() {
                say!("{}", Measurement::HEADER);
            }
            say!("{measurement}");
        }
        found.push(measurement);
    };
    match &options.what {
        Some(What::One(yardstick)) => yardstick.measure(&options.folder, &mut show)?,
        Some(What::All(all)) => measure_all(ALL, all, &options.folder, &mut show).map(drop)?,
        None => measure_all(ALL, &All { quick: false }, &options.folder, &mut show).map(drop)?,
        Some(What::Report(Report { into, all })) => {
            let mut sections = measure_all(ALL, all, &options.folder, &mut show)?;
            sections.extend(measure_all(RATES, all, &options.folder, &mut show)?);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
            bench::report::write(into, &bench::report::date(now.as_secs()), &sections)
                .map_err(|error| anyhow::anyhow!("cannot write {}: {error}", into.display()))?;
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

/// Each in turn, shown as it comes.
fn measure_all(runs: &[Run], all: &All, folder: &Path, show: Show) -> anyhow::Result<Vec<Section>> {
    let mut sections = Vec::with_capacity(runs.len());
    for run in runs {
        let arguments = all.arguments(run);
        let mut found = Vec::new();
        parsed(arguments).measure(folder, &mut |measurement| {
            found.push(measurement.clone());
            show(measurement);
        })?;
        sections.push(Section { arguments, found });
    }
    Ok(sections)
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
