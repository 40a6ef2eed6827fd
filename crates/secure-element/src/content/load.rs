//! Load files (可执行装载文件): how a package comes onto the element, and what of it is checked first.
//!
//! Standard: GlobalPlatform INSTALL [for load] and LOAD (globalplatform.md sections 1.5 and 1.6).
//! Invariant: until the last block has come and everything fits (name, hash, signatures), nothing is kept; a block that is
//! refused ends the load. The element has no virtual machine: of a package it keeps the names and the size, and what it
//! can run is the purse.

use ring::digest;
use smartcard::gp::{Aid, InstallLoad, Load, LoadFile, Package, Privilege};
use smartcard::{Apdu, Command, Response, Status};

use super::no_receipt;
use crate::memory::{Domain, Element, LoadedFile, Named};

/// A load file that is on its way, forgotten without power.
#[derive(Clone, Debug)]
pub(crate) struct Loading {
    load_file: Aid,
    domain: Aid,
    hash: Vec<u8>,
    next: u8,
    bytes: Vec<u8>,
}

impl Element {
    pub(super) fn install_for_load(&mut self, load: &InstallLoad) -> Result<(), Status> {
        let manager = self.manager()?;
        let domain = load.domain.unwrap_or(manager);
        if domain != self.birth.isd && self.domain(&domain).is_none() {
            return Err(Status::NOT_FOUND);
        }
        if !self.is_within(&domain, &manager) || self.is_taken(&load.load_file) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        if ![0, 20, 32].contains(&load.hash.len()) {
            return Err(Status::WRONG_DATA);
        }
        let (load_file, hash) = (load.load_file, load.hash.clone());
        self.session.loading = Some(Loading { load_file, domain, hash, next: 0, bytes: Vec::new() });
        Ok(())
    }

    /// Takes a block; with the last one the load file is there.
    pub(crate) fn load(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let mut loading = self.session.loading.take().ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let Load { number, last, block } = Load::from_apdu(apdu)?;
        if number != loading.next {
            return Err(Status::WRONG_P1P2);
        }
        loading.bytes.extend(block);
        let size = u32::try_from(loading.bytes.len()).unwrap_or(u32::MAX);
        if self.used_bytes().saturating_add(size) > self.birth.free_bytes {
            return Err(Status::NO_ROOM);
        }
        if last {
            let file = self.checked(&loading, size)?;
            self.files.push(file);
            return Ok(self.confirmed(&[loading.load_file, loading.domain]));
        }
        loading.next = number.checked_add(1).ok_or(Status::WRONG_P1P2)?;
        self.session.loading = Some(loading);
        Ok(no_receipt())
    }

    /// The file, if it is what was announced and everybody has signed who has to.
    fn checked(&self, loading: &Loading, bytes: u32) -> Result<LoadedFile, Status> {
        let file = LoadFile::parse(&loading.bytes).ok_or(Status::WRONG_DATA)?;
        let hash = |algorithm| digest::digest(algorithm, &file.code);
        let announced = match loading.hash.len() {
            0 => file.signatures.is_empty(),
            20 => hash(&digest::SHA1_FOR_LEGACY_USE_ONLY).as_ref() == loading.hash,
            _ => hash(&digest::SHA256).as_ref() == loading.hash,
        };
        if !announced {
            return Err(Status::WRONG_DATA);
        }
        self.check_signatures(&file, loading)?;
        let package = Package::parse(&file.code).filter(|package| package.aid == loading.load_file);
        let package = package.ok_or(Status::WRONG_DATA)?;
        let modules: Vec<Named> = package.modules.into_iter().map(Named).collect();
        let (name, domain) = (Named(loading.load_file), Named(loading.domain));
        Ok(LoadedFile { name, domain, modules, bytes })
    }

    /// A signature that is there must be right; the file's own domain wants one if it checks them, and so does every
    /// domain that is mandated to.
    fn check_signatures(&self, file: &LoadFile, loading: &Loading) -> Result<(), Status> {
        for dap in &file.signatures {
            let key = self.domain(&dap.domain).and_then(|domain| domain.dap_key.as_ref());
            let key = key.ok_or(Status::NOT_FOUND)?;
            if !key.verifies(&loading.hash, &dap.signature) {
                return Err(Status::SECURITY_NOT_SATISFIED);
            }
        }
        let signed = |domain: &Domain| file.signatures.iter().any(|dap| dap.domain == domain.name);
        let wants = |domain: &&Domain| {
            let privileges = domain.privileges();
            privileges.has(Privilege::MandatedDapVerification)
                || (privileges.has(Privilege::DapVerification) && domain.name == loading.domain)
        };
        if self.domains.iter().filter(wants).all(signed) {
            Ok(())
        } else {
            Err(Status::SECURITY_NOT_SATISFIED)
        }
    }
}
