//! The file of the SQLite ledger: kept over reopening, cut off anywhere, tampered with, or not ours at all.

use std::fs;
use std::ops::{Deref, DerefMut};

use ledger::{Difference, Fact, Ledger, LedgerError, Refusal, Rules, SqliteLedger};
use model::Fen;
use rusqlite::Connection;

use crate::suite::{account, at, code, day, entry};

/// A ledger in a folder that goes with it.
pub(crate) struct Temporary {
    ledger: Option<SqliteLedger>,
    folder: tempfile::TempDir,
}

impl Temporary {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut new = Temporary { ledger: None, folder };
        new.reopen();
        new
    }

    /// What another process would hold.
    pub(crate) fn other(&self) -> SqliteLedger {
        SqliteLedger::open(self.folder.path().join("ledger.db")).unwrap()
    }

    pub(crate) fn reopen(&mut self) {
        self.ledger = None;
        self.ledger = Some(SqliteLedger::open(self.folder.path().join("ledger.db")).unwrap());
    }
}

impl Deref for Temporary {
    type Target = SqliteLedger;
    fn deref(&self) -> &SqliteLedger {
        self.ledger.as_ref().unwrap()
    }
}

impl DerefMut for Temporary {
    fn deref_mut(&mut self) -> &mut SqliteLedger {
        self.ledger.as_mut().unwrap()
    }
}

/// Six facts of every act.
fn day_of_facts() -> [Fact; 6] {
    let held = |id, fen| Fact::Pended(entry(id, &[("paid-in:alipay", "doubt:2000", fen)]));
    [
        held("a", 700),
        held("b", 8),
        Fact::Posted(entry("a", &[("doubt:2000", "float:2000", 700)])),
        Fact::Voided(entry("b", &[("paid-in:alipay", "refunds:alipay", 8)])),
        Fact::DayClosed { day: day(19), at: at(20) },
        held("c", 9),
    ]
}

#[test]
fn a_reopened_ledger_goes_on_where_it_was() {
    let mut ledger = Temporary::new();
    let facts = day_of_facts();
    let outcomes = ledger.commit(&facts).unwrap();
    let standing = ledger.standing().unwrap();
    ledger.reopen();
    assert_eq!(ledger.standing().unwrap(), standing);
    assert_eq!(ledger.commit(&facts).unwrap(), outcomes, "ids are good for ever");
    assert_eq!(ledger.record(entry("d", &[("x:1", "y:1", 1)])).unwrap().position, 7);
    ledger.verify().unwrap();
}

/// A process may die with any part of its last writes on disk: what is found is always whole.
#[test]
fn a_file_cut_off_at_any_byte_opens_at_a_whole_commit() {
    let mut ledger = Temporary::new();
    let mut heads = vec![ledger.standing().unwrap().head];
    for fact in day_of_facts() {
        ledger.commit(&[fact]).unwrap();
        heads.push(ledger.standing().unwrap().head);
    }
    let file = |name: &str| fs::read(ledger.folder.path().join(name)).unwrap();
    let (database, wal) = (file("ledger.db"), file("ledger.db-wal"));
    let mut seen = 0;
    for cut in (0..wal.len()).step_by(1031).chain([wal.len()]) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ledger.db"), &database).unwrap();
        fs::write(folder.path().join("ledger.db-wal"), &wal[..cut]).unwrap();
        let mut cut_off = SqliteLedger::open(folder.path().join("ledger.db")).unwrap();
        let head = cut_off.verify().unwrap();
        seen = heads.iter().position(|whole| *whole == head).expect("a whole commit").max(seen);
        let outcomes = cut_off.commit(&day_of_facts()).unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "repeating everything is always right: {outcomes:?}");
        assert_eq!(cut_off.verify().unwrap(), heads[6], "cut at byte {cut}");
    }
    assert_eq!(seen, 6, "the whole file holds all commits");
}

#[test]
fn two_processes_write_one_ledger() {
    let mut one = Temporary::new();
    let mut two = SqliteLedger::open(one.folder.path().join("ledger.db")).unwrap();
    for number in 0..10 {
        let (a, b) = (format!("a{number}"), format!("b{number}"));
        one.record(entry(&a, &[("paid-in:alipay", "float:2000", 1)])).unwrap();
        assert_eq!(code(&two.record(entry(&a, &[("paid-in:alipay", "float:2000", 2)]))), "id-taken");
        two.record(entry(&b, &[("float:2000", "payable:operator:1", 1)])).unwrap();
        assert_eq!(
            code(&one.record(entry("over", &[("float:2000", "payable:operator:1", 1)]))),
            "below-zero"
        );
    }
    assert_eq!(one.verify().unwrap(), two.verify().unwrap());
    assert_eq!(one.standing().unwrap().head.position, 20);
}

#[test]
fn other_rules_hold_from_when_they_are_given() {
    let rules = Rules::none().never_below_zero("passenger");
    let mut wallet = SqliteLedger::in_memory().unwrap().with_rules(rules);
    wallet.record(entry("top-up", &[("bank:1", "passenger:1", 100)])).unwrap();
    assert_eq!(code(&wallet.pend(entry("a", &[("passenger:1", "owed:2000", 101)]))), "below-zero");
    assert_eq!(code(&wallet.record(entry("b", &[("float:2000", "x:1", 2)]))), "taken");
    let mut wallet = wallet.with_rules(Rules::centre());
    assert_eq!(code(&wallet.record(entry("c", &[("float:2000", "x:1", 1)]))), "below-zero");
    assert_eq!(
        code(&wallet.record(entry("d", &[("x:1", "float:2000", 1)]))),
        "taken",
        "upwards is always right"
    );
}

#[test]
fn a_net_debit_cap_counts_what_is_held_and_not_what_may_be_let_go() {
    let rules = Rules::none().cap_kind("due", Fen::new(100)).cap(account("due:issuer:2000"), Fen::new(10));
    let mut ledger = SqliteLedger::in_memory().unwrap().with_rules(rules);
    let due = |id, debit, fen| entry(id, &[(debit, "x:1", fen)]);
    ledger.record(due("a", "due:issuer:0670", 60)).unwrap();
    ledger.pend(due("b", "due:issuer:0670", 40)).unwrap();
    let refused = ledger.record(due("c", "due:issuer:0670", 1)).unwrap_err();
    let (cap, net_debit) = (Fen::new(100), Fen::new(100));
    let expected =
        Refusal::OverCap { id: "c".parse().unwrap(), account: account("due:issuer:0670"), cap, net_debit };
    assert!(matches!(refused, LedgerError::Refused(refusal) if refusal == expected));
    ledger.pend(entry("d", &[("x:1", "due:issuer:0670", 50)])).unwrap();
    assert_eq!(code(&ledger.record(due("c", "due:issuer:0670", 1))), "over-cap", "it may yet be let go");
    ledger.post(entry("d", &[])).unwrap();
    assert_eq!(code(&ledger.record(due("c", "due:issuer:0670", 50))), "taken");
    assert_eq!(
        code(&ledger.record(due("e", "due:issuer:2000", 11))),
        "over-cap",
        "an account's own cap is first"
    );
    assert_eq!(code(&ledger.record(due("e", "due:issuer:2000", 10))), "taken");
    assert_eq!(code(&ledger.record(due("f", "y:1", 1_000_000))), "taken", "no other kind is bound");
    let mut ledger = ledger.with_rules(Rules::none().cap_kind("due", Fen::new(5)));
    assert_eq!(code(&ledger.record(entry("g", &[("x:1", "due:issuer:2000", 1)]))), "taken", "helped up");
    assert_eq!(code(&ledger.record(due("h", "due:issuer:2000", 1))), "over-cap");
    ledger.verify().unwrap();
}

/// Each change to the file, and how the first difference is told.
#[test]
fn verify_names_the_first_difference() {
    let cases = [
        ("UPDATE leg SET amount = 701 WHERE position = 1", "line 1: the digest"),
        ("UPDATE leg SET credit = 'float:2000' WHERE position = 1", "line 1: the digest"),
        ("UPDATE log SET memo = 'x' WHERE position = 3", "line 3: the digest"),
        ("UPDATE log SET act = 4 WHERE position = 3", "line 3: the digest"),
        ("UPDATE log SET day = day + 1 WHERE position = 2", "line 2: its hash"),
        ("UPDATE log SET at = at + 1 WHERE position = 2", "line 2: its hash"),
        ("UPDATE log SET hash = zeroblob(32) WHERE position = 4", "line 4: its hash"),
        ("UPDATE log SET digest = zeroblob(32) WHERE position = 4", "line 4: the digest"),
        ("UPDATE log SET id = 'no id' WHERE position = 2", "line 2 cannot be read: its id"),
        ("DELETE FROM leg WHERE position = 4", "line 4: the digest"),
        ("DELETE FROM log WHERE position = 2", "line 2 is missing: line 3 stands in its place"),
        ("UPDATE account SET posted_credit = 1 WHERE name = 'float:2000'", "account float:2000: kept as"),
        ("DELETE FROM account WHERE name = 'refunds:alipay'", "account refunds:alipay: kept as"),
        ("INSERT INTO account VALUES ('x:1', 1, 0, 0, 0)", "account x:1: kept as"),
        ("DELETE FROM doubt", "entry c: in doubt in one"),
        ("INSERT INTO doubt VALUES (1)", "entry a: in doubt in one"),
        (
            "DELETE FROM leg WHERE position = 6; DELETE FROM doubt; DELETE FROM log WHERE position = 6",
            "account",
        ),
    ];
    for (change, told) in cases {
        let mut ledger = Temporary::new();
        ledger.commit(&day_of_facts()).unwrap();
        let other = Connection::open(ledger.folder.path().join("ledger.db")).unwrap();
        let refused = other.execute_batch(change);
        assert!(
            refused.is_err() || !change.contains("log") && !change.contains("leg"),
            "append-only: {change}"
        );
        let forced = "PRAGMA foreign_keys = OFF; DROP TRIGGER log_stays; DROP TRIGGER log_is_kept;
                      DROP TRIGGER leg_stays; DROP TRIGGER leg_is_kept;";
        other.execute_batch(forced).unwrap();
        other.execute_batch(change).or_else(|e| if refused.is_ok() { Ok(()) } else { Err(e) }).unwrap();
        let found = ledger.verify().expect_err(change);
        assert!(matches!(found, LedgerError::Damaged(_)), "{change}: {found:?}");
        assert!(found.to_string().contains(told), "{change}: {found}");
    }
}

#[test]
fn a_damaged_line_stops_what_leans_on_it_and_nothing_else() {
    let mut ledger = Temporary::new();
    ledger.commit(&day_of_facts()).unwrap();
    let other = Connection::open(ledger.folder.path().join("ledger.db")).unwrap();
    other.execute_batch("DROP TRIGGER log_stays; UPDATE log SET memo = 'x' WHERE position = 6").unwrap();
    let damaged = ledger.pending().unwrap_err();
    assert!(matches!(damaged, LedgerError::Damaged(Difference::Content { position: 6, .. })), "{damaged:?}");
    assert_eq!(ledger.balances_at(5).unwrap().len(), 4, "a prefix before it still adds up");
    assert_eq!(ledger.balance(&account("float:2000")).unwrap().credit().get(), 700);
}

#[test]
fn a_file_that_is_no_ledger_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    fs::write(&path, "not a database, but long enough to be looked at as one".repeat(20)).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(SqliteLedger::open(&path), Err(LedgerError::NotALedger { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);

    let path = folder.path().join("another.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(SqliteLedger::open(&path), Err(LedgerError::NotALedger { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);

    let nowhere = SqliteLedger::open(folder.path().join("no/such/folder/ledger.db")).unwrap_err();
    assert!(nowhere.to_string().contains("no/such/folder"), "{nowhere}");
}

#[test]
fn a_ledger_of_a_later_release_is_refused() {
    let ledger = Temporary::new();
    let path = ledger.folder.path().join("ledger.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(SqliteLedger::open(&path), Err(LedgerError::Newer { found: 99, known: 1, .. })));
}
