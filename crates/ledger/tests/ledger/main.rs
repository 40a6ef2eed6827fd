//! One suite of rules for every store; a slow and obvious ledger as the judge; damage, kills and bad files.

// The rules of the suite are tests, but not functions that the lints know as such.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

mod chain;
mod files;
mod model;
mod postgres;
mod random;
mod shared;
mod suite;

mod on_sqlite {
    crate::suite::ledger_suite!(ledger::SqliteLedger::in_memory().unwrap());
}

mod on_postgres {
    crate::suite::ledger_suite!(postgres_server::shared().is_some(), crate::postgres::empty());
}

mod on_postgres_in_a_stream {
    crate::suite::ledger_suite!(
        postgres_server::shared().is_some(),
        crate::postgres::empty().streaming_from(0)
    );
}

mod on_the_slow_model {
    crate::suite::ledger_suite!(crate::model::Slow::default());
}
