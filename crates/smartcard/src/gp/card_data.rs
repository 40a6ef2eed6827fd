//! Card recognition data: which GlobalPlatform version and which secure channel a card speaks.
//!
//! Standard: GlobalPlatform card data, tag 66, `66{73{06, 60{06}, 63{06}, 64{06}}}`, globalplatform.md section 1.5.

use crate::tlv;

/// What a card says of its management.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardData {
    /// Major and minor version of the card specification, both one OID arc: 2, 2.
    pub version: [u8; 2],
    /// The secure channel protocol: `02` for SCP02.
    pub protocol: u8,
    /// Its variant, the `i` parameter: `15`.
    pub variant: u8,
}

/// The OID arc that all of GlobalPlatform's hang on.
const PREFIX: [u8; 6] = [0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B];

impl CardData {
    /// The tag, for GET DATA.
    pub const TAG: u16 = 0x0066;

    /// `66{73{..}}`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let oid = |arcs: &[u8]| tlv::object(0x06, &[&PREFIX[..], arcs].concat());
        let [major, minor] = self.version;
        let inside = [
            oid(&[1]),
            tlv::object(0x60, &oid(&[2, major, minor])),
            tlv::object(0x63, &oid(&[3])),
            tlv::object(0x64, &oid(&[4, self.protocol, self.variant])),
        ];
        tlv::object(0x66, &tlv::object(0x73, &inside.concat()))
    }

    /// From the answer of GET DATA; of several secure channels the first. `None` if it is not there.
    #[must_use]
    pub fn parse(object: &[u8]) -> Option<Self> {
        let arcs = |tag| tlv::find_path(object, &[0x66, 0x73, tag, 0x06])?.strip_prefix(&PREFIX);
        // A version may have a third part.
        let [2, major, minor, ..] = *arcs(0x60)? else { return None };
        let [4, protocol, variant] = *arcs(0x64)? else { return None };
        Some(CardData { version: [major, minor], protocol, variant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_data_survives_the_wire() {
        let data = CardData { version: [2, 2], protocol: 2, variant: 0x55 };
        let bytes = data.to_bytes();
        assert!(hex::encode_upper(&bytes).ends_with("640B06092A864886FC6B040255"));
        assert_eq!(CardData::parse(&bytes), Some(data));
        assert_eq!(CardData::parse(&bytes[..bytes.len() - 1]), None);
        assert_eq!(CardData::parse(&[]), None);
    }
}
