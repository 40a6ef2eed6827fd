//! Many callers on one ledger: each gets its own answers, a failure reaches all it concerns, and the thread ends in time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use ledger::{
    AccountName, Balance, EntryId, Fact, InDoubt, Ledger, LedgerError, Line, Outcome, Refusal, SharedLedger,
    SqliteLedger, Standing, Story,
};
use model::Date;

use crate::files::Temporary;
use crate::postgres::Database;
use crate::suite::{account, entry};

/// A store that counts its commits, fails when told to, and can be held up.
struct Probe {
    inner: SqliteLedger,
    commits: Arc<AtomicUsize>,
    gate: Arc<Mutex<bool>>,
}

impl Ledger for Probe {
    fn commit_chains(&mut self, chains: &[&[Fact]]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError> {
        let fails = *self.gate.lock().unwrap();
        self.commits.fetch_add(1, Ordering::SeqCst);
        if fails {
            return Err(LedgerError::DiskFull { place: "probe".into() });
        }
        self.inner.commit_chains(chains)
    }
    fn read(&self, after: u64, limit: usize) -> Result<Vec<Line>, LedgerError> {
        self.inner.read(after, limit)
    }
    fn standing(&self) -> Result<Standing, LedgerError> {
        self.inner.standing()
    }
    fn balance(&self, account: &AccountName) -> Result<Balance, LedgerError> {
        self.inner.balance(account)
    }
    fn find(&self, id: &EntryId) -> Result<Option<Story>, LedgerError> {
        self.inner.find(id)
    }
    fn pending(&self) -> Result<Vec<InDoubt>, LedgerError> {
        self.inner.pending()
    }
    fn closed(&self) -> Result<Option<Date>, LedgerError> {
        self.inner.closed()
    }
}

fn load(id: &str) -> Fact {
    Fact::Pended(entry(id, &[("paid-in:alipay", "doubt:2000", 2)]))
}

/// Pends and posts, and says both again; and spends more than any caller can be sure of.
fn many_callers(shared: &SharedLedger) {
    const CALLERS: usize = 8;
    const LOADS: usize = 25;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let mut shared = shared.clone();
            thread::spawn(move || {
                for number in 0..LOADS {
                    let id = format!("{caller}-{number}");
                    let post = Fact::Posted(entry(&id, &[("doubt:2000", "float:2000", 2)]));
                    let pended = shared.commit_one(load(&id)).unwrap();
                    let posted = shared.commit_one(post.clone()).unwrap();
                    let again = shared.commit(&[load(&id), post]).unwrap();
                    assert_eq!(again, [Ok(pended), Ok(posted)]);
                    let spend = |name: &str, fen| {
                        Fact::Recorded(entry(&format!("{name}-{id}"), &[("float:2000", "x:1", fen)]))
                    };
                    let outcomes =
                        shared.commit_chains(&[&[spend("a", 1), spend("b", 1_000_000)], &[]]).unwrap();
                    let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().unwrap_err().code()).collect();
                    assert_eq!(codes, ["linked", "below-zero"], "a chain falls alone");
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let total = CALLERS * LOADS;
    assert_eq!(shared.verify().unwrap().position, 2 * total as u64);
    assert_eq!(shared.balance(&account("float:2000")).unwrap().credit().get(), 2 * total as i64);
}

#[test]
fn many_callers_share_one_sqlite_file() {
    let ledger = Temporary::new();
    many_callers(&SharedLedger::new(ledger.other()).unwrap());
    assert_eq!(ledger.verify().unwrap().position, 400);
}

#[test]
fn many_callers_share_one_postgres_connection_with_another_process_beside_it() {
    let Some(database) = Database::new() else { return };
    let other = SharedLedger::new(database.other()).unwrap();
    let beside = thread::spawn(move || {
        let mut other = other;
        for number in 0..40 {
            other.commit_one(Fact::Recorded(entry(&format!("x{number}"), &[("y:1", "x:1", 1)]))).unwrap();
        }
    });
    let mut shared = SharedLedger::new(database.other()).unwrap();
    for number in 0..40 {
        shared.commit_one(load(&number.to_string())).unwrap();
    }
    beside.join().unwrap();
    assert_eq!(shared.verify().unwrap().position, 80);
    many_callers(&SharedLedger::new(Database::new().unwrap().other()).unwrap());
}

#[test]
fn what_waits_is_committed_together_and_a_failure_is_told_to_each() {
    const CALLERS: usize = 10;
    let (commits, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(false)));
    let inner = SqliteLedger::in_memory().unwrap();
    let probe = Probe { inner, commits: Arc::clone(&commits), gate: Arc::clone(&gate) };
    let mut shared = SharedLedger::new(probe).unwrap();
    for fails in [true, false] {
        commits.store(0, Ordering::SeqCst);
        let mut held = gate.lock().unwrap();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let mut shared = shared.clone();
                thread::spawn(move || shared.commit_one(load(&caller.to_string())))
            })
            .collect();
        // Long enough for most of them to queue behind the first.
        thread::sleep(std::time::Duration::from_millis(300));
        *held = fails;
        drop(held);
        for caller in callers {
            match caller.join().unwrap() {
                Ok(_) => assert!(!fails),
                Err(error) => {
                    assert!(fails && error.to_string().contains("disk is full"), "{error}");
                    assert!(
                        matches!(error, LedgerError::Together(why) if matches!(*why, LedgerError::DiskFull { .. }))
                    );
                }
            }
        }
        assert!(commits.load(Ordering::SeqCst) < CALLERS, "those who waited went together");
        assert_eq!(shared.standing().unwrap().in_doubt.len(), if fails { 0 } else { CALLERS });
    }
    let large: Vec<Fact> = (0..3000).map(|number| load(&format!("large-{number}"))).collect();
    assert_eq!(shared.commit(&large).unwrap().len(), 3000, "more than fits together, from one caller");
}

#[test]
fn the_last_handle_closes_the_ledger() {
    let ledger = Temporary::new();
    let shared = SharedLedger::new(ledger.other()).unwrap();
    let mut clone = shared.clone();
    drop(shared);
    clone.commit_one(load("a")).unwrap();
    drop(clone);
    assert_eq!(ledger.verify().unwrap().position, 1);
}
