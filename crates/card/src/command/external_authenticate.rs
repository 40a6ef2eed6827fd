//! EXTERNAL AUTHENTICATE (外部认证): whoever knows the key may write plainly until the card is reset.
//!
//! Standard: ISO 7816-4 EXTERNAL AUTHENTICATE after GET CHALLENGE (card.md section 1.6).

use smartcard::{Apdu, Command, Status};

use super::{exact, expect};

/// `00 82 00 keyId`: the challenge, enciphered; a 4-byte challenge is filled up with zeros first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalAuthenticate {
    /// Which key: its usage code.
    pub key_id: u8,
    /// The enciphered challenge.
    pub cryptogram: [u8; 8],
}

impl Command for ExternalAuthenticate {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x00, 0x82, 0x00, self.key_id], self.cryptogram, None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0x82)?;
        if apdu.p1 != 0 {
            return Err(Status::WRONG_P1P2);
        }
        Ok(ExternalAuthenticate { key_id: apdu.p2, cryptogram: exact(apdu)? })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
