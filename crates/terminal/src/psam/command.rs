//! The commands a terminal and its PSAM speak beside SELECT and READ BINARY, each in both directions.
//!
//! Standard: PSAM commands of the MoHURD terminals (card.md section 4).

mod authentication_message;
mod credit_sam;
mod init_sam;

pub use authentication_message::AuthenticationMessage;
pub use credit_sam::CreditSamForPurchase;
pub use init_sam::{Diversifiers, InitSamForPurchase, SamOffer};

use smartcard::{Apdu, Status};

/// Whether the header is the one the command has.
fn expect_header(apdu: &Apdu, header: [u8; 4]) -> Result<(), Status> {
    let [cla, ins, ..] = header;
    if apdu.cla != cla {
        Err(Status::WRONG_CLA)
    } else if apdu.ins != ins {
        Err(Status::WRONG_INS)
    } else if apdu.header() != header {
        Err(Status::WRONG_P1P2)
    } else {
        Ok(())
    }
}
