//! The batch against the plain check, at every width.
//!
//! Standard: FIPS 46-3, the tables S1 to S8; card.md section 2.2.

use model::{CardNumber, CardTime, Entropy, PurseFen, Tac, TerminalId};

use super::*;
use crate::hierarchy::card_key;
use crate::purse::purchase_tac;
use crate::{Key16, Seeded};

/// The standard's tables, by row and column.
const TABLES: [&str; 8] = [
    "E4D12FB83A6C5907 0F74E2D1A6CB9538 41E8D62BFC973A50 FC8249175B3EA06D",
    "F18E6B34972DC05A 3D47F28EC01A69B5 0E7BA4D158C6932F D8A13F42B67C05E9",
    "A09E63F51DC7B428 D709346A285ECBF1 D6498F30B12C5AE7 1AD069874FE3B52C",
    "7DE3069A1285BC4F D8B56F03472C1AE9 A690CB7DF13E5284 3F06A1D8945BC72E",
    "2C417AB6853FD0E9 EB2C47D150FA3986 421BAD78F9C5630E B8C71E2D6F09A453",
    "C1AF92680D34E75B AF427C9561DE0B38 9EF528C3704A1DB6 432C95FABE17608D",
    "4B2EF08D3C975A61 D0B7491AE35C2F86 14BDC37EAF680592 6BD814A7950FE23C",
    "D2846FB1A93E50C7 1FD8A374C56B0E92 7B419CE206ADF358 21E74A8DFC90356B",
];

type Boxed = fn([u64; 6]) -> [u64; 4];

fn and_lut<const L: i32>(a: u64, b: u64, c: u64) -> u64 {
    (0..8).filter(|row| L >> row & 1 == 1).fold(0, |sum, row| {
        let side = |bit: u64, word: u64| if row & bit == 0 { !word } else { word };
        sum | side(4, a) & side(2, b) & side(1, c)
    })
}

mod circuits {
    use super::and_lut;
    use crate::batch::sboxes::sboxes;

    sboxes!(u64, and_lut,);

    pub(super) const ALL: [super::Boxed; 8] = [s1, s2, s3, s4, s5, s6, s7, s8];
}

#[test]
fn every_circuit_is_its_table() {
    for (table, circuit) in TABLES.iter().zip(circuits::ALL) {
        let cells: Vec<u64> = table.chars().filter_map(|digit| digit.to_digit(16)).map(u64::from).collect();
        assert_eq!(cells.len(), 64);
        for input in 0..64_u64 {
            let bits = std::array::from_fn(|place| input >> (5 - place) & 1);
            let output = circuit(bits).into_iter().fold(0, |sum, bit| sum << 1 | bit & 1);
            let (row, column) = (input >> 5 << 1 | input & 1, input >> 1 & 15);
            assert_eq!(output, cells[usize::try_from(row * 16 + column).unwrap()], "{table} at {input}");
        }
    }
}

struct Case {
    card: CardNumber,
    purchase: Purchase,
    counter: u32,
}

fn case(random: &mut Seeded) -> Case {
    let mut terminal = [0; 6];
    random.fill(&mut terminal);
    let start: CardTime = "2014-10-20 00:00:00".parse().unwrap();
    Case {
        card: CardNumber::from_u64(random.next_u64()),
        purchase: Purchase {
            amount: PurseFen::try_from(u32::try_from(random.below(1_000_000)).unwrap()).unwrap(),
            txn_type: if random.below(2) == 0 { 6 } else { 9 },
            terminal: TerminalId::new(terminal),
            at: start.plus_seconds(i64::try_from(random.below(40_000_000)).unwrap()),
        },
        counter: u32::try_from(random.below(1 << 32)).unwrap(),
    }
}

fn facts(case: &Case, tac: u32) -> TapFacts {
    TapFacts::new(case.card, &case.purchase, case.counter, Tac::from_u32(tac))
}

fn key(random: &mut Seeded) -> Key16 {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    Key16::new(bytes)
}

/// As many taps, every one of them true or with one bit of its TAC turned over; the indices of the wrong ones.
fn taps(count: usize, city: &Key16, random: &mut Seeded, wrong_in: u64) -> (Vec<TapFacts>, Vec<usize>) {
    let (mut taps, mut wrong) = (Vec::new(), Vec::new());
    for index in 0..count {
        let case = case(random);
        let tac = u32::from_be_bytes(
            purchase_tac(&card_key(city, case.card), &case.purchase, case.counter).bytes(),
        );
        let flipped = random.below(wrong_in) == 0;
        wrong.extend(flipped.then_some(index));
        let bit = 1 << random.below(32);
        taps.push(facts(&case, if flipped { tac ^ bit } else { tac }));
    }
    (taps, wrong)
}

fn found(city: &Key16, width: Width, taps: &[TapFacts]) -> Vec<usize> {
    let mut found = Vec::new();
    Checker::new(city, width).check(taps, |index| found.push(index));
    found
}

#[test]
fn every_width_finds_the_same_wrong_taps_as_the_plain_check() {
    let mut random = Seeded::new(1);
    for wrong_in in [1, 2, 40, u64::MAX] {
        let city = key(&mut random);
        let (taps, wrong) = taps(3 * PAGE + 77, &city, &mut random, wrong_in);
        for width in Width::available() {
            assert_eq!(found(&city, width, &taps), wrong, "{width:?}");
        }
    }
}

#[test]
fn any_fact_turned_over_makes_a_tap_wrong() {
    let mut random = Seeded::new(2);
    let city = key(&mut random);
    let (good, _) = taps(1, &city, &mut random, u64::MAX);
    let mut lies = Vec::new();
    for bit in 0..64 {
        lies.push(TapFacts { card: good[0].card ^ 1 << bit, ..good[0] });
        for block in 0..3 {
            let mut blocks = good[0].blocks;
            blocks[block] ^= 1 << bit;
            lies.push(TapFacts { blocks, ..good[0] });
        }
    }
    for width in Width::available() {
        assert_eq!(found(&city, width, &lies).len(), lies.len(), "{width:?}");
        assert_eq!(found(&city, width, &good), Vec::<usize>::new(), "{width:?}");
    }
}

#[test]
fn a_part_of_a_page_says_nothing_of_what_stood_there_before() {
    let mut random = Seeded::new(3);
    let city = key(&mut random);
    let (bad, wrong) = taps(PAGE, &city, &mut random, 1);
    let (good, _) = taps(5, &city, &mut random, u64::MAX);
    assert_eq!(wrong.len(), PAGE);
    let mut checker = Checker::new(&city, Width::widest());
    let mut found = 0;
    checker.check(&bad, |_| found += 1);
    checker.check(&good, |_| found += 1);
    checker.check(&[], |_| found += 1);
    assert_eq!(found, PAGE);
}
