//! The vault (密钥库): roots at rest, enciphered under a passphrase or a key file.
//!
//! Standard: Argon2id (RFC 9106) and XChaCha20-Poly1305; the whole header is authenticated.
//! Invariant: bytes in, bytes out; an altered or foreign file says so and opens nothing.

use std::cmp::Ordering;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use model::Entropy;
use zeroize::Zeroizing;

use crate::roots::Roots;

const MAGIC: &[u8; 4] = b"YKTV";
const FORMAT: u8 = 1;
/// Magic, format, lock kind, memory KiB, passes, lanes, salt, nonce, length of what follows.
const HEADER: usize = 4 + 1 + 1 + 4 + 4 + 1 + 16 + 24 + 4;
/// Poly1305's tag behind the enciphered roots.
const TAG: usize = 16;
/// The most memory that a file may ask for, 1 GiB: the header is read before it can be authenticated, and a hostile
/// one must not stop the machine.
const MEMORY_MAX_KIB: u32 = 1 << 20;
/// The most passes that a file may ask for.
const PASSES_MAX: u32 = 64;

/// What opens a vault.
pub enum Lock<'a> {
    /// A passphrase, stretched by Argon2id.
    Passphrase(&'a str),
    /// A key file's 32 bytes.
    KeyFile(&'a [u8; 32]),
}

/// How dear each guess at a passphrase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u8,
}

impl Cost {
    /// RFC 9106's second recommended choice: 64 MiB, 3 passes, 4 lanes.
    pub const DEFAULT: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
}

/// Why a vault does not open, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not made by [`seal`].
    #[error("not a vault: it does not begin with YKTV")]
    NotAVault,
    /// Made by a later release.
    #[error("vault format {0} is newer than this program, which reads up to {FORMAT}")]
    Newer(u8),
    /// Cut off.
    #[error("the vault is cut short: {found} bytes of {expected}")]
    Short {
        /// How long it is.
        found: usize,
        /// How long it must be, at least.
        expected: usize,
    },
    /// The other kind of lock.
    #[error("the vault opens with {0}")]
    OtherLock(&'static str),
    /// A lock that locks nothing.
    #[error("a vault needs a passphrase; this one is empty")]
    EmptyPassphrase,
    /// Costs that no vault of ours has.
    #[error("the vault's header asks for an impossible key derivation")]
    Cost,
    /// Wrong passphrase or key file, or altered bytes: the two cannot be told apart.
    #[error("wrong passphrase or key file, or the vault was altered")]
    Refused,
    /// It opened, and holds something else.
    #[error("the vault opened, but does not hold a whole set of roots")]
    Contents,
}

/// Roots, enciphered.
///
/// # Errors
/// [`VaultError::Cost`] for costs that Argon2 does not take, [`VaultError::EmptyPassphrase`].
pub fn seal(
    roots: &Roots,
    lock: &Lock<'_>,
    cost: Cost,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, VaultError> {
    seal_bytes(&roots.to_cbor().ok_or(VaultError::Contents)?, lock, cost, entropy)
}

/// Roots, from the bytes that [`seal`] made.
///
/// # Errors
/// [`VaultError`] says what is wrong with the file, never what is in it.
pub fn open(bytes: &[u8], lock: &Lock<'_>) -> Result<Roots, VaultError> {
    let (header, raw, sealed) = Header::parse(bytes)?;
    match (header.kind, lock) {
        (1, Lock::Passphrase(_)) | (2, Lock::KeyFile(_)) => {}
        (1, _) => return Err(VaultError::OtherLock("a passphrase")),
        (2, _) => return Err(VaultError::OtherLock("a key file")),
        _ => return Err(VaultError::Refused),
    }
    let opened = header.cipher(lock)?.decrypt(&XNonce::from(header.nonce), Payload { msg: sealed, aad: raw });
    Roots::from_cbor(&Zeroizing::new(opened.map_err(|_| VaultError::Refused)?)).ok_or(VaultError::Contents)
}

fn seal_bytes(
    plain: &[u8],
    lock: &Lock<'_>,
    cost: Cost,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, VaultError> {
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    entropy.fill(&mut salt);
    entropy.fill(&mut nonce);
    let kind = match lock {
        Lock::Passphrase(_) => 1,
        Lock::KeyFile(_) => 2,
    };
    let sealed_len = plain.len().checked_add(TAG).and_then(|len| u32::try_from(len).ok());
    let header = Header { kind, cost, salt, nonce, sealed_len: sealed_len.ok_or(VaultError::Contents)? };
    let raw = header.to_bytes();
    let sealed = header.cipher(lock)?.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &raw });
    Ok([raw, sealed.map_err(|_| VaultError::Contents)?].concat())
}

/// All that stands before the enciphered roots; authenticated with them.
struct Header {
    kind: u8,
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; 24],
    sealed_len: u32,
}

impl Header {
    fn to_bytes(&self) -> Vec<u8> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let head =
            [&MAGIC[..], &[FORMAT, self.kind], &memory_kib.to_be_bytes(), &passes.to_be_bytes(), &[lanes]];
        [&head.concat()[..], &self.salt, &self.nonce, &self.sealed_len.to_be_bytes()].concat()
    }

    /// The header, its own bytes, and the enciphered roots.
    fn parse(bytes: &[u8]) -> Result<(Header, &[u8], &[u8]), VaultError> {
        if !bytes.starts_with(MAGIC) && !MAGIC.starts_with(bytes) {
            return Err(VaultError::NotAVault);
        }
        if let Some(format) = bytes.get(MAGIC.len()).filter(|format| **format > FORMAT) {
            return Err(VaultError::Newer(*format));
        }
        let short = |expected| VaultError::Short { found: bytes.len(), expected };
        let (raw, sealed) = bytes.split_at_checked(HEADER).ok_or(short(HEADER))?;
        let header = Header::read(raw).ok_or(short(HEADER))?;
        let sealed_len = usize::try_from(header.sealed_len).unwrap_or(usize::MAX);
        match sealed.len().cmp(&sealed_len) {
            Ordering::Less => Err(short(HEADER.saturating_add(sealed_len))),
            Ordering::Equal => Ok((header, raw, sealed)),
            Ordering::Greater => Err(VaultError::Refused),
        }
    }

    fn read(mut raw: &[u8]) -> Option<Header> {
        let raw = &mut raw;
        let [_, _, _, _, _format, kind] = take::<6>(raw)?;
        let (memory, passes, [lanes]) = (take(raw)?, take(raw)?, take(raw)?);
        let cost = Cost { memory_kib: u32::from_be_bytes(memory), passes: u32::from_be_bytes(passes), lanes };
        let (salt, nonce, sealed_len) = (take(raw)?, take(raw)?, u32::from_be_bytes(take(raw)?));
        Some(Header { kind, cost, salt, nonce, sealed_len })
    }

    fn cipher(&self, lock: &Lock<'_>) -> Result<XChaCha20Poly1305, VaultError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        match lock {
            Lock::KeyFile(bytes) => *key = **bytes,
            Lock::Passphrase("") => return Err(VaultError::EmptyPassphrase),
            Lock::Passphrase(passphrase) => {
                let Cost { memory_kib, passes, lanes } = self.cost;
                if memory_kib > MEMORY_MAX_KIB || passes > PASSES_MAX {
                    return Err(VaultError::Cost);
                }
                let params = Params::new(memory_kib, passes, u32::from(lanes), Some(key.len()));
                let argon =
                    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| VaultError::Cost)?);
                argon
                    .hash_password_into(passphrase.as_bytes(), &self.salt, &mut *key)
                    .map_err(|_| VaultError::Cost)?;
            }
        }
        Ok(XChaCha20Poly1305::new((&*key).into()))
    }
}

/// The next `N` bytes.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seeded;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn sealed(lock: &Lock<'_>) -> Vec<u8> {
        seal(&Roots::demo(), lock, CHEAP, &mut Seeded::new(1)).unwrap()
    }

    #[test]
    fn a_vault_opens_with_its_own_lock_alone() {
        let bytes = sealed(&Lock::Passphrase("correct horse"));
        let roots = open(&bytes, &Lock::Passphrase("correct horse")).unwrap();
        assert_eq!(roots.check_values(), Roots::demo().check_values());
        assert!(roots.is_demo());
        assert_eq!(open(&bytes, &Lock::Passphrase("wrong")).unwrap_err(), VaultError::Refused);
        assert_eq!(
            open(&bytes, &Lock::KeyFile(&[1; 32])).unwrap_err(),
            VaultError::OtherLock("a passphrase")
        );
        let bytes = sealed(&Lock::KeyFile(&[7; 32]));
        assert!(open(&bytes, &Lock::KeyFile(&[7; 32])).is_ok());
        assert_eq!(open(&bytes, &Lock::KeyFile(&[8; 32])).unwrap_err(), VaultError::Refused);
    }

    #[test]
    fn every_altered_byte_is_refused() {
        for lock in [Lock::KeyFile(&[7; 32]), Lock::Passphrase("correct horse")] {
            let bytes = sealed(&lock);
            for at in 0..bytes.len() {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                assert!(open(&altered, &lock).is_err(), "byte {at}");
            }
            assert_eq!(open(&[&bytes[..], &[0]].concat(), &lock).unwrap_err(), VaultError::Refused);
        }
    }

    #[test]
    fn a_vault_that_was_cut_says_how_much_is_missing() {
        let bytes = sealed(&Lock::KeyFile(&[7; 32]));
        for found in 0..bytes.len() {
            let expected = if found < HEADER { HEADER } else { bytes.len() };
            let error = open(&bytes[..found], &Lock::KeyFile(&[7; 32])).unwrap_err();
            assert_eq!(error, VaultError::Short { found, expected });
        }
        assert_eq!(open(b"PK..", &Lock::KeyFile(&[7; 32])).unwrap_err(), VaultError::NotAVault);
    }

    #[test]
    fn a_header_out_of_bounds_is_refused_before_any_work() {
        let with = |at: usize, bytes: &[u8]| {
            let mut vault = sealed(&Lock::Passphrase("correct horse"));
            vault[at..at + bytes.len()].copy_from_slice(bytes);
            open(&vault, &Lock::Passphrase("correct horse")).unwrap_err()
        };
        assert_eq!(with(4, &[9]), VaultError::Newer(9));
        assert_eq!(with(5, &[2]), VaultError::OtherLock("a key file"));
        assert_eq!(with(5, &[3]), VaultError::Refused, "no such lock");
        assert_eq!(with(6, &(MEMORY_MAX_KIB + 1).to_be_bytes()), VaultError::Cost, "more than 1 GiB");
        assert_eq!(with(10, &(PASSES_MAX + 1).to_be_bytes()), VaultError::Cost, "more than 64 passes");
        assert_eq!(with(14, &[0]), VaultError::Cost, "no lane");
    }

    #[test]
    fn a_vault_is_never_made_with_a_lock_that_locks_nothing() {
        let made = seal(&Roots::demo(), &Lock::Passphrase(""), CHEAP, &mut Seeded::new(1));
        assert_eq!(made.unwrap_err(), VaultError::EmptyPassphrase);
        let free = Cost { memory_kib: 0, passes: 0, lanes: 0 };
        let made = seal(&Roots::demo(), &Lock::Passphrase("correct horse"), free, &mut Seeded::new(1));
        assert_eq!(made.unwrap_err(), VaultError::Cost);
    }

    #[test]
    fn what_opens_but_holds_no_roots_is_told_apart_from_a_wrong_lock() {
        let lock = Lock::KeyFile(&[7; 32]);
        let bytes = seal_bytes(b"something else", &lock, CHEAP, &mut Seeded::new(1)).unwrap();
        assert_eq!(open(&bytes, &lock).unwrap_err(), VaultError::Contents);
    }

    #[test]
    fn the_roots_do_not_stand_in_the_file() {
        let bytes = sealed(&Lock::KeyFile(&[7; 32]));
        assert!(!bytes.windows(8).any(|window| window == b"YKT PURC"));
    }
}
