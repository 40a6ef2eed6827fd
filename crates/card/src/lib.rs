//! The transit application (公共交通卡应用): files, purse, commands for both sides, and the applet that answers
//! them.
//!
//! Standard: PBOC electronic purse with the CJ/T 166 layout (card.md).
//! Invariant: a terminal, a host and the applet speak through the same types, so neither side has bytes of its own.

pub mod command;
mod fields;
pub mod layout;
pub mod personalisation;
mod purse;
mod reader;

pub use personalisation::Personalisation;
pub use purse::{Profile, Purse, PurseMemory, Standing};
pub use reader::{PurseReader, PurseView, ReadError};
