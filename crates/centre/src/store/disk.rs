//! What was written and is not on the disk yet (刷盘): the store commits at once and is flushed once for many.
//!
//! SQLite's log file holds the commits in order, each with a check value; PostgreSQL's log holds those of the store and of
//! the ledger. So what is lost, if power fails before a flush, is an end of it and never a part in its midst.
//!
//! Invariant: where the ledger has a file of its own, it is written only when all that the store wrote before is flushed.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::{
    AccountName, Balance, EntryId, Fact, InDoubt, Ledger, LedgerError, Line, Outcome, Refusal, Standing,
    Story,
};
use model::Date;

use super::db::{DbError, DbResult};

/// What is known of the disk, by the store and by the ledger beside it.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// SQLite's log file.
    log: Option<(PathBuf, File)>,
    dirty: AtomicBool,
    /// A disk that failed once cannot be believed again.
    failed: AtomicBool,
}

impl Disk {
    /// The disk under a database file that is open in WAL mode.
    pub(super) fn under(path: &std::path::Path) -> DbResult<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let file = File::options().read(true).write(true).open(&log).map_err(DbError::Disk)?;
        Ok(Disk { log: Some((log, file)), ..Disk::default() })
    }

    /// Something was committed.
    pub(super) fn written(&self) {
        self.dirty.store(true, Ordering::SeqCst);
    }

    /// Whether something is to be flushed; what comes later is asked for again.
    pub(super) fn take(&self) -> bool {
        self.dirty.swap(false, Ordering::SeqCst)
    }

    /// As if it had failed.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    /// Flushes SQLite's log, if anything was written to it.
    pub(super) fn flush(&self) -> DbResult<()> {
        let Some((path, file)) = &self.log else { return Ok(()) };
        if self.failed.load(Ordering::SeqCst) {
            return Err(DbError::Lost);
        }
        if self.take() {
            file.sync_data().map_err(|error| {
                self.failed.store(true, Ordering::SeqCst);
                tracing::error!(%error, file = %path.display(), "the disk failed");
                DbError::Disk(error)
            })?;
        }
        Ok(())
    }
}

/// The ledger beside the store: it writes what may follow from the store only when that is on the disk.
pub(crate) struct Beside<L> {
    pub(crate) ledger: L,
    pub(crate) disk: Arc<Disk>,
}

impl<L: Ledger> Ledger for Beside<L> {
    fn commit_chains(&mut self, chains: &[&[Fact]]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError> {
        self.disk.flush().map_err(|error| LedgerError::Store {
            place: PathBuf::from("centre.db"),
            doing: "flush",
            source: Box::new(error),
        })?;
        let answers = self.ledger.commit_chains(chains);
        // A ledger in a file of its own flushes by itself.
        if self.disk.log.is_none() {
            self.disk.written();
        }
        answers
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Line>, LedgerError> {
        self.ledger.read(after, limit)
    }

    fn standing(&self) -> Result<Standing, LedgerError> {
        self.ledger.standing()
    }

    fn balance(&self, account: &AccountName) -> Result<Balance, LedgerError> {
        self.ledger.balance(account)
    }

    fn find(&self, id: &EntryId) -> Result<Option<Story>, LedgerError> {
        self.ledger.find(id)
    }

    fn pending(&self) -> Result<Vec<InDoubt>, LedgerError> {
        self.ledger.pending()
    }

    fn closed(&self) -> Result<Option<Date>, LedgerError> {
        self.ledger.closed()
    }
}
