//! The file: opened with full durability, known to be ours and of a schema we know; its failures by name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::error::LedgerError;

/// `YKTL`: whose file it is, in SQLite's header.
const APPLICATION: i64 = 0x594B_544C;
const SCHEMA: i64 = 1;
/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the ledger is, for messages.
#[derive(Clone, Debug)]
pub(super) struct Place(Option<PathBuf>);

impl Place {
    pub(super) fn file(path: &Path) -> Self {
        Place(Some(path.to_owned()))
    }

    pub(super) fn memory() -> Self {
        Place(None)
    }

    fn shown(&self) -> PathBuf {
        self.0.clone().unwrap_or_else(|| PathBuf::from("(in memory)"))
    }

    /// The failure of SQLite by its name.
    pub(super) fn failed(&self, doing: &'static str, error: rusqlite::Error) -> LedgerError {
        let place = self.shown();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Locked { place },
            Some(ErrorCode::DiskFull) => LedgerError::DiskFull { place },
            Some(ErrorCode::NotADatabase) => LedgerError::NotALedger { place },
            _ => LedgerError::Store { place, doing, source: Box::new(error) },
        }
    }
}

pub(super) fn open(place: &Place) -> Result<Connection, LedgerError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match &place.0 {
        Some(path) => Connection::open_with_flags(path, flags),
        None => Connection::open_in_memory(),
    };
    let mut connection = opened.map_err(|e| place.failed("open", e))?;
    connection.busy_timeout(PATIENCE).map_err(|e| place.failed("open", e))?;
    let is_new = check(&connection, place)?;
    prepare(&connection).map_err(|e| place.failed("open", e))?;
    if is_new {
        create(&mut connection, place)?;
    }
    Ok(connection)
}

/// Looks before anything is written to the file: `true` if there is nothing in it yet.
fn check(connection: &Connection, place: &Place) -> Result<bool, LedgerError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let read = || -> rusqlite::Result<(i64, i64, i64)> {
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((number("application_id")?, number("user_version")?, tables))
    };
    match read().map_err(|e| place.failed("read the header", e))? {
        (0, 0, 0) => Ok(true),
        (APPLICATION, found, _) if found > SCHEMA => {
            Err(LedgerError::Newer { place: place.shown(), found, known: SCHEMA })
        }
        (APPLICATION, _, _) => Ok(false),
        _ => Err(LedgerError::NotALedger { place: place.shown() }),
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Begins a new ledger, unless another process was faster.
fn create(connection: &mut Connection, place: &Place) -> Result<(), LedgerError> {
    let mut begin = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", SCHEMA)?;
        }
        transaction.commit()
    };
    begin().map_err(|e| place.failed("begin a new ledger", e))
}
