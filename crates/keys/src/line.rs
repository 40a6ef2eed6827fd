//! Line protection (线路保护) of `04` and `84` commands, and the ciphers of EXTERNAL and INTERNAL AUTHENTICATE.
//!
//! Standard: FMCOS and CJ/T practice (card.md sections 1.6 and 2.4).
//! Invariant: enciphered data opens to exactly what was enciphered, or to nothing.

use zeroize::Zeroizing;

use crate::block::Key16;
use crate::mac::{Mac4, retail_mac};

/// The MAC of a protected command: `bytes` are its header, Lc (already counting the MAC) and data; `challenge`
/// is what GET CHALLENGE gave, 4 bytes (zeros follow) or 8.
#[must_use]
pub fn line_mac(key: &Key16, challenge: &[u8], bytes: &[u8]) -> Mac4 {
    Mac4::left_of(retail_mac(key, first_block(challenge), bytes))
}

/// Length byte, plain text, `80 00..` unless whole blocks are full already; each block enciphered.
///
/// `None` for more than 255 bytes.
#[must_use]
pub fn line_encrypt(key: &Key16, plain: &[u8]) -> Option<Vec<u8>> {
    let mut block = vec![u8::try_from(plain.len()).ok()?];
    block.extend_from_slice(plain);
    if !block.len().is_multiple_of(8) {
        block.push(0x80);
        block.resize(block.len().next_multiple_of(8), 0);
    }
    Some(key.encrypt_ecb(&block))
}

/// What [`line_encrypt`] was given; `None` if the length byte or the padding does not fit.
///
/// Takes padding in a block of its own too: some hosts always pad (card.md section 2.4).
#[must_use]
pub fn line_decrypt(key: &Key16, cipher: &[u8]) -> Option<Vec<u8>> {
    if !cipher.len().is_multiple_of(8) {
        return None;
    }
    let block = Zeroizing::new(key.decrypt_ecb(cipher));
    let (length, rest) = block.split_first()?;
    let (plain, padding) = rest.split_at_checked(usize::from(*length))?;
    let fits = match padding {
        [] => true,
        [0x80, zeros @ ..] => zeros.len() < 8 && zeros.iter().all(|byte| *byte == 0),
        _ => false,
    };
    fits.then(|| plain.to_vec())
}

/// The answer to a random number: EXTERNAL AUTHENTICATE by the host, INTERNAL AUTHENTICATE by the card.
#[must_use]
pub fn challenge_response(key: &Key16, random: &[u8]) -> [u8; 8] {
    key.encrypt_block(first_block(random))
}

fn first_block(bytes: &[u8]) -> [u8; 8] {
    let mut block = [0; 8];
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_80_and_zeros_of_at_most_a_block_or_nothing_opens() {
        let key = Key16::new(*b"for tests only!!");
        let opens = |block: &[u8]| line_decrypt(&key, &key.encrypt_ecb(block));
        assert_eq!(opens(b"\x071234567"), Some(b"1234567".to_vec()), "full blocks need none");
        assert_eq!(
            opens(b"\x071234567\x80\0\0\0\0\0\0\0"),
            Some(b"1234567".to_vec()),
            "some hosts always pad"
        );
        assert_eq!(opens(b"\x0512345\x80\0"), Some(b"12345".to_vec()));
        assert_eq!(opens(b"\x0512345\x81\0"), None);
        assert_eq!(opens(b"\x0512345\x80\x01"), None);
        assert_eq!(opens(b"\x0512345\0\0"), None);
        assert_eq!(opens(b"\x0512345\x80\0\0\0\0\0\0\0\0\0"), None, "a whole block too many");
        assert_eq!(opens(b"\x0812345\x80\0"), None, "longer than what came");
        assert_eq!(opens(b""), None);
    }
}
