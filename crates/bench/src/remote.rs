//! What the yardsticks share that measure a Rialto in a process of its own: starting it, its operator, accounts and orders, and
//! connections that are cheap for the load generator.

pub(crate) mod accounts;
pub(crate) mod databases;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod orders;
pub(crate) mod pace;
pub(crate) mod server;
pub(crate) mod services;
pub(crate) mod socket;
pub(crate) mod trader;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Orders at fixed rates, one rate after the other, whatever the answers do.
#[derive(Clone, Debug)]
pub struct OpenLoop {
    /// Connections at once, each with accounts of its own. At least 1.
    pub connections: usize,
    /// Orders a second, over all connections. None is 0.
    pub rates: Vec<u64>,
    /// How long each rate is kept. At least 1.
    pub seconds: u64,
}

/// What a process has open besides its connections, and then some.
const SPARE_FILES: u64 = 600;

/// Why there are no figures.
#[derive(Debug)]
pub enum RemoteError {
    /// A folder or file cannot be made.
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server cannot be started.
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server ended before it listened.
    Ended {
        /// What it printed.
        printed: String,
    },
    /// The operator's API refused the preparation.
    Admin {
        /// What was asked.
        path: String,
        /// Its status and answer.
        answer: String,
    },
    /// A connection broke.
    Connection(io::Error),
    /// An answer is not what the protocol allows, or not what was asked for.
    Answer(String),
    /// A program that is not Rialto's is not installed.
    Missing {
        /// What it is.
        what: &'static str,
        /// The packages of Debian that have it.
        packages: &'static str,
    },
    /// A server that is not Rialto's does not do what it should.
    Service {
        /// Which one.
        what: &'static str,
        /// What it says.
        problem: String,
    },
    /// The system does not let a process have as many files open as the connections need.
    FileLimit {
        /// How many are needed.
        needed: u64,
        /// What the system allows at the most.
        allowed: u64,
    },
}

impl fmt::Display for RemoteError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, source } => write!(out, "{}: {source}", path.display()),
            Self::Start { program, source } => write!(out, "cannot start {}: {source}", program.display()),
            Self::Ended { printed } => {
                write!(out, "the server ended before it listened; it printed: {printed}")
            }
            Self::Admin { path, answer } => write!(out, "the operator's API refused {path}: {answer}"),
            Self::Connection(source) => write!(out, "a connection broke: {source}"),
            Self::Answer(problem) => write!(out, "{problem}"),
            Self::Missing { what, packages } => write!(
                out,
                "{what} is not installed (Debian: apt-get install --no-install-recommends {packages})"
            ),
            Self::Service { what, problem } => write!(out, "{what}: {problem}"),
            Self::FileLimit { needed, allowed } => write!(
                out,
                "{needed} open files are needed and {allowed} are allowed: raise the limit (`ulimit -Hn`, LimitNOFILE of a systemd \
                 unit) or ask for fewer connections"
            ),
        }
    }
}

impl std::error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder { source, .. } | Self::Start { source, .. } | Self::Connection(source) => {
                Some(source)
            }
            Self::Ended { .. }
            | Self::Admin { .. }
            | Self::Answer(_)
            | Self::Missing { .. }
            | Self::Service { .. }
            | Self::FileLimit { .. } => None,
        }
    }
}

impl From<io::Error> for RemoteError {
    fn from(source: io::Error) -> Self {
        Self::Connection(source)
    }
}

/// Where a server keeps its data for as long as it is measured.
pub(crate) fn fresh_folder(parent: &Path) -> Result<TempDir, RemoteError> {
    tempfile::Builder::new()
        .prefix("rialto-bench-")
        .tempdir_in(parent)
        .map_err(|source| RemoteError::Folder { path: parent.to_owned(), source })
}

/// A load generator's runtime: the thread that asks for it, and no other.
pub(crate) fn one_thread() -> Result<Runtime, RemoteError> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Lets this process, and the servers that it starts, have files open for so many connections and some more, as far as the
/// system allows it.
pub(crate) fn allow_files(connections: usize) -> Result<(), RemoteError> {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(SPARE_FILES);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(needed.min(allowed)), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(io::Error::from)?;
    if allowed < needed { Err(RemoteError::FileLimit { needed, allowed }) } else { Ok(()) }
}
