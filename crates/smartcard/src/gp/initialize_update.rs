//! INITIALIZE UPDATE: opens a secure channel by exchanging challenges.
//!
//! Standard: SCP02 INITIALIZE UPDATE, `80 50 KVN 00 08 <host challenge> 00`, globalplatform.md section 1.2.
//! KVN `00` means the card's default key set; `6A88` when the key set is absent.

use super::{ALL, expect};
use crate::apdu::{Apdu, Command, Status};

/// Asks for a challenge and a proof of the card's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitializeUpdate {
    /// Which key set; `00`: the default one.
    pub key_version: u8,
    /// What the card's cryptogram must cover.
    pub host_challenge: [u8; 8],
}

/// The card's 28 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitializeUpdateAnswer {
    /// What the card's own keys were made from.
    pub diversification: [u8; 10],
    /// The key set that answers.
    pub key_version: u8,
    /// The key set's sequence counter: part of the session keys.
    pub sequence: u16,
    /// What the host's cryptogram must cover.
    pub card_challenge: [u8; 6],
    /// Proves that the card holds the keys.
    pub card_cryptogram: [u8; 8],
}

const SCP02: u8 = 0x02;

impl InitializeUpdateAnswer {
    /// The 28 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let key = [self.key_version, SCP02];
        let sequence = self.sequence.to_be_bytes();
        [&self.diversification[..], &key, &sequence, &self.card_challenge, &self.card_cryptogram].concat()
    }
}

impl Command for InitializeUpdate {
    type Response = InitializeUpdateAnswer;

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x80, 0x50, self.key_version, 0x00], self.host_challenge, ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0x50)?;
        if apdu.p2 != 0 {
            return Err(Status::WRONG_P1P2);
        }
        let host_challenge = apdu.data.as_slice().try_into().map_err(|_| Status::WRONG_LENGTH)?;
        Ok(InitializeUpdate { key_version: apdu.p1, host_challenge })
    }

    /// `None` also for another secure channel protocol than SCP02.
    fn parse_response(data: &[u8]) -> Option<InitializeUpdateAnswer> {
        let (diversification, data) = data.split_first_chunk()?;
        let ([key_version, SCP02], data) = data.split_first_chunk()? else { return None };
        let (sequence, data) = data.split_first_chunk()?;
        let (card_challenge, data) = data.split_first_chunk()?;
        Some(InitializeUpdateAnswer {
            diversification: *diversification,
            key_version: *key_version,
            sequence: u16::from_be_bytes(*sequence),
            card_challenge: *card_challenge,
            card_cryptogram: data.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_28_bytes_and_names_scp02() {
        let bytes = hex::decode("000074746E6E6E626262010206A15086BBEE58F467149061DA4B6EAE").unwrap();
        let answer = InitializeUpdate::parse_response(&bytes).unwrap();
        assert_eq!((answer.key_version, answer.sequence), (1, 0x06A1));
        assert_eq!(answer.to_bytes(), bytes);
        assert_eq!(InitializeUpdate::parse_response(&bytes[..27]), None);
        assert_eq!(InitializeUpdate::parse_response(&[&bytes[..], &[0]].concat()), None);
        let scp03 = [&bytes[..11], &[3], &bytes[12..]].concat();
        assert_eq!(InitializeUpdate::parse_response(&scp03), None);
    }
}
