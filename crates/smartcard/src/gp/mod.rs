//! GlobalPlatform: how applications come onto a card, get their keys and data, and are found there.
//!
//! One file a command, both directions: the same type writes the bytes on the host's side and reads them
//! on the card's side. The secure channel around them is [`crate::scp`].
//!
//! Standard: GlobalPlatform Card Specification 2.2.1, globalplatform.md section 1.5, and its Amendment C for
//! contactless activation ([`crs`]), section 2.
//! Invariant: what a command type cannot hold, its card side refuses with the status word of the standard.

mod aid;
mod card_data;
mod cplc;
pub mod crs;
mod delete;
pub mod dgi;
mod external_authenticate;
mod get_data;
mod get_status;
mod initialize_update;
mod install;
pub mod key_block;
mod level;
mod load;
mod manage_channel;
mod package;
mod privilege;
mod put_key;
mod put_public_key;
mod select;
mod set_status;
mod store_data;
#[cfg(test)]
mod tests;
mod token;

pub use aid::Aid;
pub use card_data::CardData;
pub use cplc::Cplc;
pub use delete::{Delete, DeleteKey};
pub use external_authenticate::ExternalAuthenticate;
pub use get_data::{GetData, GetValue};
pub use get_status::{Entry, GetStatus, Scope};
pub use initialize_update::{InitializeUpdate, InitializeUpdateAnswer, Offer};
pub use install::{Install, InstallApplication, InstallLoad, InstallParameters, Lengths, RegistryUpdate};
pub use level::Level;
pub use load::{Dap, Load, LoadFile};
pub use manage_channel::{ManageChannel, on_basic_channel};
pub use package::Package;
pub use privilege::{Privilege, Privileges};
pub use put_key::{PutKey, PutKeyAnswer};
pub use put_public_key::PutPublicKey;
pub use select::{Fci, Select};
pub use set_status::{LifeCycle, SetStatus, StatusScope};
pub use store_data::StoreData;
pub use token::{Confirmation, Receipt, Tokened};

use crate::apdu::{Apdu, Status};

/// The expected length that every command with an answer carries: all there is, up to 256 bytes.
const ALL: Option<u16> = Some(256);

/// Class and instruction must fit the command type.
fn expect(apdu: &Apdu, cla: u8, ins: u8) -> Result<(), Status> {
    if apdu.cla != cla {
        Err(Status::WRONG_CLA)
    } else if apdu.ins != ins {
        Err(Status::WRONG_INS)
    } else {
        Ok(())
    }
}

/// The answer of a command that changes the card: nothing, or `00` for "no receipt".
fn no_receipt(data: &[u8]) -> Option<()> {
    matches!(data, [] | [0]).then_some(())
}
