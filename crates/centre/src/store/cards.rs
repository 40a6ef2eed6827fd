//! Cards that wallets had made (通卡), from planned to deleted.

use super::db::{Db, DbResult, Row, params};
use model::{CardNumber, CardTime, CityCode, PurseFen, WalletId};

use super::outbox::tell_card;
use super::{parsed, parsed_if_any, words};
use crate::problem::{Code, Problem};

words! {
    /// How far a card has come.
    CardState {
        /// It has a number, and no application on the phone yet.
        Planned = "planned",
        /// It is on the phone.
        Issued = "issued",
        /// Its phone is lost: no orders but one that resumes it.
        Suspended = "suspended",
        /// Its value went back to the passenger; it may still be on the phone.
        Returned = "returned",
        /// It was taken off the phone.
        Deleted = "deleted",
    }
}

/// One card.
#[derive(Clone, Debug)]
pub(crate) struct CardRow {
    pub(crate) wallet: WalletId,
    pub(crate) id: String,
    pub(crate) digest: [u8; 32],
    pub(crate) user: String,
    pub(crate) city: CityCode,
    pub(crate) phone: String,
    pub(crate) se_id: String,
    pub(crate) number: CardNumber,
    pub(crate) state: CardState,
    pub(crate) balance: Option<PurseFen>,
    pub(crate) seen_at: Option<CardTime>,
    /// The card on an earlier phone whose value it got.
    pub(crate) moved_from: Option<CardNumber>,
}

/// Twelve decimal digits follow the city's code in a card number.
const LAST_NUMBER: u64 = 999_999_999_999;

impl CardRow {
    fn read(row: &Row<'_>) -> DbResult<Self> {
        Ok(CardRow {
            wallet: parsed(row, "wallet")?,
            id: row.get("id")?,
            digest: row.get("digest")?,
            user: row.get("user")?,
            city: parsed(row, "city")?,
            phone: row.get("phone")?,
            se_id: row.get("se_id")?,
            number: parsed(row, "number")?,
            state: parsed(row, "state")?,
            balance: row.get::<Option<u32>>("balance_fen")?.and_then(|fen| PurseFen::try_from(fen).ok()),
            seen_at: parsed_if_any(row, "seen_at")?,
            moved_from: parsed_if_any(row, "moved_from")?,
        })
    }

    pub(crate) fn find(db: &Db, wallet: &WalletId, id: &str) -> DbResult<Option<Self>> {
        db.one(
            "SELECT * FROM cards WHERE wallet = $1 AND id = $2",
            params![wallet.as_str(), id],
            CardRow::read,
        )
    }

    /// The card of this number, whoever ordered it; none of ours if it is plastic.
    pub(crate) fn of_number(db: &Db, city: CityCode, number: CardNumber) -> DbResult<Option<Self>> {
        db.one(
            "SELECT * FROM cards WHERE city = $1 AND number = $2",
            params![city.to_string(), number.raw()],
            CardRow::read,
        )
    }

    /// Whether it is the number of a card that lives, or will, on a phone.
    pub(crate) fn is_virtual(db: &Db, city: CityCode, number: CardNumber) -> DbResult<bool> {
        db.figure(
            "SELECT EXISTS (SELECT 1 FROM cards WHERE city = $1 AND number = $2)",
            params![city.to_string(), number.raw()],
        )
    }

    /// The cards of one element that are, or may be, on it.
    pub(crate) fn on_element(db: &Db, se_id: &str) -> DbResult<Vec<Self>> {
        db.all(
            "SELECT * FROM cards WHERE se_id = $1 AND state IN ('issued', 'suspended') ORDER BY number",
            params![se_id],
            CardRow::read,
        )
    }

    /// Whether a card of this city that is, or may be, on this element has ever had a load reserved, whatever became of
    /// it. This card counts, too; one that has proven itself empty does not.
    pub(crate) fn neighbour_may_hold_value(&self, db: &Db) -> DbResult<bool> {
        db.figure(
            "SELECT EXISTS (
                 SELECT 1 FROM cards JOIN orders ON orders.number = cards.number
                 WHERE cards.se_id = $1 AND cards.city = $2 AND cards.state NOT IN ('deleted', 'returned')
                       AND orders.reservation IS NOT NULL
             )",
            params![&self.se_id, self.city.to_string()],
        )
    }

    /// Whether an order is under way that may take the card's instance off its phone: then nothing is loaded. A move does
    /// so while its new card is still to be issued.
    pub(crate) fn may_be_taken_off(&self, db: &Db) -> DbResult<bool> {
        db.figure(
            "SELECT EXISTS (
                 SELECT 1 FROM cards
                 JOIN orders ON orders.wallet = cards.wallet AND orders.card = cards.id
                 WHERE cards.se_id = $1 AND cards.city = $2
                       AND orders.state = 'running'
                       AND (orders.kind IN ('issue', 'delete')
                            OR orders.kind = 'move' AND cards.state = 'planned')
             )",
            params![&self.se_id, self.city.to_string()],
        )
    }

    pub(crate) fn insert(&self, db: &Db) -> DbResult<()> {
        db.execute(
            "INSERT INTO cards (wallet, id, digest, \"user\", city, phone, se_id, number, state)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                self.wallet.as_str(),
                &self.id,
                self.digest,
                &self.user,
                self.city.to_string(),
                &self.phone,
                &self.se_id,
                self.number.raw(),
                self.state.as_str(),
            ],
        )?;
        Ok(())
    }

    /// A card's new state, of which its wallet is told.
    pub(crate) fn set_state(
        db: &Db,
        wallet: &WalletId,
        id: &str,
        state: CardState,
        at: CardTime,
    ) -> DbResult<()> {
        db.execute(
            "UPDATE cards SET state = $3 WHERE wallet = $1 AND id = $2",
            params![wallet.as_str(), id, state.as_str()],
        )?;
        CardRow::find(db, wallet, id)?.map_or(Ok(()), |card| tell_card(db, &card, at))
    }

    /// A card gets the value of one on an earlier phone.
    pub(crate) fn came_from(db: &Db, wallet: &WalletId, id: &str, old: CardNumber) -> DbResult<()> {
        db.execute(
            "UPDATE cards SET moved_from = $3 WHERE wallet = $1 AND id = $2",
            params![wallet.as_str(), id, old.raw()],
        )?;
        Ok(())
    }

    /// What the card itself said last, whoever's card it is.
    pub(crate) fn seen(db: &Db, number: CardNumber, balance: PurseFen, at: CardTime) -> DbResult<()> {
        db.execute(
            "UPDATE cards SET balance_fen = $2, seen_at = $3 WHERE number = $1",
            params![number.raw(), balance.get(), at.to_string()],
        )?;
        Ok(())
    }

    /// Whether the card of this number is suspended.
    pub(crate) fn is_suspended(db: &Db, number: CardNumber) -> DbResult<bool> {
        db.figure(
            "SELECT EXISTS (SELECT 1 FROM cards WHERE number = $1 AND state = 'suspended')",
            params![number.raw()],
        )
    }

    /// How many cards are on phones.
    pub(crate) fn issued(db: &Db) -> DbResult<u64> {
        db.figure("SELECT count(*) FROM cards WHERE state IN ('issued', 'suspended')", params![])
    }

    /// The next number of a city's range: its code, then twelve running digits, all BCD.
    pub(crate) fn next_number(db: &Db, city: CityCode) -> Result<CardNumber, Problem> {
        let running: u64 = db.figure(
            "INSERT INTO numbers (city, last) VALUES ($1, 1)
                 ON CONFLICT (city) DO UPDATE SET last = numbers.last + 1 RETURNING last",
            params![city.to_string()],
        )?;
        if running > LAST_NUMBER {
            return Err(Code::NumbersExhausted.about(city));
        }
        let [a, b] = city.to_bcd();
        let [c, d, e, f, g, h] = model::bcd::encode(running);
        Ok(CardNumber::new([a, b, c, d, e, f, g, h]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_citys_numbers_begin_with_its_code_and_run() {
        let store = Store::in_memory().unwrap();
        let city = "3100".parse().unwrap();
        let numbers: Vec<String> =
            (0..11).map(|_| CardRow::next_number(store.read(), city).unwrap().raw()).collect();
        assert_eq!((numbers[0].as_str(), numbers[10].as_str()), ("3100000000000001", "3100000000000011"));
        assert_eq!(
            CardRow::next_number(store.read(), "2000".parse().unwrap()).unwrap().raw(),
            "2000000000000001"
        );
    }
}
