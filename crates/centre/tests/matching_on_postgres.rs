//! The daily match once more, on a real PostgreSQL.

#[path = "matching.rs"]
mod suite;
