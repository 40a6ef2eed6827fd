//! The reference wallet: knows the centre only through its public API.
