//! The program: settings, wiring, commands, shutdown. Logic here would be in the wrong room.

mod backup;
mod certificates;
mod config;
mod demo;
#[cfg(test)]
mod deploy_files;
mod doctor;
mod huge_pages;
mod import;
mod log;
mod measure;
mod open_files;
mod operator;
mod partitions;
mod progress;
mod redis;
mod replay;
mod serve;
mod setup;
mod skip;
mod sql;
mod terminal;
mod tls_new;
mod verify;
mod views_replay;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, WRONG_SETTINGS, WrongSettings};
use crate::terminal::{complain, say};

#[global_allocator]
static ALLOCATOR: huge_pages::HugePages = huge_pages::HugePages;

/// An exchange core: spot matching, one ledger, a durable journal, Binance's API dialect. Without a command it starts a demo.
#[derive(Parser)]
#[command(name = "rialto", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Starts an exchange with three moving markets and two funded accounts, whose keys it prints. This is what happens without
    /// a command, too.
    Demo(Demo),
    /// Starts an exchange with your own settings.
    Serve {
        /// The settings file; `rialto init` writes one.
        #[arg(long, default_value = "rialto.toml")]
        config: PathBuf,
        /// Markets that take orders, by name or pattern, such as BTCUSDT,ETH*; the others keep their state and say that they are
        /// closed. Default: what the settings say, which is all.
        #[arg(long, value_delimiter = ',')]
        markets: Vec<String>,
    },
    /// Writes a commented settings file.
    Init {
        /// Where to.
        #[arg(default_value = "rialto.toml")]
        file: PathBuf,
    },
    /// Sends recorded order flow through partition and journal, and holds what comes of it against the recording.
    Replay(replay::Options),
    /// Applies the journal again and compares states and events. Works beside a running exchange.
    Verify {
        /// The data directory.
        #[arg(long, default_value = "./rialto-data")]
        data: PathBuf,
    },
    /// Copies everything that belongs together to another directory. Works beside a running exchange.
    Backup(backup::BackupOptions),
    /// Makes a data directory of a backup, and checks that it opens.
    Restore(backup::RestoreOptions),
    /// Makes an exchange of what another one has in its database: assets, markets, accounts, keys, balances, open orders.
    Import(import::Options),
    /// Measures partition, journal, REST, WebSocket API, streams and thousands of connections on this machine.
    Bench(measure::Options),
    /// Works on the journal of an exchange that is not running.
    #[command(subcommand)]
    Journal(Journal),
    /// The database that is written to: its tables, and whether they are right.
    #[command(subcommand)]
    Sql(sql::Command),
    /// Certificates for host names of your own.
    #[command(subcommand)]
    Tls(TlsCommand),
    /// Looks at settings, ports, disk, clock, limits and secrets, and says what to do about them. Changes nothing.
    Doctor(doctor::Options),
    #[command(flatten)]
    Operator(operator::Command),
}

#[derive(Subcommand)]
enum TlsCommand {
    /// Makes a certificate and an authority to trust it by.
    New(tls_new::Options),
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
struct Demo {
    #[command(subcommand)]
    action: Option<DemoAction>,
    #[command(flatten)]
    options: demo::Options,
}

#[derive(Subcommand)]
enum DemoAction {
    /// The same as --reset: removes what the demo has in its data directory, then starts it from the same seed.
    Reset(demo::Options),
    /// Takes markets of the running demo to other prices, such as BTCUSDT=65000.
    Price {
        /// Which ones, and where to.
        #[arg(required = true, value_name = "MARKET=PRICE", value_parser = demo::price_of)]
        prices: Vec<(String, String)>,
        /// The demo's data directory.
        #[arg(long, default_value = "./rialto-data")]
        data: PathBuf,
    },
}

#[derive(Subcommand)]
enum Journal {
    /// Marks a command that cannot be applied, so that every start steps over it.
    Skip {
        /// The command's sequence, as the refused start named it.
        seq: u64,
        /// Why: goes into the journal and the event log.
        #[arg(long)]
        reason: String,
        /// Whose journal, where there are several partitions.
        #[arg(long, default_value_t = 0)]
        partition: u8,
        /// The data directory.
        #[arg(long, default_value = "./rialto-data")]
        data: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(error) => {
            complain!("rialto: {}", wrong_argument(&error.to_string()));
            return ExitCode::from(WRONG_SETTINGS);
        }
    };
    let outcome = match cli {
        Cli { command: None, demo } => demo::start(&demo),
        Cli { command: Some(command), .. } => run(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain!("rialto: {}", one_line(&error));
            if error.is::<WrongSettings>() { ExitCode::from(WRONG_SETTINGS) } else { ExitCode::FAILURE }
        }
    }
}

/// The error with its causes, each once: some causes are told by their effect already.
fn one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line.as_str() {
        "" => cause,
        told if told.contains(&cause) => line,
        _ => format!("{line}: {cause}"),
    })
}

/// What is wrong with an argument, and what would be right: one line of the parser's several.
fn wrong_argument(told: &str) -> String {
    let lines = told.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let wanted = |line: &&str| !line.is_empty() && !line.starts_with("For more information");
    let line = lines.filter(wanted).map(|line| line.strip_prefix("error: ").unwrap_or(line));
    let line = line.collect::<Vec<_>>().join(" ").replace(" tip: ", "; ");
    format!("{line}. See rialto --help")
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(Demo { action: None, options }) => demo::start(&options),
        Command::Demo(Demo { action: Some(DemoAction::Reset(options)), .. }) => {
            demo::start(&demo::Options { reset: true, ..options })
        }
        Command::Demo(Demo { action: Some(DemoAction::Price { prices, data }), .. }) => {
            demo::ask(&data, &prices)
        }
        Command::Serve { config, markets } => {
            let mut config = Config::read(&config)?;
            if !markets.is_empty() {
                config.public.open_markets = markets;
            }
            serve::start(&config, None)
        }
        Command::Init { file } => init(&file),
        Command::Replay(options) => replay::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Verify { data } => verify::run(&data),
        Command::Backup(options) => backup::backup(&options),
        Command::Restore(options) => backup::restore(&options),
        Command::Sql(command) => sql::run(&command),
        Command::Tls(TlsCommand::New(options)) => tls_new::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Operator(command) => operator::run(&command),
        Command::Bench(options) => measure::run(&options),
        Command::Journal(Journal::Skip { seq, reason, partition, data }) => {
            skip::run(&data, partition, seq, &reason)
        }
    }
}

fn init(file: &std::path::Path) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut written =
        std::fs::OpenOptions::new().write(true).create_new(true).open(file).with_context(|| {
            format!("cannot write {} (a file that is there is not replaced)", file.display())
        })?;
    written
        .write_all(config::TEMPLATE.as_bytes())
        .with_context(|| format!("cannot write {}", file.display()))?;
    say!("{} is written. Next: rialto serve --config {}", file.display(), file.display());
    Ok(())
}
