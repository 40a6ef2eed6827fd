//! Simulated chips (模拟芯片): a phone's secure element or a plastic card, as its memory has it, or made anew.

use std::path::Path;

use keys::{CardRef, KeyService};
use model::registry::{Phone, Registry};
use model::{CityCode, Clock, Entropy};
use secure_element::{FileStore, MemoryStore, PlasticCard, SoftwareElement, Store};
use smartcard::Channel;

use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy};

/// Running numbers have ten digits.
const NUMBERS: u64 = 10_000_000_000;

/// The element in `memory`; a new one of this model where nothing is kept yet.
pub(crate) fn element(phone: &Phone, memory: Option<&Path>) -> Outcome<SoftwareElement> {
    let opened = SoftwareElement::open(store(memory), Box::new(SystemEntropy)).map_err(Failure::input)?;
    match opened {
        Some(element) => Ok(element),
        None => sim::element(phone, store(memory), Box::new(SystemEntropy)).map_err(Failure::input),
    }
}

/// The plastic card in `memory`; a new one of this city, with a number that no other has, where nothing is kept yet.
pub(crate) fn plastic(
    registry: &Registry,
    city: CityCode,
    keys: &dyn KeyService,
    memory: Option<&Path>,
) -> Outcome<PlasticCard> {
    let opened = PlasticCard::open(store(memory), Box::new(SystemEntropy)).map_err(Failure::input)?;
    if let Some(card) = opened {
        return Ok(card);
    }
    let mut running = [0; 8];
    SystemEntropy.fill(&mut running);
    let number = sim::plastic_number(city, u64::from_be_bytes(running) % NUMBERS);
    let (card, today) = (CardRef { city, number }, SystemClock.now().date());
    sim::plastic(registry, &card, today, keys, store(memory), Box::new(SystemEntropy), &mut SystemEntropy)
        .map_err(Failure::wrong)
}

/// A chip whose memory is a file: a phone's element or a plastic card, whichever it is.
pub(crate) fn open(path: &Path) -> Outcome<Box<dyn Channel>> {
    if !path.exists() {
        return Err(Failure::path(
            path,
            "no such card; `element serve --state` or `card serve --state` makes one",
        ));
    }
    let element = match SoftwareElement::open(store(Some(path)), Box::new(SystemEntropy)) {
        Ok(Some(element)) => return Ok(Box::new(element)),
        Ok(None) => return Err(Failure::path(path, "holds no card")),
        Err(error) => error,
    };
    match PlasticCard::open(store(Some(path)), Box::new(SystemEntropy)) {
        Ok(Some(card)) => Ok(Box::new(card)),
        Ok(None) => Err(Failure::path(path, "holds no card")),
        Err(card) => {
            Err(Failure::input(format_args!("no phone's element ({element}) and no plastic card ({card})")))
        }
    }
}

fn store(memory: Option<&Path>) -> Box<dyn Store> {
    match memory {
        Some(path) => Box::new(FileStore::new(path)),
        None => Box::new(MemoryStore::default()),
    }
}
