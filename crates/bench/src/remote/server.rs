//! A Rialto in a process of its own, with settings of its own, for as long as it is measured.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::RemoteError;

/// The market that is traded on.
pub const SYMBOL: &str = "BTCUSDT";
/// Where its price is, in ticks of 0.01.
pub const PRICE_TICKS: u64 = 6_000_000;

/// What the running program is started with, besides the defaults. Limits of what a client may ask need no setting: this machine
/// is counted but never refused.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Connections that the public listener takes at once.
    pub(crate) max_connections: usize,
    /// Markets besides the one that is traded on.
    pub(crate) other_markets: usize,
    /// Tables of settings besides, such as those of a database.
    pub(crate) more: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self { max_connections: 4_096, other_markets: 0, more: String::new() }
    }
}

impl Setup {
    /// With room for so many connections that are measured, where that is more than is usual.
    pub(crate) fn for_connections(connections: usize) -> Self {
        let usual = Self::default();
        Self { max_connections: usual.max_connections.max(connections + 64), ..usual }
    }
}

impl Setup {
    /// The settings file. The market lets an account have as many open orders as the yardsticks place.
    fn settings(&self, data: &Path) -> String {
        let mut text = format!(
            r#"
data_dir = {:?}
[public]
listen = "127.0.0.1:0"
max_connections = {}
[admin]
listen = "127.0.0.1:0"
[[asset]]
name = "USDT"
scale = 8
"#,
            data.display().to_string(),
            self.max_connections
        );
        let others = (1..=self.other_markets).map(|number| format!("C{number}"));
        for base in std::iter::once("BTC".to_owned()).chain(others) {
            put(&mut text, format_args!("[[asset]]\nname = \"{base}\"\nscale = 8\n"));
            put(
                &mut text,
                format_args!(
                    r#"
[[market]]
name = "{base}USDT"
base = "{base}"
quote = "USDT"
tick_size = "0.01"
lot_size = "0.00001"
initial_price = "60000"
max_open_orders_per_account = 1000000
"#
                ),
            );
        }
        text.push_str(&self.more);
        text
    }
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("memory takes it");
}

/// The process; it is killed when this is dropped, and nobody wants its data back.
pub struct Server {
    child: Child,
    /// Kept open, so that the program can go on printing.
    _printed: BufReader<ChildStdout>,
    /// Where traders reach it: `127.0.0.1:PORT`.
    pub public: String,
    /// Where the operator reaches it, and how.
    pub admin: AdminAccess,
}

/// What an operator has.
#[derive(Clone)]
pub(crate) struct AdminAccess {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Server {
    /// Starts `program` with its settings and data in `folder`, and waits until it listens.
    pub fn start(program: &Path, folder: &Path, setup: &Setup) -> Result<Self, RemoteError> {
        let settings = folder.join("rialto.toml");
        let data = folder.join("data");
        fs::write(&settings, setup.settings(&data))
            .map_err(|source| RemoteError::Folder { path: settings.clone(), source })?;
        let failed = |source| RemoteError::Start { program: program.to_owned(), source };
        let mut child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut printed = BufReader::new(child.stdout.take().expect("piped"));
        let mut seen = String::new();
        let addresses = loop {
            let before = seen.len();
            if printed.read_line(&mut seen).map_err(failed)? == 0 {
                // It has said why on the terminal, too.
                let _ = child.wait();
                return Err(RemoteError::Ended { printed: seen });
            }
            if let Some(addresses) = addresses(&seen[before..]) {
                break addresses;
            }
        };
        let admin = AdminAccess { address: addresses.1, token: String::new() };
        let mut server = Self { child, _printed: printed, public: addresses.0, admin };
        let token = data.join("admin.token");
        let text =
            fs::read_to_string(&token).map_err(|source| RemoteError::Folder { path: token, source })?;
        server.admin.token.push_str(text.trim());
        Ok(server)
    }
}

impl Server {
    /// What its threads have used so far.
    pub fn processor_time(&self) -> Option<Duration> {
        processor_time(&self.child.id().to_string())
    }

    /// The memory that it holds now, in KiB: `VmRSS` of `proc_pid_status(5)`. `None` where the system does not tell it as Linux does.
    pub fn memory_kib(&self) -> Option<u64> {
        memory_kib(self.child.id(), "VmRSS:")
    }

    /// What ended it, if it has ended.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

/// The most memory that a process has held since it was started, in KiB: `VmHWM`. `None` where the system does not tell it as Linux does,
/// and behind its end.
pub fn most_memory_kib(process: u32) -> Option<u64> {
    memory_kib(process, "VmHWM:")
}

fn memory_kib(process: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What a process has used of the processors since it began, in steps of 10 ms; `self` is this process. `None` where the
/// system does not tell it as Linux does.
pub fn processor_time(process: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may have spaces: see proc_pid_stat(5), fields 14 and 15, in ticks of 1/100 s.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the program says that it listens: for traders, and for the operator.
fn addresses(line: &str) -> Option<(String, String)> {
    let mut urls = line.split("http://").skip(1).map(|rest| {
        rest.chars().take_while(|letter| letter.is_ascii_digit() || ".:".contains(*letter)).collect()
    });
    Some((urls.next()?, urls.next()?))
}
