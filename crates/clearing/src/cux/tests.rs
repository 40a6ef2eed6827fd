//! Record files read, written and refused.

use model::{CardTime, CityCode, LoadRecord, PurseFen, Tac, TapRecord};
use proptest::prelude::*;

use super::*;
use crate::sample::{any_tap, tap};
use crate::verdict::Reason;

const NAME: &str = "XF20000000201410200001.CUX";

fn created() -> CardTime {
    "2014-10-21 02:00:00".parse().unwrap()
}

fn numbered<T>(records: Vec<T>) -> Vec<Numbered<T>> {
    (1..).zip(records).map(|(local_seq, record)| Numbered { local_seq, record }).collect()
}

fn tap_file(taps: Vec<TapRecord>) -> CuxFile<TapRecord> {
    CuxFile { name: NAME.parse().unwrap(), created: created(), records: numbered(taps) }
}

fn load() -> LoadRecord {
    LoadRecord {
        order: "ord-7-20141020".into(),
        wallet: "baidu-wallet".parse().unwrap(),
        card: tap().card,
        issuer: CityCode::new(3100).unwrap(),
        terminal: tap().terminal,
        counter: 9,
        amount: PurseFen::try_from(5_000).unwrap(),
        balance_before: PurseFen::try_from(130).unwrap(),
        at: "2014-10-20 09:00:00".parse().unwrap(),
        tac: Tac([1, 2, 3, 4]),
    }
}

#[test]
fn a_line_looks_as_the_format_says() {
    let text = String::from_utf8(write_taps(&tap_file(vec![tap()])).unwrap()).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let header = [
        "CUX1",
        "XF",
        "2000",
        "0000",
        "20141020",
        "0001",
        "20141021020000",
        "0250",
        "00000001",
        "000000000200",
        "FFFFFFFFFFFFFFFF",
    ];
    assert_eq!(lines[0], header.concat());
    let expected = [
        "10",
        "000000000001",
        "2000",
        "3150",
        "20000101",
        "01",
        "200001010001",
        "00000000200001010001",
        "0000000077",
        "00003150000000000042",
        "0000",
        "000005",
        "00005000",
        "00000200",
        "00000200",
        "06",
        "20141020",
        "074500",
        "DEADBEEF",
        "01",
        "00",
        "71      ",
        "A1234   ",
        "        ",
        "        ",
        "00000000000000",
        "0",
    ]
    .concat();
    assert_eq!(lines[1], format!("{expected}{}{}", " ".repeat(32), "F".repeat(15)));
    assert_eq!((lines[1].len(), lines[2].len(), lines[3]), (250, 80, ""));
}

#[test]
fn loads_and_results_read_back_as_they_were_written() {
    let loads = CuxFile {
        name: "CZ31000000201410200003.CUX".parse().unwrap(),
        created: created(),
        records: numbered(vec![load()]),
    };
    let bytes = write_loads(&loads).unwrap();
    assert_eq!(read_loads(&loads.name.to_string(), &bytes).unwrap(), loads);

    let result = |reason: Reason| TapResult {
        tap: tap(),
        reason,
        clearing_day: "2014-10-21".parse().unwrap(),
        target_day: "2014-10-20".parse().unwrap(),
        fee: PurseFen::try_from(1).unwrap(),
    };
    let results = CuxFile {
        name: "XR00002000201410210001.CUX".parse().unwrap(),
        created: created(),
        records: numbered(Reason::all().map(result).collect()),
    };
    let bytes = write_results(&results).unwrap();
    assert_eq!(read_results(&results.name.to_string(), &bytes).unwrap(), results);
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let bytes = write_taps(&tap_file(vec![tap()])).unwrap();
    assert!(matches!(read_loads(NAME, &bytes), Err(CuxError::Kind { .. })));
    assert!(matches!(read_results(NAME, &bytes), Err(CuxError::Kind { .. })));
}

#[test]
fn what_does_not_fit_in_its_field_is_not_written() {
    let mut wide = tap();
    wide.amount = PurseFen::try_from(100_000_000).unwrap();
    let error = write_taps(&tap_file(vec![wide])).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("file {NAME} line 2 column 113 (amount): 100000000 does not fit in 8 characters")
    );
}

/// Replaces text in a good file and, so that only the change is wrong, signs the file anew.
fn changed(line: usize, column: usize, text: &str) -> Vec<u8> {
    let mut second = tap();
    second.card_seq = 6;
    let bytes = write_taps(&tap_file(vec![tap(), second])).unwrap();
    let mut lines: Vec<String> =
        String::from_utf8(bytes).unwrap().split_terminator("\r\n").map(str::to_owned).collect();
    lines[line - 1].replace_range(column - 1..column - 1 + text.len(), text);
    if line <= 3 {
        let covered: String = lines[..3].iter().map(|line| format!("{line}\r\n")).collect();
        let digest = hex::encode_upper(<sha2::Sha256 as sha2::Digest>::digest(covered.as_bytes()));
        lines[3].replace_range(12..76, &digest);
    }
    lines.iter().map(|line| format!("{line}\r\n")).collect::<String>().into_bytes()
}

#[test]
fn each_wrong_field_is_named_with_its_line_and_column() {
    // line, column, what is written there, what the error must say
    for (line, column, text, says) in [
        (1, 1, "CUX2", "line 1 column 1 (magic): expected `CUX1`, found `CUX2`"),
        (1, 5, "CZ", "line 1 column 5 (type): expected `XF`"),
        (1, 7, "3100", "line 1 column 7 (from): expected `2000`"),
        (1, 15, "20141021", "column 15 (business_day): expected `20141020`"),
        (1, 27, "20141399000000", "column 27 (created): expected a moment"),
        (1, 41, "0251", "column 41 (record_length): expected `0250`"),
        (1, 45, "00000003", "the header says 3 records of 250 characters"),
        (1, 45, "00000001", "the header says 1 records of 250 characters"),
        (1, 45, "99999999", "column 45 (records): expected at most 100000 records"),
        (1, 45, "-0000002", "column 45 (records): expected 8 decimal digits"),
        (1, 53, "000000000401", "column 53 (total_amount): expected the sum of the records, 400"),
        (1, 65, "G", "column 65 (filler): expected 16 x F"),
        (2, 1, "20", "line 2 column 1 (rec_type): expected `10`, found `20`"),
        (3, 3, "000000000001", "line 3 column 3 (local_seq): expected a number above the line before"),
        (3, 15, "3100", "line 3 column 15 (txn_city): expected the sender's own city, 2000"),
        (2, 31, "08", "column 31 (industry): expected an industry, 01 to 07"),
        (2, 33, "20000000000g", "column 33 (terminal_no): expected 12 upper-case hex digits"),
        (2, 45, "1", "column 45 (psam_no): expected at most 16 hex digits after zeros"),
        (2, 65, "4294967296", "column 65 (terminal_seq): expected a 32-bit counter"),
        (2, 75, "x", "column 75 (card_no): expected 20 upper-case hex digits, found `(masked)`"),
        (2, 99, "065536", "column 99 (purse_seq): expected a counter up to 65535"),
        (2, 113, "  200", "column 113 (amount): expected 8 decimal digits"),
        (2, 129, "02", "column 129 (txn_type): expected 06 (purchase) or 09"),
        (2, 131, "20140230", "column 131 (txn_date): expected a day"),
        (2, 139, "246000", "column 139 (txn_time): expected a time of day"),
        (2, 145, "deadbeef", "column 145 (tac): expected 8 upper-case hex digits"),
        (2, 157, "\u{1}", "column 157 (line): expected 8 printable ASCII characters, found `?1"),
        (2, 189, "00000000000001", "column 189 (time_in): expected a moment"),
        (2, 203, "2", "column 203 (test_flag): expected 0 or 1"),
        (2, 204, "order", "column 204 (wallet_order): expected `"),
        (4, 1, "FIN ", "line 4 column 1 (end): expected `END `"),
        (4, 5, "00000003", "line 4 column 5 (records): expected `00000002`"),
        (4, 13, "0000", "line 4 column 13 (sha256): expected `"),
    ] {
        let error = read_taps(NAME, &changed(line, column, text)).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(NAME), "{says}\n{error}");
    }
}

#[test]
fn a_file_that_is_cut_doubled_or_joined_is_refused() {
    let bytes = write_taps(&tap_file(vec![tap(), TapRecord { card_seq: 6, ..tap() }])).unwrap();
    for end in 0..bytes.len() {
        assert!(read_taps(NAME, &bytes[..end]).is_err(), "cut after {end} bytes");
    }
    assert!(read_taps(NAME, &[bytes.clone(), bytes.clone()].concat()).is_err(), "doubled");
    assert!(read_taps(NAME, &[&bytes[..82 + 252], &bytes[82..]].concat()).is_err(), "one line doubled");
    assert!(read_taps("XF31000000201410200001.CUX", &bytes).is_err(), "renamed");
    let unix: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
    assert!(read_taps(NAME, &unix).is_err(), "line ends changed");
}

proptest! {
    #[test]
    fn any_taps_read_back_as_they_were_written(taps in prop::collection::vec(any_tap(), 0..5)) {
        let file = tap_file(taps);
        let bytes = write_taps(&file).unwrap();
        prop_assert_eq!(read_taps(NAME, &bytes).unwrap(), file);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(place in 0_usize..(82 + 252 + 82) * 8) {
        let mut bytes = write_taps(&tap_file(vec![tap()])).unwrap();
        bytes[place / 8] ^= 1 << (place % 8);
        prop_assert!(read_taps(NAME, &bytes).is_err());
    }

    #[test]
    fn no_bytes_and_no_name_make_the_reader_panic(name in ".{0,30}", bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read_taps(&name, &bytes);
        let _ = read_loads("CZ31000000201410200003.CUX", &bytes);
        let _ = read_results("XR00002000201410210001.CUX", &bytes);
    }
}
