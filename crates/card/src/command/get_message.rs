//! GET MESSAGE: the security authentication id (安全认证识别码), which City Union terminals hand to their PSAM.
//!
//! Standard: CJ/T 166 addition to the PBOC commands (card.md section 1.6).

use smartcard::{Apdu, Command, Status};

use super::expect_header;

const HEADER: [u8; 4] = [0x80, 0xCA, 0x00, 0x00];

/// `80 CA 00 00`: asks for the authentication id. Answered by 9 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetMessage;

impl Command for GetMessage {
    type Response = [u8; 9];

    fn to_apdu(&self) -> Apdu {
        Apdu::case2(HEADER, Some(9))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        if apdu.data.is_empty() { Ok(GetMessage) } else { Err(Status::WRONG_LENGTH) }
    }

    fn parse_response(data: &[u8]) -> Option<[u8; 9]> {
        data.try_into().ok()
    }
}
