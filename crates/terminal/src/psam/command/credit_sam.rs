//! CREDIT SAM FOR PURCHASE: the PSAM checks the card's MAC2.
//!
//! Standard: PSAM command `80 72` (card.md section 4); `9302` is a wrong MAC2.

use smartcard::{Apdu, Command, Status};

use super::expect_header;

const HEADER: [u8; 4] = [0x80, 0x72, 0x00, 0x00];

/// `80 72 00 00 04`: ends the purchase begun by INIT SAM FOR PURCHASE. Answered by the status word alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditSamForPurchase {
    /// The card's MAC2.
    pub mac2: [u8; 4],
}

impl Command for CreditSamForPurchase {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::new(HEADER, self.mac2, None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        let mac2 = apdu.data.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)?;
        Ok(CreditSamForPurchase { mac2 })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
