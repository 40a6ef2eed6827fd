//! A software secure element (安全模块): the card side of GlobalPlatform, hosting city cards.
//!
//! Standard: GlobalPlatform SELECT and the element's security domains (globalplatform.md section 1.5); which purse a
//! reader meets is Amendment C's matter (section 2).
//! Invariant: a purse that is not active is reached by its full name alone, a locked one not at all.

use std::cmp::Reverse;
use std::io;

use keys::ElementKeys;
use model::Entropy;
use model::registry::ElementFacts;
use smartcard::gp::{Aid, Fci, Select, on_basic_channel};
use smartcard::{Apdu, Channel, ChannelError, Command, Response, Status, tlv};

use crate::channels::Volatile;
use crate::chip::{Chip, System};
use crate::memory::{Birth, DomainKeys, Element, Instance, Selected, Session};
use crate::store::Store;

/// A secure element in software.
pub struct SoftwareElement(Chip<Element>);

impl SoftwareElement {
    /// A new element of a phone model: `maker` are its maker's keys, `serial` its own number.
    ///
    /// # Errors
    /// The keys are not what its channel takes; the store takes nothing, or holds a chip's memory already.
    pub fn manufacture(
        serial: [u8; 8],
        facts: &ElementFacts,
        maker: &ElementKeys,
        store: Box<dyn Store>,
        entropy: Box<dyn Entropy + Send>,
    ) -> io::Result<Self> {
        let birth = Birth::new(serial, facts);
        let keys = maker.diversified(facts.key_scheme, &birth.diversification());
        let keys = keys.filter(|keys| birth.takes(keys.kind())).ok_or_else(|| {
            let text = format!(
                "{} keys: not what {} takes, or not with this scheme",
                maker.kind().name(),
                facts.scp
            );
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let issuer = DomainKeys { keys, version: facts.key_version, sequence: 0, failures: 0 };
        let element = Element {
            birth,
            issuer,
            domains: Vec::new(),
            purses: Vec::new(),
            activations: 0,
            updates: 0,
            locked: false,
            files: Vec::new(),
            terminated: false,
            token_key: None,
            receipts: None,
            session: Session::default(),
            volatile: Volatile::default(),
        };
        Chip::new(element, store, entropy).map(SoftwareElement)
    }

    /// The element whose memory is in `store`; `None` if the store is empty.
    ///
    /// # Errors
    /// The store cannot be read, or holds something else.
    pub fn open(store: Box<dyn Store>, entropy: Box<dyn Entropy + Send>) -> io::Result<Option<Self>> {
        Ok(Chip::open(store, entropy)?.map(SoftwareElement))
    }

    /// The element's identity as agents report it, hex: the values of GET DATA 42 and 45.
    #[must_use]
    pub fn se_id(&self) -> String {
        hex::encode_upper(self.0.system().birth.serial)
    }

    /// What its personalised purses hold, read from their memory without a command.
    #[must_use]
    pub fn purses(&self) -> Vec<card::Standing> {
        self.0.system().purses.iter().filter_map(|instance| instance.purse.standing()).collect()
    }
}

impl Channel for SoftwareElement {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.0.transmit(command)
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.0.reset()
    }
}

impl std::fmt::Debug for SoftwareElement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SoftwareElement({}, {} purses)", self.se_id(), self.0.system().purses.len())
    }
}

impl System for Element {
    const KIND: &'static str = "secure element";

    fn process(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Response {
        let (number, apdu) = match on_basic_channel(apdu) {
            Ok(command) => command,
            Err(status) => return status.into(),
        };
        if let Err(status) = self.serve(number) {
            return status.into();
        }
        if let Some(fetched) = self.fetched(&apdu) {
            return fetched;
        }
        let response = self.answer(&apdu, entropy);
        self.given(&apdu, response)
    }

    fn power_off(&mut self) {
        self.close_channels();
        self.purses.iter_mut().for_each(|instance| instance.purse.reset());
    }
}

impl Element {
    fn answer(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Response {
        let answer = match (apdu.cla, apdu.ins, apdu.p1, self.session.selected) {
            (0x00, 0xA4, 0x04, _) => self.select(apdu),
            (0x00, 0x70, ..) => self.manage_channel(apdu),
            (.., Selected::Purse(name)) => match self.instance_mut(&name) {
                Some(instance) => return instance.purse.process(apdu, entropy),
                None => Err(Status::CONDITIONS_NOT_SATISFIED),
            },
            (.., Selected::Registry) => self.registry(apdu),
            (.., Selected::Issuer | Selected::Domain(_)) => self.manage(apdu, entropy),
        };
        answer.unwrap_or_else(Response::status)
    }

    /// A SELECT that finds nothing leaves the application selected, but what a purse had begun is over.
    fn select(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let found = Select::from_apdu(apdu).and_then(|command| self.find(&command));
        let selected = match (found, self.session.selected) {
            (Ok(selected), _) => selected,
            (Err(status), before) => {
                self.leave(before);
                return Err(status);
            }
        };
        if matches!(selected, Selected::Purse(_)) && self.is_selected_elsewhere(selected) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        self.leave(self.session.selected);
        self.session = Session { selected, ..Session::default() };
        if let Selected::Purse(name) = selected {
            let instance = self.instance_mut(&name).ok_or(Status::FILE_NOT_FOUND)?;
            return Ok(instance.purse.select());
        }
        let proprietary = match selected {
            Selected::Registry => self.registry_info(),
            _ => tlv::object(0x9F65, &[self.birth.longest]),
        };
        let data = Fci { name: self.name(selected).as_bytes().to_vec(), proprietary }.to_bytes();
        Ok(Response {
            data,
            status: if self.locked || self.terminated { Status::FILE_INVALIDATED } else { Status::OK },
        })
    }

    /// What a SELECT reaches: the application of that very name, or the first one whose name begins so; with P2 `02`
    /// the one after the selected one.
    fn find(&self, command: &Select) -> Result<Selected, Status> {
        let candidates = self.candidates(&command.name);
        let from = if command.next {
            let current = candidates.iter().position(|candidate| *candidate == self.session.selected);
            current.map_or(usize::MAX, |index| index.saturating_add(1))
        } else {
            0
        };
        candidates.get(from).copied().ok_or(Status::FILE_NOT_FOUND)
    }

    /// In the order in which a SELECT meets them. A locked element has nothing but its issuer's domain.
    fn candidates(&self, name: &[u8]) -> Vec<Selected> {
        let registry = (self.birth.has_crs).then_some(Selected::Registry);
        let domains = self.domains.iter().filter(|domain| domain.selectable && !domain.locked);
        let mut purses: Vec<&Instance> =
            self.purses.iter().filter(|instance| self.reaches(instance, name)).collect();
        let next_tap = |instance: &Instance| self.volatile.next_tap == Some(instance.name);
        purses.sort_by_key(|instance| Reverse((next_tap(instance), instance.activated)));
        let others = (registry.into_iter())
            .chain(domains.map(|domain| Selected::Domain(domain.name)))
            .chain(purses.into_iter().map(|instance| Selected::Purse(instance.name)))
            .filter(|_| !self.locked && !self.terminated);
        let mut candidates: Vec<Selected> = [Selected::Issuer]
            .into_iter()
            .chain(others)
            .filter(|candidate| self.name(*candidate).answers_to(name))
            .collect();
        candidates.sort_by_key(|candidate| self.name(*candidate).as_bytes() != name);
        candidates
    }

    /// Without a contactless registry every purse is active.
    fn reaches(&self, instance: &Instance, name: &[u8]) -> bool {
        let active = instance.activated > 0 || !self.birth.has_crs;
        instance.selectable && !instance.locked && (active || instance.name.as_bytes() == name)
    }

    pub(crate) fn name(&self, selected: Selected) -> Aid {
        match selected {
            Selected::Issuer => self.birth.isd,
            Selected::Registry => Aid::CONTACTLESS_REGISTRY,
            Selected::Domain(name) | Selected::Purse(name) => name,
        }
    }
}
