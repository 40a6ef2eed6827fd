//! Reads vector files.
#![allow(dead_code)] // each test file uses its part

use serde::de::DeserializeOwned;

/// `vectors/card/NAME.toml`.
pub(crate) fn vectors<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../../vectors/card/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Hex with blanks, for the eye.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    hex::decode(&packed).unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

pub(crate) fn differ_by_one_bit(one: &[u8], other: &[u8]) -> bool {
    let flipped: u32 = one.iter().zip(other).map(|(a, b)| (a ^ b).count_ones()).sum();
    one.len() == other.len() && flipped == 1
}
