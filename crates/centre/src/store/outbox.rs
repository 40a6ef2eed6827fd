//! The outbox (发件箱): what wallets are told, written in the transaction of the change that it tells of.
//!
//! Invariant: an event is there if and only if its change is. Cursors are given afterwards, a wallet at a time, so no
//! change waits for another's; a cursor once given is never followed by a smaller one.

use super::db::{Db, DbResult, Row, params};
use model::{CardTime, WalletId};
use serde_json::{Value, json};

use super::cards::CardRow;
use super::orders::OrderRow;
use super::parsed;
use crate::cancel::CANCELLED;
use crate::problem::Problem;

/// Events that get their cursor in one transaction.
const AT_ONCE: u32 = 500;

/// An event of a wallet's, as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The wallet's cursor.
    pub(crate) seq: u64,
    /// `order:ID` or `card:ID`.
    pub(crate) object: String,
    /// Such as `order.done`.
    pub(crate) kind: String,
    pub(crate) at: CardTime,
    /// JSON.
    pub(crate) data: String,
}

/// Tells of an order whose state has changed.
pub(super) fn tell_order(db: &Db, order: &OrderRow) -> DbResult<()> {
    let mut data = json!({
        "id": order.id,
        "kind": order.kind.as_str(),
        "state": order.state.as_str(),
        "amount_fen": order.amount.get(),
    });
    let optional = [
        ("card", order.card.clone().map(Value::from)),
        ("city", order.city.map(|city| city.to_string().into())),
        ("balance_fen", order.balance.map(|balance| balance.get().into())),
        ("code", order.code.clone().map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            data[name] = value;
        }
    }
    let kind = match order.code.as_deref() {
        Some(CANCELLED) => "order.cancelled".to_owned(),
        _ => format!("order.{}", order.state.as_str()),
    };
    tell(db, &order.wallet, &format!("order:{}", order.id), &kind, order.changed_at, &data)
}

/// Tells of a card whose state has changed.
pub(super) fn tell_card(db: &Db, card: &CardRow, at: CardTime) -> DbResult<()> {
    let state = card.state.as_str();
    let data = json!({ "id": card.id, "city": card.city.to_string(), "state": state });
    tell(db, &card.wallet, &format!("card:{}", card.id), &format!("card.{state}"), at, &data)
}

fn tell(db: &Db, wallet: &WalletId, object: &str, kind: &str, at: CardTime, data: &Value) -> DbResult<()> {
    db.execute(
        "INSERT INTO outbox (wallet, object, type, at, data) VALUES ($1, $2, $3, $4, $5)",
        params![wallet.as_str(), object, kind, at.to_string(), data.to_string()],
    )?;
    Ok(())
}

/// Whether events of this wallet have no cursor yet.
pub(crate) fn is_unnumbered(db: &Db, wallet: &WalletId) -> DbResult<bool> {
    let any: i64 = db.figure(
        "SELECT count(*) FROM (SELECT id FROM outbox WHERE wallet = $1 AND seq IS NULL LIMIT 1) AS new",
        params![wallet.as_str()],
    )?;
    Ok(any > 0)
}

/// Gives the next events of a wallet their cursors. Whoever else numbers the same wallet's waits on its row.
pub(crate) fn number_events(db: &Db, wallet: &WalletId) -> Result<(), Problem> {
    let wallet = wallet.as_str();
    db.execute(
        "INSERT INTO outbox_last (wallet, last) VALUES ($1, 0) ON CONFLICT DO NOTHING",
        params![wallet],
    )?;
    db.execute("UPDATE outbox_last SET last = last WHERE wallet = $1", params![wallet])?;
    let mut last: u64 = db.figure("SELECT last FROM outbox_last WHERE wallet = $1", params![wallet])?;
    let new: Vec<i64> = db.all(
        "SELECT id FROM outbox WHERE wallet = $1 AND seq IS NULL ORDER BY id LIMIT $2",
        params![wallet, AT_ONCE],
        |row| row.at(0),
    )?;
    for id in new {
        last = last.saturating_add(1);
        db.execute("UPDATE outbox SET seq = $1 WHERE id = $2", params![last, id])?;
    }
    db.execute("UPDATE outbox_last SET last = $1 WHERE wallet = $2", params![last, wallet])?;
    Ok(())
}

/// The last cursor of a wallet's events.
pub(crate) fn last_event(db: &Db, wallet: &WalletId) -> DbResult<u64> {
    let last =
        db.one("SELECT last FROM outbox_last WHERE wallet = $1", params![wallet.as_str()], |row| row.at(0))?;
    Ok(last.unwrap_or(0))
}

const SELECT: &str = "SELECT seq, object, type, at, data FROM outbox";

fn read(row: &Row<'_>) -> DbResult<Told> {
    Ok(Told {
        seq: row.get("seq")?,
        object: row.get("object")?,
        kind: row.get("type")?,
        at: parsed(row, "at")?,
        data: row.get("data")?,
    })
}

/// A wallet's events after a cursor, oldest first.
pub(crate) fn events_after(db: &Db, wallet: &WalletId, seq: u64, most: u32) -> DbResult<Vec<Told>> {
    db.all(
        &format!("{SELECT} WHERE wallet = $1 AND seq > $2 ORDER BY seq LIMIT $3"),
        params![wallet.as_str(), seq, most],
        read,
    )
}

impl Told {
    /// One event of a wallet's.
    pub(crate) fn find(db: &Db, wallet: &WalletId, seq: u64) -> DbResult<Option<Self>> {
        db.one(&format!("{SELECT} WHERE wallet = $1 AND seq = $2"), params![wallet.as_str(), seq], read)
    }
}
