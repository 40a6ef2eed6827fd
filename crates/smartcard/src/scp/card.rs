//! The card's side of SCP02, for any security domain.
//!
//! Standard: SCP02 i=15, globalplatform.md section 1.2.
//! Invariant: the sequence counter rises when a host has shown that it holds the MAC key, so no session
//! keys are used by two sessions; after a wrong MAC nothing is accepted until the channel is opened anew.

use std::mem;

use keys::{ChannelKeys, StaticKeys};

use super::{SECURE, authentication, card_proof, host_proof, is_command_mac};
use crate::apdu::{Apdu, Status};
use crate::gp::{ExternalAuthenticate, InitializeUpdate, InitializeUpdateAnswer, Level};

/// One key set of a security domain, as INITIALIZE UPDATE needs it.
pub struct KeySet<'a> {
    /// What the keys were made from.
    pub diversification: [u8; 10],
    /// Version of the key set.
    pub version: u8,
    /// Its sequence counter.
    pub sequence: u16,
    /// Its keys.
    pub keys: &'a StaticKeys,
}

/// A security domain's end of the channel. Volatile: a reset begins with a new one.
#[derive(Default)]
pub struct CardChannel {
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Closed,
    /// INITIALIZE UPDATE was answered.
    Offered(Offer),
    /// The host is known.
    Open(Open),
    /// A MAC was wrong.
    Aborted,
}

struct Offer {
    keys: ChannelKeys,
    sequence: u16,
    host_challenge: [u8; 8],
    card_challenge: [u8; 6],
}

struct Open {
    keys: ChannelKeys,
    level: Level,
    last_mac: [u8; 8],
}

impl CardChannel {
    /// A closed channel.
    #[must_use]
    pub fn new() -> Self {
        CardChannel::default()
    }

    /// Ends the session, or the wait after an aborted one: on SELECT and on reset.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// The level and keys of an open session. A domain asks this before it obeys a command that needs one.
    #[must_use]
    pub const fn session(&self) -> Option<(Level, &ChannelKeys)> {
        match &self.state {
            State::Open(open) => Some((open.level, &open.keys)),
            State::Closed | State::Offered(_) | State::Aborted => None,
        }
    }

    /// Answers INITIALIZE UPDATE from the key set that was asked for, with a fresh challenge. Any session ends.
    pub fn initialize_update(
        &mut self,
        command: &InitializeUpdate,
        set: &KeySet<'_>,
        card_challenge: [u8; 6],
    ) -> InitializeUpdateAnswer {
        let keys = ChannelKeys::derive(set.keys, set.sequence);
        let host_challenge = command.host_challenge;
        let card_cryptogram = keys.cryptogram(&card_proof(host_challenge, set.sequence, card_challenge));
        self.state = State::Offered(Offer { keys, sequence: set.sequence, host_challenge, card_challenge });
        InitializeUpdateAnswer {
            diversification: set.diversification,
            key_version: set.version,
            sequence: set.sequence,
            card_challenge,
            card_cryptogram,
        }
    }

    /// Checks the host's proof and opens the session. `sequence` is the key set's counter: it has risen when the
    /// MAC was right, whatever the outcome, and must then be kept.
    ///
    /// # Errors
    /// `6985` without INITIALIZE UPDATE before, or with the counter at its end; `6300` if a proof is wrong.
    pub fn external_authenticate(
        &mut self,
        command: &ExternalAuthenticate,
        sequence: &mut u16,
    ) -> Result<(), Status> {
        let State::Offered(offer) = mem::take(&mut self.state) else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        let next = offer.sequence.checked_add(1).ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let signed = authentication(command.level, command.host_cryptogram);
        if !is_command_mac(&offer.keys, None, &signed, &command.mac) {
            return Err(Status::AUTH_FAILED);
        }
        *sequence = next;
        let proof = host_proof(offer.host_challenge, offer.sequence, offer.card_challenge);
        if !offer.keys.verify_cryptogram(&proof, &command.host_cryptogram) {
            return Err(Status::AUTH_FAILED);
        }
        self.state = State::Open(Open { keys: offer.keys, level: command.level, last_mac: command.mac });
        Ok(())
    }

    /// The plain command, its class without the secure bit. Not for SELECT, INITIALIZE UPDATE and EXTERNAL AUTHENTICATE,
    /// which come before any session.
    ///
    /// # Errors
    /// `6982` if the protection is not what the session asks for, and for every command after that.
    pub fn unwrap(&mut self, command: &Apdu) -> Result<Apdu, Status> {
        let protected = command.cla & SECURE != 0;
        match &mut self.state {
            State::Open(open) if open.level != Level::Plain => {
                let plain = if protected { open.unwrap(command) } else { None };
                if plain.is_none() {
                    self.state = State::Aborted;
                }
                plain.ok_or(Status::SECURITY_NOT_SATISFIED)
            }
            State::Closed | State::Offered(_) | State::Open(_) if !protected => Ok(command.clone()),
            _ => Err(Status::SECURITY_NOT_SATISFIED),
        }
    }

    /// As if a command with this MAC had just come: for transcripts with gaps.
    #[cfg(test)]
    pub(super) const fn continue_after(&mut self, mac: [u8; 8]) {
        if let State::Open(open) = &mut self.state {
            open.last_mac = mac;
        }
    }
}

impl Open {
    fn unwrap(&mut self, command: &Apdu) -> Option<Apdu> {
        let (data, mac) = command.data.split_last_chunk()?;
        let data = match self.level {
            Level::MacAndEncryption if !data.is_empty() => self.keys.decrypt(data)?,
            _ => data.to_vec(),
        };
        let plain = Apdu { data, ..command.clone() };
        if !is_command_mac(&self.keys, Some(self.last_mac), &plain, mac) {
            return None;
        }
        self.last_mac = *mac;
        Some(Apdu { cla: plain.cla & !SECURE, ..plain })
    }
}
