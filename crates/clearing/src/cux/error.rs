//! What is wrong with a record file, said so that its sender can mend it.

use std::fmt;

/// Where in a file: its name, the line, and the field with its first column (both counted from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name as it was sent.
    pub file: String,
    /// Line, the header being line 1.
    pub line: u32,
    /// The field's name in the layout.
    pub field: &'static str,
    /// The field's first column.
    pub column: u16,
}

/// Why a record file is refused, always as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CuxError {
    /// The name is not a record file's name.
    #[error("file name `{file}`: expected {expected}")]
    Name {
        /// The name as given.
        file: String,
        /// What a name looks like.
        expected: &'static str,
    },
    /// The file ends early, is longer than its header says, or its lines do not end where they should.
    #[error("file {file}: {found} bytes; expected {expected} ({why})")]
    Size {
        /// The file's name.
        file: String,
        /// Its length.
        found: usize,
        /// The length that would be right.
        expected: usize,
        /// How that length follows.
        why: String,
    },
    /// A field holds what it may not hold.
    #[error("{place}: expected {expected}, found `{found}`")]
    Field {
        /// Where.
        place: Place,
        /// What may stand there.
        expected: String,
        /// What stands there, shortened; never a card number.
        found: String,
    },
    /// A record cannot be written because a value is wider than its field.
    #[error("{place}: {value} does not fit in {width} characters")]
    Width {
        /// Where it was to be written.
        place: Place,
        /// The value.
        value: String,
        /// The field's width.
        width: usize,
    },
    /// More records than a file may hold.
    #[error("file {file}: {found} records; a file holds at most {limit}")]
    TooMany {
        /// The file's name.
        file: String,
        /// Records given.
        found: usize,
        /// Records allowed.
        limit: u32,
    },
    /// A file of another kind than the caller asked for.
    #[error("file {file}: holds {found}; expected {expected}")]
    Kind {
        /// The file's name.
        file: String,
        /// What its name says.
        found: &'static str,
        /// What was asked for.
        expected: &'static str,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {} line {} column {} ({})", self.file, self.line, self.column, self.field)
    }
}
