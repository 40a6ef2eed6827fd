//! One connection with its prepared statements; the schema is begun or checked when it is made; failures by name.

use std::path::PathBuf;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, Config, NoTls, Statement};

use super::sql;
use crate::error::LedgerError;

const SCHEMA: i64 = 1;
const CONNECT: Duration = Duration::from_secs(5);
/// What is sent and not taken for so long is a lost connection.
const SILENCE: Duration = Duration::from_secs(10);

/// Where the ledger is: for a connection, and for messages.
#[derive(Clone, Debug)]
pub(super) struct Place {
    config: Config,
    shown: PathBuf,
    /// Commits are flushed by whoever called for them.
    pub(super) unflushed: bool,
}

pub(super) struct Session {
    pub(super) client: Client,
    pub(super) tales: Statement,
    pub(super) days: Statement,
    pub(super) balances: Statement,
    pub(super) write: Statement,
    pub(super) keep: Statement,
}

impl Place {
    pub(super) fn parse(url: &str) -> Result<Self, LedgerError> {
        let mut config: Config = url.parse().map_err(|source| LedgerError::Store {
            place: PathBuf::from("(PostgreSQL)"),
            doing: "read the address of the database",
            source: Box::new(source),
        })?;
        config.connect_timeout(CONNECT).tcp_user_timeout(SILENCE).application_name("yikatong ledger");
        let hosts: Vec<String> = config.get_hosts().iter().map(|host| format!("{host:?}")).collect();
        let shown = format!("{} at {}", config.get_dbname().unwrap_or("(no name)"), hosts.join(", "));
        Ok(Place { config, shown: PathBuf::from(shown), unflushed: false })
    }

    /// The failure of PostgreSQL by its name.
    pub(super) fn failed(&self, doing: &'static str, error: postgres::Error) -> LedgerError {
        let place = self.shown.clone();
        match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => LedgerError::Locked { place },
            Some(&SqlState::DISK_FULL) => LedgerError::DiskFull { place },
            _ => LedgerError::Store { place, doing, source: Box::new(error) },
        }
    }

    /// A failure that is none of PostgreSQL's.
    pub(super) fn stopped(&self, doing: &'static str, error: std::io::Error) -> LedgerError {
        LedgerError::Store { place: self.shown.clone(), doing, source: Box::new(error) }
    }

    pub(super) fn connect(&self) -> Result<Session, LedgerError> {
        let mut client = self.config.connect(NoTls).map_err(|e| self.failed("connect", e))?;
        client.batch_execute(sql::SETTINGS).map_err(|e| self.failed("connect", e))?;
        self.check(&mut client)?;
        if self.unflushed {
            client.batch_execute(sql::UNFLUSHED).map_err(|e| self.failed("connect", e))?;
        }
        let mut prepare = |sql| client.prepare(sql).map_err(|e| self.failed("prepare", e));
        let (tales, days) = (prepare(sql::TALES)?, prepare(sql::DAYS)?);
        let (balances, write, keep) = (prepare(sql::BALANCES)?, prepare(sql::WRITE)?, prepare(sql::KEEP)?);
        Ok(Session { client, tales, days, balances, write, keep })
    }

    /// Begins a new ledger where there is none, unless another process was faster.
    fn check(&self, client: &mut Client) -> Result<(), LedgerError> {
        let mut look = || -> Result<Option<i64>, postgres::Error> {
            let mut transaction = client.transaction()?;
            transaction.batch_execute(sql::LOCK_SCHEMA)?;
            let found = transaction.query_one(sql::FOUND, &[])?;
            let (schema, table): (bool, bool) = (found.get(0), found.get(1));
            if !schema {
                transaction.batch_execute(include_str!("schema.sql"))?;
            } else if !table {
                return Ok(None);
            }
            let version = transaction.query_opt("SELECT version FROM ledger.schema", &[])?;
            transaction.commit()?;
            Ok(version.map(|row| row.get(0)))
        };
        let place = self.shown.clone();
        match look().map_err(|e| self.failed("read or begin its schema", e))? {
            Some(SCHEMA) => Ok(()),
            Some(found) => Err(LedgerError::Newer { place, found, known: SCHEMA }),
            None => Err(LedgerError::NotALedger { place }),
        }
    }
}

/// Whether a failure may be one of the connection alone, so that the same call on another may do better.
pub(super) fn is_lost(error: &LedgerError) -> bool {
    let LedgerError::Store { source, .. } = error else { return false };
    let Some(error) = source.downcast_ref::<postgres::Error>() else { return false };
    match error.code() {
        // Class 57: shut down, crashed, starting up; class 08: the connection.
        Some(state) => state.code().starts_with("57P") || state.code().starts_with("08"),
        None => true,
    }
}
