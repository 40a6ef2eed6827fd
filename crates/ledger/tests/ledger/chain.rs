//! The chain's vectors: computed by other code, and each refused once a bit is flipped.

use ledger::{Books, Difference, Digest, Entry, Fact, Head, Ledger, Leg, Line, SqliteLedger, Standing};
use model::Fen;

struct Vector {
    why: String,
    fact: Fact,
    digest: String,
    hash: String,
}

fn vectors() -> Vec<Vector> {
    let file: toml::Table = include_str!("../../../../vectors/ledger/chain.toml").parse().unwrap();
    file["vector"].as_array().unwrap().iter().map(vector).collect()
}

fn vector(vector: &toml::Value) -> Vector {
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let (day, at) = (text("day").parse().unwrap(), text("at").parse().unwrap());
    let leg = |leg: &toml::Value| {
        let part = |n: usize| leg[n].as_str().unwrap();
        Leg::new(part(0).parse().unwrap(), part(1).parse().unwrap(), part(2).parse::<Fen>().unwrap()).unwrap()
    };
    let entry = || Entry {
        id: text("id").parse().unwrap(),
        kind: text("kind").parse().unwrap(),
        legs: vector["legs"].as_array().unwrap().iter().map(leg).collect(),
        day,
        at,
        memo: text("memo"),
    };
    let fact = match text("act").as_str() {
        "recorded" => Fact::Recorded(entry()),
        "pended" => Fact::Pended(entry()),
        "posted" => Fact::Posted(entry()),
        "voided" => Fact::Voided(entry()),
        "day closed" => Fact::DayClosed { day, at },
        other => panic!("no such act: {other}"),
    };
    Vector { why: text("why"), fact, digest: text("digest"), hash: text("hash") }
}

#[test]
fn the_chain_is_the_one_that_others_compute() {
    let mut hash = Digest::START;
    for (vector, position) in vectors().iter().zip(1..) {
        hash = hash.followed_by(position, &vector.fact);
        assert_eq!(vector.fact.digest().to_string(), vector.digest, "{}", vector.why);
        assert_eq!(hash.to_string(), vector.hash, "{}", vector.why);
    }
}

#[test]
fn the_store_writes_that_chain() {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    for vector in vectors() {
        let outcome = ledger.commit_one(vector.fact).unwrap();
        assert_eq!(outcome.hash.to_string(), vector.hash, "{}", vector.why);
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_hash_is_refused() {
    let mut books = Books::default();
    for vector in vectors() {
        let Head { position, hash } = books.head();
        let position = position + 1;
        let hash = hash.followed_by(position, &vector.fact);
        for bit in 0..256 {
            let mut bytes = hash.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let line = Line { position, fact: vector.fact.clone(), hash: Digest::new(bytes) };
            assert!(
                matches!(books.clone().add(&line), Err(Difference::Hash { .. })),
                "{} bit {bit}",
                vector.why
            );
        }
        books.add(&Line { position, fact: vector.fact, hash }).unwrap();
    }
}

/// What a forger would write who can recompute hashes: the books still say where it cannot be.
#[test]
fn a_line_that_may_not_follow_is_refused_though_its_hash_is_right() {
    let facts: Vec<Fact> = vectors().into_iter().map(|vector| vector.fact).collect();
    let told = |story: &[usize]| {
        let mut books = Books::default();
        story.iter().map(|fact| &facts[*fact]).try_for_each(|fact| {
            let Head { position, hash } = books.head();
            let position = position + 1;
            books.add(&Line { position, fact: fact.clone(), hash: hash.followed_by(position, fact) })
        })
    };
    assert_eq!(told(&[0, 1, 2, 3, 4, 5]), Ok(()));
    assert!(matches!(told(&[1]), Err(Difference::Order { position: 1, .. })), "posted before pended");
    assert!(matches!(told(&[0, 0]), Err(Difference::Order { position: 2, .. })), "pended twice");
    assert!(matches!(told(&[0, 1, 1]), Err(Difference::Order { position: 3, .. })), "posted twice");
    assert!(matches!(told(&[0, 1, 0]), Err(Difference::Order { position: 3, .. })), "an id opened again");
    assert!(matches!(told(&[3, 0]), Err(Difference::Day { position: 2, .. })), "on a closed day");
}

/// A store may keep more beside its log than SQLite's does.
#[test]
fn what_a_store_keeps_is_held_against_the_log() {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    for vector in vectors() {
        ledger.commit_one(vector.fact).unwrap();
    }
    let kept = ledger.standing().unwrap();
    let books = ledger.books_at(kept.head.position).unwrap();
    assert_eq!(books.compare(&kept), Ok(()));
    let doubted = Standing { in_doubt: ["order-2".parse().unwrap()].into(), ..kept.clone() };
    assert!(matches!(books.compare(&doubted), Err(Difference::Doubt { .. })));
    let opened = Standing { closed: None, ..kept.clone() };
    assert!(matches!(books.compare(&opened), Err(Difference::ClosedDay { .. })));
    let emptied = Standing { balances: Default::default(), ..kept };
    assert!(matches!(books.compare(&emptied), Err(Difference::Balance { .. })));
}
