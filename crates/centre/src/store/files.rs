//! Record files (交易文件) with their verdicts, the keys that their taps have claimed, and the deny list.

use std::collections::BTreeMap;

use clearing::Record;
use clearing::judge::{ContentId, DenyList, Judgment, Key, Route, Ruling, Seen, SeenError};
use clearing::verdict::Reason;
use model::{CardNumber, CardTime, CityCode, Date, Fen, Mode, OperatorId, PurseFen};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{parsed, parsed_if_any};

/// A file that was taken in.
#[derive(Clone, Debug)]
pub(crate) struct FileRow {
    pub(crate) name: String,
    pub(crate) batch: u64,
    pub(crate) digest: [u8; 32],
    pub(crate) sender: CityCode,
    pub(crate) day: Date,
    pub(crate) records: u64,
    pub(crate) paid: u64,
    pub(crate) paid_amount: Fen,
    pub(crate) home: u64,
    pub(crate) taken_at: CardTime,
}

/// A record that was not plainly accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotPaid {
    pub(crate) line_no: u32,
    pub(crate) reason: Reason,
}

/// A tap in a card's history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryTap {
    pub(crate) at: CardTime,
    pub(crate) acquirer: CityCode,
    pub(crate) operator: OperatorId,
    pub(crate) mode: Mode,
    pub(crate) amount: PurseFen,
}

/// The keys claimed by every file before.
pub(crate) struct Claims<'a>(pub(crate) &'a Connection);

impl Seen for Claims<'_> {
    fn content(&self, key: &Key) -> Result<Option<ContentId>, SeenError> {
        let content = self
            .0
            .prepare_cached("SELECT content FROM claims WHERE key = ?1")?
            .query_row(params![key.to_bytes()], |row| row.get(0))
            .optional()?;
        Ok(content.map(ContentId))
    }
}

fn wrong(column: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, format!("no such {column}").into())
}

impl FileRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(FileRow {
            name: row.get("name")?,
            batch: row.get("batch")?,
            digest: row.get("digest")?,
            sender: parsed(row, "sender")?,
            day: parsed(row, "day")?,
            records: row.get("records")?,
            paid: row.get("paid")?,
            paid_amount: Fen::new(row.get("paid_fen")?),
            home: row.get("home")?,
            taken_at: parsed(row, "taken_at")?,
        })
    }

    pub(crate) fn find(db: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached("SELECT * FROM files WHERE name = ?1")?
            .query_row(params![name], FileRow::read)
            .optional()
    }

    pub(crate) fn with_digest(db: &Connection, digest: &[u8; 32]) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached("SELECT * FROM files WHERE digest = ?1")?
            .query_row(params![digest], FileRow::read)
            .optional()
    }

    /// The first day that a file was taken into.
    pub(crate) fn first_day(db: &Connection) -> rusqlite::Result<Option<Date>> {
        db.query_row("SELECT min(day) AS day FROM files", [], |row| parsed_if_any(row, "day"))
    }

    /// Paid taps at home and away, of the files taken into `day`.
    pub(crate) fn taps_on(db: &Connection, day: Date) -> rusqlite::Result<(u64, u64)> {
        db.prepare_cached(
            "SELECT coalesce(sum(home), 0), coalesce(sum(paid - home), 0) FROM files WHERE day = ?1",
        )?
        .query_row(params![day.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The file, its records with their verdicts, and what they have claimed: all in the caller's transaction.
    pub(crate) fn insert(
        &self,
        db: &Connection,
        records: &[Record],
        judgment: &Judgment,
    ) -> rusqlite::Result<()> {
        db.prepare_cached(
            "INSERT INTO files (name, batch, digest, sender, day, records, paid, paid_fen, home, taken_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            self.name,
            self.batch,
            self.digest,
            self.sender.to_string(),
            self.day.to_string(),
            self.records,
            self.paid,
            self.paid_amount.get(),
            self.home,
            self.taken_at.to_string(),
        ])?;
        let mut add = db.prepare_cached(
            "INSERT INTO records (batch, line_no, card, issuer, acquirer, operator, mode, amount_fen, at, verdict, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for (record, ruling) in records.iter().zip(&judgment.rulings) {
            let tap = &record.tap;
            add.execute(params![
                record.batch,
                record.line_no,
                tap.card.raw(),
                tap.issuer.to_string(),
                tap.acquirer.to_string(),
                tap.operator.to_string(),
                tap.mode.code(),
                tap.amount.get(),
                tap.at.to_string(),
                ruling.reason.verdict().code(),
                ruling.reason.code(),
            ])?;
        }
        let mut claim = db.prepare_cached("INSERT INTO claims (key, content) VALUES (?1, ?2)")?;
        for made in &judgment.claims {
            claim.execute(params![made.key.to_bytes(), made.content.0])?;
        }
        Ok(())
    }

    /// The records of a file that were not plainly accepted, in the order of its lines.
    pub(crate) fn not_paid(&self, db: &Connection) -> rusqlite::Result<Vec<NotPaid>> {
        db.prepare_cached(
            "SELECT line_no, verdict, reason FROM records WHERE batch = ?1 AND verdict <> 0 ORDER BY line_no",
        )?
        .query_map(params![self.batch], |row| {
            Ok(NotPaid { line_no: row.get("line_no")?, reason: reason(row)? })
        })?
        .collect()
    }
}

/// The verdict of a record, as its two codes say.
fn reason(row: &Row<'_>) -> rusqlite::Result<Reason> {
    let (verdict, code): (u8, u8) = (row.get("verdict")?, row.get("reason")?);
    Reason::from_codes(verdict, code).ok_or_else(|| wrong("verdict"))
}

/// Gives every ruling of a clearing day to `each`, in the order of batches and lines.
pub(crate) fn rulings<E: From<rusqlite::Error>>(
    db: &Connection,
    day: Date,
    mut each: impl FnMut(&Ruling) -> Result<(), E>,
) -> Result<(), E> {
    let mut query = db.prepare_cached(
        "SELECT records.* FROM records JOIN files ON files.batch = records.batch
         WHERE files.day = ?1 ORDER BY records.batch, line_no",
    )?;
    let mut rows = query.query(params![day.to_string()])?;
    while let Some(row) = rows.next()? {
        let at: CardTime = parsed(row, "at")?;
        let amount: u32 = row.get("amount_fen")?;
        each(&Ruling {
            batch: row.get("batch")?,
            line_no: row.get("line_no")?,
            reason: reason(row)?,
            route: Route {
                issuer: parsed(row, "issuer")?,
                acquirer: parsed(row, "acquirer")?,
                operator: parsed(row, "operator")?,
            },
            on: at.date(),
            amount: PurseFen::try_from(amount).map_err(|_| wrong("amount"))?,
        })?;
    }
    Ok(())
}

impl HistoryTap {
    /// The paid taps of a card that moved money, newest first.
    pub(crate) fn of(db: &Connection, number: CardNumber, most: u32) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached(
            "SELECT * FROM records WHERE card = ?1 AND verdict = 0 AND amount_fen > 0 ORDER BY at DESC LIMIT ?2",
        )?
        .query_map(params![number.raw(), most], |row| {
            let amount: u32 = row.get("amount_fen")?;
            Ok(HistoryTap {
                at: parsed(row, "at")?,
                acquirer: parsed(row, "acquirer")?,
                operator: parsed(row, "operator")?,
                mode: Mode::from_code(row.get("mode")?).ok_or_else(|| wrong("mode"))?,
                amount: PurseFen::try_from(amount).map_err(|_| wrong("amount"))?,
            })
        })?
        .collect()
    }
}

/// The deny list as it stands.
pub(crate) fn deny_list(db: &Connection) -> rusqlite::Result<DenyList> {
    let mut cards = BTreeMap::new();
    let mut version = 0;
    let mut query = db.prepare_cached("SELECT * FROM denied ORDER BY version")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        version = row.get("version")?;
        cards.insert((parsed(row, "city")?, parsed(row, "number")?), parsed(row, "since")?);
    }
    Ok(DenyList { version, cards })
}

/// Puts a card on the deny list; one that stands there already keeps its first moment.
pub(crate) fn deny(
    db: &Connection,
    city: CityCode,
    number: CardNumber,
    since: CardTime,
) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO denied (number, city, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![number.raw(), city.to_string(), since.to_string()])?;
    Ok(())
}
