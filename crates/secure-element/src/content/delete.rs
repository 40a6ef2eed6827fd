//! DELETE: applications, domains, load files and keys leave the element.
//!
//! Standard: GlobalPlatform DELETE (globalplatform.md section 1.5).
//! Invariant: what is selected on another channel, what others were made from, and what owns something does not go.

use smartcard::gp::{Aid, Delete, DeleteKey, Tokened};
use smartcard::{Apdu, Command, Response, Status};

use crate::memory::{Element, Selected};

impl Element {
    pub(crate) fn delete(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        if DeleteKey::is_meant(apdu) {
            return self.delete_key(DeleteKey::from_apdu(apdu)?);
        }
        let (command, token) = Delete::split_token(apdu)?;
        self.manager()?;
        self.check_token(&command, &token)?;
        let Delete { aid: name, related } = command;
        if self.domain(&name).is_some() {
            self.delete_domain(&name)?;
        } else if self.files.iter().any(|file| file.name.0 == name) {
            self.delete_file(&name, related)?;
        } else if self.instance(&name).is_none() && self.is_taken(&name) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        } else {
            self.governed_purse(&name)?;
            self.check_elsewhere(&name)?;
            self.forget_purses(|purse| *purse == name);
        }
        Ok(self.confirmed(&[name]))
    }

    /// By the issuer, or by a domain above that made it.
    fn delete_domain(&mut self, name: &Aid) -> Result<(), Status> {
        let owns = self.purses.iter().any(|instance| instance.domain == *name)
            || self.files.iter().any(|file| file.domain.0 == *name)
            || self.domains.iter().any(|domain| self.parent_of(domain) == *name);
        let manager = self.manager()?;
        if owns || *name == manager || !self.is_within(name, &manager) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        self.check_elsewhere(name)?;
        self.domains.retain(|domain| domain.name != *name);
        Ok(())
    }

    fn delete_file(&mut self, name: &Aid, related: bool) -> Result<(), Status> {
        let manager = self.manager()?;
        let owned =
            self.files.iter().any(|file| file.name.0 == *name && self.is_within(&file.domain.0, &manager));
        let made: Vec<Aid> = (self.purses.iter())
            .filter(|instance| instance.load_file.is_some_and(|file| file.0 == *name))
            .map(|instance| instance.name)
            .collect();
        if !owned || (!related && !made.is_empty()) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        for purse in &made {
            self.governed_purse(purse)?;
            self.check_elsewhere(purse)?;
        }
        self.forget_purses(|purse| made.contains(purse));
        self.files.retain(|file| file.name.0 != *name);
        Ok(())
    }

    fn forget_purses(&mut self, gone: impl Fn(&Aid) -> bool) {
        self.purses.retain(|instance| !gone(&instance.name));
        self.session.personalizing = None;
        self.volatile.next_tap = self.volatile.next_tap.filter(|name| !gone(name));
        self.registry_changed();
    }

    /// What is selected on another logical channel stays.
    fn check_elsewhere(&self, name: &Aid) -> Result<(), Status> {
        let selected = [Selected::Purse(*name), Selected::Domain(*name)];
        let elsewhere = selected.iter().any(|selected| self.is_selected_elsewhere(*selected));
        if elsewhere { Err(Status::CONDITIONS_NOT_SATISFIED) } else { Ok(()) }
    }

    /// A domain has one key set, and is never without the one that it has been given.
    fn delete_key(&mut self, keys: DeleteKey) -> Result<Response, Status> {
        let held = match self.session.selected {
            Selected::Domain(name) => self.domain(&name).and_then(|domain| domain.own.as_ref()),
            _ => Some(&self.issuer),
        };
        let version = held.map(|held| held.version);
        let named = keys.version.is_none_or(|wanted| Some(wanted) == version);
        if !named || version.is_none() || keys.number.is_some_and(|number| !(1..=3).contains(&number)) {
            return Err(Status::NOT_FOUND);
        }
        Err(Status::CONDITIONS_NOT_SATISFIED)
    }
}
