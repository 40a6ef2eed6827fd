//! The host's side of SCP02: [`Opening`] becomes [`Session`] once the card has proved its keys.
//!
//! Standard: SCP02 i=15, globalplatform.md section 1.2.

use keys::ChannelKeys;

use super::{SECURE, authentication, card_proof, command_mac, host_proof};
use crate::apdu::{Apdu, Command};
use crate::gp::{ExternalAuthenticate, InitializeUpdate, InitializeUpdateAnswer, Level};

/// INITIALIZE UPDATE is to be sent, or its answer is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    command: InitializeUpdate,
}

/// The card is known; commands are wrapped in order.
pub struct Session {
    keys: ChannelKeys,
    level: Level,
    last_mac: [u8; 8],
}

/// The card did not prove that it holds the keys we took for its own. Trying on may lock the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card's cryptogram is wrong for key version {key_version:02X} at sequence counter {sequence}")]
pub struct WrongCryptogram {
    /// The key set that answered.
    pub key_version: u8,
    /// Its sequence counter.
    pub sequence: u16,
}

impl Opening {
    /// With a challenge that was never used before. `key_version` `00`: the card's default key set.
    #[must_use]
    pub const fn new(key_version: u8, host_challenge: [u8; 8]) -> Self {
        Opening { command: InitializeUpdate { key_version, host_challenge } }
    }

    /// What to send.
    #[must_use]
    pub const fn command(&self) -> &InitializeUpdate {
        &self.command
    }

    /// Checks the card's proof and gives ours: the EXTERNAL AUTHENTICATE to send, and the session that holds
    /// once the card has answered `9000`. `keys` are derived from the answer's counter.
    ///
    /// # Errors
    /// [`WrongCryptogram`]: nothing is to be sent.
    pub fn authenticate(
        self,
        answer: &InitializeUpdateAnswer,
        keys: ChannelKeys,
        level: Level,
    ) -> Result<(Apdu, Session), WrongCryptogram> {
        let (host, card) = (self.command.host_challenge, answer.card_challenge);
        if !keys.verify_cryptogram(&card_proof(host, answer.sequence, card), &answer.card_cryptogram) {
            return Err(WrongCryptogram { key_version: answer.key_version, sequence: answer.sequence });
        }
        let host_cryptogram = keys.cryptogram(&host_proof(host, answer.sequence, card));
        let mac = command_mac(&keys, None, &authentication(level, host_cryptogram));
        let command = ExternalAuthenticate { level, host_cryptogram, mac };
        Ok((command.to_apdu(), Session { keys, level, last_mac: mac }))
    }
}

impl Session {
    /// The command as it is sent. Commands must be sent in the order in which they were wrapped, and none left out.
    ///
    /// Up to [`super::MAX_DATA`] bytes of data always fit. What is longer than its level can carry comes back too long
    /// for a short APDU, so that [`Apdu::checked_bytes`] refuses it; the session goes on as if it had not been asked.
    #[must_use]
    pub fn wrap(&mut self, command: &Apdu) -> Apdu {
        if self.level == Level::Plain {
            return command.clone();
        }
        let mut wrapped = Apdu { cla: command.cla | SECURE, ..command.clone() };
        let mac = command_mac(&self.keys, Some(self.last_mac), &wrapped);
        if self.level == Level::MacAndEncryption && !command.data.is_empty() {
            wrapped.data = self.keys.encrypt(&command.data);
        }
        wrapped.data.extend_from_slice(&mac);
        if wrapped.checked_bytes().is_ok() {
            self.last_mac = mac;
        }
        wrapped
    }

    /// The session's keys, to wrap keys for PUT KEY and STORE DATA.
    #[must_use]
    pub const fn keys(&self) -> &ChannelKeys {
        &self.keys
    }

    /// How commands are protected.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// As if a command with this MAC had just been sent: for transcripts with gaps.
    #[cfg(test)]
    pub(super) const fn continue_after(&mut self, mac: [u8; 8]) {
        self.last_mac = mac;
    }
}
