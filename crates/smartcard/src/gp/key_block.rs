//! A key as PUT KEY carries it: its type, its cipher under the channel's key encryption key, its check value.
//!
//! Standard: GlobalPlatform key data fields, globalplatform.md sections 1.2, 1.3 and 5.9: `80 10 <cipher> 03 <KCV>` for 3DES and
//! `88 <length + 1> <key length> <cipher> 03 <KCV>` for AES, whose cipher may be longer than the key.
//! Invariant: a cipher as long as its key needs, in blocks of 8 or 16 bytes; a key that arrives is a cipher and stays one here.

use keys::{KeyKind, SealedKey};

use crate::tlv;

const TRIPLE_DES: u8 = 0x80;
const AES: u8 = 0x88;

/// Appends the key's block.
pub fn write(data: &mut Vec<u8>, key: &SealedKey) {
    match (key.kind, u8::try_from(key.kind.bytes())) {
        (KeyKind::TripleDes, _) | (_, Err(_)) => {
            data.push(TRIPLE_DES);
            tlv::write_lv(data, &key.cipher);
        }
        (KeyKind::Aes128 | KeyKind::Aes192 | KeyKind::Aes256, Ok(length)) => {
            data.push(AES);
            tlv::write_lv(data, &[&[length][..], &key.cipher].concat());
        }
    }
    tlv::write_lv(data, &key.kcv);
}

/// The key at the beginning of `data`, and what follows it. Some hosts give the length of a 3DES key as well, and some
/// leave that of an AES key out: both are read.
#[must_use]
pub fn read(data: &[u8]) -> Option<(SealedKey, &[u8])> {
    let (key_type, rest) = data.split_first()?;
    let (value, rest) = tlv::read_lv(rest)?;
    let (kcv, rest) = tlv::read_lv(rest)?;
    let whole = |cipher: &[u8]| cipher.len().is_multiple_of(8).then(|| cipher.to_vec());
    let (length, cipher) = match (whole(value), value.split_first()) {
        (Some(cipher), _) => (cipher.len(), cipher),
        (None, Some((length, cipher))) => (usize::from(*length), whole(cipher)?),
        (None, None) => return None,
    };
    let kind = match (*key_type, length) {
        (TRIPLE_DES, 16) => KeyKind::TripleDes,
        (AES, 16) => KeyKind::Aes128,
        (AES, 24) => KeyKind::Aes192,
        (AES, 32) => KeyKind::Aes256,
        _ => return None,
    };
    let fits = cipher.len() == length || cipher.len() == length.next_multiple_of(16);
    fits.then_some((SealedKey { kind, cipher, kcv: kcv.try_into().ok()? }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{bytes, file, tables, text};

    #[test]
    fn blocks_are_read_and_written_as_published() {
        for vector in tables(&file("scp03-keys.toml")["sealed"]) {
            let block = bytes(&vector, "block");
            let (key, rest) = read(&block).unwrap();
            let mut again = Vec::new();
            write(&mut again, &key);
            assert_eq!(
                (hex::encode(again), rest),
                (hex::encode(&block), &[][..]),
                "{}",
                text(&vector, "why")
            );
            assert_eq!(key.kind.bytes(), bytes(&vector, "key").len());
            for end in 0..block.len() {
                assert_eq!(read(&block[..end]), None);
            }
        }
    }

    #[test]
    fn the_other_codings_that_hosts_use_are_read() {
        let read = |hex: &str| read(&hex::decode(hex).unwrap()).map(|(key, _)| (key.kind, key.cipher.len()));
        let cipher = "11".repeat(16);
        assert_eq!(read(&format!("801110{cipher}03AABBCC")), Some((KeyKind::TripleDes, 16)));
        assert_eq!(read(&format!("8810{cipher}03AABBCC")), Some((KeyKind::Aes128, 16)));
        assert_eq!(read(&format!("881118{cipher}03AABBCC")), None, "a key of 24 bytes in a cipher of 16");
        assert_eq!(read(&format!("8010{cipher}00")), None, "no check value");
        assert_eq!(read(&format!("8510{cipher}03AABBCC")), None, "a type that no channel of ours has");
        assert_eq!(read("80000300AABB"), None);
    }
}
