//! Webhooks (事件推送) as stored: where a wallet wants its events, under which secrets, and how each delivery stands.
//!
//! Invariant: a delivery in hand carries the end of its lease; a result counts only under the lease it was taken
//! with, so two centres on one store do not both send an event, and a replay is not undone by an answer under way.

use super::db::{Db, DbResult, Row, params};
use model::{CardTime, WalletId};

use super::outbox::Told;
use super::{parsed, words};

words! {
    /// Whether events go there.
    HookState {
        /// They do.
        Active = "active",
        /// The receiver answered 410: it wants none any more.
        Gone = "gone",
    }
}

words! {
    /// How a delivery stands.
    DeliveryState {
        /// It is sent when its time and its turn come.
        Waiting = "waiting",
        /// The receiver has it.
        Accepted = "accepted",
        /// It was tried for a day; a replay sends it anew.
        GivenUp = "given_up",
    }
}

/// One webhook.
#[derive(Clone, Debug)]
pub(crate) struct HookRow {
    pub(crate) wallet: WalletId,
    pub(crate) id: String,
    pub(crate) url: String,
    /// Which events; empty for all.
    pub(crate) types: Vec<String>,
    pub(crate) state: HookState,
    pub(crate) upto: u64,
    pub(crate) created_at: CardTime,
}

/// A delivery that is due.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryRow {
    pub(crate) wallet: WalletId,
    pub(crate) hook: String,
    pub(crate) seq: u64,
    pub(crate) state: DeliveryState,
    pub(crate) attempts: u32,
    pub(crate) first_at: Option<i64>,
    pub(crate) next_at: i64,
}

/// One line of the log.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRow {
    pub(crate) number: u32,
    pub(crate) at: CardTime,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) next_at: Option<CardTime>,
}

impl HookRow {
    fn read(row: &Row<'_>) -> DbResult<Self> {
        let types: String = row.get("types")?;
        Ok(HookRow {
            wallet: parsed(row, "wallet")?,
            id: row.get("id")?,
            url: row.get("url")?,
            types: types.split_whitespace().map(str::to_owned).collect(),
            state: parsed(row, "state")?,
            upto: row.get("upto")?,
            created_at: parsed(row, "created_at")?,
        })
    }

    pub(crate) fn find(db: &Db, wallet: &WalletId, id: &str) -> DbResult<Option<Self>> {
        db.one(
            "SELECT * FROM webhooks WHERE wallet = $1 AND id = $2",
            params![wallet.as_str(), id],
            HookRow::read,
        )
    }

    pub(crate) fn of(db: &Db, wallet: &WalletId) -> DbResult<Vec<Self>> {
        db.all(
            "SELECT * FROM webhooks WHERE wallet = $1 ORDER BY id",
            params![wallet.as_str()],
            HookRow::read,
        )
    }

    /// Every webhook that events go to.
    pub(crate) fn active(db: &Db) -> DbResult<Vec<Self>> {
        db.all("SELECT * FROM webhooks WHERE state = 'active' ORDER BY wallet, id", params![], HookRow::read)
    }

    /// Writes it down, new or changed.
    pub(crate) fn put(&self, db: &Db) -> DbResult<()> {
        db.execute(
            "INSERT INTO webhooks (wallet, id, url, types, state, upto, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (wallet, id) DO UPDATE SET url = excluded.url, types = excluded.types,
                 state = excluded.state",
            params![
                self.wallet.as_str(),
                &self.id,
                &self.url,
                self.types.join(" "),
                self.state.as_str(),
                self.upto,
                self.created_at.to_string(),
            ],
        )?;
        Ok(())
    }

    pub(crate) fn set_state(&self, db: &Db, state: HookState) -> DbResult<()> {
        db.execute(
            "UPDATE webhooks SET state = $1 WHERE wallet = $2 AND id = $3",
            params![state.as_str(), self.wallet.as_str(), &self.id],
        )?;
        Ok(())
    }

    /// Moves its cursor, if it still stands where this row says.
    pub(crate) fn move_to(&self, db: &Db, upto: u64) -> DbResult<bool> {
        let moved = db.execute(
            "UPDATE webhooks SET upto = $1 WHERE wallet = $2 AND id = $3 AND upto = $4",
            params![upto, self.wallet.as_str(), &self.id, self.upto],
        )?;
        Ok(moved == 1)
    }

    /// Forgets it with all that hangs on it.
    pub(crate) fn delete(&self, db: &Db) -> DbResult<()> {
        let of_hook = params![self.wallet.as_str(), &self.id];
        for table in ["delivery_attempts", "deliveries", "webhook_secrets"] {
            db.execute(&format!("DELETE FROM {table} WHERE wallet = $1 AND hook = $2"), of_hook)?;
        }
        db.execute("DELETE FROM webhooks WHERE wallet = $1 AND id = $2", of_hook)?;
        Ok(())
    }

    /// How many of its deliveries are in `state`.
    pub(crate) fn count(&self, db: &Db, state: DeliveryState) -> DbResult<u64> {
        db.figure(
            "SELECT count(*) FROM deliveries WHERE wallet = $1 AND hook = $2 AND state = $3",
            params![self.wallet.as_str(), &self.id, state.as_str()],
        )
    }

    /// The secrets that sign now, the newest first.
    pub(crate) fn secrets(&self, db: &Db, now: i64, most: u32) -> DbResult<Vec<Vec<u8>>> {
        db.all("SELECT secret FROM webhook_secrets WHERE wallet = $1 AND hook = $2 AND (ends IS NULL OR ends > $3)
             ORDER BY number DESC LIMIT $4", params![self.wallet.as_str(), &self.id, now, most], |row| row.at(0))
    }

    /// A new secret; the one before it ends at `old_ends`.
    pub(crate) fn add_secret(&self, db: &Db, secret: &[u8], old_ends: i64) -> DbResult<()> {
        let wallet = self.wallet.as_str();
        db.execute(
            "UPDATE webhook_secrets SET ends = $1 WHERE wallet = $2 AND hook = $3 AND ends IS NULL",
            params![old_ends, wallet, &self.id],
        )?;
        let last: u32 = db.figure(
            "SELECT coalesce(max(number), 0) FROM webhook_secrets WHERE wallet = $1 AND hook = $2",
            params![wallet, &self.id],
        )?;
        db.execute(
            "INSERT INTO webhook_secrets (wallet, hook, number, secret) VALUES ($1, $2, $3, $4)",
            params![wallet, &self.id, last.saturating_add(1), secret],
        )?;
        Ok(())
    }

    /// One event is to go there; one that went before goes anew.
    pub(crate) fn deliver(&self, db: &Db, event: &Told, now: i64) -> DbResult<()> {
        db.execute(
            "INSERT INTO deliveries (wallet, hook, seq, object, state, attempts, next_at, leased_until)
             VALUES ($1, $2, $3, $4, 'waiting', 0, $5, 0)
             ON CONFLICT (wallet, hook, seq) DO UPDATE SET state = 'waiting', first_at = NULL,
                 next_at = excluded.next_at, leased_until = 0",
            params![self.wallet.as_str(), &self.id, event.seq, &event.object, now],
        )?;
        Ok(())
    }
}

/// A delivery is in its turn if no earlier one of the same object waits; a webhook has at most two in hand, so that a
/// slow receiver holds up no other.
const DUE: &str =
    "SELECT d.wallet, d.hook, d.seq, d.state, d.attempts, d.first_at, d.next_at FROM deliveries d
    JOIN webhooks w ON w.wallet = d.wallet AND w.id = d.hook
    WHERE d.state = 'waiting' AND d.next_at <= $1 AND d.leased_until <= $1 AND w.state = 'active'
      AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.wallet = d.wallet AND e.hook = d.hook
          AND e.object = d.object AND e.seq < d.seq AND e.state = 'waiting')
      AND (SELECT count(*) FROM deliveries l WHERE l.wallet = d.wallet AND l.hook = d.hook
          AND l.leased_until > $1) < 2
    ORDER BY d.next_at, d.seq LIMIT 1";

impl DeliveryRow {
    fn read(row: &Row<'_>) -> DbResult<Self> {
        Ok(DeliveryRow {
            wallet: parsed(row, "wallet")?,
            hook: row.get("hook")?,
            seq: row.get("seq")?,
            state: parsed(row, "state")?,
            attempts: row.get("attempts")?,
            first_at: row.get("first_at")?,
            next_at: row.get("next_at")?,
        })
    }

    /// The next one whose time and turn have come.
    pub(crate) fn due(db: &Db, now: i64) -> DbResult<Option<Self>> {
        db.one(DUE, params![now], DeliveryRow::read)
    }

    /// Takes it in hand until `lease`; `false` if another was faster.
    pub(crate) fn take(&self, db: &Db, now: i64, lease: i64) -> DbResult<bool> {
        let taken = db.execute(
            "UPDATE deliveries SET leased_until = $1
                 WHERE wallet = $2 AND hook = $3 AND seq = $4 AND state = 'waiting' AND leased_until <= $5",
            params![lease, self.wallet.as_str(), &self.hook, self.seq, now],
        )?;
        Ok(taken == 1)
    }

    /// Writes down what became of it; `false` if the lease is no longer ours.
    pub(crate) fn close(&self, db: &Db, lease: i64) -> DbResult<bool> {
        let closed = db.execute(
            "UPDATE deliveries SET state = $1, attempts = $2, first_at = $3, next_at = $4, leased_until = 0
                 WHERE wallet = $5 AND hook = $6 AND seq = $7 AND leased_until = $8",
            params![
                self.state.as_str(),
                self.attempts,
                self.first_at,
                self.next_at,
                self.wallet.as_str(),
                &self.hook,
                self.seq,
                lease,
            ],
        )?;
        Ok(closed == 1)
    }

    /// A webhook's deliveries after a cursor, oldest first.
    pub(crate) fn after(db: &Db, hook: &HookRow, seq: u64, most: u32) -> DbResult<Vec<Self>> {
        db.all(
            "SELECT wallet, hook, seq, state, attempts, first_at, next_at FROM deliveries
             WHERE wallet = $1 AND hook = $2 AND seq > $3 ORDER BY seq LIMIT $4",
            params![hook.wallet.as_str(), &hook.id, seq, most],
            DeliveryRow::read,
        )
    }

    /// Its attempts, oldest first.
    pub(crate) fn log(&self, db: &Db) -> DbResult<Vec<AttemptRow>> {
        db.all(
            "SELECT number, at, status, error, next_at FROM delivery_attempts
             WHERE wallet = $1 AND hook = $2 AND seq = $3 ORDER BY number",
            params![self.wallet.as_str(), &self.hook, self.seq],
            |row| {
                Ok(AttemptRow {
                    number: row.get("number")?,
                    at: parsed(row, "at")?,
                    status: row.get("status")?,
                    error: row.get("error")?,
                    next_at: super::parsed_if_any(row, "next_at")?,
                })
            },
        )
    }

    /// Adds an attempt to its log.
    pub(crate) fn note(&self, db: &Db, attempt: &AttemptRow) -> DbResult<()> {
        db.execute(
            "INSERT INTO delivery_attempts (wallet, hook, seq, number, at, status, error, next_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            params![
                self.wallet.as_str(),
                &self.hook,
                self.seq,
                attempt.number,
                attempt.at.to_string(),
                attempt.status,
                &attempt.error,
                attempt.next_at.map(|at| at.to_string()),
            ],
        )?;
        Ok(())
    }
}
