//! The statements, each of which does for many rows what it does for one.

/// Patience is the same as on SQLite. Plans are made once, often while the tables are still empty, so the planner is told
/// that indexes are there to be used.
pub(super) const SETTINGS: &str = "SET lock_timeout = '5s'; SET jit = off; SET client_min_messages = warning;
     SET default_transaction_isolation = 'read committed'; SET plan_cache_mode = force_generic_plan;
     SET enable_seqscan = off; SET synchronous_commit = on";

pub(super) const UNFLUSHED: &str = "SET synchronous_commit = off";

/// `YKTL`: held while a process looks whether it is the first.
pub(super) const LOCK_SCHEMA: &str = "SELECT pg_advisory_xact_lock(1498108748)";
pub(super) const FOUND: &str =
    "SELECT to_regnamespace('ledger') IS NOT NULL, to_regclass('ledger.schema') IS NOT NULL";

/// One writer at a time, to the end of its transaction; what it then reads is what the one before it left.
pub(super) const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock('ledger.log'::regclass::oid::bigint);
     SELECT position, encode(hash, 'hex') AS hash, (SELECT max(day) FROM ledger.log WHERE act = 5) AS closed
         FROM ledger.log ORDER BY position DESC LIMIT 1";

pub(super) const TALES: &str = "SELECT position, act, id, legs, day, digest, hash FROM ledger.log
     WHERE id = ANY ($1::text[])";
pub(super) const DAYS: &str = "SELECT position, act, day, digest, hash FROM ledger.log
     WHERE act = 5 AND day = ANY ($1::bigint[])";
pub(super) const BALANCES: &str = "SELECT name, posted_debit, posted_credit, pending_debit, pending_credit
     FROM ledger.account WHERE name = ANY ($1::text[])";

/// Balances, what is in doubt and what is no more; follows a `WITH`.
macro_rules! keep {
    () => {
        "sums AS (
         INSERT INTO ledger.account (name, posted_debit, posted_credit, pending_debit, pending_credit)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
         ON CONFLICT (name) DO UPDATE SET
             posted_debit = excluded.posted_debit, posted_credit = excluded.posted_credit,
             pending_debit = excluded.pending_debit, pending_credit = excluded.pending_credit
     ), doubts AS (
         INSERT INTO ledger.doubt SELECT * FROM unnest($6::bigint[])
     )
     DELETE FROM ledger.doubt WHERE position = ANY ($7::bigint[])"
    };
}

/// What is kept beside the log, its lines being written.
pub(super) const KEEP: &str = concat!("WITH ", keep!());

/// Lines, and what is kept beside them, at once.
pub(super) const WRITE: &str = concat!(
    "WITH lines AS (
         INSERT INTO ledger.log (position, act, id, kind, memo, legs, day, at, digest, hash)
         SELECT * FROM unnest($8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[],
                              $14::bigint[], $15::bigint[], $16::bytea[], $17::bytea[])
     ), ",
    keep!()
);

/// Lines in a stream.
pub(super) const COPY: &str =
    "COPY ledger.log (position, act, id, kind, memo, legs, day, at, digest, hash) FROM STDIN (FORMAT binary)";

pub(super) const LINES: &str =
    "SELECT position, act, id, kind, memo, legs, day, at, digest, hash FROM ledger.log
     WHERE position > $1 ORDER BY position LIMIT $2";
pub(super) const STORY: &str =
    "SELECT position, act, id, kind, memo, legs, day, at, digest, hash FROM ledger.log
     WHERE id = $1 ORDER BY position";
pub(super) const IN_DOUBT: &str = "SELECT log.* FROM ledger.doubt JOIN ledger.log USING (position)
     ORDER BY position";
pub(super) const HEAD: &str = "SELECT position, hash FROM ledger.log ORDER BY position DESC LIMIT 1";
pub(super) const CLOSED: &str = "SELECT max(day) FROM ledger.log WHERE act = 5";
pub(super) const ALL_BALANCES: &str =
    "SELECT name, posted_debit, posted_credit, pending_debit, pending_credit FROM ledger.account";
