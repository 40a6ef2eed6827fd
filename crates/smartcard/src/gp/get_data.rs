//! GET DATA: one data object of the selected application, as TLV.
//!
//! Standard: GlobalPlatform GET DATA, `80 CA <tag> 00`; `00 CA` answers the value alone; globalplatform.md section 1.5. A
//! security domain has 42 (issuer), 45 (card), 66 ([`super::CardData`]) and C1 (sequence counter); many have 9F7F ([`super::Cplc`]).

use super::{ALL, expect};
use crate::apdu::{Apdu, Command, Status};

/// Asks for the object with this tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetData {
    /// The object's tag: `0x0066`, `0x9F7F`.
    pub tag: u16,
}

impl Command for GetData {
    /// The object, tag and length included.
    type Response = Vec<u8>;

    fn to_apdu(&self) -> Apdu {
        let [p1, p2] = self.tag.to_be_bytes();
        Apdu::case2([0x80, 0xCA, p1, p2], ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xCA)?;
        if apdu.data.is_empty() {
            Ok(GetData { tag: u16::from_be_bytes([apdu.p1, apdu.p2]) })
        } else {
            Err(Status::WRONG_LENGTH)
        }
    }

    fn parse_response(data: &[u8]) -> Option<Vec<u8>> {
        Some(data.to_vec())
    }
}

/// Asks for the value of the object with this tag, without tag and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetValue {
    /// The object's tag.
    pub tag: u16,
}

impl Command for GetValue {
    type Response = Vec<u8>;

    fn to_apdu(&self) -> Apdu {
        Apdu { cla: 0x00, ..GetData { tag: self.tag }.to_apdu() }
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0xCA)?;
        GetData::from_apdu(&Apdu { cla: 0x80, ..apdu.clone() }).map(|GetData { tag }| GetValue { tag })
    }

    fn parse_response(data: &[u8]) -> Option<Vec<u8>> {
        Some(data.to_vec())
    }
}
