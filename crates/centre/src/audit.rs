//! The auditor's view (审计): how orders stand and what the log says, for whoever checks the centre from outside.
//!
//! Invariant: nothing here changes anything.

use ledger::Line;
use model::{CardNumber, PurseFen, WalletId};

use crate::core::Core;
use crate::problem::Problem;
use crate::store::OrderRow;

/// How an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStanding {
    /// The word for what is asked for, such as `load`.
    pub kind: &'static str,
    /// The word for how far it has come, such as `in_doubt`.
    pub state: &'static str,
    /// The card, once known.
    pub card: Option<CardNumber>,
    /// What the purse is to get; for an issue, what the card costs.
    pub amount: PurseFen,
}

impl Core {
    /// How a wallet's order stands; `None` if the centre has none of this id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn order_standing(&self, wallet: &WalletId, id: &str) -> Result<Option<OrderStanding>, Problem> {
        let order = OrderRow::find(self.state().store.read(), wallet, id)?;
        Ok(order.map(|order| OrderStanding {
            kind: order.kind.as_str(),
            state: order.state.as_str(),
            card: order.number,
            amount: order.amount,
        }))
    }

    /// Lines of the ledger's log after a position, at most so many, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn log_after(&self, position: u64, most: usize) -> Result<Vec<Line>, Problem> {
        Ok(self.state().ledger.read(position, most)?)
    }
}
