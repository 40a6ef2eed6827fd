//! The national roots (全国根密钥): what a vault holds and every other key follows from.
//!
//! Standard: three levels, national, city, card, as the titles of CJ/T 304 and 333 name them (card.md section 3).
//! Invariant: a set of roots is whole, leaves this crate only into a vault, and is not encodable from outside.

use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Encode};
use model::CityCode;
use model::registry::{AesCheck, KeyKind};
use zeroize::Zeroizing;

use crate::block::Key16;
use crate::card_keys::KeyUsage;
use crate::channel::StaticKeys;
use crate::demo;
use crate::element_keys::ElementKeys;
use crate::hierarchy::{card_key, city_key, named_keys, named_set};
use crate::service::{CardRef, CheckValue};

/// The one version of every root so far.
pub(crate) const VERSION: u8 = 1;

/// The national roots.
#[derive(Clone)]
pub struct Roots(Held);

/// Private, so that nobody else can write it out.
#[derive(Clone, Encode, Decode, CborLen)]
struct Held {
    /// In the order of [`KeyUsage::ALL`].
    #[n(0)]
    card: [Key16; 8],
    #[n(1)]
    domain: Key16,
    #[n(2)]
    transport: Key16,
    #[n(3)]
    element: Key16,
    /// Element keys that makers have handed over, by the name of their set and its version.
    #[n(4)]
    makers: BTreeMap<(String, u8), ElementKeys>,
}

impl Roots {
    /// The card roots' uses in the order of [`KeyUsage::ALL`], then the three others.
    pub(crate) const NAMES: [&str; 11] = {
        let [a, b, c, d, e, f, g, h] = KeyUsage::ALL;
        [
            a.name(),
            b.name(),
            c.name(),
            d.name(),
            e.name(),
            f.name(),
            g.name(),
            h.name(),
            "domain",
            "transport",
            "element",
        ]
    };

    /// The roots' names, in the order of a ceremony's components.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Roots::NAMES.to_vec()
    }

    /// A demo network's roots: published constants, 16 ASCII bytes each, see [`crate::demo_constants`].
    #[must_use]
    pub fn demo() -> Roots {
        Roots::from_ordered(Roots::NAMES.map(|name| Key16::new(demo::constant(name))))
    }

    pub(crate) fn from_ordered(keys: [Key16; 11]) -> Roots {
        let [a, b, c, d, e, f, g, h, domain, transport, element] = keys;
        Roots(Held { card: [a, b, c, d, e, f, g, h], domain, transport, element, makers: BTreeMap::new() })
    }

    /// Element keys that a maker has handed over, under the version that its elements know them by.
    pub fn add_maker(&mut self, name: &str, version: u8, keys: impl Into<ElementKeys>) {
        self.0.makers.insert((name.to_owned(), version), keys.into());
    }

    pub(crate) fn card_root(&self, usage: KeyUsage) -> &Key16 {
        let [internal_auth, tac, maintenance, pin_unblock, pin_reload, control, purchase, load] =
            &self.0.card;
        match usage {
            KeyUsage::InternalAuth => internal_auth,
            KeyUsage::Tac => tac,
            KeyUsage::Maintenance => maintenance,
            KeyUsage::PinUnblock => pin_unblock,
            KeyUsage::PinReload => pin_reload,
            KeyUsage::Control => control,
            KeyUsage::Purchase => purchase,
            KeyUsage::Load => load,
        }
    }

    pub(crate) fn city_key(&self, usage: KeyUsage, city: CityCode) -> Key16 {
        city_key(self.card_root(usage), city)
    }

    pub(crate) fn card_key(&self, usage: KeyUsage, card: &CardRef) -> Key16 {
        card_key(&self.city_key(usage, card.city), card.number)
    }

    /// Our own keys in our domain on an element.
    pub(crate) fn domain_keys(&self, element: &str, kind: KeyKind) -> ElementKeys {
        named_keys(&self.0.domain, element, kind)
    }

    /// The keys that blank plastic cards leave the factory with.
    pub(crate) fn transport_keys(&self) -> StaticKeys {
        named_set(&self.0.transport, "transport")
    }

    pub(crate) fn element(&self) -> &Key16 {
        &self.0.element
    }

    /// A maker's element keys: handed over, of whatever kind they are, or, of a demo network alone, derived from the
    /// published root.
    pub(crate) fn maker(&self, name: &str, version: u8, kind: KeyKind) -> Option<ElementKeys> {
        let handed_over = self.0.makers.get(&(name.to_owned(), version)).cloned();
        let published = || demo::is_published(self.element()).then(|| named_keys(self.element(), name, kind));
        handed_over.or_else(published)
    }

    /// Whether any root is a published demo constant: then nothing under this set is secret.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.each().any(|(_, key)| demo::is_published(key))
    }

    /// Names and check values: of the roots, then of the makers' element keys.
    #[must_use]
    pub fn check_values(&self) -> Vec<CheckValue> {
        let value = |name: String, version: u8, kcv: [u8; 3]| CheckValue { name, version, kcv };
        let roots = self.each().map(|(name, key)| value(name.to_owned(), VERSION, key.kcv()));
        let makers = self.0.makers.iter().flat_map(|((maker, version), keys)| {
            let named = ["enc", "mac", "dek"].into_iter().zip(keys.kcvs(AesCheck::Ones));
            named.map(move |(purpose, kcv)| value(format!("{maker} {purpose}"), *version, kcv))
        });
        roots.chain(makers).collect()
    }

    fn each(&self) -> impl Iterator<Item = (&'static str, &Key16)> {
        let Held { card, domain, transport, element, .. } = &self.0;
        Roots::NAMES.into_iter().zip(card.iter().chain([domain, transport, element]))
    }

    /// For the vault, which enciphers them.
    pub(crate) fn to_cbor(&self) -> Option<Zeroizing<Vec<u8>>> {
        // Room for all at once: a vector that grows leaves copies behind that nobody wipes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(minicbor::len(&self.0)));
        minicbor::encode(&self.0, &mut *bytes).ok().map(|()| bytes)
    }

    /// From the vault. `None` if it is not a whole set of roots.
    pub(crate) fn from_cbor(bytes: &[u8]) -> Option<Roots> {
        minicbor::decode(bytes).ok().map(Roots)
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Roots(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roots of nobody's network, with `planted` as the last of them.
    fn with_element_root(planted: [u8; 16]) -> Roots {
        let mut keys: [Key16; 11] =
            std::array::from_fn(|root| Key16::new(std::array::from_fn(|at| (root << 4 | at) as u8)));
        keys[10] = Key16::new(planted);
        Roots::from_ordered(keys)
    }

    #[test]
    fn every_use_has_its_own_root_in_the_order_of_its_name() {
        let roots = Roots::demo();
        for usage in KeyUsage::ALL {
            assert_eq!(roots.card_root(usage).bytes(), &demo::constant(usage.name()), "{}", usage.name());
        }
        assert_eq!(roots.check_values().len(), 11);
    }

    #[test]
    fn one_published_root_anywhere_gives_a_set_away() {
        assert!(Roots::demo().is_demo());
        assert!(!with_element_root([0x5A; 16]).is_demo());
        let purchase = demo::constant("purchase");
        assert!(with_element_root(purchase).is_demo(), "in another root's place");
        assert!(with_element_root(purchase.map(|byte| byte ^ 1)).is_demo(), "with other parity bits");
        assert!(!with_element_root(purchase.map(|byte| byte ^ 2)).is_demo());
    }

    #[test]
    fn a_maker_s_keys_are_told_apart_by_version() {
        let keys = |byte| StaticKeys::same(Key16::new([byte; 16]));
        let mut roots = with_element_root([0x5A; 16]);
        roots.add_maker("oppo", 0x20, keys(1));
        roots.add_maker("oppo", 0x21, keys(3));
        let maker = |version| roots.maker("oppo", version, KeyKind::TripleDes);
        let kcvs = |version| maker(version).map(|keys| keys.kcvs(AesCheck::Ones));
        assert_eq!(kcvs(0x20), Some(keys(1).kcvs()));
        assert_eq!(kcvs(0x21), Some(keys(3).kcvs()));
        assert_eq!(kcvs(0x22), None);
        let named: Vec<_> =
            roots.check_values().into_iter().skip(11).map(|value| (value.name, value.version)).collect();
        assert_eq!(named.first(), Some(&("oppo enc".to_owned(), 0x20)));
        assert_eq!(named.len(), 6);
        let reread = Roots::from_cbor(&roots.to_cbor().unwrap()).unwrap();
        assert_eq!(reread.check_values(), roots.check_values());
    }

    #[test]
    fn a_set_that_lacks_a_root_is_no_set() {
        let whole = Roots::demo().to_cbor().unwrap();
        // Map of five, key 0, array of eight card roots: one fewer.
        let at = whole.iter().position(|byte| *byte == 0x88).unwrap();
        let mut lacking = whole.to_vec();
        lacking[at] = 0x87;
        lacking.drain(at + 1..at + 1 + 17);
        assert!(Roots::from_cbor(&whole).is_some());
        assert!(Roots::from_cbor(&lacking).is_none());
    }
}
