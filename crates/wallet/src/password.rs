//! The payment password (支付密码): hashed with a salt of its own, and never kept, logged or sent on.
//!
//! Standard: Argon2id, RFC 9106, in the PHC string format.
//! Invariant: a password leaves this module only as a hash that carries its own cost.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Fewest and most characters of a password.
const LENGTH: std::ops::RangeInclusive<usize> = 6..=64;

/// What one guess costs: the wallet, and whoever stole its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB; at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl PasswordCost {
    /// As OWASP recommends for Argon2id: 19 MiB, two passes, one lane.
    pub const RECOMMENDED: PasswordCost = PasswordCost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// For simulations of many passengers, and for nothing else.
    pub const CHEAP: PasswordCost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };
}

/// Hashes and verifies.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
}

/// A password that cannot be one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooWeak;

impl Passwords {
    /// `None` for a cost that Argon2 does not take.
    pub(crate) fn new(cost: PasswordCost) -> Option<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).ok()?;
        Some(Passwords { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params) })
    }

    /// The PHC string of a new password.
    pub(crate) fn hash(&self, password: &str, salt: [u8; 16]) -> Result<String, TooWeak> {
        if !LENGTH.contains(&password.chars().count()) {
            return Err(TooWeak);
        }
        let hashed: Result<PasswordHash, _> = self.argon2.hash_password_with_salt(password.as_bytes(), &salt);
        hashed.map(|hash| hash.to_string()).map_err(|_| TooWeak)
    }

    /// Whether `password` is the one of `stored`, at the cost that `stored` names.
    pub(crate) fn verify(&self, password: &str, stored: &str) -> bool {
        let parsed = PasswordHash::new(stored);
        parsed.is_ok_and(|hash| self.argon2.verify_password(password.as_bytes(), &hash).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_its_cost() {
        let cheap = Passwords::new(PasswordCost::CHEAP).unwrap();
        let hash = cheap.hash("135790", [7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(cheap.verify("135790", &hash));
        assert!(!cheap.verify("135791", &hash));
        assert!(!cheap.verify("135790", "not a hash"));
        let dear = Passwords::new(PasswordCost { memory_kib: 64, passes: 2, lanes: 1 }).unwrap();
        assert!(dear.verify("135790", &hash), "what was hashed at another cost is still known");
        assert_ne!(cheap.hash("135790", [8; 16]).unwrap(), hash, "the salt matters");
    }

    #[test]
    fn what_is_too_short_or_too_long_is_no_password() {
        let passwords = Passwords::new(PasswordCost::CHEAP).unwrap();
        assert_eq!(passwords.hash("13579", [0; 16]), Err(TooWeak));
        assert_eq!(passwords.hash(&"1".repeat(65), [0; 16]), Err(TooWeak));
        assert!(passwords.hash("六位支付密码", [0; 16]).is_ok());
    }

    #[test]
    fn a_cost_below_what_argon2_takes_is_refused() {
        assert!(Passwords::new(PasswordCost { memory_kib: 1, passes: 1, lanes: 1 }).is_none());
        assert!(Passwords::new(PasswordCost::RECOMMENDED).is_some());
    }
}
