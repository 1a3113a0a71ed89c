//! The report: everything that was measured, with the machine and the commit, between two marks of a Markdown file; its plots in
//! a folder beside it. What stands around the marks is written by hand and stays.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::plot::{self, Plot};
use crate::{Measurement, Target};

/// What is between these is made anew.
const BEGIN: &str = "<!-- figures: written by `rialto bench report` -->";
const END: &str = "<!-- end of figures -->";

/// What one yardstick found, and how it was called.
pub struct Section {
    /// Behind `rialto bench`.
    pub arguments: &'static str,
    /// In the order in which it came.
    pub found: Vec<Measurement>,
}

/// Writes the figures into `file`, which is made where it is not there, and the plots into the folder of the same name without
/// its ending. `date` is today's.
pub fn write(file: &Path, date: &str, sections: &[Section]) -> Result<(), Box<dyn Error>> {
    let found: Vec<_> = sections.iter().flat_map(|section| section.found.iter().cloned()).collect();
    let plots = plot::all(&found)?;
    let folder = file.with_extension("");
    fs::create_dir_all(&folder)?;
    for Plot { name, svg, .. } in &plots {
        fs::write(folder.join(name).with_extension("svg"), svg)?;
    }
    let name = folder.file_name().and_then(|name| name.to_str()).ok_or("the report has no name")?;
    let figures = figures(date, sections, &plots, name);
    let before = match fs::read_to_string(file) {
        Ok(before) => before,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "# Figures\n".to_owned(),
        Err(error) => return Err(error.into()),
    };
    Ok(fs::write(file, replaced(&before, &figures))?)
}

/// `text` with other figures; behind everything where it had none.
fn replaced(text: &str, figures: &str) -> String {
    let marked = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, behind) = marked.unwrap_or((text, "\n"));
    let gap = if marked.is_some() { "" } else { "\n" };
    format!("{before}{gap}{BEGIN}\n{figures}{END}{behind}")
}

fn figures(date: &str, sections: &[Section], plots: &[Plot], folder: &str) -> String {
    let mut text = format!("\n{date}. {}\n", machine());
    for Section { arguments, found } in sections {
        put(&mut text, format_args!("\n### `rialto bench {arguments}`\n\n"));
        text.push_str("| what | commands/s | p50 us | p99 us | p99.9 us | refused | target |\n|---|--:|--:|--:|--:|--:|---|\n");
        for row in found {
            let Measurement { name, per_second, rejects, latency, target, .. } = row;
            let latency = match latency {
                Some(latency) => {
                    format!("{:.1} | {:.1} | {:.1}", latency.p50_us, latency.p99_us, latency.p999_us)
                }
                None => " | | ".to_owned(),
            };
            let target = match target {
                Some(Target { wanted, met: true }) => format!("{wanted}: met"),
                Some(Target { wanted, met: false }) => format!("**{wanted}: missed**"),
                None => String::new(),
            };
            put(&mut text, format_args!("| {name} | {per_second:.0} | {latency} | {rejects} | {target} |\n"));
        }
        let told = found.iter().filter_map(|row| Some((&row.name, row.remark.as_ref()?)));
        for (at, (name, remark)) in told.enumerate() {
            put(&mut text, format_args!("{}* {name}: {remark}.\n", if at == 0 { "\n" } else { "" }));
        }
    }
    if !plots.is_empty() {
        text.push_str("\n### Plots\n");
    }
    for Plot { name, title, .. } in plots {
        put(&mut text, format_args!("\n![{title}]({folder}/{name}.svg)\n"));
    }
    text
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("memory takes it");
}

/// The machine, its system, the toolchain and the commit, as far as they can be told.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("processor unknown", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let meminfo = read("/proc/meminfo");
    let memory = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    let memory = memory.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let commit = told("git", &["describe", "--always", "--dirty"]);
    let toolchain = told("rustc", &["--version"]);
    format!(
        "{model}, {cores} cores, {memory} GiB, Linux {}; load average {load} at the end; {toolchain}; commit {commit}; Rialto {}.",
        kernel.trim(),
        env!("CARGO_PKG_VERSION")
    )
}

/// What a program answers, where it is there.
fn told(program: &str, arguments: &[&str]) -> String {
    let answer = Command::new(program).args(arguments).output().ok().filter(|answer| answer.status.success());
    let answer = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned());
    answer.unwrap_or_else(|| format!("{program} does not tell"))
}

/// The day of a number of seconds since 1970, as `2026-11-27`. Source: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`, for days since 1970.
pub fn date(unix_seconds: u64) -> String {
    let days = unix_seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + u64::from(month <= 2))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Axis;

    fn section(found: u64) -> Section {
        let row = |x| {
            Measurement::new(format!("row {x}"), found, Duration::from_secs(1), 0).on_curve(
                "partition",
                Axis::Markets,
                x,
            )
        };
        let missed = Target { wanted: "9000/s".to_owned(), met: false };
        let last = row(100).with_target(missed).with_remark("slow".to_owned());
        Section { arguments: "growth", found: vec![row(1), last] }
    }

    #[test]
    fn figures_are_replaced_and_what_is_written_by_hand_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("benchmarks.md");
        fs::write(&file, format!("# By hand\n{BEGIN}\nold\n{END}\nbehind\n")).unwrap();
        for found in [1_000, 2_000] {
            write(&file, "2026-11-27", &[section(found)]).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("# By hand\n") && text.ends_with(&format!("{END}\nbehind\n")), "{text}");
            let row = format!("| row 100 | {found} |  | |  | 0 | **9000/s: missed** |");
            for part in [&row, "2026-11-27. ", "* row 100: slow.", "(benchmarks/cost-markets.svg)"] {
                assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
            }
            assert!(!text.contains("old"), "{text}");
        }
        let svg = fs::read_to_string(folder.path().join("benchmarks/cost-markets.svg")).unwrap();
        assert!(svg.starts_with("<svg"), "{svg}");
    }

    #[test]
    fn a_report_is_made_where_there_was_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.md");
        write(&file, "2026-11-27", &[section(7)]).unwrap();
        assert!(fs::read_to_string(&file).unwrap().starts_with("# Figures\n"));
        assert!(folder.path().join("new/cost-markets.svg").exists());
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_795_737_599, "2026-11-26"),
            (1_795_737_600, "2026-11-27"),
        ];
        for (seconds, day) in days {
            assert_eq!(date(seconds), day);
        }
    }
}
