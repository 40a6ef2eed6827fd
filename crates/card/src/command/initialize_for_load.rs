//! INITIALIZE FOR LOAD (圈存初始化).
//!
//! Standard: PBOC electronic purse, INITIALIZE FOR LOAD (card.md section 1.2).

use keys::LoadOffer;
use model::{PurseFen, TerminalId};
use smartcard::{Apdu, Command, Status};

use super::{expect_header, initialize_data, parse_initialize};
use crate::fields::Fields;

const HEADER: [u8; 4] = [0x80, 0x50, 0x00, 0x02];

/// `80 50 00 02`: asks the card to offer a load. Answered by [`LoadOffer`], 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitializeForLoad {
    /// Which load key.
    pub key_index: u8,
    /// What the purse is to get.
    pub amount: PurseFen,
    /// The load point.
    pub terminal: TerminalId,
}

impl InitializeForLoad {
    /// The answer's data.
    #[must_use]
    pub fn answer(offer: &LoadOffer) -> Vec<u8> {
        let mut data = offer.balance.to_be_bytes().to_vec();
        data.extend(offer.counter.to_be_bytes());
        data.extend([offer.key_version, offer.algorithm]);
        data.extend(offer.random);
        data.extend(offer.mac1);
        data
    }
}

impl Command for InitializeForLoad {
    type Response = LoadOffer;

    fn to_apdu(&self) -> Apdu {
        Apdu::new(HEADER, initialize_data(self.key_index, self.amount, self.terminal), Some(16))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        let (key_index, amount, terminal) = parse_initialize(apdu)?;
        Ok(InitializeForLoad { key_index, amount, terminal })
    }

    /// Here the balance must be exact, top bit and all: MAC1 is made over it.
    fn parse_response(data: &[u8]) -> Option<LoadOffer> {
        let mut fields = Fields::new(data);
        let offer = LoadOffer {
            balance: PurseFen::from_be_bytes(fields.take()?)?,
            counter: u16::from_be_bytes(fields.take()?),
            key_version: fields.byte()?,
            algorithm: fields.byte()?,
            random: fields.take()?,
            mac1: fields.take()?,
        };
        fields.end(offer)
    }
}
