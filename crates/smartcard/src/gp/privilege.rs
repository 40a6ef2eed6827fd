//! Privileges: what an application may do beyond its own data.
//!
//! Standard: GlobalPlatform privileges, three bytes, numbered from the left; globalplatform.md section 1.5.

/// One privilege, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Privilege {
    /// Is a security domain.
    SecurityDomain = 0,
    /// Checks its signature on load files that carry one for it.
    DapVerification = 1,
    /// Manages its sub-tree with a token for each step.
    DelegatedManagement = 2,
    /// May lock the card.
    CardLock = 3,
    /// May end the card's life.
    CardTerminate = 4,
    /// Is selected after a reset.
    CardReset = 5,
    /// Manages the cardholder's PIN.
    CvmManagement = 6,
    /// No load file comes onto the card without its signature.
    MandatedDapVerification = 7,
    /// May sit between the card and a terminal.
    TrustedPath = 8,
    /// Manages its sub-tree without tokens.
    AuthorizedManagement = 9,
    /// Checks tokens.
    TokenVerification = 10,
    /// May delete anything.
    GlobalDelete = 11,
    /// May lock anything.
    GlobalLock = 12,
    /// Sees the whole registry.
    GlobalRegistry = 13,
    /// Can never be deselected by default.
    FinalApplication = 14,
    /// Serves other applications.
    GlobalService = 15,
    /// Signs receipts.
    ReceiptGeneration = 16,
    /// Deciphers load files.
    CipheredLoadFile = 17,
    /// Is the one who activates contactless applications.
    ContactlessActivation = 18,
    /// May activate itself.
    ContactlessSelfActivation = 19,
}

/// A set of privileges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges(pub [u8; 3]);

impl Privileges {
    /// The set of these.
    #[must_use]
    pub fn of(privileges: &[Privilege]) -> Self {
        let [_, bytes @ ..] = privileges.iter().fold(0, |set, one| set | mask(*one)).to_be_bytes();
        Privileges(bytes)
    }

    /// Is this one in the set?
    #[must_use]
    pub fn has(self, privilege: Privilege) -> bool {
        let [first, second, third] = self.0;
        u32::from_be_bytes([0, first, second, third]) & mask(privilege) != 0
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Privileges) -> Self {
        let (Privileges([a, b, c]), Privileges([x, y, z])) = (self, others);
        Privileges([a | x, b | y, c | z])
    }

    /// Are all of these among those?
    #[must_use]
    pub fn are_within(self, others: Privileges) -> bool {
        self.and(others) == others
    }

    /// One byte if that says it all, else three.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        match self.0 {
            [first, 0, 0] => vec![first],
            all => all.to_vec(),
        }
    }

    /// From one or three bytes.
    #[must_use]
    pub const fn parse(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [first] => Some(Privileges([first, 0, 0])),
            [first, second, third] => Some(Privileges([first, second, third])),
            _ => None,
        }
    }
}

const fn mask(privilege: Privilege) -> u32 {
    (1 << 23) >> privilege as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_numbered_from_the_left() {
        assert_eq!(Privileges::of(&[Privilege::SecurityDomain]).to_bytes(), [0x80]);
        let set = Privileges::of(&[
            Privilege::SecurityDomain,
            Privilege::AuthorizedManagement,
            Privilege::ContactlessActivation,
        ]);
        assert_eq!(set.to_bytes(), [0x80, 0x40, 0x20]);
        assert_eq!(Privileges::parse(&[0x80, 0x40, 0x20]), Some(set));
        assert!(set.has(Privilege::AuthorizedManagement) && !set.has(Privilege::GlobalDelete));
        assert_eq!(Privileges::parse(&[0x80, 0x40]), None);
    }
}
