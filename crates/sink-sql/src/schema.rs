//! The tables' versions: `schema/` has a file for each, written once for all databases, and none is ever changed.

use crate::SqlError;
use crate::dialect::{Dialect, Words, number};
use crate::table::{TABLES, WRITER_POSITION};

/// Each version's statements, oldest first.
const VERSIONS: [(i64, &str); 2] =
    [(1, include_str!("schema/0001.sql")), (2, include_str!("schema/0002.sql"))];
/// Which versions were applied.
const MIGRATIONS: &str = "rialto_migrations";

/// The version that this program writes.
pub const WANTED: i64 = VERSIONS[VERSIONS.len() - 1].0;

/// The version that the database has; 0 before the first.
pub fn version(database: &mut dyn Dialect) -> Result<i64, SqlError> {
    if !database.has_table(MIGRATIONS)? {
        return Ok(0);
    }
    number(database, &format!("SELECT COALESCE(MAX(version), 0) FROM {MIGRATIONS}"))
}

/// Refuses a database that has other tables than this program writes.
pub fn check(database: &mut dyn Dialect) -> Result<(), SqlError> {
    match version(database)? {
        WANTED => Ok(()),
        0 => Err(SqlError::NotMigrated),
        found => Err(SqlError::SchemaVersion { found, wanted: WANTED }),
    }
}

/// Brings the tables to the version that this program writes. Returns from which one.
///
/// Each version is one transaction where the database can do that with tables; where it cannot (MySQL), a migration that was
/// broken off is done again from its first statement.
pub fn migrate(database: &mut dyn Dialect) -> Result<i64, SqlError> {
    let found = version(database)?;
    if found > WANTED {
        return Err(SqlError::SchemaVersion { found, wanted: WANTED });
    }
    let words = database.words();
    let options = words.table_options;
    database.execute(&format!(
        "CREATE TABLE IF NOT EXISTS {MIGRATIONS} (version INTEGER NOT NULL PRIMARY KEY){options}"
    ))?;
    for (version, text) in VERSIONS.into_iter().filter(|(version, _)| *version > found) {
        database.execute(words.begin)?;
        for statement in statements(text, words) {
            database.execute_again(&statement)?;
        }
        database.execute(&format!("INSERT INTO {MIGRATIONS} (version) VALUES ({version})"))?;
        database.execute("COMMIT")?;
    }
    Ok(found)
}

/// Forgets everything that was written: the next writer begins at the first event.
pub fn empty(database: &mut dyn Dialect) -> Result<(), SqlError> {
    check(database)?;
    // First, and for itself: whoever writes stops, since its position is gone.
    database.execute(&format!("DELETE FROM {}", WRITER_POSITION.name))?;
    let empty = database.words().empty;
    TABLES.iter().try_for_each(|table| database.execute(&format!("{empty} {}", table.name)))
}

/// The statements of a version, in the words of a database.
fn statements(text: &str, words: &Words) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let code = code
        .replace("TABLE_OPTIONS", words.table_options)
        .replace("OPEN_ORDERS", words.open_orders)
        .replace("AMOUNT", words.amount)
        .replace("MOMENT", words.moment)
        .replace("BYTES", words.bytes);
    code.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}
