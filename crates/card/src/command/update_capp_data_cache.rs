//! UPDATE CAPP DATA CACHE (更新复合应用数据缓存): a record that the next debit writes, or nobody does.
//!
//! Standard: PBOC compound purchase (card.md section 1.3).
//! Invariant: the record reaches its file in the same step as the debit, never before and never without it.

use smartcard::{Apdu, Command, Status};

use super::{RecordPlace, expect};
use crate::layout::Sfi;

/// `80 DC`: hands a record to the running compound purchase. May be sent several times, for several records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateCappDataCache {
    /// The record file.
    pub file: Sfi,
    /// Which record.
    pub place: RecordPlace,
    /// The new record, whole; as long as the one it replaces.
    pub record: Vec<u8>,
}

impl Command for UpdateCappDataCache {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let [p1, p2] = self.place.p1p2(self.file);
        Apdu::new([0x80, 0xDC, p1, p2], self.record.clone(), None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xDC)?;
        if apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let (file, place) = RecordPlace::parse(apdu.p1, apdu.p2)?;
        Ok(UpdateCappDataCache { file, place, record: apdu.data.clone() })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
