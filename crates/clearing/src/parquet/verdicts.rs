//! The columns of a verdict.

use super::error::ParquetFault;
use super::row::{Cells, Column, Kind, Row, column};
use crate::verdict::Reason;

/// What the centre says about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerdictRow {
    /// The record's batch.
    pub batch: u64,
    /// The record's line.
    pub line_no: u32,
    /// The verdict and why.
    pub reason: Reason,
}

impl Row for VerdictRow {
    const COLUMNS: &'static [Column] = &[
        column("batch", Kind::Long),
        column("line_no", Kind::Number(32)),
        column("verdict", Kind::Number(8)),
        column("reason", Kind::Text),
    ];

    fn number(&self, column: &str) -> Option<u64> {
        match column {
            "batch" => Some(self.batch),
            "line_no" => Some(self.line_no.into()),
            "verdict" => Some(self.reason.verdict().code().into()),
            _ => None,
        }
    }

    fn text(&self, column: &str) -> &str {
        if column == "reason" { self.reason.name() } else { "" }
    }

    fn from_cells(cells: &Cells<'_>) -> Result<Self, ParquetFault> {
        let name: String = cells.text("reason", "a reason's name")?;
        let reason = Reason::from_name(&name).ok_or_else(|| cells.wrong("reason", "a reason's name"))?;
        cells.number("verdict", "the verdict of its reason", |code| {
            (code == u64::from(reason.verdict().code())).then_some(())
        })?;
        Ok(VerdictRow {
            batch: cells.number("batch", "a batch number", Some)?,
            line_no: cells.number("line_no", "a line number", |n| u32::try_from(n).ok())?,
            reason,
        })
    }
}
