//! READ RECORD (读记录文件): by number, by tag, or all from a number on.
//!
//! Standard: ISO 7816-4 READ RECORD; record 1 of a cyclic file is the newest (card.md section 1.1).

use smartcard::{Apdu, Command, Status};

use super::{RecordPlace, expect};
use crate::layout::Sfi;

/// `00 B2`: reads records. Answered by their bytes, several one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRecord {
    /// The record file.
    pub file: Sfi,
    /// Which of its records.
    pub records: Records,
    /// How many bytes; 0: the whole record.
    pub length: u8,
}

/// One record, or several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// One.
    One(RecordPlace),
    /// All, from this number to the last. Not every card knows it: fall back to one by one.
    AllFrom(u8),
}

/// Le for a length: `00` stands for all there is.
pub(super) fn le_of(length: u8) -> u16 {
    if length == 0 { 256 } else { u16::from(length) }
}

/// [`le_of`] read back.
pub(super) fn length_of(le: Option<u16>) -> u8 {
    le.and_then(|le| u8::try_from(le).ok()).unwrap_or(0)
}

impl Command for ReadRecord {
    type Response = Vec<u8>;

    fn to_apdu(&self) -> Apdu {
        let [p1, p2] = match self.records {
            Records::One(place) => place.p1p2(self.file),
            Records::AllFrom(number) => [number, (self.file.get() << 3) | 5],
        };
        Apdu::case2([0x00, 0xB2, p1, p2], Some(le_of(self.length)))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0xB2)?;
        if !apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let length = length_of(apdu.le);
        if apdu.p2 & 7 == 5 && apdu.p1 != 0 {
            let file = Sfi::new(apdu.p2 >> 3).ok_or(Status::WRONG_P1P2)?;
            return Ok(ReadRecord { file, records: Records::AllFrom(apdu.p1), length });
        }
        let (file, place) = RecordPlace::parse(apdu.p1, apdu.p2)?;
        Ok(ReadRecord { file, records: Records::One(place), length })
    }

    fn parse_response(data: &[u8]) -> Option<Vec<u8>> {
        Some(data.to_vec())
    }
}
