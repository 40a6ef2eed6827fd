//! Secure channel protocol 02 (安全通道): host and card prove their keys to each other, then each command
//! carries a MAC and, if asked, its data is encrypted.
//!
//! Standard: GlobalPlatform SCP02, variant i=15 (three keys, explicit opening, MAC over the modified command, zero ICV first,
//! encrypted ICV later), globalplatform.md section 1.2. The host's side serves i=55 as well: it differs only in how the
//! card chooses its challenge. There are no response MACs in either.
//! Invariant: the MAC covers the plain command, encryption comes after it; each MAC starts from the one before;
//! keys stay inside [`keys::ChannelKeys`].
//!
//! Commands come here on the basic logical channel: the MAC is computed as if there were no other, so who
//! serves several takes their number off the class byte first.

mod card;
mod host;
#[cfg(test)]
mod tests;

pub use card::{CardChannel, KeySet};
pub use host::{Opening, Session, WrongCryptogram};

use keys::ChannelKeys;

use crate::apdu::Apdu;
use crate::gp::Level;

/// How many bytes of plain data a command may have so that every level can carry it: what a short command
/// holds, less the MAC, cut to whole cipher blocks, less one byte of padding.
pub const MAX_DATA: usize = 239;

/// Bit of the class byte: the command is protected.
const SECURE: u8 = 0x04;
const MAC_LENGTH: u8 = 8;

/// The ICV of a command's C-MAC, and what the MAC covers: the plain command, whose class says that it is protected, with the
/// length that it has once the MAC stands behind it. `last`: the MAC before, `None` for EXTERNAL AUTHENTICATE.
fn mac_input(keys: &ChannelKeys, last: Option<[u8; 8]>, command: &Apdu) -> ([u8; 8], Vec<u8>) {
    let lc = u8::try_from(command.data.len()).unwrap_or(u8::MAX).saturating_add(MAC_LENGTH);
    let icv = last.map_or([0; 8], |mac| keys.encrypt_icv(mac));
    (icv, [&command.header()[..], &[lc], &command.data].concat())
}

/// The C-MAC, on the host's side.
fn command_mac(keys: &ChannelKeys, last: Option<[u8; 8]>, command: &Apdu) -> [u8; 8] {
    let (icv, input) = mac_input(keys, last, command);
    keys.retail_mac(icv, &input)
}

/// Is this the C-MAC? On the card's side, in constant time.
fn is_command_mac(keys: &ChannelKeys, last: Option<[u8; 8]>, command: &Apdu, mac: &[u8; 8]) -> bool {
    let (icv, input) = mac_input(keys, last, command);
    keys.verify_retail_mac(icv, &input, mac)
}

/// EXTERNAL AUTHENTICATE as its MAC sees it.
fn authentication(level: Level, host_cryptogram: [u8; 8]) -> Apdu {
    Apdu::new([0x84, 0x82, level as u8, 0x00], host_cryptogram, None)
}

/// What the card's cryptogram covers.
fn card_proof(host: [u8; 8], sequence: u16, card: [u8; 6]) -> Vec<u8> {
    [&host[..], &sequence.to_be_bytes(), &card].concat()
}

/// What the host's cryptogram covers.
fn host_proof(host: [u8; 8], sequence: u16, card: [u8; 6]) -> Vec<u8> {
    [&sequence.to_be_bytes()[..], &card, &host].concat()
}
