//! Chaos (混沌): the whole network, the real code of every party, in one thread and in simulated time from one seed; with
//! links that break, messages that get lost, double, late and out of order, processes that are killed, disks that tear a
//! write, clocks that are wrong, cards torn away, phones lost and phones that lie. A judge looks after every step.
//!
//! A run is a row of worlds. Each begins anew, lives through its share of the steps, and heals: faults end, everybody who
//! is not lost comes back, and every doubt that can be settled must be.
//!
//! Invariant: the same seed and number of steps give the same events, to the last byte.

mod chip;
mod clock;
mod disk;
mod evening;
mod heal;
mod judge;
mod kills;
mod person;
mod phone;
mod story;
mod street;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use keys::{KeyService, Seeded, SoftwareKeys};
use model::registry::Registry;
use serde::Serialize;

use crate::SimError;
use judge::Broken;
use story::{Story, Who};
use world::{World, below};

/// Steps of one world.
const WORLD_STEPS: u64 = 20_000;
/// Steps between two sweeps of everything.
const SWEEP_STEPS: u64 = 2_500;

/// What to run.
#[derive(Clone, Debug)]
pub struct ChaosSettings {
    /// Another seed, another run.
    pub seed: u64,
    /// How many steps.
    pub steps: u64,
    /// A folder for the processes' disks, emptied as the run goes on; best in memory.
    pub folder: PathBuf,
}

/// A rule that does not hold, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenRule {
    /// The step.
    pub step: u64,
    /// The rule in words, and what was found.
    pub rule: String,
    /// The last events that concern it.
    pub story: String,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChaosReport {
    /// The seed.
    pub seed: u64,
    /// Steps that were made, healing included.
    pub steps: u64,
    /// Worlds that were begun.
    pub worlds: u64,
    /// Loads that chips took.
    pub loads: u64,
    /// Debits that chips made.
    pub debits: u64,
    /// Returned cards whose value was taken off.
    pub refunds: u64,
    /// Orders that ended without money: refused, or taken back.
    pub refused: u64,
    /// Loads that are in doubt for ever, with phones that are lost: named, each with its money held.
    pub lost_doubts: u64,
    /// Rides that readers with wrong clocks sent in with another tap's proof: unpaid, each named by its verdict.
    pub unproven_rides: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Of all events: the same seed gives the same.
    pub digest: String,
    /// The first rule that did not hold.
    pub broken: Option<BrokenRule>,
}

/// Runs; `progress` is told of the steps made so far.
///
/// # Errors
/// [`SimError`]: a world cannot be built. A broken rule is no error but a report.
pub fn chaos(
    settings: &ChaosSettings,
    registry: Registry,
    progress: &mut dyn FnMut(u64),
) -> Result<ChaosReport, SimError> {
    let registry = Arc::new(registry);
    let keys: Arc<dyn KeyService> = Arc::new(SoftwareKeys::demo());
    let root = Seeded::new(settings.seed);
    let mut story = Story::new();
    let mut report = ChaosReport { seed: settings.seed, ..ChaosReport::default() };
    while story.step() < settings.steps && report.broken.is_none() {
        let folder = settings.folder.join(format!("world-{}", report.worlds));
        let until = story.step().saturating_add(WORLD_STEPS).min(settings.steps);
        story.forget();
        story.tell(Who::All, format!("world {} begins", report.worlds));
        let seeded = root.fork(&format!("world-{}", report.worlds));
        report.worlds = report.worlds.saturating_add(1);
        let mut world = World::new(&registry, &keys, seeded, story, &folder)?;
        let ended = world.lives(until, progress).and_then(|()| world.heal());
        report.take(&world, ended);
        story = world.story;
        // A disk that is not tidied away is no broken rule; the folder is the caller's.
        let _ = std::fs::remove_dir_all(&folder);
    }
    report.steps = story.step();
    report.digest = format!("{:016x}", story.digest());
    report.faults = story.faults;
    progress(report.steps.min(settings.steps));
    Ok(report)
}

impl ChaosReport {
    fn take(&mut self, world: &World, ended: Result<(), Broken>) {
        let (loads, debits) = world.judge.tally();
        self.loads = self.loads.saturating_add(loads);
        self.debits = self.debits.saturating_add(debits);
        let (refunds, refused) = world.judge.returns();
        self.refunds = self.refunds.saturating_add(refunds);
        self.refused = self.refused.saturating_add(refused);
        self.unproven_rides = self.unproven_rides.saturating_add(world.judge.unproven());
        match ended {
            Ok(()) => self.lost_doubts = self.lost_doubts.saturating_add(world.judge.doubts()),
            Err(Broken { rule, who }) => {
                let (step, story) = (world.story.step(), world.story.about(who));
                self.broken = Some(BrokenRule { step, rule, story });
            }
        }
    }
}

impl World {
    fn lives(&mut self, until: u64, progress: &mut dyn FnMut(u64)) -> Result<(), Broken> {
        let mut sweep_at = self.story.step().saturating_add(SWEEP_STEPS);
        while self.story.step() < until {
            self.story.next_step();
            self.time.pass(i64::try_from(self.dice.below(4)).unwrap_or(0));
            self.event()?;
            if self.story.step() >= sweep_at {
                self.sweep()?;
                sweep_at = self.story.step().saturating_add(SWEEP_STEPS);
                progress(self.story.step());
            }
        }
        Ok(())
    }

    /// One event: mostly a message arrives or a passenger does something; now and then something breaks.
    fn event(&mut self) -> Result<(), Broken> {
        let choice = self.dice.below(1000);
        let person = below(&mut self.dice, self.people.len());
        match choice {
            0..550 if self.mail_arrives()? => Ok(()),
            0..900 => self.person_acts(person),
            900..920 => self.late_arrives(),
            920..945 => {
                let office = below(&mut self.dice, self.offices.len());
                self.office_acts(office)
            }
            945..947 => self.day_closes(),
            947..955 => self.plays_kept(person),
            955..956 => self.asks_nonsense(person),
            956..980 => self.somebody_returns(),
            980..985 => self.time_jumps(),
            _ => self.breaks(person),
        }
    }

    fn somebody_returns(&mut self) -> Result<(), Broken> {
        let till = below(&mut self.dice, self.tills.len());
        self.centre_returns()?;
        self.till_returns(till)
    }

    /// A quiet hour, or a party's clock that is set wrongly.
    fn time_jumps(&mut self) -> Result<(), Broken> {
        match self.dice.below(6) {
            0 => {
                let hours = i64::try_from(self.dice.below(6)).unwrap_or(0);
                self.time.pass(hours.saturating_mul(3600));
                self.story.tell(Who::All, format!("{hours} quiet hours"));
            }
            1 => {
                let seconds = self.wrong(1_200);
                self.wire.state().clock.set_wrong_by(seconds);
                self.story.fault(Who::All, "centre's clock wrong");
            }
            2 | 3 => {
                let seconds = self.wrong(900);
                let till = below(&mut self.dice, self.tills.len());
                if let Some(till) = self.tills.get(till) {
                    till.clock.set_wrong_by(seconds);
                }
                self.story.fault(Who::All, "wallet's clock wrong");
            }
            _ => {
                let seconds = self.wrong(3_000);
                let stand = below(&mut self.dice, self.stands.len());
                if let Some(stand) = self.stands.get_mut(stand) {
                    stand.wrong_by = seconds;
                }
                self.wrong_readers = true;
                self.story.fault(Who::All, "reader's clock wrong");
            }
        }
        Ok(())
    }

    /// Wrong by at most so many seconds either way; every other time it is set right.
    fn wrong(&mut self, most: u64) -> i64 {
        if self.dice.below(2) == 0 {
            return 0;
        }
        let seconds = i64::try_from(self.dice.below(most.saturating_mul(2))).unwrap_or(0);
        seconds.saturating_sub(i64::try_from(most).unwrap_or(0))
    }

    fn breaks(&mut self, person: usize) -> Result<(), Broken> {
        match self.dice.below(40) {
            0..6 => self.centre_dies(),
            6..12 => {
                let till = below(&mut self.dice, self.tills.len());
                self.till_dies(till)
            }
            12..20 => {
                let stand = below(&mut self.dice, self.stands.len());
                self.stand_dies(stand);
                Ok(())
            }
            20 if self.dice.below(10) == 0 => {
                self.is_lost(person);
                Ok(())
            }
            _ => {
                self.chip_dies(person);
                Ok(())
            }
        }
    }
}
