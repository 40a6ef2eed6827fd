//! The rules that every store keeps, each a function over a maker of empty ledgers with the centre's rules.

use ledger::{AccountName, Balance, Entry, Fact, Ledger, LedgerError, Leg, Outcome, Refusal};
use model::{CardTime, Date, Fen};

/// Makes one test of each rule, for the ledger that the expression makes, where a first one says that it can be had.
macro_rules! ledger_suite {
    ($make:expr) => {
        crate::suite::ledger_suite! { true, $make }
    };
    ($ready:expr, $make:expr) => {
        crate::suite::ledger_suite! { $ready, $make;
            a_recorded_entry_moves_both_sides,
            what_is_pended_is_held_until_it_is_posted,
            a_void_lets_go_and_may_refund,
            the_same_again_gives_the_stored_outcome,
            an_id_with_another_content_is_refused_with_the_stored_digest,
            an_id_opens_once_in_one_way,
            what_is_posted_cannot_be_voided_nor_the_reverse,
            what_was_never_pended_cannot_be_posted_or_voided,
            an_entry_without_legs_or_with_a_bad_memo_is_refused,
            a_closed_day_takes_no_entry_and_says_which_is_open,
            a_repetition_is_answered_after_its_day_is_closed,
            a_day_that_has_not_begun_cannot_be_closed,
            a_float_is_never_overdrawn_not_even_by_what_is_held,
            a_rule_is_asked_of_the_whole_entry_not_of_its_legs,
            a_sum_that_does_not_fit_is_refused,
            a_refusal_leaves_no_trace_and_stops_no_other,
            a_batch_counts_what_came_before_in_it,
            doubts_are_named_with_their_age,
            positions_are_a_function_of_the_prefix_and_the_day,
            balances_at_a_point_are_what_they_were_then,
            a_point_beyond_the_end_is_refused,
            the_log_reads_in_pages_and_by_id,
            the_sum_of_all_balances_is_zero,
            linked_facts_stand_or_fall_together,
            a_chain_that_is_said_again_gives_the_stored_outcomes,
        }
    };
    ($ready:expr, $make:expr; $($rule:ident),* $(,)?) => {
        $(#[test] fn $rule() { if $ready { crate::suite::$rule(|| $make); } })*
    };
}
pub(crate) use ledger_suite;

pub(crate) fn account(name: &str) -> AccountName {
    name.parse().unwrap()
}

pub(crate) fn day(number: u8) -> Date {
    format!("2014-10-{number:02}").parse().unwrap()
}

pub(crate) fn at(number: u8) -> CardTime {
    format!("2014-10-{number:02} 12:00:00").parse().unwrap()
}

/// An entry of the 20th.
pub(crate) fn entry(id: &str, legs: &[(&str, &str, i64)]) -> Entry {
    let leg =
        |&(debit, credit, fen): &(&str, &str, i64)| Leg::new(account(debit), account(credit), Fen::new(fen));
    let legs = legs.iter().map(|l| leg(l).unwrap()).collect();
    Entry {
        id: id.parse().unwrap(),
        kind: "test".parse().unwrap(),
        legs,
        day: day(20),
        at: at(20),
        memo: String::new(),
    }
}

pub(crate) fn on(number: u8, mut entry: Entry) -> Entry {
    (entry.day, entry.at) = (day(number), at(number));
    entry
}

fn load(id: &str, fen: i64) -> Entry {
    entry(id, &[("paid-in:alipay", "doubt:2000", fen)])
}

fn proven(id: &str, fen: i64) -> Entry {
    entry(id, &[("doubt:2000", "float:2000", fen), ("due:wallet:alipay", "due:issuer:2000", fen)])
}

fn refund(id: &str, fen: i64) -> Entry {
    entry(id, &[("paid-in:alipay", "refunds:alipay", fen)])
}

fn sums(ledger: &impl Ledger, name: &str) -> [i64; 4] {
    four(&ledger.balance(&account(name)).unwrap())
}

fn four(balance: &Balance) -> [i64; 4] {
    [balance.posted_debit, balance.posted_credit, balance.pending_debit, balance.pending_credit].map(Fen::get)
}

pub(crate) fn code(result: &Result<Outcome, LedgerError>) -> &'static str {
    match result {
        Ok(_) => "taken",
        Err(LedgerError::Refused(refusal)) => refusal.code(),
        Err(other) => panic!("{other}"),
    }
}

pub(crate) fn a_recorded_entry_moves_both_sides<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let outcome =
        ledger.record(entry("a", &[("paid-in:alipay", "float:2000", 700), ("x:1", "y:1", 1)])).unwrap();
    assert_eq!((outcome.position, outcome.day), (1, day(20)));
    assert_eq!(sums(&ledger, "paid-in:alipay"), [700, 0, 0, 0]);
    assert_eq!(sums(&ledger, "float:2000"), [0, 700, 0, 0]);
    assert_eq!(sums(&ledger, "x:1"), [1, 0, 0, 0]);
    assert_eq!(sums(&ledger, "never:touched"), [0; 4]);
    assert_eq!(ledger.verify().unwrap().hash, outcome.hash);
}

pub(crate) fn what_is_pended_is_held_until_it_is_posted<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 700)).unwrap();
    assert_eq!(sums(&ledger, "paid-in:alipay"), [0, 0, 700, 0]);
    assert_eq!(sums(&ledger, "doubt:2000"), [0, 0, 0, 700]);
    assert_eq!(ledger.balance(&account("doubt:2000")).unwrap().net_with_pending(), Fen::new(-700));
    ledger.post(proven("a", 700)).unwrap();
    assert_eq!(sums(&ledger, "paid-in:alipay"), [700, 0, 0, 0]);
    assert_eq!(sums(&ledger, "doubt:2000"), [700, 700, 0, 0]);
    assert_eq!(sums(&ledger, "float:2000"), [0, 700, 0, 0]);
    assert_eq!(sums(&ledger, "due:issuer:2000"), [0, 700, 0, 0]);
    assert_eq!(ledger.pending().unwrap(), []);
    ledger.verify().unwrap();
}

pub(crate) fn a_void_lets_go_and_may_refund<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 700)).unwrap();
    ledger.pend(load("b", 50)).unwrap();
    ledger.void(refund("a", 700)).unwrap();
    ledger.void(entry("b", &[])).unwrap();
    assert_eq!(sums(&ledger, "paid-in:alipay"), [700, 0, 0, 0]);
    assert_eq!(sums(&ledger, "doubt:2000"), [0; 4]);
    assert_eq!(sums(&ledger, "refunds:alipay"), [0, 700, 0, 0]);
    assert_eq!(ledger.pending().unwrap(), []);
    ledger.verify().unwrap();
}

pub(crate) fn the_same_again_gives_the_stored_outcome<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let facts = [
        Fact::Recorded(entry("r", &[("a:1", "b:1", 1)])),
        Fact::Pended(load("a", 7)),
        Fact::Pended(load("b", 8)),
        Fact::Posted(proven("a", 7)),
        Fact::Voided(refund("b", 8)),
        Fact::DayClosed { day: day(20), at: at(21) },
    ];
    let first = ledger.commit(&facts).unwrap();
    assert!(first.iter().all(Result::is_ok), "{first:?}");
    let standing = ledger.standing().unwrap();
    for _ in 0..2 {
        assert_eq!(ledger.commit(&facts).unwrap(), first);
    }
    assert_eq!(ledger.standing().unwrap(), standing);
}

pub(crate) fn an_id_with_another_content_is_refused_with_the_stored_digest<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let first = load("a", 700);
    let stored = ledger.pend(first.clone()).unwrap().digest;
    let others = [
        load("a", 701),
        entry("a", &[("paid-in:alipay", "doubt:0670", 700)]),
        entry("a", &[("paid-in:alipay", "doubt:2000", 700), ("a:1", "b:1", 1)]),
        Entry { memo: "x".to_owned(), ..first.clone() },
        Entry { kind: "other".parse().unwrap(), ..first.clone() },
    ];
    for other in others {
        let given = Fact::Pended(other.clone()).digest();
        let refused = ledger.pend(other).unwrap_err();
        let expected = Refusal::IdTaken { id: first.id.clone(), stored, given };
        assert!(matches!(refused, LedgerError::Refused(refusal) if refusal == expected));
    }
    ledger.post(proven("a", 700)).unwrap();
    assert_eq!(code(&ledger.post(proven("a", 699))), "id-taken");
    assert_eq!(code(&ledger.pend(load("a", 701))), "id-taken", "an id is good for ever");
    assert_eq!(ledger.verify().unwrap().position, 2);
}

pub(crate) fn an_id_opens_once_in_one_way<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 700)).unwrap();
    assert_eq!(code(&ledger.record(load("a", 700))), "id-taken");
    ledger.record(load("b", 700)).unwrap();
    assert_eq!(code(&ledger.pend(load("b", 700))), "id-taken");
}

pub(crate) fn what_is_posted_cannot_be_voided_nor_the_reverse<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 7)).unwrap();
    ledger.pend(load("b", 8)).unwrap();
    ledger.post(proven("a", 7)).unwrap();
    ledger.void(refund("b", 8)).unwrap();
    assert_eq!(code(&ledger.void(refund("a", 7))), "already-posted");
    assert_eq!(code(&ledger.void(entry("a", &[]))), "already-posted");
    assert_eq!(code(&ledger.post(proven("b", 8))), "already-voided");
    assert_eq!(ledger.verify().unwrap().position, 4);
}

pub(crate) fn what_was_never_pended_cannot_be_posted_or_voided<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    assert_eq!(code(&ledger.post(proven("a", 7))), "id-unknown");
    assert_eq!(code(&ledger.void(refund("a", 7))), "id-unknown");
    ledger.record(load("a", 7)).unwrap();
    assert_eq!(code(&ledger.post(proven("a", 7))), "not-pended");
    assert_eq!(code(&ledger.void(refund("a", 7))), "not-pended");
}

pub(crate) fn an_entry_without_legs_or_with_a_bad_memo_is_refused<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    assert_eq!(code(&ledger.record(entry("a", &[]))), "no-legs");
    assert_eq!(code(&ledger.pend(entry("a", &[]))), "no-legs");
    let memo = Entry { memo: "a\0b".to_owned(), ..load("a", 1) };
    assert_eq!(code(&ledger.record(memo)), "bad-memo");
    assert_eq!(code(&ledger.record(load("a", 1))), "taken", "a refused id is still free");
}

pub(crate) fn a_closed_day_takes_no_entry_and_says_which_is_open<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 7)).unwrap();
    ledger.close_day(day(20), at(20)).unwrap();
    assert_eq!(ledger.closed().unwrap(), Some(day(20)));
    let refused = ledger.record(on(19, load("b", 7))).unwrap_err();
    let expected = Refusal::DayClosed { day: day(19), open: day(21) };
    assert!(matches!(refused, LedgerError::Refused(refusal) if refusal == expected));
    assert_eq!(code(&ledger.post(proven("a", 7))), "day-closed");
    assert_eq!(code(&ledger.close_day(day(19), at(21))), "day-closed");
    assert_eq!(ledger.post(on(21, proven("a", 7))).unwrap().day, day(21));
    assert_eq!(code(&ledger.close_day(day(23), at(23))), "taken");
    assert_eq!(code(&ledger.record(on(22, load("c", 7)))), "day-closed");
    ledger.verify().unwrap();
}

pub(crate) fn a_repetition_is_answered_after_its_day_is_closed<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let pended = ledger.pend(load("a", 7)).unwrap();
    let closed = ledger.close_day(day(20), at(20)).unwrap();
    assert_eq!(ledger.pend(load("a", 7)).unwrap(), pended);
    assert_eq!(ledger.pend(on(25, load("a", 7))).unwrap(), pended, "day and time belong to the attempt");
    assert_eq!(ledger.close_day(day(20), at(24)).unwrap(), closed);
    assert_eq!(code(&ledger.pend(load("a", 8))), "id-taken");
}

pub(crate) fn a_day_that_has_not_begun_cannot_be_closed<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    assert_eq!(code(&ledger.close_day(day(21), at(20))), "day-ahead");
    assert_eq!(ledger.closed().unwrap(), None);
}

pub(crate) fn a_float_is_never_overdrawn_not_even_by_what_is_held<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.record(entry("in", &[("paid-in:alipay", "float:2000", 100)])).unwrap();
    ledger.pend(entry("held", &[("float:2000", "payable:operator:1", 60)])).unwrap();
    let refused = ledger.record(entry("out", &[("float:2000", "payable:operator:1", 41)])).unwrap_err();
    let available = Fen::new(40);
    let expected =
        Refusal::BelowZero { id: "out".parse().unwrap(), account: account("float:2000"), available };
    assert!(matches!(refused, LedgerError::Refused(refusal) if refusal == expected));
    ledger.record(entry("out", &[("float:2000", "payable:operator:1", 40)])).unwrap();
    ledger.post(entry("held", &[])).unwrap();
    assert_eq!(ledger.balance(&account("float:2000")).unwrap().credit(), Fen::ZERO);
    assert_eq!(code(&ledger.record(entry("doubt", &[("doubt:2000", "x:1", 1)]))), "below-zero");
    assert_eq!(
        code(&ledger.record(entry("free", &[("x:1", "y:1", 1)]))),
        "taken",
        "other kinds go either way"
    );
}

pub(crate) fn a_rule_is_asked_of_the_whole_entry_not_of_its_legs<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let round = [("doubt:2000", "float:2000", 5), ("paid-in:alipay", "doubt:2000", 5)];
    assert_eq!(code(&ledger.record(entry("a", &round))), "taken");
}

pub(crate) fn a_sum_that_does_not_fit_is_refused<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.record(entry("a", &[("x:1", "y:1", i64::MAX)])).unwrap();
    assert_eq!(code(&ledger.record(entry("b", &[("x:1", "z:1", 1)]))), "overflow");
    assert_eq!(code(&ledger.pend(entry("b", &[("z:1", "y:1", 1)]))), "overflow", "what is held must fit too");
    assert_eq!(code(&ledger.record(entry("b", &[("y:1", "x:1", i64::MAX)]))), "taken");
    assert_eq!(ledger.balance(&account("x:1")).unwrap().net(), Fen::ZERO);
    ledger.verify().unwrap();
}

pub(crate) fn a_refusal_leaves_no_trace_and_stops_no_other<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let over = entry("b", &[("x:1", "y:1", 1), ("float:2000", "y:1", 1)]);
    let outcomes = ledger.record_all(&[load("a", 1), over, load("a", 2), load("c", 3)]).unwrap();
    let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_or_else(Refusal::code, |_| "taken")).collect();
    assert_eq!(codes, ["taken", "below-zero", "id-taken", "taken"]);
    assert_eq!(sums(&ledger, "x:1"), [0; 4]);
    assert_eq!(sums(&ledger, "doubt:2000"), [0, 4, 0, 0]);
    assert_eq!(ledger.find(&"b".parse().unwrap()).unwrap(), None);
    assert_eq!(ledger.verify().unwrap().position, 2);
    assert_eq!(ledger.record_all(&[]).unwrap(), []);
}

pub(crate) fn a_batch_counts_what_came_before_in_it<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let facts = [
        Fact::Pended(load("a", 7)),
        Fact::Posted(proven("a", 7)),
        Fact::Recorded(entry("tap", &[("float:2000", "payable:operator:1", 7)])),
        Fact::Recorded(entry("over", &[("float:2000", "payable:operator:1", 1)])),
        Fact::Pended(load("a", 7)),
        Fact::DayClosed { day: day(20), at: at(20) },
        Fact::Recorded(load("late", 1)),
    ];
    let outcomes = ledger.commit(&facts).unwrap();
    let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_or_else(Refusal::code, |_| "taken")).collect();
    assert_eq!(codes, ["taken", "taken", "taken", "below-zero", "taken", "taken", "day-closed"]);
    assert_eq!(outcomes[4], outcomes[0]);
    assert_eq!(ledger.verify().unwrap().position, 4);
}

fn codes(outcomes: &[Result<Outcome, Refusal>]) -> Vec<&'static str> {
    outcomes.iter().map(|o| o.as_ref().map_or_else(Refusal::code, |_| "taken")).collect()
}

pub(crate) fn linked_facts_stand_or_fall_together<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let before = ledger.pend(load("before", 5)).unwrap();
    let tap = |id, fen| Fact::Recorded(entry(id, &[("float:2000", "payable:operator:1", fen)]));
    let falls = [
        Fact::Pended(load("before", 5)),
        Fact::Pended(load("a", 7)),
        tap("b", 1),
        Fact::Pended(load("c", 1)),
    ];
    let stands = [Fact::Pended(load("d", 7)), Fact::Posted(proven("d", 7)), tap("e", 6)];
    let alone = [tap("f", 2)];
    let outcomes = ledger.commit_chains(&[&falls, &stands, &alone, &[], &stands[2..]]).unwrap();
    let expected =
        ["taken", "linked", "below-zero", "linked", "taken", "taken", "taken", "below-zero", "taken"];
    assert_eq!(codes(&outcomes), expected);
    assert_eq!(outcomes[0], Ok(before), "what is in the log stays there");
    assert_eq!(outcomes[1], Err(Refusal::Linked { number: 3, why: "below-zero" }));
    assert_eq!(outcomes[8], outcomes[6]);
    assert_eq!(ledger.find(&"a".parse().unwrap()).unwrap(), None);
    assert_eq!(sums(&ledger, "float:2000"), [6, 7, 0, 0]);
    assert_eq!(sums(&ledger, "doubt:2000"), [7, 7, 0, 5]);
    assert_eq!(ledger.verify().unwrap().position, 4);
    assert_eq!(code(&ledger.pend(load("a", 8))), "taken", "its id is still free");
    let closes = [Fact::DayClosed { day: day(20), at: at(20) }, tap("g", 2)];
    assert_eq!(codes(&ledger.commit_linked(&closes).unwrap()), ["linked", "day-closed"]);
    assert_eq!(ledger.closed().unwrap(), None, "the day is as open as before");
    assert_eq!(code(&ledger.record(load("h", 1))), "taken");
    ledger.verify().unwrap();
}

pub(crate) fn a_chain_that_is_said_again_gives_the_stored_outcomes<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let chain = [Fact::Pended(load("a", 7)), Fact::Posted(proven("a", 7)), Fact::Recorded(load("b", 1))];
    let first = ledger.commit_linked(&chain).unwrap();
    assert_eq!(codes(&first), ["taken"; 3]);
    assert_eq!(ledger.commit_linked(&chain).unwrap(), first);
    let longer = [chain[0].clone(), Fact::Recorded(load("c", 1)), Fact::Recorded(load("b", 2))];
    let outcomes = ledger.commit_linked(&longer).unwrap();
    assert_eq!(codes(&outcomes), ["taken", "linked", "id-taken"]);
    assert_eq!(outcomes[0], first[0]);
    assert_eq!(ledger.verify().unwrap().position, 3);
}

pub(crate) fn doubts_are_named_with_their_age<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    for (number, id) in [(20, "a"), (21, "b"), (22, "c")] {
        ledger.pend(on(number, load(id, 7))).unwrap();
    }
    ledger.void(on(22, entry("b", &[]))).unwrap();
    let pending = ledger.pending().unwrap();
    let named: Vec<_> = pending.iter().map(|d| (d.id.as_str(), d.position, d.age_s(at(23)))).collect();
    assert_eq!(named, [("a", 1, 3 * 86_400), ("c", 3, 86_400)]);
    assert_eq!(pending[0].legs, load("a", 7).legs);
    assert_eq!((pending[1].day, pending[1].since), (day(22), at(22)));
}

pub(crate) fn positions_are_a_function_of_the_prefix_and_the_day<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 700)).unwrap();
    ledger.record(entry("tap", &[("due:issuer:2000", "due:acquirer:0670", 200)])).unwrap();
    ledger.record(on(21, entry("early", &[("due:issuer:2000", "due:acquirer:0670", 30)]))).unwrap();
    ledger.close_day(day(20), at(21)).unwrap();
    ledger.post(on(21, proven("a", 700))).unwrap();
    let net = |prefix, number, name| {
        let positions = ledger.positions(prefix, day(number)).unwrap();
        assert_eq!(positions.values().map(|b| b.net().get()).sum::<i64>(), 0);
        positions.get(&account(name)).map(|balance| balance.net().get())
    };
    assert_eq!(net(1, 20, "due:acquirer:0670"), None);
    for prefix in 2..=5 {
        assert_eq!(net(prefix, 20, "due:acquirer:0670"), Some(-200), "prefix {prefix}");
        assert_eq!(net(prefix, 20, "paid-in:alipay"), None, "what is held is no position");
    }
    assert_eq!(net(4, 21, "due:issuer:2000"), Some(30));
    assert_eq!(net(5, 21, "due:issuer:2000"), Some(30 - 700));
    assert_eq!(net(5, 21, "paid-in:alipay"), Some(700));
}

pub(crate) fn balances_at_a_point_are_what_they_were_then<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    let mut then = vec![ledger.standing().unwrap().balances];
    ledger.pend(load("a", 700)).unwrap();
    then.push(ledger.standing().unwrap().balances);
    ledger.pend(load("b", 8)).unwrap();
    then.push(ledger.standing().unwrap().balances);
    ledger.post(proven("a", 700)).unwrap();
    then.push(ledger.standing().unwrap().balances);
    ledger.void(refund("b", 8)).unwrap();
    then.push(ledger.standing().unwrap().balances);
    for (position, balances) in (0..).zip(then) {
        assert_eq!(ledger.balances_at(position).unwrap(), balances, "at {position}");
    }
}

pub(crate) fn a_point_beyond_the_end_is_refused<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.record(load("a", 1)).unwrap();
    for refused in [ledger.balances_at(2), ledger.positions(u64::MAX, day(20))] {
        assert!(matches!(refused, Err(LedgerError::Beyond { head: 1, .. })), "{refused:?}");
    }
}

pub(crate) fn the_log_reads_in_pages_and_by_id<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 7)).unwrap();
    ledger.record(load("b", 8)).unwrap();
    ledger.post(proven("a", 7)).unwrap();
    let all = ledger.read(0, 10).unwrap();
    assert_eq!(all.iter().map(|line| line.position).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(ledger.read(1, 1).unwrap(), all[1..2]);
    assert_eq!(ledger.read(3, 10).unwrap(), []);
    let story = ledger.find(&"a".parse().unwrap()).unwrap().unwrap();
    assert_eq!((story.opened, story.ended), (all[0].clone(), Some(all[2].clone())));
    let story = ledger.find(&"b".parse().unwrap()).unwrap().unwrap();
    assert_eq!((story.opened, story.ended), (all[1].clone(), None));
    assert_eq!(ledger.find(&"c".parse().unwrap()).unwrap(), None);
}

pub(crate) fn the_sum_of_all_balances_is_zero<L: Ledger>(make: impl Fn() -> L) {
    let mut ledger = make();
    ledger.pend(load("a", 700)).unwrap();
    ledger.pend(load("b", 8)).unwrap();
    ledger.post(proven("a", 700)).unwrap();
    ledger.void(refund("b", 8)).unwrap();
    for position in 0..=4 {
        assert_eq!(ledger.books_at(position).unwrap().sum(), 0, "at {position}");
    }
    let kept = ledger.standing().unwrap().balances;
    assert_eq!(kept.values().map(|balance| balance.net().get()).sum::<i64>(), 0);
    assert_eq!(kept.values().map(|balance| balance.net_with_pending().get()).sum::<i64>(), 0);
}
