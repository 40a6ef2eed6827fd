//! APPLICATION BLOCK (应用锁定).
//!
//! Standard: PBOC security command, always with a MAC (card.md section 1.6).

use smartcard::{Apdu, Command, Status};

use super::expect;

/// `84 1E 00 00|01`, always in [`Protected`](super::Protected): stops the application from moving money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplicationBlock {
    /// For ever, or until APPLICATION UNBLOCK.
    pub permanent: bool,
}

impl Command for ApplicationBlock {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::case2([0x80, 0x1E, 0x00, u8::from(self.permanent)], None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0x1E)?;
        if !apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        match (apdu.p1, apdu.p2) {
            (0, 0) => Ok(ApplicationBlock { permanent: false }),
            (0, 1) => Ok(ApplicationBlock { permanent: true }),
            _ => Err(Status::WRONG_P1P2),
        }
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
