//! Record files (交易文件) with their verdicts, and the keys that their taps have claimed.

use super::db::{Db, DbError, DbResult, Row, Value, params};
use clearing::Record;
use clearing::judge::{ContentId, Judgment, Key, Route, Ruling, Seen, SeenError};
use clearing::verdict::Reason;
use model::{CardNumber, CardTime, CityCode, Date, Fen, Mode, OperatorId, PurseFen};

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
pub(crate) struct Claims<'a>(pub(crate) &'a Db);

impl Seen for Claims<'_> {
    fn content(&self, key: &Key) -> Result<Option<ContentId>, SeenError> {
        let sql = "SELECT content FROM claims WHERE key = $1";
        let content = self.0.one(sql, params![key.to_bytes()], |row| row.get("content"))?;
        Ok(content.map(ContentId))
    }
}

fn wrong(column: &'static str) -> DbError {
    DbError::Column { column: column.into(), what: "none of ours".into() }
}

impl FileRow {
    fn read(row: &Row<'_>) -> DbResult<Self> {
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

    pub(crate) fn find(db: &Db, name: &str) -> DbResult<Option<Self>> {
        db.one("SELECT * FROM files WHERE name = $1", params![name], FileRow::read)
    }

    pub(crate) fn with_digest(db: &Db, digest: &[u8; 32]) -> DbResult<Option<Self>> {
        db.one("SELECT * FROM files WHERE digest = $1", params![digest], FileRow::read)
    }

    /// The first day that a file was taken into.
    pub(crate) fn first_day(db: &Db) -> DbResult<Option<Date>> {
        let first =
            db.one("SELECT min(day) AS day FROM files", params![], |row| parsed_if_any(row, "day"))?;
        Ok(first.flatten())
    }

    /// Paid taps at home and away, of the files taken into `day`.
    pub(crate) fn taps_on(db: &Db, day: Date) -> DbResult<(u64, u64)> {
        let sums = db.one(
            "SELECT CAST(coalesce(sum(home), 0) AS BIGINT), CAST(coalesce(sum(paid - home), 0) AS BIGINT)
             FROM files WHERE day = $1",
            params![day.to_string()],
            |row| Ok((row.at(0)?, row.at(1)?)),
        )?;
        Ok(sums.unwrap_or_default())
    }

    /// The file, its records with their verdicts, and what they have claimed: all in the caller's transaction.
    pub(crate) fn insert(&self, db: &Db, records: &[Record], judgment: &Judgment) -> DbResult<()> {
        db.execute(
            "INSERT INTO files (name, batch, digest, sender, day, records, paid, paid_fen, home, taken_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                &self.name,
                self.batch,
                self.digest,
                self.sender.to_string(),
                self.day.to_string(),
                self.records,
                self.paid,
                self.paid_amount.get(),
                self.home,
                self.taken_at.to_string(),
            ],
        )?;
        let row = |(record, ruling): (&Record, &Ruling)| -> Vec<Value> {
            let tap = &record.tap;
            params![
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
            ]
            .to_vec()
        };
        db.insert_all(
            "INSERT INTO records
             (batch, line_no, card, issuer, acquirer, operator, mode, amount_fen, at, verdict, reason)",
            records.iter().zip(&judgment.rulings).map(row),
        )?;
        db.insert_all(
            "INSERT INTO claims (key, content)",
            judgment.claims.iter().map(|made| params![made.key.to_bytes(), made.content.0].to_vec()),
        )
    }

    /// The records of a file that were not plainly accepted, in the order of its lines.
    pub(crate) fn not_paid(&self, db: &Db) -> DbResult<Vec<NotPaid>> {
        db.all(
            "SELECT line_no, verdict, reason FROM records WHERE batch = $1 AND verdict <> 0 ORDER BY line_no",
            params![self.batch],
            |row| Ok(NotPaid { line_no: row.get("line_no")?, reason: reason(row)? }),
        )
    }
}

/// The verdict of a record, as its two codes say.
fn reason(row: &Row<'_>) -> DbResult<Reason> {
    let (verdict, code): (u8, u8) = (row.get("verdict")?, row.get("reason")?);
    Reason::from_codes(verdict, code).ok_or_else(|| wrong("verdict"))
}

/// Gives every ruling of a clearing day to `each`, in the order of batches and lines.
pub(crate) fn rulings<E: From<DbError>>(
    db: &Db,
    day: Date,
    mut each: impl FnMut(&Ruling) -> Result<(), E>,
) -> Result<(), E> {
    db.each(
        "SELECT records.* FROM records JOIN files ON files.batch = records.batch
         WHERE files.day = $1 ORDER BY records.batch, line_no",
        params![day.to_string()],
        |row| each(&ruling(row)?),
    )
}

fn ruling(row: &Row<'_>) -> DbResult<Ruling> {
    let at: CardTime = parsed(row, "at")?;
    let amount: u32 = row.get("amount_fen")?;
    Ok(Ruling {
        batch: row.get("batch")?,
        line_no: row.get("line_no")?,
        reason: reason(row)?,
        route: Route {
            issuer: parsed(row, "issuer")?,
            acquirer: parsed(row, "acquirer")?,
            operator: parsed(row, "operator")?,
        },
        on: at.date(),
        amount: PurseFen::try_from(amount).map_err(|_| wrong("amount_fen"))?,
    })
}

impl HistoryTap {
    /// The paid taps of a card that moved money, newest first.
    pub(crate) fn of(db: &Db, number: CardNumber, most: u32) -> DbResult<Vec<Self>> {
        db.all("SELECT * FROM records WHERE card = $1 AND verdict = 0 AND amount_fen > 0 ORDER BY at DESC LIMIT $2", params![number.raw(), most], |row| {
            let amount: u32 = row.get("amount_fen")?;
            Ok(HistoryTap {
                at: parsed(row, "at")?,
                acquirer: parsed(row, "acquirer")?,
                operator: parsed(row, "operator")?,
                mode: Mode::from_code(row.get("mode")?).ok_or_else(|| wrong("mode"))?,
                amount: PurseFen::try_from(amount).map_err(|_| wrong("amount"))?,
            })
        })
    }
}
