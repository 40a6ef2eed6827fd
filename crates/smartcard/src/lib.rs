//! What all chip cards share: APDUs, TLV, status words; GlobalPlatform commands and the secure channel SCP02;
//! readers as a [`Channel`].

mod apdu;
mod channel;

pub use apdu::{Apdu, ApduError, Command, Response, Status};
pub use channel::{Channel, ChannelError};
