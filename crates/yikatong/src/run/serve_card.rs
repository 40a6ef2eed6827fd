//! `yikatong element serve` and `card serve`: a software chip behind a socket, in the virtual reader's framing.

use std::io;
use std::net::{TcpListener, TcpStream};

use keys::SoftwareKeys;
use model::registry::Registry;
use secure_element::ATR;
use smartcard::{Channel, vpcd};

use crate::chip;
use crate::cli::{Card, Element, Socket};
use crate::failure::{Failure, Outcome};

pub(crate) fn element(command: &Element, registry: &Registry) -> Outcome {
    let Element::Serve { phone, state, socket } = command;
    let profile = registry.phone(phone).ok_or_else(|| {
        let known: Vec<_> = registry.phones().map(|phone| phone.id.as_str()).collect();
        Failure::input(format_args!("no phone model `{phone}`; known: {}", known.join(", ")))
    })?;
    let mut element = chip::element(profile, state.as_deref())?;
    let name = format!("{} {} element {}", profile.maker.en, profile.model.en, element.se_id());
    serve(socket, &name, &mut element)
}

pub(crate) fn card(command: &Card, registry: &Registry) -> Outcome {
    let Card::Serve { city, state, socket } = command;
    if registry.city(*city).is_none() {
        return Err(Failure::input(format_args!("no city {city} in the registry")));
    }
    let mut plastic = chip::plastic(registry, *city, &SoftwareKeys::demo(), state.as_deref())?;
    serve(socket, &format!("plastic card of {city}"), &mut plastic)
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
