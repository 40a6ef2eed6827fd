//! Orders that suspend and resume cards (挂失, 解挂), by card and by element.

use super::db::{Db, DbResult, params};
use super::orders::{OrderKind, OrderRow, SELECT};
use model::WalletId;

/// Of these kinds, and not over.
const OPEN: &str = "kind IN ('suspend', 'resume') AND orders.state IN ('created', 'running')";

impl OrderKind {
    /// Whether its script locks or unlocks an instance.
    pub(crate) const fn is_lock(self) -> bool {
        matches!(self, OrderKind::Suspend | OrderKind::Resume)
    }
}

impl OrderRow {
    /// The order of a card, other than `but`, whose lock or unlock has not been reported. There is at most one.
    pub(crate) fn open_lock(db: &Db, wallet: &WalletId, card: &str, but: &str) -> DbResult<Option<Self>> {
        db.one(
            &format!(
                "{SELECT} WHERE orders.wallet = $1 AND card = $2 AND orders.id <> $3 AND {OPEN} ORDER BY seq LIMIT 1"
            ),
            params![wallet.as_str(), card, but],
            OrderRow::read,
        )
    }

    /// The first order after `after` that waits for this element, whichever wallet's; `but` is not counted.
    pub(crate) fn next_lock(db: &Db, se_id: &str, after: u64, but: u64) -> DbResult<Option<Self>> {
        db.one(
            &format!(
                "{SELECT} JOIN cards ON cards.wallet = orders.wallet AND cards.id = orders.card
                 WHERE cards.se_id = $1 AND orders.seq > $2 AND orders.seq <> $3 AND {OPEN} ORDER BY orders.seq LIMIT 1"
            ),
            params![se_id, after, but],
            OrderRow::read,
        )
    }

    /// Whether a lock may stand on the card: a script that locks it was begun, and no later unlock was reported.
    pub(crate) fn may_be_locked(db: &Db, wallet: &WalletId, card: &str) -> DbResult<bool> {
        let last = db.one(
            "SELECT kind || ':' || state AS said FROM orders
             WHERE wallet = $1 AND card = $2 AND kind IN ('suspend', 'resume') AND attempt > 0
             ORDER BY seq DESC LIMIT 1",
            params![wallet.as_str(), card],
            |row| row.get::<String>("said"),
        )?;
        Ok(last.is_some_and(|said| said != "resume:done"))
    }
}
