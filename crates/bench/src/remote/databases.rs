//! PostgreSQL and MariaDB beside what is measured: one that the yardstick starts, with the settings that the server has by
//! itself, or one that somebody names. Who asks is the yardstick; what the exchange writes is the matter of `sink-sql`.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use mysql::prelude::Queryable as _;
use rustix::process::{Signal, getuid};
use sink_sql::{Password, SqlSettings};
use tempfile::TempDir;

use super::RemoteError;
use super::services::{Service, done, folder, free_port, password, program};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL 14 or newer, whose statistics tell what is written.
    Postgres,
    /// MariaDB, or MySQL.
    Mariadb,
}

impl Engine {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mariadb => "MariaDB",
        }
    }

    /// Whether a server of it can be started here.
    pub fn is_installed(self) -> bool {
        match self {
            Self::Postgres => postgres_program("initdb").is_ok(),
            Self::Mariadb => {
                mariadb_program("mariadbd").is_ok() && mariadb_program("mariadb-install-db").is_ok()
            }
        }
    }

    const fn missing(self) -> RemoteError {
        match self {
            Self::Postgres => RemoteError::Missing { what: "PostgreSQL", packages: "postgresql" },
            Self::Mariadb => {
                RemoteError::Missing { what: "MariaDB", packages: "mariadb-server-core mariadb-client-core" }
            }
        }
    }
}

/// A database that somebody names. It has to be empty.
#[derive(Clone, Debug)]
pub struct Named {
    /// `postgres://user@host:port/database` or `mysql://user@host:port/database`, without a password.
    pub url: String,
    /// The environment variable that holds the password, where the server wants one.
    pub password_env: Option<String>,
}

/// A database in which nothing is but what the yardstick makes there.
pub(crate) struct Database {
    pub(crate) engine: Engine,
    /// As a writer takes them.
    pub(crate) settings: SqlSettings,
    password: Option<String>,
    /// Whether it is somebody's own, so that the tables have to be taken out again.
    is_lent: bool,
    /// The server, and the file with the password, where the yardstick has started it.
    _server: Option<(Service, TempDir)>,
}

/// The user, and in MariaDB the database, of a server that the yardstick starts.
const RIALTO: &str = "rialto";

impl Database {
    /// Starts a server with its files under `parent`.
    pub(crate) fn start(engine: Engine, parent: &Path) -> Result<Self, RemoteError> {
        let (files, secrets) = (folder(parent)?, folder(parent)?);
        let (password, port) = (password()?, free_port()?);
        let file = secrets.path().join("password");
        write_secret(&file, &password)?;
        let (scheme, database) = match engine {
            Engine::Postgres => ("postgres", "postgres"),
            Engine::Mariadb => ("mysql", RIALTO),
        };
        let url = format!("{scheme}://{RIALTO}@127.0.0.1:{port}/{database}");
        let login = Login { url: &url, password: Some(&password) };
        let service = match engine {
            Engine::Postgres => start_postgres(files, port, &login)?,
            Engine::Mariadb => start_mariadb(files, port, &login)?,
        };
        let settings = SqlSettings { url, password: Password::File(file), ..SqlSettings::default() };
        let password = Some(password);
        Ok(Self { engine, settings, password, is_lent: false, _server: Some((service, secrets)) })
    }

    /// Takes one that somebody names, unless it has tables of Rialto's.
    pub(crate) fn lent(named: &Named) -> Result<Self, RemoteError> {
        let engine = if named.url.starts_with("postgres") { Engine::Postgres } else { Engine::Mariadb };
        let what = engine.name();
        let problem = |problem: String| RemoteError::Service { what, problem };
        let (source, password) = match &named.password_env {
            None => (Password::None, None),
            Some(name) => {
                let value = std::env::var(name).map_err(|_| problem(format!("{name} is not set")))?;
                (Password::Environment(name.clone()), Some(value))
            }
        };
        let settings = SqlSettings { url: named.url.clone(), password: source, ..SqlSettings::default() };
        settings.engine().map_err(|error| problem(error.to_string()))?;
        let database = Self { engine, settings, password, is_lent: true, _server: None };
        let taken = database.client()?.ask(&format!(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_name IN ('rialto_migrations', '{}') AND table_schema = {}",
            TABLES.join("', '"),
            match engine {
                Engine::Postgres => "current_schema()",
                Engine::Mariadb => "DATABASE()",
            }
        ))?;
        if taken != [["0"]] {
            return Err(problem(format!(
                "the database at {} has tables of Rialto's already; name an empty one",
                named.url
            )));
        }
        Ok(database)
    }

    /// What an exchange's settings say of it.
    pub(crate) fn settings(&self) -> String {
        let password = match &self.settings.password {
            Password::None => String::new(),
            Password::Environment(name) => format!("password_env = {name:?}\n"),
            Password::File(file) => format!("password_file = {:?}\n", file.display().to_string()),
        };
        format!("[sql]\nurl = {:?}\n{password}", self.settings.url)
    }

    /// A connection of one's own.
    pub(crate) fn client(&self) -> Result<Client, RemoteError> {
        Login { url: &self.settings.url, password: self.password.as_deref() }.client(self.engine)
    }

    /// As [`Self::client`], in the words of its library.
    pub(crate) fn postgres(&self) -> Result<postgres::Client, RemoteError> {
        match self.client()? {
            Client::Postgres(client) => Ok(*client),
            Client::Mariadb(_) => Err(self.strange("a connection to PostgreSQL")),
        }
    }

    /// Makes the tables where they are not there.
    pub(crate) fn migrate(&self) -> Result<(), RemoteError> {
        let what = self.engine.name();
        let made = sink_sql::migrate(&self.settings);
        made.map(drop).map_err(|error| RemoteError::Service { what, problem: error.to_string() })
    }

    /// Takes all rows out of the tables.
    pub(crate) fn empty(&self) -> Result<(), RemoteError> {
        let mut client = self.client()?;
        for table in TABLES {
            client.run(&format!("TRUNCATE TABLE {table}"))?;
        }
        Ok(())
    }

    /// What the server says of itself, and of what it does for a commit to last.
    pub(crate) fn described(&self) -> Result<String, RemoteError> {
        let (sql, words): (_, &[_]) = match self.engine {
            Engine::Postgres => (
                "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), \
                 current_setting('full_page_writes'), current_setting('shared_buffers'), current_setting('max_wal_size')",
                &["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"],
            ),
            Engine::Mariadb => (
                "SELECT @@version, @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite, @@log_bin, \
                 CONCAT(@@innodb_buffer_pool_size DIV 1048576, ' MiB')",
                &[
                    "innodb_flush_log_at_trx_commit",
                    "innodb_doublewrite",
                    "log_bin",
                    "innodb_buffer_pool_size",
                ],
            ),
        };
        let rows = self.client()?.ask(sql)?;
        let row = rows.first().map_or(&[] as &[_], Vec::as_slice);
        let (version, values) = row.split_first().ok_or_else(|| self.strange(sql))?;
        let settings: Vec<_> =
            words.iter().zip(values).map(|(name, value)| format!("{name} {value}")).collect();
        let version = version.split([' ', '-']).next().unwrap_or_default();
        let whose = if self.is_lent { "of one's own" } else { "with its defaults" };
        Ok(format!("{} {version} {whose} ({})", self.engine.name(), settings.join(", ")))
    }

    /// An answer that makes no sense.
    pub(crate) fn strange(&self, sql: &str) -> RemoteError {
        RemoteError::Service { what: self.engine.name(), problem: format!("strange answer to {sql}") }
    }

    /// Takes the tables out of a database of somebody's.
    pub(crate) fn give_back(&self) -> Result<(), RemoteError> {
        if !self.is_lent {
            return Ok(());
        }
        let mut client = self.client()?;
        for table in TABLES.iter().chain(&["rialto_migrations"]) {
            client.run(&format!("DROP TABLE IF EXISTS {table}"))?;
        }
        Ok(())
    }
}

/// All tables of Rialto's that have rows of an exchange.
pub(crate) const TABLES: [&str; 9] = [
    "assets",
    "markets",
    "fee_settings",
    "accounts",
    "orders",
    "trades",
    "ledger_postings",
    "balances",
    "writer_position",
];

/// Where, and who one is there.
struct Login<'l> {
    url: &'l str,
    password: Option<&'l str>,
}

impl Login<'_> {
    fn client(&self, engine: Engine) -> Result<Client, RemoteError> {
        let problem = |error: &dyn std::error::Error| refused(engine, error);
        Ok(match engine {
            Engine::Postgres => {
                let mut config: postgres::Config =
                    self.url.parse().map_err(|error: postgres::Error| problem(&error))?;
                if let Some(password) = self.password {
                    config.password(password);
                }
                Client::Postgres(Box::new(config.connect(postgres::NoTls).map_err(|error| problem(&error))?))
            }
            Engine::Mariadb => {
                let url = self.url.replacen("mariadb:", "mysql:", 1);
                let opts = mysql::Opts::from_url(&url).map_err(|error| problem(&error))?;
                let opts = mysql::OptsBuilder::from_opts(opts).pass(self.password).prefer_socket(false);
                let mut connection = mysql::Conn::new(opts).map_err(|error| problem(&error))?;
                connection.query_drop("SET SESSION time_zone = '+00:00'").map_err(|error| problem(&error))?;
                Client::Mariadb(Box::new(connection))
            }
        })
    }
}

/// What a database says, with what is behind it.
pub(crate) fn refused(engine: Engine, error: &dyn std::error::Error) -> RemoteError {
    let mut problem = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        problem = format!("{problem}: {cause}");
        source = cause.source();
    }
    RemoteError::Service { what: engine.name(), problem }
}

/// A connection.
pub(crate) enum Client {
    Postgres(Box<postgres::Client>),
    Mariadb(Box<mysql::Conn>),
}

impl Client {
    /// Executes one statement that answers nothing.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), RemoteError> {
        match self {
            Self::Postgres(client) => {
                client.batch_execute(sql).map_err(|error| refused(Engine::Postgres, &error))
            }
            Self::Mariadb(connection) => {
                connection.query_drop(sql).map_err(|error| refused(Engine::Mariadb, &error))
            }
        }
    }

    /// Asks: of each row the text of its columns, nothing where there is none.
    pub(crate) fn ask(&mut self, sql: &str) -> Result<Vec<Vec<String>>, RemoteError> {
        match self {
            Self::Postgres(client) => {
                let messages = client.simple_query(sql).map_err(|error| refused(Engine::Postgres, &error))?;
                let rows = messages.iter().filter_map(|message| match message {
                    postgres::SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let text = |row: &postgres::SimpleQueryRow, at| row.get(at).unwrap_or_default().to_owned();
                Ok(rows.map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect())
            }
            Self::Mariadb(connection) => {
                let rows: Vec<mysql::Row> =
                    connection.query(sql).map_err(|error| refused(Engine::Mariadb, &error))?;
                let text = |value| match value {
                    mysql::Value::NULL => String::new(),
                    mysql::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                    other => other.as_sql(true),
                };
                Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
            }
        }
    }
}

fn write_secret(file: &Path, secret: &str) -> Result<(), RemoteError> {
    let mut options = fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(file);
    made.and_then(|mut made| std::io::Write::write_all(&mut made, secret.as_bytes()))
        .map_err(|source| RemoteError::Folder { path: file.to_owned(), source })
}

/// A program of the newest PostgreSQL that is installed.
fn postgres_program(name: &str) -> Result<PathBuf, RemoteError> {
    let versions =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut versions: Vec<_> = versions.collect();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let folders: Vec<_> = versions.into_iter().map(|version| version.join("bin")).collect();
    program(name, &folders).ok_or_else(|| Engine::Postgres.missing())
}

fn mariadb_program(name: &str) -> Result<PathBuf, RemoteError> {
    program(name, &[]).ok_or_else(|| Engine::Mariadb.missing())
}

fn start_postgres(files: TempDir, port: u16, login: &Login<'_>) -> Result<Service, RemoteError> {
    let what = Engine::Postgres.name();
    let data = files.path().join("data");
    // It refuses to run as root.
    let user = if getuid().is_root() { Some(postgres_user()?) } else { None };
    let own = |path: &Path| match user {
        None => Ok(()),
        Some((user, group)) => chown(path, Some(user), Some(group))
            .map_err(|source| RemoteError::Folder { path: path.to_owned(), source }),
    };
    own(files.path())?;
    let secret = files.path().join("password");
    write_secret(&secret, login.password.unwrap_or_default())?;
    own(&secret)?;
    let command = |name| {
        let mut command = Command::new(postgres_program(name)?);
        if let Some((user, group)) = user {
            command.uid(user).gid(group);
        }
        // Where it may be, whoever it is.
        command.current_dir("/");
        Ok::<_, RemoteError>(command)
    };
    let mut make = command("initdb")?;
    make.args(["--username", RIALTO, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    done(what, make.arg("--pwfile").arg(&secret).arg(&data))?;
    let mut serve = command("postgres")?;
    serve.arg("-D").arg(&data).arg("-p").arg(port.to_string());
    serve.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    // SIGQUIT ends all of its processes; SIGKILL would leave those of connections behind.
    Service::start(what, serve, (files, Signal::QUIT), "", || login.client(Engine::Postgres).is_ok())
}

/// User and group of Debian's package.
fn postgres_user() -> Result<(u32, u32), RemoteError> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    found.ok_or_else(|| RemoteError::Service {
        what: Engine::Postgres.name(),
        problem: "does not run as root, and there is no user postgres".to_owned(),
    })
}

fn start_mariadb(files: TempDir, port: u16, login: &Login<'_>) -> Result<Service, RemoteError> {
    let what = Engine::Mariadb.name();
    let path = |name: &str| files.path().join(name).display().to_string();
    let common = |command: &mut Command| {
        command.arg("--no-defaults");
        if getuid().is_root() {
            command.arg("--user=root");
        }
        // Two servers with one place for what is temporary take each other's files for their own.
        command
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--tmpdir={}", files.path().display()));
    };
    let mut make = Command::new(mariadb_program("mariadb-install-db")?);
    common(&mut make);
    done(what, make.args(["--skip-test-db", "--auth-root-authentication-method=normal"]))?;
    let password = login.password.unwrap_or_default();
    let start = format!(
        "CREATE DATABASE {RIALTO};\nCREATE USER {RIALTO}@'127.0.0.1' IDENTIFIED BY '{password}';\n\
         GRANT ALL ON *.* TO {RIALTO}@'127.0.0.1';\n"
    );
    write_secret(&files.path().join("init.sql"), &start)?;
    let mut serve = Command::new(mariadb_program("mariadbd")?);
    common(&mut serve);
    serve.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--socket=socket", "--pid-file=pid"]);
    serve.arg(format!("--port={port}")).arg(format!("--init-file={}", path("init.sql")));
    Service::start(what, serve, (files, Signal::KILL), "", || login.client(Engine::Mariadb).is_ok())
}
