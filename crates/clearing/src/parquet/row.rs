//! Rows and columns: one table a kind of row says which columns it has, and both sides obey it.

use ::parquet::data_type::ByteArray;

use super::error::ParquetFault;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An unsigned number of so many bits, at most 32.
    Number(u8),
    /// An unsigned number of 64 bits.
    Long,
    /// A local moment, in whole seconds.
    Moment,
    /// UTF-8 text, kept as a dictionary.
    Text,
}

/// A column of a kind of row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether a file must have it.
    pub(super) needed: bool,
    /// Whether a row may lack a value.
    pub(super) nullable: bool,
}

/// A column that every file has, with a value in every row.
pub(super) const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, needed: true, nullable: false }
}

/// A column that a file may lack.
pub(super) const fn extra(name: &'static str, kind: Kind, nullable: bool) -> Column {
    Column { name, kind, needed: false, nullable }
}

impl Kind {
    /// For errors.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Kind::Number(_) => "whole numbers (INT32 or INT64), unsigned",
            Kind::Long => "whole numbers (INT64), unsigned",
            Kind::Moment => "timestamps (INT64) in whole seconds",
            Kind::Text => "text (BYTE_ARRAY, UTF-8)",
        }
    }
}

/// A row that knows its columns.
pub(super) trait Row: Sized {
    const COLUMNS: &'static [Column];
    /// The value in a column of numbers or moments (then seconds since 1970).
    fn number(&self, column: &str) -> Option<u64>;
    /// The value in a column of text.
    fn text(&self, column: &str) -> &str;
    fn from_cells(cells: &Cells<'_>) -> Result<Self, ParquetFault>;
}

/// The values of one column of a chunk.
pub(super) enum Values {
    Absent,
    Numbers(Vec<Option<u64>>),
    Texts(Vec<Option<ByteArray>>),
}

/// One row of a chunk.
pub(super) struct Cells<'a> {
    pub(super) file: &'a str,
    pub(super) columns: &'static [Column],
    pub(super) values: &'a [Values],
    /// The row within the chunk.
    pub(super) index: usize,
    /// The row within the file, from 1.
    pub(super) row: u64,
}

impl<'a> Cells<'a> {
    /// The column of this name and its values. A name that is not in the table is an absent column.
    fn find(&self, name: &str) -> &'a Values {
        let found = self.columns.iter().zip(self.values).find(|(column, _)| column.name == name);
        found.map_or(&Values::Absent, |(_, values)| values)
    }

    /// A number, if there is one.
    pub(super) fn maybe(&self, name: &str) -> Option<u64> {
        match self.find(name) {
            Values::Numbers(numbers) => numbers.get(self.index).copied().flatten(),
            Values::Absent | Values::Texts(_) => None,
        }
    }

    /// A number, turned into what it stands for.
    pub(super) fn number<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        make: impl FnOnce(u64) -> Option<T>,
    ) -> Result<T, ParquetFault> {
        self.maybe(name).and_then(make).ok_or_else(|| self.wrong(name, expected))
    }

    /// Text, parsed; a column that is absent is empty text.
    pub(super) fn text<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<T, ParquetFault> {
        let text = match self.find(name) {
            Values::Absent => Some(""),
            Values::Texts(texts) => texts
                .get(self.index)
                .and_then(Option::as_ref)
                .and_then(|text| std::str::from_utf8(text.data()).ok()),
            Values::Numbers(_) => None,
        };
        text.and_then(|text| text.parse().ok()).ok_or_else(|| self.wrong(name, expected))
    }

    pub(super) fn wrong(&self, column: &'static str, expected: &'static str) -> ParquetFault {
        ParquetFault::Value { file: self.file.to_owned(), column, row: self.row, expected }
    }
}
