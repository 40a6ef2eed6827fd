//! Content management (卡内容管理): what comes onto an element, who owns it, and how it leaves.
//!
//! Standard: GlobalPlatform INSTALL, LOAD, STORE DATA, DELETE, PUT KEY, SET STATUS (globalplatform.md sections 1.5 and 1.6).
//! Invariant: a purse is made, personalised and handed over by the domain that owns it; the issuer's domain may
//! also lock and delete it. Called only inside an authenticated channel; a command that is refused changes nothing.
//!
//! Choices where the standard leaves them: a domain that still owns something is not deleted, also not together
//! with what it owns; key sets are replaced, never added; the packages that an element is born with cannot be deleted.

mod delete;
mod load;
mod right;
mod token;

pub(crate) use load::Loading;

use card::Purse;
use smartcard::gp::{
    Aid, Install, InstallApplication, Lengths, LifeCycle, Privilege, PutKey, RegistryUpdate, SetStatus,
    StatusScope, StoreData, Tokened,
};
use smartcard::{Apdu, Command, Response, Status};

use crate::memory::{
    DOMAIN_BYTES, Domain, DomainKeys, Element, Instance, Named, PURSE_BYTES, Personalizing, Selected,
};

/// The answer to a command that changes the content: no receipt follows.
fn no_receipt() -> Response {
    Response::ok([0x00])
}

impl Element {
    pub(crate) fn install(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let (command, token) = match self.birth.lengths() {
            Lengths::Ber => Install::split_token(apdu)?,
            // Who counts so takes no tokens.
            Lengths::OneByte => (Install::from_apdu_with(apdu, Lengths::OneByte)?, Vec::new()),
        };
        self.session.loading = None;
        // A personalization is no change of the content: it needs no consent.
        if !matches!(command, Install::Personalize { .. }) || !token.is_empty() {
            self.check_token(&command, &token)?;
        }
        let names = match &command {
            Install::Load(_) | Install::Personalize { .. } => None,
            Install::Application(made) => Some([made.load_file, made.instance]),
            Install::MakeSelectable { instance, .. } => Some([self.made_from(instance), *instance]),
            Install::Extradite { domain, application } => Some([*application, *domain]),
            Install::RegistryUpdate(update) => {
                Some([update.application, update.domain.unwrap_or(self.spoken_to())])
            }
        };
        match command {
            Install::Load(load) => self.install_for_load(&load)?,
            Install::Application(made) => {
                if (made.load_file, made.module) == (self.birth.ssd_package, self.birth.ssd_module) {
                    self.install_domain(&made)?;
                } else if self.has_module(&made.load_file, &made.module) {
                    self.install_purse(&made)?;
                } else {
                    return Err(Status::NOT_FOUND);
                }
            }
            Install::MakeSelectable { instance, .. } => self.make_selectable(&instance)?,
            Install::Extradite { domain, application } => self.extradite(&domain, &application)?,
            Install::Personalize { target } => self.open_for_personalization(&target)?,
            Install::RegistryUpdate(update) => self.update_registry(&update)?,
        }
        // A load is confirmed with its last block.
        Ok(names.map_or_else(no_receipt, |names| self.confirmed(&names)))
    }

    /// The load file that an application was made from.
    fn made_from(&self, instance: &Aid) -> Aid {
        let made = self.instance(instance).and_then(|instance| instance.load_file);
        match (made, self.domain(instance)) {
            (Some(file), _) => file.0,
            (None, Some(_)) => self.birth.ssd_package,
            (None, None) => self.birth.purse_package,
        }
    }

    /// Is the module there, in the load file of that name?
    fn has_module(&self, load_file: &Aid, module: &Aid) -> bool {
        (*load_file, *module) == (self.birth.purse_package, self.birth.purse_module)
            || (self.files.iter())
                .any(|file| file.name.0 == *load_file && file.modules.iter().any(|named| named.0 == *module))
    }

    /// Under the issuer, or under a domain that manages itself.
    fn install_domain(&mut self, made: &InstallApplication) -> Result<(), Status> {
        let parent = self.manager()?;
        if !made.privileges.has(Privilege::SecurityDomain) {
            return Err(Status::WRONG_DATA);
        }
        self.check_privileges(made.privileges)?;
        self.check_new(&made.instance, DOMAIN_BYTES)?;
        self.domains.push(Domain {
            name: made.instance,
            manages: made.privileges.has(Privilege::AuthorizedManagement),
            own: None,
            selectable: made.selectable,
            locked: false,
            privileges: made.privileges.0,
            parent: (parent != self.birth.isd).then_some(Named(parent)),
            dap_key: None,
        });
        Ok(())
    }

    /// The issuer makes purses, and a domain of its own keys that has the right. The element can run nothing else.
    fn install_purse(&mut self, made: &InstallApplication) -> Result<(), Status> {
        if made.privileges.has(Privilege::SecurityDomain) {
            return Err(Status::WRONG_DATA);
        }
        let domain = self.manager()?;
        self.check_privileges(made.privileges)?;
        if made.module != self.birth.purse_module {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        self.check_new(&made.instance, PURSE_BYTES)?;
        self.purses.push(Instance {
            name: made.instance,
            domain,
            selectable: made.selectable,
            locked: false,
            activated: 0,
            purse: Purse::blank(),
            load_file: Some(Named(made.load_file)),
            privileges: made.privileges.0,
        });
        self.registry_changed();
        Ok(())
    }

    /// The name is free and there is room.
    fn check_new(&self, name: &Aid, bytes: u32) -> Result<(), Status> {
        if self.is_taken(name) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let wanted = self.used_bytes().saturating_add(bytes);
        if wanted > self.birth.free_bytes { Err(Status::NO_ROOM) } else { Ok(()) }
    }

    /// The purse, if it belongs to the selected domain.
    fn own_purse(&mut self, name: &Aid) -> Result<&mut Instance, Status> {
        let owner = self.spoken_to();
        let instance = self.instance_mut(name).ok_or(Status::NOT_FOUND)?;
        if instance.domain == owner { Ok(instance) } else { Err(Status::CONDITIONS_NOT_SATISFIED) }
    }

    /// The purse, if the selected domain owns it or is the issuer's.
    fn governed_purse(&mut self, name: &Aid) -> Result<&mut Instance, Status> {
        match self.session.selected {
            Selected::Domain(_) => self.own_purse(name),
            _ => self.instance_mut(name).ok_or(Status::NOT_FOUND),
        }
    }

    fn make_selectable(&mut self, name: &Aid) -> Result<(), Status> {
        let manager = self.manager()?;
        let made = self.domain(name).map(|domain| self.parent_of(domain));
        let selectable = match (made, self.domain_mut(name)) {
            (Some(parent), Some(domain)) if parent == manager => &mut domain.selectable,
            (Some(_), _) => return Err(Status::CONDITIONS_NOT_SATISFIED),
            (None, _) => &mut self.own_purse(name)?.selectable,
        };
        if *selectable {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        *selectable = true;
        self.registry_changed();
        Ok(())
    }

    fn extradite(&mut self, domain: &Aid, application: &Aid) -> Result<(), Status> {
        self.manager()?;
        if *domain != self.birth.isd && self.domain(domain).is_none() {
            return Err(Status::NOT_FOUND);
        }
        self.own_purse(application)?.domain = *domain;
        self.session.personalizing = None;
        Ok(())
    }

    /// All of it or nothing: everything is looked at before anything is changed.
    fn update_registry(&mut self, update: &RegistryUpdate) -> Result<(), Status> {
        let manager = self.manager()?;
        self.check_privileges(update.privileges.unwrap_or_default())?;
        if update.domain.is_some_and(|to| to != self.birth.isd && self.domain(&to).is_none()) {
            return Err(Status::NOT_FOUND);
        }
        if self.domain(&update.application).is_some() {
            return self.update_domain(update, &manager);
        }
        let next = self.activations.checked_add(1).ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let purse = self.own_purse(&update.application)?;
        let implicit = update.implicit_selection.map(|bits| bits & RegistryUpdate::CONTACTLESS != 0);
        let able = purse.purse.is_personalised() && purse.selectable && !purse.locked;
        let domain = update.privileges.is_some_and(|wanted| wanted.has(Privilege::SecurityDomain));
        if domain || (implicit == Some(true) && !able) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        purse.privileges = update.privileges.map_or(purse.privileges, |wanted| wanted.0);
        purse.domain = update.domain.unwrap_or(purse.domain);
        match implicit {
            Some(true) => purse.activated = next,
            Some(false) => purse.activated = 0,
            None => {}
        }
        if implicit == Some(true) {
            self.activations = next;
        }
        self.session.personalizing = None;
        self.registry_changed();
        Ok(())
    }

    /// A domain stays one, stays where it is, and is changed by the one above it.
    fn update_domain(&mut self, update: &RegistryUpdate, manager: &Aid) -> Result<(), Status> {
        let above = self.domain(&update.application).map(|domain| self.parent_of(domain));
        let wanted = update.privileges.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let moved = update.domain.is_some() || update.implicit_selection.is_some();
        if moved || above != Some(*manager) || !wanted.has(Privilege::SecurityDomain) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let domain = self.domain_mut(&update.application).ok_or(Status::NOT_FOUND)?;
        domain.privileges = wanted.0;
        domain.manages = wanted.has(Privilege::AuthorizedManagement);
        Ok(())
    }

    fn open_for_personalization(&mut self, target: &Aid) -> Result<(), Status> {
        self.session.personalizing = None;
        if self.is_selected_elsewhere(Selected::Purse(*target)) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let instance = self.own_purse(target)?;
        if instance.purse.is_personalised() || !instance.selectable || instance.locked {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        instance.purse.reset(); // blocks of an attempt that broke off are gone
        self.session.personalizing = Some(Personalizing { purse: *target, next: 0 });
        Ok(())
    }

    /// Hands a block to the purse. A block that is refused ends the personalisation, and so does the last one.
    pub(crate) fn store_data(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let Personalizing { purse, next } =
            self.session.personalizing.take().ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let StoreData { number, last, block, .. } = StoreData::from_apdu(apdu)?;
        if number != next {
            return Err(Status::WRONG_P1P2);
        }
        let (_, keys) = self.session.channel.session().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        let instance = self.purses.iter_mut().find(|instance| instance.name == purse);
        instance.ok_or(Status::NOT_FOUND)?.purse.store_data(&block, last, keys)?;
        if !last {
            self.session.personalizing = Some(Personalizing { purse, next: next.wrapping_add(1) });
        }
        Ok(Response::ok([]))
    }

    /// Keys of a domain of ours: all three together, each with its right check value.
    pub(crate) fn put_key(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = PutKey::from_apdu(apdu)?;
        let Selected::Domain(name) = self.session.selected else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        let (_, channel) = self.session.channel.session().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        let sealed = command.keys.as_slice().try_into().map_err(|_| Status::WRONG_DATA)?;
        let keys = channel.unseal(sealed, self.birth.aes_check()).ok_or(Status::WRONG_DATA)?;
        if !self.birth.takes(keys.kind()) {
            return Err(Status::WRONG_DATA);
        }
        let domain = self.domain_mut(&name).ok_or(Status::NOT_FOUND)?;
        let held = domain.own.as_ref().map_or(0, |own| own.version);
        if command.first_key != 1 || (held == 0 && command.replaces != 0) {
            return Err(Status::WRONG_DATA);
        }
        if command.replaces != held {
            return Err(Status::NOT_FOUND);
        }
        domain.own = Some(DomainKeys { keys, version: command.version, sequence: 0, failures: 0 });
        Ok(Response::ok(command.expected_answer().to_bytes()))
    }

    /// Locks and unlocks. What would change nothing is refused.
    pub(crate) fn set_status(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let SetStatus { scope, state, aid } = SetStatus::from_apdu(apdu)?;
        let issuer = self.session.selected == Selected::Issuer;
        match (scope, aid) {
            (StatusScope::Card, _) if issuer => match state {
                LifeCycle::CARD_LOCKED => set(&mut self.locked, true)?,
                LifeCycle::SECURED => set(&mut self.locked, false)?,
                LifeCycle::TERMINATED => set(&mut self.terminated, true)?,
                _ => return Err(Status::CONDITIONS_NOT_SATISFIED),
            },
            (StatusScope::Application, Some(name)) if self.domain(&name).is_none() => {
                set(&mut self.governed_purse(&name)?.locked, state.is_locked())?;
            }
            (StatusScope::Application | StatusScope::DomainAndApplications, Some(name)) if issuer => {
                let domain = self.domain_mut(&name).ok_or(Status::NOT_FOUND)?;
                set(&mut domain.locked, state.is_locked())?;
                if scope == StatusScope::DomainAndApplications {
                    let owned = self.purses.iter_mut().filter(|instance| instance.domain == name);
                    owned.for_each(|instance| instance.locked = state.is_locked());
                }
            }
            _ => return Err(Status::CONDITIONS_NOT_SATISFIED),
        }
        self.registry_changed();
        Ok(Response::ok([]))
    }
}

fn set(flag: &mut bool, target: bool) -> Result<(), Status> {
    if *flag == target {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    *flag = target;
    Ok(())
}
