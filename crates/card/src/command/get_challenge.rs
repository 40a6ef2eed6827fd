//! GET CHALLENGE (取随机数).
//!
//! Standard: ISO 7816-4 GET CHALLENGE (card.md section 1.6).
//! Invariant: a challenge is good for the next command only.

use smartcard::{Apdu, Command, Status};

use super::expect_header;

const HEADER: [u8; 4] = [0x00, 0x84, 0x00, 0x00];

/// `00 84 00 00`: asks for a random number. Answered by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetChallenge {
    /// How long.
    pub length: ChallengeLength,
}

/// The two lengths of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeLength {
    /// 4 bytes; as an 8-byte block it is filled up with zeros.
    Four = 4,
    /// 8 bytes.
    Eight = 8,
}

impl Command for GetChallenge {
    type Response = Vec<u8>;

    fn to_apdu(&self) -> Apdu {
        Apdu::case2(HEADER, Some(self.length as u16))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        match (apdu.data.as_slice(), apdu.le) {
            ([], Some(4)) => Ok(GetChallenge { length: ChallengeLength::Four }),
            ([], Some(8)) => Ok(GetChallenge { length: ChallengeLength::Eight }),
            _ => Err(Status::WRONG_LENGTH),
        }
    }

    fn parse_response(data: &[u8]) -> Option<Vec<u8>> {
        matches!(data.len(), 4 | 8).then(|| data.to_vec())
    }
}
