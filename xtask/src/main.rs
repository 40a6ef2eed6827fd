//! The project's own chores, in Rust so that they run wherever Rust does: `cargo xtask help`.

#![allow(clippy::print_stdout)] // a chore talks to the person who runs it

mod bench;
mod examples;
mod kill;
mod pcsc;
mod steps;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test [--install]   format, lints, all tests, docs, licences; installs missing tools with --install or CI=true
cargo xtask test phones        every phone model over TCP: three cards, loads, activation, taps, delete; prints what an issue and a load cost
cargo xtask setup              installs the optional tools that the tests use
cargo xtask bench              measures a release build: a network day, a start, an idle centre
cargo xtask examples           runs the examples in Python and TypeScript against a demo network
cargo xtask bench money [--json]   durable loads and bulk entries a second, also through the door, on SQLite and PostgreSQL
cargo xtask kill [--rounds N]  kill -9 of centre, wallet, card and phone during loads, 200 rounds on each database, then a match
cargo xtask tidy               checks the map, the sizes and the headers alone

Exit codes: 0 all well, 1 something is wrong, 2 bad use.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => steps::test(std::env::var("CI").is_ok_and(|ci| ci == "true")),
        ["test", "--install"] => steps::test(true),
        ["test", "phones"] => steps::phones(),
        ["setup"] => steps::setup(),
        ["bench"] => bench::bench(),
        ["bench", "money"] => bench::money(false),
        ["bench", "money", "--json"] => bench::money(true),
        ["examples"] => examples::alone(),
        ["kill"] => kill::kill("200"),
        ["kill", "--rounds", rounds] => kill::kill(rounds),
        ["tidy"] => steps::tidy(),
        ["help" | "--help" | "-h"] | [] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            println!("unknown chore `{}`\n\n{HELP}", words.join(" "));
            ExitCode::from(2)
        }
    }
}
