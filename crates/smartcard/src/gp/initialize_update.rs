//! INITIALIZE UPDATE: opens a secure channel by exchanging challenges.
//!
//! Standard: SCP02 and SCP03 INITIALIZE UPDATE, `80 50 KVN 00 Lc <host challenge> 00`, globalplatform.md sections 1.2 and 1.3;
//! the challenge has 8 bytes, in SCP03's S16 mode 16. KVN `00` means the card's default key set; `6A88` when the key set
//! is absent.

use keys::{Challenges, ChannelFacts, Scp03};

use super::{ALL, expect};
use crate::apdu::{Apdu, Command, Status};

/// Asks for a challenge and a proof of the card's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitializeUpdate {
    /// Which key set; `00`: the default one.
    pub key_version: u8,
    /// What the card's cryptogram must cover; 8 or 16 bytes.
    pub host_challenge: Vec<u8>,
}

/// What the card answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitializeUpdateAnswer {
    /// What the card's own keys were made from.
    pub diversification: [u8; 10],
    /// The key set that answers.
    pub key_version: u8,
    /// Its challenge and its proof.
    pub offer: Offer,
}

/// The part of the answer that the protocols differ in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// 28 bytes in all.
    Scp02 {
        /// The key set's sequence counter: part of the session keys.
        sequence: u16,
        /// What the host's cryptogram must cover.
        challenge: [u8; 6],
        /// Proves that the card holds the keys.
        cryptogram: [u8; 8],
    },
    /// 29 or 32 bytes in all; 45 or 48 in S16 mode.
    Scp03 {
        /// The option `i`.
        option: Scp03,
        /// Part of the session keys.
        challenge: Vec<u8>,
        /// Proves that the card holds the keys.
        cryptogram: Vec<u8>,
        /// The counter that a pseudo-random challenge follows from.
        sequence: Option<[u8; 3]>,
    },
}

const SCP02: u8 = 0x02;
const SCP03: u8 = 0x03;

impl InitializeUpdateAnswer {
    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = [&self.diversification[..], &[self.key_version]].concat();
        match &self.offer {
            Offer::Scp02 { sequence, challenge, cryptogram } => {
                [&head[..], &[SCP02], &sequence.to_be_bytes(), challenge, cryptogram].concat()
            }
            Offer::Scp03 { option, challenge, cryptogram, sequence } => {
                let sequence = sequence.as_ref().map_or(&[][..], |sequence| sequence);
                [&head[..], &[SCP03, option.option()], challenge, cryptogram, sequence].concat()
            }
        }
    }

    /// What the key service needs to make the session's keys; `host` is the challenge that was sent.
    #[must_use]
    pub fn facts(&self, host: &[u8]) -> ChannelFacts {
        let session = match &self.offer {
            Offer::Scp02 { sequence, .. } => Challenges::Scp02 { sequence: *sequence },
            Offer::Scp03 { challenge, .. } => {
                Challenges::Scp03 { host: host.to_vec(), card: challenge.clone() }
            }
        };
        ChannelFacts { diversification: self.diversification, session }
    }
}

impl Command for InitializeUpdate {
    type Response = InitializeUpdateAnswer;

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x80, 0x50, self.key_version, 0x00], self.host_challenge.clone(), ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0x50)?;
        if apdu.p2 != 0 {
            return Err(Status::WRONG_P1P2);
        }
        if !matches!(apdu.data.len(), 8 | 16) {
            return Err(Status::WRONG_LENGTH);
        }
        Ok(InitializeUpdate { key_version: apdu.p1, host_challenge: apdu.data.clone() })
    }

    /// `None` also for another secure channel protocol than SCP02 and SCP03.
    fn parse_response(data: &[u8]) -> Option<InitializeUpdateAnswer> {
        let (diversification, data) = data.split_first_chunk()?;
        let ([key_version, protocol], data) = data.split_first_chunk()?;
        let offer = match *protocol {
            SCP02 => scp02(data),
            SCP03 => scp03(data),
            _ => None,
        };
        Some(InitializeUpdateAnswer {
            diversification: *diversification,
            key_version: *key_version,
            offer: offer?,
        })
    }
}

fn scp02(data: &[u8]) -> Option<Offer> {
    let (sequence, data) = data.split_first_chunk()?;
    let (challenge, data) = data.split_first_chunk()?;
    let cryptogram = data.try_into().ok()?;
    Some(Offer::Scp02 { sequence: u16::from_be_bytes(*sequence), challenge: *challenge, cryptogram })
}

fn scp03(data: &[u8]) -> Option<Offer> {
    let (option, data) = data.split_first()?;
    let option = Scp03::new(*option)?;
    let (challenge, data) = data.split_at_checked(option.width())?;
    let (cryptogram, data) = data.split_at_checked(option.width())?;
    let sequence = match (option.pseudo_random, data) {
        (false, []) => None,
        (true, data) => Some(data.try_into().ok()?),
        (false, _) => return None,
    };
    Some(Offer::Scp03 { option, challenge: challenge.to_vec(), cryptogram: cryptogram.to_vec(), sequence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_length_of_its_protocol_and_option() {
        for (hex, length) in [
            ("000074746E6E6E626262010206A15086BBEE58F467149061DA4B6EAE", 28),
            ("000000000000000000003003703EB51047495B249F66C484C1D2EF1948000002", 32),
            ("000000000000000000003003603EB51047495B249F66C484C1D2EF1948", 29),
            (
                "000000000000000000003003713EB51047495B249F66C484C1D2EF19483EB51047495B249F66C484C1D2EF1948000002",
                48,
            ),
        ] {
            let bytes = hex::decode(hex).unwrap();
            let answer = InitializeUpdate::parse_response(&bytes).unwrap();
            assert_eq!((answer.to_bytes(), bytes.len()), (bytes.clone(), length));
            for end in 0..bytes.len() {
                assert_eq!(InitializeUpdate::parse_response(&bytes[..end]), None, "{end} of {hex}");
            }
            assert_eq!(InitializeUpdate::parse_response(&[&bytes[..], &[0]].concat()), None, "{hex}");
            let scp01 = [&bytes[..11], &[1], &bytes[12..]].concat();
            assert_eq!(InitializeUpdate::parse_response(&scp01), None);
        }
    }

    #[test]
    fn a_challenge_has_8_or_16_bytes() {
        for length in 0..=20 {
            let apdu = Apdu::new([0x80, 0x50, 0, 0], vec![1; length], ALL);
            assert_eq!(InitializeUpdate::from_apdu(&apdu).is_ok(), matches!(length, 8 | 16));
        }
    }
}
