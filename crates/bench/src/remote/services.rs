//! Servers that are not Rialto's and that a yardstick starts for itself: on free ports of this machine, with their files in folders
//! that go away, with passwords that nobody else has. They are ended by their process ids.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{RemoteError, fresh_folder};

/// Longer than a server takes to start anywhere.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long between two looks whether it takes connections.
const LOOK: Duration = Duration::from_millis(10);

/// A server in a process of its own.
pub(crate) struct Service {
    child: Child,
    /// What ends it at once, with all its processes.
    end: Signal,
    /// Goes away behind the process.
    _folder: TempDir,
}

impl Service {
    /// Starts `command`, which prints into `log`, and waits until it `answers`. `input` is what it reads first.
    pub(crate) fn start(
        what: &'static str,
        mut command: Command,
        (folder, end): (TempDir, Signal),
        input: &str,
        mut answers: impl FnMut() -> bool,
    ) -> Result<Self, RemoteError> {
        let problem = |problem: String| RemoteError::Service { what, problem };
        let log = folder.path().join("log");
        let made = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, errors) = made.map_err(|source| RemoteError::Folder { path: log.clone(), source })?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(errors)
            .spawn()
            .map_err(|error| problem(format!("cannot be started: {error}")))?;
        if let Some(mut pipe) = child.stdin.take() {
            // One that reads nothing may have closed it; one that has ended is found below.
            let _ = pipe.write_all(input.as_bytes());
        }
        let mut service = Self { child, end, _folder: folder };
        let began = Instant::now();
        while !answers() {
            let ended = service.child.try_wait().ok().flatten();
            if ended.is_some() || began.elapsed() > PATIENCE {
                let printed = fs::read_to_string(&log).unwrap_or_default();
                return Err(problem(format!("does not start; it printed: {}", printed.trim())));
            }
            park_timeout(LOOK);
        }
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None))
            && let Ok(pid) = i32::try_from(self.child.id())
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process(pid, self.end);
        }
        // Its files are in use until it is gone.
        let _ = self.child.wait();
    }
}

/// A folder for a server's files.
pub(crate) fn folder(parent: &Path) -> Result<TempDir, RemoteError> {
    // Servers that change into their folder would not find a relative one again.
    let path =
        parent.canonicalize().map_err(|source| RemoteError::Folder { path: parent.to_owned(), source })?;
    fresh_folder(&path)
}

/// A port of 127.0.0.1 that nobody has right now.
pub(crate) fn free_port() -> Result<u16, RemoteError> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// 32 hexadecimal digits that nobody can guess.
pub(crate) fn password() -> Result<String, RemoteError> {
    let mut bytes = [0; 16];
    let none = |_| RemoteError::Answer("the system has no random numbers".to_owned());
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Runs a program to its end.
pub(crate) fn done(what: &'static str, command: &mut Command) -> Result<(), RemoteError> {
    let problem = |problem: String| RemoteError::Service { what, problem };
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| problem(format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    Err(problem(format!("{} says: {} {}", command.get_program().display(), said[0], said[1])))
}

/// Where a program is: in one of `folders`, or where programs are looked for, or where Debian keeps those of servers.
pub(crate) fn program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.iter().cloned().chain(usual).map(|folder| folder.join(name)).find(|file| file.is_file())
}
