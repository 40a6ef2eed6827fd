//! The key ceremony (密钥仪式): custodians bring components, and no one of them ever knows a root.
//!
//! Standard: XOR of components, each with its own check value, as key custodians do; no clause read.
//! Invariant: a component is wiped when dropped, and is never shown again; its check value may be.

use std::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::block::Key16;
use crate::roots::Roots;

/// One custodian's share of one root.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Component([u8; 16]);

/// Text that is not a component. Never holds its digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// Not the two words that a custodian writes down.
    #[error("not a component; expected 32 hex digits, a space and the 6 of its check value")]
    Form,
    /// A digit was mistyped.
    #[error("the check value of these digits is {}, not {}", hex::encode_upper(.found), hex::encode_upper(.given))]
    CheckValue {
        /// Of the digits as they stand.
        found: [u8; 3],
        /// As the custodian has it.
        given: [u8; 3],
    },
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
    #[error(
        "root `{0}`: the components give a key whose halves are equal, which is no 3DES key; was one used twice?"
    )]
    Weak(String),
}

impl Component {
    /// A component as its custodian has it, with the check value that stands beside it.
    ///
    /// # Errors
    /// [`ComponentError::CheckValue`]: the two do not belong together.
    pub fn checked(bytes: [u8; 16], kcv: [u8; 3]) -> Result<Self, ComponentError> {
        let component = Component(bytes);
        let found = component.kcv();
        if found.ct_eq(&kcv).into() {
            Ok(component)
        } else {
            Err(ComponentError::CheckValue { found, given: kcv })
        }
    }

    /// What the line holds, where it is a whole key and not a share: a phone maker's hand-over.
    #[must_use]
    pub fn into_key(self) -> Key16 {
        Key16::new(self.0)
    }

    /// Check value, as of a key: the custodian compares it with the one written down.
    #[must_use]
    pub fn kcv(&self) -> [u8; 3] {
        Key16::new(self.0).kcv()
    }
}

/// A component that no person has typed: there is nothing to check it against.
impl From<[u8; 16]> for Component {
    fn from(bytes: [u8; 16]) -> Self {
        Component(bytes)
    }
}

/// `00112233445566778899AABBCCDDEEFF 000000`: the component and its check value.
impl FromStr for Component {
    type Err = ComponentError;
    fn from_str(text: &str) -> Result<Self, ComponentError> {
        let mut words = text.split_ascii_whitespace();
        let (Some(digits), Some(given), None) = (words.next(), words.next(), words.next()) else {
            return Err(ComponentError::Form);
        };
        let (mut bytes, mut kcv) = (Zeroizing::new([0; 16]), [0; 3]);
        hex::decode_to_slice(digits, &mut *bytes).map_err(|_| ComponentError::Form)?;
        hex::decode_to_slice(given, &mut kcv).map_err(|_| ComponentError::Form)?;
        Component::checked(*bytes, kcv)
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Component(secret)")
    }
}

impl Roots {
    /// Roots from custodians' components: each root is the XOR of theirs, in the order of [`Roots::names`].
    ///
    /// # Errors
    /// [`CeremonyError`]: too few custodians, or components that do not fit together.
    pub fn ceremony<C: Clone + Into<Component>>(custodians: &[Vec<C>]) -> Result<Roots, CeremonyError> {
        if custodians.len() < 2 {
            return Err(CeremonyError::TooFew(custodians.len()));
        }
        let mut sums = Zeroizing::new([[0_u8; 16]; Roots::NAMES.len()]);
        for (components, custodian) in custodians.iter().zip(1..) {
            let (found, expected) = (components.len(), sums.len());
            if found != expected {
                return Err(CeremonyError::Count {
                    custodian,
                    found,
                    expected,
                    names: Roots::NAMES.join(", "),
                });
            }
            for (sum, component) in sums.iter_mut().zip(components.iter().cloned()) {
                let component: Component = component.into();
                sum.iter_mut().zip(component.0).for_each(|(to, from)| *to ^= from);
            }
        }
        let keys = sums.map(Key16::new);
        match keys.iter().zip(Roots::NAMES).find(|(key, _)| key.is_single()) {
            Some((_, name)) => Err(CeremonyError::Weak(name.to_owned())),
            None => Ok(Roots::from_ordered(keys)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "404142434445464748494A4B4C4D4E4F 8BAF47";

    fn custodian(first: u8) -> Vec<Component> {
        (0_u8..11).map(|root| std::array::from_fn(|at| first ^ (root << 4) ^ at as u8).into()).collect()
    }

    #[test]
    fn a_component_is_taken_with_its_own_check_value_alone() {
        let component: Component = LINE.parse().unwrap();
        assert_eq!(component.kcv(), [0x8B, 0xAF, 0x47]);
        assert_eq!(format!("{component:?}"), "Component(secret)");
        for (typed, error) in [
            (
                LINE.replace("8BAF47", "8BAF46"),
                ComponentError::CheckValue { found: [0x8B, 0xAF, 0x47], given: [0x8B, 0xAF, 0x46] },
            ),
            (LINE.replace("8BAF47", ""), ComponentError::Form),
            (format!("{LINE} 00"), ComponentError::Form),
            (LINE.replacen('4', "G", 1), ComponentError::Form),
        ] {
            let refused = typed.parse::<Component>().unwrap_err();
            assert_eq!(refused, error, "{typed}");
            assert!(!refused.to_string().contains("4041"), "{refused}");
        }
        let mistyped = LINE.replacen("40", "42", 1).parse::<Component>();
        assert!(matches!(mistyped, Err(ComponentError::CheckValue { given: [0x8B, 0xAF, 0x47], .. })));
    }

    #[test]
    fn roots_are_the_xor_of_all_components_in_any_order() {
        let (a, b, c) = (custodian(0x13), custodian(0x58), custodian(0xA7));
        let roots = Roots::ceremony(&[a.clone(), b.clone(), c.clone()]).unwrap();
        let sum = Key16::new(std::array::from_fn(|at| 0x13 ^ 0x58 ^ 0xA7 ^ at as u8));
        assert_eq!(roots.check_values()[0].kcv, sum.kcv());
        let shuffled = Roots::ceremony(&[c, a.clone(), b.clone()]).unwrap();
        assert_eq!(shuffled.check_values(), roots.check_values());
        // These two differ by one byte throughout: halves that are equal, though not zeros.
        assert_eq!(Roots::ceremony(&[a, b]).unwrap_err(), CeremonyError::Weak("internal-auth".into()));
        assert!(!roots.is_demo());
    }

    #[test]
    fn a_ceremony_that_one_person_could_know_is_refused() {
        assert_eq!(Roots::ceremony(&[custodian(1)]).unwrap_err(), CeremonyError::TooFew(1));
        let twice = Roots::ceremony(&[custodian(1), custodian(1)]).unwrap_err();
        assert_eq!(twice, CeremonyError::Weak("internal-auth".into()));
        // Halves that differ in parity bits alone are one DES key.
        let parity = |at: usize| if at < 8 { 0x11 } else { 0x10 };
        let sum = Component::from(std::array::from_fn(|at| 1 ^ at as u8 ^ parity(at)));
        let almost = [&[sum], &custodian(2)[1..]].concat();
        assert_eq!(Roots::ceremony(&[custodian(1), almost]).unwrap_err(), twice);
        let short = custodian(2)[1..].to_vec();
        let error = Roots::ceremony(&[custodian(1), short]).unwrap_err();
        assert!(
            matches!(error, CeremonyError::Count { custodian: 2, found: 10, expected: 11, .. }),
            "{error}"
        );
    }
}
