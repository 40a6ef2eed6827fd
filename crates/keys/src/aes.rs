//! AES: the cipher and the MAC of SCP03, and the keys they run under.
//!
//! Standard: AES-128, -192 and -256; CMAC (NIST SP 800-38B); key derivation in counter mode (NIST SP 800-108) as
//! globalplatform.md sections 1.3 and 1.4 use it.
//! Invariant: a key has no `Debug` that shows it, no `PartialEq`, and is wiped when dropped.

use aes::{Aes128, Aes192, Aes256};
use cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use cmac::{Cmac, Mac};
use model::registry::{AesCheck, KeyKind};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::block::{chained, unchained};

/// An AES block.
pub(crate) type Block16 = [u8; 16];

/// An AES key of any length.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AesKey(Held);

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
enum Held {
    Short([u8; 16]),
    Middle([u8; 24]),
    Long([u8; 32]),
}

macro_rules! cipher_of {
    ($held:expr, $cipher:ident => $body:expr) => {
        match $held {
            Held::Short(bytes) => {
                let $cipher = Aes128::new(&Array::from(*bytes));
                $body
            }
            Held::Middle(bytes) => {
                let $cipher = Aes192::new(&Array::from(*bytes));
                $body
            }
            Held::Long(bytes) => {
                let $cipher = Aes256::new(&Array::from(*bytes));
                $body
            }
        }
    };
}

macro_rules! mac_of {
    ($cipher:ty, $bytes:expr, $parts:expr) => {{
        let mut mac = <Cmac<$cipher> as KeyInit>::new(&Array::from(*$bytes));
        $parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }};
}

impl AesKey {
    /// A key from its bytes; `None` if they are not 16, 24 or 32.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let short = || bytes.try_into().map(Held::Short);
        let middle = || bytes.try_into().map(Held::Middle);
        let long = || bytes.try_into().map(Held::Long);
        short().or_else(|_| middle()).or_else(|_| long()).map(AesKey).ok()
    }

    /// Which of the three.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match &self.0 {
            Held::Short(_) => KeyKind::Aes128,
            Held::Middle(_) => KeyKind::Aes192,
            Held::Long(_) => KeyKind::Aes256,
        }
    }

    /// Key check value: the first 3 bytes of the enciphered block that `check` names.
    #[must_use]
    pub fn kcv(&self, check: AesCheck) -> [u8; 3] {
        let block = match check {
            AesCheck::Ones => [0x01; 16],
            AesCheck::Zeros => [0x00; 16],
        };
        let [a, b, c, ..] = self.encrypt_block(block);
        [a, b, c]
    }

    pub(crate) fn encrypt_block(&self, block: Block16) -> Block16 {
        let mut block = Array::from(block);
        cipher_of!(&self.0, cipher => cipher.encrypt_block(&mut block));
        block.into()
    }

    fn decrypt_block(&self, block: Block16) -> Block16 {
        let mut block = Array::from(block);
        cipher_of!(&self.0, cipher => cipher.decrypt_block(&mut block));
        block.into()
    }

    /// Electronic code book over whole blocks.
    pub(crate) fn encrypt_ecb(&self, data: &[u8]) -> Vec<u8> {
        data.as_chunks::<16>().0.iter().flat_map(|block| self.encrypt_block(*block)).collect()
    }

    /// Cipher block chaining over whole blocks; a shorter tail is left out.
    pub(crate) fn encrypt_cbc(&self, iv: Block16, data: &[u8]) -> Vec<u8> {
        chained(iv, data, |block| self.encrypt_block(block))
    }

    pub(crate) fn decrypt_cbc(&self, iv: Block16, data: &[u8]) -> Vec<u8> {
        unchained(iv, data, |block| self.decrypt_block(block))
    }

    /// CMAC over the parts, one after the other.
    pub(crate) fn cmac(&self, parts: &[&[u8]]) -> Block16 {
        match &self.0 {
            Held::Short(bytes) => mac_of!(Aes128, bytes, parts),
            Held::Middle(bytes) => mac_of!(Aes192, bytes, parts),
            Held::Long(bytes) => mac_of!(Aes256, bytes, parts),
        }
    }

    /// As many bytes as a key of `kind` has, from blocks 1, 2, ..: a derived key. `None` for 3DES.
    pub(crate) fn derived(kind: KeyKind, block: impl Fn(u8) -> Block16) -> Option<AesKey> {
        let blocks = Zeroizing::new([block(1), block(2)]);
        blocks.as_flattened().get(..kind.bytes()).filter(|_| kind != KeyKind::TripleDes).and_then(AesKey::new)
    }

    /// For whoever keeps or enciphers the key; wiped with it.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Short(bytes) => bytes,
            Held::Middle(bytes) => bytes,
            Held::Long(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for AesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    /// FIPS 197 appendix C, SP 800-38B appendix D: one published figure a key length.
    #[test]
    fn cipher_and_mac_give_the_published_figures() {
        let all: Vec<u8> = (0..32).collect();
        let plain = hex("00112233445566778899aabbccddeeff").try_into().unwrap();
        for (length, cipher) in [
            (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
            (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
            (32, "8ea2b7ca516745bfeafc49904b496089"),
        ] {
            let key = AesKey::new(&all[..length]).unwrap();
            assert_eq!(key.encrypt_block(plain).to_vec(), hex(cipher));
            assert_eq!(key.decrypt_block(hex(cipher).try_into().unwrap()), plain);
        }
        let message = hex("6bc1bee22e409f96e93d7e117393172a");
        for (key, mac) in [
            ("2b7e151628aed2a6abf7158809cf4f3c", "070a16b46b4d4144f79bdd9dd04a287c"),
            ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "9e99a7bf31e710900662f65e617c5184"),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "28a7023f452e8f82bd4bf28d8c37c35c",
            ),
        ] {
            assert_eq!(AesKey::new(&hex(key)).unwrap().cmac(&[&message]).to_vec(), hex(mac));
        }
    }

    #[test]
    fn a_key_has_one_of_three_lengths() {
        assert_eq!((0..40).filter(|length| AesKey::new(&vec![0; *length]).is_some()).count(), 3);
    }
}
