//! Daily files (对账文件): made once, sent until the centre has them.

use model::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::parsed;

/// A file that was made.
#[derive(Clone, Debug)]
pub(crate) struct DayFile {
    pub(crate) day: Date,
    pub(crate) file: String,
    pub(crate) sent: bool,
}

impl DayFile {
    pub(crate) fn find(db: &Connection, day: Date) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached("SELECT * FROM day_files WHERE day = ?1")?
            .query_row(params![day.to_string()], |row| {
                Ok(DayFile { day: parsed(row, "day")?, file: row.get("file")?, sent: row.get("sent")? })
            })
            .optional()
    }

    /// The last day that a file was made for.
    pub(crate) fn last(db: &Connection) -> rusqlite::Result<Option<Date>> {
        db.query_row("SELECT day FROM day_files ORDER BY day DESC LIMIT 1", [], |row| parsed(row, "day"))
            .optional()
    }

    /// The days whose files the centre has not acknowledged, oldest first.
    pub(crate) fn unsent(db: &Connection) -> rusqlite::Result<Vec<Date>> {
        db.prepare_cached("SELECT day FROM day_files WHERE sent = 0 ORDER BY day")?
            .query_map([], |row| parsed(row, "day"))?
            .collect()
    }

    pub(crate) fn keep(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached(
            "INSERT INTO day_files (day, file, sent) VALUES (?1, ?2, ?3)
             ON CONFLICT (day) DO UPDATE SET sent = excluded.sent",
        )?
        .execute(params![self.day.to_string(), self.file, self.sent])?;
        Ok(())
    }
}
