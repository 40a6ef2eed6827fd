//! Orders (订单): what a passenger asked for, what was sent to the centre for it, and what the centre said.

use model::{CardNumber, CardTime, Date, PurseFen};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{parsed, parsed_if_any, strange, words};

words! {
    /// What is asked for.
    OrderKind {
        /// A new card on the phone.
        Issue = "issue",
        /// Value onto a card.
        Load = "load",
        /// A look at a card.
        Read = "read",
        /// A card off the phone.
        Delete = "delete",
        /// A card given back, its whole value paid back.
        Refund = "refund",
    }
}

words! {
    /// How far it has come, as far as the wallet knows. Time never changes it; the centre's word does.
    OrderState {
        /// Written down, the money held; the centre has not yet said that it has it.
        Unknown = "unknown",
        /// The centre has it; no phone has come yet.
        Created = "created",
        /// A phone is at work.
        Running = "running",
        /// The card may have the money, or not. It stays held until the card is seen again.
        InDoubt = "in_doubt",
        /// Done, and proven where money moved.
        Done = "done",
        /// Not done; the money is the passenger's again.
        Refused = "refused",
    }
}

impl OrderState {
    /// Nothing changes it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, OrderState::Done | OrderState::Refused)
    }
}

/// Where a phone carries the order out. The id is secret: whoever knows it may carry the order out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Unguessable.
    pub id: String,
    /// Relative to the centre's address.
    pub url: String,
}

/// The id stays out of logs.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why an order was refused: a stable code with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// In English.
    #[serde(default)]
    pub title: String,
    /// In English.
    #[serde(default)]
    pub detail: String,
    /// In Chinese.
    #[serde(default)]
    pub title_zh: String,
    /// In Chinese.
    #[serde(default)]
    pub detail_zh: String,
}

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct OrderRow {
    pub(crate) id: String,
    pub(crate) passenger: String,
    pub(crate) request: Option<String>,
    pub(crate) asked: String,
    pub(crate) kind: OrderKind,
    pub(crate) card: Option<String>,
    pub(crate) amount: PurseFen,
    pub(crate) card_body: Option<String>,
    pub(crate) body: String,
    pub(crate) state: OrderState,
    pub(crate) session: Option<Session>,
    pub(crate) number: Option<CardNumber>,
    pub(crate) balance: Option<PurseFen>,
    pub(crate) refusal: Option<Refusal>,
    /// A refund that is done and perhaps not yet the passenger's in the ledger.
    pub(crate) owed: bool,
    pub(crate) placed_at: CardTime,
    pub(crate) changed_at: CardTime,
}

/// A JSON column.
fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(strange)).transpose()
}

fn to_json<T: Serialize>(value: Option<&T>) -> rusqlite::Result<Option<String>> {
    let text = value.map(serde_json::to_string).transpose();
    text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

impl OrderRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let fen = |column: &str| -> rusqlite::Result<Option<PurseFen>> {
            Ok(row.get::<_, Option<u32>>(column)?.and_then(|fen| PurseFen::try_from(fen).ok()))
        };
        let (kind, state): (String, String) = (row.get("kind")?, row.get("state")?);
        Ok(OrderRow {
            id: row.get("id")?,
            passenger: row.get("passenger")?,
            request: row.get("request")?,
            asked: row.get("asked")?,
            kind: OrderKind::from_word(&kind).map_err(strange)?,
            card: row.get("card")?,
            amount: fen("amount_fen")?.unwrap_or_default(),
            card_body: row.get("card_body")?,
            body: row.get("body")?,
            state: OrderState::from_word(&state).map_err(strange)?,
            session: json(row, "session")?,
            number: parsed_if_any(row, "number")?,
            balance: fen("balance_fen")?,
            refusal: json(row, "refusal")?,
            owed: row.get("owed")?,
            placed_at: parsed(row, "placed_at")?,
            changed_at: parsed(row, "changed_at")?,
        })
    }

    pub(crate) fn find(db: &Connection, id: &str) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached("SELECT * FROM orders WHERE id = ?1")?
            .query_row(params![id], OrderRow::read)
            .optional()
    }

    /// What the app's own id of a request stands for.
    pub(crate) fn requested(
        db: &Connection,
        passenger: &str,
        request: &str,
    ) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached("SELECT * FROM orders WHERE passenger = ?1 AND request = ?2")?
            .query_row(params![passenger, request], OrderRow::read)
            .optional()
    }

    /// A passenger's last orders, newest first.
    pub(crate) fn last_of(db: &Connection, passenger: &str, most: u32) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached("SELECT * FROM orders WHERE passenger = ?1 ORDER BY seq DESC LIMIT ?2")?
            .query_map(params![passenger, most], OrderRow::read)?
            .collect()
    }

    /// The ids of all orders that are not at their end, oldest first.
    pub(crate) fn open(db: &Connection) -> rusqlite::Result<Vec<String>> {
        db.prepare_cached("SELECT id FROM orders WHERE state NOT IN ('done', 'refused') ORDER BY seq")?
            .query_map([], |row| row.get(0))?
            .collect()
    }

    /// The ids of refunds that are done and perhaps not yet credited.
    pub(crate) fn owed(db: &Connection) -> rusqlite::Result<Vec<String>> {
        db.prepare_cached("SELECT id FROM orders WHERE owed = 1 ORDER BY seq")?
            .query_map([], |row| row.get(0))?
            .collect()
    }

    /// Writes down that the ledger has credited a refund.
    pub(crate) fn credited(db: &Connection, id: &str) -> rusqlite::Result<()> {
        db.prepare_cached("UPDATE orders SET owed = 0 WHERE id = ?1")?.execute(params![id])?;
        Ok(())
    }

    /// The orders that were placed or changed on a day, oldest first.
    pub(crate) fn of_day(db: &Connection, day: Date) -> rusqlite::Result<Vec<Self>> {
        let (day, next) = (day.start().to_string(), day.plus_days(1).start().to_string());
        db.prepare_cached(
            "SELECT * FROM orders WHERE (placed_at >= ?1 AND placed_at < ?2) OR (changed_at >= ?1 AND changed_at < ?2)
             ORDER BY seq",
        )?
        .query_map(params![day, next], OrderRow::read)?
        .collect()
    }

    /// The day of the first order.
    pub(crate) fn first_day(db: &Connection) -> rusqlite::Result<Option<Date>> {
        let first: Option<CardTime> = db
            .query_row("SELECT placed_at FROM orders ORDER BY seq LIMIT 1", [], |row| {
                parsed(row, "placed_at")
            })
            .optional()?;
        Ok(first.map(|at| at.date()))
    }

    pub(crate) fn insert(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached(
            "INSERT INTO orders (id, passenger, request, asked, kind, card, amount_fen, card_body, body, state,
                                 placed_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)",
        )?
        .execute(params![
            self.id,
            self.passenger,
            self.request,
            self.asked,
            self.kind.as_str(),
            self.card,
            self.amount.get(),
            self.card_body,
            self.body,
            self.state.as_str(),
            self.placed_at.to_string(),
        ])?;
        Ok(())
    }

    /// Writes down everything that may change after an order was placed.
    pub(crate) fn update(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached(
            "UPDATE orders SET state = ?2, session = ?3, number = ?4, balance_fen = ?5, refusal = ?6,
                               changed_at = ?7, amount_fen = ?8, owed = ?9
             WHERE id = ?1",
        )?
        .execute(params![
            self.id,
            self.state.as_str(),
            to_json(self.session.as_ref())?,
            self.number.map(CardNumber::raw),
            self.balance.map(PurseFen::get),
            to_json(self.refusal.as_ref())?,
            self.changed_at.to_string(),
            self.amount.get(),
            self.owed,
        ])?;
        Ok(())
    }
}
