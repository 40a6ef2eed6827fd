//! The webhook's secret, and which events were acted on.

use model::CardTime;
use rusqlite::{Connection, OptionalExtension, params};

/// The secret of our webhook, if the centre has told one.
pub(crate) fn hook_secret(db: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT secret FROM hooks WHERE id = ?1")?
        .query_row(params![id], |row| row.get(0))
        .optional()
}

/// Keeps a secret, in place of the one before.
pub(crate) fn keep_secret(db: &Connection, id: &str, secret: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO hooks (id, secret) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET secret = excluded.secret",
    )?
    .execute(params![id, secret])?;
    Ok(())
}

/// Whether an event was acted on before.
pub(crate) fn was_heard(db: &Connection, event: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM heard WHERE id = ?1)")?
        .query_row(params![event], |row| row.get(0))
}

/// Writes down that an event was acted on; those before `oldest` are forgotten.
pub(crate) fn note_heard(
    db: &Connection,
    event: &str,
    at: CardTime,
    oldest: CardTime,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM heard WHERE at < ?1")?.execute(params![oldest.to_string()])?;
    db.prepare_cached("INSERT INTO heard (id, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![event, at.to_string()])?;
    Ok(())
}
