//! Loads while processes are killed: the centre, the wallet, the phone and the card, at random moments, round after
//! round; afterwards every card is held to the phone once more, and three sides are matched.
//!
//! `cargo xtask kill` runs it, on SQLite and on PostgreSQL. What it proves: a process that ends without a word loses no
//! fen and doubles none; what was in doubt is settled by the card; wallet, ledger and card say the same.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)] // a chore that fails says so and stops
#![allow(clippy::arithmetic_side_effects)] // sums of a chore's own small figures

mod network;

use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use keys::Seeded;
use model::Entropy;
use network::{Network, Victim};
use postgres_server::{Durability, Server};

/// What the demo gives a passenger: 1,000.00 yuan.
const OPENING_FEN: i64 = 100_000;
/// A phone that has not ended by then is waiting for somebody who was killed.
const PATIENCE: Duration = Duration::from_secs(8);
/// Sessions that are carried out anew until nothing is open.
const TRIES: u32 = 5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let after =
        |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1)).cloned();
    let rounds = after("--rounds").map_or(200, |rounds| rounds.parse().expect("--rounds N"));
    let seed = after("--seed").map_or(1, |seed| seed.parse().expect("--seed N"));
    let binary = after("--binary").expect("--binary FILE");
    let database = after("--database").unwrap_or_else(|| "sqlite".into());
    let server = match database.as_str() {
        "sqlite" => None,
        "postgres" => match Server::start(Durability::Full) {
            Ok(server) => Some(server),
            Err(why) => {
                println!("SKIPPED kills on PostgreSQL: {why}");
                return ExitCode::SUCCESS;
            }
        },
        other => panic!("--database sqlite or postgres, not {other}"),
    };
    let url = server.as_ref().map(|server| server.database().expect("a database"));
    let mut network = Network::start(&binary, url);
    let told = kill(&mut network, rounds, seed);
    println!("kills on {database}: {rounds} rounds, seed {seed}: {told}");
    let wrong = settle(&mut network);
    for line in &wrong {
        println!("WRONG {line}");
    }
    ExitCode::from(u8::from(!wrong.is_empty()))
}

/// The rounds: a load begins, somebody is killed while it is under way and comes back.
fn kill(network: &mut Network, rounds: u32, seed: u64) -> String {
    let mut dice = Seeded::new(seed);
    let mut draw = |below: u32| {
        let mut bytes = [0; 4];
        dice.fill(&mut bytes);
        u32::from_be_bytes(bytes) % below
    };
    let bar = ProgressBar::new(u64::from(rounds));
    let mut ended = [0_u32; 2];
    let mut killed = std::collections::BTreeMap::new();
    for _ in 0..rounds {
        let mut phone = network.load(100 + draw(300));
        std::thread::sleep(Duration::from_millis(u64::from(draw(120))));
        let first = Victim::ALL[draw(4) as usize];
        let second = (draw(4) == 0).then(|| Victim::ALL[draw(4) as usize]);
        for victim in [Some(first), second].into_iter().flatten() {
            *killed.entry(victim.name()).or_insert(0_u32) += 1;
            if victim == Victim::Phone { phone.kill() } else { network.kill(victim) }
        }
        network.revive();
        ended[usize::from(phone.ends_well(PATIENCE))] += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let of = killed.iter().map(|(name, times)| format!("{name} {times}")).collect::<Vec<_>>().join(", ");
    format!("{} loads ended well, {} were broken; killed: {of}", ended[1], ended[0])
}

/// Everybody is back: open orders are carried out, then the passenger's money is counted and the day matched.
fn settle(network: &mut Network) -> Vec<String> {
    let mut wrong = Vec::new();
    let before = network.open().len();
    for _ in 0..TRIES {
        for id in network.open() {
            network.carry_out(&id);
        }
        if network.open().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    for id in network.open() {
        wrong.push(format!("order {id} is still open"));
    }
    let me = network.me();
    let (purse, available) = (network.purse(), me["available_fen"].as_i64().unwrap_or(-1));
    let held = me["held_fen"].as_i64().unwrap_or(-1);
    println!(
        "  {before} orders were open after the last round; now available {available} + held {held} + purse {purse} fen"
    );
    if available + held + purse != OPENING_FEN || held != 0 {
        wrong.push(format!("{available} + {held} + {purse} fen are not the {OPENING_FEN} of the beginning"));
    }
    let (matched, cases) = network.matched();
    println!("  match: {matched}");
    for case in cases {
        wrong.push(format!("a difference: {case}"));
    }
    wrong
}
