//! INITIALIZE FOR PURCHASE and INITIALIZE FOR CAPP PURCHASE (消费初始化, 复合应用消费初始化).
//!
//! Standard: PBOC electronic purse (card.md section 1.3).

use model::{PurseFen, TerminalId, TxnType};
use smartcard::{Apdu, Command, Status};

use super::{expect, initialize_data, lenient_balance, parse_initialize};
use crate::fields::Fields;

/// `80 50 01|03 02`: asks the card to offer a purchase. Answered by [`PurchaseOffer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitializeForPurchase {
    /// Purchase or compound purchase.
    pub kind: PurchaseKind,
    /// Which purchase key, as the PSAM's file 17 says.
    pub key_index: u8,
    /// What the purse is to lose.
    pub amount: PurseFen,
    /// The reader.
    pub terminal: TerminalId,
}

/// The two ways to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurchaseKind {
    /// Purchase, type `06`.
    Plain,
    /// Compound purchase, type `09`: also writes records.
    Compound,
}

/// What the card offers: everything the PSAM needs to make MAC1. 15 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseOffer {
    /// The purse before the purchase.
    pub balance: PurseFen,
    /// The offline counter before the purchase.
    pub counter: u16,
    /// 0 on transit cards.
    pub overdraft_limit: [u8; 3],
    /// Version of the card's purchase key.
    pub key_version: u8,
    /// Algorithm of the card's purchase key; 0 is 3DES.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
}

impl PurchaseKind {
    /// The type byte in every MAC and record.
    #[must_use]
    pub const fn txn_type(self) -> TxnType {
        match self {
            PurchaseKind::Plain => TxnType::Purchase,
            PurchaseKind::Compound => TxnType::Compound,
        }
    }
}

impl PurchaseOffer {
    /// The answer's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.balance.to_be_bytes().to_vec();
        bytes.extend(self.counter.to_be_bytes());
        bytes.extend(self.overdraft_limit);
        bytes.extend([self.key_version, self.algorithm]);
        bytes.extend(self.random);
        bytes
    }
}

impl Command for InitializeForPurchase {
    type Response = PurchaseOffer;

    fn to_apdu(&self) -> Apdu {
        let p1 = match self.kind {
            PurchaseKind::Plain => 0x01,
            PurchaseKind::Compound => 0x03,
        };
        Apdu::new(
            [0x80, 0x50, p1, 0x02],
            initialize_data(self.key_index, self.amount, self.terminal),
            Some(15),
        )
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0x50)?;
        let kind = match (apdu.p1, apdu.p2) {
            (0x01, 0x02) => PurchaseKind::Plain,
            (0x03, 0x02) => PurchaseKind::Compound,
            _ => return Err(Status::WRONG_P1P2),
        };
        let (key_index, amount, terminal) = parse_initialize(apdu)?;
        Ok(InitializeForPurchase { kind, key_index, amount, terminal })
    }

    fn parse_response(data: &[u8]) -> Option<PurchaseOffer> {
        let mut fields = Fields::new(data);
        let offer = PurchaseOffer {
            balance: lenient_balance(fields.take()?)?,
            counter: u16::from_be_bytes(fields.take()?),
            overdraft_limit: fields.take()?,
            key_version: fields.byte()?,
            algorithm: fields.byte()?,
            random: fields.take()?,
        };
        fields.end(offer)
    }
}
