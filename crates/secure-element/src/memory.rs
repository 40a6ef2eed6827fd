//! What a secure element keeps without power.
//!
//! Invariant: fields are numbered for ever; a later release reads what an earlier one has kept.

use card::PurseMemory;
use keys::StaticKeys;
use minicbor::{Decode, Encode};
use model::registry::ElementFacts;
use smartcard::gp::Aid;

/// The element's whole non-volatile memory.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ElementMemory {
    #[n(0)]
    pub(crate) birth: Birth,
    #[n(1)]
    pub(crate) issuer: DomainKeys,
    #[n(2)]
    pub(crate) domains: Vec<DomainMemory>,
    #[n(3)]
    pub(crate) purses: Vec<PurseSlot>,
    /// Counts activations, so that the last one is the one that readers see.
    #[n(4)]
    pub(crate) activations: u16,
}

/// What does not change after manufacture.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Birth {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) serial: [u8; 8],
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) isd: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) ssd_package: Vec<u8>,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) ssd_module: Vec<u8>,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) purse_package: Vec<u8>,
    #[cbor(n(5), with = "minicbor::bytes")]
    pub(crate) purse_module: Vec<u8>,
    #[n(6)]
    pub(crate) has_crs: bool,
    #[n(7)]
    pub(crate) free_bytes: u32,
}

/// A security domain's key set.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DomainKeys {
    #[n(0)]
    pub(crate) keys: StaticKeys,
    #[n(1)]
    pub(crate) version: u8,
    #[n(2)]
    pub(crate) sequence: u16,
}

/// A supplementary security domain.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DomainMemory {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) name: Vec<u8>,
    /// May manage what is inside it without the issuer.
    #[n(1)]
    pub(crate) manages: bool,
    /// Its own keys; until it has them it opens with the issuer's.
    #[n(2)]
    pub(crate) own: Option<DomainKeys>,
}

/// A purse instance.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PurseSlot {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) name: Vec<u8>,
    /// Name of the domain that it belongs to.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) domain: Vec<u8>,
    /// When it was activated, as a count; 0: it is not.
    #[n(2)]
    pub(crate) activated: u16,
    #[n(3)]
    pub(crate) memory: PurseMemory,
}

impl Birth {
    pub(crate) fn new(serial: [u8; 8], facts: &ElementFacts) -> Self {
        let name = |aid: &model::registry::Aid| aid.as_bytes().to_vec();
        Birth {
            serial,
            isd: name(&facts.isd_aid),
            ssd_package: name(&facts.ssd_package),
            ssd_module: name(&facts.ssd_module),
            purse_package: name(&facts.purse_package),
            purse_module: name(&facts.purse_module),
            has_crs: facts.crs,
            free_bytes: facts.free_bytes,
        }
    }

    /// The ten bytes from which the maker derives this element's keys.
    pub(crate) fn diversification(&self) -> [u8; 10] {
        let [a, b, c, d, e, f, g, h] = self.serial;
        [0, 0, a, b, c, d, e, f, g, h]
    }
}

impl ElementMemory {
    /// Bytes taken by domains and purses: figures of the size of real applets' data.
    pub(crate) fn used_bytes(&self) -> u32 {
        let (domains, purses) = (self.domains.len(), self.purses.len());
        let bytes = domains.saturating_mul(2048).saturating_add(purses.saturating_mul(6144));
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    pub(crate) fn domain(&self, name: &[u8]) -> Option<usize> {
        self.domains.iter().position(|domain| domain.name == name)
    }

    pub(crate) fn purse(&self, name: &[u8]) -> Option<usize> {
        self.purses.iter().position(|purse| purse.name == name)
    }

    /// The purse that a SELECT by `name` reaches: of that very name, or the last activated one whose name begins so.
    pub(crate) fn purse_for(&self, name: &[u8]) -> Option<usize> {
        let named = self.purse(name);
        let seen =
            |slot: &PurseSlot| (slot.activated > 0 || !self.birth.has_crs) && slot.name.starts_with(name);
        let shown = self.purses.iter().enumerate().filter(|(_, slot)| seen(slot));
        named.or_else(|| shown.max_by_key(|(_, slot)| slot.activated).map(|(index, _)| index))
    }
}

/// An AID out of memory; nothing else is ever put there.
pub(crate) fn aid(name: &[u8]) -> Aid {
    Aid::new(name).unwrap_or(Aid::ISSUER_DOMAIN)
}
