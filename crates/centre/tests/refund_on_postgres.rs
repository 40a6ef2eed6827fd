//! Refunds once more, on a real PostgreSQL.

#[path = "refund.rs"]
mod suite;
