//! How often a database writes and syncs, as its own statistics tell.

use std::time::Duration;

use crate::remote::RemoteError;
use crate::remote::databases::{Client, Database, Engine};

/// Counters since the server's start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// Write calls: of the log, and of pages.
    writes: u64,
    /// Syncs of the log; in MariaDB those of other files too.
    syncs: u64,
    /// Bytes of the log.
    log_bytes: u64,
    /// Transactions that were committed.
    commits: u64,
}

/// What happened in a second, on average.
#[derive(Clone, Copy, Debug)]
pub(super) struct EachSecond {
    pub(super) writes: u64,
    pub(super) syncs: u64,
    pub(super) log_kib: u64,
    pub(super) commits: u64,
}

/// The statistics that [`Counters`] are read from, in the order of its fields.
pub(super) const fn source(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "pg_stat_wal (wal_write, wal_sync, wal_bytes) and pg_stat_bgwriter (pages written), which lag by up to a second"
        }
        Engine::Mariadb => {
            "Innodb_data_writes and Innodb_log_writes, Innodb_data_fsyncs, Innodb_os_log_written, Com_commit"
        }
    }
}

impl Counters {
    pub(super) fn read(database: &Database, client: &mut Client) -> Result<Self, RemoteError> {
        let (sql, order): (_, [&str; 4]) = match database.engine {
            // Version 17 has moved the pages that connections write themselves to pg_stat_io.
            Engine::Postgres => (
                "SELECT w.wal_write + (to_jsonb(b)->>'buffers_clean')::bigint + COALESCE((to_jsonb(b)->>'buffers_checkpoint')::bigint, 0) + \
                 COALESCE((to_jsonb(b)->>'buffers_backend')::bigint, 0), w.wal_sync, w.wal_bytes::bigint, \
                 (SELECT SUM(xact_commit)::bigint FROM pg_stat_database) FROM pg_stat_wal w, pg_stat_bgwriter b",
                [""; 4],
            ),
            Engine::Mariadb => (
                "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_data_writes', 'Innodb_log_writes', 'Innodb_data_fsyncs', \
                 'Innodb_os_log_written', 'Com_commit')",
                ["Innodb_data_writes", "Innodb_data_fsyncs", "Innodb_os_log_written", "Com_commit"],
            ),
        };
        let rows = client.ask(sql)?;
        let named = |name: &str| {
            let row = rows.iter().find(|row| row[0].eq_ignore_ascii_case(name));
            row.and_then(|row| row[1].parse::<u64>().ok())
        };
        let number = |at: usize| {
            let found = match database.engine {
                Engine::Postgres => {
                    rows.first().and_then(|row| row.get(at)).and_then(|text| text.parse::<u64>().ok())
                }
                Engine::Mariadb => named(order[at]),
            };
            found.ok_or_else(|| database.strange(sql))
        };
        // Where the log is counted by itself, it is not among the other writes.
        let of_the_log = named("Innodb_log_writes").unwrap_or(0);
        let writes = number(0)? + of_the_log;
        Ok(Self { writes, syncs: number(1)?, log_bytes: number(2)?, commits: number(3)? })
    }

    /// What has happened since then.
    pub(super) fn since(self, before: Self, elapsed: Duration) -> EachSecond {
        let millis = u64::try_from(elapsed.as_millis()).expect("a run does not take centuries").max(1);
        let each = |after: u64, before: u64| after.saturating_sub(before) * 1_000 / millis;
        EachSecond {
            writes: each(self.writes, before.writes),
            syncs: each(self.syncs, before.syncs),
            log_kib: each(self.log_bytes, before.log_bytes) >> 10,
            commits: each(self.commits, before.commits),
        }
    }
}
