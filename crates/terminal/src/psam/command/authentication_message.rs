//! AUTHENTICATION MESSAGE: hands the card's authentication id (安全认证识别码) to the PSAM, which adds it to MAC1.
//!
//! Standard: MoHURD PSAM, `80 CA` (card.md section 4); `6300` is a wrong id.

use smartcard::{Apdu, Command, Status};

use super::expect_header;

const HEADER: [u8; 4] = [0x80, 0xCA, 0x00, 0x00];

/// `80 CA 00 00 09`: the 9 bytes that the card gave to GET MESSAGE. Answered by the status word alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthenticationMessage {
    /// The card's id.
    pub auth_id: [u8; 9],
}

impl Command for AuthenticationMessage {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::new(HEADER, self.auth_id, None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        let auth_id = apdu.data.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)?;
        Ok(AuthenticationMessage { auth_id })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
