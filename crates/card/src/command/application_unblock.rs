//! APPLICATION UNBLOCK (应用解锁).
//!
//! Standard: PBOC security command, always with a MAC; three failures lock for ever (card.md section 1.6).

use smartcard::{Apdu, Command, Status};

use super::expect_header;

const HEADER: [u8; 4] = [0x80, 0x18, 0x00, 0x00];

/// `84 18 00 00`, always in [`Protected`](super::Protected): ends a temporary block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplicationUnblock;

impl Command for ApplicationUnblock {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::case2(HEADER, None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        if apdu.data.is_empty() { Ok(ApplicationUnblock) } else { Err(Status::WRONG_LENGTH) }
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
