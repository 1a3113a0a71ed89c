//! SQLite: one file, prepared statements, one row each.

use std::time::Duration;

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use crate::SqlError;
use crate::decimal::{self, Decimal};
use crate::dialect::{Dialect, Rows, Words};
use crate::settings::SqlSettings;
use crate::table::{Table, Value};

static WORDS: Words = Words {
    // A number that is not text would become a float when it is large.
    amount: "TEXT",
    moment: "TEXT",
    bytes: "BLOB",
    table_options: " WITHOUT ROWID",
    open_orders: "(account_id, market_id) WHERE ended_at IS NULL",
    begin: "BEGIN IMMEDIATE",
    begin_to_read: &["BEGIN"],
    // Who has begun to write is alone.
    locking: "",
    micros: |column| {
        format!(
            "(CAST(strftime('%s', {column}) AS INTEGER) * 1000000 + CAST(substr({column}, 21) AS INTEGER))"
        )
    },
    sum: |column| format!("exact_sum({column})"),
    empty: "DELETE FROM",
    hex: |column| format!("lower(hex({column}))"),
};

/// How long somebody else may be writing before it counts as an error.
const BUSY: Duration = Duration::from_secs(5);
/// All statements that there are: two a table.
const STATEMENTS: usize = 32;

pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    pub fn open(settings: &SqlSettings) -> Result<Self, SqlError> {
        let path = settings.url.trim_start_matches("sqlite:");
        let path = path.strip_prefix("//").unwrap_or(path);
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            // Readers do not wait for the writer. After a power cut the last transactions may be gone, as a whole: the writer
            // goes on from the position that is there.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
            connection.create_aggregate_function("exact_sum", 1, flags, ExactSum)?;
            Ok(connection)
        };
        let opened =
            open().map_err(|error: rusqlite::Error| SqlError::database("cannot open the database")(&error));
        Ok(Self { connection: opened? })
    }

    fn send(&mut self, table: &Table, values: &[Value<'_>], tail: &str) -> Result<(), SqlError> {
        let marks = vec!["?"; table.columns.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks}){tail}", table.name, table.column_list());
        let send = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            for row in values.chunks_exact(table.columns.len()) {
                statement.execute(params_from_iter(row))?;
            }
            Ok(())
        };
        send().map_err(|error: rusqlite::Error| SqlError::database("cannot write rows")(&error))
    }
}

/// Adds up decimals that are kept as text; the database itself would make floats of them. All have the decimals of one asset.
struct ExactSum;

impl Aggregate<Option<Decimal>, Option<String>> for ExactSum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<Decimal>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<Decimal>) -> rusqlite::Result<()> {
        let text = context.get::<String>(0)?;
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let scale = sum.map_or_else(|| u8::try_from(decimals).unwrap_or(u8::MAX), |sum| sum.scale);
        let so_far = sum.map_or(0, |sum| sum.units);
        let units = decimal::parse(&text, scale).and_then(|units| so_far.checked_add(units));
        let units = units
            .ok_or_else(|| rusqlite::Error::UserFunctionError(format!("{text} cannot be added").into()))?;
        *sum = Some(Decimal { units, scale });
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        sum: Option<Option<Decimal>>,
    ) -> rusqlite::Result<Option<String>> {
        Ok(sum.flatten().map(|sum| sum.to_string()))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Int(number) => ToSqlOutput::from(*number),
            Value::Amount(decimal) => ToSqlOutput::from(decimal.to_string()),
            Value::Text(text) => ToSqlOutput::from(*text),
            Value::Moment(moment) => ToSqlOutput::from(moment.to_string()),
            Value::Bytes(bytes) => ToSqlOutput::from(*bytes),
        })
    }
}

impl Dialect for Sqlite {
    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn execute(&mut self, sql: &str) -> Result<(), SqlError> {
        let done = self.connection.execute_batch(sql);
        done.map_err(|error| SqlError::database("the database refused a statement")(&error))
    }

    fn execute_again(&mut self, sql: &str) -> Result<(), SqlError> {
        // A migration is one transaction here: an earlier try left nothing behind.
        self.execute(sql)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, SqlError> {
        let ask = || {
            let mut statement = self.connection.prepare(sql)?;
            let columns = statement.column_count();
            let mut found = statement.query([])?;
            let mut rows = Rows::new();
            while let Some(row) = found.next()? {
                let text = |column| {
                    Ok(match row.get_ref(column)? {
                        ValueRef::Null => None,
                        ValueRef::Integer(number) => Some(number.to_string()),
                        ValueRef::Real(number) => Some(number.to_string()),
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                            Some(String::from_utf8_lossy(bytes).into_owned())
                        }
                    })
                };
                rows.push((0..columns).map(text).collect::<rusqlite::Result<_>>()?);
            }
            Ok(rows)
        };
        ask().map_err(|error: rusqlite::Error| SqlError::database("the database refused a question")(&error))
    }

    fn insert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError> {
        self.send(table, values, "")
    }

    fn upsert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError> {
        let set = table.assignments(|column| format!("excluded.{column}"));
        let key = table.key_list();
        self.send(table, values, &format!(" ON CONFLICT ({key}) DO UPDATE SET {set}"))
    }

    fn has_table(&mut self, name: &str) -> Result<bool, SqlError> {
        let sql = format!("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{name}'");
        Ok(!self.query(&sql)?.is_empty())
    }
}
