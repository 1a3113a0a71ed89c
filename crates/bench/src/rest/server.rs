//! A Rialto in a process of its own, with settings of its own, for as long as it is measured.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::RestError;

/// The market that is traded on.
pub const SYMBOL: &str = "BTCUSDT";
/// Where its price is, in ticks of 0.01.
pub const PRICE_TICKS: u64 = 6_000_000;

/// What the running program is started with: the defaults, and a market that lets an account have as many open orders as the
/// yardstick places.
const SETTINGS: &str = r#"
[public]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[[asset]]
name = "BTC"
scale = 8
[[asset]]
name = "USDT"
scale = 8
[[market]]
name = "BTCUSDT"
base = "BTC"
quote = "USDT"
tick_size = "0.01"
lot_size = "0.00001"
initial_price = "60000"
max_open_orders_per_account = 1000000
"#;

/// The process; it is killed when this is dropped, and nobody wants its data back.
pub struct Server {
    child: Child,
    /// Kept open, so that the program can go on printing.
    _printed: BufReader<ChildStdout>,
    /// Where traders reach it: `127.0.0.1:PORT`.
    pub public: String,
    /// Where the operator reaches it.
    pub admin: String,
    /// The operator's.
    pub token: String,
}

impl Server {
    /// Starts `program` with its settings and data in `folder`, and waits until it listens.
    pub fn start(program: &Path, folder: &Path) -> Result<Self, RestError> {
        let settings = folder.join("rialto.toml");
        let data = folder.join("data");
        let text = format!("data_dir = {:?}\n{SETTINGS}", data.display().to_string());
        fs::write(&settings, text).map_err(|source| RestError::Folder { path: settings.clone(), source })?;
        let failed = |source| RestError::Start { program: program.to_owned(), source };
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
                return Err(RestError::Ended { printed: seen });
            }
            if let Some(addresses) = addresses(&seen[before..]) {
                break addresses;
            }
        };
        let mut server =
            Self { child, _printed: printed, public: addresses.0, admin: addresses.1, token: String::new() };
        let token = data.join("admin.token");
        let text = fs::read_to_string(&token).map_err(|source| RestError::Folder { path: token, source })?;
        server.token.push_str(text.trim());
        Ok(server)
    }
}

impl Server {
    /// What its threads have used so far.
    pub fn processor_time(&self) -> Option<Duration> {
        processor_time(&self.child.id().to_string())
    }
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
