//! Why the books did not change: what the rules refuse, and what the store could not do.

use std::path::PathBuf;

use model::{CardTime, Date, Fen};

use crate::books::Difference;
use crate::chain::Digest;
use crate::name::{AccountName, EntryId};

/// The entry was judged and is not taken. Nothing of it is stored, and its id is still free.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages name the fields
pub enum Refusal {
    /// The id stands for another content.
    #[error("id {id} is taken by another content: stored {stored}, given {given}")]
    IdTaken { id: EntryId, stored: Digest, given: Digest },
    /// Nothing was ever pended under the id.
    #[error("id {id} is unknown: nothing to post or void")]
    Unknown { id: EntryId },
    /// The id stands for an entry that was recorded at once.
    #[error("id {id} was recorded at position {position}, not pended: nothing to post or void")]
    NotPended { id: EntryId, position: u64 },
    /// A void that comes after the post.
    #[error("id {id} was posted at position {position} and cannot be voided")]
    AlreadyPosted { id: EntryId, position: u64 },
    /// A post that comes after the void.
    #[error("id {id} was voided at position {position} and cannot be posted")]
    AlreadyVoided { id: EntryId, position: u64 },
    /// An entry that moves nothing.
    #[error("entry {id} has no legs")]
    NoLegs { id: EntryId },
    /// A memo that not every store can keep.
    #[error("entry {id}: its memo holds a zero character")]
    Memo { id: EntryId },
    /// The settlement day is over.
    #[error("day {day} is closed; the first open day is {open}")]
    DayClosed { day: Date, open: Date },
    /// A day is closed on that day or later: the log cannot take it back.
    #[error("day {day} cannot be closed at {at}: it has not begun")]
    DayAhead { day: Date, at: CardTime },
    /// A balance rule.
    #[error("entry {id} would take {account} below zero; available {available}")]
    BelowZero { id: EntryId, account: AccountName, available: Fen },
    /// A net debit cap, counting what is held.
    #[error("entry {id} would take {account} over its net debit cap of {cap}; it stands at {net_debit}")]
    OverCap { id: EntryId, account: AccountName, cap: Fen, net_debit: Fen },
    /// It was to stand or fall with another, and that one is refused.
    #[error("not taken: fact {number} of the same chain is refused ({why})")]
    Linked { number: usize, why: &'static str },
    /// A sum that does not fit.
    #[error("entry {id}: the sums of {account} would not fit")]
    Overflow { id: EntryId, account: AccountName },
}

/// Why a call failed. Unless it is `Refused`, the whole call did nothing and may be repeated as it is.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages name the fields
pub enum LedgerError {
    /// The entry is not taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The thread that commits for all has ended.
    #[error("the ledger has stopped")]
    Stopped,
    /// The store's failure of a commit in which others took part, as told to each of them.
    #[error("{0}")]
    Together(#[source] std::sync::Arc<LedgerError>),
    /// Another process is writing and did not finish in time.
    #[error("ledger {place}: another process holds the lock")]
    Locked { place: PathBuf },
    /// No room for the entry; the books are as before.
    #[error("ledger {place}: the disk is full")]
    DiskFull { place: PathBuf },
    /// A file that something else wrote.
    #[error("{place} is not a ledger")]
    NotALedger { place: PathBuf },
    /// A file that a later release wrote.
    #[error("ledger {place} has schema {found}; this release knows up to {known}")]
    Newer { place: PathBuf, found: i64, known: i64 },
    /// A prefix that does not exist yet.
    #[error("position {position} is beyond the end of the log, {head}")]
    Beyond { position: u64, head: u64 },
    /// The log does not add up.
    #[error("the ledger is damaged: {0}")]
    Damaged(#[from] Difference),
    /// A store that breaks the contract of [`Ledger::commit_chains`](crate::Ledger::commit_chains).
    #[error("the store gave no outcome for a fact")]
    NoAnswer,
    /// Anything else the store could not do.
    #[error("ledger {place}: cannot {doing}: {source}")]
    Store {
        place: PathBuf,
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Refusal {
    /// A code that never changes, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::IdTaken { .. } => "id-taken",
            Refusal::Unknown { .. } => "id-unknown",
            Refusal::NotPended { .. } => "not-pended",
            Refusal::AlreadyPosted { .. } => "already-posted",
            Refusal::AlreadyVoided { .. } => "already-voided",
            Refusal::NoLegs { .. } => "no-legs",
            Refusal::Memo { .. } => "bad-memo",
            Refusal::DayClosed { .. } => "day-closed",
            Refusal::DayAhead { .. } => "day-ahead",
            Refusal::BelowZero { .. } => "below-zero",
            Refusal::OverCap { .. } => "over-cap",
            Refusal::Linked { .. } => "linked",
            Refusal::Overflow { .. } => "overflow",
        }
    }
}
