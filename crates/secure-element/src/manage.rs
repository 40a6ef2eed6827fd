//! Content management (卡内容管理): what a security domain answers, outside and inside its secure channel.
//!
//! Standard: GlobalPlatform INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, GET DATA, INSTALL, DELETE, PUT KEY, STORE DATA,
//! GET STATUS (globalplatform.md sections 1.2, 1.5 and 1.6).
//! Invariant: nothing but a look changes or shows content without an authenticated channel.

use card::{Purse, PurseMemory};
use keys::StaticKeys;
use smartcard::gp::{
    Aid, CardData, Cplc, Delete, Entry, ExternalAuthenticate, GetData, GetStatus, InitializeUpdate, Install,
    InstallApplication, LifeCycle, Privilege, PutKey, Scope, StoreData,
};
use smartcard::scp02::KeySet;
use smartcard::{Apdu, Command, Response, Status, tlv};

use crate::element::{Selected, SoftwareElement};
use crate::memory::{DomainKeys, DomainMemory, PurseSlot, aid};

/// The answer to a management command that has no data: no receipt follows.
const NO_RECEIPT: [u8; 1] = [0x00];

impl SoftwareElement {
    pub(crate) fn manage(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        match (apdu.cla, apdu.ins) {
            (0x80, 0x50) => return self.initialize_update(apdu),
            (0x84, 0x82) => return self.external_authenticate(apdu),
            (0x00 | 0x80, 0xCA) => return self.get_data(apdu),
            _ => {}
        }
        let plain = self.session.channel.unwrap(apdu)?;
        if self.session.channel.session().is_none() {
            return Err(Status::SECURITY_NOT_SATISFIED);
        }
        match plain.ins {
            0xE6 => self.install(&plain),
            0xE4 => self.delete(&plain),
            0xD8 => self.put_key(&plain),
            0xE2 => self.store_data(&plain),
            0xF2 => self.get_status(&plain),
            _ => Err(Status::WRONG_INS),
        }
    }

    /// The key set of the selected domain: its own, or the issuer's until it has some.
    fn keys(&mut self) -> &mut DomainKeys {
        let own = match self.session.selected {
            Selected::Domain(index) => {
                self.memory.domains.get_mut(index).and_then(|domain| domain.own.as_mut())
            }
            _ => None,
        };
        own.unwrap_or(&mut self.memory.issuer)
    }

    fn initialize_update(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = InitializeUpdate::from_apdu(apdu)?;
        let mut challenge = [0; 6];
        self.entropy.fill(&mut challenge);
        let diversification = self.memory.birth.diversification();
        let DomainKeys { keys, version, sequence } = self.keys().clone();
        if command.key_version != 0 && command.key_version != version {
            return Err(Status::NOT_FOUND);
        }
        let set = KeySet { diversification, version, sequence, keys: &keys };
        Ok(Response::ok(self.session.channel.initialize_update(&command, &set, challenge).to_bytes()))
    }

    fn external_authenticate(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = ExternalAuthenticate::from_apdu(apdu)?;
        let mut sequence = self.keys().sequence;
        let outcome = self.session.channel.external_authenticate(&command, &mut sequence);
        self.keys().sequence = sequence; // it counts attempts that knew the MAC key, also failed ones
        outcome.map(|()| Response::ok([]))
    }

    fn get_data(&self, apdu: &Apdu) -> Result<Response, Status> {
        let serial = self.memory.birth.serial;
        let [a, b, c, d, e, f, g, h] = serial;
        let object = match GetData::from_apdu(apdu)?.tag {
            0x0042 => tlv::object(0x42, &[a, b, c, d]),
            0x0045 => tlv::object(0x45, &[e, f, g, h]),
            Cplc::TAG => tlv::object(
                u32::from(Cplc::TAG),
                &Cplc::new(0x4790, 0x5040, 0x4791, [e, f, g, h], [c, d]).to_bytes(),
            ),
            CardData::TAG => CardData { version: [2, 2], protocol: 2, variant: 0x15 }.to_bytes(),
            _ => return Err(Status::NOT_FOUND),
        };
        Ok(Response::ok(object))
    }

    fn install(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        match Install::from_apdu(apdu)? {
            Install::Application(made) if made.load_file.as_bytes() == self.memory.birth.ssd_package => {
                self.install_domain(&made)
            }
            Install::Application(made) if made.load_file.as_bytes() == self.memory.birth.purse_package => {
                self.install_purse(&made)
            }
            Install::Application(_) => Err(Status::NOT_FOUND),
            Install::Personalize { target } => self.open_for_personalization(&target),
            Install::MakeSelectable { .. } | Install::Extradite { .. } => {
                Err(Status::CONDITIONS_NOT_SATISFIED)
            }
        }
    }

    fn install_domain(&mut self, made: &InstallApplication) -> Result<Response, Status> {
        if self.session.selected != Selected::Issuer || made.module.as_bytes() != self.memory.birth.ssd_module
        {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        if !made.privileges.has(Privilege::SecurityDomain) {
            return Err(Status::WRONG_DATA);
        }
        self.check_new(&made.instance, 2048)?;
        let manages = made.privileges.has(Privilege::AuthorizedManagement);
        self.memory.domains.push(DomainMemory {
            name: made.instance.as_bytes().to_vec(),
            manages,
            own: None,
        });
        Ok(Response::ok(NO_RECEIPT))
    }

    fn install_purse(&mut self, made: &InstallApplication) -> Result<Response, Status> {
        let domain = match self.session.selected {
            Selected::Domain(index) => {
                let domain =
                    self.memory.domains.get(index).filter(|domain| domain.manages && domain.own.is_some());
                domain.map(|domain| domain.name.clone()).ok_or(Status::SECURITY_NOT_SATISFIED)?
            }
            _ => self.memory.birth.isd.clone(),
        };
        if made.module.as_bytes() != self.memory.birth.purse_module {
            return Err(Status::NOT_FOUND);
        }
        self.check_new(&made.instance, 6144)?;
        let purse = Purse::blank();
        let memory: PurseMemory = purse.memory().clone();
        self.memory.purses.push(PurseSlot {
            name: made.instance.as_bytes().to_vec(),
            domain,
            activated: 0,
            memory,
        });
        self.purses.push(purse);
        Ok(Response::ok(NO_RECEIPT))
    }

    /// The name is free and there is room.
    fn check_new(&self, instance: &Aid, bytes: u32) -> Result<(), Status> {
        let name = instance.as_bytes();
        if self.memory.domain(name).is_some()
            || self.memory.purse(name).is_some()
            || name == self.memory.birth.isd
        {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let wanted = self.memory.used_bytes().saturating_add(bytes);
        if wanted > self.memory.birth.free_bytes { Err(Status::NO_ROOM) } else { Ok(()) }
    }

    /// The purse named, if the selected domain may touch it.
    fn own_purse(&self, name: &[u8]) -> Result<usize, Status> {
        let index = self.memory.purse(name).ok_or(Status::NOT_FOUND)?;
        let slot = self.memory.purses.get(index).ok_or(Status::NOT_FOUND)?;
        let owns = match self.session.selected {
            Selected::Domain(domain) => slot.domain == self.domain_name(domain),
            _ => true, // the issuer manages everything
        };
        if owns { Ok(index) } else { Err(Status::SECURITY_NOT_SATISFIED) }
    }

    fn open_for_personalization(&mut self, target: &Aid) -> Result<Response, Status> {
        let index = self.own_purse(target.as_bytes())?;
        if self.purses.get(index).is_none_or(Purse::is_personalised) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        self.session.personalizing = Some(index);
        Ok(Response::ok(NO_RECEIPT))
    }

    fn store_data(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let StoreData { last, block, .. } = StoreData::from_apdu(apdu)?;
        let index = self.session.personalizing.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let (_, keys) = self.session.channel.session().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        let purse = self.purses.get_mut(index).ok_or(Status::NOT_FOUND)?;
        let stored = purse.store_data(&block, last, keys);
        if last || stored.is_err() {
            self.session.personalizing = None;
        }
        stored.map(|()| Response::ok([]))
    }

    fn delete(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let Delete { aid: name, related } = Delete::from_apdu(apdu)?;
        let name = name.as_bytes();
        if let Some(domain) = self.memory.domain(name) {
            let holds = self.memory.purses.iter().any(|slot| slot.domain == name);
            if self.session.selected != Selected::Issuer || holds || related {
                return Err(Status::CONDITIONS_NOT_SATISFIED);
            }
            self.memory.domains.remove(domain);
            return Ok(Response::ok(NO_RECEIPT));
        }
        let index = self.own_purse(name)?;
        self.session.personalizing = None;
        self.memory.purses.remove(index);
        self.purses.remove(index);
        Ok(Response::ok(NO_RECEIPT))
    }

    fn put_key(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = PutKey::from_apdu(apdu)?;
        let Selected::Domain(index) = self.session.selected else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        let (_, channel) = self.session.channel.session().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        let keys: Option<Vec<_>> =
            command.keys.iter().map(|key| channel.unwrap_key(&key.cipher, key.kcv)).collect();
        let [enc, mac, dek] =
            <[_; 3]>::try_from(keys.ok_or(Status::WRONG_DATA)?).map_err(|_| Status::WRONG_DATA)?;
        let domain = self.memory.domains.get_mut(index).ok_or(Status::NOT_FOUND)?;
        let old = domain.own.as_ref().map_or(0, |own| own.version);
        if command.replaces != old || command.first_key != 1 {
            return Err(Status::WRONG_DATA);
        }
        let keys = StaticKeys::new(enc, mac, dek);
        domain.own = Some(DomainKeys { keys, version: command.version, sequence: 0 });
        Ok(Response::ok(command.expected_answer().to_bytes()))
    }

    fn get_status(&self, apdu: &Apdu) -> Result<Response, Status> {
        let GetStatus { scope, name, .. } = GetStatus::from_apdu(apdu)?;
        let isd = || Entry::new(aid(&self.memory.birth.isd), LifeCycle::SECURED, None);
        let domains = self.memory.domains.iter().map(|domain| (&domain.name, domain.own.is_some()));
        let purses = self
            .memory
            .purses
            .iter()
            .zip(&self.purses)
            .map(|(slot, purse)| (&slot.name, purse.is_personalised()));
        let life = |ready: bool| if ready { LifeCycle::PERSONALIZED } else { LifeCycle::SELECTABLE };
        let entries: Vec<Entry> = match scope {
            Scope::IssuerDomain => vec![isd()],
            Scope::Applications => {
                let all = domains.chain(purses).filter(|(found, _)| found.starts_with(&name));
                all.map(|(found, ready)| Entry::new(aid(found), life(ready), None)).collect()
            }
            _ => Vec::new(),
        };
        if entries.is_empty() {
            return Err(Status::NOT_FOUND);
        }
        Ok(Response::ok(entries.iter().flat_map(Entry::to_bytes).collect::<Vec<u8>>()))
    }
}
