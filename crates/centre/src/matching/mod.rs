//! The daily match (每日三方核对): the wallet's file, the ledger, and the cards, order by order.
//!
//! `file` reads what a wallet says, `compare` holds one order's three sides against each other, `cards` reads a card's
//! own story, `run` gathers and writes down, `cases` is what became of each difference.
//!
//! Invariant: a day that was matched may be matched again and comes to the same; nothing is settled by time, and
//! nothing by a reader's or a phone's word: only by a card's own proof, or by a person who gives a reason.

mod cards;
mod cases;
mod compare;
mod file;
mod kind;
mod result;
mod run;
mod words;

pub(crate) use cards::TapPoint;
pub(crate) use cases::Decision;
pub(crate) use compare::{Evidence, WalletSays};
pub(crate) use file::{Sums, WalletLine};
pub(crate) use kind::Kind;
pub use result::{DayMatch, Side, WalletMatch};
