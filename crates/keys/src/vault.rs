//! The vault (密钥库): roots at rest, enciphered under a passphrase or a key file.
//!
//! Standard: Argon2id (RFC 9106) and XChaCha20-Poly1305; the whole header is authenticated.
//! Invariant: bytes in, bytes out; an altered or foreign file says so and opens nothing.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use model::Entropy;
use zeroize::Zeroizing;

use crate::roots::Roots;

const MAGIC: &[u8; 4] = b"YKTV";
const FORMAT: u8 = 1;
/// Magic, format, lock kind, memory KiB, passes, lanes, salt, nonce.
const HEADER: usize = 4 + 1 + 1 + 4 + 4 + 1 + 16 + 24;
/// The most memory that a file may ask for: 4 GiB would let a hostile file stop the machine.
const MAX_MEMORY_KIB: u32 = 1 << 20;

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

/// Why a vault does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not made by [`seal`].
    #[error("not a vault: it does not begin with YKTV")]
    NotAVault,
    /// Made by a later release.
    #[error("vault format {0} is newer than this program, which reads up to {FORMAT}")]
    Newer(u8),
    /// Cut off.
    #[error("the vault is cut short: {0} bytes")]
    Short(usize),
    /// The other kind of lock.
    #[error("the vault opens with {0}")]
    OtherLock(&'static str),
    /// Costs that no vault of ours has.
    #[error("the vault's header asks for an impossible key derivation")]
    Cost,
    /// Wrong passphrase or key file, or altered bytes: the two cannot be told apart.
    #[error("wrong passphrase or key file, or the vault was altered")]
    Refused,
}

/// Roots, enciphered.
///
/// # Errors
/// [`VaultError::Cost`] for costs that Argon2 does not take.
pub fn seal(
    roots: &Roots,
    lock: &Lock<'_>,
    cost: Cost,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, VaultError> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.push(FORMAT);
    header.push(match lock {
        Lock::Passphrase(_) => 1,
        Lock::KeyFile(_) => 2,
    });
    header.extend(cost.memory_kib.to_be_bytes());
    header.extend(cost.passes.to_be_bytes());
    header.push(cost.lanes);
    let mut random = [0; 40];
    entropy.fill(&mut random);
    header.extend(random);
    let cipher = cipher(lock, cost, &random)?;
    let plain = roots.to_cbor().ok_or(VaultError::Refused)?;
    let sealed = cipher
        .encrypt(&nonce(&random), Payload { msg: &plain, aad: &header })
        .map_err(|_| VaultError::Refused)?;
    Ok([header, sealed].concat())
}

/// Roots, from the bytes that [`seal`] made.
///
/// # Errors
/// [`VaultError`] says what is wrong with the file, never what is in it.
pub fn open(bytes: &[u8], lock: &Lock<'_>) -> Result<Roots, VaultError> {
    if !bytes.starts_with(MAGIC) {
        return Err(VaultError::NotAVault);
    }
    let short = VaultError::Short(bytes.len());
    let (header, sealed) = bytes.split_at_checked(HEADER).ok_or(short.clone())?;
    let rest = header.get(4..).ok_or(short.clone())?;
    let ([format, kind], rest) = rest.split_first_chunk::<2>().ok_or(short.clone())?;
    if *format > FORMAT {
        return Err(VaultError::Newer(*format));
    }
    match (kind, lock) {
        (1, Lock::Passphrase(_)) | (2, Lock::KeyFile(_)) => {}
        (1, _) => return Err(VaultError::OtherLock("a passphrase")),
        _ => return Err(VaultError::OtherLock("a key file")),
    }
    let (memory, rest) = rest.split_first_chunk::<4>().ok_or(short.clone())?;
    let (passes, rest) = rest.split_first_chunk::<4>().ok_or(short.clone())?;
    let ([lanes], rest) = rest.split_first_chunk::<1>().ok_or(short.clone())?;
    let random: &[u8; 40] = rest.try_into().map_err(|_| short)?;
    let cost =
        Cost { memory_kib: u32::from_be_bytes(*memory), passes: u32::from_be_bytes(*passes), lanes: *lanes };
    let payload = Payload { msg: sealed, aad: header };
    let plain =
        cipher(lock, cost, random)?.decrypt(&nonce(random), payload).map_err(|_| VaultError::Refused)?;
    Roots::from_cbor(&Zeroizing::new(plain)).ok_or(VaultError::Refused)
}

fn nonce(random: &[u8; 40]) -> XNonce {
    XNonce::from(random.last_chunk::<24>().copied().unwrap_or_default())
}

fn cipher(lock: &Lock<'_>, cost: Cost, random: &[u8; 40]) -> Result<XChaCha20Poly1305, VaultError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    match lock {
        Lock::KeyFile(bytes) => *key = **bytes,
        Lock::Passphrase(passphrase) => {
            if cost.memory_kib > MAX_MEMORY_KIB || cost.passes > 64 {
                return Err(VaultError::Cost);
            }
            let params = Params::new(cost.memory_kib, cost.passes, u32::from(cost.lanes), Some(32));
            let argon =
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| VaultError::Cost)?);
            let salt = random.first_chunk::<16>().copied().unwrap_or_default();
            argon
                .hash_password_into(passphrase.as_bytes(), &salt, &mut *key)
                .map_err(|_| VaultError::Cost)?;
        }
    }
    Ok(XChaCha20Poly1305::new(&Key::from(*key)))
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
    fn every_altered_or_missing_byte_is_refused() {
        let bytes = sealed(&Lock::KeyFile(&[7; 32]));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(open(&altered, &Lock::KeyFile(&[7; 32])).is_err(), "byte {at}");
            assert!(open(&bytes[..at], &Lock::KeyFile(&[7; 32])).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_vault_says_so() {
        let mut bytes = sealed(&Lock::KeyFile(&[7; 32]));
        bytes[4] = 9;
        assert_eq!(open(&bytes, &Lock::KeyFile(&[7; 32])).unwrap_err(), VaultError::Newer(9));
    }

    #[test]
    fn the_roots_do_not_stand_in_the_file() {
        let bytes = sealed(&Lock::KeyFile(&[7; 32]));
        assert!(!bytes.windows(8).any(|window| window == b"YKT PURC"));
    }
}
