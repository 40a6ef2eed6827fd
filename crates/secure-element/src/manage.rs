//! What a security domain (安全域) answers: who may speak to it, and what it says of itself.
//!
//! Standard: GlobalPlatform GET DATA, GET STATUS (globalplatform.md sections 1.5 and 1.6). Who opens a channel is in
//! [`crate::authenticate`], what changes the content in [`crate::content`].
//! Invariant: no content is changed or shown without an authenticated channel, and inside one no command passes
//! without its protection.

use model::Entropy;
use smartcard::gp::{
    Aid, CardData, Cplc, Entry, GetData, GetStatus, GetValue, LifeCycle, Privilege, Privileges, Scope,
};
use smartcard::{Apdu, Command, Response, Status, tlv};

use crate::memory::{Domain, DomainKeys, Element, Instance, Selected};

/// The makers' own numbers, as this software has them in its CPLC: maker, type, operating system.
const MADE: [u16; 3] = [0x4790, 0x5040, 0x4791];
/// Tag of the number of the last receipt.
const RECEIPT_COUNTER: u16 = 0x00C2;
/// Tag of the element's resources: number of applications, free memory.
const FREE_MEMORY: u16 = 0xFF21;
/// What the issuer's domain may do.
const ISSUER: [Privilege; 13] = [
    Privilege::SecurityDomain,
    Privilege::AuthorizedManagement,
    Privilege::TokenVerification,
    Privilege::ReceiptGeneration,
    Privilege::GlobalRegistry,
    Privilege::GlobalLock,
    Privilege::GlobalDelete,
    Privilege::CardLock,
    Privilege::CardTerminate,
    Privilege::CardReset,
    Privilege::TrustedPath,
    Privilege::FinalApplication,
    Privilege::ContactlessActivation,
];

impl Element {
    pub(crate) fn manage(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Result<Response, Status> {
        if self.terminated && apdu.ins != 0xCA {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        match (apdu.cla, apdu.ins) {
            (0x80, 0x50) => return self.initialize_update(apdu, entropy),
            (0x84, 0x82) => return self.external_authenticate(apdu),
            (0x00 | 0x04 | 0x80 | 0x84, _) => {}
            _ => return Err(Status::WRONG_CLA),
        }
        let plain = self.session.channel.unwrap(apdu)?;
        let answer = self.obey(&plain).unwrap_or_else(Response::status);
        Ok(self.session.channel.protect(answer))
    }

    /// A command whose protection, where the session asks for it, is right.
    fn obey(&mut self, plain: &Apdu) -> Result<Response, Status> {
        let authenticated = self.session.channel.session().is_some();
        match plain.ins {
            0xCA => self.get_data(plain),
            0xE2 | 0xE4 | 0xE6 | 0xE8 | 0xD8 | 0xF0 | 0xF2 if !authenticated => {
                Err(Status::SECURITY_NOT_SATISFIED)
            }
            0xE2 | 0xE4 | 0xE6 | 0xE8 | 0xD8 if self.locked => Err(Status::CONDITIONS_NOT_SATISFIED),
            0xE8 => self.load(plain),
            0xE2 => self.store_data(plain),
            0xE4 => self.delete(plain),
            0xE6 => self.install(plain),
            0xD8 => self.put_any_key(plain),
            0xF0 => self.set_status(plain),
            0xF2 => self.get_status(plain),
            _ => Err(Status::WRONG_INS),
        }
    }

    /// The key set of the selected domain: its own, or its parent's until it has some.
    pub(crate) fn keys(&mut self) -> &mut DomainKeys {
        let holder = match self.session.selected {
            Selected::Domain(name) => self.key_holder(name),
            _ => None,
        };
        match holder.and_then(|at| self.domains.get_mut(at)).and_then(|domain| domain.own.as_mut()) {
            Some(own) => own,
            None => &mut self.issuer,
        }
    }

    /// Where the domain is that has the keys for this one: itself, or the nearest above that has some; `None`: the issuer's.
    fn key_holder(&self, name: Aid) -> Option<usize> {
        let mut at = name;
        for _ in 0..=self.domains.len() {
            let index = self.domain_index(&at)?;
            let domain = self.domains.get(index)?;
            if domain.own.is_some() {
                return Some(index);
            }
            at = self.parent_of(domain);
        }
        None
    }

    fn get_data(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        if apdu.cla == 0 {
            // The value alone.
            let GetValue { tag } = GetValue::from_apdu(apdu)?;
            let object = self.data_object(tag)?;
            let value = tlv::read(&object).map(|(object, _)| object.value.to_vec());
            return Ok(Response::ok(value.unwrap_or_default()));
        }
        self.data_object(GetData::from_apdu(apdu)?.tag).map(Response::ok)
    }

    fn data_object(&mut self, tag: u16) -> Result<Vec<u8>, Status> {
        let [a, b, c, d, e, f, g, h] = self.birth.serial;
        let [fabricator, kind, system] = MADE;
        Ok(match tag {
            0x0042 => tlv::object(0x42, &[a, b, c, d]),
            0x0045 => tlv::object(0x45, &[e, f, g, h]),
            0x00C1 => self.sequence_object()?,
            0x00E0 => self.key_information(),
            Cplc::TAG => Cplc::new(fabricator, kind, system, [e, f, g, h], [c, d]).to_bytes(),
            CardData::TAG => self.card_data(),
            RECEIPT_COUNTER => {
                let receipts = self.receipts.as_ref().ok_or(Status::NOT_FOUND)?;
                tlv::object(u32::from(RECEIPT_COUNTER), &receipts.counter.to_be_bytes())
            }
            FREE_MEMORY => {
                let free = self.birth.free_bytes.saturating_sub(self.used_bytes());
                let count = u8::try_from(self.purses.len()).unwrap_or(u8::MAX);
                let inside = [tlv::object(0x81, &[count]), tlv::object(0x82, &free.to_be_bytes())];
                tlv::object(u32::from(FREE_MEMORY), &inside.concat())
            }
            _ => return Err(Status::NOT_FOUND),
        })
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
            Selected::Domain(name) => self.is_within(owner, &name),
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
                let loaded = self.files.iter().filter(|file| seen(&file.domain.0)).map(|file| {
                    let mut entry = Entry::new(file.name.0, LifeCycle::LOADED, None);
                    entry.modules.extend(file.modules.iter().filter(|_| modules).map(|module| module.0));
                    entry.domain = Some(file.domain.0);
                    entry
                });
                files.into_iter().map(entry).chain(loaded).collect()
            }
        }
    }

    fn issuer_entry(&self) -> Entry {
        let state = match (self.terminated, self.locked) {
            (true, _) => LifeCycle::TERMINATED,
            (false, true) => LifeCycle::CARD_LOCKED,
            (false, false) => LifeCycle::SECURED,
        };
        Entry::new(self.birth.isd, state, Some(Privileges::of(&ISSUER)))
    }

    fn domain_entry(&self, domain: &Domain) -> Entry {
        let mut entry = Entry::new(domain.name, domain.life_cycle(), Some(domain.privileges()));
        entry.load_file = Some(self.birth.ssd_package);
        entry.domain = Some(self.parent_of(domain));
        entry
    }

    fn purse_entry(&self, instance: &Instance) -> Entry {
        let mut entry =
            Entry::new(instance.name, instance.life_cycle(), Some(Privileges(instance.privileges)));
        entry.load_file = Some(instance.load_file.map_or(self.birth.purse_package, |file| file.0));
        entry.domain = Some(instance.domain);
        entry
    }
}
