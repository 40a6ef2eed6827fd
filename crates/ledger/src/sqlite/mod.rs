//! The ledger on SQLite: one file, one writer at a time, every commit on disk before it is answered.
//!
//! Invariant: a fact, its legs, the balances and the list of doubts change in one transaction or not at all.

mod batch;
mod rows;
mod store;

use std::path::Path;

use model::Date;
use rusqlite::{Connection, TransactionBehavior};

use crate::balance::{Balance, Rules};
use crate::books::{InDoubt, Line, Standing};
use crate::entry::Fact;
use crate::error::{LedgerError, Refusal};
use crate::judge::Outcome;
use crate::ledger::{Ledger, Story};
use crate::name::{AccountName, EntryId};
use batch::Batch;
use store::Place;

/// A [`Ledger`] in an SQLite file, or in memory for as long as it lives. Several processes may open the same file.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    place: Place,
    rules: Rules,
}

impl SqliteLedger {
    /// Opens the ledger at `path`, or begins one there, with the rules of [`Rules::centre`].
    ///
    /// # Errors
    /// [`LedgerError::NotALedger`], [`LedgerError::Newer`], [`LedgerError::Locked`], or the store's.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let place = Place::file(path.as_ref());
        let connection = store::open(&place)?;
        Ok(SqliteLedger { connection, place, rules: Rules::centre() })
    }

    /// A ledger in memory, with the rules of [`Rules::centre`].
    ///
    /// # Errors
    /// The store's.
    pub fn in_memory() -> Result<Self, LedgerError> {
        let place = Place::memory();
        let connection = store::open(&place)?;
        Ok(SqliteLedger { connection, place, rules: Rules::centre() })
    }

    /// The same ledger under other balance rules. They hold for the entries to come; what is stored stays.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Several reads of one moment.
    fn snapshot<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let transaction = self.connection.unchecked_transaction().map_err(|e| self.place.failed(doing, e))?;
        read(&transaction)
    }
}

impl Ledger for SqliteLedger {
    fn commit_chains(&mut self, chains: &[&[Fact]]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError> {
        let place = &self.place;
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(|e| place.failed("begin to write", e))?;
        let mut batch = Batch::new(&transaction, place, &self.rules)?;
        let mut outcomes = Vec::with_capacity(chains.len());
        for chain in chains {
            batch.add_chain(chain, &mut outcomes)?;
        }
        batch.keep_balances()?;
        transaction.commit().map_err(|e| place.failed("commit", e))?;
        Ok(outcomes)
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Line>, LedgerError> {
        self.snapshot("read the log", |connection| rows::lines(connection, &self.place, after, limit))
    }

    fn standing(&self) -> Result<Standing, LedgerError> {
        self.snapshot("read the balances", |connection| rows::standing(connection, &self.place))
    }

    fn balance(&self, account: &AccountName) -> Result<Balance, LedgerError> {
        rows::balance(&self.connection, &self.place, account)
    }

    fn find(&self, id: &EntryId) -> Result<Option<Story>, LedgerError> {
        self.snapshot("find an entry", |connection| {
            let (opened, ended) = rows::outcomes(connection, &self.place, id)?;
            let line = |outcome: Outcome| rows::line(connection, &self.place, outcome.position);
            let Some(opened) = opened.map(line).transpose()? else { return Ok(None) };
            Ok(Some(Story { opened, ended: ended.map(line).transpose()? }))
        })
    }

    fn pending(&self) -> Result<Vec<InDoubt>, LedgerError> {
        self.snapshot("read what is in doubt", |connection| rows::in_doubt(connection, &self.place))
    }

    fn closed(&self) -> Result<Option<Date>, LedgerError> {
        rows::closed(&self.connection, &self.place)
    }
}

#[cfg(test)]
mod tests;
