//! How many files and connections the system lets the program have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::terminal::complain;

/// What the program needs beside connections: data files, listeners, pipes.
const RESERVE: u64 = 200;

/// Raises the limit as far as that goes without privileges, and warns when it is too low for all the connections that the
/// settings allow.
pub fn raise(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(RESERVE);
    // Without a number there is no limit.
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        complain!(
            "warning: the system allows {limit} open files, and max_connections = {connections} needs {needed}: raise the limit \
             (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of a container) or lower the setting"
        );
    }
}
