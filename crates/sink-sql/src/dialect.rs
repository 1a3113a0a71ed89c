//! What the databases have in common, and what each calls by another name. Three bodies: `postgres.rs`, `mysql.rs`, `sqlite.rs`.

use crate::settings::{Engine, SqlSettings};
use crate::table::{Table, Value};
use crate::{SqlError, mysql, postgres, sqlite};

/// What a query answers: of each row the text of its columns, as the database shows it.
pub type Rows = Vec<Vec<Option<String>>>;

/// What each database calls by another name.
pub struct Words {
    /// An exact decimal.
    pub amount: &'static str,
    /// A time, to the microsecond.
    pub moment: &'static str,
    /// A string of bytes.
    pub bytes: &'static str,
    /// What a table is made with.
    pub table_options: &'static str,
    /// The index of open orders: of those only, where the database can do that.
    pub open_orders: &'static str,
    /// Begins a transaction that will write.
    pub begin: &'static str,
    /// Begins a transaction that sees one moment of the whole database.
    pub begin_to_read: &'static [&'static str],
    /// Behind a query: nobody else may change these rows before the transaction is over.
    pub locking: &'static str,
    /// The microseconds since 1970 of the time in a column.
    pub micros: fn(&str) -> String,
    /// The exact sum of the amounts in a column.
    pub sum: fn(&str) -> String,
    /// Empties a table.
    pub empty: &'static str,
    /// The bytes in a column, two hexadecimal digits each.
    pub hex: fn(&str) -> String,
}

/// A connection to a database. It is used by one thread, and dropped at the first error: whatever was begun is undone then.
pub trait Dialect {
    /// What it calls things.
    fn words(&self) -> &'static Words;

    /// Executes one statement that answers nothing.
    fn execute(&mut self, sql: &str) -> Result<(), SqlError>;

    /// Executes a statement of a migration: again, when an earlier try came no further than behind it.
    fn execute_again(&mut self, sql: &str) -> Result<(), SqlError>;

    /// Asks.
    fn query(&mut self, sql: &str) -> Result<Rows, SqlError>;

    /// Adds rows that are not there yet. `values` has the columns of the first row, then those of the second, and so on.
    fn insert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError>;

    /// Adds rows, or puts them in place of those with the same key.
    fn upsert(&mut self, table: &'static Table, values: &[Value<'_>]) -> Result<(), SqlError>;

    /// True of a table of this name that is there.
    fn has_table(&mut self, name: &str) -> Result<bool, SqlError>;
}

/// Connects.
pub fn connect(settings: &SqlSettings) -> Result<Box<dyn Dialect + Send>, SqlError> {
    Ok(match settings.engine()? {
        Engine::Postgres => Box::new(postgres::Postgres::connect(settings)?),
        Engine::Mysql => Box::new(mysql::Mysql::connect(settings)?),
        Engine::Sqlite => Box::new(sqlite::Sqlite::open(settings)?),
    })
}

/// The one number that a query answers.
pub fn number(database: &mut dyn Dialect, sql: &str) -> Result<i64, SqlError> {
    let rows = database.query(sql)?;
    let text = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| SqlError::Disagrees(format!("{sql} gives no number")))
}

#[cfg(test)]
mod tests {
    use crate::table::Kind;

    fn kind(word: &str) -> Kind {
        match word.trim_end_matches(',') {
            "INTEGER" => Kind::Int,
            "BIGINT" => Kind::Big,
            "AMOUNT" => Kind::Amount,
            "MOMENT" => Kind::Moment,
            "BYTES" => Kind::Bytes,
            text => {
                assert!(text.starts_with("VARCHAR("), "{text}");
                Kind::Text
            }
        }
    }

    /// The name and the kind of a column.
    fn declared(line: &str) -> (&str, Kind) {
        let mut words = line.split_whitespace();
        (words.next().unwrap(), kind(words.next().unwrap()))
    }

    #[test]
    fn columns_are_those_of_the_schema() {
        let schema = concat!(include_str!("schema/0001.sql"), include_str!("schema/0002.sql"));
        for table in crate::table::TABLES {
            let from = schema.find(&format!("EXISTS {} (", table.name)).expect(table.name);
            let body = schema[from..].split_once("\n)TABLE_OPTIONS;").unwrap().0;
            let made = body.lines().skip(1).filter(|line| !line.trim().starts_with("PRIMARY"));
            let adds = format!("ALTER TABLE {} ADD COLUMN ", table.name);
            let added = schema.lines().filter_map(|line| line.strip_prefix(&adds)?.strip_suffix(';'));
            let columns: Vec<(&str, Kind)> = made.chain(added).map(declared).collect();
            assert_eq!(columns, table.columns, "{}", table.name);
            let key = format!("({})", table.key_list());
            let own = format!("{} ", table.columns[0].0);
            assert!(
                body.contains(&format!("PRIMARY KEY {key}"))
                    || table.key == 1
                        && body
                            .lines()
                            .any(|line| line.trim().starts_with(&own) && line.contains("PRIMARY KEY")),
                "{}: {key}",
                table.name
            );
        }
    }
}
