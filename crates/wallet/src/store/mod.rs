//! What the wallet remembers (wallet.db): passengers, phones, cards, orders. Money stands in the ledger; here stands
//! what it was for.
//!
//! Invariant: every change is one transaction; a killed process leaves the store before or after it. What one
//! version wrote, later ones read: `user_version` counts the schema's steps.

mod cards;
mod days;
mod hooks;
mod orders;
mod passengers;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, TransactionBehavior};

pub(crate) use cards::CardRow;
pub use cards::CardState;
pub(crate) use days::DayFile;
pub(crate) use hooks::{hook_secret, keep_secret, note_heard, was_heard};
pub(crate) use orders::OrderRow;
pub use orders::{OrderKind, OrderState, Refusal, Session};
pub(crate) use passengers::{PassengerRow, Tries, add_device, devices};

use crate::problem::Problem;

const SCHEMA: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];
/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own reason.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A later release wrote it.
    #[error("it has schema {found}; this release knows up to {known}")]
    Newer {
        /// What it has.
        found: usize,
        /// What we know.
        known: usize,
    },
}

/// The open store.
pub(crate) struct Store {
    connection: Connection,
}

impl Store {
    /// A store that ends with the process.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        Store::ready(Connection::open_in_memory()?)
    }

    /// The store in a file, made if it is not there.
    pub(crate) fn in_file(path: &Path) -> Result<Self, StoreError> {
        Store::ready(Connection::open(path)?)
    }

    fn ready(mut connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(PATIENCE)?;
        // FULL: an order is on the disk before the centre hears of it, even if the power fails.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )?;
        let step = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        let version: usize = step.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > SCHEMA.len() {
            return Err(StoreError::Newer { found: version, known: SCHEMA.len() });
        }
        for statements in SCHEMA.iter().skip(version) {
            step.execute_batch(statements)?;
        }
        step.pragma_update(None, "user_version", SCHEMA.len())?;
        step.commit()?;
        Ok(Store { connection })
    }

    /// For reading.
    pub(crate) fn read(&self) -> &Connection {
        &self.connection
    }

    /// One change, all or nothing.
    pub(crate) fn write<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = change(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

/// A column's text is none of ours.
fn strange(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}

/// A text column as one of our types; a row that this program did not write is an error, never a guess.
fn parsed<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(strange)
}

/// As [`parsed`], where the column may be empty.
fn parsed_if_any<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(strange)).transpose()
}

/// A word in a column, or in the centre's answer, that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not one of our words")]
pub(crate) struct UnknownWord(String);

/// An enum that is kept and shown as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$inner])* $variant),* }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// As it is kept and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }

            /// From its word.
            pub(crate) fn from_word(word: &str) -> Result<Self, $crate::store::UnknownWord> {
                match word {
                    $($word => Ok($name::$variant),)*
                    _ => Err($crate::store::UnknownWord(word.to_owned())),
                }
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_a_later_release_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wallet.db");
        drop(Store::in_file(&path).unwrap());
        drop(Store::in_file(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Store::in_file(&path), Err(StoreError::Newer { found: 99, known: 4 })));
    }
}
