//! A world (世界): one centre, wallets, passengers with phones and plastic cards, readers, back ends; and the mail that
//! is under way between them.
//!
//! Invariant: every choice is drawn from the world's own dice, one after the other, so a seed is a whole story.

use std::path::Path;
use std::sync::Arc;

use keys::{CardRef, KeyService, Seeded};
use model::registry::Registry;
use model::{CityCode, WalletId};
use tsm::agent::Agent;
use tsm::seram::SecureElement;
use wallet::{Device, NoPush, PasswordCost, Storage, demo_signing_seed};

use super::chip::Held;
use super::clock::{PartyClock, Time};
use super::disk::{ChipMemory, Disk};
use super::evening::Office;
use super::judge::{Broken, Judge, Opening};
use super::person::Person;
use super::phone::Mail;
use super::story::{Story, Who};
use super::street::Stand;
use super::wire::{Host, Wire};
use crate::SimError;
use crate::cards::{element, plastic, plastic_number};
use crate::population::pick;

/// Every passenger has this payment password.
pub(super) const PASSWORD: &str = "246810";
/// What the bank has put into each passenger's wallet.
const OPENING_FEN: i64 = 10_000_000;
/// Who lives in a world.
const PEOPLE: usize = 24;
/// Cities that they come from.
const CITIES: usize = 3;
/// Of a hundred passengers, so many hold a plastic card.
const PLASTIC_PERCENT: u64 = 30;
/// Of a hundred passengers, so many have a phone that lies.
const LIARS_PERCENT: u64 = 35;
/// A Monday between the 35 cities' start and the end of the year.
const FIRST_DAY: &str = "2014-10-20";

/// A wallet's process.
pub(super) struct Till {
    pub(super) id: WalletId,
    pub(super) core: Option<wallet::Core>,
    pub(super) clock: PartyClock,
    pub(super) disk: Disk,
}

/// Everything.
pub(super) struct World {
    pub(super) registry: Arc<Registry>,
    pub(super) keys: Arc<dyn KeyService>,
    pub(super) root: Seeded,
    pub(super) dice: Seeded,
    pub(super) time: Time,
    pub(super) story: Story,
    pub(super) judge: Judge,
    pub(super) wire: Wire,
    pub(super) centre_disk: Disk,
    pub(super) tills: Vec<Till>,
    pub(super) people: Vec<Person>,
    pub(super) stands: Vec<Stand>,
    pub(super) offices: Vec<Office>,
    pub(super) mail: Vec<Mail>,
    /// Faults strike.
    pub(super) rough: bool,
    /// A reader's clock was wrong once.
    pub(super) wrong_readers: bool,
    /// Numbers of messages and rides.
    pub(super) counter: u64,
}

impl World {
    /// A world of its own in `folder`.
    ///
    /// # Errors
    /// [`SimError`]: it cannot be built.
    pub(super) fn new(
        registry: &Arc<Registry>,
        keys: &Arc<dyn KeyService>,
        root: Seeded,
        story: Story,
        folder: &Path,
    ) -> Result<Self, SimError> {
        let first_day: model::Date = FIRST_DAY.parse().map_err(|_| SimError::Empty)?;
        let time = Time::new(first_day.start().plus_seconds(6 * 3600));
        let mut dice = root.fork("dice");
        let joined = registry.cities().filter(|city| city.joined.is_some_and(|joined| joined <= first_day));
        let mut cities: Vec<CityCode> = joined.map(|city| city.code).collect();
        cities.retain(|city| registry.operators_of(*city).next().is_some());
        let mut homes = Vec::new();
        while homes.len() < CITIES && !cities.is_empty() {
            let index = below(&mut dice, cities.len());
            homes.push(cities.swap_remove(index));
        }
        let mut world = World {
            registry: Arc::clone(registry),
            keys: Arc::clone(keys),
            wire: Wire::new(PartyClock::new(&time), root.fork("wire")),
            root,
            dice,
            time,
            story,
            judge: Judge::default(),
            centre_disk: Disk::new(folder.join("centre")),
            tills: Vec::new(),
            people: Vec::new(),
            stands: Vec::new(),
            offices: Vec::new(),
            mail: Vec::new(),
            rough: false,
            wrong_readers: false,
            counter: 0,
        };
        world.calm(true);
        world.open_centre()?;
        world.open_tills(folder)?;
        for city in &homes {
            world.open_city(*city)?;
        }
        for index in 0..PEOPLE {
            world.join(index, &homes)?;
        }
        world.calm(false);
        Ok(world)
    }

    /// With or without faults.
    pub(super) fn calm(&mut self, calm: bool) {
        self.rough = !calm;
        self.wire.state().rough = !calm;
    }

    pub(super) fn fresh(&mut self) -> u64 {
        self.counter = self.counter.saturating_add(1);
        self.counter
    }

    /// Whether something of this chance, in ten thousand, happens now; never when faults are off.
    pub(super) fn strikes(&mut self, in_ten_thousand: u64) -> bool {
        self.dice.below(10_000) < in_ten_thousand && self.rough
    }

    /// The centre's next life.
    ///
    /// # Errors
    /// [`SimError::Centre`]: it does not go on from its folder.
    pub(super) fn open_centre(&mut self) -> Result<(), SimError> {
        let folder = self.centre_disk.folder();
        let core = centre::Core::open(centre::Config {
            registry: Arc::clone(&self.registry),
            keys: Arc::clone(&self.keys),
            clock: Arc::new(self.wire.state().clock.clone()),
            entropy: Box::new(self.root.fork(&format!("centre-{}", self.centre_disk.life()))),
            storage: centre::Storage::Folder(folder),
            demo: true,
        });
        let host = Host::new(core.map_err(|error| SimError::Centre(error.to_string()))?)?;
        self.wire.state().host = Some(host);
        Ok(())
    }

    fn open_tills(&mut self, folder: &Path) -> Result<(), SimError> {
        let ids: Vec<WalletId> = self.registry.wallets().map(|wallet| wallet.id.clone()).take(2).collect();
        for id in ids {
            let clock = PartyClock::new(&self.time);
            let disk = Disk::new(folder.join(id.as_str()));
            self.tills.push(Till { id, core: None, clock, disk });
        }
        (0..self.tills.len()).try_for_each(|index| self.open_till(index))
    }

    /// A wallet's next life.
    ///
    /// # Errors
    /// [`SimError::Wallet`]: it does not go on from its folder.
    pub(super) fn open_till(&mut self, index: usize) -> Result<(), SimError> {
        let Some(till) = self.tills.get_mut(index) else { return Ok(()) };
        let Some(known) = self.registry.wallet(&till.id) else { return Ok(()) };
        let label = format!("{}-{}", till.id, till.disk.life());
        let core = wallet::Core::open(wallet::Config {
            wallet: till.id.clone(),
            name: known.facts.name.clone(),
            signing_seed: demo_signing_seed(&till.id),
            transport: Arc::new(self.wire.clone()),
            centre_url: "http://centre".into(),
            push: Arc::new(NoPush),
            clock: Arc::new(till.clock.clone()),
            entropy: Box::new(self.root.fork(&label)),
            storage: Storage::Folder(till.disk.folder()),
            password_cost: PasswordCost::CHEAP,
            demo: None,
        });
        till.core = Some(core.map_err(|error| SimError::Wallet(error.to_string()))?);
        Ok(())
    }

    fn join(&mut self, index: usize, homes: &[CityCode]) -> Result<(), SimError> {
        let name = format!("passenger-{index}");
        let home = *pick(homes, &mut self.dice).ok_or(SimError::Empty)?;
        let is_plastic = self.dice.below(100) < PLASTIC_PERCENT;
        let wallet = below(&mut self.dice, self.tills.len());
        let memory = ChipMemory::default();
        let chip = Box::new(self.root.fork(&format!("chip-{index}-0")));
        let phones: Vec<_> = self.registry.phones().cloned().collect();
        let phone = pick(&phones, &mut self.dice).ok_or(SimError::Empty)?;
        let (held, agent, se_id) = if is_plastic {
            let running = u64::try_from(index).unwrap_or(0);
            let card = CardRef { city: home, number: plastic_number(home, running) };
            let today = self.time.now().date();
            let store = Box::new(memory.clone());
            let made =
                plastic(&self.registry, &card, today, self.keys.as_ref(), store, chip, &mut self.dice)?;
            (Held::Plastic(Box::new(made)), Agent::new(SecureElement::plastic()), None)
        } else {
            let made = element(phone, Box::new(memory.clone()), chip)
                .map_err(|error| SimError::Centre(error.to_string()))?;
            let se_id = made.se_id();
            let agent = Agent::new(SecureElement::embedded(&se_id, &phone.id));
            (Held::Phone(Box::new(made)), agent, Some(se_id))
        };
        let till = self.tills.get(wallet).and_then(|till| till.core.as_ref()).ok_or(SimError::Empty)?;
        let refused = |problem: wallet::Problem| SimError::Wallet(problem.to_string());
        till.register(&name, PASSWORD, model::Fen::new(OPENING_FEN)).map_err(refused)?;
        if let Some(se_id) = &se_id {
            let device = Device { se_id: se_id.clone(), phone: phone.id.clone(), agent_url: None };
            till.add_device(&name, PASSWORD, device).map_err(refused)?;
        }
        let lies = self.dice.below(100) < LIARS_PERCENT;
        self.judge.joins(Opening { name: name.clone(), city: home, fen: OPENING_FEN });
        let purses = held.purses();
        let _ = self.judge.chip_touched(index, &purses, &[]);
        let mut person = Person::new(name, wallet, home, held, memory, agent, se_id);
        person.lies = lies;
        self.people.push(person);
        Ok(())
    }

    /// The judge looks at what the centre has done since the last look.
    pub(super) fn look_at_centre(&mut self) -> Result<(), Broken> {
        let struck = std::mem::take(&mut self.wire.state().struck);
        struck.into_iter().for_each(|kind| self.story.fault(Who::All, kind));
        if self.wire.state().killed {
            return self.centre_dies();
        }
        let core = self.wire.core();
        core.map_or(Ok(()), |core| self.judge.centre_worked(&core))
    }
}

/// One of so many; 0 if there is none.
pub(super) fn below(dice: &mut Seeded, length: usize) -> usize {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    usize::try_from(dice.below(length)).unwrap_or(0)
}
