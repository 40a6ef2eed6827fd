//! DELETE: removes an application, a security domain, a load file, or keys.
//!
//! Standard: GlobalPlatform DELETE, `80 E4 00 P2 4F len aid`, globalplatform.md section 1.5. P2 `80` takes what
//! was made from the object along. Keys are named by `D0 <number>`, `D2 <version>` or both.

use super::{ALL, Aid, expect, no_receipt};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// Deletes one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// What is deleted.
    pub aid: Aid,
    /// And what was made from it.
    pub related: bool,
}

/// Deletes keys of the selected domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteKey {
    /// The key's number; `None`: all of the version.
    pub number: Option<u8>,
    /// The version; `None`: the number in all of them.
    pub version: Option<u8>,
}

impl Command for Delete {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let p2 = if self.related { 0x80 } else { 0x00 };
        Apdu::new([0x80, 0xE4, 0x00, p2], tlv::object(0x4F, self.aid.as_bytes()), ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xE4)?;
        let related = match (apdu.p1, apdu.p2) {
            (0x00, 0x00) => false,
            (0x00, 0x80) => true,
            _ => return Err(Status::WRONG_P1P2),
        };
        match tlv::read_all(&apdu.data).as_deref() {
            Some([tlv::Tlv { tag: 0x4F, value }]) => {
                Ok(Delete { aid: Aid::new(value).ok_or(Status::WRONG_DATA)?, related })
            }
            _ => Err(Status::WRONG_DATA),
        }
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        no_receipt(data)
    }
}

impl DeleteKey {
    /// Does the command name keys instead of an object?
    #[must_use]
    pub fn is_meant(apdu: &Apdu) -> bool {
        tlv::read(&apdu.data).is_some_and(|(first, _)| matches!(first.tag, 0xD0 | 0xD2))
    }
}

impl Command for DeleteKey {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let parts = [(0xD0, self.number), (0xD2, self.version)];
        let parts = parts.into_iter().filter_map(|(tag, value)| Some(tlv::object(tag, &[value?])));
        Apdu::new([0x80, 0xE4, 0x00, 0x00], parts.flatten().collect::<Vec<_>>(), ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xE4)?;
        if (apdu.p1, apdu.p2) != (0, 0) {
            return Err(Status::WRONG_P1P2);
        }
        let row = tlv::read_all(&apdu.data).ok_or(Status::WRONG_DATA)?;
        let (number, version) = match row.as_slice() {
            [tlv::Tlv { tag: 0xD0, value: [number] }] => (Some(*number), None),
            [tlv::Tlv { tag: 0xD2, value: [version] }] => (None, Some(*version)),
            [tlv::Tlv { tag: 0xD0, value: [number] }, tlv::Tlv { tag: 0xD2, value: [version] }] => {
                (Some(*number), Some(*version))
            }
            _ => return Err(Status::WRONG_DATA),
        };
        Ok(DeleteKey { number, version })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        no_receipt(data)
    }
}
