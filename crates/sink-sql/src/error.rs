//! What can go wrong between the event log and a database, and whether trying again can help.

use journal::JournalError;
use sequencer::SequencerError;
use thiserror::Error;

/// Why the writer, or a command about the database, does not get on.
#[derive(Debug, Error)]
pub enum SqlError {
    /// The database is away, slow, full, or refuses something.
    #[error("{action}: {reason}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// What the database or its client said.
        reason: String,
    },
    /// The database has no tables of ours.
    #[error("the database has no tables for an exchange yet: rialto sql migrate makes them")]
    NotMigrated,
    /// The tables are of another version.
    #[error(
        "the tables have version {found}, and this program writes version {wanted}: {}",
        if found < wanted { "rialto sql migrate brings them there" } else { "a newer program made them; use that one" }
    )]
    SchemaVersion {
        /// What the database says.
        found: i64,
        /// What this program knows.
        wanted: i64,
    },
    /// The position is not what this writer wrote last.
    #[error(
        "another writer has taken over partition {partition} of this database; this one stops. Only one program may write it: see \
         which one does, and start this one again if it should"
    )]
    TakenOver {
        /// Whose position.
        partition: u8,
    },
    /// The event log and the database do not tell the same story.
    #[error(
        "the database does not agree with the event log: {0}. Either it belongs to another exchange or one of the two was restored to \
         another moment; when the event log is right, rialto sql rebuild derives the tables again"
    )]
    Disagrees(String),
    /// The database was written with other tables than the settings ask for.
    #[error(
        "the database was written without what the settings want in it now (contracts, or spot markets): rialto sql rebuild derives all \
         of its tables again; sql.url and sql.futures.url say which database has what"
    )]
    OtherTables,
    /// The event log cannot be read.
    #[error(transparent)]
    EventLog(#[from] JournalError),
    /// An event cannot be read.
    #[error(transparent)]
    Event(#[from] SequencerError),
    /// A setting.
    #[error("{0}")]
    Settings(String),
    /// A column of floating point where an exact number is wanted.
    #[error(
        "the column {0} is of floating point, whose numbers are rounded already. CAST({0} AS DECIMAL(36, 18)) AS {0} says that this \
         is meant"
    )]
    Floating(String),
}

impl SqlError {
    pub(crate) fn database(action: &'static str) -> impl FnOnce(&dyn std::error::Error) -> Self {
        move |error| {
            // The clients' own words often are "db error", with the reason behind.
            let mut reason = error.to_string();
            let mut cause = error.source();
            while let Some(next) = cause {
                reason = format!("{reason}: {next}");
                cause = next.source();
            }
            Self::Database { action, reason }
        }
    }

    /// False when the writer stops for good: going on by itself could only do harm.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Database { .. } | Self::NotMigrated | Self::SchemaVersion { .. } | Self::Settings(_) => {
                true
            }
            Self::EventLog(error) => matches!(error, JournalError::Io { .. }),
            Self::TakenOver { .. }
            | Self::OtherTables
            | Self::Disagrees(_)
            | Self::Event(_)
            | Self::Floating(_) => false,
        }
    }
}
