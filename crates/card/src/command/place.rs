//! Where in the file system a command reads or writes.
//!
//! Standard: short file identifiers and record numbers of ISO 7816-4 as used by PBOC cards (card.md section 1.1).

use smartcard::Status;

use crate::layout::Sfi;

/// A place in a binary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryPlace {
    /// Offset in the file with this short id.
    Sfi(Sfi, u8),
    /// Offset (at most 7FFF) in the selected file.
    Current(u16),
}

/// One record of a record file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordPlace {
    /// By number, from 1; in a cyclic file 1 is the newest.
    Number(u8),
    /// By its first byte, in a file of variable-length records.
    Tag(u8),
}

impl BinaryPlace {
    pub(super) fn p1p2(self) -> [u8; 2] {
        match self {
            BinaryPlace::Sfi(sfi, offset) => [0x80 | sfi.get(), offset],
            BinaryPlace::Current(offset) => (offset & 0x7FFF).to_be_bytes(),
        }
    }

    pub(super) fn parse(p1: u8, p2: u8) -> Result<Self, Status> {
        if p1 & 0x80 == 0 {
            return Ok(BinaryPlace::Current(u16::from_be_bytes([p1, p2])));
        }
        Sfi::new(p1 & 0x7F).map(|sfi| BinaryPlace::Sfi(sfi, p2)).ok_or(Status::WRONG_P1P2)
    }
}

impl RecordPlace {
    pub(super) fn p1p2(self, file: Sfi) -> [u8; 2] {
        match self {
            RecordPlace::Number(number) => [number, (file.get() << 3) | 4],
            RecordPlace::Tag(tag) => [tag, file.get() << 3],
        }
    }

    pub(super) fn parse(p1: u8, p2: u8) -> Result<(Sfi, Self), Status> {
        let file = Sfi::new(p2 >> 3).ok_or(Status::WRONG_P1P2)?;
        match (p2 & 7, p1) {
            (4, 1..) => Ok((file, RecordPlace::Number(p1))),
            (0, 1..) => Ok((file, RecordPlace::Tag(p1))),
            _ => Err(Status::WRONG_P1P2),
        }
    }
}
