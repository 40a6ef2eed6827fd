//! The centre (清算中心): one door each for wallets, phones and operators; settlement; the console page.
//!
//! [`Core`] is the centre without HTTP: it owns the store and the ledger, and its doors are its methods.
//! [`http::router`] is the only way in for everyone, over a socket or, in a simulation, in process.
//!
//! Invariant: money is pended before the bytes leave, posted on a card's proof, voided on a proven refusal, and
//! otherwise in doubt: visible, named, and settled by the next contact with the card. Time never settles it.

mod advice;
mod audit;
mod cancel;
mod channel;
mod console;
mod core;
mod fence;
mod hooks;
pub mod http;
mod limits;
mod matching;
mod money;
mod moving;
mod operator;
mod phone;
mod plans;
#[cfg(feature = "planted-bugs")]
mod planted;
mod problem;
mod proof;
mod reached;
mod refund;
mod settlement;
mod spent;
mod store;
mod suspend;
mod texts;
mod turn;
mod wallet;

pub use crate::core::{CENTRE, Config, Core, OpenError, Storage};
pub use audit::OrderStanding;
pub use console::Overview;
pub use hooks::{Answered, Attempt, HookPolicy, Names, SystemNames};
pub use matching::{DayMatch, Side, WalletMatch};
pub use plans::{LOAD_POINT, instance_aid};
#[cfg(feature = "planted-bugs")]
pub use planted::Planted;
pub use problem::{Code, Problem};
pub use refund::DRAW_DOWN_POINT;

pub use settlement::{Closing, Statement, StatementLine};
pub use store::{DbError, StoreError};
