//! SELECT by name (选择): which application the next commands are for.
//!
//! Standard: GlobalPlatform SELECT, `00 A4 04 P2 Lc AID 00`, globalplatform.md section 1.5. P2 `00` is the first
//! application of that name, `02` the next one. Without a name: the issuer security domain.

use super::{ALL, expect};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// Selects an application. A reader may give only the beginning of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The name or its beginning, at most 16 bytes; empty for the issuer security domain.
    pub name: Vec<u8>,
    /// Not the first application of that name but the one after the selected one.
    pub next: bool,
}

/// File control information: what a selected application says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fci {
    /// Its full name (tag 84); empty if it keeps it to itself.
    pub name: Vec<u8>,
    /// What stands in its own template (tag A5).
    pub proprietary: Vec<u8>,
}

impl Select {
    /// The first application of this name.
    #[must_use]
    pub fn by_name(name: impl AsRef<[u8]>) -> Self {
        Select { name: name.as_ref().to_vec(), next: false }
    }
}

impl AsRef<[u8]> for super::Aid {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Fci {
    /// `6F{84 name, A5{..}}`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut inside = tlv::object(0x84, &self.name);
        tlv::write(&mut inside, 0xA5, &self.proprietary);
        tlv::object(0x6F, &inside)
    }
}

impl Command for Select {
    type Response = Fci;

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x00, 0xA4, 0x04, if self.next { 0x02 } else { 0x00 }], self.name.as_slice(), ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0xA4)?;
        let next = match (apdu.p1, apdu.p2) {
            (0x04, 0x00) => false,
            (0x04, 0x02) => true,
            _ => return Err(Status::WRONG_P1P2),
        };
        if apdu.data.len() > 16 {
            Err(Status::WRONG_LENGTH)
        } else {
            Ok(Select { name: apdu.data.clone(), next })
        }
    }

    /// An application may also answer nothing.
    fn parse_response(data: &[u8]) -> Option<Fci> {
        if data.is_empty() {
            return Some(Fci::default());
        }
        let inside = tlv::find(data, 0x6F)?;
        let part = |tag| tlv::find(inside, tag).unwrap_or_default().to_vec();
        Some(Fci { name: part(0x84), proprietary: part(0xA5) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Aid;
    use super::*;

    #[test]
    fn the_answer_survives_the_wire_and_may_be_empty() {
        let fci =
            Fci { name: Aid::ISSUER_DOMAIN.as_bytes().to_vec(), proprietary: vec![0x9F, 0x65, 1, 0xFF] };
        assert_eq!(hex::encode_upper(fci.to_bytes()), "6F0F8407A0000001510000A5049F6501FF");
        assert_eq!(Select::parse_response(&fci.to_bytes()), Some(fci));
        assert_eq!(Select::parse_response(&[]), Some(Fci::default()));
        assert_eq!(Select::parse_response(&[0x6F, 9]), None);
    }

    #[test]
    fn a_name_is_written_as_data() {
        let apdu = Select::by_name(Aid::ISSUER_DOMAIN).to_apdu();
        assert_eq!(hex::encode_upper(apdu.to_bytes()), "00A4040007A000000151000000");
        assert_eq!(Select::by_name([]).to_apdu().to_bytes(), [0, 0xA4, 4, 0, 0]);
    }
}
