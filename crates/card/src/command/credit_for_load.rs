//! CREDIT FOR LOAD (圈存): the host's word that the money may go on the card.
//!
//! Standard: PBOC electronic purse, CREDIT FOR LOAD (card.md section 1.2).

use model::{CardTime, Tac};
use smartcard::{Apdu, Command, Status};

use super::{exact, expect_header};
use crate::fields::Fields;

const HEADER: [u8; 4] = [0x80, 0x52, 0x00, 0x00];

/// `80 52 00 00`: credits the amount of INITIALIZE FOR LOAD. Answered by the TAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditForLoad {
    /// The host's date and time, as in MAC2 and the TAC.
    pub at: CardTime,
    /// The host's MAC2.
    pub mac2: [u8; 4],
}

impl CreditForLoad {
    /// The answer's data.
    #[must_use]
    pub fn answer(tac: Tac) -> Vec<u8> {
        tac.0.to_vec()
    }
}

impl Command for CreditForLoad {
    type Response = Tac;

    fn to_apdu(&self) -> Apdu {
        let mut data = self.at.date_bcd().to_vec();
        data.extend(self.at.time_bcd());
        data.extend(self.mac2);
        Apdu::new(HEADER, data, Some(4))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        let data = exact::<11>(apdu)?;
        let mut fields = Fields::new(&data);
        let (Some(date), Some(time), Some(mac2)) = (fields.take(), fields.take(), fields.take()) else {
            return Err(Status::WRONG_LENGTH);
        };
        let at = CardTime::from_bcd(date, time).ok_or(Status::WRONG_DATA)?;
        Ok(CreditForLoad { at, mac2 })
    }

    fn parse_response(data: &[u8]) -> Option<Tac> {
        data.try_into().ok().map(Tac)
    }
}
