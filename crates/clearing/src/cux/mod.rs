//! CUX 1 (清分文件): the text files in which taps, loads and verdicts travel between cities and the centre.
//!
//! A header of 80 characters, one line a record, a trailer of 80 with the digest; ASCII, CRLF, fixed width.
//!
//! Standard: none; the project's own format (clearing.md section 3.4). What that text leaves open is decided here:
//! the digest is SHA-256 over the header and all details with their CRLF; fillers are the letter F; `line_no` of a
//! record is its line in the file, the header being line 1; `local_seq` grows from line to line in an upload; a
//! sender writes only its own taps; a load keeps the wallet's id in the columns of line, vehicle and stops;
//! `card_kind` is checked to be hex and not kept.
//! Examples: `vectors/clearing/`.
//! Invariant: a file is taken whole or refused whole, and the refusal names file, line, column and what was expected.

mod detail;
mod error;
mod field;
mod frame;
mod layout;
mod name;

use model::{CardTime, Date, LoadRecord, PurseFen, TapRecord};

pub use error::{CuxError, Place};
pub use frame::MAX_RECORDS;
pub use name::{CENTRE, FileKind, FileName};

use crate::verdict::Reason;

/// A record as its sender numbered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered<T> {
    /// The sender's running number.
    pub local_seq: u64,
    /// What it says.
    pub record: T,
}

/// A tap with the centre's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapResult {
    /// The tap as it was sent.
    pub tap: TapRecord,
    /// The verdict and why.
    pub reason: Reason,
    /// The day on which the centre judged it.
    pub clearing_day: Date,
    /// The day in whose books it stands.
    pub target_day: Date,
    /// What the reader of the file pays or gets as fee for it.
    pub fee: PurseFen,
}

/// A file that was read: every check of the format has been passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CuxFile<T> {
    /// Its name.
    pub name: FileName,
    /// When its sender made it.
    pub created: CardTime,
    /// Its records, in the order of its lines.
    pub records: Vec<Numbered<T>>,
}

impl<T> CuxFile<T> {
    /// A file of `records`, numbered from `first_local_seq` on.
    pub fn new(
        name: FileName,
        created: CardTime,
        first_local_seq: u64,
        records: impl IntoIterator<Item = T>,
    ) -> Self {
        let records =
            (first_local_seq..).zip(records).map(|(local_seq, record)| Numbered { local_seq, record });
        CuxFile { name, created, records: records.collect() }
    }

    /// The records with their lines in the file.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &Numbered<T>)> {
        (FIRST_LINE..).zip(&self.records)
    }
}

/// The line of a file's first record.
pub const FIRST_LINE: u32 = 2;

/// Reads a file of taps.
///
/// # Errors
/// [`CuxError`], if anything at all is not as the format says.
pub fn read_taps(name: &str, bytes: &[u8]) -> Result<CuxFile<TapRecord>, CuxError> {
    frame::read(name, bytes, &[FileKind::Spends])
}

/// Reads a file of loads.
///
/// # Errors
/// As [`read_taps`].
pub fn read_loads(name: &str, bytes: &[u8]) -> Result<CuxFile<LoadRecord>, CuxError> {
    frame::read(name, bytes, &[FileKind::Loads])
}

/// Reads a file of results, for an issuer or for an acquirer.
///
/// # Errors
/// As [`read_taps`].
pub fn read_results(name: &str, bytes: &[u8]) -> Result<CuxFile<TapResult>, CuxError> {
    frame::read(name, bytes, &[FileKind::IssuerResults, FileKind::AcquirerResults])
}

/// Writes a file of taps.
///
/// # Errors
/// [`CuxError`], if a value is wider than its field, or the file would be refused by its reader.
pub fn write_taps(file: &CuxFile<TapRecord>) -> Result<Vec<u8>, CuxError> {
    frame::write(file, &[FileKind::Spends])
}

/// Writes a file of loads.
///
/// # Errors
/// As [`write_taps`].
pub fn write_loads(file: &CuxFile<LoadRecord>) -> Result<Vec<u8>, CuxError> {
    frame::write(file, &[FileKind::Loads])
}

/// Writes a file of results.
///
/// # Errors
/// As [`write_taps`].
pub fn write_results(file: &CuxFile<TapResult>) -> Result<Vec<u8>, CuxError> {
    frame::write(file, &[FileKind::IssuerResults, FileKind::AcquirerResults])
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests;
