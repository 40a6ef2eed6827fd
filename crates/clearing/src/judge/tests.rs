//! Verdicts, one table row a case.

use std::collections::{BTreeMap, HashMap};

use model::{CardNumber, CityCode, OperatorId, PsamId, PurseFen, Tac, TapRecord, TerminalId, TxnType};
use proptest::prelude::*;

use super::*;
use crate::sample::{QuickCards, registry, signed, tap};

fn bench() -> Bench<'static> {
    Bench {
        registry: registry(),
        proofs: &QuickCards,
        seen: &NothingEarlier,
        deny: None,
        day: "2014-10-20".parse().unwrap(),
        window: Window::default(),
    }
}

fn fen(amount: u32) -> PurseFen {
    PurseFen::try_from(amount).unwrap()
}

fn city(code: u16) -> CityCode {
    CityCode::new(code).unwrap()
}

fn records(taps: Vec<TapRecord>) -> Vec<Record> {
    (2..).zip(taps).map(|(line_no, tap)| Record { batch: 7, line_no, tap }).collect()
}

fn reasons(taps: Vec<TapRecord>, bench: Bench<'_>) -> Vec<Reason> {
    judge(&records(taps), bench).unwrap().rulings.iter().map(|ruling| ruling.reason).collect()
}

/// A tap that differs from the plain one, with its true TAC.
fn with(change: impl FnOnce(&mut TapRecord)) -> TapRecord {
    let mut tap = tap();
    change(&mut tap);
    signed(tap)
}

#[test]
fn each_rule_gives_its_verdict() {
    type Case = (&'static str, TapRecord, Reason);
    let mut flipped = signed(tap());
    flipped.tac = Tac::from_u32(flipped.tac.as_u32() ^ 1);
    let cases: Vec<Case> = vec![
        ("nothing wrong", with(|_| {}), Reason::Accepted),
        ("one bit of the TAC", flipped, Reason::TacDiffers),
        ("no such issuer", with(|t| t.issuer = city(9999)), Reason::UnknownIssuer),
        ("no such acquirer", with(|t| t.acquirer = city(9998)), Reason::UnknownAcquirer),
        (
            "no such operator",
            with(|t| t.operator = OperatorId::new(20_009_901).unwrap()),
            Reason::UnknownOperator,
        ),
        (
            "another city's operator",
            with(|t| t.operator = OperatorId::new(35_000_101).unwrap()),
            Reason::ForeignOperator,
        ),
        (
            "another operator's terminal",
            with(|t| t.terminal = TerminalId::from_u64(0x2000_0201_0001).unwrap()),
            Reason::ForeignTerminal,
        ),
        ("an issuer that is not interoperable", with(|t| t.issuer = city(5180)), Reason::NotAccepted),
        ("a Shanghai card in Fuzhou", in_fuzhou("2014-10-20 08:00:00"), Reason::NotAccepted),
        ("a test", with(|t| t.test = true), Reason::TestRecord),
        (
            "the limit itself",
            with(|t| (t.amount, t.balance_before) = (fen(100_000), fen(100_000))),
            Reason::Accepted,
        ),
        (
            "amount over the limit",
            with(|t| (t.amount, t.balance_before) = (fen(100_001), fen(100_001))),
            Reason::AmountOverLimit,
        ),
        ("balance over the limit", with(|t| t.balance_before = fen(100_001)), Reason::BalanceOverLimit),
        ("more than the purse held", with(|t| t.balance_before = fen(199)), Reason::AmountOverBalance),
        ("ten days old", with(|t| t.at = "2014-10-10 00:00:00".parse().unwrap()), Reason::Accepted),
        ("eleven days old", with(|t| t.at = "2014-10-09 23:59:59".parse().unwrap()), Reason::TooLate),
        ("before the cut-off", with(|t| t.at = "2014-10-21 01:59:59".parse().unwrap()), Reason::Accepted),
        ("at the cut-off", with(|t| t.at = "2014-10-21 02:00:00".parse().unwrap()), Reason::InTheFuture),
    ];
    for (what, tap, expected) in cases {
        assert_eq!(reasons(vec![tap], bench()), [expected], "{what}");
    }
}

fn in_fuzhou(at: &str) -> TapRecord {
    with(|t| {
        t.issuer = city(2000);
        t.acquirer = city(3500);
        t.operator = OperatorId::new(35_000_101).unwrap();
        t.terminal = TerminalId::from_u64(0x3500_0101_0001).unwrap();
        t.at = at.parse().unwrap();
    })
}

#[test]
fn acceptance_is_by_the_day_of_the_tap() {
    let later = Bench { day: "2015-11-12".parse().unwrap(), ..bench() };
    assert_eq!(reasons(vec![in_fuzhou("2015-11-11 23:00:00")], later), [Reason::NotAccepted]);
    assert_eq!(reasons(vec![in_fuzhou("2015-11-12 08:00:00")], later), [Reason::Accepted]);
}

fn first() -> TapRecord {
    with(|_| {})
}

fn later(change: impl FnOnce(&mut TapRecord)) -> TapRecord {
    with(|t| {
        t.at = t.at.plus_seconds(60);
        change(t);
    })
}

fn entry(minutes: i64, count: u32) -> TapRecord {
    with(|t| {
        t.kind = TxnType::Compound;
        t.amount = PurseFen::ZERO;
        t.at = t.at.plus_seconds(60 * minutes);
        t.terminal_seq = count;
    })
}

fn key_cases() -> Vec<(&'static str, Vec<TapRecord>, Vec<Reason>)> {
    let mut forged = later(|t| t.terminal_seq = 78);
    forged.at = tap().at.plus_seconds(-60);
    vec![
        ("the same tap again", vec![first(), first()], vec![Reason::Accepted, Reason::RepeatedToday]),
        (
            "three times",
            vec![first(); 3],
            vec![Reason::Accepted, Reason::RepeatedToday, Reason::RepeatedToday],
        ),
        (
            "the card's counter again, elsewhere",
            vec![later(|t| t.terminal_seq = 78), first()],
            vec![Reason::CardCounterReused, Reason::Accepted],
        ),
        (
            "the PSAM's counter again, by another card",
            vec![first(), later(|t| (t.card, t.card_seq) = (CardNumber::from_u64(1), 9))],
            vec![Reason::Accepted, Reason::PsamCounterReused],
        ),
        (
            "a proven tap with other counters around it",
            vec![
                with(|t| (t.psam, t.card_seq) = (PsamId(1), 6)),
                with(|t| (t.psam, t.card_seq) = (PsamId(2), 7)),
            ],
            vec![Reason::Accepted, Reason::ProofReused],
        ),
        (
            "the next tap of card and PSAM",
            vec![first(), later(|t| (t.terminal_seq, t.card_seq) = (78, 6))],
            vec![Reason::Accepted, Reason::Accepted],
        ),
        (
            "entries of amount 0 share the card's counter with the purchase before",
            vec![first(), entry(5, 78), entry(9, 79)],
            vec![Reason::Accepted; 3],
        ),
        (
            "an entry sent again",
            vec![entry(5, 78), entry(5, 78)],
            vec![Reason::Accepted, Reason::RepeatedToday],
        ),
        ("an unproven tap claims no key", vec![forged, first()], vec![Reason::TacDiffers, Reason::Accepted]),
        (
            "a refused tap that is proven claims its keys",
            vec![with(|t| t.balance_before = fen(100)), with(|t| t.at = t.at.plus_seconds(1))],
            vec![Reason::AmountOverBalance, Reason::CardCounterReused],
        ),
    ]
}

#[test]
fn a_key_is_used_once() {
    for (what, taps, expected) in key_cases() {
        let (mut found, mut expected) = (reasons(taps, bench()), expected);
        found.sort_unstable();
        expected.sort_unstable();
        // Sorted, because of taps at one moment the one with the smaller content hash goes first.
        assert_eq!(found, expected, "{what}");
    }
    let clone = vec![later(|t| t.terminal_seq = 78), first()];
    assert_eq!(
        reasons(clone, bench()),
        [Reason::CardCounterReused, Reason::Accepted],
        "the earlier tap is paid"
    );
}

/// A store of earlier days.
struct Store(HashMap<Key, ContentId>);

impl Seen for Store {
    fn content(&self, key: &Key) -> Result<Option<ContentId>, SeenError> {
        Ok(self.0.get(key).copied())
    }
}

#[test]
fn earlier_days_are_remembered() {
    let yesterday = judge(&records(vec![with(|_| {})]), bench()).unwrap();
    let store = Store(yesterday.claims.iter().map(|claim| (claim.key, claim.content)).collect());
    let today = Bench { seen: &store, day: "2014-10-21".parse().unwrap(), ..bench() };
    let again = with(|_| {});
    let clone = with(|t| (t.at, t.terminal_seq) = (t.at.plus_seconds(9_000), 90));
    let next = with(|t| (t.at, t.terminal_seq, t.card_seq) = (t.at.plus_seconds(9_500), 91, 6));
    assert_eq!(
        reasons(vec![again.clone(), clone, next], today),
        [Reason::RepeatedLater, Reason::CardCounterReused, Reason::Accepted]
    );
    let much_later = Bench { day: "2014-11-20".parse().unwrap(), ..today };
    assert_eq!(reasons(vec![again], much_later), [Reason::RepeatedLater], "paid once, so not held but known");
}

struct Broken;

impl Seen for Broken {
    fn content(&self, _key: &Key) -> Result<Option<ContentId>, SeenError> {
        Err("disk full".into())
    }
}

#[test]
fn without_the_earlier_days_nothing_is_judged() {
    let error = judge(&records(vec![with(|_| {})]), Bench { seen: &Broken, ..bench() }).unwrap_err();
    assert_eq!(error.to_string(), "disk full");
}

#[test]
fn a_denied_card_is_not_paid_from_the_moment_on_the_list() {
    for (from, expected) in
        [("2014-10-20 07:45:00", Reason::OnDenyList), ("2014-10-20 07:45:01", Reason::Accepted)]
    {
        assert_eq!(on_the_list(&[(from, None)]), expected, "{from}");
    }
}

#[test]
fn a_card_that_has_left_the_list_is_paid_from_that_moment_and_not_for_the_time_between() {
    let (before, at, after) = ("2014-10-20 07:44:59", "2014-10-20 07:45:00", "2014-10-20 07:45:01");
    for (stays, expected) in [
        (vec![(before, Some(after))], Reason::OnDenyList),
        (vec![(before, Some(at))], Reason::Accepted),
        (vec![(after, Some(before))], Reason::Accepted), // left it before its grace was over
        (vec![(before, Some(at)), (at, None)], Reason::OnDenyList),
        (vec![(before, Some(at)), (after, None)], Reason::Accepted),
        (vec![(before, None), (before, Some(at))], Reason::OnDenyList), // two reasons, one of them gone
    ] {
        assert_eq!(on_the_list(&stays), expected, "{stays:?}");
    }
}

/// The verdict on the tap of 07:45:00 while its card's stays on the list are these.
fn on_the_list(stays: &[(&str, Option<&str>)]) -> Reason {
    let denied = tap();
    let stay = |(since, until): &(&str, Option<&str>)| Denial {
        since: since.parse().unwrap(),
        until: until.map(|until| until.parse().unwrap()),
    };
    let stays: Vec<Denial> = stays.iter().map(stay).collect();
    let cards = BTreeMap::from([((denied.issuer, denied.card), stays)]);
    let list = DenyList { version: 3, cards };
    let standing = list.cards.values().flatten().any(|stay| stay.until.is_none());
    assert_eq!(list.standing().count() == 1, standing);
    reasons(vec![with(|_| {})], Bench { deny: Some(&list), ..bench() })[0]
}

#[test]
fn a_key_has_bytes_of_its_own() {
    let judgment = judge(&records(vec![with(|_| {})]), bench()).unwrap();
    let bytes: Vec<String> = judgment.claims.iter().map(|claim| hex::encode(claim.key.to_bytes())).collect();
    assert_eq!(
        bytes,
        [
            "5431500000000000422000010100010000004d000000005444bd7c",
            "4331500000000000420005",
            "5000002000010100010000004d"
        ]
    );
}

/// Few cards, counters and moments, so that taps collide in every way.
fn crowd() -> impl Strategy<Value = Vec<Record>> {
    let one = (0_u64..3, 0_u16..3, 0_u64..2, 0_u32..3, 0_i64..3, 0_u32..3, 0_u8..8, 0_u64..3, 0_u32..5);
    let record = one.prop_map(|(card, card_seq, psam, terminal_seq, hour, amount, odd, batch, line_no)| {
        let mut tap = tap();
        tap.card = CardNumber::from_u64(card);
        (tap.card_seq, tap.terminal_seq, tap.psam) = (card_seq, terminal_seq, PsamId(psam));
        tap.at = tap.at.plus_seconds(hour * 3_600);
        tap.amount = fen(amount * 100);
        match odd {
            0 => tap.at = tap.at.plus_seconds(-86_400 * 20),
            1 => tap.issuer = city(2000),
            2 => tap.balance_before = fen(150),
            _ => {}
        }
        let mut tap = signed(tap);
        if odd == 3 {
            tap.tac = Tac([0; 4]);
        }
        Record { batch, line_no, tap }
    });
    prop::collection::vec(record, 0..24)
}

proptest! {
    #[test]
    fn the_order_of_records_changes_nothing(records in crowd(), seed: u64) {
        let sorted = |records: &[Record]| {
            let judgment = judge(records, bench()).unwrap();
            let mut rows: Vec<_> = records.iter().zip(&judgment.rulings)
                .map(|(record, ruling)| (format!("{record:?}"), ruling.reason)).collect();
            rows.sort();
            (rows, judgment.claims)
        };
        let mut shuffled = records.clone();
        let mut random = keys::Seeded::new(seed);
        for index in (1..shuffled.len()).rev() {
            shuffled.swap(index, random.below(index as u64 + 1) as usize);
        }
        prop_assert_eq!(sorted(&records), sorted(&shuffled));
    }

    #[test]
    fn each_record_gets_one_verdict_and_no_key_is_paid_twice(records in crowd()) {
        let judgment = judge(&records, bench()).unwrap();
        prop_assert_eq!(judgment.rulings.len(), records.len());
        let paid = records.iter().zip(&judgment.rulings).filter(|(_, ruling)| ruling.is_paid());
        let (mut cards, mut psams) = (std::collections::HashSet::new(), std::collections::HashSet::new());
        for (record, ruling) in paid {
            prop_assert_eq!((ruling.batch, ruling.line_no), (record.batch, record.line_no));
            let tap = &record.tap;
            prop_assert!(psams.insert((tap.psam, tap.terminal_seq)));
            prop_assert!(tap.amount == PurseFen::ZERO || cards.insert((tap.card, tap.card_seq)));
        }
    }
}
