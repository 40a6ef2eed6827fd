//! Test data: the files under `vectors/globalplatform/`.
//!
//! Standard: each vector names its source.

use std::path::Path;

use toml::{Table, Value};

/// The whole file.
pub(crate) fn file(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/globalplatform").join(name);
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// An array of tables.
pub(crate) fn tables(value: &Value) -> Vec<Table> {
    value.as_array().unwrap().iter().map(|value| value.as_table().unwrap().clone()).collect()
}

pub(crate) fn text<'a>(table: &'a Table, name: &str) -> &'a str {
    table[name].as_str().unwrap()
}

/// Bytes written in hex.
pub(crate) fn bytes(table: &Table, name: &str) -> Vec<u8> {
    hex::decode(text(table, name)).unwrap()
}

/// Bytes of a fixed number, written in hex.
pub(crate) fn array<const N: usize>(table: &Table, name: &str) -> [u8; N] {
    bytes(table, name).try_into().unwrap()
}
