//! What a security domain (安全域) answers: who may speak to it, and what it says of itself.
//!
//! Standard: GlobalPlatform INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, GET DATA, GET STATUS (globalplatform.md sections
//! 1.2, 1.5 and 1.6). What changes the content is in [`crate::content`].
//! Invariant: no content is changed or shown without an authenticated channel, and inside one no command passes
//! without its protection.

use model::Entropy;
use smartcard::gp::{
    Aid, CardData, Cplc, Entry, ExternalAuthenticate, GetData, GetStatus, InitializeUpdate, LifeCycle,
    Privilege, Privileges, Scope,
};
use smartcard::scp02::KeySet;
use smartcard::{Apdu, Command, Response, Status, tlv};

use crate::memory::{Domain, DomainKeys, Element, Instance, Selected};

/// The makers' own numbers, as this software has them in its CPLC: maker, type, operating system.
const MADE: [u16; 3] = [0x4790, 0x5040, 0x4791];
/// What the issuer's domain may do.
const ISSUER: [Privilege; 10] = [
    Privilege::SecurityDomain,
    Privilege::AuthorizedManagement,
    Privilege::GlobalRegistry,
    Privilege::GlobalLock,
    Privilege::GlobalDelete,
    Privilege::CardLock,
    Privilege::CardReset,
    Privilege::TrustedPath,
    Privilege::FinalApplication,
    Privilege::ContactlessActivation,
];

impl Element {
    pub(crate) fn manage(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Result<Response, Status> {
        match (apdu.cla, apdu.ins) {
            (0x80, 0x50) => return self.initialize_update(apdu, entropy),
            (0x84, 0x82) => return self.external_authenticate(apdu),
            (0x00 | 0x04 | 0x80 | 0x84, _) => {}
            _ => return Err(Status::WRONG_CLA),
        }
        let plain = self.session.channel.unwrap(apdu)?;
        let authenticated = self.session.channel.session().is_some();
        match plain.ins {
            0xCA => self.get_data(&plain),
            0xE2 | 0xE4 | 0xE6 | 0xD8 | 0xF0 | 0xF2 if !authenticated => Err(Status::SECURITY_NOT_SATISFIED),
            0xE2 | 0xE4 | 0xE6 | 0xD8 if self.locked => Err(Status::CONDITIONS_NOT_SATISFIED),
            0xE2 => self.store_data(&plain),
            0xE4 => self.delete(&plain),
            0xE6 => self.install(&plain),
            0xD8 => self.put_key(&plain),
            0xF0 => self.set_status(&plain),
            0xF2 => self.get_status(&plain),
            _ => Err(Status::WRONG_INS),
        }
    }

    /// The key set of the selected domain: its own, or the issuer's until it has some.
    fn keys(&mut self) -> &mut DomainKeys {
        let own = match self.session.selected {
            Selected::Domain(name) => self
                .domains
                .iter_mut()
                .find(|domain| domain.name == name)
                .and_then(|domain| domain.own.as_mut()),
            _ => None,
        };
        own.unwrap_or(&mut self.issuer)
    }

    fn initialize_update(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Result<Response, Status> {
        let command = InitializeUpdate::from_apdu(apdu)?;
        let mut challenge = [0; 6];
        entropy.fill(&mut challenge);
        let diversification = self.birth.diversification();
        let DomainKeys { keys, version, sequence } = self.keys().clone();
        if command.key_version != 0 && command.key_version != version {
            return Err(Status::NOT_FOUND);
        }
        let set = KeySet { diversification, version, sequence, keys: &keys };
        self.session.personalizing = None; // its keys come under those of one session
        Ok(Response::ok(self.session.channel.initialize_update(&command, &set, challenge).to_bytes()))
    }

    fn external_authenticate(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = ExternalAuthenticate::from_apdu(apdu)?;
        let mut sequence = self.keys().sequence;
        let outcome = self.session.channel.external_authenticate(&command, &mut sequence);
        self.keys().sequence = sequence; // it counts attempts that knew the MAC key, also failed ones
        outcome.map(|()| Response::ok([]))
    }

    fn get_data(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let tag = GetData::from_apdu(apdu)?.tag;
        let [a, b, c, d, e, f, g, h] = self.birth.serial;
        let [fabricator, kind, system] = MADE;
        let DomainKeys { version, sequence, .. } = *self.keys();
        Ok(Response::ok(match tag {
            0x0042 => tlv::object(0x42, &[a, b, c, d]),
            0x0045 => tlv::object(0x45, &[e, f, g, h]),
            0x00C1 => tlv::object(0xC1, &sequence.to_be_bytes()),
            0x00E0 => {
                // Key information: number, version, 3DES, 16 bytes.
                let keys = (1..=3).flat_map(|number| tlv::object(0xC0, &[number, version, 0x80, 0x10]));
                tlv::object(0xE0, &keys.collect::<Vec<u8>>())
            }
            Cplc::TAG => Cplc::new(fabricator, kind, system, [e, f, g, h], [c, d]).to_bytes(),
            CardData::TAG => CardData { version: [2, 2], protocol: 2, variant: 0x15 }.to_bytes(),
            _ => return Err(Status::NOT_FOUND),
        }))
    }

    /// The issuer's domain sees everything, another one itself and what belongs to it.
    fn get_status(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let GetStatus { scope, name, next, tags } = GetStatus::from_apdu(apdu)?;
        if !next {
            let entries = self.entries(scope).into_iter().filter(|entry| entry.aid.answers_to(&name));
            self.session.rows = entries.map(|entry| entry.with_tags(&tags)).collect();
        }
        self.rows(next)
    }

    fn entries(&self, scope: Scope) -> Vec<Entry> {
        let seen = |owner: &Aid| match self.session.selected {
            Selected::Domain(name) => *owner == name,
            _ => true,
        };
        match scope {
            Scope::IssuerDomain => vec![self.issuer_entry()],
            Scope::Applications => {
                let domains = self.domains.iter().filter(|domain| seen(&domain.name));
                let purses = self.purses.iter().filter(|instance| seen(&instance.domain));
                let domains = domains.map(|domain| self.domain_entry(domain));
                domains.chain(purses.map(|instance| self.purse_entry(instance))).collect()
            }
            Scope::LoadFiles | Scope::LoadFilesAndModules => {
                let birth = &self.birth;
                let files =
                    [(birth.ssd_package, birth.ssd_module), (birth.purse_package, birth.purse_module)];
                let modules = scope == Scope::LoadFilesAndModules;
                let entry = |(file, module): (Aid, Aid)| {
                    let mut entry = Entry::new(file, LifeCycle::LOADED, None);
                    entry.modules.extend(modules.then_some(module));
                    entry.domain = Some(birth.isd);
                    entry
                };
                files.into_iter().map(entry).collect()
            }
        }
    }

    fn issuer_entry(&self) -> Entry {
        let state = if self.locked { LifeCycle::CARD_LOCKED } else { LifeCycle::SECURED };
        Entry::new(self.birth.isd, state, Some(Privileges::of(&ISSUER)))
    }

    fn domain_entry(&self, domain: &Domain) -> Entry {
        let mut entry = Entry::new(domain.name, domain.life_cycle(), Some(domain.privileges()));
        entry.load_file = Some(self.birth.ssd_package);
        entry.domain = Some(self.birth.isd);
        entry
    }

    fn purse_entry(&self, instance: &Instance) -> Entry {
        let mut entry = Entry::new(instance.name, instance.life_cycle(), Some(Privileges::default()));
        entry.load_file = Some(self.birth.purse_package);
        entry.domain = Some(instance.domain);
        entry
    }
}
