//! How a command reaches a card: a socket that speaks the virtual reader's framing, a PC/SC reader, or a state file.

use std::fmt;
use std::net::TcpStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use smartcard::Channel;
use smartcard::vpcd::Client;

use crate::failure::{Failure, Outcome};

/// A card that says nothing for so long has left.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a card is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CardAddress {
    /// A card behind a socket.
    Tcp(String),
    /// A card in this PC/SC reader.
    Pcsc(String),
    /// A card whose memory is this file.
    File(PathBuf),
}

impl CardAddress {
    /// The card, with its power on.
    pub(crate) fn open(&self) -> Outcome<Box<dyn Channel>> {
        match self {
            CardAddress::Tcp(address) => {
                let refused = |error| Failure::input(format_args!("tcp:{address}: no card there: {error}"));
                let stream = TcpStream::connect(address).map_err(refused)?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(refused)?;
                stream.set_nodelay(true).map_err(refused)?;
                let mut client = Client::new(stream);
                client.reset().map_err(|error| Failure::input(format_args!("tcp:{address}: {error}")))?;
                Ok(Box::new(client))
            }
            CardAddress::Pcsc(reader) => in_reader(reader),
            CardAddress::File(path) => crate::chip::open(path),
        }
    }
}

#[cfg(feature = "pcsc")]
fn in_reader(reader: &str) -> Outcome<Box<dyn Channel>> {
    let card = pcsc_reader::ReaderCard::open(reader);
    Ok(Box::new(card.map_err(|error| Failure::input(format_args!("pcsc:{reader}: {error}")))?))
}

#[cfg(not(feature = "pcsc"))]
fn in_reader(reader: &str) -> Outcome<Box<dyn Channel>> {
    Err(Failure::input(format_args!(
        "pcsc:{reader}: this build has no PC/SC; with the system's libpcsclite it is built by \
         `cargo build --release --features pcsc`"
    )))
}

impl FromStr for CardAddress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("tcp", address)) if address.contains(':') => Ok(CardAddress::Tcp(address.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(CardAddress::File(path.into())),
            Some(("pcsc", reader)) if !reader.is_empty() => Ok(CardAddress::Pcsc(reader.to_owned())),
            _ => Err(format!("`{text}` is not a card; expected tcp:HOST:PORT, pcsc:READER or file:STATE")),
        }
    }
}

impl fmt::Display for CardAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CardAddress::Tcp(address) => write!(f, "tcp:{address}"),
            CardAddress::Pcsc(reader) => write!(f, "pcsc:{reader}"),
            CardAddress::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}
