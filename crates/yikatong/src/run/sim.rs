//! `yikatong sim`: the network under faults from one seed, and the first broken rule with its story.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use model::registry::Registry;
use serde::Serialize;
use sim::{ChaosReport, ChaosSettings, chaos};

use crate::cli::Sim;
use crate::failure::{Failure, Outcome};
use crate::run::{bar, print};

/// A file system in memory, where there is one.
const MEMORY: &str = "/dev/shm";

/// What a machine reads. Only the last two differ from run to run.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a ChaosReport,
    seconds: u64,
    steps_per_second: u64,
}

pub(crate) fn run(command: &Sim, registry: Registry, json: bool) -> Outcome {
    let seed = match command.seed {
        Some(seed) => seed,
        None => random_seed()?,
    };
    #[cfg(feature = "planted-bugs")]
    plant(command.plant.as_deref())?;
    if !json {
        outln!("seed {seed}, {} steps", command.steps);
    }
    let folder = Folder::new(command.data.as_deref(), seed)?;
    let settings = ChaosSettings { seed, steps: command.steps, folder: folder.0.clone() };
    let bar = bar(command.steps, "steps");
    let started = Instant::now();
    let report = chaos(&settings, registry, &mut |done| bar.set_position(done)).map_err(Failure::wrong);
    let milliseconds = started.elapsed().as_millis().max(1);
    bar.finish_and_clear();
    let report = report?;
    let rate = u128::from(report.steps).saturating_mul(1000).checked_div(milliseconds);
    let rate = rate.and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0);
    if json {
        print(&Told { report: &report, seconds: started.elapsed().as_secs(), steps_per_second: rate })?;
    } else {
        show(&report);
        outln!("{} steps in {} s: {rate} steps a second", report.steps, started.elapsed().as_secs());
    }
    match &report.broken {
        None => Ok(()),
        Some(broken) => Err(Failure::wrong(format_args!(
            "seed {seed} breaks a rule at step {}: {}",
            broken.step, broken.rule
        ))),
    }
}

fn show(report: &ChaosReport) {
    if let Some(broken) = &report.broken {
        outln!("the story of it:\n{}", broken.story);
    }
    for (kind, count) in &report.faults {
        outln!("  {count:>9}  {kind}");
    }
    outln!("{} worlds, {} loads on cards, {} rides debited", report.worlds, report.loads, report.debits);
    outln!(
        "{} cards given back and emptied, {} orders refused or taken back",
        report.refunds,
        report.refused
    );
    outln!(
        "{} loads and refunds in doubt with phones that are lost for ever, each named",
        report.lost_doubts
    );
    outln!(
        "{} rides without proof after a reader's wrong clock, each named by its verdict",
        report.unproven_rides
    );
    outln!("digest of all events {}", report.digest);
}

#[cfg(feature = "planted-bugs")]
fn plant(name: Option<&str>) -> Outcome {
    let unknown = |name| Failure::input(format_args!("no planted bug is called {name}"));
    let of = |name| sim::Planted::ALL.into_iter().find(|bug| bug.name() == name).ok_or_else(|| unknown(name));
    sim::Planted::choose(name.map(of).transpose()?);
    Ok(())
}

fn random_seed() -> Result<u64, Failure> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(Failure::wrong)?;
    Ok(u32::from_be_bytes(bytes).into())
}

/// The simulated disks; gone when the run is over.
struct Folder(PathBuf);

impl Folder {
    fn new(given: Option<&Path>, seed: u64) -> Result<Self, Failure> {
        let memory = Path::new(MEMORY);
        let parent = match given {
            Some(given) => given.to_owned(),
            None if memory.is_dir() => memory.to_owned(),
            None => std::env::temp_dir(),
        };
        let folder = parent.join(format!("yikatong-sim-{}-{seed}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| Failure::path(&folder, error))?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over takes room, and nothing else.
        let _ = fs::remove_dir_all(&self.0);
    }
}
