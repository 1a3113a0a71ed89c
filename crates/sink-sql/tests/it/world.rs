//! An exchange on real files, a database beside it, and what stands in its tables.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::{DataDir, Storage};
use model::{Command, EventSeq, PartitionId, TimeNs};
use rusqlite::Connection;
use rusqlite::types::Value;
use sequencer::{Egress, Submission};
use sink_sql::{Checked, SqlSettings, State, Writer};
use tempfile::TempDir;

use crate::traders::record;

/// Who waits so long waits for ever.
const PATIENCE: Duration = Duration::from_mins(1);

fn files() -> journal::Settings {
    journal::Settings {
        journal_segment_bytes: journal::Settings::MIN_SEGMENT_BYTES,
        event_segment_bytes: journal::Settings::MIN_SEGMENT_BYTES,
        ..journal::Settings::default()
    }
}

pub struct World {
    folder: TempDir,
    commands: u64,
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), commands: 0 }
    }

    /// Does these commands and stops. Returns where the event log ends.
    pub fn run(&mut self, commands: Vec<Command>) -> EventSeq {
        let directory = DataDir::open(self.folder.path().join("data")).unwrap();
        let recovered = sequencer::recover(directory.storage(), &files(), &mut ()).unwrap();
        let settings =
            sequencer::Settings { batch_max_commands: 20, tick: Duration::MAX, ..Default::default() };
        let egress = Egress::default();
        let sequencer = recovered.start(settings, egress.clone(), None);
        self.commands += u64::try_from(commands.len()).unwrap();
        for command in commands {
            sequencer.ingress().submit(Submission { command, reply_to: None }).unwrap();
        }
        wait_until("the commands are done", || egress.released_seq().0 == self.commands);
        sequencer.abandon().unwrap();
        egress.released_event_seq()
    }

    /// As if these commands had been sequenced at these times, of a new exchange. Returns where the event log ends.
    pub fn record(&mut self, commands: &[(TimeNs, Command)]) -> EventSeq {
        record(&self.folder.path().join("data"), &files(), commands);
        self.commands = u64::try_from(commands.len()).unwrap();
        self.run(Vec::new())
    }

    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(DataDir::open_read_only(self.folder.path().join("data")).unwrap().storage())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn settings(&self, name: &str) -> SqlSettings {
        SqlSettings {
            url: format!("sqlite:{}", self.file(name).display()),
            max_retry: Duration::from_millis(50),
            ..SqlSettings::default()
        }
    }

    pub fn start(&self, settings: &SqlSettings) -> Writer {
        Writer::start(PartitionId::FIRST, self.storage(), None, settings.clone()).unwrap()
    }

    /// Lets a writer come to the event log's end.
    pub fn write(&self, settings: &SqlSettings, end: EventSeq) {
        let writer = self.start(settings);
        wait_until("all is written", || writer.status().event_seq() == end);
        writer.stop();
    }

    pub fn check(&self, settings: &SqlSettings) -> Checked {
        sink_sql::check(settings, &[self.storage()], &mut |_, _| {}).unwrap()
    }

    /// Every row of every table but which writer it was, in the order of their keys.
    pub fn tables(&self, name: &str) -> String {
        let database = Connection::open(self.file(name)).unwrap();
        let mut text = String::new();
        let tables = [
            ("assets", "asset_id"),
            ("markets", "market_id"),
            ("fee_settings", "market_id"),
            ("accounts", "account_id"),
            ("balances", "account_id, asset_id"),
            ("orders", "order_id"),
            ("trades", "market_id, trade_id"),
            ("ledger_postings", "partition_id, event_seq, leg"),
            ("contracts", "market_id"),
            ("futures_wallets", "account_id, asset_id"),
            ("positions", "account_id, market_id, position_side"),
            ("position_settings", "account_id, market_id"),
            ("income", "partition_id, event_seq, leg"),
            ("funding_rates", "market_id, settled_at"),
            ("writer_position", "partition_id"),
        ];
        for (table, key) in tables {
            let mut statement = database.prepare(&format!("SELECT * FROM {table} ORDER BY {key}")).unwrap();
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                write!(text, "{table}").unwrap();
                for (at, column) in columns.iter().enumerate().filter(|(_, column)| *column != "writer") {
                    write!(text, " {column}={:?}", row.get::<_, Value>(at).unwrap()).unwrap();
                }
                text.push('\n');
            }
        }
        text
    }

    pub fn execute(&self, name: &str, sql: &str) {
        let changed = Connection::open(self.file(name)).unwrap().execute(sql, []).unwrap();
        assert!(changed > 0, "{sql} changes nothing");
    }
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

pub fn wait_for(writer: &Writer, state: State) {
    wait_until(&format!("{state:?}"), || writer.status().state() == state);
}
