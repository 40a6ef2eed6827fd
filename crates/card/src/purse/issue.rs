//! The card's side of personalisation.
//!
//! Standard: GlobalPlatform STORE DATA; the groups are those of [`crate::personalisation`].
//! Invariant: a key whose check value is wrong leaves the applet as blank as it was.

use keys::{CardKey, CardKeys, ChannelKeys, KeyUsage, WrappedCardKey};
use model::PurseFen;
use smartcard::Status;

use super::memory::{Issued, Log, Proofs, State};
use super::{Purse, security};
use crate::layout::{RailRecord, RideRecord};
use crate::personalisation::{Personalisation, Received, STREAM_MAX};

/// Without these a card can neither be loaded nor pay.
const NEEDED: [KeyUsage; 3] = [KeyUsage::Purchase, KeyUsage::Load, KeyUsage::Tac];

impl Purse {
    /// Takes the plain bytes of one STORE DATA. At the `last` one the card is made of all of them.
    ///
    /// # Errors
    /// `6985` on a card that is already personalised; `6A84` when there is too much; `6A80` when the blocks do
    /// not make a card or a key's check value is wrong. After an error it must be done again from the start.
    pub fn store_data(&mut self, block: &[u8], last: bool, channel: &ChannelKeys) -> Result<(), Status> {
        let mut stream = std::mem::take(&mut self.session.store_data);
        if self.memory.issued.is_some() {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        stream.extend_from_slice(block);
        if stream.len() > STREAM_MAX {
            return Err(Status::NO_ROOM);
        }
        if last {
            let received = Personalisation::parse(&stream).ok_or(Status::WRONG_DATA)?;
            self.memory.issued = Some(issue(received, channel).ok_or(Status::WRONG_DATA)?);
        } else {
            self.session.store_data = stream;
        }
        Ok(())
    }
}

fn issue(received: Received, channel: &ChannelKeys) -> Option<Issued> {
    let Received { personalisation, keys } = received;
    let Personalisation { public_info, holder, issue_info, auth_id, pin, profile } = personalisation;
    let keys: Option<Vec<CardKey>> = keys.iter().map(|key| unwrap(key, channel)).collect();
    let keys = CardKeys::new(keys?);
    if NEEDED.iter().any(|usage| keys.get(*usage, 1).is_none()) {
        return None;
    }
    Some(Issued {
        public_info: public_info.to_bytes(),
        holder: holder.to_bytes(),
        issue_info: issue_info.to_bytes(),
        compound: vec![
            RailRecord::BLANK.to_bytes().to_vec().into(),
            RideRecord::BLANK.to_bytes().to_vec().into(),
        ],
        purchases: Log::default(),
        loads: Log::default(),
        auth_id,
        pin: pin.bytes().to_vec(),
        pin_tries: profile.pin_tries,
        profile,
        keys,
        balance: PurseFen::ZERO,
        online: 0,
        offline: 0,
        state: State::Open,
        unblock_tries: security::UNBLOCK_TRIES,
        proofs: Proofs::default(),
    })
}

fn unwrap(key: &WrappedCardKey, channel: &ChannelKeys) -> Option<CardKey> {
    let WrappedCardKey { usage, version, algorithm, cipher, kcv } = *key;
    let key = channel.unwrap_key(&cipher, kcv)?;
    Some(CardKey { usage, version, algorithm, key })
}
