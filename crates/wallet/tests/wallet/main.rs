//! The wallet against a scripted centre.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)] // a test may fail loudly

mod app;
mod cancel;
mod channel;
mod hooks;
mod orders;
mod passengers;
mod refund;
mod support;
