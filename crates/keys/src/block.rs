//! Two-key triple DES (3DES): the one cipher of the purse and of SCP02, and the keys it runs under.
//!
//! Standard: 3DES-EDE under a 16-byte key, as card.md section 2 (`E3`) and globalplatform.md section 1.2 use it.
//! Invariant: a key has no `Debug`, no `PartialEq`, and is wiped when dropped.

use cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::{Des, TdesEde2};
use minicbor::{CborLen, Decode, Encode};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A cipher block.
pub(crate) type Block = [u8; 8];

/// A 16-byte 3DES key.
///
/// `Encode` and `Decode` are for a software card's own memory, which holds keys as a chip does, and for the
/// vault, which encrypts what it writes. No message carries a bare key.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Key16(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

/// An 8-byte single-DES key: a session key, or a TAC key's folded halves.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key8(pub(crate) Block);

impl Key16 {
    /// A key from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Key16(bytes)
    }

    /// Key check value: the first 3 bytes of the encrypted zero block.
    #[must_use]
    pub fn kcv(&self) -> [u8; 3] {
        let [a, b, c, ..] = self.encrypt_block([0; 8]);
        [a, b, c]
    }

    /// The key of the next level: `E3(K, D) || E3(K, ~D)`.
    ///
    /// Standard: card.md section 3.
    pub(crate) fn diversify(&self, by: &[u8; 8]) -> Key16 {
        Key16::from_halves(self.encrypt_block(*by), self.encrypt_block(by.map(|byte| !byte)))
    }

    /// CBC-MAC over padded data, the whole last block.
    pub(crate) fn cbc_mac(&self, data: &[u8]) -> Block {
        let blocks = padded(data);
        blocks.as_chunks::<8>().0.iter().fold([0; 8], |last, block| self.encrypt_block(xor(last, *block)))
    }

    /// The key enciphered, each half a block.
    pub(crate) fn encrypt_key(&self, key: &Key16) -> [u8; 16] {
        let (left, right) = split(&key.0);
        join(self.encrypt_block(left), self.encrypt_block(right))
    }

    /// The key that [`Key16::encrypt_key`] was given.
    pub(crate) fn decrypt_key(&self, cipher: &[u8; 16]) -> Key16 {
        let (left, right) = split(cipher);
        Key16::from_halves(self.decrypt_block(left), self.decrypt_block(right))
    }

    pub(crate) fn from_halves(left: Block, right: Block) -> Key16 {
        Key16(join(left, right))
    }

    pub(crate) fn halves(&self) -> (Key8, Key8) {
        let (left, right) = split(&self.0);
        (Key8(left), Key8(right))
    }

    /// Whether both halves are one DES key, parity bits aside: 3DES under it is single DES, and its TAC key is zeros.
    pub(crate) fn is_single(&self) -> bool {
        self.folded().0.map(|byte| byte & 0xFE).ct_eq(&[0; 8]).into()
    }

    /// The left half XOR the right half: the key under which a TAC is made.
    pub(crate) fn folded(&self) -> Key8 {
        let (left, right) = self.halves();
        Key8(xor(left.0, right.0))
    }

    pub(crate) fn encrypt_block(&self, block: Block) -> Block {
        let mut block = Array::from(block);
        TdesEde2::new(&Array::from(self.0)).encrypt_block(&mut block);
        block.into()
    }

    pub(crate) fn decrypt_block(&self, block: Block) -> Block {
        let mut block = Array::from(block);
        TdesEde2::new(&Array::from(self.0)).decrypt_block(&mut block);
        block.into()
    }

    /// Electronic code book over whole blocks; a shorter tail is left out.
    pub(crate) fn encrypt_ecb(&self, data: &[u8]) -> Vec<u8> {
        data.as_chunks::<8>().0.iter().flat_map(|block| self.encrypt_block(*block)).collect()
    }

    pub(crate) fn decrypt_ecb(&self, data: &[u8]) -> Vec<u8> {
        data.as_chunks::<8>().0.iter().flat_map(|block| self.decrypt_block(*block)).collect()
    }

    /// Cipher block chaining over whole blocks, zero initial vector.
    pub(crate) fn encrypt_cbc(&self, data: &[u8]) -> Vec<u8> {
        chained([0; 8], data, |block| self.encrypt_block(block))
    }

    pub(crate) fn decrypt_cbc(&self, data: &[u8]) -> Vec<u8> {
        unchained([0; 8], data, |block| self.decrypt_block(block))
    }

    /// For whoever enciphers the key.
    pub(crate) fn secret(&self) -> &[u8; 16] {
        &self.0
    }

    /// The bytes, to be compared with a vector's.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Debug for Key16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key16(secret)")
    }
}

impl Key8 {
    pub(crate) fn encrypt_block(&self, block: Block) -> Block {
        let mut block = Array::from(block);
        Des::new(&Array::from(self.0)).encrypt_block(&mut block);
        block.into()
    }
}

pub(crate) fn xor<const N: usize>(a: [u8; N], b: [u8; N]) -> [u8; N] {
    std::array::from_fn(|i| a.get(i).unwrap_or(&0) ^ b.get(i).unwrap_or(&0))
}

/// Cipher block chaining over whole blocks; a shorter tail is left out.
pub(crate) fn chained<const N: usize>(
    mut last: [u8; N],
    data: &[u8],
    encrypt: impl Fn([u8; N]) -> [u8; N],
) -> Vec<u8> {
    let mut chain = |block: &[u8; N]| {
        last = encrypt(xor(last, *block));
        last
    };
    data.as_chunks::<N>().0.iter().flat_map(&mut chain).collect()
}

/// The way back.
pub(crate) fn unchained<const N: usize>(
    mut last: [u8; N],
    data: &[u8],
    decrypt: impl Fn([u8; N]) -> [u8; N],
) -> Vec<u8> {
    let mut chain = |block: &[u8; N]| xor(std::mem::replace(&mut last, *block), decrypt(*block));
    data.as_chunks::<N>().0.iter().flat_map(&mut chain).collect()
}

fn split(bytes: &[u8; 16]) -> (Block, Block) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
    ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p])
}

fn join(left: Block, right: Block) -> [u8; 16] {
    let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) = (left, right);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// `data` followed by `80`, then `00` up to whole blocks; a full last block gets a block of its own.
pub(crate) fn padded(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    bytes.push(0x80);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// `data` without its `80 00 ..` padding; `None` if there is none.
pub(crate) fn unpadded(data: &[u8]) -> Option<Vec<u8>> {
    let end = data.iter().rposition(|byte| *byte != 0)?;
    (data.get(end) == Some(&0x80)).then(|| data.get(..end).unwrap_or_default().to_vec())
}
