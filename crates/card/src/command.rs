//! The commands of the transit application, one file each, each in both directions: the terminal writes it
//! and reads its answer, the card reads it and writes its answer.
//!
//! Standard: PBOC electronic purse with the CJ/T 166 additions (card.md section 1).
//! Invariant: [`Command::from_apdu`] of [`Command::to_apdu`] is the same command.
//!
//! [`Command`]: smartcard::Command
//! [`Command::from_apdu`]: smartcard::Command::from_apdu
//! [`Command::to_apdu`]: smartcard::Command::to_apdu

mod application_block;
mod application_unblock;
mod credit_for_load;
mod debit_for_purchase;
mod external_authenticate;
mod get_balance;
mod get_challenge;
mod get_message;
mod get_transaction_prove;
mod initialize_for_load;
mod initialize_for_purchase;
mod internal_authenticate;
mod place;
mod protected;
mod read_binary;
mod read_record;
mod select;
mod update_binary;
mod update_capp_data_cache;
mod update_record;
mod verify_pin;

pub use application_block::ApplicationBlock;
pub use application_unblock::ApplicationUnblock;
pub use credit_for_load::CreditForLoad;
pub use debit_for_purchase::{DebitForPurchase, DebitProof};
pub use external_authenticate::ExternalAuthenticate;
pub use get_balance::GetBalance;
pub use get_challenge::{ChallengeLength, GetChallenge};
pub use get_message::GetMessage;
pub use get_transaction_prove::{GetTransactionProve, TransactionProof};
pub use initialize_for_load::InitializeForLoad;
pub use initialize_for_purchase::{InitializeForPurchase, PurchaseKind, PurchaseOffer};
pub use internal_authenticate::InternalAuthenticate;
pub use place::{BinaryPlace, RecordPlace};
pub use protected::Protected;
pub use read_binary::ReadBinary;
pub use read_record::{ReadRecord, Records};
pub use select::{SelectApplication, SelectFile};
pub use update_binary::UpdateBinary;
pub use update_capp_data_cache::UpdateCappDataCache;
pub use update_record::UpdateRecord;
pub use verify_pin::{Pin, VerifyPin};

use model::{PurseFen, TerminalId};
use smartcard::{Apdu, Status};

use crate::fields::Fields;

/// Class and instruction, as the applet looks commands up.
fn expect(apdu: &Apdu, cla: u8, ins: u8) -> Result<(), Status> {
    if apdu.cla != cla {
        return Err(Status::WRONG_CLA);
    }
    if apdu.ins == ins { Ok(()) } else { Err(Status::WRONG_INS) }
}

/// [`expect`], and both parameters.
fn expect_header(apdu: &Apdu, header: [u8; 4]) -> Result<(), Status> {
    let [cla, ins, ..] = header;
    expect(apdu, cla, ins)?;
    if apdu.header() == header { Ok(()) } else { Err(Status::WRONG_P1P2) }
}

/// Command data of exactly `N` bytes.
fn exact<const N: usize>(apdu: &Apdu) -> Result<[u8; N], Status> {
    apdu.data.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)
}

/// Key index, amount and terminal number: the data of every INITIALIZE command.
fn initialize_data(key_index: u8, amount: PurseFen, terminal: TerminalId) -> Vec<u8> {
    let mut data = vec![key_index];
    data.extend(amount.to_be_bytes());
    data.extend(terminal.bytes());
    data
}

/// [`initialize_data`] read back.
fn parse_initialize(apdu: &Apdu) -> Result<(u8, PurseFen, TerminalId), Status> {
    let data = exact::<11>(apdu)?;
    let mut fields = Fields::new(&data);
    let parts = (fields.byte(), fields.take().and_then(PurseFen::from_be_bytes), fields.take());
    let (Some(key_index), Some(amount), Some(terminal)) = parts else { return Err(Status::WRONG_DATA) };
    Ok((key_index, amount, TerminalId::new(terminal)))
}

/// A balance as cards in the field give it: the top bit says nothing and is dropped.
fn lenient_balance([first, rest @ ..]: [u8; 4]) -> Option<PurseFen> {
    let [b, c, d] = rest;
    PurseFen::from_be_bytes([first & 0x7F, b, c, d])
}
