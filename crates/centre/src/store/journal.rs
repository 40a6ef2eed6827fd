//! The centre's small journals: events for its page, nonces of signatures, closed days.

use model::{CardTime, Date, Fen};
use rusqlite::{Connection, OptionalExtension, params};

use super::parsed;

/// Something that happened, for the page.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: CardTime,
    /// A key of the texts.
    pub(crate) kind: String,
    /// A city, a wallet, a file; never a whole card number.
    pub(crate) about: String,
    pub(crate) amount: Option<Fen>,
}

impl Event {
    pub(crate) fn insert(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached("INSERT INTO events (at, kind, about, amount_fen) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![self.at.to_string(), self.kind, self.about, self.amount.map(Fen::get)])?;
        Ok(())
    }

    /// The last `most`, newest first.
    pub(crate) fn last(db: &Connection, most: u32) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached("SELECT * FROM events ORDER BY seq DESC LIMIT ?1")?
            .query_map(params![most], |row| {
                Ok(Event {
                    at: parsed(row, "at")?,
                    kind: row.get("kind")?,
                    about: row.get("about")?,
                    amount: row.get::<_, Option<i64>>("amount_fen")?.map(Fen::new),
                })
            })?
            .collect()
    }
}

/// Writes a signature's nonce down; `false` if it was there already. Those older than `oldest` are forgotten:
/// their signatures are refused for their time.
pub(crate) fn use_nonce(
    db: &Connection,
    keyid: &str,
    nonce: &str,
    created: i64,
    oldest: i64,
) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM nonces WHERE created < ?1")?.execute(params![oldest])?;
    let added = db
        .prepare_cached(
            "INSERT INTO nonces (keyid, nonce, created) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![keyid, nonce, created])?;
    Ok(added == 1)
}

/// The last closed clearing day.
pub(crate) fn last_closed(db: &Connection) -> rusqlite::Result<Option<Date>> {
    db.prepare_cached("SELECT day FROM days ORDER BY day DESC LIMIT 1")?
        .query_row([], |row| parsed(row, "day"))
        .optional()
}

/// Writes down that `day` is closed; again is no error.
pub(crate) fn close(db: &Connection, day: Date, at: CardTime) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO days (day, closed_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![day.to_string(), at.to_string()])?;
    Ok(())
}
