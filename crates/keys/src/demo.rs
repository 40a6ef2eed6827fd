//! The published keys of a demo network (演示密钥), so that anyone can recompute every cryptogram of a demo.
//!
//! Standard: none: the constants are plain ASCII; what follows from them is derived as everywhere else.
//! Invariant: a published root is recognised wherever it stands, whatever its parity bits, and so is a vault with one.

use model::registry::KeyKind;
use subtle::ConstantTimeEq;

use crate::block::Key16;
use crate::card_keys::{CardKey, CardKeys, KeyUsage};
use crate::channel::StaticKeys;
use crate::element_keys::ElementKeys;
use crate::hierarchy::named_keys;
use crate::roots::{Roots, VERSION};
use crate::service::CardRef;

/// The demo network's roots by name: `YKT `, the name in capitals without its hyphens, points up to 16 bytes.
///
/// A card's key is derived from its use's root by its city, then by its number. The three keys of an element's
/// issuer, of our own domain on it, and of a blank plastic card are derived from `element`, `domain` and
/// `transport` by the CBC-MAC of `NAME enc`, `NAME mac` and `NAME dek`; a blank card's name is `transport`. AES keys of an
/// issuer or a domain take `NAME enc aes 1` for their first 16 bytes and `NAME enc aes 2` for the others.
#[must_use]
pub fn demo_constants() -> Vec<(&'static str, [u8; 16])> {
    Roots::NAMES.into_iter().map(|name| (name, constant(name))).collect()
}

/// The keys of a card of the demo network, for those who play its cards: the roots are published anyway.
#[must_use]
pub fn demo_card_keys(card: &CardRef) -> CardKeys {
    let roots = Roots::demo();
    let key =
        |usage: KeyUsage| CardKey { usage, version: VERSION, algorithm: 0, key: roots.card_key(usage, card) };
    CardKeys::new(KeyUsage::ALL.into_iter().map(key).collect())
}

/// The element keys that a phone of the demo network is made with, whatever version its profile gives them; of the kind
/// that the profile's channel takes.
#[must_use]
pub fn demo_element_keys(maker: &str, kind: KeyKind) -> ElementKeys {
    named_keys(Roots::demo().element(), maker, kind)
}

/// The keys of a blank plastic card of the demo network.
#[must_use]
pub fn demo_transport_keys() -> StaticKeys {
    Roots::demo().transport_keys()
}

pub(crate) fn constant(name: &str) -> [u8; 16] {
    let mut bytes = *b"YKT ............";
    let letters = name.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_uppercase());
    bytes.iter_mut().skip(4).zip(letters).for_each(|(to, from)| *to = from);
    bytes
}

/// Whether `key` enciphers as a published root does, whichever.
pub(crate) fn is_published(key: &Key16) -> bool {
    let mark = |key: &Key16| key.encrypt_block([0; 8]);
    let given = mark(key);
    demo_constants().into_iter().any(|(_, bytes)| mark(&Key16::new(bytes)).ct_eq(&given).into())
}
