//! MySQL and MariaDB: statements with many rows each, written out. Names and numbers are visible ASCII, so what has to be
//! escaped in them are quotes and backslashes.

use std::fmt::Write as _;

use ::mysql::prelude::Queryable as _;
use ::mysql::{Conn, Error, Opts, OptsBuilder, Row, SslOpts};

use crate::SqlError;
use crate::dialect::{Dialect, Rows, Words};
use crate::settings::SqlSettings;
use crate::table::{Table, Value};

static WORDS: Words = Words {
    // The largest amount is 10^36 atoms of an asset without decimals, the finest has 18 decimals.
    amount: "DECIMAL(55,18)",
    moment: "DATETIME(6)",
    bytes: "LONGBLOB",
    table_options: " ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin",
    open_orders: "(account_id, ended_at)",
    begin: "START TRANSACTION",
    begin_to_read: &[
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ],
    locking: " FOR UPDATE",
    micros: |column| format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {column})"),
    sum: |column| format!("SUM({column})"),
    empty: "TRUNCATE",
    hex: |column| format!("LOWER(HEX({column}))"),
};

/// What a new connection is told: nothing is cut to fit or taken for something else, a backslash escapes, and times are UTC.
const SESSION: [&str; 3] = [
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION time_zone = '+00:00'",
    // Writers of several partitions lock rows, never the gaps between them.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];
/// A statement is sent when it is so long: servers take 16 MiB by default, and read a statement faster in smaller pieces.
const STATEMENT_BYTES: usize = 512 << 10;
/// `ER_DUP_FIELDNAME` and `ER_DUP_KEYNAME`: a column, an index of this name is there.
const DUPLICATES: [u16; 2] = [1060, 1061];

pub struct Mysql {
    pub(crate) connection: Conn,
    /// Used again for each statement.
    statement: String,
}

impl Mysql {
    pub fn connect(settings: &SqlSettings) -> Result<Self, SqlError> {
        let url = settings.url.replacen("mariadb:", "mysql:", 1);
        let opts = Opts::from_url(&url).map_err(|error| SqlError::Settings(format!("sql.url: {error}")))?;
        let ssl = settings.ca_file.clone().map(|file| SslOpts::default().with_root_cert_path(Some(file)));
        let user_timeout_ms = u32::try_from(settings.connect_timeout.as_millis()).unwrap_or(u32::MAX);
        let opts = OptsBuilder::from_opts(opts)
            .pass(settings.password.read()?)
            .ssl_opts(ssl)
            // A Unix socket, where there is one, is not taken by itself: what the address says is meant.
            .prefer_socket(false)
            .tcp_connect_timeout(Some(settings.connect_timeout))
            .tcp_user_timeout_ms(Some(user_timeout_ms))
            .init(SESSION.map(str::to_owned).to_vec());
        let connection =
            Conn::new(opts).map_err(|error| SqlError::database("cannot connect to the database")(&error))?;
        Ok(Self { connection, statement: String::new() })
    }

    /// Sends the rows in statements of a bounded length, each with `tail` behind its rows.
    fn send(&mut self, table: &Table, values: &[Value<'_>], tail: &str) -> Result<(), SqlError> {
        let Self { connection, statement } = self;
        let head = format!("INSERT INTO {} ({}) VALUES ", table.name, table.column_list());
        let mut send = |statement: &mut String| {
            statement.push_str(tail);
            let done = connection.query_drop(statement.as_str());
            statement.clear();
            done.map_err(|error| SqlError::database("cannot write rows")(&error))
        };
        statement.clear();
        for row in values.chunks_exact(table.columns.len()) {
            statement.push_str(if statement.is_empty() { &head } else { "," });
            statement.push('(');
            for (at, value) in row.iter().enumerate() {
                if at > 0 {
                    statement.push(',');
                }
                push_literal(*value, statement);
            }
            statement.push(')');
            if statement.len() >= STATEMENT_BYTES {
                send(statement)?;
            }
        }
        if statement.is_empty() { Ok(()) } else { send(statement) }
    }
}

fn push_literal(value: Value<'_>, out: &mut String) {
    let written = match value {
        Value::Null => out.write_str("NULL"),
        Value::Int(number) => write!(out, "{number}"),
        Value::Amount(decimal) => write!(out, "{decimal}"),
        Value::Moment(moment) => write!(out, "'{moment}'"),
        Value::Text(text) => {
            out.push('\'');
            for letter in text.chars() {
                if matches!(letter, '\'' | '\\') {
                    out.push('\\');
                }
                out.push(letter);
            }
            out.write_str("'")
        }
        Value::Bytes(bytes) => {
            out.push_str("x'");
            for byte in bytes {
                let _ = write!(out, "{byte:02x}");
            }
            out.write_str("'")
        }
    };
    written.expect("a String takes whatever is written to it");
}

impl Dialect for Mysql {
    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn execute(&mut self, sql: &str) -> Result<(), SqlError> {
        let done = self.connection.query_drop(sql);
        done.map_err(|error| SqlError::database("the database refused a statement")(&error))
    }

    fn execute_again(&mut self, sql: &str) -> Result<(), SqlError> {
        match self.connection.query_drop(sql) {
            Err(Error::MySqlError(error)) if DUPLICATES.contains(&error.code) => Ok(()),
            done => done.map_err(|error| SqlError::database("the database refused a statement")(&error)),
        }
    }

    fn query(&mut self, sql: &str) -> Result<Rows, SqlError> {
        let answered = self.connection.query::<Row, _>(sql);
        let rows = answered.map_err(|error| SqlError::database("the database refused a question")(&error))?;
        let text = |value: ::mysql::Value| match value {
            ::mysql::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            ::mysql::Value::NULL => None,
            other => Some(other.as_sql(true)),
        };
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }

    fn insert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError> {
        self.send(table, values, "")
    }

    fn upsert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError> {
        let set = table.assignments(|column| format!("VALUES({column})"));
        self.send(table, values, &format!(" ON DUPLICATE KEY UPDATE {set}"))
    }

    fn has_table(&mut self, name: &str) -> Result<bool, SqlError> {
        let sql = format!(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{name}'"
        );
        Ok(!self.query(&sql)?.is_empty())
    }
}
