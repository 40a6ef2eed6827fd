//! What the centre remembers (centre.db): cards, orders, sessions, record files, verdicts, nonces, closed days.
//! Money stands in the ledger; here stands what it was for.
//!
//! Invariant: every change is one transaction; a killed process leaves the store before or after it. What one
//! version wrote, later ones read: `user_version` counts the schema's steps.

mod cards;
mod files;
mod journal;
mod matching;
mod orders;
mod outbox;
mod steps;
mod webhooks;

use std::path::Path;
use std::str::FromStr;

use rusqlite::types::Type;
use rusqlite::{Connection, Row};

pub(crate) use cards::{CardRow, CardState};
pub(crate) use files::{Claims, FileRow, HistoryTap, NotPaid, deny, deny_list, rulings};
pub(crate) use journal::{Event, close, last_closed, use_nonce};
pub(crate) use matching::{
    CaseRow, WalletDay, add_sights, cards_seen, find_match, keep_match, last_match, log_before, sights_of,
    wallet_page, wallet_says,
};
pub(crate) use orders::{OrderKind, OrderRow, OrderState};
pub(crate) use outbox::{Told, events_after, is_unnumbered, last_event, number_events};
pub(crate) use steps::{StepName, StepRow, StepState};
pub(crate) use webhooks::{AttemptRow, DeliveryRow, DeliveryState, HookRow, HookState};

use crate::problem::Problem;

const SCHEMA: [&str; 5] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

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
        // FULL: a reservation is on the disk before the bytes leave, even if the power fails.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        let step = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
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
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let value = change(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

/// A text column as one of our types; a row that this program did not write is an error, never a guess.
fn parsed<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(e)))
}

/// As [`parsed`], where the column may be empty.
fn parsed_if_any<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.get(column)?;
    let parse = |t: String| {
        t.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(e)))
    };
    text.map(parse).transpose()
}

/// A word in a column that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not one of our words")]
pub(crate) struct UnknownWord(pub(crate) String);

/// An enum that is kept and shown as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$inner])* $variant),* }

        impl $name {
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::store::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok($name::$variant),)*
                    _ => Err($crate::store::UnknownWord(text.to_owned())),
                }
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests {
    use super::*;

    #[test]
    fn a_store_of_a_later_release_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("centre.db");
        drop(Store::in_file(&path).unwrap());
        drop(Store::in_file(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(Store::in_file(&path).is_err());
    }

    #[test]
    fn what_the_first_version_denied_later_ones_deny_and_a_number_is_each_citys_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("centre.db");
        let first = Connection::open(&path).unwrap();
        first.execute_batch(include_str!("schema.sql")).unwrap();
        first.pragma_update(None, "user_version", 1).unwrap();
        let at = "2014-10-20 07:45:00".parse().unwrap();
        let (ours, theirs) = ("2000".parse().unwrap(), "3150".parse().unwrap());
        let number = "2000000000000001".parse().unwrap();
        deny(&first, theirs, number, at).unwrap();
        drop(first);
        let store = Store::in_file(&path).unwrap();
        let before = deny_list(store.read()).unwrap();
        assert_eq!((before.version, before.cards.len()), (1, 1));
        for _ in 0..2 {
            deny(store.read(), ours, number, at).unwrap();
        }
        let list = deny_list(store.read()).unwrap();
        assert_eq!((list.version, list.cards.len()), (2, 2));
        assert!(list.cards.contains_key(&(ours, number)) && list.cards.contains_key(&(theirs, number)));
    }

    #[test]
    fn a_full_disk_leaves_nothing_half_done() {
        let mut store = Store::in_memory().unwrap();
        let pages: u32 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        store.connection.pragma_update(None, "max_page_count", pages + 1).unwrap();
        let count = |store: &Store| -> u32 {
            store.connection.query_row("SELECT count(*) FROM nonces", [], |row| row.get(0)).unwrap()
        };
        let problem = store.write(|db| {
            for nonce in 0..1000 {
                use_nonce(db, "alipay", &nonce.to_string(), 1, 0)?;
            }
            Ok(())
        });
        assert_eq!(problem.unwrap_err().code, crate::problem::Code::StoreFailed);
        assert_eq!(count(&store), 0);
        store.write(|db| Ok(use_nonce(db, "alipay", "1", 1, 0)?)).unwrap();
        assert_eq!(count(&store), 1);
    }
}
