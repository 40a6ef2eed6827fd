//! By what right a domain changes the content, and what it may give away.
//!
//! Standard: GlobalPlatform privileges, authorized and delegated management (globalplatform.md sections 1.5 and 1.6).
//! Invariant: a domain without keys of its own changes nothing; nobody but the issuer gives away what it does not have itself.

use smartcard::Status;
use smartcard::gp::{Aid, Privilege, Privileges};

use crate::memory::{Domain, Element, Selected};

/// What belongs to security domains alone.
const OF_DOMAINS: [Privilege; 11] = [
    Privilege::DapVerification,
    Privilege::DelegatedManagement,
    Privilege::MandatedDapVerification,
    Privilege::TrustedPath,
    Privilege::AuthorizedManagement,
    Privilege::TokenVerification,
    Privilege::GlobalDelete,
    Privilege::GlobalLock,
    Privilege::GlobalRegistry,
    Privilege::ReceiptGeneration,
    Privilege::CipheredLoadFile,
];

/// What this element does not do, and so gives to nobody.
const NOT_HERE: [Privilege; 3] =
    [Privilege::CardReset, Privilege::CipheredLoadFile, Privilege::FinalApplication];

impl Element {
    /// The domain that changes the content: the issuer's, or one with its own keys and the right to manage.
    pub(super) fn manager(&self) -> Result<Aid, Status> {
        match self.session.selected {
            Selected::Domain(name) => {
                let domain = self.domain(&name).filter(|domain| domain.own.is_some() && manages(domain));
                domain.map(|domain| domain.name).ok_or(Status::CONDITIONS_NOT_SATISFIED)
            }
            _ => Ok(self.birth.isd),
        }
    }

    /// The domain that is spoken to.
    pub(super) fn spoken_to(&self) -> Aid {
        match self.session.selected {
            Selected::Domain(name) => name,
            _ => self.birth.isd,
        }
    }

    /// Is `domain` this one, or anywhere below it?
    pub(crate) fn is_within(&self, domain: &Aid, above: &Aid) -> bool {
        let mut at = *domain;
        // A chain of parents is never longer than there are domains.
        for _ in 0..=self.domains.len() {
            if at == *above {
                return true;
            }
            match self.domain(&at) {
                Some(below) => at = self.parent_of(below),
                None => return false,
            }
        }
        false
    }

    /// The domain that a domain belongs to.
    pub(crate) fn parent_of(&self, domain: &Domain) -> Aid {
        domain.parent.map_or(self.birth.isd, |parent| parent.0)
    }

    /// May what is made get these privileges, from the domain that is spoken to?
    pub(super) fn check_privileges(&self, wanted: Privileges) -> Result<(), Status> {
        let has = |privilege: &Privilege| wanted.has(*privilege);
        let manages_itself = [Privilege::AuthorizedManagement, Privilege::TokenVerification];
        let excluded = has(&Privilege::DelegatedManagement)
            && (manages_itself.iter().any(has) || has(&Privilege::ReceiptGeneration));
        let domain = has(&Privilege::SecurityDomain);
        if excluded || (!domain && OF_DOMAINS.iter().any(has)) || NOT_HERE.iter().any(has) {
            return Err(Status::WRONG_DATA);
        }
        let Selected::Domain(name) = self.session.selected else { return Ok(()) };
        let own = self.domain(&name).map(Domain::privileges).unwrap_or_default();
        let may = own.and(Privileges::of(&[Privilege::SecurityDomain, Privilege::ContactlessSelfActivation]));
        if wanted.are_within(may) { Ok(()) } else { Err(Status::CONDITIONS_NOT_SATISFIED) }
    }
}

fn manages(domain: &Domain) -> bool {
    let privileges = domain.privileges();
    privileges.has(Privilege::AuthorizedManagement) || privileges.has(Privilege::DelegatedManagement)
}
