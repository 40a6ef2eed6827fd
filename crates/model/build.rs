//! A new registry file must reach the binary: without this line only changed files would be noticed, not added ones.

#![allow(clippy::print_stdout)] // how a build script speaks to cargo

fn main() {
    println!("cargo:rerun-if-changed=../../registry");
}
