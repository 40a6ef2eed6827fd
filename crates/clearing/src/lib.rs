//! Clearing (清分): from record files to verdicts to positions.
//!
//! A back end's records come in as text ([`cux`]) or as columns ([`parquet`]), each record gets one [`verdict`],
//! and what was accepted becomes flows and positions.
//!
//! Invariant: clearing is a pure function of its inputs; it reads no clock and no file, and the order in which
//! files come changes nothing.

pub mod cux;
pub mod parquet;
mod record;
pub mod verdict;

pub use record::Record;

#[cfg(test)]
mod sample;
