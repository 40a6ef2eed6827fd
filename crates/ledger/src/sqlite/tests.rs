//! Killed in the middle, a full disk, a lock held by another: nothing half done, and the same call works later.

use std::time::Duration;

use model::Fen;

use super::*;
use crate::entry::{Entry, Leg};

fn load(id: &str, fen: i64) -> Entry {
    let leg = Leg::new("paid-in:alipay".parse().unwrap(), "doubt:2000".parse().unwrap(), Fen::new(fen));
    Entry {
        id: id.parse().unwrap(),
        kind: "load".parse().unwrap(),
        legs: vec![leg.unwrap()],
        day: "2014-10-20".parse().unwrap(),
        at: "2014-10-20 07:45:00".parse().unwrap(),
        memo: "x".repeat(400),
    }
}

#[test]
fn a_transaction_dropped_at_any_step_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    for steps in 0..4 {
        let mut ledger = SqliteLedger::open(&path).unwrap();
        let transaction =
            ledger.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let mut batch = Batch::new(&transaction, &ledger.place, &ledger.rules).unwrap();
        for id in ["a", "b", "c"].iter().take(steps) {
            batch.add(&Fact::Pended(load(id, 1))).unwrap();
        }
        if steps == 3 {
            batch.keep_balances().unwrap();
        }
        drop(transaction);
        drop(ledger);
        let ledger = SqliteLedger::open(&path).unwrap();
        assert_eq!(ledger.standing().unwrap(), Standing::default(), "after {steps} steps");
    }
    let mut ledger = SqliteLedger::open(&path).unwrap();
    assert_eq!(ledger.pend(load("a", 2)).unwrap().position, 1, "the id is still free");
    ledger.verify().unwrap();
}

#[test]
fn a_full_disk_is_named_and_nothing_is_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = SqliteLedger::open(folder.path().join("ledger.db")).unwrap();
    ledger.connection.pragma_update_and_check(None, "max_page_count", 40, |_| Ok(())).unwrap();
    let batches: Vec<Vec<Fact>> =
        (0..40).map(|n| (0..10).map(|m| Fact::Pended(load(&format!("{n}-{m}"), 1))).collect()).collect();
    let mut taken = 0_u64;
    let mut refused = None;
    for batch in &batches {
        match ledger.commit(batch) {
            Ok(_) => taken += 10,
            Err(full) => {
                assert!(matches!(full, LedgerError::DiskFull { .. }), "{full:?}");
                refused = Some(batch);
                break;
            }
        }
    }
    let refused = refused.expect("40 pages are not enough");
    assert_eq!(ledger.verify().unwrap().position, taken);
    ledger.connection.pragma_update_and_check(None, "max_page_count", 4000, |_| Ok(())).unwrap();
    assert!(ledger.commit(refused).unwrap().iter().all(Result::is_ok));
    assert_eq!(ledger.verify().unwrap().position, taken + 10);
}

#[test]
fn a_lock_held_by_another_is_named_and_the_call_works_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path).unwrap();
    ledger.connection.busy_timeout(Duration::from_millis(10)).unwrap();
    let mut other = Connection::open(&path).unwrap();
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    assert!(matches!(ledger.pend(load("a", 1)), Err(LedgerError::Locked { .. })));
    assert_eq!(ledger.standing().unwrap(), Standing::default(), "reading goes on");
    drop(held);
    assert_eq!(ledger.pend(load("a", 1)).unwrap().position, 1);
}

#[test]
fn every_commit_is_on_disk_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path().join("ledger.db")).unwrap();
    let number = |name| ledger.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let mode: String = ledger.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!((mode.as_str(), number("synchronous"), number("foreign_keys")), ("wal", 2, 1));
}
