//! The published files under `vectors/clearing`: what one release has written, every later one reads.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::path::PathBuf;

use clearing::cux::{self, CuxFile, FileKind, FileName};
use clearing::judge::{ByCity, Proofs};
use clearing::make::{Cards, DemoCards};
use clearing::{Record, parquet};
use keys::{CardRef, SoftwareKeys};
use model::TapRecord;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    vector: Vec<Vector>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    why: String,
    source: String,
    file: String,
    records: usize,
    total_fen: u64,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/clearing")
}

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap()
}

fn vectors() -> Vec<Vector> {
    let text = std::fs::read_to_string(folder().join("files.toml")).unwrap();
    let vectors: Vectors = toml::from_str(&text).unwrap();
    assert!(vectors.vector.iter().all(|vector| !vector.why.is_empty() && !vector.source.is_empty()));
    vectors.vector
}

/// Reads the file, writes it again; number of records, their sum, and the bytes.
fn read_and_write(file: &str, bytes: &[u8]) -> Option<(usize, u64, Vec<u8>)> {
    let sum = |amounts: Vec<u32>| (amounts.len(), amounts.into_iter().map(u64::from).sum());
    let (figures, written) = match file.parse::<FileName>().unwrap().kind {
        FileKind::Spends => {
            let taps = cux::read_taps(file, bytes).ok()?;
            (sum(taps.records.iter().map(|r| r.record.amount.get()).collect()), cux::write_taps(&taps))
        }
        FileKind::Loads => {
            let loads = cux::read_loads(file, bytes).ok()?;
            (sum(loads.records.iter().map(|r| r.record.amount.get()).collect()), cux::write_loads(&loads))
        }
        FileKind::IssuerResults | FileKind::AcquirerResults => {
            let results = cux::read_results(file, bytes).ok()?;
            (
                sum(results.records.iter().map(|r| r.record.tap.amount.get()).collect()),
                cux::write_results(&results),
            )
        }
    };
    Some((figures.0, figures.1, written.unwrap()))
}

fn text_vectors() -> impl Iterator<Item = Vector> {
    vectors().into_iter().filter(|vector| vector.file.ends_with(".CUX"))
}

#[test]
fn every_published_file_reads_and_is_written_again_byte_for_byte() {
    assert_eq!(text_vectors().count(), 4);
    for vector in text_vectors() {
        let bytes = bytes(&vector.file);
        let expected = Some((vector.records, vector.total_fen, bytes.clone()));
        assert_eq!(read_and_write(&vector.file, &bytes), expected, "{}", vector.file);
    }
}

#[test]
fn every_published_file_with_one_bit_flipped_is_refused() {
    for vector in text_vectors() {
        let good = bytes(&vector.file);
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 1;
            assert_eq!(read_and_write(&vector.file, &bad), None, "{} byte {place}", vector.file);
        }
    }
}

fn published_taps() -> CuxFile<TapRecord> {
    let file = "XF20000000201410200001.CUX";
    cux::read_taps(file, &bytes(file)).unwrap()
}

#[test]
fn the_published_columns_hold_the_same_taps_as_the_published_text() {
    let columns: Vec<Record> =
        parquet::read_taps("taps.parquet", bytes("taps.parquet")).unwrap().flat_map(Result::unwrap).collect();
    assert_eq!(columns, clearing::clear::records(published_taps()));
}

#[test]
fn the_published_taps_carry_the_tacs_of_the_demo_network() {
    let file = published_taps();
    let keys = SoftwareKeys::demo();
    let taps: Vec<&TapRecord> = file.records.iter().map(|numbered| &numbered.record).collect();
    assert!(ByCity(&keys).verify(&taps).into_iter().all(|proven| proven));
    for tap in taps {
        let mut again = [tap.clone()];
        DemoCards.sign(&CardRef { city: tap.issuer, number: tap.card }, &mut again);
        assert_eq!(again[0], *tap);
    }
}
