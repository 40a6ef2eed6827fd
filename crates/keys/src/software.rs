//! The key service in software, over a set of roots.
//!
//! Standard: card.md sections 2 and 3; globalplatform.md sections 1.2 and 1.4.
//! Invariant: derived keys live only inside this value; city keys are kept, card keys are made for each use.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::{CityCode, Tac, TapRecord, TxnType};

use crate::block::Key16;
use crate::card_keys::KeyUsage;
use crate::channel::{ChannelKeys, StaticKeys, WrappedKey};
use crate::line::line_mac;
use crate::psam::PsamKeys;
use crate::purse::{LoadOffer, LoadSession, Purchase, load_tac, purchase_tac};
use crate::roots::{Other, Roots, VERSION, named_set};
use crate::service::{
    CardRef, ChannelFacts, ChannelOwner, CheckValue, KeyError, KeyService, LoadProof, LoadRequest, PsamScope,
    WrappedCardKey,
};

/// The key service over roots in memory.
pub struct SoftwareKeys {
    roots: Roots,
    cities: Mutex<HashMap<(KeyUsage, CityCode), Key16>>,
}

impl SoftwareKeys {
    /// Over these roots.
    #[must_use]
    pub fn new(roots: Roots) -> Self {
        SoftwareKeys { roots, cities: Mutex::new(HashMap::new()) }
    }

    /// Over the published roots of a demo network.
    #[must_use]
    pub fn demo() -> Self {
        SoftwareKeys::new(Roots::demo())
    }

    fn city_key(&self, usage: KeyUsage, city: CityCode) -> Key16 {
        let mut cities = self.cities.lock().unwrap_or_else(PoisonError::into_inner);
        let derive = || self.roots.card_root(usage).diversify(&city.diversifier());
        cities.entry((usage, city)).or_insert_with(derive).clone()
    }

    fn card_key(&self, usage: KeyUsage, card: &CardRef) -> Key16 {
        self.city_key(usage, card.city).diversify(&card.number.bytes())
    }

    fn domain_keys(&self, element: &str) -> StaticKeys {
        named_set(self.roots.other(Other::Domain), element)
    }
}

fn held(version: u8, algorithm: u8) -> Result<(), KeyError> {
    if version != VERSION {
        return Err(KeyError::UnknownVersion { version, held: VERSION });
    }
    if algorithm == 0 { Ok(()) } else { Err(KeyError::UnknownAlgorithm(algorithm)) }
}

impl KeyService for SoftwareKeys {
    fn open_channel(&self, owner: &ChannelOwner, facts: &ChannelFacts) -> Result<ChannelKeys, KeyError> {
        let keys = match owner {
            ChannelOwner::Issuer { maker, scheme, .. } => {
                let keys = self.roots.maker(maker).ok_or_else(|| KeyError::UnknownMaker(maker.clone()))?;
                keys.diversified(*scheme, &facts.diversification)
            }
            ChannelOwner::Domain { element } => self.domain_keys(element),
            ChannelOwner::Transport => named_set(self.roots.other(Other::Transport), "transport"),
        };
        Ok(ChannelKeys::derive(&keys, facts.sequence))
    }

    fn wrap_domain_keys(&self, element: &str, channel: &ChannelKeys) -> Result<[WrappedKey; 3], KeyError> {
        Ok(self.domain_keys(element).each().map(|key| channel.wrap(key)))
    }

    fn wrap_card_keys(&self, card: &CardRef, channel: &ChannelKeys) -> Result<Vec<WrappedCardKey>, KeyError> {
        let wrap = |usage: KeyUsage| {
            let WrappedKey { cipher, kcv } = channel.wrap(&self.card_key(usage, card));
            WrappedCardKey { usage, version: VERSION, algorithm: 0, cipher, kcv }
        };
        Ok(KeyUsage::ALL.into_iter().map(wrap).collect())
    }

    fn authorize_load(
        &self,
        card: &CardRef,
        offer: &LoadOffer,
        load: &LoadRequest,
    ) -> Result<[u8; 4], KeyError> {
        held(offer.key_version, offer.algorithm)?;
        let session = LoadSession::new(&self.card_key(KeyUsage::Load, card), offer.random, offer.counter);
        let kind = TxnType::Load.code();
        if !session.mac1(offer.balance, load.amount, kind, load.terminal).verify(offer.mac1) {
            return Err(KeyError::WrongMac1 { card: card.number, counter: offer.counter });
        }
        Ok(session.mac2(load.amount, kind, load.terminal, load.at).bytes())
    }

    fn verify_load(&self, card: &CardRef, proof: &LoadProof, tac: Tac) -> Result<(), KeyError> {
        let LoadProof { new_balance, counter, amount, terminal, at } = *proof;
        let key = self.card_key(KeyUsage::Tac, card);
        let expected = load_tac(&key, new_balance, counter, amount, TxnType::Load.code(), terminal, at);
        if expected.verify(tac.0) { Ok(()) } else { Err(KeyError::WrongTac { card: card.number }) }
    }

    fn verify_tap(&self, tap: &TapRecord) -> Result<(), KeyError> {
        held(tap.key_version, tap.algorithm)?;
        if tap.kind == TxnType::Load {
            return Err(KeyError::WrongType(tap.kind.code()));
        }
        let key = self.card_key(KeyUsage::Tac, &CardRef { city: tap.issuer, number: tap.card });
        let purchase =
            Purchase { amount: tap.amount, txn_type: tap.kind.code(), terminal: tap.terminal, at: tap.at };
        let expected = purchase_tac(&key, &purchase, tap.terminal_seq);
        if expected.verify(tap.tac.0) { Ok(()) } else { Err(KeyError::WrongTac { card: tap.card }) }
    }

    fn line_mac(
        &self,
        card: &CardRef,
        usage: KeyUsage,
        challenge: &[u8],
        bytes: &[u8],
    ) -> Result<[u8; 4], KeyError> {
        Ok(line_mac(&self.card_key(usage, card), challenge, bytes).bytes())
    }

    fn psam_keys(&self, scope: PsamScope) -> Result<PsamKeys, KeyError> {
        Ok(match scope {
            PsamScope::National => PsamKeys::new(self.roots.card_root(KeyUsage::Purchase), VERSION, 2),
            PsamScope::City(city) => PsamKeys::new(self.city_key(KeyUsage::Purchase, city), VERSION, 1),
        })
    }

    fn check_values(&self) -> Vec<CheckValue> {
        self.roots.check_values()
    }

    fn is_demo(&self) -> bool {
        self.roots.is_demo()
    }
}
