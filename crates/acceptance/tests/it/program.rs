//! The built program as a process: started with any arguments, read line by line, killed, waited for.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use crate::http::PATIENCE;

/// A process and what it prints.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    printed: Vec<String>,
    errors: JoinHandle<String>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// Where it listens.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub public: String,
    pub admin: String,
}

/// The program with arguments.
pub fn rialto<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(acceptance::binary());
    command.args(arguments);
    command
}

/// `rialto serve` with a settings file.
pub fn serve(config: &Path) -> Command {
    let mut command = rialto(["serve", "--config"]);
    command.arg(config);
    command
}

/// `rialto verify` of a data directory.
pub fn verify(data: &Path) -> Ended {
    let mut command = rialto(["verify", "--data"]);
    command.arg(data);
    run(command)
}

/// Runs it to its end.
pub fn run(command: Command) -> Ended {
    Program::spawn(command).wait()
}

impl Program {
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?}: {error}; cargo build --release -p rialto comes first")
            });
        let (stdout, mut stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (found, lines) = channel();
        spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { return };
                if found.send(line).is_err() {
                    return;
                }
            }
        });
        let errors = spawn(move || {
            let mut text = String::new();
            // Text, or the rest of it is not worth having.
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self { child, lines, printed: Vec::new(), errors }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints, when there is one in time.
    pub fn line(&mut self, patience: Duration) -> Result<&str, RecvTimeoutError> {
        self.printed.push(self.lines.recv_timeout(patience)?);
        Ok(self.printed.last().expect("just pushed"))
    }

    /// Waits until it listens; what it says instead is the error.
    pub fn listens(mut self) -> Result<(Self, Addresses), Ended> {
        loop {
            match self.line(PATIENCE) {
                Ok(line) => {
                    if let Some(addresses) = addresses(line) {
                        return Ok((self, addresses));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.wait()),
                Err(RecvTimeoutError::Timeout) => panic!("it neither listens nor ends: {:?}", self.kill()),
            }
        }
    }

    /// As [`Self::listens`], when nothing else will do.
    pub fn listening(self) -> (Self, Addresses) {
        self.listens().unwrap_or_else(|ended| panic!("it does not listen: {ended:?}"))
    }

    /// What it has printed so far.
    pub fn printed(&self) -> &[String] {
        &self.printed
    }

    /// How many lines so far begin like this.
    pub fn count_printed(&self, beginning: &str) -> usize {
        self.printed.iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// Sends a signal by its name. The process may have ended meanwhile.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).output();
        sent.expect("there is a kill");
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) -> Ended {
        // It may have ended by itself; its status tells.
        let _ = self.child.kill();
        self.wait()
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ended {
        let began = Instant::now();
        loop {
            match self.line(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it does not end; it printed {:#?}", self.printed);
                }
            }
        }
        let status = self.child.wait().expect("it is ours");
        let stderr = self.errors.join().expect("reading does not panic");
        Ended { status, stdout: self.printed.join("\n"), stderr, took: began.elapsed() }
    }
}

/// The addresses in the line that tells them.
fn addresses(line: &str) -> Option<Addresses> {
    let rest = line.strip_prefix("Rialto listens on ")?;
    let (public, rest) = rest.split_once(" (operator: ")?;
    let (admin, _) = rest.split_once(')')?;
    // With http or https before it.
    let (public, admin) = (public.split_once("://")?.1, admin.split_once("://")?.1);
    Some(Addresses { public: public.to_owned(), admin: admin.to_owned() })
}

impl Ended {
    /// It ended well, and had nothing to complain of.
    #[track_caller]
    pub fn well(self) -> Self {
        assert!(self.status.success() && self.stderr.is_empty(), "{self:?}");
        self
    }

    /// It refused: an exit code that is not 0, and one line that has all of `words`.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        assert!(self.status.code().is_some_and(|code| code != 0), "an exit code other than 0: {self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one clear line: {self:?}");
        for word in words {
            assert!(lines[0].contains(word), "'{word}' is not said: {self:?}");
        }
    }
}
