//! Challenges, authentication, the PIN, blocking.
//!
//! Standard: PBOC security commands and secure messaging (card.md sections 1.6 and 2.4).
//! Invariant: a try is written off before the answer is known, so pulling the card out wins nothing.

use keys::{Key16, KeyUsage};
use model::Entropy;
use smartcard::{Apdu, Command, Status};
use subtle::ConstantTimeEq;

use super::Purse;
use super::memory::{Issued, State};
use crate::command::{
    ApplicationBlock, ApplicationUnblock, ExternalAuthenticate, GetChallenge, InternalAuthenticate,
    Protected, VerifyPin,
};

/// Wrong MACs under APPLICATION UNBLOCK before the application is locked for ever.
pub(super) const UNBLOCK_TRIES: u8 = 3;

impl Purse {
    pub(super) fn get_challenge(
        &mut self,
        apdu: &Apdu,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Status> {
        let mut challenge = vec![0; GetChallenge::from_apdu(apdu)?.length as usize];
        entropy.fill(&mut challenge);
        self.session.challenge = Some(challenge.clone());
        Ok(challenge)
    }

    pub(super) fn external_authenticate(
        &mut self,
        apdu: &Apdu,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let command = ExternalAuthenticate::from_apdu(apdu)?;
        let issued = self.usable()?;
        if command.key_id != KeyUsage::Control.code() {
            return Err(Status::NOT_FOUND);
        }
        let challenge = challenge.ok_or(Status::BAD_RANDOM)?;
        let key = only_key(issued, KeyUsage::Control)?;
        let expected = keys::challenge_response(key, &challenge);
        if !bool::from(expected.ct_eq(&command.cryptogram)) {
            return Err(Status::AUTH_FAILED);
        }
        self.session.writer = true;
        Ok(Vec::new())
    }

    pub(super) fn internal_authenticate(&self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let command = InternalAuthenticate::from_apdu(apdu)?;
        let issued = self.usable()?;
        if command.key_id != KeyUsage::InternalAuth.code() {
            return Err(Status::NOT_FOUND);
        }
        let key = only_key(issued, KeyUsage::InternalAuth)?;
        Ok(keys::challenge_response(key, &command.challenge).to_vec())
    }

    pub(super) fn verify_pin(&mut self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let command = VerifyPin::from_apdu(apdu)?;
        self.usable_purse()?;
        self.session.pin_verified = false;
        let Some(issued) = self.memory.issued.as_mut() else { return Err(Status::CONDITIONS_NOT_SATISFIED) };
        issued.pin_tries = issued.pin_tries.checked_sub(1).ok_or(Status::AUTH_BLOCKED)?;
        if !bool::from(issued.pin.as_slice().ct_eq(command.pin.bytes())) {
            let left = issued.pin_tries;
            return Err(Status::wrong_pin(left));
        }
        issued.pin_tries = issued.profile.pin_tries;
        self.session.pin_verified = true;
        Ok(Vec::new())
    }

    pub(super) fn application_block(
        &mut self,
        apdu: &Apdu,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let issued = self.purse()?;
        if issued.state == State::Dead {
            return Err(Status::APP_LOCKED);
        }
        let command: ApplicationBlock = open_line(issued, KeyUsage::Maintenance, apdu, challenge)?;
        let state = if command.permanent { State::Dead } else { State::Blocked };
        self.memory.issued = Some(Issued { state, ..issued.clone() });
        self.session.pin_verified = false;
        self.session.writer = false;
        Ok(Vec::new())
    }

    pub(super) fn application_unblock(
        &mut self,
        apdu: &Apdu,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let issued = self.purse()?;
        match issued.state {
            State::Open => return Err(Status::CONDITIONS_NOT_SATISFIED),
            State::Dead => return Err(Status::APP_LOCKED),
            State::Blocked => {}
        }
        let opened = open_line::<ApplicationUnblock>(issued, KeyUsage::Maintenance, apdu, challenge);
        let mut next = issued.clone();
        let answer = match opened {
            Ok(ApplicationUnblock) => {
                next.state = State::Open;
                next.unblock_tries = UNBLOCK_TRIES;
                Ok(Vec::new())
            }
            Err(Status::SM_WRONG) => {
                next.unblock_tries = next.unblock_tries.saturating_sub(1);
                if next.unblock_tries == 0 {
                    next.state = State::Dead;
                    Err(Status::APP_LOCKED)
                } else {
                    Err(Status::SM_WRONG)
                }
            }
            Err(status) => return Err(status),
        };
        self.memory.issued = Some(next);
        answer
    }
}

/// The command inside the line protection, if its MAC is right.
pub(super) fn open_line<C: Command>(
    issued: &Issued,
    usage: KeyUsage,
    apdu: &Apdu,
    challenge: Option<Vec<u8>>,
) -> Result<C, Status> {
    let Protected { command, mac } = Protected::<C>::from_apdu(apdu)?;
    let challenge = challenge.ok_or(Status::BAD_RANDOM)?;
    let expected = keys::line_mac(only_key(issued, usage)?, &challenge, &Protected::mac_input(&command));
    if expected.verify(mac) { Ok(command) } else { Err(Status::SM_WRONG) }
}

/// The key of a use that has one key.
pub(super) fn only_key(issued: &Issued, usage: KeyUsage) -> Result<&Key16, Status> {
    issued.keys.get(usage, 1).map(|key| &key.key).ok_or(Status::NOT_FOUND)
}
