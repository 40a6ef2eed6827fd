//! INTERNAL AUTHENTICATE (内部认证): the card shows that it knows its key.
//!
//! Standard: ISO 7816-4 INTERNAL AUTHENTICATE, P1 `00` (card.md section 1.6).

use smartcard::{Apdu, Command, Status};

use super::{exact, expect};

/// `00 88 00 keyId`: 8 bytes to encipher. Answered by 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InternalAuthenticate {
    /// Which key: its usage code.
    pub key_id: u8,
    /// The terminal's random number.
    pub challenge: [u8; 8],
}

impl Command for InternalAuthenticate {
    type Response = [u8; 8];

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x00, 0x88, 0x00, self.key_id], self.challenge, Some(8))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0x88)?;
        if apdu.p1 != 0 {
            return Err(Status::WRONG_P1P2);
        }
        Ok(InternalAuthenticate { key_id: apdu.p2, challenge: exact(apdu)? })
    }

    fn parse_response(data: &[u8]) -> Option<[u8; 8]> {
        data.try_into().ok()
    }
}
