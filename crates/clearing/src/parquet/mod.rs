//! Records and verdicts as columns: Parquet files, one row a tap.
//!
//! Standard: Apache Parquet; columns as the project publishes them (`card`, `issuer_city`, ... `line_no`). Four
//! columns more keep a tap whole: `list_fare_fen`, `vehicle`, `entered_at`, `test`; a file that lacks those four is
//! read with the amount as list fare and the rest empty. `at` is local time without a zone, in whole seconds.
//! Invariant: what is read back equals what was written; a damaged file is an error with file and column, and the
//! memory for reading is bounded by [`CHUNK_ROWS`], whatever the file says of itself.

mod error;
mod reader;
mod row;
mod taps;
mod verdicts;
mod writer;

use bytes::Bytes;

use crate::record::Record;

pub use error::ParquetFault;
pub use verdicts::VerdictRow;

/// Rows in a row group that we write, and rows that a reader holds at once.
pub const CHUNK_ROWS: usize = 65_536;

/// Writes taps, in row groups of at most [`CHUNK_ROWS`].
///
/// # Errors
/// [`ParquetFault::Write`].
pub fn write_taps(records: &[Record]) -> Result<Vec<u8>, ParquetFault> {
    writer::write(records)
}

/// Reads taps, chunk by chunk.
///
/// # Errors
/// [`ParquetFault`], if the file is not Parquet or lacks a column; each chunk may fail by itself.
pub fn read_taps<T: Into<Bytes>>(
    file: &str,
    bytes: T,
) -> Result<impl Iterator<Item = Result<Vec<Record>, ParquetFault>> + use<T>, ParquetFault> {
    reader::Reader::<Record>::open(file, bytes.into())
}

/// Writes verdicts.
///
/// # Errors
/// [`ParquetFault::Write`].
pub fn write_verdicts(rows: &[VerdictRow]) -> Result<Vec<u8>, ParquetFault> {
    writer::write(rows)
}

/// Reads verdicts, chunk by chunk.
///
/// # Errors
/// As [`read_taps`].
pub fn read_verdicts<T: Into<Bytes>>(
    file: &str,
    bytes: T,
) -> Result<impl Iterator<Item = Result<Vec<VerdictRow>, ParquetFault>> + use<T>, ParquetFault> {
    reader::Reader::<VerdictRow>::open(file, bytes.into())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests;
