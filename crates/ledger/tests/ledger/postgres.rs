//! The PostgreSQL ledger on a real server: two at once, crashes, lost answers, tampering, and databases not ours.

use std::ops::{Deref, DerefMut};
use std::thread;
use std::time::Duration;

use ledger::{Fact, Ledger, LedgerError, PostgresLedger, Refusal};
use postgres::{Client, NoTls};
use postgres_server::{Durability, Server, Stop, available, shared};

use crate::suite::{account, at, day, entry};

/// A ledger in a database of its own.
pub(crate) struct Database {
    ledger: PostgresLedger,
    url: String,
}

impl Database {
    /// `None`, said aloud, where PostgreSQL is not installed.
    pub(crate) fn new() -> Option<Self> {
        let url = shared()?.database().unwrap();
        Some(Database { ledger: PostgresLedger::open(&url).unwrap(), url })
    }

    /// What another process would hold.
    pub(crate) fn other(&self) -> PostgresLedger {
        PostgresLedger::open(&self.url).unwrap()
    }

    /// The same, streaming every commit.
    pub(crate) fn streaming(mut self) -> Self {
        self.reopen_streaming();
        self
    }

    pub(crate) fn reopen_streaming(&mut self) {
        self.ledger = PostgresLedger::open(&self.url).unwrap().streaming_from(0);
    }

    pub(crate) fn reopen(&mut self) {
        self.ledger = PostgresLedger::open(&self.url).unwrap();
    }
}

impl Deref for Database {
    type Target = PostgresLedger;
    fn deref(&self) -> &PostgresLedger {
        &self.ledger
    }
}

impl DerefMut for Database {
    fn deref_mut(&mut self) -> &mut PostgresLedger {
        &mut self.ledger
    }
}

/// For the suite, which asks first.
pub(crate) fn empty() -> PostgresLedger {
    Database::new().unwrap().ledger
}

fn pay(id: &str, fen: i64) -> Fact {
    Fact::Recorded(entry(id, &[("paid-in:alipay", "float:2000", fen)]))
}

#[test]
fn two_processes_hammer_the_same_ids_and_one_hot_account() {
    const IDS: usize = 120;
    let Some(database) = Database::new() else { return };
    let works = |content: i64| {
        let url = database.url.clone();
        thread::spawn(move || {
            // One of them streams, and takes every id for new.
            let many = if content == 1 { 0 } else { usize::MAX };
            let mut ledger = PostgresLedger::open(&url).unwrap().streaming_from(many);
            let mut taken = Vec::new();
            for number in 0..IDS {
                let same = pay(&format!("same-{number}"), 1);
                let contested = pay(&format!("contested-{number}"), content);
                let spend = entry(&format!("spend-{content}-{number}"), &[("float:2000", "x:1", 3)]);
                taken.extend(ledger.commit(&[same, contested, Fact::Recorded(spend)]).unwrap());
            }
            taken
        })
    };
    let (one, two) = (works(1), works(2));
    let (one, two) = (one.join().unwrap(), two.join().unwrap());
    for number in 0..IDS {
        let [mine, theirs] = [&one, &two].map(|all| &all[number * 3..number * 3 + 3]);
        assert_eq!(mine[0], theirs[0], "the same content is one entry");
        match (&mine[1], &theirs[1]) {
            (Ok(outcome), Err(Refusal::IdTaken { stored, .. }))
            | (Err(Refusal::IdTaken { stored, .. }), Ok(outcome)) => assert_eq!(outcome.digest, *stored),
            other => panic!("exactly one of two contents: {other:?}"),
        }
    }
    let float = database.balance(&account("float:2000")).unwrap();
    assert!(float.available().get() >= 0, "{float:?}");
    let spent = one.iter().chain(&two).filter(|answer| answer.is_ok()).count() - 3 * IDS;
    assert_eq!(float.posted_debit.get(), 3 * i64::try_from(spent).unwrap());
    database.verify().unwrap();
}

#[test]
fn a_lost_connection_is_made_again_and_a_lost_answer_is_given_again() {
    if let Err(why) = available() {
        return postgres_server::skipped(&why);
    }
    let server = Server::start(Durability::Full).unwrap();
    let mut ledger = PostgresLedger::open(&server.url()).unwrap();
    let first = ledger.commit(&[pay("a", 7)]).unwrap();
    server.restart(Stop::Immediate).unwrap();
    assert_eq!(ledger.balance(&account("float:2000")).unwrap().credit().get(), 7, "a read asks again");
    server.restart(Stop::Fast).unwrap();
    assert_eq!(ledger.commit(&[pay("a", 7), pay("b", 1)]).unwrap()[0], first[0], "so does a commit");

    server.stop(Stop::Immediate).unwrap();
    let gone = ledger.commit(&[pay("c", 1)]).unwrap_err();
    assert!(matches!(gone, LedgerError::Store { .. }), "{gone:?}");
    server.begin().unwrap();
    assert_eq!(ledger.commit(&[pay("c", 1)]).unwrap()[0].as_ref().unwrap().position, 3);
    assert_eq!(ledger.verify().unwrap().position, 3);
}

/// The server dies while two ledgers write: whoever had an answer finds it again, and everyone else may repeat.
#[test]
fn a_crash_amid_commits_loses_no_answer() {
    if let Err(why) = available() {
        return postgres_server::skipped(&why);
    }
    let server = Server::start(Durability::Full).unwrap();
    let works = |name: &'static str| {
        let mut ledger = PostgresLedger::open(&server.url()).unwrap();
        thread::spawn(move || {
            let mut answers = Vec::new();
            for number in 0..400 {
                let facts = [pay(&format!("{name}-{number}"), 1), pay(&format!("both-{number}"), 1)];
                let answer = loop {
                    match ledger.commit(&facts) {
                        Ok(answer) => break answer,
                        Err(LedgerError::Store { .. }) => thread::sleep(Duration::from_millis(20)),
                        Err(other) => panic!("{other:?}"),
                    }
                };
                answers.push((facts, answer));
            }
            answers
        })
    };
    let workers = [works("one"), works("two")];
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(60));
        server.restart(Stop::Immediate).unwrap();
    }
    let mut ledger = PostgresLedger::open(&server.url()).unwrap();
    for worker in workers {
        for (facts, answer) in worker.join().unwrap() {
            assert_eq!(ledger.commit(&facts).unwrap(), answer);
        }
    }
    assert_eq!(ledger.verify().unwrap().position, 1200);
}

/// The first two thirds are new to the log, the rest were there: the stream breaks in its midst, and nobody notices.
#[test]
fn a_stream_of_new_and_old_facts_is_answered_as_one_by_one() {
    let (Some(mut streamed), Some(mut said)) = (Database::new().map(Database::streaming), Database::new())
    else {
        return;
    };
    let mut facts: Vec<Fact> = (0..900).map(|number| pay(&format!("id-{number}"), number + 1)).collect();
    facts.push(pay("id-0", 99)); // taken
    facts.push(Fact::Recorded(entry("spend", &[("float:2000", "x:1", i64::MAX / 4)]))); // below zero
    let old: Vec<&[Fact]> = facts[600..].chunks(1).collect();
    let all: Vec<&[Fact]> = facts.chunks(1).collect();
    for chains in [&old, &all, &all] {
        assert_eq!(streamed.commit_chains(chains).unwrap(), said.commit_chains(chains).unwrap());
        assert_eq!(streamed.standing().unwrap(), said.standing().unwrap());
    }
    assert_eq!(streamed.verify().unwrap(), said.verify().unwrap());
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
fn verify_names_the_first_difference() {
    let cases = [
        ("UPDATE ledger.log SET legs = 'a:1>b:1=1' WHERE position = 1", "line 1: the digest"),
        ("UPDATE ledger.log SET legs = 'a:1' WHERE position = 1", "line 1 cannot be read: a leg"),
        ("UPDATE ledger.log SET memo = 'x' WHERE position = 3", "line 3: the digest"),
        ("UPDATE ledger.log SET day = day + 1 WHERE position = 2", "line 2: its hash"),
        ("UPDATE ledger.log SET hash = digest WHERE position = 4", "line 4: its hash"),
        ("UPDATE ledger.log SET id = 'no id' WHERE position = 2", "line 2 cannot be read: its id"),
        ("DELETE FROM ledger.log WHERE position = 2", "line 2 is missing: line 3 stands in its place"),
        ("UPDATE ledger.account SET posted_credit = 1 WHERE name = 'float:2000'", "account float:2000: kept"),
        ("DELETE FROM ledger.doubt", "entry c: in doubt in one"),
        ("INSERT INTO ledger.doubt VALUES (1)", "entry a: in doubt in one"),
    ];
    for (change, told) in cases {
        let Some(mut database) = Database::new() else { return };
        database.commit(&day_of_facts()).unwrap();
        let mut other = Client::connect(&database.url, NoTls).unwrap();
        let refused = other.batch_execute(change);
        assert!(refused.is_err() || !change.contains("ledger.log"), "append-only: {change}");
        if refused.is_err() {
            let forced = "ALTER TABLE ledger.log DISABLE TRIGGER ALL";
            other.batch_execute(forced).and_then(|()| other.batch_execute(change)).unwrap();
        }
        let found = database.verify().expect_err(change);
        assert!(matches!(found, LedgerError::Damaged(_)), "{change}: {found:?}");
        assert!(found.to_string().contains(told), "{change}: {found}");
    }
}

#[test]
fn a_database_that_is_no_ledger_or_of_a_later_release_is_left_as_it_is() {
    let Some(server) = shared() else { return };
    let url = server.database().unwrap();
    let mut other = Client::connect(&url, NoTls).unwrap();
    other.batch_execute("CREATE SCHEMA ledger; CREATE TABLE ledger.theirs (a int)").unwrap();
    assert!(matches!(PostgresLedger::open(&url), Err(LedgerError::NotALedger { .. })));
    other.batch_execute("DROP SCHEMA ledger CASCADE").unwrap();
    PostgresLedger::open(&url).unwrap();
    other.batch_execute("UPDATE ledger.schema SET version = 99").unwrap();
    assert!(matches!(PostgresLedger::open(&url), Err(LedgerError::Newer { found: 99, known: 1, .. })));
    let nowhere = PostgresLedger::open("postgres://someone:secret@127.0.0.1:1/nowhere").unwrap_err();
    let told = format!("{nowhere} {nowhere:?}");
    assert!(told.contains("nowhere") && !told.contains("secret"), "{told}");
}

#[test]
fn many_processes_begin_one_ledger() {
    let Some(server) = shared() else { return };
    let url = server.database().unwrap();
    let openers: Vec<_> = (0..4)
        .map(|number| {
            let url = url.clone();
            thread::spawn(move || {
                let mut ledger = PostgresLedger::open(&url).unwrap();
                ledger.commit(&[pay(&format!("from-{number}"), 1)]).unwrap();
            })
        })
        .collect();
    openers.into_iter().for_each(|opener| opener.join().unwrap());
    assert_eq!(PostgresLedger::open(&url).unwrap().verify().unwrap().position, 4);
}
