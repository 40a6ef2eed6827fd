//! The street (街面): readers with disks that tear a write and clocks that are wrong, and rides.
//!
//! Invariant: a ride is one wish to pay or to pass; holding the card to the same reader again right after a tear is the
//! same ride.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use keys::Seeded;
use model::registry::{Fare, Operator};
use model::{CardTime, CityCode, PurseFen, TerminalId};
use smartcard::Channel;
use terminal::{
    AcceptanceList, DenyList, MemoryPsamStore, MemoryStorage, Request, Storage, StorageError, TapOutcome,
};

use super::judge::{Broken, Place};
use super::story::Who;
use super::world::{World, below};
use crate::SimError;
use crate::population::has_gates;
use crate::reader::{Place as Stop, Reader};

/// Operators of a city, and readers of an operator, that a world has.
const OPERATORS: usize = 2;
const READERS: u32 = 2;
/// Holding the card to the same reader again within this time is the same ride.
const SAME_RIDE_S: i64 = 10 * 60;
/// A reader's disk tears a write during a tap, in ten thousand.
const TEARS: u64 = 30;

/// A reader, and what of it survives a kill.
pub(super) struct Stand {
    pub(super) terminal: TerminalId,
    pub(super) operator: Arc<Operator>,
    pub(super) reader: Option<Reader>,
    pub(super) batch: TearingStorage,
    psam: MemoryPsamStore,
    lists: (Arc<AcceptanceList>, Arc<DenyList>),
    pub(super) wrong_by: i64,
}

/// A ride that is not over: the card was torn away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ride {
    stand: usize,
    number: u64,
    /// When the card was first held to the reader for it, by the reader's clock.
    at: CardTime,
    request: Request,
}

/// A batch's bytes in memory, on a disk that can tear a write.
#[derive(Clone, Default)]
pub(super) struct TearingStorage {
    memory: MemoryStorage,
    /// The next write gets no further than this.
    tear_at: Arc<Mutex<Option<usize>>>,
}

impl TearingStorage {
    fn tear(&self, at: Option<usize>) {
        *self.tear_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Storage for TearingStorage {
    fn read_all(&mut self) -> Result<Vec<u8>, StorageError> {
        self.memory.read_all()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let tear_at = self.tear_at.lock().unwrap_or_else(PoisonError::into_inner).take();
        match tear_at {
            None => self.memory.append(bytes),
            Some(at) => {
                self.memory.append(bytes.get(..at.min(bytes.len())).unwrap_or(bytes))?;
                Err(StorageError::new("batch", "append", "the power failed"))
            }
        }
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.memory.sync()
    }

    fn truncate(&mut self, length: u64) -> Result<(), StorageError> {
        self.memory.truncate(length)
    }
}

impl World {
    /// A city's readers and its back end.
    pub(super) fn open_city(&mut self, city: CityCode) -> Result<(), SimError> {
        let acceptance = Arc::new(AcceptanceList::of(&self.registry, city, 1));
        let deny = Arc::new(DenyList::new(0, []));
        let mut operators: Vec<Arc<Operator>> =
            self.registry.operators_of(city).map(|operator| Arc::new(operator.clone())).collect();
        operators.sort_by_key(|operator| !has_gates(operator));
        for operator in operators.into_iter().take(OPERATORS) {
            for terminal in (0..READERS).filter_map(|number| operator.terminals.get(number)) {
                self.stands.push(Stand {
                    terminal,
                    operator: Arc::clone(&operator),
                    reader: None,
                    batch: TearingStorage::default(),
                    psam: MemoryPsamStore::default(),
                    lists: (Arc::clone(&acceptance), Arc::clone(&deny)),
                    wrong_by: 0,
                });
            }
        }
        self.offices.push(super::evening::Office::new(city));
        Ok(())
    }

    /// A reader is switched on, if it is not.
    pub(super) fn stand_returns(&mut self, index: usize) -> Result<(), Broken> {
        let Some(stand) = self.stands.get_mut(index).filter(|stand| stand.reader.is_none()) else {
            return Ok(());
        };
        stand.batch.tear(None);
        let place = Stop::of(&stand.operator, stand.terminal);
        let stores =
            (Box::new(stand.batch.clone()) as Box<dyn Storage>, Box::new(stand.psam.clone()) as Box<_>);
        let (acceptance, deny) = &stand.lists;
        let reader = Reader::on(
            stand.terminal,
            &stand.operator,
            place,
            self.keys.as_ref(),
            (acceptance, deny),
            stores,
        );
        let rule = |error| format!("a killed reader goes on from its batch: {error}");
        stand.reader = Some(reader.map_err(|error| Broken { rule: rule(error), who: Who::All })?);
        Ok(())
    }

    pub(super) fn stand_dies(&mut self, index: usize) {
        let Some(stand) = self.stands.get_mut(index) else { return };
        if stand.reader.take().is_some() {
            self.story.fault(Who::All, "reader killed");
        }
    }

    /// A passenger holds the card to a reader.
    pub(super) fn tap(&mut self, index: usize) -> Result<(), Broken> {
        let Some(person) = self.people.get(index) else { return Ok(()) };
        let (torn, inside, home) = (person.ride, person.inside, person.home);
        let again = torn.filter(|ride| self.is_same_ride(ride) && self.dice.below(4) > 0);
        let ride = match again {
            Some(ride) => ride,
            None => {
                let Some(stand) = self.some_stand(inside, home) else { return Ok(()) };
                let Some(operator) = self.stands.get(stand).map(|stand| Arc::clone(&stand.operator)) else {
                    return Ok(());
                };
                let list = named_fare(&operator, &mut self.dice);
                let request = match (has_gates(&operator), inside) {
                    (false, _) => Request::Pay { list },
                    (true, None) => Request::Enter,
                    (true, Some(_)) => Request::Leave { list },
                };
                Ride { stand, number: self.fresh(), at: self.by_reader(stand), request }
            }
        };
        self.hold(index, ride)
    }

    /// Whether the reader, by its own clock, can take another hold for the same ride.
    fn is_same_ride(&self, ride: &Ride) -> bool {
        self.by_reader(ride.stand).seconds_since(ride.at).saturating_abs() < SAME_RIDE_S
    }

    /// What a reader's clock says.
    fn by_reader(&self, stand: usize) -> CardTime {
        let wrong_by = self.stands.get(stand).map_or(0, |stand| stand.wrong_by);
        self.time.now().plus_seconds(wrong_by)
    }

    /// Another reader of the operator whose gates somebody is inside, or any; mostly one at home.
    fn some_stand(&mut self, inside: Option<usize>, home: CityCode) -> Option<usize> {
        let within = inside.and_then(|stand| self.stands.get(stand)).map(|stand| stand.operator.id);
        let away = self.dice.below(5) == 0;
        let fits = |stand: &Stand| match within {
            Some(operator) => stand.operator.id == operator,
            None => away || stand.operator.city == home,
        };
        let fitting: Vec<usize> =
            self.stands.iter().enumerate().filter(|(_, stand)| fits(stand)).map(|(index, _)| index).collect();
        fitting.get(below(&mut self.dice, fitting.len())).copied()
    }

    fn hold(&mut self, index: usize, ride: Ride) -> Result<(), Broken> {
        self.stand_returns(ride.stand)?;
        let tears = self.strikes(TEARS);
        let at = below(&mut self.dice, 64);
        let Some(stand) = self.stands.get_mut(ride.stand) else { return Ok(()) };
        let Some(mut reader) = stand.reader.take() else { return Ok(()) };
        if tears {
            stand.batch.tear(Some(at));
        }
        let moment = self.time.now().plus_seconds(stand.wrong_by);
        self.judge.taps(stand.terminal, ride.number);
        let outcome = self.touching(index, |contact| {
            contact.held.reset().ok();
            reader.tap(contact, ride.request, moment)
        });
        self.judge.taps_no_more();
        let outcome = outcome?;
        self.time.pass(2);
        let doubted =
            reader.batch().doubted().iter().map(|(tap, _)| (tap.facts().terminal, tap.facts().terminal_seq));
        self.judge.ride_once(index, ride.number, &doubted.collect())?;
        if let Some(stand) = self.stands.get_mut(ride.stand) {
            stand.batch.tear(None);
            stand.reader = Some(reader);
        }
        if tears {
            self.story.fault(Who::All, "torn write on a reader's disk");
            self.stand_dies(ride.stand);
        }
        self.tapped(index, ride, &outcome)
    }

    /// A passenger comes back to a reader that has a torn tap of theirs.
    pub(super) fn recovers(&mut self, index: usize, stand: usize) -> Result<(), Broken> {
        let torn = self.people.get(index).and_then(|person| person.ride).filter(|ride| ride.stand == stand);
        let Some(operator) = self.stands.get(stand).map(|stand| Arc::clone(&stand.operator)) else {
            return Ok(());
        };
        let list = named_fare(&operator, &mut self.dice);
        let request = if has_gates(&operator) { Request::Enter } else { Request::Pay { list } };
        let fresh = Ride { stand, number: self.fresh(), at: self.by_reader(stand), request };
        let torn = torn.filter(|ride| self.is_same_ride(ride));
        self.hold(index, torn.unwrap_or(fresh))
    }

    fn tapped(&mut self, index: usize, ride: Ride, outcome: &TapOutcome) -> Result<(), Broken> {
        let Some(person) = self.people.get_mut(index) else { return Ok(()) };
        let word = match outcome {
            TapOutcome::Accepted { record, recovered, .. } => {
                person.ride = None;
                person.inside = matches!(ride.request, Request::Enter).then_some(ride.stand);
                self.judge.accepted(index, record)?;
                format!(
                    "accepted, {} fen{}",
                    record.amount.get(),
                    if *recovered { ", recovered" } else { "" }
                )
            }
            TapOutcome::Torn(_) => {
                person.ride = Some(ride);
                "torn".to_owned()
            }
            TapOutcome::Refused(refused) => {
                let code = refused.why.code();
                person.ride = Some(ride).filter(|_| code == "card-left");
                if !matches!(code, "card-left" | "balance-low") {
                    person.inside = None;
                }
                format!("refused, {code}")
            }
        };
        let number = ride.number;
        self.story.tell(Who::Passenger(index), format!("ride {number} at reader {}: {word}", ride.stand));
        self.look_at_passenger(index)
    }

    /// Where every debit's record is, by its reader and number.
    pub(super) fn places(&self) -> BTreeMap<(TerminalId, u32), Vec<Place>> {
        let mut places: BTreeMap<(TerminalId, u32), Vec<Place>> = BTreeMap::new();
        let mut note = |record: &model::TapRecord, place| {
            let found = places.entry((record.terminal, record.terminal_seq)).or_default();
            if !found.contains(&place) {
                found.push(place);
            }
        };
        let underway = self.offices.iter().flat_map(|office| office.underway.iter());
        let underway: Vec<&model::TapRecord> = underway.flat_map(|file| &file.honest).collect();
        for record in &underway {
            note(record, Place::Underway);
        }
        for reader in self.stands.iter().filter_map(|stand| stand.reader.as_ref()) {
            let batch = reader.batch();
            let proven = batch.export().records;
            // What is under way is in its reader's batch, too, until the receipt is there.
            let carried = |record: &model::TapRecord| {
                underway
                    .iter()
                    .any(|u| (u.terminal, u.terminal_seq) == (record.terminal, record.terminal_seq))
            };
            proven.iter().filter(|record| !carried(record)).for_each(|record| note(record, Place::Proven));
            batch.pending().iter().for_each(|tap| note(tap.facts(), Place::Torn));
            batch.doubted().iter().for_each(|(tap, _)| note(tap.facts(), Place::Doubted));
        }
        places
    }
}

/// The fare that a meter or a till names.
fn named_fare(operator: &Operator, dice: &mut Seeded) -> Option<PurseFen> {
    let steps = matches!(operator.fare, Fare::Listed).then(|| dice.below(40))?;
    let fen = steps.saturating_mul(50).saturating_add(150);
    u32::try_from(fen).ok().and_then(|fen| PurseFen::try_from(fen).ok())
}
