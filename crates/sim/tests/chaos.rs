//! Chaos from a seed: the judge finds nothing, and the same seed gives the same story.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use model::registry::Registry;
use sim::{ChaosReport, ChaosSettings, chaos};

fn run(seed: u64, steps: u64) -> ChaosReport {
    let folder = tempfile::tempdir().unwrap();
    let settings = ChaosSettings { seed, steps, folder: folder.path().to_owned() };
    chaos(&settings, Registry::embedded().unwrap(), &mut |_| ()).unwrap()
}

fn clean(report: &ChaosReport) {
    if let Some(broken) = &report.broken {
        panic!("seed {}, step {}: {}\n{}", report.seed, broken.step, broken.rule, broken.story);
    }
}

#[test]
fn the_same_seed_gives_the_same_story_and_another_seed_another() {
    let report = run(7, 2_000);
    clean(&report);
    assert_eq!(report, run(7, 2_000));
    assert_ne!(report.digest, run(8, 2_000).digest);
}

#[test]
fn no_rule_breaks_and_faults_of_every_kind_strike() {
    let report = run(1, 6_000);
    clean(&report);
    assert!(report.loads > 30 && report.debits > 30, "{report:?}");
    assert!(report.faults.len() > 20, "{:?}", report.faults);
}
