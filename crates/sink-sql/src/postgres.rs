//! PostgreSQL: rows come by binary `COPY`, new ones straight into their table, others into a temporary one from which a single
//! statement merges them.

use std::io::Write as _;
use std::sync::Arc;

use ::postgres::config::SslMode;
use ::postgres::{Client, NoTls, SimpleQueryMessage};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::SqlError;
use crate::dialect::{Dialect, Rows, Words};
use crate::settings::SqlSettings;
use crate::table::{Kind, Table, Value};

static WORDS: Words = Words {
    // Without bounds: it keeps the decimals that it is given, and rounds nothing.
    amount: "NUMERIC",
    moment: "TIMESTAMPTZ",
    bytes: "BYTEA",
    table_options: "",
    open_orders: "(account_id, market_id) WHERE ended_at IS NULL",
    begin: "BEGIN",
    begin_to_read: &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
    locking: " FOR UPDATE",
    micros: |column| format!("(EXTRACT(EPOCH FROM {column}) * 1000000)::bigint"),
    sum: |column| format!("SUM({column})"),
    empty: "TRUNCATE",
    hex: |column| format!("encode({column}, 'hex')"),
};

/// PostgreSQL counts time from the year 2000: so many microseconds after 1970.
const EPOCH_US: i64 = 946_684_800_000_000;
/// Begins a binary `COPY`.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Handed to the client at once.
const COPY_CHUNK_BYTES: usize = 64 << 10;

pub struct Postgres {
    pub(crate) client: Client,
    /// Tables of which there is a temporary one for rows on their way.
    staged: Vec<&'static str>,
}

impl Postgres {
    pub fn connect(settings: &SqlSettings) -> Result<Self, SqlError> {
        let wrong = |error: ::postgres::Error| SqlError::Settings(format!("sql.url: {error}"));
        let mut config: ::postgres::Config = settings.url.parse().map_err(wrong)?;
        if let Some(password) = settings.password.read()? {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("rialto");
        }
        config.connect_timeout(settings.connect_timeout);
        config.tcp_user_timeout(settings.connect_timeout);
        let connected = match &settings.ca_file {
            None => config.ssl_mode(SslMode::Disable).connect(NoTls),
            Some(file) => config.ssl_mode(SslMode::Require).connect(tls(file)?),
        };
        let client =
            connected.map_err(|error| SqlError::database("cannot connect to the database")(&error))?;
        Ok(Self { client, staged: Vec::new() })
    }

    fn copy(&mut self, target: &str, table: &Table, values: &[Value<'_>]) -> Result<(), SqlError> {
        let failed = |error: &dyn std::error::Error| SqlError::database("cannot write rows")(error);
        let sql = format!("COPY {target} ({}) FROM STDIN BINARY", table.column_list());
        let mut writer = self.client.copy_in(&sql).map_err(|error| failed(&error))?;
        let mut bytes = Vec::with_capacity(2 * COPY_CHUNK_BYTES);
        bytes.extend_from_slice(COPY_HEADER);
        let count = i16::try_from(table.columns.len()).expect("a few columns");
        for row in values.chunks_exact(table.columns.len()) {
            bytes.extend_from_slice(&count.to_be_bytes());
            for (value, (_, kind)) in row.iter().zip(table.columns) {
                push_field(*value, *kind, &mut bytes);
            }
            if bytes.len() >= COPY_CHUNK_BYTES {
                writer.write_all(&bytes).map_err(|error| failed(&error))?;
                bytes.clear();
            }
        }
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        writer.write_all(&bytes).map_err(|error| failed(&error))?;
        writer.finish().map_err(|error| failed(&error))?;
        Ok(())
    }
}

fn tls(ca_file: &std::path::Path) -> Result<MakeRustlsConnect, SqlError> {
    let wrong = |problem: &dyn std::fmt::Display| {
        SqlError::Settings(format!("sql.ca_file: {}: {problem}", ca_file.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"it has no certificates"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the versions that rustls wants")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// A field of a binary `COPY`: the number of its bytes, and they. Source: PostgreSQL's documentation, "COPY", binary format.
fn push_field(value: Value<'_>, kind: Kind, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    match (value, kind) {
        (Value::Null, _) => {
            out[at..].copy_from_slice(&(-1_i32).to_be_bytes());
            return;
        }
        (Value::Int(number), Kind::Int) => {
            let number = i32::try_from(number).expect("what a column of 32 bits is given has 31 at the most");
            out.extend_from_slice(&number.to_be_bytes());
        }
        (Value::Int(number), _) => out.extend_from_slice(&number.to_be_bytes()),
        (Value::Amount(decimal), _) => decimal.push_numeric(out),
        (Value::Text(text), _) => out.extend_from_slice(text.as_bytes()),
        (Value::Moment(moment), _) => out.extend_from_slice(&(moment.0 - EPOCH_US).to_be_bytes()),
        (Value::Bytes(bytes), _) => out.extend_from_slice(bytes),
    }
    let length = i32::try_from(out.len() - at - 4).expect("a field is small");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

impl Dialect for Postgres {
    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn execute(&mut self, sql: &str) -> Result<(), SqlError> {
        let done = self.client.batch_execute(sql);
        done.map_err(|error| SqlError::database("the database refused a statement")(&error))
    }

    fn execute_again(&mut self, sql: &str) -> Result<(), SqlError> {
        // A migration is one transaction here: an earlier try left nothing behind.
        self.execute(sql)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, SqlError> {
        let answered = self.client.simple_query(sql);
        let messages =
            answered.map_err(|error| SqlError::database("the database refused a question")(&error))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    fn insert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError> {
        if values.is_empty() {
            return Ok(());
        }
        self.copy(table.name, table, values)
    }

    fn upsert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError> {
        if values.is_empty() {
            return Ok(());
        }
        let name = table.name;
        if !self.staged.contains(&name) {
            self.execute(&format!(
                "CREATE TEMPORARY TABLE staged_{name} (LIKE {name}) ON COMMIT DELETE ROWS"
            ))?;
            self.staged.push(name);
        }
        self.copy(&format!("staged_{name}"), table, values)?;
        self.execute(&format!(
            "INSERT INTO {name} SELECT * FROM staged_{name} ON CONFLICT ({}) DO UPDATE SET {}",
            table.key_list(),
            table.assignments(|column| format!("excluded.{column}"))
        ))
    }

    fn has_table(&mut self, name: &str) -> Result<bool, SqlError> {
        let rows = self.query(&format!("SELECT to_regclass('{name}')"))?;
        Ok(rows.first().is_some_and(|row| row[0].is_some()))
    }
}
