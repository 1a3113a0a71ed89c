//! Real database servers in folders that go away, on ports of their own: started, killed, started again.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;
use sink_sql::{Password, SqlSettings};
use tempfile::TempDir;

/// What the exchange's user has to know.
pub const PASSWORD: &str = "it's a secret";
/// The variable that tells it.
pub const PASSWORD_ENV: &str = "RIALTO_SQL_TEST_PASSWORD";

/// What a server that is cramped has for tables, about; PostgreSQL for each. Not less than a file of its log.
const CRAMPED_BYTES: u64 = 1 << 20;

/// Longer than a server takes to start anywhere.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Mariadb,
}

pub struct Server {
    engine: Engine,
    folder: TempDir,
    port: u16,
    /// Whether it has a certificate, see [`Self::authority`].
    has_tls: bool,
    /// Whether there is little room for tables.
    is_cramped: bool,
    /// `None` while it is down.
    child: Option<Child>,
}

impl Server {
    /// Makes a database and starts it.
    pub fn new(engine: Engine) -> Self {
        Self::make(engine, false, false)
    }

    /// As [`Self::new`], with room for a few thousand rows, until [`Self::give_room`].
    pub fn cramped(engine: Engine) -> Self {
        let server = Self::make(engine, false, true);
        server.limit_files(CRAMPED_BYTES);
        server
    }

    /// As [`Self::new`], with a certificate for `localhost`.
    pub fn with_tls(engine: Engine) -> Self {
        Self::make(engine, true, false)
    }

    fn make(engine: Engine, has_tls: bool, is_cramped: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [address, _] = acceptance::lasting_addresses();
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
        let mut server = Self { engine, folder, port, has_tls, is_cramped, child: None };
        match engine {
            Engine::Postgres => server.make_postgres(),
            Engine::Mariadb => server.make_mariadb(),
        }
        if has_tls {
            let tls = server.path("tls");
            certify(&tls);
            if engine == Engine::Postgres && is_root() {
                let (user, group) = postgres_user();
                chown(tls.join("server.key"), Some(user), Some(group)).expect("root may");
            }
        }
        server.start();
        server
    }

    /// Whom to trust for its certificate.
    pub fn authority(&self) -> PathBuf {
        self.path("tls/ca.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make_postgres(&self) {
        // It refuses to run as root.
        if is_root() {
            let (user, group) = postgres_user();
            chown(self.folder.path(), Some(user), Some(group)).expect("root may");
        }
        let password = self.path("password");
        fs::write(&password, PASSWORD).expect("a file");
        let mut make = postgres_command("initdb");
        make.args([
            "--username=rialto",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            // Files of the log are made at their full size, which there must be room for.
            "--wal-segsize=1",
        ])
        .arg(format!("--pwfile={}", password.display()))
        .arg(self.path("data"));
        done(&mut make);
    }

    fn make_mariadb(&self) {
        let mut make = Command::new("mariadb-install-db");
        make.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            .arg(format!("--user={}", user_name()))
            .arg(format!("--datadir={}", self.path("data").display()))
            // Two of them in one place take each other's files for their own.
            .arg(format!("--tmpdir={}", self.folder.path().display()));
        done(&mut make);
        let password = PASSWORD.replace('\'', "''");
        fs::write(
            self.path("init.sql"),
            format!(
                "CREATE DATABASE IF NOT EXISTS rialto;\nCREATE USER IF NOT EXISTS rialto@'127.0.0.1' IDENTIFIED BY '{password}';\n\
                 GRANT ALL ON *.* TO rialto@'127.0.0.1';\n"
            ),
        )
        .expect("a file");
    }

    /// Starts it where it was, and waits until it takes connections.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it is down");
        let began = Instant::now();
        loop {
            let mut child = self.command().spawn().expect("it is installed");
            while child.try_wait().expect("it is ours").is_none() {
                assert!(began.elapsed() < PATIENCE, "it does not start: {}", self.log());
                // It listens before it is ready.
                if self.answers() {
                    self.child = Some(child);
                    return;
                }
                park_timeout(Duration::from_millis(10));
            }
            // Processes of the one that was killed still have its memory or its files.
            assert!(began.elapsed() < PATIENCE, "it does not start: {}", self.log());
            park_timeout(Duration::from_millis(50));
        }
    }

    fn command(&self) -> Command {
        let data = self.path("data");
        let mut command = match self.engine {
            Engine::Postgres => {
                let mut command = postgres_command("postgres");
                command.arg("-D").arg(&data).arg("-k").arg(self.folder.path());
                command.arg("-p").arg(self.port.to_string());
                command.args(["-c", "listen_addresses=127.0.0.1"]);
                if self.has_tls {
                    command.args(["-c", "ssl=on"]);
                    for (option, name) in
                        [("ssl_cert_file", "tls/server.pem"), ("ssl_key_file", "tls/server.key")]
                    {
                        command.arg("-c").arg(format!("{option}={}", self.path(name).display()));
                    }
                }
                command
            }
            Engine::Mariadb => {
                let mut command = Command::new("mariadbd");
                command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
                command.arg(format!("--user={}", user_name()));
                command.arg(format!("--datadir={}", data.display())).arg(format!("--port={}", self.port));
                command.arg(format!("--tmpdir={}", self.folder.path().display()));
                if self.is_cramped {
                    let mib = CRAMPED_BYTES >> 20;
                    command.arg("--innodb-file-per-table=0");
                    command
                        .arg(format!("--innodb-data-file-path=ibdata1:12M:autoextend:max:{}M", 12 + 4 * mib));
                }
                if self.has_tls {
                    for (option, name) in [("ssl-cert", "tls/server.pem"), ("ssl-key", "tls/server.key")] {
                        command.arg(format!("--{option}={}", self.path(name).display()));
                    }
                }
                for (option, name) in [("socket", "socket"), ("pid-file", "pid"), ("init-file", "init.sql")] {
                    command.arg(format!("--{option}={}", self.path(name).display()));
                }
                command
            }
        };
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// The files of PostgreSQL's tables may grow up to that from the next connection on; MariaDB's are bounded by an option.
    fn limit_files(&self, bytes: u64) {
        if self.engine == Engine::Postgres {
            let pid = self.child.as_ref().expect("it runs").id();
            let mut limit = Command::new("prlimit");
            if is_root() {
                // Also where root may not do everything, a user may with what is his.
                let (user, group) = postgres_user();
                limit.uid(user).gid(group);
            }
            done(limit.arg(format!("--pid={pid}")).arg(format!("--fsize={bytes}:")));
        }
    }

    /// It has all the room that the disk has.
    pub fn give_room(&mut self) {
        self.is_cramped = false;
        match self.engine {
            Engine::Postgres => self.limit_files(1 << 40),
            Engine::Mariadb => {
                self.kill();
                self.start();
            }
        }
    }

    /// What it has written into its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }

    /// Sends a signal to its process by name; `STOP` lets it stand still without going away.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        done(Command::new("kill").args([&format!("-{name}"), &pid]));
    }

    /// What the settings file says of it.
    pub fn settings(&self) -> String {
        format!("[sql]\nurl = \"{}\"\npassword_env = \"{PASSWORD_ENV}\"\nmax_retry_s = 1\n", self.url())
    }

    /// As a writer in this process takes them.
    pub fn sql_settings(&self) -> SqlSettings {
        let file = self.path("password-of-the-writer");
        fs::write(&file, format!("{PASSWORD}\n")).expect("a file");
        SqlSettings { url: self.url(), password: Password::File(file), ..SqlSettings::default() }
    }

    /// Its address, without a password.
    pub fn url(&self) -> String {
        let (scheme, database) = match self.engine {
            Engine::Postgres => ("postgres", "postgres"),
            Engine::Mariadb => ("mysql", "rialto"),
        };
        format!("{scheme}://rialto@127.0.0.1:{}/{database}", self.port)
    }

    fn postgres(&self) -> Result<postgres::Client, postgres::Error> {
        let mut config: postgres::Config = self.url().parse().expect("an address");
        config.password(PASSWORD).connect(postgres::NoTls)
    }

    fn mariadb(&self) -> Result<mysql::Conn, mysql::Error> {
        let opts = mysql::Opts::from_url(&self.url()).expect("an address");
        mysql::Conn::new(mysql::OptsBuilder::from_opts(opts).pass(Some(PASSWORD)).prefer_socket(false))
    }

    fn answers(&self) -> bool {
        match self.engine {
            Engine::Postgres => self.postgres().is_ok(),
            Engine::Mariadb => self.mariadb().is_ok(),
        }
    }

    /// Asks it, on a connection of its own: the text of each column.
    pub fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        match self.engine {
            Engine::Postgres => {
                let messages = self.postgres().expect("it runs").simple_query(sql);
                let messages = messages.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                let rows = messages.iter().filter_map(|message| match message {
                    postgres::SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let text = |row: &postgres::SimpleQueryRow, at| row.get(at).unwrap_or_default().to_owned();
                rows.map(|row| (0..row.len()).map(|at| text(row, at)).collect()).collect()
            }
            Engine::Mariadb => {
                let rows: Result<Vec<mysql::Row>, _> = self.mariadb().expect("it runs").query(sql);
                let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
                let text = |value| match value {
                    mysql::Value::NULL => String::new(),
                    mysql::Value::Bytes(bytes) => String::from_utf8(bytes).expect("text"),
                    other => other.as_sql(true),
                };
                rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect()
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Makes a certificate for `localhost`, and the authority of it, in a folder.
pub fn certify(folder: &Path) {
    let mut make = Command::new(acceptance::binary());
    done(make.args(["tls", "new", "--host", "localhost", "--out"]).arg(folder));
}

fn is_root() -> bool {
    user_name() == "root"
}

fn user_name() -> String {
    let output = Command::new("id").arg("-un").output().expect("there is an id");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn postgres_user() -> (u32, u32) {
    let number = |flag| {
        let output = Command::new("id").args([flag, "postgres"]).output().expect("there is an id");
        let text = String::from_utf8(output.stdout).expect("text");
        text.trim().parse().expect("Debian's package makes the user postgres")
    };
    (number("-u"), number("-g"))
}

/// A program of the newest PostgreSQL that is installed, as a user that it accepts.
fn postgres_command(program: &str) -> Command {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    versions.sort();
    let newest =
        versions.last().map_or_else(|| PathBuf::from(program), |version| version.join("bin").join(program));
    let mut command = Command::new(newest);
    if is_root() {
        let (user, group) = postgres_user();
        command.uid(user).gid(group);
    }
    command.current_dir(Path::new("/"));
    command
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
