//! Known mistakes with money, planted in the centre: the judge finds each of them, and says after how many steps.
//! `cargo test -p sim --features planted-bugs --test planted -- --nocapture`

#![cfg(feature = "planted-bugs")]
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test may fail loudly, and this one is read

use model::registry::Registry;
use sim::{ChaosReport, ChaosSettings, Planted, chaos};

/// A mistake that is not found within so many steps is one that the simulator does not find.
const STEPS: u64 = 20_000;
/// A random seed each time, which is printed; a step's budget that a build can wait for.
const RANDOM_STEPS: u64 = 40_000;

fn run(seed: u64, steps: u64) -> ChaosReport {
    let folder = tempfile::tempdir().unwrap();
    let settings = ChaosSettings { seed, steps, folder: folder.path().to_owned() };
    chaos(&settings, Registry::embedded().unwrap(), &mut |_| ()).unwrap()
}

#[test]
fn every_planted_bug_is_found_and_without_them_nothing_is() {
    for bug in Planted::ALL {
        Planted::choose(Some(bug));
        let steps: Vec<u64> = (1..=3)
            .map(|seed| {
                let report = run(seed, STEPS);
                report.broken.unwrap_or_else(|| panic!("{} is not found with seed {seed}", bug.name())).step
            })
            .collect();
        println!("planted {:<14} found after {steps:?} steps (seeds 1, 2, 3)", bug.name());
    }
    Planted::choose(None);
    let seed = u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos());
    println!("random seed {seed}, {RANDOM_STEPS} steps");
    if let Some(broken) = run(seed, RANDOM_STEPS).broken {
        panic!(
            "yikatong sim --seed {seed} --steps {RANDOM_STEPS} breaks a rule: {}\n{}",
            broken.rule, broken.story
        );
    }
}
