//! GET TRANSACTION PROVE (取交易认证): the answer of a transaction whose answer was lost.
//!
//! Standard: PBOC electronic purse, GET TRANSACTION PROVE (card.md section 1.5). Sources disagree on the number
//! to ask with; ours is the one that stands in the log after the transaction.

use model::{Tac, TxnType};
use smartcard::{Apdu, Command, Status};

use super::{exact, expect};
use crate::fields::Fields;

/// `80 5A 00 type`: asks for the MAC and TAC of the last transaction of a type. Answered by
/// [`TransactionProof`], or `9406` if that transaction did not take place.
///
/// `counter` is the number the log has for the transaction: that of the INITIALIZE answer plus one, or, for an
/// amount 0 that does not move the counter, that of the INITIALIZE answer itself. In the second case an earlier
/// paid transaction may have the same number: compare the trip record with the one sent, or let the PSAM
/// check MAC2 (its session key is of this transaction alone), before the answer is taken as proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetTransactionProve {
    /// Load, purchase or compound purchase.
    pub kind: TxnType,
    /// The counter after the transaction.
    pub counter: u16,
}

/// MAC and TAC, in this order: the reverse of DEBIT FOR PURCHASE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionProof {
    /// MAC2 of a purchase; `00000000` for a load.
    pub mac: [u8; 4],
    /// The TAC.
    pub tac: Tac,
}

impl TransactionProof {
    /// The answer's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.mac, self.tac.0].concat()
    }
}

impl Command for GetTransactionProve {
    type Response = TransactionProof;

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x80, 0x5A, 0x00, self.kind.code()], self.counter.to_be_bytes(), Some(8))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0x5A)?;
        let kind = TxnType::from_code(apdu.p2).filter(|_| apdu.p1 == 0).ok_or(Status::WRONG_P1P2)?;
        Ok(GetTransactionProve { kind, counter: u16::from_be_bytes(exact(apdu)?) })
    }

    fn parse_response(data: &[u8]) -> Option<TransactionProof> {
        let mut fields = Fields::new(data);
        let proof = TransactionProof { mac: fields.take()?, tac: Tac(fields.take()?) };
        fields.end(proof)
    }
}
