//! The card's side, for any security domain.
//!
//! Standard: SCP02 and SCP03, globalplatform.md sections 1.2 and 1.3.
//! Invariant: no session keys are used by two sessions: SCP02's counter rises when a host has shown that it holds the MAC key,
//! SCP03's at every INITIALIZE UPDATE, and neither wraps. After a wrong MAC nothing is accepted until the channel is opened anew.

use std::mem;

use keys::{ChannelKeys, ElementKeys, EncryptionCounter, Scp, Scp02Keys, Scp03, Scp03Keys};

use super::{Chain, SECURE, scp02, scp03};
use crate::apdu::{Apdu, Response, Status};
use crate::gp::{ExternalAuthenticate, InitializeUpdate, InitializeUpdateAnswer, Level, Offer};

/// One key set of a security domain, as INITIALIZE UPDATE needs it.
pub struct KeySet<'a> {
    /// The channel that the domain offers.
    pub scp: Scp,
    /// How the element counts commands.
    pub counter: EncryptionCounter,
    /// What the keys were made from.
    pub diversification: [u8; 10],
    /// Version of the key set.
    pub version: u8,
    /// Its keys.
    pub keys: &'a ElementKeys,
    /// The name of the selected application, which a pseudo-random challenge follows from.
    pub name: &'a [u8],
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
    Offered(Offered),
    /// The host is known.
    Open(Box<Open>),
    /// A MAC was wrong.
    Aborted,
}

enum Offered {
    Scp02 { keys: Scp02Keys, scp: Scp, sequence: u16, host: Vec<u8>, card: [u8; 6] },
    Scp03 { keys: Scp03Keys, option: Scp03, counter: EncryptionCounter },
}

struct Open {
    keys: ChannelKeys,
    level: Level,
    chain: Chain,
}

/// The last value of SCP03's counter of three bytes.
const LAST: u32 = 0x00FF_FFFF;

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
    pub fn session(&self) -> Option<(Level, &ChannelKeys)> {
        match &self.state {
            State::Open(open) => Some((open.level, &open.keys)),
            State::Closed | State::Offered(_) | State::Aborted => None,
        }
    }

    /// Answers INITIALIZE UPDATE from the key set that was asked for, with `random` bytes where the challenge is random. Any
    /// session ends. `sequence` is the key set's counter: with a pseudo-random SCP03 challenge it has risen and must be kept.
    ///
    /// # Errors
    /// `6700` for a challenge of another length than the channel's; `6985` with the counter at its end, or with keys that
    /// the channel does not take.
    pub fn initialize_update(
        &mut self,
        command: &InitializeUpdate,
        set: &KeySet<'_>,
        sequence: &mut u32,
        random: [u8; 16],
    ) -> Result<InitializeUpdateAnswer, Status> {
        self.state = State::Closed;
        let host = &command.host_challenge;
        let (offered, offer) = match (set.scp, set.keys) {
            (Scp::Scp02 { .. }, ElementKeys::TripleDes(keys)) => {
                let sequence = u16::try_from(*sequence).map_err(|_| Status::CONDITIONS_NOT_SATISFIED)?;
                offer_scp02(set, &Scp02Keys::derive(keys, sequence), sequence, host, random)?
            }
            (Scp::Scp03(option), ElementKeys::Aes(keys)) => {
                if host.len() != option.width() {
                    return Err(Status::WRONG_LENGTH);
                }
                let counted = if option.pseudo_random { Some(counted(sequence)?) } else { None };
                let challenge = match counted {
                    Some(counter) => keys.challenge(counter, set.name, option.width()),
                    None => random.iter().copied().take(option.width()).collect(),
                };
                let session = Scp03Keys::derive(keys, host, &challenge);
                let cryptogram = session.card_cryptogram();
                let offered = Offered::Scp03 { keys: session, option, counter: set.counter };
                (offered, Offer::Scp03 { option, challenge, cryptogram, sequence: counted })
            }
            _ => return Err(Status::CONDITIONS_NOT_SATISFIED),
        };
        self.state = State::Offered(offered);
        let (diversification, key_version) = (set.diversification, set.version);
        Ok(InitializeUpdateAnswer { diversification, key_version, offer })
    }

    /// Checks the host's proof and opens the session. `sequence` is the key set's counter: with SCP02 it has risen when
    /// the MAC was right, whatever the outcome, and must then be kept.
    ///
    /// # Errors
    /// `6985` without INITIALIZE UPDATE before, or with the counter at its end; `6A86` for a level that the channel does not
    /// have; `6300` if a proof is wrong.
    pub fn external_authenticate(
        &mut self,
        command: &ExternalAuthenticate,
        sequence: &mut u32,
    ) -> Result<(), Status> {
        let open = match mem::take(&mut self.state) {
            State::Offered(Offered::Scp02 { keys, scp, sequence: used, host, card }) => {
                let next = used.checked_add(1).ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
                if !command.level.fits(scp) {
                    return Err(Status::WRONG_P1P2);
                }
                let mac = command.mac.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)?;
                if !scp02::is_authentication_mac(&keys, command.level, &command.host_cryptogram, &mac) {
                    return Err(Status::AUTH_FAILED);
                }
                *sequence = u32::from(next);
                let given =
                    command.host_cryptogram.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)?;
                if !keys.verify_cryptogram(&scp02::host_proof(&host, used, card), &given) {
                    return Err(Status::AUTH_FAILED);
                }
                let chain = Chain::Scp02(scp02::Chain::new(keys.clone(), command.level, mac));
                Open { keys: keys.into(), level: command.level, chain }
            }
            State::Offered(Offered::Scp03 { keys, option, counter }) => {
                if !command.level.fits(Scp::Scp03(option)) {
                    return Err(Status::WRONG_P1P2);
                }
                if command.mac.len() != option.width() {
                    return Err(Status::WRONG_LENGTH);
                }
                let ExternalAuthenticate { level, host_cryptogram, mac } = command;
                let chaining = scp03::checked_authentication_mac(&keys, *level, host_cryptogram, mac);
                let chaining = chaining.ok_or(Status::AUTH_FAILED)?;
                if !keys.verify_host(host_cryptogram) {
                    return Err(Status::AUTH_FAILED);
                }
                let chain = scp03::Chain::new(keys.clone(), *level, option.width(), counter, chaining);
                Open { keys: keys.into(), level: *level, chain: Chain::Scp03(chain) }
            }
            State::Closed | State::Open(_) | State::Aborted => return Err(Status::CONDITIONS_NOT_SATISFIED),
        };
        self.state = State::Open(Box::new(open));
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
            State::Open(open) if open.level.signs_commands() => {
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

    /// The answer to the command that was unwrapped last, as it is sent.
    #[must_use]
    pub fn protect(&self, response: Response) -> Response {
        match self.answers() {
            Some(chain) => chain.protect(response),
            None => response,
        }
    }

    /// How many bytes of data an answer may have so that it can be protected.
    #[must_use]
    pub fn longest_answer(&self) -> usize {
        self.answers().map_or(256, scp03::Chain::longest_answer)
    }

    /// The session, if it is of the protocol that can protect answers.
    fn answers(&self) -> Option<&scp03::Chain> {
        match &self.state {
            State::Open(open) => match &open.chain {
                Chain::Scp03(chain) => Some(chain),
                Chain::Scp02(_) => None,
            },
            State::Closed | State::Offered(_) | State::Aborted => None,
        }
    }

    /// As if a command with this MAC had just come: for transcripts with gaps.
    #[cfg(test)]
    pub(super) fn continue_after(&mut self, mac: [u8; 8]) {
        if let State::Open(open) = &mut self.state
            && let Chain::Scp02(chain) = &mut open.chain
        {
            chain.continue_after(mac);
        }
    }
}

/// The counter after it has risen. At its end there is no other session.
fn counted(sequence: &mut u32) -> Result<[u8; 3], Status> {
    let next = sequence.checked_add(1).filter(|next| *next <= LAST);
    *sequence = next.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
    let [_, a, b, c] = sequence.to_be_bytes();
    Ok([a, b, c])
}

fn offer_scp02(
    set: &KeySet<'_>,
    keys: &Scp02Keys,
    sequence: u16,
    host: &[u8],
    random: [u8; 16],
) -> Result<(Offered, Offer), Status> {
    if host.len() != 8 {
        return Err(Status::WRONG_LENGTH);
    }
    let [a, b, c, d, e, f, ..] = random;
    let card = match set.scp {
        Scp::Scp02 { pseudo_random: true } => keys.challenge(set.name),
        _ => [a, b, c, d, e, f],
    };
    let cryptogram = keys.cryptogram(&scp02::card_proof(host, sequence, card));
    let offered = Offered::Scp02 { keys: keys.clone(), scp: set.scp, sequence, host: host.to_vec(), card };
    Ok((offered, Offer::Scp02 { sequence, challenge: card, cryptogram }))
}

impl Open {
    fn unwrap(&mut self, command: &Apdu) -> Option<Apdu> {
        match &mut self.chain {
            Chain::Scp02(chain) => chain.unwrap(command),
            Chain::Scp03(chain) => chain.unwrap(command),
        }
    }
}
