//! Random histories, handed to each store and to the slow model: every answer the same, through reopening and repetition.

use std::ops::DerefMut;

use ledger::{Fact, Ledger, Refusal};
use proptest::prelude::*;

use crate::files::Temporary;
use crate::model::Slow;
use crate::postgres::Database;
use crate::suite::{at, day, entry, on};

const ACCOUNTS: [&str; 6] =
    ["paid-in:alipay", "doubt:2000", "float:2000", "float:0670", "due:issuer:2000", "x:1"];
const HUGE: i64 = i64::MAX / 2;

#[derive(Clone, Debug)]
enum Step {
    /// In chains of so many.
    Commit(Vec<Fact>, usize),
    Reopen,
    /// Says the last batch once more.
    Repeat,
}

fn legs() -> impl Strategy<Value = Vec<(&'static str, &'static str, i64)>> {
    let amount = prop_oneof![12 => 1_i64..4, 1 => Just(HUGE)];
    // Debits lean to `paid-in`, so that floats and doubts are often fed before they are drawn on.
    let debit = prop_oneof![2 => Just(0_usize), 3 => 0..ACCOUNTS.len()];
    let leg = (debit, 1..ACCOUNTS.len(), amount).prop_map(|(debit, step, fen)| {
        let credit = (debit + step) % ACCOUNTS.len();
        (ACCOUNTS[debit], ACCOUNTS[credit], fen)
    });
    prop_oneof![1 => Just(Vec::new()), 12 => prop::collection::vec(leg, 1..4)]
}

fn fact() -> impl Strategy<Value = Fact> {
    let plain = prop_oneof![
        Just(Vec::new()),
        Just(vec![("paid-in:alipay", "doubt:2000", 3)]),
        Just(vec![("doubt:2000", "float:2000", 3)]),
    ];
    let said = (0..5_u8, 0..9_u8, 1..5_u8, prop_oneof![1 => plain.boxed(), 1 => legs().boxed()]);
    said.prop_map(|(act, id, number, legs)| {
        let entry = on(number, entry(&format!("id-{id}"), &legs));
        match act {
            0 => Fact::Recorded(entry),
            1 => Fact::Pended(entry),
            2 => Fact::Posted(entry),
            3 => Fact::Voided(entry),
            // Most days are closed seldom, or nothing else would happen.
            _ if id == 0 => Fact::DayClosed { day: day(number), at: at(3) },
            _ => Fact::Pended(entry),
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::collection::vec(fact(), 1..5), prop_oneof![3 => Just(1_usize), 2 => 2..4_usize])
            .prop_map(|(facts, links)| Step::Commit(facts, links)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Repeat),
    ]
}

/// Which account overflows first is for each store to say.
fn alike(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Overflow { id, .. } => Refusal::Overflow { id, account: "any:account".parse().unwrap() },
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_as_the_slow_model_does(steps in prop::collection::vec(step(), 1..40), probe: u64) {
        compare(Temporary::new(), Temporary::reopen, steps, probe)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn postgres_answers_as_the_slow_model_does(steps in prop::collection::vec(step(), 1..40), probe: u64) {
        if let Some(real) = Database::new() {
            compare(real, Database::reopen, steps, probe)?;
        }
    }

    #[test]
    fn streaming_postgres_answers_as_the_slow_model_does(steps in prop::collection::vec(step(), 1..40), probe: u64) {
        if let Some(real) = Database::new() {
            compare(real.streaming(), Database::reopen_streaming, steps, probe)?;
        }
    }
}

fn compare<S: DerefMut<Target: Ledger + Sized>>(
    mut real: S,
    reopen: impl Fn(&mut S),
    steps: Vec<Step>,
    probe: u64,
) -> Result<(), TestCaseError> {
    let mut slow = Slow::default();
    let (mut last, mut links) = (Vec::new(), 1);
    for step in steps {
        match step {
            Step::Reopen => reopen(&mut real),
            Step::Commit(facts, length) => (last, links) = (facts, length),
            Step::Repeat => {}
        }
        let chains: Vec<&[Fact]> = last.chunks(links).collect();
        let answers =
            |answers: Vec<Result<_, _>>| answers.into_iter().map(|o| o.map_err(alike)).collect::<Vec<_>>();
        let ours = answers(real.commit_chains(&chains).unwrap());
        let theirs = answers(slow.commit_chains(&chains).unwrap());
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(real.standing().unwrap(), slow.standing().unwrap());
    }
    let head = real.verify().unwrap();
    prop_assert_eq!(real.pending().unwrap(), slow.pending().unwrap());
    prop_assert_eq!(real.read(0, usize::MAX).unwrap(), slow.read(0, usize::MAX).unwrap());
    let prefix = probe % (head.position + 1);
    prop_assert_eq!(real.balances_at(prefix).unwrap(), slow.balances_at(prefix).unwrap());
    prop_assert_eq!(real.books_at(prefix).unwrap().sum(), 0);
    for number in 1..5 {
        let (ours, theirs) = (real.positions(prefix, day(number)), slow.positions(prefix, day(number)));
        prop_assert_eq!(ours.unwrap(), theirs.unwrap());
    }
    Ok(())
}
