//! Attempts (围栏): of all the sessions and processes that have an order in hand, the one that began it last counts.
//!
//! Invariant: an order is written by compare and set on its attempt; who was overtaken writes nothing and is told so.
//! Nor is money put at risk on a card that was suspended meanwhile.

use crate::core::{Core, State};
use crate::problem::{Code, Problem};
use crate::store::{CardRow, Db, OrderRow, OrderState};

impl Core {
    /// Cancelled by another process while the money was being held: then it is let go at once.
    pub(crate) fn still_wanted(&self, state: &mut State, order: &OrderRow) -> Result<(), Problem> {
        let stored = OrderRow::find(state.store.read(), &order.wallet, &order.id)?;
        if stored.is_some_and(|stored| stored.state == OrderState::Refused) {
            self.give_back(state, order)?;
            return Err(overtaken(&order.session));
        }
        Ok(())
    }
}

/// Writes an order down together with what belongs to it, if this attempt at it is still the one that counts.
pub(crate) fn save(
    state: &mut State,
    order: &OrderRow,
    more: impl FnOnce(&Db) -> Result<(), Problem>,
) -> Result<(), Problem> {
    state.store.write(|db| {
        let lost = match order.number.filter(|_| order.state == OrderState::InDoubt) {
            Some(number) => CardRow::is_suspended(db, number)?,
            None => false,
        };
        if lost || !order.update(db)? {
            return Err(overtaken(&order.session));
        }
        more(db)
    })
}

/// The phone must shake hands again: its session is not the one that counts.
pub(crate) fn overtaken(session: &str) -> Problem {
    Code::ReportUnexpected.about(masked(session))
}

/// A session's id is a secret; its first digits are enough to find it in a log.
pub(crate) fn masked(session: &str) -> String {
    session.chars().take(6).chain("…".chars()).collect()
}
