//! Message authentication codes: four bytes on the wire, eight in a secure channel.
//!
//! Standard: single-DES CBC-MAC and ANSI X9.19 retail MAC, both with `80 00..` padding (card.md section 2).
//! Invariant: a MAC is compared in constant time; it has no `==`.

use subtle::ConstantTimeEq;

use crate::block::{Block, Key8, Key16, padded, xor};

/// A 4-byte MAC.
#[derive(Clone, Copy)]
pub struct Mac4([u8; 4]);

impl Mac4 {
    /// To be sent.
    #[must_use]
    pub const fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// Whether `given` is this MAC, in a time that does not depend on where they differ.
    #[must_use]
    pub fn verify(self, given: [u8; 4]) -> bool {
        self.0.ct_eq(&given).into()
    }

    pub(crate) fn left_of(block: Block) -> Self {
        let [a, b, c, d, ..] = block;
        Mac4([a, b, c, d])
    }
}

impl std::fmt::Debug for Mac4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mac4(..)")
    }
}

/// Single-DES CBC-MAC over padded data, the whole last block.
pub(crate) fn cbc_mac(key: &Key8, iv: Block, data: &[u8]) -> Block {
    padded(data).as_chunks::<8>().0.iter().fold(iv, |last, block| key.encrypt_block(xor(last, *block)))
}

/// Single-DES CBC-MAC, the left four bytes.
pub(crate) fn mac_des(key: &Key8, data: &[u8]) -> Mac4 {
    Mac4::left_of(cbc_mac(key, [0; 8], data))
}

/// Retail MAC: CBC under the left half, the last block whole under both.
pub(crate) fn retail_mac(key: &Key16, iv: Block, data: &[u8]) -> Block {
    let padded = padded(data);
    let blocks = padded.as_chunks::<8>().0;
    let Some((last, first)) = blocks.split_last() else { return iv };
    let (left, _) = key.halves();
    let chained = first.iter().fold(iv, |mac, block| left.encrypt_block(xor(mac, *block)));
    key.encrypt_block(xor(chained, *last))
}
