//! UPDATE RECORD (写记录文件), plain or line-protected.
//!
//! Standard: ISO 7816-4 UPDATE RECORD; class `04` carries a MAC (card.md sections 1.1 and 2.4).

use smartcard::{Apdu, Command, Status};

use super::{RecordPlace, expect};
use crate::layout::Sfi;

/// `00 DC`: replaces a record; in [`Protected`](super::Protected) it is `04 DC`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRecord {
    /// The record file.
    pub file: Sfi,
    /// Which record.
    pub place: RecordPlace,
    /// The new record, whole.
    pub data: Vec<u8>,
}

impl Command for UpdateRecord {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let [p1, p2] = self.place.p1p2(self.file);
        Apdu::new([0x00, 0xDC, p1, p2], self.data.clone(), None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0xDC)?;
        if apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let (file, place) = RecordPlace::parse(apdu.p1, apdu.p2)?;
        Ok(UpdateRecord { file, place, data: apdu.data.clone() })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
