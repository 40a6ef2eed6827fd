//! READ BINARY (读二进制文件).
//!
//! Standard: ISO 7816-4 READ BINARY (card.md section 1.1).

use smartcard::{Apdu, Command, Status};

use super::{BinaryPlace, expect};

/// `00 B0`: reads a binary file. Answered by the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBinary {
    /// From where.
    pub place: BinaryPlace,
    /// How many bytes; 0: to the end of the file.
    pub length: u8,
}

impl Command for ReadBinary {
    type Response = Vec<u8>;

    fn to_apdu(&self) -> Apdu {
        let [p1, p2] = self.place.p1p2();
        Apdu::case2([0x00, 0xB0, p1, p2], Some(super::read_record::le_of(self.length)))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0xB0)?;
        if !apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let place = BinaryPlace::parse(apdu.p1, apdu.p2)?;
        Ok(ReadBinary { place, length: super::read_record::length_of(apdu.le) })
    }

    fn parse_response(data: &[u8]) -> Option<Vec<u8>> {
        Some(data.to_vec())
    }
}
