//! UPDATE BINARY (写二进制文件), plain or line-protected.
//!
//! Standard: ISO 7816-4 UPDATE BINARY; class `04` carries a MAC (card.md sections 1.1 and 2.4).

use smartcard::{Apdu, Command, Status};

use super::{BinaryPlace, expect};

/// `00 D6`: writes into a binary file; in [`Protected`](super::Protected) it is `04 D6`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateBinary {
    /// Where to.
    pub place: BinaryPlace,
    /// What.
    pub data: Vec<u8>,
}

impl Command for UpdateBinary {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let [p1, p2] = self.place.p1p2();
        Apdu::new([0x00, 0xD6, p1, p2], self.data.clone(), None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0xD6)?;
        if apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        Ok(UpdateBinary { place: BinaryPlace::parse(apdu.p1, apdu.p2)?, data: apdu.data.clone() })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
