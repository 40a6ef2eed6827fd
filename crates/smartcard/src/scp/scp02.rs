//! What SCP02 adds to a session: the MAC over the plain command, then encryption.
//!
//! Standard: SCP02 i=15 and i=55 (three keys, explicit opening, MAC over the modified command, zero ICV first, encrypted ICV
//! later), globalplatform.md section 1.2.
//! Invariant: the kept MAC is the last one that was right.

use keys::Scp02Keys;

use super::SECURE;
use crate::apdu::Apdu;
use crate::gp::Level;

pub(super) const MAC_LENGTH: u8 = 8;

pub(super) struct Chain {
    keys: Scp02Keys,
    level: Level,
    last_mac: [u8; 8],
}

impl Chain {
    /// Behind an EXTERNAL AUTHENTICATE with this MAC.
    pub(super) const fn new(keys: Scp02Keys, level: Level, last_mac: [u8; 8]) -> Self {
        Chain { keys, level, last_mac }
    }

    /// The command as it is sent; `None` if it is too long for that.
    pub(super) fn wrap(&mut self, command: &Apdu) -> Option<Apdu> {
        let mut wrapped = Apdu { cla: command.cla | SECURE, ..command.clone() };
        let (icv, input) = mac_input(&self.keys, Some(self.last_mac), &wrapped);
        let mac = self.keys.retail_mac(icv, &input);
        if self.level.encrypts_commands() && !command.data.is_empty() {
            wrapped.data = self.keys.encrypt(&command.data);
        }
        wrapped.data.extend_from_slice(&mac);
        wrapped.checked_bytes().ok()?;
        self.last_mac = mac;
        Some(wrapped)
    }

    /// The plain command; `None` if its MAC is wrong.
    pub(super) fn unwrap(&mut self, command: &Apdu) -> Option<Apdu> {
        let (data, mac) = command.data.split_last_chunk()?;
        let data = match self.level.encrypts_commands() && !data.is_empty() {
            true => self.keys.decrypt(data)?,
            false => data.to_vec(),
        };
        let plain = Apdu { data, ..command.clone() };
        let (icv, input) = mac_input(&self.keys, Some(self.last_mac), &plain);
        if !self.keys.verify_retail_mac(icv, &input, mac) {
            return None;
        }
        self.last_mac = *mac;
        Some(Apdu { cla: plain.cla & !SECURE, ..plain })
    }

    /// As if a command with this MAC had just passed: for transcripts with gaps.
    #[cfg(test)]
    pub(super) const fn continue_after(&mut self, mac: [u8; 8]) {
        self.last_mac = mac;
    }
}

/// The C-MAC of EXTERNAL AUTHENTICATE.
pub(super) fn authentication_mac(keys: &Scp02Keys, level: Level, host_cryptogram: &[u8]) -> [u8; 8] {
    let (icv, input) = mac_input(keys, None, &authentication(level, host_cryptogram));
    keys.retail_mac(icv, &input)
}

/// Is this the C-MAC of EXTERNAL AUTHENTICATE? In constant time.
pub(super) fn is_authentication_mac(
    keys: &Scp02Keys,
    level: Level,
    host_cryptogram: &[u8],
    mac: &[u8; 8],
) -> bool {
    let (icv, input) = mac_input(keys, None, &authentication(level, host_cryptogram));
    keys.verify_retail_mac(icv, &input, mac)
}

/// EXTERNAL AUTHENTICATE as its MAC sees it.
fn authentication(level: Level, host_cryptogram: &[u8]) -> Apdu {
    Apdu::new([0x84, 0x82, level as u8, 0x00], host_cryptogram, None)
}

/// The ICV of a command's C-MAC, and what the MAC covers: the plain command, whose class says that it is protected, with the
/// length that it has once the MAC stands behind it. `last`: the MAC before, `None` for EXTERNAL AUTHENTICATE.
fn mac_input(keys: &Scp02Keys, last: Option<[u8; 8]>, command: &Apdu) -> ([u8; 8], Vec<u8>) {
    let lc = u8::try_from(command.data.len()).unwrap_or(u8::MAX).saturating_add(MAC_LENGTH);
    let icv = last.map_or([0; 8], |mac| keys.encrypt_icv(mac));
    (icv, [&command.header()[..], &[lc], &command.data].concat())
}

/// What the card's cryptogram covers.
pub(super) fn card_proof(host: &[u8], sequence: u16, card: [u8; 6]) -> Vec<u8> {
    [host, &sequence.to_be_bytes(), &card].concat()
}

/// What the host's cryptogram covers.
pub(super) fn host_proof(host: &[u8], sequence: u16, card: [u8; 6]) -> Vec<u8> {
    [&sequence.to_be_bytes()[..], &card, host].concat()
}
