//! Receipts (回执) of delegated management: the MAC by which a card says that a step was done.
//!
//! Standard: DES receipts, the retail MAC with a zero ICV over padded data (globalplatform.md section 1.6).
//! Invariant: who checks compares in constant time.

use subtle::ConstantTimeEq;

use crate::block::Key16;
use crate::mac::retail_mac;

/// A receipt's MAC, on the card's side.
#[must_use]
pub fn receipt_mac(key: &Key16, confirmed: &[u8]) -> [u8; 8] {
    retail_mac(key, [0; 8], confirmed)
}

/// Is this the receipt's MAC? On the host's side.
#[must_use]
pub fn verify_receipt(key: &Key16, confirmed: &[u8], mac: &[u8]) -> bool {
    receipt_mac(key, confirmed).ct_eq(mac).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_with_a_flipped_bit_or_of_another_length_is_none() {
        let key = Key16::new(*b"for receipts....");
        let mac = receipt_mac(&key, b"installed");
        assert!(verify_receipt(&key, b"installed", &mac));
        assert!(!verify_receipt(&key, b"installee", &mac) && !verify_receipt(&key, b"installed", &mac[..7]));
        for bit in 0..64 {
            let mut flipped = mac;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_receipt(&key, b"installed", &flipped));
        }
    }
}
