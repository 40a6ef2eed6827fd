//! Application identifier (AID, 应用标识符): the name of an application, security domain or load file.
//!
//! Standard: ISO 7816-4; well-known values from globalplatform.md sections 1.5, 1.6 and 2.
//! Invariant: 5 to 16 bytes.

use std::cmp::Ordering;
use std::fmt;

/// A name of 5 to 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Aid {
    length: u8,
    bytes: [u8; 16], // zero behind the length
}

impl Aid {
    /// The issuer security domain's default name.
    pub const ISSUER_DOMAIN: Aid = Aid::of([0xA0, 0, 0, 1, 0x51, 0, 0]);
    /// The package from which most cards make supplementary security domains.
    pub const DOMAIN_PACKAGE: Aid = Aid::of([0xA0, 0, 0, 1, 0x51, 0x53, 0x50]);
    /// The module in [`Aid::DOMAIN_PACKAGE`].
    pub const DOMAIN_MODULE: Aid = Aid::of([0xA0, 0, 0, 1, 0x51, 0x53, 0x50, 0x41]);
    /// The contactless registry service (CRS).
    pub const CONTACTLESS_REGISTRY: Aid = Aid::of([0xA0, 0, 0, 1, 0x51, 0x43, 0x52, 0x53, 0]);

    /// A name known when the program is compiled; another length does not compile.
    #[must_use]
    pub const fn of<const N: usize>(name: [u8; N]) -> Self {
        const { assert!(N >= 5 && N <= 16, "an AID has 5 to 16 bytes") };
        let mut bytes = [0; 16];
        bytes.split_at_mut(N).0.copy_from_slice(&name);
        Aid { length: N as u8, bytes }
    }

    /// From bytes that came from outside; `None` unless there are 5 to 16.
    #[must_use]
    pub fn new(name: &[u8]) -> Option<Self> {
        let length = u8::try_from(name.len()).ok().filter(|length| (5..=16).contains(length))?;
        let mut bytes = [0; 16];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Aid { length, bytes })
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }

    /// Is this application meant by a SELECT of `name`? A name may be cut short at its right.
    #[must_use]
    pub fn answers_to(&self, name: &[u8]) -> bool {
        self.as_bytes().starts_with(name)
    }
}

impl Ord for Aid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Aid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.as_bytes()))
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_five_to_sixteen_bytes() {
        assert_eq!(Aid::new(&[0; 4]), None);
        assert_eq!(Aid::new(&[0; 17]), None);
        assert_eq!(Aid::new(&[7; 16]).map(|aid| aid.as_bytes().len()), Some(16));
        assert_eq!(Aid::new(Aid::CONTACTLESS_REGISTRY.as_bytes()), Some(Aid::CONTACTLESS_REGISTRY));
        assert_eq!(Aid::CONTACTLESS_REGISTRY.to_string(), "A00000015143525300");
    }

    #[test]
    fn a_shortened_name_selects_and_names_sort_by_their_bytes() {
        assert!(Aid::DOMAIN_MODULE.answers_to(Aid::DOMAIN_PACKAGE.as_bytes()));
        assert!(!Aid::DOMAIN_PACKAGE.answers_to(Aid::DOMAIN_MODULE.as_bytes()));
        assert!(Aid::DOMAIN_PACKAGE < Aid::DOMAIN_MODULE && Aid::ISSUER_DOMAIN < Aid::CONTACTLESS_REGISTRY);
    }
}
