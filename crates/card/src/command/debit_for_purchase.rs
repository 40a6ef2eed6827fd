//! DEBIT FOR PURCHASE and DEBIT FOR CAPP PURCHASE (消费, 复合应用消费): the terminal's word, the card's proof.
//!
//! Standard: PBOC electronic purse, DEBIT FOR PURCHASE (card.md section 1.3).

use model::{CardTime, Tac};
use smartcard::{Apdu, Command, Status};

use super::{exact, expect_header};
use crate::fields::Fields;

const HEADER: [u8; 4] = [0x80, 0x54, 0x01, 0x00];

/// `80 54 01 00`: debits the amount of INITIALIZE FOR (CAPP) PURCHASE. Answered by [`DebitProof`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebitForPurchase {
    /// The PSAM's transaction counter.
    pub terminal_seq: u32,
    /// The terminal's date and time, as in MAC1 and the TAC.
    pub at: CardTime,
    /// The PSAM's MAC1.
    pub mac1: [u8; 4],
}

/// TAC for the centre, MAC2 for the PSAM: in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebitProof {
    /// Proves the purchase to the issuer and the centre.
    pub tac: Tac,
    /// Proves the card to the PSAM.
    pub mac2: [u8; 4],
}

impl DebitProof {
    /// The answer's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.tac.0, self.mac2].concat()
    }
}

impl Command for DebitForPurchase {
    type Response = DebitProof;

    fn to_apdu(&self) -> Apdu {
        let mut data = self.terminal_seq.to_be_bytes().to_vec();
        data.extend(self.at.date_bcd());
        data.extend(self.at.time_bcd());
        data.extend(self.mac1);
        Apdu::new(HEADER, data, Some(8))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        let data = exact::<15>(apdu)?;
        let mut fields = Fields::new(&data);
        let parts = (fields.take(), fields.take(), fields.take(), fields.take());
        let (Some(seq), Some(date), Some(time), Some(mac1)) = parts else { return Err(Status::WRONG_LENGTH) };
        let at = CardTime::from_bcd(date, time).ok_or(Status::WRONG_DATA)?;
        Ok(DebitForPurchase { terminal_seq: u32::from_be_bytes(seq), at, mac1 })
    }

    fn parse_response(data: &[u8]) -> Option<DebitProof> {
        let mut fields = Fields::new(data);
        let proof = DebitProof { tac: Tac(fields.take()?), mac2: fields.take()? };
        fields.end(proof)
    }
}
