//! DELETE: removes an application, a security domain or a load file.
//!
//! Standard: GlobalPlatform DELETE, `80 E4 00 P2 4F len aid`, globalplatform.md section 1.5. P2 `80` takes what
//! was made from the object along.

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
        let aid = tlv::find(&apdu.data, 0x4F).and_then(Aid::new).ok_or(Status::WRONG_DATA)?;
        Ok(Delete { aid, related })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        no_receipt(data)
    }
}
