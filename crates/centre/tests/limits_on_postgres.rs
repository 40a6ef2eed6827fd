//! Limits once more, on a real PostgreSQL.

#[path = "limits.rs"]
mod suite;
