//! What the centre remembers (centre.db): cards, orders, sessions, record files, verdicts, nonces, closed days.
//! Money stands in the ledger; here stands what it was for.
//!
//! Invariant: every change is one transaction; a killed process leaves the store before or after it. What one
//! version wrote, later ones read: `user_version` counts the schema's steps.

mod cards;
mod channels;
mod db;
mod denied;
mod disk;
mod files;
mod journal;
mod locks;
mod matching;
mod moves;
mod orders;
mod outbox;
mod postgres;
mod steps;
mod webhooks;

use std::cell::RefCell;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::Connection;

pub(crate) use cards::{CardRow, CardState};
pub(crate) use channels::{ChannelOrder, Seen};
pub use db::DbError;
pub(crate) use db::{Db, DbResult};
pub(crate) use denied::{deny, deny_list, deny_lost, lift_lost};
pub(crate) use disk::{Beside, Disk};
pub(crate) use files::{Claims, FileRow, HistoryTap, NotPaid, rulings};
pub(crate) use journal::{Event, close, last_closed, use_nonce};
pub(crate) use matching::{
    CaseRow, WalletDay, add_sights, cards_seen, find_match, keep_match, last_match, log_before, proven_taps,
    sights_of, wallet_page, wallet_says,
};
pub(crate) use moves::{MovePhase, MoveRow};
pub(crate) use orders::{Counted, OrderKind, OrderRow, OrderState};
pub(crate) use outbox::{Told, events_after, is_unnumbered, last_event, number_events};
pub(crate) use steps::{StepName, StepRow, StepState};
pub(crate) use webhooks::{AttemptRow, DeliveryRow, DeliveryState, HookRow, HookState};

use self::db::{Row, params};
use self::postgres::{Postgres, for_postgres};
use crate::problem::Problem;

/// The tables, step by step; a new step is a new file, and none that was ever released changes.
const SCHEMA: [&str; 10] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
    include_str!("schema_9.sql"),
    include_str!("schema_10.sql"),
];

/// Why the store does not open.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database's own reason.
    #[error(transparent)]
    Db(#[from] DbError),
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
    db: Db,
    disk: Arc<Disk>,
}

/// A transaction that is undone unless it is committed.
struct Change<'a> {
    db: &'a Db,
    committed: bool,
}

impl Store {
    /// A store that ends with the process.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        Store::on_sqlite(Connection::open_in_memory().map_err(DbError::from)?)
    }

    /// The store in a file, made if it is not there.
    pub(crate) fn in_file(path: &Path) -> Result<Self, StoreError> {
        let mut store = Store::on_sqlite(Connection::open(path).map_err(DbError::from)?)?;
        store.disk = Arc::new(Disk::under(path)?);
        // From here on a commit is in the log file, and on the disk when it is flushed.
        store.db.batch("PRAGMA synchronous = NORMAL")?;
        Ok(store)
    }

    /// The store on a PostgreSQL server, which other centres may share.
    pub(crate) fn on_postgres(url: &str) -> Result<Self, StoreError> {
        let store = Store::ready(Db::Postgres(RefCell::new(Postgres::open(url)?)))?;
        store.flush()?;
        store.db.leave();
        Ok(store)
    }

    fn on_sqlite(connection: Connection) -> Result<Self, StoreError> {
        // FULL: a reservation is on the disk before the bytes leave, even if the power fails.
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";
        connection.execute_batch(settings).map_err(DbError::from)?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(DbError::from)?;
        connection.set_prepared_statement_cache_capacity(128);
        Store::ready(Db::Sqlite(connection))
    }

    /// Brings the tables up to this release.
    fn ready(db: Db) -> Result<Self, StoreError> {
        let change = Change::begin(&db)?;
        let found = version(&db)?;
        if found > SCHEMA.len() {
            return Err(StoreError::Newer { found, known: SCHEMA.len() });
        }
        for tables in SCHEMA.iter().skip(found) {
            if db.is_shared() { db.batch(&for_postgres(tables))? } else { db.batch(tables)? }
        }
        set_version(&db, SCHEMA.len())?;
        change.commit()?;
        let disk = Arc::new(Disk::default());
        disk.written();
        Ok(Store { db, disk })
    }

    /// For reading.
    pub(crate) fn read(&self) -> &Db {
        &self.db
    }

    /// One change, all or nothing.
    pub(crate) fn write<T>(&mut self, change: impl FnOnce(&Db) -> Result<T, Problem>) -> Result<T, Problem> {
        let transaction = Change::begin(&self.db)?;
        let value = change(&self.db)?;
        transaction.commit()?;
        self.disk.written();
        Ok(value)
    }

    /// Takes to the disk what was written since the last time, by the ledger too where both are in one database.
    pub(crate) fn flush(&self) -> DbResult<()> {
        match &self.db {
            Db::Sqlite(_) => self.disk.flush(),
            Db::Postgres(db) if self.disk.take() => db.borrow_mut().flush(),
            Db::Postgres(_) => Ok(()),
        }
    }

    /// What the ledger beside it must know.
    pub(crate) fn disk(&self) -> Arc<Disk> {
        Arc::clone(&self.disk)
    }
}

impl<'a> Change<'a> {
    fn begin(db: &'a Db) -> DbResult<Self> {
        db.batch(if db.is_shared() { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
        Ok(Change { db, committed: false })
    }

    fn commit(mut self) -> DbResult<()> {
        self.db.batch("COMMIT")?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        // Where it cannot be undone by us, the connection is gone, and the database undoes it.
        if let (false, Err(error)) = (self.committed, self.undo()) {
            tracing::warn!(%error, "a change was undone by the database itself");
        }
    }
}

impl Change<'_> {
    fn undo(&self) -> DbResult<()> {
        if self.committed { Ok(()) } else { self.db.batch("ROLLBACK") }
    }
}

/// How many steps of [`SCHEMA`] the tables have taken.
fn version(db: &Db) -> DbResult<usize> {
    let version: u32 = if db.is_shared() {
        db.batch("CREATE TABLE IF NOT EXISTS centre_schema (version BIGINT NOT NULL)")?;
        db.figure("SELECT CAST(coalesce(max(version), 0) AS BIGINT) FROM centre_schema", params![])?
    } else {
        db.figure("PRAGMA user_version", params![])?
    };
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn set_version(db: &Db, version: usize) -> DbResult<()> {
    if db.is_shared() {
        db.batch(&format!("DELETE FROM centre_schema; INSERT INTO centre_schema VALUES ({version})"))
    } else {
        db.batch(&format!("PRAGMA user_version = {version}"))
    }
}

/// A text column as one of our types; a row that this program did not write is an error, never a guess.
fn parsed<T: FromStr>(row: &Row<'_>, column: &str) -> DbResult<T>
where
    T::Err: std::fmt::Display,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|e: T::Err| DbError::Column { column: column.into(), what: e.to_string() })
}

/// As [`parsed`], where the column may be empty.
fn parsed_if_any<T: FromStr>(row: &Row<'_>, column: &str) -> DbResult<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let text: Option<String> = row.get(column)?;
    let wrong = |e: T::Err| DbError::Column { column: column.into(), what: e.to_string() };
    text.map(|text| text.parse().map_err(wrong)).transpose()
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

    /// A fresh store in memory, and one on a real server where there is one.
    fn stores() -> Vec<Store> {
        let mut stores = vec![Store::in_memory().unwrap()];
        if let Some(server) = postgres_server::shared() {
            let store = Store::on_postgres(&server.database().unwrap()).unwrap();
            store.db.enter();
            stores.push(store);
        }
        stores
    }

    #[test]
    fn every_kind_of_value_comes_back_as_it_went_in() {
        for mut store in stores() {
            store
                .write(|db| {
                    let tables = "CREATE TABLE t (n INTEGER, t TEXT, b BLOB) STRICT;";
                    let tables = if db.is_shared() { for_postgres(tables) } else { tables.into() };
                    db.batch(&tables)?;
                    for values in [
                        params![i64::MIN, "文", vec![0_u8, 255]].as_slice(),
                        params![None::<u32>, None::<&str>, None::<Vec<u8>>],
                    ] {
                        db.execute("INSERT INTO t (n, t, b) VALUES ($1, $2, $3)", values)?;
                    }
                    let rows = db.all("SELECT * FROM t ORDER BY n IS NULL", params![], |row| {
                        Ok((row.get::<Option<i64>>("n")?, row.get::<Option<String>>("t")?, row.get("b")?))
                    })?;
                    assert_eq!(rows[0], (Some(i64::MIN), Some("文".into()), Some(vec![0_u8, 255])));
                    assert_eq!(rows[1], (None, None, None));
                    let small =
                        db.one("SELECT n FROM t WHERE n IS NOT NULL", params![], |row| row.get::<u8>("n"));
                    assert!(matches!(small, Err(DbError::Column { .. })));
                    assert!(db.execute("INSERT INTO t (n) VALUES ($1)", params![u64::MAX]).is_err());
                    Ok(())
                })
                .unwrap_or_else(|problem| panic!("{problem}"));
        }
    }

    #[test]
    fn many_rows_go_in_together_and_a_refused_change_leaves_none() {
        for mut store in stores() {
            let row = |n: u32| params![n.to_string(), "k", n].to_vec();
            let into = "INSERT INTO nonces (nonce, keyid, created)";
            store.write(|db| Ok(db.insert_all(into, (0..250).map(row))?)).unwrap();
            assert!(store.write(|db| Ok(db.insert_all(into, (249..300).map(row))?)).is_err());
            let count: u32 = store.db.figure("SELECT count(*) FROM nonces", params![]).unwrap();
            assert_eq!(count, 250);
        }
    }

    #[test]
    fn without_its_turn_a_shared_store_answers_nothing() {
        let Some(server) = postgres_server::shared() else { return };
        let store = Store::on_postgres(&server.database().unwrap()).unwrap();
        assert!(matches!(store.db.figure::<u32>("SELECT 1", params![]), Err(DbError::Lost)));
        store.db.enter();
        assert_eq!(store.db.figure::<u32>("SELECT 1", params![]).unwrap(), 1);
        store.db.leave();
    }

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
        let first = Db::Sqlite(Connection::open(&path).unwrap());
        first.batch(include_str!("schema.sql")).unwrap();
        set_version(&first, 1).unwrap();
        let at = "2014-10-20 07:45:00".parse().unwrap();
        let (ours, theirs) = ("2000".parse().unwrap(), "3150".parse().unwrap());
        let number = "2000000000000001".parse().unwrap();
        let written = "INSERT INTO denied (number, city, since)
                       VALUES ('2000000000000001', '3150', '2014-10-20 07:45:00')";
        first.execute(written, params![]).unwrap();
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
        let pages: u32 = store.db.figure("PRAGMA page_count", params![]).unwrap();
        store.db.all(&format!("PRAGMA max_page_count = {}", pages + 1), params![], |_| Ok(())).unwrap();
        let count =
            |store: &Store| -> u32 { store.db.figure("SELECT count(*) FROM nonces", params![]).unwrap() };
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
