//! STORE DATA: hands personalisation data to an application, in numbered blocks.
//!
//! Standard: GlobalPlatform STORE DATA, `80 E2 P1 <number> Lc block`, globalplatform.md section 1.5. P1: `80` the last block,
//! `60` encrypted in an application dependent way, `08` the data is in DGI format ([`super::dgi`]).

use super::{ALL, expect};
use crate::apdu::{Apdu, Command, Status};

/// One block of personalisation data in DGI format.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreData {
    /// Counts from 0.
    pub number: u8,
    /// No block follows.
    pub last: bool,
    /// Values inside are encrypted for the application.
    pub encrypted: bool,
    /// The data.
    pub block: Vec<u8>,
}

const LAST: u8 = 0x80;
const ENCRYPTED: u8 = 0x60;
const DGI: u8 = 0x08;

impl StoreData {
    /// The blocks of one personalisation: numbered, the last one marked. Each block must fit
    /// [`crate::scp::MAX_DATA`] bytes. More than 256 blocks cannot be numbered: `None`.
    #[must_use]
    pub fn series(blocks: Vec<Vec<u8>>, encrypted: bool) -> Option<Vec<StoreData>> {
        let last = blocks.len().checked_sub(1)?;
        let numbered = blocks.into_iter().enumerate().map(|(index, block)| {
            Some(StoreData { number: u8::try_from(index).ok()?, last: index == last, encrypted, block })
        });
        numbered.collect()
    }
}

impl std::fmt::Debug for StoreData {
    /// The block may hold keys: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreData({}, {} bytes, last: {})", self.number, self.block.len(), self.last)
    }
}

impl Command for StoreData {
    /// What the application has to say; mostly nothing.
    type Response = Vec<u8>;

    fn to_apdu(&self) -> Apdu {
        let flag = |set, bit| if set { bit } else { 0 };
        let p1 = DGI | flag(self.last, LAST) | flag(self.encrypted, ENCRYPTED);
        Apdu::new([0x80, 0xE2, p1, self.number], self.block.as_slice(), ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xE2)?;
        let encrypted = match apdu.p1 & !LAST {
            DGI => false,
            p1 if p1 == DGI | ENCRYPTED => true,
            _ => return Err(Status::WRONG_P1P2),
        };
        Ok(StoreData { number: apdu.p2, last: apdu.p1 & LAST != 0, encrypted, block: apdu.data.clone() })
    }

    fn parse_response(data: &[u8]) -> Option<Vec<u8>> {
        Some(data.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_numbered_and_ends_in_the_last_block() {
        let series = StoreData::series(vec![vec![1], vec![2], vec![3]], true).unwrap();
        let headers: Vec<_> = series.iter().map(|block| block.to_apdu().header()).collect();
        assert_eq!(headers, [[0x80, 0xE2, 0x68, 0], [0x80, 0xE2, 0x68, 1], [0x80, 0xE2, 0xE8, 2]]);
        assert_eq!(StoreData::series(vec![], true), None);
        assert_eq!(StoreData::series(vec![vec![]; 257], true), None);
        for block in series {
            assert_eq!(StoreData::from_apdu(&block.to_apdu()), Ok(block));
        }
    }
}
