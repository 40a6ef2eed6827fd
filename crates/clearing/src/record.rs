//! A tap with its place in what its sender sent.

use model::TapRecord;

/// A tap, and where it stands: the batch (one file of one sender) and its line there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The file, as [`crate::cux::FileName::batch`] numbers it.
    pub batch: u64,
    /// The line in that file; a record file's first record stands in line 2.
    pub line_no: u32,
    /// The tap.
    pub tap: TapRecord,
}
