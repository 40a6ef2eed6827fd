//! The host's side: [`Opening`] becomes [`Session`] once the card has proved its keys.
//!
//! Standard: SCP02 and SCP03, globalplatform.md sections 1.2 and 1.3.
//! Invariant: a card that did not prove its keys is sent nothing more: one try, so that no card is locked by us.

use std::collections::VecDeque;

use keys::{ChannelFacts, ChannelKeys, EncryptionCounter, Scp};

use super::{Chain, scp02, scp03};
use crate::apdu::{Apdu, Command, Response};
use crate::gp::{ExternalAuthenticate, InitializeUpdate, InitializeUpdateAnswer, Level, Offer};

/// INITIALIZE UPDATE is to be sent, or its answer is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    scp: Scp,
    counter: EncryptionCounter,
    command: InitializeUpdate,
}

/// The card is known; commands are wrapped in order, and their answers opened in the same order.
pub struct Session {
    keys: ChannelKeys,
    level: Level,
    chain: Chain,
    /// Commands whose answers are still to come.
    awaited: VecDeque<scp03::Point>,
}

/// Why no session begins. Nothing is to be sent; trying on may lock the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthenticated {
    /// The card did not prove that it holds the keys we took for its own.
    #[error("the card's cryptogram is wrong for key version {key_version:02X}")]
    WrongCryptogram {
        /// The key set that answered.
        key_version: u8,
    },
    /// The card offers another channel than its profile names.
    #[error("the card does not offer {expected}, the channel of its profile")]
    OtherProtocol {
        /// The profile's.
        expected: Scp,
    },
    /// A level that the channel cannot give.
    #[error("{scp} has no security level {:02X}", *.level as u8)]
    NoSuchLevel {
        /// The channel.
        scp: Scp,
        /// The level.
        level: Level,
    },
}

/// An answer that is not the card's, or not the one to this command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer's MAC is wrong")]
pub struct WrongAnswer;

impl Opening {
    /// With random bytes that were never used before. `key_version` `00`: the card's default key set.
    #[must_use]
    pub fn new(scp: Scp, key_version: u8, random: [u8; 16]) -> Self {
        let width = match scp {
            Scp::Scp02 { .. } => 8,
            Scp::Scp03(option) => option.width(),
        };
        let host_challenge = random.iter().copied().take(width).collect();
        let counter = EncryptionCounter::default();
        Opening { scp, counter, command: InitializeUpdate { key_version, host_challenge } }
    }

    /// For an element that counts the commands of an SCP03 session in its own way.
    #[must_use]
    pub fn counting(self, counter: EncryptionCounter) -> Self {
        Opening { counter, ..self }
    }

    /// What to send.
    #[must_use]
    pub const fn command(&self) -> &InitializeUpdate {
        &self.command
    }

    /// What the key service needs to make the session's keys.
    #[must_use]
    pub fn facts(&self, answer: &InitializeUpdateAnswer) -> ChannelFacts {
        answer.facts(&self.command.host_challenge)
    }

    /// Whether the card offers the channel that was opened. SCP02 does not say which option it is.
    #[must_use]
    pub fn is_answered_by(&self, answer: &InitializeUpdateAnswer) -> bool {
        match (self.scp, &answer.offer) {
            (Scp::Scp02 { .. }, Offer::Scp02 { .. }) => true,
            (Scp::Scp03(ours), Offer::Scp03 { option, .. }) => ours == *option,
            (Scp::Scp02 { .. }, Offer::Scp03 { .. }) | (Scp::Scp03(_), Offer::Scp02 { .. }) => false,
        }
    }

    /// Checks the card's proof and gives ours: the EXTERNAL AUTHENTICATE to send, and the session that holds
    /// once the card has answered `9000`. `keys` are derived from [`Opening::facts`].
    ///
    /// # Errors
    /// [`NotAuthenticated`]: nothing is to be sent.
    pub fn authenticate(
        self,
        answer: &InitializeUpdateAnswer,
        keys: ChannelKeys,
        level: Level,
    ) -> Result<(Apdu, Session), NotAuthenticated> {
        let (scp, key_version) = (self.scp, answer.key_version);
        if !level.fits(scp) {
            return Err(NotAuthenticated::NoSuchLevel { scp, level });
        }
        let proved = match (scp, &answer.offer, &keys) {
            (
                Scp::Scp02 { .. },
                Offer::Scp02 { sequence, challenge, cryptogram },
                ChannelKeys::Scp02(session),
            ) => {
                let host = &self.command.host_challenge;
                session.verify_cryptogram(&scp02::card_proof(host, *sequence, *challenge), cryptogram).then(
                    || {
                        let ours = session.cryptogram(&scp02::host_proof(host, *sequence, *challenge));
                        let mac = scp02::authentication_mac(session, level, &ours);
                        let chain = scp02::Chain::new(session.clone(), level, mac);
                        (ours.to_vec(), mac.to_vec(), Chain::Scp02(chain))
                    },
                )
            }
            (Scp::Scp03(ours), Offer::Scp03 { option, cryptogram, .. }, ChannelKeys::Scp03(session))
                if ours == *option =>
            {
                session.verify_card(cryptogram).then(|| {
                    let proof = session.host_cryptogram();
                    let mac = scp03::authentication_mac(session, level, &proof);
                    let width = option.width();
                    let chain = scp03::Chain::new(session.clone(), level, width, self.counter, mac);
                    (proof, mac.iter().copied().take(width).collect(), Chain::Scp03(chain))
                })
            }
            _ => return Err(NotAuthenticated::OtherProtocol { expected: scp }),
        };
        let (host_cryptogram, mac, chain) =
            proved.ok_or(NotAuthenticated::WrongCryptogram { key_version })?;
        let command = ExternalAuthenticate { level, host_cryptogram, mac };
        Ok((command.to_apdu(), Session { keys, level, chain, awaited: VecDeque::new() }))
    }
}

impl Session {
    /// The command as it is sent. Commands must be sent in the order in which they were wrapped, and none left out.
    ///
    /// Up to [`super::MAX_DATA`] bytes of data always fit in S8 mode. What is longer than its level can carry comes back
    /// too long for a short APDU, so that [`Apdu::checked_bytes`] refuses it; the session goes on as if it had not been asked.
    #[must_use]
    pub fn wrap(&mut self, command: &Apdu) -> Apdu {
        if !self.level.signs_commands() {
            return command.clone();
        }
        let wrapped = match &mut self.chain {
            Chain::Scp02(chain) => chain.wrap(command),
            Chain::Scp03(chain) => {
                let wrapped = chain.wrap(command);
                if self.level.signs_answers() && wrapped.is_some() {
                    self.awaited.push_back(chain.point());
                }
                wrapped
            }
        };
        wrapped.unwrap_or_else(|| too_long(command))
    }

    /// The plain answer to the first wrapped command whose answer has not been opened yet.
    ///
    /// Only errors come without a MAC: whoever relays can forge a refusal, but no success and no data.
    ///
    /// # Errors
    /// [`WrongAnswer`] where the level asks for a MAC and it is missing or wrong, or no answer is awaited.
    pub fn open(&mut self, response: &Response) -> Result<Response, WrongAnswer> {
        match &self.chain {
            Chain::Scp03(chain) if self.level.signs_answers() => {
                let at = self.awaited.pop_front().ok_or(WrongAnswer)?;
                chain.open(at, response).ok_or(WrongAnswer)
            }
            Chain::Scp02(_) | Chain::Scp03(_) => Ok(response.clone()),
        }
    }

    /// The session's keys, to wrap keys for PUT KEY and STORE DATA.
    #[must_use]
    pub const fn keys(&self) -> &ChannelKeys {
        &self.keys
    }

    /// How commands and answers are protected.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// As if a command with this MAC had just been sent: for transcripts with gaps.
    #[cfg(test)]
    pub(super) const fn continue_after(&mut self, mac: [u8; 8]) {
        if let Chain::Scp02(chain) = &mut self.chain {
            chain.continue_after(mac);
        }
    }
}

/// The command with more data than any short command holds.
fn too_long(command: &Apdu) -> Apdu {
    let mut command = command.clone();
    command.data.resize(command.data.len().max(256), 0);
    command
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({:?})", self.level)
    }
}
