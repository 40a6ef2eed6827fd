//! `yikatong element serve` and `card serve`: a software chip behind a socket, in the virtual reader's framing.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use keys::{CardRef, SoftwareKeys};
use model::registry::Registry;
use model::{CityCode, Clock};
use secure_element::{ATR, FileStore, MemoryStore, PlasticCard, SoftwareElement, Store};
use smartcard::{Channel, vpcd};

use crate::cli::{Card, Element, Socket};
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy};

pub(crate) fn element(command: &Element, registry: &Registry) -> Outcome {
    let Element::Serve { phone, state, socket } = command;
    let profile = registry.phone(phone).ok_or_else(|| {
        let known: Vec<_> = registry.phones().map(|phone| phone.id.as_str()).collect();
        Failure::input(format_args!("no phone model `{phone}`; known: {}", known.join(", ")))
    })?;
    let opened =
        SoftwareElement::open(store(state.as_ref()), Box::new(SystemEntropy)).map_err(Failure::input)?;
    let mut chip = match opened {
        Some(chip) => chip,
        None => {
            sim::element(profile, store(state.as_ref()), Box::new(SystemEntropy)).map_err(Failure::input)?
        }
    };
    let name = format!("{} {} element {}", profile.maker.en, profile.model.en, chip.se_id());
    serve(socket, &name, &mut chip)
}

pub(crate) fn card(command: &Card, registry: &Registry) -> Outcome {
    let Card::Serve { city, state, socket } = command;
    if registry.city(*city).is_none() {
        return Err(Failure::input(format_args!("no city {city} in the registry")));
    }
    let opened = PlasticCard::open(store(state.as_ref()), Box::new(SystemEntropy)).map_err(Failure::input)?;
    let mut plastic = match opened {
        Some(card) => card,
        None => new_card(registry, *city, store(state.as_ref()))?,
    };
    serve(socket, &format!("plastic card of {city}"), &mut plastic)
}

/// A new plastic card with a number that no other has.
fn new_card(registry: &Registry, city: CityCode, store: Box<dyn Store>) -> Outcome<PlasticCard> {
    let mut running = [0; 8];
    model::Entropy::fill(&mut SystemEntropy, &mut running);
    let number = sim::plastic_number(city, u64::from_be_bytes(running) % 10_000_000_000);
    let card = CardRef { city, number };
    let (keys, today) = (SoftwareKeys::demo(), SystemClock.now().date());
    sim::plastic(registry, &card, today, &keys, store, Box::new(SystemEntropy), &mut SystemEntropy)
        .map_err(Failure::wrong)
}

fn store(path: Option<&PathBuf>) -> Box<dyn Store> {
    match path {
        Some(path) => Box::new(FileStore::new(path)),
        None => Box::new(MemoryStore::default()),
    }
}

/// A chip whose memory is a file: a phone's element or a plastic card, whichever it is.
pub(crate) fn open(path: &Path) -> Outcome<Box<dyn Channel>> {
    if !path.exists() {
        return Err(Failure::path(
            path,
            "no such card; `element serve --state` or `card serve --state` makes one",
        ));
    }
    let store = || Box::new(FileStore::new(path));
    let element = match SoftwareElement::open(store(), Box::new(SystemEntropy)) {
        Ok(Some(element)) => return Ok(Box::new(element)),
        Ok(None) => return Err(Failure::path(path, "holds no card")),
        Err(error) => error,
    };
    match PlasticCard::open(store(), Box::new(SystemEntropy)) {
        Ok(Some(card)) => Ok(Box::new(card)),
        Ok(None) => Err(Failure::path(path, "holds no card")),
        Err(card) => {
            Err(Failure::input(format_args!("no phone's element ({element}) and no plastic card ({card})")))
        }
    }
}

fn serve(socket: &Socket, name: &str, chip: &mut dyn Channel) -> Outcome {
    match (&socket.vpcd, &socket.listen) {
        (Some(reader), _) => {
            let refused =
                |error: io::Error| Failure::input(format_args!("{reader}: no virtual reader there: {error}"));
            let stream = TcpStream::connect(reader).map_err(refused)?;
            outln!("{name}: in the virtual reader at {reader}; Ctrl-C takes it out.");
            vpcd::serve(stream, chip, &ATR).map_err(refused)
        }
        (None, Some(address)) => listen(address, name, chip),
        (None, None) => Err(Failure::input("say --listen HOST:PORT or --vpcd HOST:PORT")),
    }
}

/// One client at a time, as one card is in one field at a time.
fn listen(address: &str, name: &str, chip: &mut dyn Channel) -> Outcome {
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::input(format_args!("cannot listen on {address}: {error}; choose another with --listen"))
    })?;
    let bound = listener.local_addr().map_err(Failure::wrong)?;
    outln!("{name}: waits on {bound}; Ctrl-C takes it away.");
    for stream in listener.incoming() {
        let served = stream.and_then(|stream| {
            stream.set_nodelay(true)?;
            vpcd::serve(stream, &mut *chip, &ATR)
        });
        if let Err(error) = served {
            eprintln!("{name}: a client broke off: {error}");
        }
    }
    Ok(())
}
