//! Where the database is and how it is written to; the binary reads all of it from its settings file.

use std::path::PathBuf;
use std::time::Duration;

use crate::SqlError;

/// Which database an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `postgres://`.
    Postgres,
    /// `mysql://`: MariaDB too.
    Mysql,
    /// `sqlite:`.
    Sqlite,
}

/// Where a password is kept. It is read at each connection, so that it may be changed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The server asks for none, or `peer` does.
    None,
    /// In an environment variable.
    Environment(String),
    /// In a file, which ends with it.
    File(PathBuf),
}

impl Password {
    pub(crate) fn read(&self) -> Result<Option<String>, SqlError> {
        match self {
            Self::None => Ok(None),
            Self::Environment(name) => std::env::var(name)
                .map(Some)
                .map_err(|_| SqlError::Settings(format!("password_env: {name} is not set"))),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| Some(text.trim_end_matches(['\r', '\n']).to_owned()))
                .map_err(|error| {
                    SqlError::Settings(format!("password_file: cannot read {}: {error}", path.display()))
                }),
        }
    }
}

/// Which of the tables a database has rows in. Assets and accounts are in every one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tables {
    /// All of them.
    #[default]
    All,
    /// Those of spot markets and balances; those of contracts are in another database.
    Spot,
    /// Those of contracts.
    Futures,
}

impl Tables {
    /// The word for it in the log and the metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Spot => "spot",
            Self::Futures => "futures",
        }
    }

    pub(crate) const fn have_spot(self) -> bool {
        matches!(self, Self::All | Self::Spot)
    }

    pub(crate) const fn have_futures(self) -> bool {
        matches!(self, Self::All | Self::Futures)
    }
}

/// All settings of a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlSettings {
    /// `postgres://user@host:port/database`, `mysql://user@host:port/database` or `sqlite:file`, without a password.
    pub url: String,
    /// What is written into it. Default: everything.
    pub tables: Tables,
    /// Where the password is.
    pub password: Password,
    /// The file of the authorities (PEM) that the server's certificate is checked with; with it nothing goes over the network but
    /// under TLS. Default: none, no TLS.
    pub ca_file: Option<PathBuf>,
    /// Most events in one transaction. Default 50,000.
    pub batch_max_events: usize,
    /// Most bytes of events in one transaction, but for one batch of the journal that is larger. Default 8 MiB.
    pub batch_max_bytes: usize,
    /// Shortest pause between two transactions when there is nothing to catch up with. Default 1 ms.
    pub min_pause: Duration,
    /// Longest pause. Default 50 ms.
    pub max_pause: Duration,
    /// Longest pause before the database is tried again. Default 10 seconds.
    pub max_retry: Duration,
    /// How long a connection may take to come about, and the server to answer a single packet. Default 10 seconds.
    pub connect_timeout: Duration,
    /// How long a stop waits for what is not written yet; the rest is written after the next start. Default 5 seconds.
    pub stop_timeout: Duration,
    /// Open orders, and accounts with what they have, that are remembered rather than asked for again. Default 100,000 each.
    pub rows_remembered: usize,
}

impl Default for SqlSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            tables: Tables::All,
            password: Password::None,
            ca_file: None,
            batch_max_events: 50_000,
            batch_max_bytes: 8 << 20,
            min_pause: Duration::from_millis(1),
            max_pause: Duration::from_millis(50),
            max_retry: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(5),
            rows_remembered: 100_000,
        }
    }
}

impl SqlSettings {
    /// Which database the address means; the error says what an address looks like.
    pub fn engine(&self) -> Result<Engine, SqlError> {
        let engine = match self.url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => Engine::Postgres,
            Some(("mysql" | "mariadb", _)) => Engine::Mysql,
            Some(("sqlite", path)) if !path.is_empty() => return Ok(Engine::Sqlite),
            Some(_) | None => {
                return Err(SqlError::Settings(format!(
                    "'{}' must look like postgres://user@host:5432/database, mysql://user@host:3306/database or sqlite:file",
                    self.url
                )));
            }
        };
        let authority = self.url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
        let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
        if user.is_some_and(|user| user.contains(':')) {
            return Err(SqlError::Settings(
                "the address must not hold the password: name an environment variable (password_env) or a file (password_file)"
                    .to_owned(),
            ));
        }
        Ok(engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(url: &str) -> Result<Engine, String> {
        let settings = SqlSettings { url: url.to_owned(), ..SqlSettings::default() };
        settings.engine().map_err(|error| error.to_string())
    }

    #[test]
    fn the_scheme_says_which_database_it_is() {
        assert_eq!(engine("postgres://rialto@127.0.0.1:5432/rialto"), Ok(Engine::Postgres));
        assert_eq!(engine("mysql://rialto@db.example/rialto"), Ok(Engine::Mysql));
        assert_eq!(engine("mariadb://rialto@db.example/rialto"), Ok(Engine::Mysql));
        assert_eq!(engine("sqlite:rialto.db"), Ok(Engine::Sqlite));
    }

    #[test]
    fn what_is_no_address_and_what_holds_a_password_is_refused() {
        for url in ["", "rialto", "oracle://x", "sqlite:"] {
            assert!(engine(url).unwrap_err().contains("must look like postgres://"), "{url}");
        }
        assert!(engine("postgres://rialto:secret@host/rialto").unwrap_err().contains("password_env"));
        assert!(engine("postgres://rialto@host:5432/rialto").is_ok());
    }
}
