//! The databases of the settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use serde::Deserialize;
use sink_sql::{Password, SqlSettings, Tables};

use super::{Config, within};

/// A database that contracts are written to, instead of the one that everything else is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlFutures {
    /// Empty: there is none.
    pub url: String,
    /// See [`Sql`].
    pub password_env: String,
    /// See [`Sql`].
    pub password_file: PathBuf,
    /// See [`Sql`].
    pub ca_file: PathBuf,
}

/// The database that is written to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sql {
    /// Empty: none.
    pub url: String,
    /// The environment variable that holds the password; empty: none does.
    pub password_env: String,
    /// The file that holds the password; empty: none does. Relative to the data directory.
    pub password_file: PathBuf,
    /// The authorities to trust; empty: no TLS.
    pub ca_file: PathBuf,
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub batch_max_events: usize,
    #[serde(deserialize_with = "within::<1, 1_048_576, _, _>")]
    pub batch_max_kib: usize,
    #[serde(deserialize_with = "within::<1, 60_000, _, _>")]
    pub min_pause_ms: u64,
    #[serde(deserialize_with = "within::<1, 60_000, _, _>")]
    pub max_pause_ms: u64,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub max_retry_s: u64,
    #[serde(deserialize_with = "within::<1, 3_600, _, _>")]
    pub connect_timeout_s: u64,
    #[serde(deserialize_with = "within::<0, 3_600, _, _>")]
    pub stop_timeout_s: u64,
    #[serde(deserialize_with = "within::<0, 100_000_000, _, _>")]
    pub rows_remembered: usize,
    /// Where contracts are written to.
    pub futures: SqlFutures,
}

impl Default for Sql {
    fn default() -> Self {
        let settings = SqlSettings::default();
        let millis = |pause: Duration| u64::try_from(pause.as_millis()).expect("milliseconds");
        Self {
            url: settings.url,
            password_env: String::new(),
            password_file: PathBuf::new(),
            ca_file: PathBuf::new(),
            batch_max_events: settings.batch_max_events,
            batch_max_kib: settings.batch_max_bytes >> 10,
            min_pause_ms: millis(settings.min_pause),
            max_pause_ms: millis(settings.max_pause),
            max_retry_s: settings.max_retry.as_secs(),
            connect_timeout_s: settings.connect_timeout.as_secs(),
            stop_timeout_s: settings.stop_timeout.as_secs(),
            rows_remembered: settings.rows_remembered,
            futures: SqlFutures::default(),
        }
    }
}

impl Config {
    /// The databases that are written to: none, one, or one for spot markets and one for contracts.
    pub fn sql(&self) -> Vec<SqlSettings> {
        let SqlFutures { url, password_env, password_file, ca_file } = &self.sql.futures;
        let (spot, futures) = match (self.sql.url.is_empty(), url.is_empty()) {
            (true, true) => (None, None),
            (false, true) => (Some(Tables::All), None),
            (true, false) => (None, Some(Tables::Futures)),
            (false, false) => (Some(Tables::Spot), Some(Tables::Futures)),
        };
        let sql = &self.sql;
        let spot = spot.map(|tables| {
            self.database(tables, &sql.url, (&sql.password_env, &sql.password_file), &sql.ca_file)
        });
        let futures =
            futures.map(|tables| self.database(tables, url, (password_env, password_file), ca_file));
        spot.into_iter().chain(futures).collect()
    }

    fn database(
        &self,
        tables: Tables,
        url: &str,
        (password_env, password_file): (&str, &Path),
        ca_file: &Path,
    ) -> SqlSettings {
        let sql = &self.sql;
        // A path that begins with no slash is one in the data directory.
        let url = match url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            Some(path) => format!("sqlite:{}", self.beside_data(Path::new(path)).display()),
            None => url.to_owned(),
        };
        let named = |path: &Path| (path != Path::new("")).then(|| path.to_owned());
        let password = match (password_env, named(password_file)) {
            ("", None) => Password::None,
            ("", Some(file)) => Password::File(self.beside_data(&file)),
            (variable, _) => Password::Environment(variable.to_owned()),
        };
        SqlSettings {
            url,
            tables,
            password,
            ca_file: named(ca_file),
            batch_max_events: sql.batch_max_events,
            batch_max_bytes: sql.batch_max_kib << 10,
            min_pause: Duration::from_millis(sql.min_pause_ms),
            max_pause: Duration::from_millis(sql.max_pause_ms),
            max_retry: Duration::from_secs(sql.max_retry_s),
            connect_timeout: Duration::from_secs(sql.connect_timeout_s),
            stop_timeout: Duration::from_secs(sql.stop_timeout_s),
            rows_remembered: sql.rows_remembered,
        }
    }

    /// What one value of them alone does not tell.
    pub(super) fn check_sql(&self) -> anyhow::Result<()> {
        let databases = self.sql();
        for sql in &databases {
            let (table, password_env, password_file) = match sql.tables {
                Tables::Futures => {
                    ("sql.futures", &self.sql.futures.password_env, &self.sql.futures.password_file)
                }
                Tables::All | Tables::Spot => ("sql", &self.sql.password_env, &self.sql.password_file),
            };
            sql.engine().map_err(|error| anyhow!("{table}.url: {error}"))?;
            if !password_env.is_empty() && password_file != Path::new("") {
                return Err(anyhow!("{table}.password_env and {table}.password_file: give one of the two"));
            }
            if sql.min_pause > sql.max_pause {
                return Err(anyhow!("sql.min_pause_ms must be at most sql.max_pause_ms"));
            }
        }
        if let [spot, futures] = databases.as_slice()
            && spot.url == futures.url
        {
            return Err(anyhow!(
                "sql.url and sql.futures.url are both {}: for one database leave sql.futures.url empty",
                spot.url
            ));
        }
        Ok(())
    }
}
