//! A running Rialto for tests: the release binary on free ports, in a folder that goes away, stopped by its process id.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A key that the demo printed.
#[derive(Clone, Debug)]
pub struct DemoKey {
    /// Whose.
    pub name: String,
    /// The public half.
    pub key: String,
    /// What to sign with.
    pub secret: String,
}

/// A demo exchange in its own process.
pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Where traders reach it: `127.0.0.1:PORT`.
    pub address: String,
    /// Where the operator reaches it: `127.0.0.1:PORT`.
    pub admin: String,
    /// The demo's keys.
    pub keys: Vec<DemoKey>,
}

/// The program as its users build it: `cargo build --release -p rialto`. `RIALTO_BIN` names another one.
pub fn binary() -> PathBuf {
    std::env::var_os("RIALTO_BIN").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
            target.join("release/rialto")
        },
        PathBuf::from,
    )
}

impl Server {
    /// Starts the demo on `data`, without simulated traders, on ports that the system chooses, and waits until it listens.
    ///
    /// Panics with what the program printed when it ends before that.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &["--demo", "off"])
    }

    /// As [`Self::start`], with these arguments, and whatever the demo does by itself without them.
    pub fn start_with(data: &Path, arguments: &[&str]) -> Self {
        Self::start_listening(data, ["127.0.0.1:0", "127.0.0.1:0"], arguments)
    }

    /// As [`Self::start_with`], on these addresses for traders and for the operator: where a server before it was.
    pub fn start_at(data: &Path, addresses: [&str; 2], arguments: &[&str]) -> Self {
        Self::start_listening(data, addresses, arguments)
    }

    fn start_listening(data: &Path, [listen, admin_listen]: [&str; 2], arguments: &[&str]) -> Self {
        // Everything is to be the same with any number of partitions.
        let partitions = std::env::var("RIALTO_PARTITIONS").unwrap_or_else(|_| "1".to_owned());
        let mut child = Command::new(binary())
            .args(["demo", "--listen", listen, "--admin-listen", admin_listen, "--data"])
            .arg(data)
            .args(["--partitions", &partitions])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo build --release -p rialto comes first");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (mut keys, mut seen): (Vec<DemoKey>, _) = (Vec::new(), String::new());
        loop {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).expect("what the program prints is text");
            assert!(read > 0, "the program ended before it listened; it printed:\n{seen}");
            seen.push_str(&line);
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [name] if name.starts_with("demo-") => {
                    keys.push(DemoKey {
                        name: (*name).to_owned(),
                        key: String::new(),
                        secret: String::new(),
                    });
                }
                ["key", key] => keys.last_mut().expect("a name comes first").key.push_str(key),
                ["secret", secret] => keys.last_mut().expect("a name comes first").secret.push_str(secret),
                ["Rialto", "listens", "on", public, "(operator:", admin, ..] => {
                    let address =
                        |url: &str| url.trim_matches(['h', 't', 'p', ':', '/', ')', '.']).to_owned();
                    return Self { child, stdout, address: address(public), admin: address(admin), keys };
                }
                _ => {}
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    /// SIGTERM, and waits for the end. What it printed comes with its status.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        let killed = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status();
        assert!(killed.is_ok_and(|status| status.success()), "it runs");
        let mut printed = String::new();
        while self.stdout.read_line(&mut printed).expect("what the program prints is text") > 0 {}
        (self.child.wait().expect("it is ours"), printed)
    }
}

/// A test that fails leaves no server behind.
impl Drop for Server {
    fn drop(&mut self) {
        // Neither has anything to do when it was stopped before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two free addresses on this machine that stay free between a stop and the next start: connections get their ports from
/// 32768 upwards, so none of them takes one of these meanwhile.
pub fn lasting_addresses() -> [String; 2] {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let asked = ASKED.fetch_add(1, Ordering::Relaxed);
    let first = 20_000 + (std::process::id() % 100) * 100 + asked % 10 * 10;
    let mut free = (first..32_768)
        .map(|port| format!("127.0.0.1:{port}"))
        .filter(|address| TcpListener::bind(address).is_ok());
    [(); 2].map(|()| free.next().expect("of thousands of ports two are free"))
}
