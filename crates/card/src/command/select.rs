//! SELECT (选择): an application by its name, a file by its id.
//!
//! Standard: ISO 7816-4 SELECT as answered by PBOC cards (card.md section 1.1).

use smartcard::{Apdu, Command, Status};

use super::expect_header;
use crate::layout::Fci;

/// `00 A4 04 00`: selects an application (ADF) or the root (PSE) by name. Answered by its [`Fci`], also with
/// `6A81` when the application is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectApplication {
    /// AID or DF name, 5 to 16 bytes.
    pub name: Vec<u8>,
}

/// `00 A4 00 00`: selects a file by its id; `3F00` is the root from anywhere. A directory answers with its
/// FCI, a file with nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectFile {
    /// File id.
    pub id: u16,
}

impl Command for SelectApplication {
    type Response = Fci;

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x00, 0xA4, 0x04, 0x00], self.name.clone(), Some(256))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, [0x00, 0xA4, 0x04, 0x00])?;
        let length_fits = (5..=16).contains(&apdu.data.len());
        if length_fits {
            Ok(SelectApplication { name: apdu.data.clone() })
        } else {
            Err(Status::WRONG_LENGTH)
        }
    }

    fn parse_response(data: &[u8]) -> Option<Fci> {
        Fci::parse(data)
    }
}

impl Command for SelectFile {
    type Response = Option<Fci>;

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x00, 0xA4, 0x00, 0x00], self.id.to_be_bytes(), Some(256))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, [0x00, 0xA4, 0x00, 0x00])?;
        super::exact(apdu).map(|id| SelectFile { id: u16::from_be_bytes(id) })
    }

    fn parse_response(data: &[u8]) -> Option<Option<Fci>> {
        if data.is_empty() { Some(None) } else { Fci::parse(data).map(Some) }
    }
}
