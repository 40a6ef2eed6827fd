//! The daily file (对账文件) and the books: what the wallet holds against the centre's word and the cards' counters.
//!
//! Invariant: nothing here changes anything; a file names every order that was placed or changed on its day.

use std::fmt::Write as _;

use model::Date;

use crate::core::Core;
use crate::money::{self, Books};
use crate::problem::{Code, Problem};
use crate::store::OrderRow;

const HEADER: &str = "order,kind,card,amount_fen,state,balance_fen,placed_at,changed_at\n";

impl Core {
    /// A day's file for the match: CSV with a header, a line for each order, oldest first, as known now. `card` is
    /// the wallet's id of it, empty for a plastic card; no field needs quoting.
    ///
    /// # Errors
    /// The store's.
    pub fn daily_file(&self, day: Date) -> Result<String, Problem> {
        let orders = OrderRow::of_day(self.state().store.read(), day)?;
        let mut file = HEADER.to_owned();
        for order in &orders {
            let card = order.card.as_deref().unwrap_or_default();
            let balance = order.balance.map(|fen| fen.get().to_string()).unwrap_or_default();
            writeln!(
                file,
                "{},{},{card},{},{},{balance},{},{}",
                order.id,
                order.kind.as_str(),
                order.amount.get(),
                order.state.as_str(),
                order.placed_at,
                order.changed_at
            )
            .map_err(|error| Code::Internal.about(error))?;
        }
        Ok(file)
    }

    /// The whole ledger in four figures, its log added up anew.
    ///
    /// # Errors
    /// The store's, or a ledger that does not add up.
    pub fn books(&self) -> Result<Books, Problem> {
        money::books(self.state().ledger())
    }
}
