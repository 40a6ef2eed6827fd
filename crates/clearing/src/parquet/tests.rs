//! Columns written, read back, and damaged.

use proptest::prelude::*;

use super::*;
use crate::sample::{any_tap, tap};
use crate::verdict::Reason;

fn records(count: u32) -> Vec<Record> {
    (0..count)
        .map(|n| {
            let mut tap = tap();
            tap.terminal_seq = n;
            tap.entered_at = (n % 3 == 0).then_some(tap.at);
            Record { batch: 2_000_201_410_200_001, line_no: n, tap }
        })
        .collect()
}

fn read(bytes: Vec<u8>) -> Result<Vec<Record>, ParquetFault> {
    Ok(read_taps("taps.parquet", bytes)?.collect::<Result<Vec<_>, _>>()?.concat())
}

#[test]
fn row_groups_are_bounded_and_nothing_is_lost_between_them() {
    let records = records(CHUNK_ROWS as u32 + 10);
    let bytes = write_taps(&records).unwrap();
    let chunks: Vec<usize> =
        read_taps("taps.parquet", bytes.clone()).unwrap().map(|chunk| chunk.unwrap().len()).collect();
    assert_eq!(chunks, [CHUNK_ROWS, 10]);
    assert_eq!(read(bytes).unwrap(), records);
    assert_eq!(read(write_taps(&[]).unwrap()).unwrap(), []);
}

#[test]
fn verdicts_read_back_as_they_were_written() {
    let rows: Vec<VerdictRow> = (1..)
        .zip(Reason::all())
        .map(|(line_no, reason)| VerdictRow { batch: u64::MAX, line_no, reason })
        .collect();
    let bytes = write_verdicts(&rows).unwrap();
    let read: Vec<VerdictRow> =
        read_verdicts("verdicts.parquet", bytes).unwrap().flat_map(Result::unwrap).collect();
    assert_eq!(read, rows);
}

#[test]
fn a_file_without_the_columns_of_a_tap_is_refused_by_file_and_column() {
    let verdicts = write_verdicts(&[]).unwrap();
    let error = read(verdicts).unwrap_err().to_string();
    assert_eq!(error, "file taps.parquet: no column `card`; expected whole numbers (INT64), unsigned");
    let error = read(b"PAR1 and then nothing".to_vec()).unwrap_err().to_string();
    assert!(error.starts_with("file taps.parquet: not a whole Parquet file"), "{error}");
}

#[test]
fn a_file_cut_short_is_refused() {
    let bytes = write_taps(&records(20)).unwrap();
    for end in (0..bytes.len()).step_by(7) {
        assert!(read(bytes[..end].to_vec()).is_err(), "cut after {end}");
    }
}

proptest! {
    #[test]
    fn any_taps_read_back_as_they_were_written(taps in prop::collection::vec(any_tap(), 0..20), batch: u64) {
        let records: Vec<Record> = (2..).zip(taps).map(|(line_no, tap)| Record { batch, line_no, tap }).collect();
        prop_assert_eq!(read(write_taps(&records).unwrap()).unwrap(), records);
    }

    #[test]
    fn no_mutated_file_makes_the_reader_panic(place: prop::sample::Index, mask in 1_u8.., tail in any::<bool>()) {
        let mut bytes = write_taps(&records(20)).unwrap();
        let place = if tail { bytes.len() - 1 - place.index(bytes.len() / 2) } else { place.index(bytes.len()) };
        bytes[place] ^= mask;
        let _ = read(bytes);
    }
}
