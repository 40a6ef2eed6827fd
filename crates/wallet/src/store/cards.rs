//! Cards (通卡) that passengers ordered, as far as the centre has told of them.

use model::{CardNumber, CardTime, CityCode, PurseFen};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{parsed, parsed_if_any, strange, words};

words! {
    /// How far a card has come.
    CardState {
        /// It is ordered.
        Planned = "planned",
        /// It is on the phone.
        Issued = "issued",
        /// It was ordered, and never came to be.
        Refused = "refused",
        /// It was taken off the phone.
        Deleted = "deleted",
        /// It was given back, and its value with it.
        Returned = "returned",
    }
}

/// One card.
#[derive(Clone, Debug)]
pub(crate) struct CardRow {
    pub(crate) id: String,
    pub(crate) passenger: String,
    pub(crate) city: CityCode,
    pub(crate) se_id: String,
    pub(crate) number: Option<CardNumber>,
    pub(crate) state: CardState,
    pub(crate) balance: Option<PurseFen>,
    pub(crate) seen_at: Option<CardTime>,
}

impl CardRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let state: String = row.get("state")?;
        Ok(CardRow {
            id: row.get("id")?,
            passenger: row.get("passenger")?,
            city: parsed(row, "city")?,
            se_id: row.get("se_id")?,
            number: parsed_if_any(row, "number")?,
            state: CardState::from_word(&state).map_err(strange)?,
            balance: row.get::<_, Option<u32>>("balance_fen")?.and_then(|fen| PurseFen::try_from(fen).ok()),
            seen_at: parsed_if_any(row, "seen_at")?,
        })
    }

    pub(crate) fn find(db: &Connection, id: &str) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached("SELECT * FROM cards WHERE id = ?1")?
            .query_row(params![id], CardRow::read)
            .optional()
    }

    /// A passenger's cards, oldest first.
    pub(crate) fn of(db: &Connection, passenger: &str) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached("SELECT * FROM cards WHERE passenger = ?1 ORDER BY seq")?
            .query_map(params![passenger], CardRow::read)?
            .collect()
    }

    pub(crate) fn insert(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached(
            "INSERT INTO cards (id, passenger, city, se_id, state) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            self.id,
            self.passenger,
            self.city.to_string(),
            self.se_id,
            self.state.as_str()
        ])?;
        Ok(())
    }

    /// Writes down everything that may change after a card was ordered.
    pub(crate) fn update(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached(
            "UPDATE cards SET number = ?2, state = ?3, balance_fen = ?4, seen_at = ?5 WHERE id = ?1",
        )?
        .execute(params![
            self.id,
            self.number.map(CardNumber::raw),
            self.state.as_str(),
            self.balance.map(PurseFen::get),
            self.seen_at.map(|at| at.to_string()),
        ])?;
        Ok(())
    }
}
