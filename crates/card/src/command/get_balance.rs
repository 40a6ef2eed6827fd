//! GET BALANCE (读余额).
//!
//! Standard: PBOC electronic purse, GET BALANCE; P2 `02` is the purse (card.md section 1.2).

use model::PurseFen;
use smartcard::{Apdu, Command, Status};

use super::{expect_header, lenient_balance};

const HEADER: [u8; 4] = [0x80, 0x5C, 0x00, 0x02];

/// `80 5C 00 02`: asks for the purse's balance. Answered by 4 bytes, whose top bit says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetBalance;

impl GetBalance {
    /// The answer's data.
    #[must_use]
    pub fn answer(balance: PurseFen) -> Vec<u8> {
        balance.to_be_bytes().to_vec()
    }
}

impl Command for GetBalance {
    type Response = PurseFen;

    fn to_apdu(&self) -> Apdu {
        Apdu::case2(HEADER, Some(4))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        if apdu.data.is_empty() { Ok(GetBalance) } else { Err(Status::WRONG_LENGTH) }
    }

    fn parse_response(data: &[u8]) -> Option<PurseFen> {
        lenient_balance(data.try_into().ok()?)
    }
}
