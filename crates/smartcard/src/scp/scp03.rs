//! What SCP03 adds to a session: encryption, then the MAC over the ciphertext; the same for answers.
//!
//! Standard: SCP03, globalplatform.md section 1.3. A C-MAC is 16 bytes, of which the first 8 (S16: all) are sent and all chain.
//! Invariant: an answer is protected under its own command's MAC and number, so no answer can stand for another's.

use keys::{EncryptionCounter, Scp03Keys};

use super::SECURE;
use crate::apdu::{Apdu, Response, Status};
use crate::gp::Level;

pub(super) struct Chain {
    keys: Scp03Keys,
    level: Level,
    /// Bytes of a MAC.
    width: usize,
    counter: EncryptionCounter,
    at: Point,
}

/// Where a session stands behind a command: what its answer is protected under.
#[derive(Clone, Copy)]
pub(super) struct Point {
    chaining: [u8; 16],
    /// The command's number, from 1.
    number: u64,
}

impl Chain {
    /// Behind an EXTERNAL AUTHENTICATE with this MAC.
    pub(super) const fn new(
        keys: Scp03Keys,
        level: Level,
        width: usize,
        counter: EncryptionCounter,
        chaining: [u8; 16],
    ) -> Self {
        Chain { keys, level, width, counter, at: Point { chaining, number: 0 } }
    }

    /// The command as it is sent; `None` if it is too long for that.
    pub(super) fn wrap(&mut self, command: &Apdu) -> Option<Apdu> {
        let number = self.numbered(!command.data.is_empty());
        let mut wrapped = Apdu { cla: command.cla | SECURE, ..command.clone() };
        if self.level.encrypts_commands() && !command.data.is_empty() {
            wrapped.data = self.keys.encrypt_command(number, &command.data);
        }
        let mac = self.keys.command_mac(self.at.chaining, &signed(&wrapped, self.width));
        wrapped.data.extend(mac.iter().take(self.width));
        wrapped.checked_bytes().ok()?;
        self.at = Point { chaining: mac, number };
        Some(wrapped)
    }

    /// The plain command; `None` if its MAC is wrong.
    pub(super) fn unwrap(&mut self, command: &Apdu) -> Option<Apdu> {
        let (data, mac) = command.data.split_at_checked(command.data.len().checked_sub(self.width)?)?;
        let enciphered = Apdu { data: data.to_vec(), ..command.clone() };
        let signed = signed(&enciphered, self.width);
        let chaining = self.keys.verify_command_mac(self.at.chaining, &signed, mac)?;
        let number = self.numbered(!data.is_empty());
        let data = match self.level.encrypts_commands() && !data.is_empty() {
            true => self.keys.decrypt_command(number, data)?,
            false => enciphered.data,
        };
        self.at = Point { chaining, number };
        Some(Apdu { cla: command.cla & !SECURE, data, ..command.clone() })
    }

    /// Behind the last command.
    pub(super) const fn point(&self) -> Point {
        self.at
    }

    /// The answer to the last command as it is sent. Errors go bare.
    pub(super) fn protect(&self, response: Response) -> Response {
        if !self.level.signs_answers() || !is_protected(response.status) {
            return response;
        }
        let Response { mut data, status } = response;
        if self.level.encrypts_answers() && !data.is_empty() {
            data = self.keys.encrypt_response(self.at.number, &data);
        }
        let mac = self.keys.response_mac(self.at.chaining, &answered(&data, status));
        data.extend(mac.iter().take(self.width));
        Response { data, status }
    }

    /// The plain answer to the command that led to `at`; `None` if its MAC is wrong.
    pub(super) fn open(&self, at: Point, response: &Response) -> Option<Response> {
        if !self.level.signs_answers() || !is_protected(response.status) {
            return Some(response.clone());
        }
        let end = response.data.len().checked_sub(self.width)?;
        let (data, mac) = response.data.split_at_checked(end)?;
        if !self.keys.verify_response_mac(at.chaining, &answered(data, response.status), mac) {
            return None;
        }
        let data = match self.level.encrypts_answers() && !data.is_empty() {
            true => self.keys.decrypt_response(at.number, data)?,
            false => data.to_vec(),
        };
        Some(Response { data, status: response.status })
    }

    /// How many bytes of plain data an answer may have.
    pub(super) const fn longest_answer(&self) -> usize {
        match (self.level.signs_answers(), self.level.encrypts_answers()) {
            (_, true) => 239, // 15 whole blocks with their padding; 8 or 16 bytes of MAC still fit
            (true, false) => 256_usize.saturating_sub(self.width),
            (false, false) => 256,
        }
    }

    /// The next command's number, as this element counts.
    const fn numbered(&self, has_data: bool) -> u64 {
        match self.counter {
            EncryptionCounter::OnlyWithData if !has_data => self.at.number,
            EncryptionCounter::EveryCommand | EncryptionCounter::OnlyWithData => {
                self.at.number.saturating_add(1)
            }
        }
    }
}

/// The whole C-MAC of EXTERNAL AUTHENTICATE.
pub(super) fn authentication_mac(keys: &Scp03Keys, level: Level, host_cryptogram: &[u8]) -> [u8; 16] {
    keys.command_mac([0; 16], &authentication(level, host_cryptogram))
}

/// The whole C-MAC of EXTERNAL AUTHENTICATE, if `mac` is how it begins. In constant time.
pub(super) fn checked_authentication_mac(
    keys: &Scp03Keys,
    level: Level,
    host_cryptogram: &[u8],
    mac: &[u8],
) -> Option<[u8; 16]> {
    keys.verify_command_mac([0; 16], &authentication(level, host_cryptogram), mac)
}

/// EXTERNAL AUTHENTICATE as its MAC sees it; MAC and cryptogram are of one length.
fn authentication(level: Level, host_cryptogram: &[u8]) -> Vec<u8> {
    let command = Apdu::new([0x84, 0x82, level as u8, 0x00], host_cryptogram, None);
    signed(&command, host_cryptogram.len())
}

/// What a C-MAC covers besides the chaining value: the command with the length that it has once the MAC stands behind it.
fn signed(command: &Apdu, width: usize) -> Vec<u8> {
    let lc = u8::try_from(command.data.len().saturating_add(width)).unwrap_or(u8::MAX);
    [&command.header()[..], &[lc], &command.data].concat()
}

/// What an R-MAC covers besides the chaining value.
fn answered(data: &[u8], status: Status) -> Vec<u8> {
    [data, &status.0.to_be_bytes()].concat()
}

/// `9000` and warnings are protected, errors come bare.
const fn is_protected(status: Status) -> bool {
    matches!(status.0, 0x9000 | 0x6200..=0x63FF)
}
