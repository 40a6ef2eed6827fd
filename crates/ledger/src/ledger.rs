//! The ledger (总账) as callers see it, whatever keeps it.

use std::collections::BTreeMap;

use model::{CardTime, Date};

use crate::balance::Balance;
use crate::books::{Books, Head, InDoubt, Line, Standing};
use crate::entry::{Entry, Fact};
use crate::error::{LedgerError, Refusal};
use crate::judge::Outcome;
use crate::name::{AccountName, EntryId};

/// Lines read at once when the log is added up.
const PAGE: usize = 1000;

/// All that the log says about one id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Recorded or pended.
    pub opened: Line,
    /// Posted or voided; `None` for what was recorded, and for what is in doubt.
    pub ended: Option<Line>,
}

/// Double entry over an append-only log. A store writes the first group of methods; the rest follows from them.
///
/// Once a call has returned an outcome, it is on disk. A call that fails otherwise than by [`Refusal`] has done
/// nothing, or its answer was lost: repeating it is always right.
pub trait Ledger: Send {
    /// Commits chains of facts together, each fact judged in turn with those before it counted. The facts of one chain
    /// stand or fall together; a chain that falls leaves no trace and does not stop the others. One answer a fact, in
    /// the order given: of a fallen chain, the refused fact says why, what was in the log before has its stored
    /// outcome, and the rest are [`Refusal::Linked`].
    ///
    /// # Errors
    /// The store's; then none of the facts is committed.
    fn commit_chains(&mut self, chains: &[&[Fact]]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError>;

    /// At most `limit` lines of the log after position `after`.
    ///
    /// # Errors
    /// The store's.
    fn read(&self, after: u64, limit: usize) -> Result<Vec<Line>, LedgerError>;

    /// What is kept beside the log, all of one moment.
    ///
    /// # Errors
    /// The store's.
    fn standing(&self) -> Result<Standing, LedgerError>;

    /// An account's balance; zeros if it was never touched.
    ///
    /// # Errors
    /// The store's.
    fn balance(&self, account: &AccountName) -> Result<Balance, LedgerError>;

    /// What happened under an id.
    ///
    /// # Errors
    /// The store's.
    fn find(&self, id: &EntryId) -> Result<Option<Story>, LedgerError>;

    /// What is in doubt, oldest first.
    ///
    /// # Errors
    /// The store's.
    fn pending(&self) -> Result<Vec<InDoubt>, LedgerError>;

    /// The last closed day; an entry must count for a later one.
    ///
    /// # Errors
    /// The store's.
    fn closed(&self) -> Result<Option<Date>, LedgerError>;

    /// Commits facts together, each standing or falling alone.
    ///
    /// # Errors
    /// The store's; then none of the facts is committed.
    fn commit(&mut self, facts: &[Fact]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError> {
        self.commit_chains(&facts.chunks(1).collect::<Vec<_>>())
    }

    /// Commits facts that stand or fall together.
    ///
    /// # Errors
    /// The store's; then none of the facts is committed.
    fn commit_linked(&mut self, facts: &[Fact]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError> {
        self.commit_chains(&[facts])
    }

    /// Moves the legs.
    ///
    /// # Errors
    /// A refusal, or the store's.
    fn record(&mut self, entry: Entry) -> Result<Outcome, LedgerError> {
        self.commit_one(Fact::Recorded(entry))
    }

    /// Holds the legs until [`Ledger::post`] or [`Ledger::void`].
    ///
    /// # Errors
    /// A refusal, or the store's.
    fn pend(&mut self, entry: Entry) -> Result<Outcome, LedgerError> {
        self.commit_one(Fact::Pended(entry))
    }

    /// Moves the legs held under the entry's id, and the entry's own legs with them.
    ///
    /// # Errors
    /// A refusal, or the store's.
    fn post(&mut self, entry: Entry) -> Result<Outcome, LedgerError> {
        self.commit_one(Fact::Posted(entry))
    }

    /// Lets go of the legs held under the entry's id, and moves the entry's own legs.
    ///
    /// # Errors
    /// A refusal, or the store's.
    fn void(&mut self, entry: Entry) -> Result<Outcome, LedgerError> {
        self.commit_one(Fact::Voided(entry))
    }

    /// Closes `day` and, if they were left open, the days before it. The day must have begun.
    ///
    /// # Errors
    /// A refusal, or the store's.
    fn close_day(&mut self, day: Date, at: CardTime) -> Result<Outcome, LedgerError> {
        self.commit_one(Fact::DayClosed { day, at })
    }

    /// [`Ledger::record`] for many, in one transaction.
    ///
    /// # Errors
    /// The store's; then none of the entries is recorded.
    fn record_all(&mut self, entries: &[Entry]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError> {
        let facts: Vec<Fact> = entries.iter().cloned().map(Fact::Recorded).collect();
        self.commit(&facts)
    }

    /// Commits one fact.
    ///
    /// # Errors
    /// A refusal, or the store's.
    fn commit_one(&mut self, fact: Fact) -> Result<Outcome, LedgerError> {
        let outcomes = self.commit(std::slice::from_ref(&fact))?;
        Ok(outcomes.into_iter().next().ok_or(LedgerError::NoAnswer)??)
    }

    /// The books after the line at `position`, added up from the log alone; 0 gives empty ones.
    ///
    /// # Errors
    /// [`LedgerError::Beyond`] the end of the log, [`LedgerError::Damaged`], or the store's.
    fn books_at(&self, position: u64) -> Result<Books, LedgerError> {
        replay(self, position, |_, _| Ok(()))
    }

    /// Every account's balance after the line at `position`, added up from the log alone.
    ///
    /// # Errors
    /// As [`Ledger::books_at`].
    fn balances_at(&self, position: u64) -> Result<BTreeMap<AccountName, Balance>, LedgerError> {
        self.books_at(position).map(|books| books.balances().clone())
    }

    /// What was posted to each account on `day`, by the lines up to and with the one at `prefix`. The nets sum to
    /// zero, and once the day is closed no later prefix gives another answer.
    ///
    /// # Errors
    /// As [`Ledger::books_at`].
    fn positions(&self, prefix: u64, day: Date) -> Result<BTreeMap<AccountName, Balance>, LedgerError> {
        let mut sums = BTreeMap::new();
        replay(self, prefix, |books, line| {
            if line.fact.day() == day { Ok(books.add_posted(line, &mut sums)?) } else { Ok(()) }
        })?;
        Ok(sums)
    }

    /// Adds up the whole log, checks its hash chain, and compares it with what is kept beside it. A log whose end was
    /// cut off with care still adds up: hold the head that is returned against one that was noted before.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] with the first difference, or the store's.
    fn verify(&self) -> Result<Head, LedgerError> {
        let standing = self.standing()?;
        self.books_at(standing.head.position)?.compare(&standing)?;
        Ok(standing.head)
    }
}

/// Adds up the log to `position`, showing each line beside the books before it.
fn replay<L: Ledger + ?Sized>(
    ledger: &L,
    position: u64,
    mut each: impl FnMut(&Books, &Line) -> Result<(), LedgerError>,
) -> Result<Books, LedgerError> {
    let mut books = Books::default();
    while books.head().position < position {
        let head = books.head().position;
        let left = usize::try_from(position.saturating_sub(head)).unwrap_or(usize::MAX);
        let page = ledger.read(head, left.min(PAGE))?;
        if page.is_empty() {
            return Err(LedgerError::Beyond { position, head });
        }
        for line in &page {
            each(&books, line)?;
            books.add(line)?;
        }
    }
    Ok(books)
}
