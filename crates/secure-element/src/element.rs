//! A software secure element (安全模块): the card side of GlobalPlatform, hosting city cards.
//!
//! Standard: GlobalPlatform Card Specification, SCP02 option 15; Amendment C (globalplatform.md sections 1 and 2).
//! Invariant: a command's effect is saved before its answer leaves, or the command had none and answers `6581`.

use std::io;

use card::Purse;
use keys::StaticKeys;
use model::Entropy;
use model::registry::ElementFacts;
use smartcard::gp::{Aid, Fci, Select};
use smartcard::scp02::CardChannel;
use smartcard::{Apdu, Channel, ChannelError, Command, Response, Status, tlv};

use crate::memory::{Birth, DomainKeys, ElementMemory};
use crate::store::Store;

/// A secure element in software.
pub struct SoftwareElement {
    pub(crate) memory: ElementMemory,
    /// One running applet for each slot of the memory, in the same order.
    pub(crate) purses: Vec<Purse>,
    pub(crate) session: Session,
    pub(crate) entropy: Box<dyn Entropy + Send>,
    store: Box<dyn Store>,
    saved: Vec<u8>,
}

/// What the element forgets without power.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) selected: Selected,
    pub(crate) channel: CardChannel,
    /// The purse that INSTALL for personalization has opened.
    pub(crate) personalizing: Option<usize>,
}

/// Which application takes the next command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Selected {
    #[default]
    Issuer,
    Domain(usize),
    Registry,
    Purse(usize),
}

impl SoftwareElement {
    /// A new element of a phone model: `maker` are its maker's keys, `serial` its own number.
    ///
    /// # Errors
    /// The store takes nothing.
    pub fn manufacture(
        serial: [u8; 8],
        facts: &ElementFacts,
        maker: &StaticKeys,
        store: Box<dyn Store>,
        entropy: Box<dyn Entropy + Send>,
    ) -> io::Result<Self> {
        let birth = Birth::new(serial, facts);
        let keys = maker.diversified(facts.key_scheme, &birth.diversification());
        let issuer = DomainKeys { keys, version: facts.key_version, sequence: 0 };
        let memory = ElementMemory { birth, issuer, domains: Vec::new(), purses: Vec::new(), activations: 0 };
        let mut element = SoftwareElement {
            memory,
            purses: Vec::new(),
            session: Session::default(),
            entropy,
            store,
            saved: Vec::new(),
        };
        element.save()?;
        Ok(element)
    }

    /// The element whose memory is in `store`; `None` if the store is empty.
    ///
    /// # Errors
    /// The store cannot be read, or holds something else.
    pub fn open(mut store: Box<dyn Store>, entropy: Box<dyn Entropy + Send>) -> io::Result<Option<Self>> {
        let Some(saved) = store.load()? else { return Ok(None) };
        let (memory, purses) = restored(&saved)?;
        Ok(Some(SoftwareElement { memory, purses, session: Session::default(), entropy, store, saved }))
    }

    /// The element's identity as agents report it, hex.
    #[must_use]
    pub fn se_id(&self) -> String {
        hex::encode_upper(self.memory.birth.serial)
    }

    fn save(&mut self) -> io::Result<()> {
        for (slot, purse) in self.memory.purses.iter_mut().zip(&self.purses) {
            if slot.memory != *purse.memory() {
                slot.memory = purse.memory().clone();
            }
        }
        let bytes = minicbor::to_vec(&self.memory).map_err(io::Error::other)?;
        if bytes != self.saved {
            self.store.save(&bytes)?;
            self.saved = bytes;
        }
        Ok(())
    }

    fn process(&mut self, apdu: &Apdu) -> Response {
        if (apdu.cla, apdu.ins, apdu.p1) == (0x00, 0xA4, 0x04) {
            return self.select(apdu).unwrap_or_else(Response::status);
        }
        let answer = match self.session.selected {
            Selected::Purse(index) => {
                return match self.purses.get_mut(index) {
                    Some(purse) => purse.process(apdu, self.entropy.as_mut()),
                    None => Status::CONDITIONS_NOT_SATISFIED.into(),
                };
            }
            Selected::Registry => self.registry(apdu),
            Selected::Issuer | Selected::Domain(_) => self.manage(apdu),
        };
        answer.unwrap_or_else(Response::status)
    }

    fn select(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let Select { name, .. } = Select::from_apdu(apdu)?;
        let selected = self.find(&name).ok_or(Status::FILE_NOT_FOUND)?;
        self.session = Session { selected, ..Session::default() };
        if let Selected::Purse(index) = selected {
            return self.purses.get_mut(index).map(Purse::select).ok_or(Status::FILE_NOT_FOUND);
        }
        let fci = match selected {
            Selected::Registry => {
                Fci { name: Aid::CONTACTLESS_REGISTRY.as_bytes().to_vec(), proprietary: self.registry_info() }
            }
            Selected::Domain(index) => Fci { name: self.domain_name(index), proprietary: longest_command() },
            _ => Fci { name: self.memory.birth.isd.clone(), proprietary: longest_command() },
        };
        Ok(Response::ok(fci.to_bytes()))
    }

    fn find(&self, name: &[u8]) -> Option<Selected> {
        if self.memory.birth.isd.starts_with(name) {
            return Some(Selected::Issuer); // also for no name at all
        }
        if self.memory.birth.has_crs && name == Aid::CONTACTLESS_REGISTRY.as_bytes() {
            return Some(Selected::Registry);
        }
        let domain = self.memory.domains.iter().position(|domain| domain.name.starts_with(name));
        let purse = || self.memory.purse_for(name).map(Selected::Purse);
        self.memory.purse(name).map(Selected::Purse).or(domain.map(Selected::Domain)).or_else(purse)
    }

    pub(crate) fn domain_name(&self, index: usize) -> Vec<u8> {
        self.memory.domains.get(index).map(|domain| domain.name.clone()).unwrap_or_default()
    }
}

/// FCI: the longest command data that is taken whole.
fn longest_command() -> Vec<u8> {
    tlv::object(0x9F65, &[0xFF])
}

fn restored(saved: &[u8]) -> io::Result<(ElementMemory, Vec<Purse>)> {
    let memory: ElementMemory = minicbor::decode(saved).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("not a secure element's memory: {error}"))
    })?;
    let purses = memory.purses.iter().map(|slot| Purse::with_memory(slot.memory.clone())).collect();
    Ok((memory, purses))
}

impl Channel for SoftwareElement {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let Ok(apdu) = Apdu::parse(command) else {
            return Ok(Response::from(Status::WRONG_LENGTH).to_bytes());
        };
        let response = self.process(&apdu);
        if self.save().is_ok() {
            return Ok(response.to_bytes());
        }
        if let Ok((memory, purses)) = restored(&self.saved) {
            (self.memory, self.purses) = (memory, purses);
        }
        self.session = Session::default();
        Ok(Response::from(Status::MEMORY_FAILURE).to_bytes())
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.session = Session::default();
        self.purses.iter_mut().for_each(Purse::reset);
        Ok(())
    }
}

impl std::fmt::Debug for SoftwareElement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SoftwareElement({}, {} purses)", self.se_id(), self.purses.len())
    }
}
