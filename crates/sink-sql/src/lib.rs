//! From the event log into a database that others query: PostgreSQL, MySQL, MariaDB or SQLite. The database is a reader of events,
//! never a step in a trade.
//!
//! ```text
//! event log ─▶ tail ─▶ fold ─▶ dialect          two threads a partition, one transaction a batch
//!               │        │        │
//!               hash     rows     postgres, mysql, sqlite
//!               └──── position ───┘             in the same transaction: exactly once
//! ```
//!
//! docs/sql.md says what the tables mean, docs/decisions/0013-sql.md why they are so.

mod ahead;
mod check;
mod decimal;
mod dialect;
mod error;
mod fold;
mod futures;
mod history;
mod listed;
mod mysql;
mod order;
mod position;
mod postgres;
mod rebuild;
mod remembered;
mod schema;
mod settings;
mod source;
mod sqlite;
mod status;
mod table;
mod tail;
mod writer;

pub use check::{Checked, check};
pub use decimal::Decimal;
pub use error::SqlError;
pub use history::{Asked, History};
pub use rebuild::{Rebuilt, rebuild};
pub use settings::{Engine, Password, SqlSettings, Tables};
pub use source::Source;
pub use status::{State, Status};
pub use writer::{Released, Writer};

/// Makes the tables, or brings them to the version that this program writes. Returns from which version to which.
pub fn migrate(settings: &SqlSettings) -> Result<(i64, i64), SqlError> {
    let from = schema::migrate(&mut *dialect::connect(settings)?)?;
    Ok((from, schema::WANTED))
}
