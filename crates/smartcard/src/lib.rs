//! What all chip cards share: APDUs, TLV, status words; GlobalPlatform commands and the secure channels SCP02 and SCP03;
//! readers as a [`Channel`].
//!
//! Invariant: sans-I/O but for [`vpcd`], which is handed its stream; a command's two directions are one type.

mod apdu;
mod channel;
pub mod gp;
pub mod scp;
pub mod tlv;
mod transcript;
#[cfg(test)]
mod vectors;
pub mod vpcd;
mod whole;

pub use apdu::{Apdu, ApduError, Command, Response, Status};
pub use channel::{Channel, ChannelError};
pub use transcript::Transcript;
pub use whole::whole;
