//! Orders (订单) and their sessions: what a wallet asked for, and how far it has come.

use super::db::{Db, DbError, DbResult, Row, params};
use model::{CardNumber, CardTime, CityCode, Date, PurseFen, Tac, WalletId};
use tsm::{Drain, Reservation};

use super::outbox::tell_order;
use super::{parsed, parsed_if_any, words};

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
        /// A returned card's whole value back to the passenger.
        Refund = "refund",
        /// A card's value onto a new card on another phone.
        Move = "move",
        /// A lost phone's card denied and locked.
        Suspend = "suspend",
        /// It is found: unlocked and on no list.
        Resume = "resume",
    }
}

words! {
    /// How far it has come.
    OrderState {
        /// Written down; no phone has come yet.
        Created = "created",
        /// A phone came, and no CREDIT FOR LOAD is unanswered.
        Running = "running",
        /// A CREDIT FOR LOAD is, or may be, unanswered.
        InDoubt = "in_doubt",
        /// Done, and proven where money moved.
        Done = "done",
        /// Not done; no money moved.
        Refused = "refused",
    }
}

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct OrderRow {
    pub(crate) seq: u64,
    pub(crate) wallet: WalletId,
    pub(crate) id: String,
    pub(crate) digest: [u8; 32],
    pub(crate) kind: OrderKind,
    /// The wallet's id of the card; `None` for a plastic card.
    pub(crate) card: Option<String>,
    /// The number: of a plastic card only after it was seen.
    pub(crate) number: Option<CardNumber>,
    pub(crate) city: Option<CityCode>,
    pub(crate) amount: PurseFen,
    pub(crate) reference: Option<String>,
    pub(crate) session: String,
    pub(crate) state: OrderState,
    pub(crate) code: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) balance: Option<PurseFen>,
    pub(crate) reservation: Option<Reservation>,
    /// The purchase that takes a returned card's value off it.
    pub(crate) drain: Option<Drain>,
    /// The card's proof that it has the value.
    pub(crate) tac: Option<Tac>,
    /// Counts the jobs that were begun for it: what an earlier one would write is refused.
    pub(crate) attempt: u32,
    pub(crate) placed_at: CardTime,
    pub(crate) changed_at: CardTime,
}

pub(super) const SELECT: &str = "SELECT orders.*, sessions.id AS session FROM orders
    JOIN sessions ON sessions.wallet = orders.wallet AND sessions.\"order\" = orders.id";

/// Whose loads are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted<'a> {
    /// One card's, by the wallet's id of it.
    Card(&'a str),
    /// Those of all cards of the passenger who has this one.
    UserOf(&'a str),
    /// All of the wallet.
    Wallet,
}

impl OrderRow {
    /// How many loads were placed since a moment and are not refused, and their sum in fen.
    pub(crate) fn loads_since(
        db: &Db,
        wallet: &WalletId,
        of: Counted<'_>,
        since: CardTime,
    ) -> DbResult<(u64, i64)> {
        let (which, card) = match of {
            Counted::Card(card) => ("card = $3", card),
            Counted::UserOf(card) => (
                "card IN (SELECT theirs.id FROM cards theirs JOIN cards this ON this.wallet = theirs.wallet
                          AND this.\"user\" = theirs.\"user\" WHERE this.wallet = $1 AND this.id = $3)",
                card,
            ),
            Counted::Wallet => ("$3 = ''", ""),
        };
        let sql = format!(
            "SELECT count(*), CAST(coalesce(sum(amount_fen), 0) AS BIGINT) FROM orders
             WHERE wallet = $1 AND kind = 'load' AND state <> 'refused' AND placed_at >= $2 AND {which}"
        );
        let sums = db.one(&sql, params![wallet.as_str(), since.to_string(), card], |row| {
            Ok((row.at(0)?, row.at(1)?))
        })?;
        Ok(sums.unwrap_or_default())
    }

    /// When the load of a card was placed that comes after `over` others since a moment, refused ones aside.
    pub(crate) fn load_since(
        db: &Db,
        wallet: &WalletId,
        card: &str,
        since: CardTime,
        over: u64,
    ) -> DbResult<Option<CardTime>> {
        let sql = "SELECT placed_at FROM orders WHERE wallet = $1 AND kind = 'load' AND state <> 'refused'
                   AND placed_at >= $2 AND card = $3 ORDER BY placed_at LIMIT 1 OFFSET $4";
        db.one(sql, params![wallet.as_str(), since.to_string(), card, over], |row| parsed(row, "placed_at"))
    }

    pub(super) fn read(row: &Row<'_>) -> DbResult<Self> {
        let fen = |column: &str| -> DbResult<Option<PurseFen>> {
            Ok(row.get::<Option<u32>>(column)?.and_then(|fen| PurseFen::try_from(fen).ok()))
        };
        let reservation: Option<Vec<u8>> = row.get("reservation")?;
        let reservation = reservation
            .map(|bytes| minicbor::decode(&bytes))
            .transpose()
            .map_err(|e| DbError::Column { column: "reservation".into(), what: e.to_string() })?;
        let drain: Option<Vec<u8>> = row.get("drain")?;
        let drain = drain
            .map(|bytes| minicbor::decode(&bytes))
            .transpose()
            .map_err(|e| DbError::Column { column: "drain".into(), what: e.to_string() })?;
        Ok(OrderRow {
            drain,
            seq: row.get("seq")?,
            wallet: parsed(row, "wallet")?,
            id: row.get("id")?,
            digest: row.get("digest")?,
            kind: parsed(row, "kind")?,
            card: row.get("card")?,
            number: parsed_if_any(row, "number")?,
            city: parsed_if_any(row, "city")?,
            amount: fen("amount_fen")?.unwrap_or_default(),
            reference: row.get("reference")?,
            session: row.get("session")?,
            state: parsed(row, "state")?,
            code: row.get("code")?,
            about: row.get("about")?,
            balance: fen("balance_fen")?,
            reservation,
            tac: row.get::<Option<u32>>("tac")?.map(Tac::from_u32),
            attempt: row.get("attempt")?,
            placed_at: parsed(row, "placed_at")?,
            changed_at: parsed(row, "changed_at")?,
        })
    }

    pub(crate) fn find(db: &Db, wallet: &WalletId, id: &str) -> DbResult<Option<Self>> {
        db.one(
            &format!("{SELECT} WHERE orders.wallet = $1 AND orders.id = $2"),
            params![wallet.as_str(), id],
            OrderRow::read,
        )
    }

    pub(crate) fn of_session(db: &Db, session: &str) -> DbResult<Option<Self>> {
        db.one(&format!("{SELECT} WHERE sessions.id = $1"), params![session], OrderRow::read)
    }

    /// A wallet's orders after `seq`, oldest first.
    pub(crate) fn after(db: &Db, wallet: &WalletId, seq: u64, most: u32) -> DbResult<Vec<Self>> {
        db.all(
            &format!("{SELECT} WHERE orders.wallet = $1 AND seq > $2 ORDER BY seq LIMIT $3"),
            params![wallet.as_str(), seq, most],
            OrderRow::read,
        )
    }

    /// The order of a card's number whose CREDIT FOR LOAD has no proven end. There is at most one: a load that is
    /// in doubt is settled before another begins.
    pub(crate) fn unsettled(db: &Db, number: CardNumber) -> DbResult<Option<Self>> {
        db.one(
            &format!(
                "{SELECT} WHERE number = $1 AND reservation IS NOT NULL AND state = 'in_doubt'
             ORDER BY seq LIMIT 1"
            ),
            params![number.raw()],
            OrderRow::read,
        )
    }

    /// Whether the card has an order of this kind that is not refused.
    pub(crate) fn exists(db: &Db, wallet: &WalletId, card: &str, kind: OrderKind) -> DbResult<bool> {
        db.figure("SELECT EXISTS (SELECT 1 FROM orders WHERE wallet = $1 AND card = $2 AND kind = $3 AND state <> 'refused')", params![wallet.as_str(), card, kind.as_str()])
    }

    /// Whether an order of this kind came as far as the card before it was refused, and none is under way.
    pub(crate) fn was_begun(db: &Db, wallet: &WalletId, card: &str, kind: OrderKind) -> DbResult<bool> {
        let begun: bool = db.figure("SELECT EXISTS (SELECT 1 FROM orders WHERE wallet = $1 AND card = $2 AND kind = $3 AND attempt > 0)", params![wallet.as_str(), card, kind.as_str()])?;
        Ok(begun && !OrderRow::exists(db, wallet, card, kind)?)
    }

    /// How a card's refund stands, or its move away, if it is in doubt or done; `but` is not counted.
    pub(crate) fn refund_of(db: &Db, number: CardNumber, but: u64) -> DbResult<Option<OrderState>> {
        db.one(
            "SELECT state FROM orders WHERE number = $1 AND seq <> $2
               AND (kind = 'refund' AND state IN ('in_doubt', 'done')
                    OR kind = 'move' AND state = 'in_doubt' AND drain IS NOT NULL) LIMIT 1",
            params![number.raw(), but],
            |row| parsed(row, "state"),
        )
    }

    /// Loads that a card has proven, and value moved to it, newest first.
    pub(crate) fn loads_of(db: &Db, number: CardNumber, most: u32) -> DbResult<Vec<Self>> {
        db.all(
            &format!(
                "{SELECT} WHERE number = $1 AND kind IN ('load', 'move') AND amount_fen > 0 AND state = 'done'
                 ORDER BY seq DESC LIMIT $2"
            ),
            params![number.raw(), most],
            OrderRow::read,
        )
    }

    /// A card's loads whose offer is written down, placed since a moment.
    pub(crate) fn reserved_since(db: &Db, number: CardNumber, since: CardTime) -> DbResult<Vec<Self>> {
        db.all(
            &format!(
                "{SELECT} WHERE number = $1 AND reservation IS NOT NULL AND kind IN ('load', 'move') AND placed_at >= $2
                 ORDER BY seq"
            ),
            params![number.raw(), since.to_string()],
            OrderRow::read,
        )
    }

    pub(crate) fn insert(&self, db: &Db) -> DbResult<()> {
        db.execute(
            "INSERT INTO orders (wallet, id, digest, kind, card, number, city, amount_fen, reference, state,
                                 placed_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
            params![
                self.wallet.as_str(),
                &self.id,
                self.digest,
                self.kind.as_str(),
                &self.card,
                self.number.map(CardNumber::raw),
                self.city.map(|city| city.to_string()),
                self.amount.get(),
                &self.reference,
                self.state.as_str(),
                self.placed_at.to_string(),
            ],
        )?;
        db.execute(
            "INSERT INTO sessions (id, wallet, \"order\") VALUES ($1, $2, $3)",
            params![&self.session, self.wallet.as_str(), &self.id],
        )?;
        Ok(())
    }

    /// A new attempt begins. `false`: another has begun since this row was read, or the order is over.
    pub(crate) fn begin(&mut self, db: &Db) -> DbResult<bool> {
        let changed = db.execute(
            "UPDATE orders SET attempt = attempt + 1
                 WHERE wallet = $1 AND id = $2 AND attempt = $3 AND state NOT IN ('done', 'refused')",
            params![self.wallet.as_str(), &self.id, self.attempt],
        )?;
        self.attempt = self.attempt.saturating_add(1);
        Ok(changed == 1)
    }

    /// An order by its running number, as the ledger's entries name it.
    pub(crate) fn numbered(db: &Db, seq: u64) -> DbResult<Option<Self>> {
        db.one(&format!("{SELECT} WHERE orders.seq = $1"), params![seq], OrderRow::read)
    }

    /// Writes down everything that may change after an order was placed, and tells its wallet of a new state. `false`:
    /// another attempt has begun since this row was read, or the order is over, or it would be the second in doubt on its
    /// card; nothing was written.
    pub(crate) fn update(&self, db: &Db) -> DbResult<bool> {
        let before: Option<String> = db.one(
            "SELECT state FROM orders WHERE wallet = $1 AND id = $2",
            params![self.wallet.as_str(), &self.id],
            |row| row.get("state"),
        )?;
        let drain = self.drain.as_ref().and_then(|d| minicbor::to_vec(d).ok());
        let reservation = self.reservation.as_ref().and_then(|r| minicbor::to_vec(r).ok());
        let changed = db.execute(
            "UPDATE orders SET number = $3, city = $4, state = $5, code = $6, about = $7, balance_fen = $8,
                               reservation = $9, tac = $10, changed_at = $11, drain = $13, amount_fen = $14, card = $15
             WHERE wallet = $1 AND id = $2 AND attempt = $12 AND state NOT IN ('done', 'refused')
               AND ($5 <> 'in_doubt' OR NOT EXISTS
                    (SELECT 1 FROM orders AS other WHERE other.number = $3 AND other.seq <> orders.seq
                     AND other.state = 'in_doubt'))",
            params![
                self.wallet.as_str(),
                &self.id,
                self.number.map(CardNumber::raw),
                self.city.map(|city| city.to_string()),
                self.state.as_str(),
                &self.code,
                &self.about,
                self.balance.map(PurseFen::get),
                reservation,
                self.tac.map(Tac::as_u32),
                self.changed_at.to_string(),
                self.attempt,
                drain,
                self.amount.get(),
                &self.card,
            ],
        )?;
        if changed == 1 && before.is_some_and(|before| before != self.state.as_str()) {
            tell_order(db, self)?;
        }
        Ok(changed == 1)
    }

    /// How many loads are done, and their sum in fen.
    pub(crate) fn loads_done(db: &Db) -> DbResult<(u64, i64)> {
        let sums = db.one(
            "SELECT count(*), CAST(coalesce(sum(amount_fen), 0) AS BIGINT) FROM orders
             WHERE kind = 'load' AND state = 'done'",
            params![],
            |row| Ok((row.at(0)?, row.at(1)?)),
        )?;
        Ok(sums.unwrap_or_default())
    }

    /// The day it was placed.
    pub(crate) fn day(&self) -> Date {
        self.placed_at.date()
    }
}
