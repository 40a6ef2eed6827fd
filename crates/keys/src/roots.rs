//! The roots of the hierarchy, how they are made, and the published ones of a demo network.
//!
//! Standard: three levels, national, city, card, as the titles of CJ/T 304 and 333 name them; that the city level
//! uses the same derivation for load and TAC keys as public sources show for purchase keys is this project's choice
//! (card.md sections 3 and 8, point 5).
//! Invariant: roots leave a ceremony only into a vault.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::block::Key16;
use crate::card_keys::{CardKey, CardKeys, KeyUsage};
use crate::channel::StaticKeys;
use crate::service::{CardRef, CheckValue};

/// The one version of every root so far.
pub(crate) const VERSION: u8 = 1;

/// A root that is not a card key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Other {
    Domain,
    Transport,
    Element,
}

/// The national roots.
#[derive(Clone, Encode, Decode)]
pub struct Roots {
    /// In the order of [`KeyUsage::ALL`].
    #[n(0)]
    card: Vec<Key16>,
    #[n(1)]
    domain: Key16,
    #[n(2)]
    transport: Key16,
    #[n(3)]
    element: Key16,
    /// Element keys that makers have handed over, by the name of their set.
    #[n(4)]
    makers: BTreeMap<String, StaticKeys>,
}

/// What the custodians brought does not make a set of roots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// One person alone must never know a root.
    #[error("{0} custodian; a ceremony needs at least 2")]
    TooFew(usize),
    /// A custodian's component has the wrong number of keys.
    #[error(
        "custodian {custodian} brought {found} components; expected {expected}, one for each of: {names}"
    )]
    Count {
        /// Which, from 1.
        custodian: usize,
        /// How many there were.
        found: usize,
        /// How many there must be.
        expected: usize,
        /// The roots in order.
        names: String,
    },
    /// The components cancel each other out.
    #[error("root `{0}`: the components give a key of zeros; one of them was used twice")]
    Zero(String),
}

impl Roots {
    /// The roots' names, in the order of a ceremony's components.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        KeyUsage::ALL.iter().map(|usage| usage.name()).chain(["domain", "transport", "element"]).collect()
    }

    /// Roots from custodians' components: each root is the XOR of theirs.
    ///
    /// # Errors
    /// [`CeremonyError`]: too few custodians, or components that do not fit together.
    pub fn ceremony(custodians: &[Vec<[u8; 16]>]) -> Result<Roots, CeremonyError> {
        let names = Roots::names();
        if custodians.len() < 2 {
            return Err(CeremonyError::TooFew(custodians.len()));
        }
        for (components, custodian) in custodians.iter().zip(1..) {
            if components.len() != names.len() {
                let (found, expected) = (components.len(), names.len());
                return Err(CeremonyError::Count { custodian, found, expected, names: names.join(", ") });
            }
        }
        let mut roots = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let mut root = [0_u8; 16];
            for component in custodians.iter().filter_map(|components| components.get(index)) {
                root.iter_mut().zip(component).for_each(|(to, from)| *to ^= from);
            }
            if bool::from(root.ct_eq(&[0; 16])) {
                return Err(CeremonyError::Zero((*name).to_owned()));
            }
            roots.push(Key16::new(root));
            root.zeroize();
        }
        Ok(Roots::from_ordered(roots))
    }

    /// A demo network's roots: published constants, 16 ASCII bytes each, see [`demo_constants`].
    #[must_use]
    pub fn demo() -> Roots {
        Roots::from_ordered(demo_constants().into_iter().map(|(_, bytes)| Key16::new(bytes)).collect())
    }

    fn from_ordered(mut keys: Vec<Key16>) -> Roots {
        let zero = || Key16::new([0; 16]);
        let (element, transport, domain) = (keys.pop(), keys.pop(), keys.pop());
        Roots {
            card: keys,
            domain: domain.unwrap_or_else(zero),
            transport: transport.unwrap_or_else(zero),
            element: element.unwrap_or_else(zero),
            makers: BTreeMap::new(),
        }
    }

    /// Element keys that a maker has handed over.
    pub fn add_maker(&mut self, name: &str, keys: StaticKeys) {
        self.makers.insert(name.to_owned(), keys);
    }

    pub(crate) fn card_root(&self, usage: KeyUsage) -> Key16 {
        let index = KeyUsage::ALL.iter().position(|known| *known == usage);
        index.and_then(|index| self.card.get(index)).cloned().unwrap_or_else(|| Key16::new([0; 16]))
    }

    pub(crate) fn other(&self, which: Other) -> &Key16 {
        match which {
            Other::Domain => &self.domain,
            Other::Transport => &self.transport,
            Other::Element => &self.element,
        }
    }

    /// A maker's element keys: handed over, or, of a demo network alone, derived from the published root.
    pub(crate) fn maker(&self, name: &str) -> Option<StaticKeys> {
        if let Some(keys) = self.makers.get(name) {
            return Some(keys.clone());
        }
        self.is_demo().then(|| named_set(&self.element, name))
    }

    /// Whether these are the published demo constants, by their check values.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.check_values() == Roots::demo().check_values()
    }

    /// Names and check values.
    #[must_use]
    pub fn check_values(&self) -> Vec<CheckValue> {
        let keys = self.card.iter().chain([&self.domain, &self.transport, &self.element]);
        let named = Roots::names().into_iter().zip(keys);
        named
            .map(|(name, key)| CheckValue { name: name.to_owned(), version: VERSION, kcv: key.kcv() })
            .collect()
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Roots(secret)")
    }
}

/// Three keys that belong to a name: ENC, MAC, DEK.
pub(crate) fn named_set(root: &Key16, name: &str) -> StaticKeys {
    let key = |purpose: &str| root.diversify_by_name(&format!("{name} {purpose}"));
    StaticKeys::new(key("enc"), key("mac"), key("dek"))
}

/// The demo network's roots by name: `YKT `, the name in capitals without its hyphens, points up to 16 bytes.
/// Published, so that anyone can recompute every cryptogram of a demo.
#[must_use]
pub fn demo_constants() -> Vec<(&'static str, [u8; 16])> {
    let constant = |name: &str| {
        let mut bytes = *b"YKT ............";
        let letters = name.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_uppercase());
        bytes.iter_mut().skip(4).zip(letters).for_each(|(to, from)| *to = from);
        bytes
    };
    Roots::names().into_iter().map(|name| (name, constant(name))).collect()
}

/// The keys of a card of the demo network, for those who play its cards: the roots are published anyway.
#[must_use]
pub fn demo_card_keys(card: &CardRef) -> CardKeys {
    let roots = Roots::demo();
    let key = |usage: KeyUsage| {
        let city = roots.card_root(usage).diversify(&card.city.diversifier());
        CardKey { usage, version: VERSION, algorithm: 0, key: city.diversify(&card.number.bytes()) }
    };
    CardKeys::new(KeyUsage::ALL.into_iter().map(key).collect())
}

/// The element keys that a phone of the demo network is made with.
#[must_use]
pub fn demo_element_keys(maker: &str) -> StaticKeys {
    named_set(Roots::demo().other(Other::Element), maker)
}

/// The keys of a blank plastic card of the demo network.
#[must_use]
pub fn demo_transport_keys() -> StaticKeys {
    named_set(Roots::demo().other(Other::Transport), "transport")
}
