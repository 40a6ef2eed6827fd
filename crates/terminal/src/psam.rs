//! The reader's security module (消费安全存取模块, PSAM): holds the purchase keys and numbers the transactions.
//!
//! Standard: PSAM files and commands of the MoHURD terminals (card.md section 4). A national PSAM holds the
//! root purchase key and derives root, city, card; a city's PSAM holds its city's key and derives the card's.
//! Invariant: a transaction number is never given twice, whatever is killed when.

mod command;
mod facts;
mod software;
mod store;

pub use command::{AuthenticationMessage, CreditSamForPurchase, Diversifiers, InitSamForPurchase, SamOffer};
pub use facts::{PsamError, PsamFacts};
pub use software::{PsamIdentity, SoftwarePsam};
pub use store::{FilePsamStore, MemoryPsamStore, PsamState, PsamStore};

use card::layout::Sfi;

/// Name of the purchase application: 建设部 in GB 2312.
pub const APPLICATION_NAME: [u8; 6] = [0xBD, 0xA8, 0xC9, 0xE8, 0xB2, 0xBF];
/// Its file id.
pub const APPLICATION_ID: u16 = 0x1001;

/// In the root: the PSAM's own number. This project's layout: number 10 (two zeros and the eight bytes of
/// `PsamId`), version 1, kind 1, reserved 2.
const NUMBER: Sfi = Sfi::PUBLIC_INFO;
/// In the root: the terminal's number, 6 bytes.
const TERMINAL: Sfi = Sfi::HOLDER;
/// In the application: the first byte is the index of the purchase key.
const KEY_INDEX: Sfi = Sfi::COMPOUND;
