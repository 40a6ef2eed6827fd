//! The centre's small journals: events for its page, nonces of signatures, closed days.

use super::db::{Db, DbResult, params};
use model::{CardTime, Date, Fen};

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
    pub(crate) fn insert(&self, db: &Db) -> DbResult<()> {
        db.execute(
            "INSERT INTO events (at, kind, about, amount_fen) VALUES ($1, $2, $3, $4)",
            params![self.at.to_string(), &self.kind, &self.about, self.amount.map(Fen::get)],
        )?;
        Ok(())
    }

    /// The last `most`, newest first.
    pub(crate) fn last(db: &Db, most: u32) -> DbResult<Vec<Self>> {
        db.all("SELECT * FROM events ORDER BY seq DESC LIMIT $1", params![most], |row| {
            Ok(Event {
                at: parsed(row, "at")?,
                kind: row.get("kind")?,
                about: row.get("about")?,
                amount: row.get::<Option<i64>>("amount_fen")?.map(Fen::new),
            })
        })
    }
}

/// Writes a signature's nonce down; `false` if it was there already. Those older than `oldest` are forgotten:
/// their signatures are refused for their time.
pub(crate) fn use_nonce(db: &Db, keyid: &str, nonce: &str, created: i64, oldest: i64) -> DbResult<bool> {
    db.execute("DELETE FROM nonces WHERE created < $1", params![oldest])?;
    let added = db.execute(
        "INSERT INTO nonces (keyid, nonce, created) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        params![keyid, nonce, created],
    )?;
    Ok(added == 1)
}

/// The last closed clearing day.
pub(crate) fn last_closed(db: &Db) -> DbResult<Option<Date>> {
    db.one("SELECT day FROM days ORDER BY day DESC LIMIT 1", params![], |row| parsed(row, "day"))
}

/// Writes down that `day` is closed; again is no error.
pub(crate) fn close(db: &Db, day: Date, at: CardTime) -> DbResult<()> {
    db.execute(
        "INSERT INTO days (day, closed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        params![day.to_string(), at.to_string()],
    )?;
    Ok(())
}
