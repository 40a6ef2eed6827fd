//! 3DES keys of GlobalPlatform security domains, and the session keys of one SCP02 secure channel.
//!
//! Standard: SCP02 options 15 and 55, key derivation, cryptograms, challenge, C-MAC, C-DECRYPTION and key encryption
//! (globalplatform.md section 1.2).
//! Invariant: session keys are used here and never given out; other keys leave only enciphered under S-DEK.

use minicbor::{CborLen, Decode, Encode};
use subtle::ConstantTimeEq;

use crate::block::{Key16, padded, unpadded};
use crate::mac::retail_mac;

/// The three 3DES keys of a security domain.
#[derive(Clone, Encode, Decode, CborLen)]
pub struct StaticKeys {
    #[n(0)]
    enc: Key16,
    #[n(1)]
    mac: Key16,
    #[n(2)]
    dek: Key16,
}

impl StaticKeys {
    /// Three keys.
    #[must_use]
    pub const fn new(enc: Key16, mac: Key16, dek: Key16) -> Self {
        StaticKeys { enc, mac, dek }
    }

    /// One key for all three purposes.
    #[must_use]
    pub fn same(key: Key16) -> Self {
        StaticKeys { enc: key.clone(), mac: key.clone(), dek: key }
    }

    /// Check values of ENC, MAC and DEK.
    #[must_use]
    pub fn kcvs(&self) -> [[u8; 3]; 3] {
        [self.enc.kcv(), self.mac.kcv(), self.dek.kcv()]
    }

    pub(crate) fn each(&self) -> [&Key16; 3] {
        [&self.enc, &self.mac, &self.dek]
    }
}

impl std::fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StaticKeys(secret)")
    }
}

/// The session keys of one secure channel.
#[derive(Clone)]
pub struct Scp02Keys {
    enc: Key16,
    mac: Key16,
    dek: Key16,
}

/// A key on its way: enciphered under a session's S-DEK, with its check value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The enciphered key.
    pub cipher: [u8; 16],
    /// The key's check value.
    pub kcv: [u8; 3],
}

impl Scp02Keys {
    /// The keys of the session that `sequence` numbers.
    #[must_use]
    pub fn derive(keys: &StaticKeys, sequence: u16) -> Self {
        let derive = |key: &Key16, constant: u16| {
            let ([a, b], [c, d]) = (constant.to_be_bytes(), sequence.to_be_bytes());
            // CBC over this block and one of zeros: the second half is the first, enciphered again.
            let left = key.encrypt_block([a, b, c, d, 0, 0, 0, 0]);
            Key16::from_halves(left, key.encrypt_block(left))
        };
        let StaticKeys { enc, mac, dek } = keys;
        Scp02Keys { enc: derive(enc, 0x0182), mac: derive(mac, 0x0101), dek: derive(dek, 0x0181) }
    }

    /// A card or host cryptogram: full 3DES CBC-MAC under S-ENC over padded `data`, the last block.
    #[must_use]
    pub fn cryptogram(&self, data: &[u8]) -> [u8; 8] {
        self.enc.cbc_mac(data)
    }

    /// Whether `given` is the cryptogram over `data`, in constant time.
    #[must_use]
    pub fn verify_cryptogram(&self, data: &[u8], given: &[u8; 8]) -> bool {
        self.cryptogram(data).ct_eq(given).into()
    }

    /// C-MAC: retail MAC under S-MAC over padded `data`.
    #[must_use]
    pub fn retail_mac(&self, icv: [u8; 8], data: &[u8]) -> [u8; 8] {
        retail_mac(&self.mac, icv, data)
    }

    /// Whether `given` is the C-MAC over `data`, in constant time.
    #[must_use]
    pub fn verify_retail_mac(&self, icv: [u8; 8], data: &[u8], given: &[u8; 8]) -> bool {
        self.retail_mac(icv, data).ct_eq(given).into()
    }

    /// The initial vector of the next C-MAC: the last one under single DES with the first half of S-MAC.
    #[must_use]
    pub fn encrypt_icv(&self, mac: [u8; 8]) -> [u8; 8] {
        self.mac.halves().0.encrypt_block(mac)
    }

    /// Command data, padded and enciphered under S-ENC.
    #[must_use]
    pub fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        self.enc.encrypt_cbc(&padded(plain))
    }

    /// Command data as it was before [`Scp02Keys::encrypt`]; `None` if its padding is not whole.
    #[must_use]
    pub fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        if cipher.is_empty() || !cipher.len().is_multiple_of(8) {
            return None;
        }
        unpadded(&self.enc.decrypt_cbc(cipher))
    }

    /// The card challenge that follows from the counter and the name of the application that opens the channel.
    #[must_use]
    pub fn challenge(&self, name: &[u8]) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] = self.retail_mac([0; 8], name);
        [a, b, c, d, e, f]
    }

    /// Whole blocks under S-DEK.
    pub(crate) fn encipher(&self, key: &[u8]) -> Vec<u8> {
        self.dek.encrypt_ecb(key)
    }

    pub(crate) fn decipher(&self, cipher: &[u8]) -> Vec<u8> {
        self.dek.decrypt_ecb(cipher)
    }

    /// A key to be sent through this channel.
    #[must_use]
    pub fn wrap(&self, key: &Key16) -> WrappedKey {
        WrappedKey { cipher: self.dek.encrypt_key(key), kcv: key.kcv() }
    }

    /// A key that came through this channel; `None` if its check value does not fit.
    #[must_use]
    pub fn unwrap_key(&self, cipher: &[u8; 16], kcv: [u8; 3]) -> Option<Key16> {
        let key = self.dek.decrypt_key(cipher);
        bool::from(key.kcv().ct_eq(&kcv)).then_some(key)
    }
}

#[cfg(test)]
impl Scp02Keys {
    /// With an S-DEK alone, as a vector gives it.
    pub(crate) fn of_dek(dek: Key16) -> Self {
        Scp02Keys { enc: dek.clone(), mac: dek.clone(), dek }
    }

    /// To be compared with a vector's.
    pub(crate) fn each(&self) -> [&Key16; 3] {
        [&self.enc, &self.mac, &self.dek]
    }
}

impl std::fmt::Debug for Scp02Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scp02Keys(secret)")
    }
}
