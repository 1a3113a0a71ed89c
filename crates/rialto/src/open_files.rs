//! How many files and connections the system lets the program have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the program needs beside the public connections: data files, the operator's connections, listeners, pipes. A
/// journal that cannot open its next file stops the exchange, so connections must never take these.
const RESERVE: u64 = 500;
/// With fewer connections nothing would work.
const FEWEST: u64 = 16;

/// How many files so many connections need.
pub fn needed(connections: usize) -> u64 {
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(RESERVE)
}

/// How far the limit goes without privileges; none when there is no limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Raises the limit as far as that goes without privileges: how many connections may be open, which are all that the
/// settings allow unless the system allows less.
pub fn raise(connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    let needed = needed(connections);
    // Without a number there is no limit.
    let Some(limit) = limit.filter(|limit| *limit < needed) else { return connections };
    let allowed = limit.saturating_sub(RESERVE).max(FEWEST);
    tracing::warn!(
        "the system allows {limit} open files, so that only {allowed} connections are let in, not max_connections = \
         {connections}: raise the limit to {needed} (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of a container)"
    );
    usize::try_from(allowed).unwrap_or(connections)
}
