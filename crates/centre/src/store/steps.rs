//! How far an order came (步骤): each step that was begun, with its state, in the order they were first begun.
//!
//! Invariant: a step is written in the transaction that makes it true; one that is repeated keeps its place.

use super::db::{Db, DbResult, params};
use model::{CardTime, WalletId};

use super::{parsed, words};

words! {
    /// A step of an order.
    StepName {
        /// The wallet's word is written down.
        Placed = "placed",
        /// The deny list names the card, or names it no more.
        List = "list",
        /// A phone or a card is there.
        Contact = "contact",
        /// The amount is named in the books, before the card may get it.
        Reserve = "reserve",
        /// The card has proven it.
        Prove = "prove",
        /// The card is as the order wanted it.
        Card = "card",
        /// The new card of a move is on its phone.
        NewCard = "new-card",
        /// A move's value is named in the books, before the new card may get it.
        ReserveNew = "reserve-new",
        /// The new card of a move has proven it.
        ProveNew = "prove-new",
        /// The money goes back to the passenger.
        GiveBack = "give-back",
    }
}

words! {
    /// How a step stands.
    StepState {
        /// Begun.
        Running = "running",
        /// Sent, and no proof of either end has come.
        InDoubt = "in_doubt",
        /// Done, as the phone says; nothing that it brought proves it.
        Reported = "reported",
        /// Done.
        Done = "done",
        /// Proven not to have happened, or taken back.
        Undone = "undone",
    }
}

/// One step of one order.
#[derive(Clone, Debug)]
pub(crate) struct StepRow {
    pub(crate) name: StepName,
    pub(crate) state: StepState,
    pub(crate) at: CardTime,
}

impl StepRow {
    /// Writes down how a step stands now.
    pub(crate) fn note(
        db: &Db,
        order: (&WalletId, &str),
        name: StepName,
        state: StepState,
        at: CardTime,
    ) -> DbResult<()> {
        db.execute(
            "INSERT INTO steps (wallet, \"order\", name, state, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (wallet, \"order\", name) DO UPDATE SET state = excluded.state, at = excluded.at",
            params![order.0.as_str(), order.1, name.as_str(), state.as_str(), at.to_string()],
        )?;
        Ok(())
    }

    /// The steps of an order, in the order they were begun.
    pub(crate) fn of(db: &Db, wallet: &WalletId, order: &str) -> DbResult<Vec<Self>> {
        db.all(
            "SELECT * FROM steps WHERE wallet = $1 AND \"order\" = $2 ORDER BY seq",
            params![wallet.as_str(), order],
            |row| {
                Ok(StepRow {
                    name: parsed(row, "name")?,
                    state: parsed(row, "state")?,
                    at: parsed(row, "at")?,
                })
            },
        )
    }
}
