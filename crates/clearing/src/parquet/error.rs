//! What is wrong with a Parquet file: which file, which column, which row.

use ::parquet::errors::ParquetError;

/// Why a Parquet file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ParquetFault {
    /// Not a Parquet file, or its table of contents is damaged.
    #[error("file {file}: not a whole Parquet file: {source}")]
    Open {
        /// The file's name.
        file: String,
        /// What the format's reader says.
        source: ParquetError,
    },
    /// A column that must be there is not.
    #[error("file {file}: no column `{column}`; expected {expected}")]
    Missing {
        /// The file's name.
        file: String,
        /// The column.
        column: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A column holds values of another type.
    #[error("file {file} column `{column}`: holds {found}; expected {expected}")]
    Type {
        /// The file's name.
        file: String,
        /// The column.
        column: &'static str,
        /// The type in the file.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A column's bytes are damaged.
    #[error("file {file} column `{column}`: {source}")]
    Column {
        /// The file's name.
        file: String,
        /// The column.
        column: &'static str,
        /// What the format's reader says.
        source: ParquetError,
    },
    /// A column has fewer values than its row group has rows.
    #[error("file {file} column `{column}`: {found} values; expected {expected}, as the row group says")]
    Short {
        /// The file's name.
        file: String,
        /// The column.
        column: &'static str,
        /// Values found.
        found: usize,
        /// Values expected.
        expected: usize,
    },
    /// A value that a record cannot hold.
    #[error("file {file} column `{column}` row {row}: expected {expected}")]
    Value {
        /// The file's name.
        file: String,
        /// The column.
        column: &'static str,
        /// The row, from 1.
        row: u64,
        /// What may stand there.
        expected: &'static str,
    },
    /// The format's reader gave up without a word: some damage makes it panic, which is caught here.
    #[error("file {file}: damaged in a way that its format's reader cannot name")]
    Damaged {
        /// The file's name.
        file: String,
    },
    /// The file could not be written.
    #[error("cannot write the columns: {0}")]
    Write(ParquetError),
}
