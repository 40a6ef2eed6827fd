//! Double entry (复式记账): pending, post, void, settlement days; a log that anyone can add up.
//!
//! Every movement is an [`Entry`] of legs, each from one account to another, so money is never made and never lost.
//! What happens is a [`Fact`] at the end of an append-only log, chained by hashes; balances follow from the log, and
//! [`Ledger::verify`] says where they do not. What is not yet known is *pended*: named, visible in
//! [`Ledger::pending`], and later posted or voided, never deleted.
//!
//! It is kept by SQLite ([`SqliteLedger`]) or by PostgreSQL ([`PostgresLedger`]), the same log with the same hashes. Several
//! processes may write to either at once. Facts that must stand or fall together go through [`Ledger::commit_linked`].
//! [`SharedLedger`] lends one ledger to many threads and commits together what waits. [`Rules`] bound how far into debit an account may go.
//!
//! Invariant: the same id and content, however often it is handed in, moves money once and always gets the same
//! [`Outcome`]; the same id with another content is refused with the stored digest.
//! Invariant: the sum of all balances is zero, and each is a pure function of a prefix of the log.
//!
//! A load, from the moment the passenger has paid to the card's proof:
//!
//! ```
//! use ledger::{AccountName, Entry, Leg, Ledger, Refusal, LedgerError, SqliteLedger};
//! use model::Fen;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let paid_in = AccountName::new("paid-in", "alipay")?;
//! let doubt = AccountName::new("doubt", "2000")?;
//! let float = AccountName::new("float", "2000")?;
//! let entry = |leg| -> Result<Entry, Box<dyn std::error::Error>> {
//!     Ok(Entry {
//!         id: "order-1".parse()?,
//!         kind: "load".parse()?,
//!         legs: vec![leg],
//!         day: "2014-10-20".parse()?,
//!         at: "2014-10-20 07:45:00".parse()?,
//!         memo: String::new(),
//!     })
//! };
//! let mut ledger = SqliteLedger::in_memory()?;
//!
//! // Before the card is told: the money is held, and in doubt.
//! ledger.pend(entry(Leg::new(paid_in.clone(), doubt.clone(), Fen::new(5000))?)?)?;
//! assert_eq!(ledger.pending()?.len(), 1);
//!
//! // The card has proven it: what was held moves, and goes on to the city's float. Saying so twice changes nothing.
//! let proven = entry(Leg::new(doubt.clone(), float.clone(), Fen::new(5000))?)?;
//! let outcome = ledger.post(proven.clone())?;
//! assert_eq!(ledger.post(proven.clone())?, outcome);
//! assert_eq!(ledger.balance(&float)?.credit(), Fen::new(5000));
//! assert_eq!(ledger.balance(&doubt)?.credit(), Fen::ZERO);
//!
//! // Too late to say that it never happened. (A void lets go of what was held: a refund's leg is from `paid-in`.)
//! let refund = entry(Leg::new(paid_in, AccountName::new("refunds", "alipay")?, Fen::new(5000))?)?;
//! let refused = ledger.void(refund);
//! assert!(matches!(refused, Err(LedgerError::Refused(Refusal::AlreadyPosted { .. }))));
//!
//! // Anyone who holds the log can add it up.
//! assert_eq!(ledger.verify()?.position, 2);
//! # Ok(())
//! # }
//! ```

mod balance;
mod books;
mod chain;
mod entry;
mod error;
mod judge;
mod ledger;
mod name;
mod postgres;
mod shared;
mod sqlite;

pub use balance::{Balance, Rules};
pub use books::{Books, Difference, Head, InDoubt, Line, Standing};
pub use chain::Digest;
pub use entry::{Act, Entry, Fact, Leg};
pub use error::{LedgerError, Refusal};
pub use judge::Outcome;
pub use ledger::{Ledger, Story};
pub use name::{AccountName, EntryId, EntryKind, Malformed};
pub use postgres::PostgresLedger;
pub use shared::SharedLedger;
pub use sqlite::SqliteLedger;
