//! The registry as a joiner meets it: what is there, and what a mistake is answered with.

use super::*;

#[test]
fn every_embedded_file_parses() {
    if let Err(error) = Registry::embedded() {
        panic!("{error}");
    }
}
