//! Clearing (清分): from record files to verdicts to positions.
//!
//! A back end's records come in as text ([`cux`]) or as columns ([`parquet`]), [`judge()`] gives each record one
//! [`verdict`], and [`netting`] turns what was accepted into flows and positions. [`clear_folder`] does all of it for a
//! folder of files; [`make`] makes such a folder.
//!
//! Invariant: clearing is a pure function of its inputs; it reads no clock and no disk, and the order in which
//! files come changes nothing.

pub mod clear;
pub mod cux;
pub mod judge;
pub mod make;
pub mod netting;
pub mod parquet;
mod record;
pub mod report;
pub mod verdict;

pub use clear::{ClearError, Cleared, Folder, clear_folder};
pub use judge::judge;
pub use record::Record;

#[cfg(test)]
mod sample;
