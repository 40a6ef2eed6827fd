//! Moves to a new phone (迁出、迁入): which card's value goes to which, and where it stands between them.
//!
//! Invariant: a row changes in the transaction that changes its order's row, so the two never tell different stories.

use model::{CardNumber, PurseFen, Tac, WalletId};
use tsm::Drain;

use super::db::{Db, DbError, DbResult, Row, params};
use super::{parsed, words};

words! {
    /// Where the value is.
    MovePhase {
        /// On the old card, or in doubt there.
        Out = "out",
        /// It has left the old card: in the order, in doubt on the new card, or on it.
        In = "in",
        /// To be paid back to the passenger; not yet in the books.
        Refunding = "refunding",
        /// Paid back.
        Refunded = "refunded",
    }
}

/// What an order of kind `move` has beside its row.
#[derive(Clone, Debug)]
pub(crate) struct MoveRow {
    pub(crate) wallet: WalletId,
    pub(crate) order: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) from_number: CardNumber,
    pub(crate) phase: MovePhase,
    pub(crate) amount: PurseFen,
    /// The purchase by which the value left the old card, with its TAC.
    pub(crate) out: Option<(Drain, Tac)>,
    pub(crate) hop: u32,
}

impl MoveRow {
    fn read(row: &Row<'_>) -> DbResult<Self> {
        let drain: Option<Vec<u8>> = row.get("drain")?;
        let drain = drain
            .map(|bytes| minicbor::decode(&bytes))
            .transpose()
            .map_err(|e| DbError::Column { column: "drain".into(), what: e.to_string() })?;
        let tac = row.get::<Option<u32>>("tac")?.map(Tac::from_u32);
        Ok(MoveRow {
            wallet: parsed(row, "wallet")?,
            order: row.get("order")?,
            from: row.get("from_card")?,
            to: row.get("to_card")?,
            from_number: parsed(row, "from_number")?,
            phase: parsed(row, "phase")?,
            amount: PurseFen::try_from(row.get::<u32>("amount_fen")?).unwrap_or_default(),
            out: drain.zip(tac),
            hop: row.get("hop")?,
        })
    }

    pub(crate) fn find(db: &Db, wallet: &WalletId, order: &str) -> DbResult<Option<Self>> {
        db.one(
            "SELECT * FROM moves WHERE wallet = $1 AND \"order\" = $2",
            params![wallet.as_str(), order],
            MoveRow::read,
        )
    }

    /// Writes it down, new or changed.
    pub(crate) fn keep(&self, db: &Db) -> DbResult<()> {
        let (drain, tac) = self.out.unzip();
        db.execute(
            "INSERT INTO moves (wallet, \"order\", from_card, to_card, from_number, phase, amount_fen, drain, tac, hop)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (wallet, \"order\") DO UPDATE SET to_card = excluded.to_card, phase = excluded.phase,
                 amount_fen = excluded.amount_fen, drain = excluded.drain, tac = excluded.tac, hop = excluded.hop",
            params![
                self.wallet.as_str(),
                &self.order,
                &self.from,
                &self.to,
                self.from_number.raw(),
                self.phase.as_str(),
                self.amount.get(),
                drain.and_then(|drain| minicbor::to_vec(drain).ok()),
                tac.map(Tac::as_u32),
                self.hop,
            ],
        )?;
        Ok(())
    }

    /// Whether a card's value has left it by a move: it gets no other.
    pub(crate) fn has_left(db: &Db, number: CardNumber) -> DbResult<bool> {
        db.figure(
            "SELECT EXISTS (SELECT 1 FROM moves WHERE from_number = $1 AND phase <> 'out')",
            params![number.raw()],
        )
    }

    /// Whether an order that is not over brings value to this card.
    pub(crate) fn aims_at(db: &Db, wallet: &WalletId, card: &str, but: &str) -> DbResult<bool> {
        db.figure(
            "SELECT EXISTS (SELECT 1 FROM moves JOIN orders ON orders.wallet = moves.wallet AND orders.id = moves.\"order\"
             WHERE moves.wallet = $1 AND moves.to_card = $2 AND orders.state NOT IN ('done', 'refused')
               AND moves.\"order\" <> $3)",
            params![wallet.as_str(), card, but],
        )
    }

    /// Moves whose value goes back and is not yet in the books as such.
    pub(crate) fn refunding(db: &Db) -> DbResult<Vec<Self>> {
        db.all("SELECT * FROM moves WHERE phase = 'refunding'", params![], MoveRow::read)
    }
}
