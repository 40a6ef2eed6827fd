//! Loading a SAM (PSAM, ISAM) with its key: the command that carries it, enciphered under the module's control key.
//!
//! Standard: WRITE KEY, `84 D4 00 00 1C`: usage, version, algorithm and key behind a length byte, enciphered under the
//! control key, then a MAC over the command under the same key and the module's challenge (card.md sections 2.4 and 4).
//! Invariant: the key leaves only inside this command.

use zeroize::Zeroizing;

use crate::block::Key16;
use crate::line::{line_encrypt, line_mac};
use crate::service::PsamScope;

/// What a SAM's key is for; the number is the low part of the usage byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamPurpose {
    /// `02`: a reader's purchases (PSAM).
    Purchase = 0x02,
    /// `09`: a load point's loads (ISAM).
    Load = 0x09,
}

const HEADER: [u8; 5] = [0x84, 0xD4, 0x00, 0x00, 0x1C];
/// 3DES.
const ALGORITHM: u8 = 0x00;

impl PsamScope {
    /// How often the SAM derives: city and card, or card alone.
    pub(crate) const fn levels(self) -> u8 {
        match self {
            PsamScope::National => 2,
            PsamScope::City(_) => 1,
        }
    }
}

/// The command that writes `key` into a SAM which has just answered GET CHALLENGE with `challenge`.
pub(crate) fn write_key(
    key: &Key16,
    (purpose, levels, version): (SamPurpose, u8, u8),
    control: &Key16,
    challenge: [u8; 4],
) -> Option<Vec<u8>> {
    let usage = (levels << 5) | purpose as u8;
    let (left, right) = key.halves();
    let plain = Zeroizing::new([&[usage, version, ALGORITHM][..], &left.0, &right.0].concat());
    let mut command = HEADER.to_vec();
    command.extend(line_encrypt(control, &plain)?);
    let mac = line_mac(control, &challenge, &command);
    command.extend(mac.bytes());
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example whole: vectors/line/encrypt.toml and the first of vectors/line/mac.toml are its parts.
    #[test]
    fn the_published_write_key_command_is_made_byte_for_byte() {
        let bytes = hex::decode("00112233445566778899AABBCCDDEEFF").unwrap();
        let key = Key16::new(bytes.try_into().unwrap());
        let command = write_key(&key, (SamPurpose::Purchase, 1, 0), &key, [0x5D, 0x72, 0xB3, 0xFD]).unwrap();
        let expected = "84D400001CDCC0BB5793ABFCA2CA8C1624822F6E01A86A0B5CBED191DD8A9D4ADB";
        assert_eq!(hex::encode_upper(&command), expected);
        let other = write_key(&key, (SamPurpose::Purchase, 1, 0), &key, [0x5D, 0x72, 0xB3, 0xFC]).unwrap();
        assert_ne!(command, other, "another challenge, another MAC");
    }

    #[test]
    fn usage_says_how_deep_and_what_for() {
        let (key, control) = (Key16::new([7; 16]), Key16::new([9; 16]));
        for (purpose, levels, usage) in [(SamPurpose::Purchase, 2, 0x42), (SamPurpose::Load, 1, 0x29)] {
            let command = write_key(&key, (purpose, levels, 1), &control, [1, 2, 3, 4]).unwrap();
            let cipher = command.get(5..29).unwrap();
            assert_eq!(
                crate::line_decrypt(&control, cipher).unwrap(),
                [&[usage, 1, 0][..], &[7; 16]].concat()
            );
        }
    }
}
