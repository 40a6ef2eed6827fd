//! Made days: planted faults found, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use keys::SoftwareKeys;
use proptest::prelude::*;

use super::*;
use crate::clear::{Cleared, clear_folder};
use crate::judge::{Bench, ByCity, NothingEarlier, Proofs, Window};
use crate::parquet::VerdictRow;
use crate::report::verdict_rows;
use crate::sample::{QuickCards, registry};
use crate::verdict::Verdict;

fn plan(count: u64, bad_ppm: u32, seed: u64) -> Plan {
    Plan { count, bad_ppm, seed, day: "2014-10-20".parse().unwrap(), form: Form::Cux }
}

fn make(plan: Plan, cards: &dyn Cards) -> Vec<MadeFile> {
    Maker::new(plan, registry(), cards).unwrap().collect::<Result<_, _>>().unwrap()
}

fn clear(files: &[MadeFile], proofs: &dyn Proofs) -> Cleared {
    let folder: BTreeMap<String, Vec<u8>> =
        files.iter().map(|file| (file.name.clone(), file.bytes.clone())).collect();
    let bench = Bench {
        registry: registry(),
        proofs,
        seen: &NothingEarlier,
        deny: None,
        day: "2014-10-20".parse().unwrap(),
        window: Window::default(),
    };
    clear_folder(&folder, bench).unwrap()
}

fn truth(files: &[MadeFile]) -> Vec<VerdictRow> {
    let planted = files.iter().flat_map(|file| &file.planted);
    let mut rows: Vec<VerdictRow> =
        planted.map(|p| VerdictRow { batch: p.batch, line_no: p.line_no, reason: p.reason }).collect();
    rows.sort();
    rows
}

#[test]
fn every_planted_fault_is_found_and_nothing_else() {
    let files = make(plan(30_000, 20_000, 3), &QuickCards);
    let cleared = clear(&files, &QuickCards);
    assert_eq!(cleared.summary.refused, []);
    assert_eq!(cleared.summary.records, 30_000);
    let truth = truth(&files);
    assert_eq!(truth.len(), 600);
    assert_eq!(verdict_rows(&cleared.judgment.rulings), truth);
    let kinds: BTreeSet<Verdict> = truth.iter().map(|row| row.reason.verdict()).collect();
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    let (home, away) = (cleared.summary.home.records, cleared.summary.away.records);
    assert!(away > 500 && home > 20_000, "home {home}, away {away}");
    assert_eq!(cleared.summary.net_sum_fen.get(), 0);
}

#[test]
fn the_tacs_are_those_of_the_demo_network() {
    let files = make(plan(300, 100_000, 7), &DemoCards);
    let keys = SoftwareKeys::demo();
    let cleared = clear(&files, &ByCity(&keys));
    assert_eq!(verdict_rows(&cleared.judgment.rulings), truth(&files));
    assert_eq!(truth(&files).len(), 30);
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_seed_others() {
    assert_eq!(make(plan(500, 5_000, 1), &QuickCards), make(plan(500, 5_000, 1), &QuickCards));
    assert_ne!(make(plan(500, 5_000, 1), &QuickCards), make(plan(500, 5_000, 2), &QuickCards));
}

#[test]
fn columns_and_text_clear_to_the_same_books() {
    let text = make(plan(2_000, 10_000, 5), &QuickCards);
    let columns = make(Plan { form: Form::Parquet, ..plan(2_000, 10_000, 5) }, &QuickCards);
    let (text, columns) = (clear(&text, &QuickCards), clear(&columns, &QuickCards));
    assert_eq!(text.tables, columns.tables);
    assert_eq!(text.judgment.claims, columns.judgment.claims);
}

#[test]
fn a_damaged_file_is_named_and_the_others_clear() {
    let mut files = make(plan(2_000, 0, 5), &QuickCards);
    let whole = clear(&files, &QuickCards).summary;
    files[0].bytes.pop();
    let lost = files[0].records as u64;
    let cleared = clear(&files, &QuickCards).summary;
    assert_eq!(cleared.records, whole.records - lost);
    assert_eq!(cleared.refused.len(), 1);
    assert!(cleared.refused[0].error.contains(&files[0].name), "{}", cleared.refused[0].error);
}

#[test]
fn the_list_of_faults_stands_apart() {
    let planted = Planted { file: "XF.CUX".into(), batch: 1, line_no: 9, reason: Reason::CardCounterReused };
    assert_eq!(
        planted_csv(&[planted]),
        "file,batch,line_no,verdict,reason\nXF.CUX,1,9,11,card-counter-reused\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_books_close_for_any_day(count in 0_u64..400, bad_ppm in 0_u32..500_000, seed: u64) {
        let files = make(plan(count, bad_ppm, seed), &QuickCards);
        prop_assert_eq!(files.iter().map(|file| file.records as u64).sum::<u64>(), count);
        let cleared = clear(&files, &QuickCards);
        prop_assert_eq!(verdict_rows(&cleared.judgment.rulings), truth(&files));
        let by_flow: i64 = cleared.net.flows.values().map(|flow| flow.amount.get()).sum();
        let paid = cleared.summary.home.amount_fen.get() + cleared.summary.away.amount_fen.get();
        prop_assert_eq!(by_flow, paid);
    }
}
