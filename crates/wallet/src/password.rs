//! The payment password (支付密码): hashed with a salt of its own, and never kept, logged or sent on.
//!
//! Standard: Argon2id, RFC 9106, in the PHC string format.
//! Invariant: a password leaves this module only as a hash that carries its own cost; however many passwords come at
//! once, they are hashed one after the other in the same memory.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

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
    params: Params,
    /// Kept for the next password: the memory of one hash is large, and threads that took their own would keep it all.
    memory: Mutex<Vec<Block>>,
}

/// A password that cannot be one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooWeak;

impl Passwords {
    /// `None` for a cost that Argon2 does not take.
    pub(crate) fn new(cost: PasswordCost) -> Option<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).ok()?;
        Some(Passwords { params, memory: Mutex::new(Vec::new()) })
    }

    /// The PHC string of a new password.
    pub(crate) fn hash(&self, password: &str, salt: [u8; 16]) -> Result<String, TooWeak> {
        if !LENGTH.contains(&password.chars().count()) {
            return Err(TooWeak);
        }
        self.phc(password, &salt).map(|hash| hash.to_string()).ok_or(TooWeak)
    }

    fn phc(&self, password: &str, salt: &[u8]) -> Option<PasswordHash> {
        Some(PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params).ok()?,
            salt: Some(Salt::new(salt).ok()?),
            hash: Some(self.fill(Algorithm::Argon2id, Version::V0x13, &self.params, password, salt)?),
        })
    }

    /// Whether `password` is the one of `stored`, at the cost that `stored` names.
    pub(crate) fn verify(&self, password: &str, stored: &str) -> bool {
        let again = || {
            let stored = PasswordHash::new(stored).ok()?;
            let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
            let version = Version::try_from(stored.version?).ok()?;
            let params = Params::try_from(&stored).ok()?;
            let hash = self.fill(algorithm, version, &params, password, stored.salt?.as_ref())?;
            Some(hash == stored.hash?) // in constant time
        };
        again().unwrap_or(false)
    }

    fn fill(
        &self,
        algorithm: Algorithm,
        version: Version,
        params: &Params,
        password: &str,
        salt: &[u8],
    ) -> Option<Output> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() < params.block_count() {
            memory.resize(params.block_count(), Block::new());
        }
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN))?;
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, output, memory.as_mut_slice())
            .ok()?;
        Output::new(output).ok()
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
    fn memory_that_was_used_before_changes_no_hash() {
        use argon2::password_hash::PasswordHasher;
        let cost = PasswordCost { memory_kib: 64, passes: 2, lanes: 1 };
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).unwrap();
        let library = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let expected: PasswordHash = library.hash_password_with_salt(b"135790", &[7; 16]).unwrap();
        let passwords = Passwords::new(cost).unwrap();
        for _ in 0..2 {
            assert_eq!(passwords.hash("135790", [7; 16]).unwrap(), expected.to_string());
            passwords.hash("975310", [9; 16]).unwrap();
        }
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
