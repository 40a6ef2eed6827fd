//! EXTERNAL AUTHENTICATE: the host proves its keys and sets how the following commands are protected.
//!
//! Standard: SCP02 and SCP03 EXTERNAL AUTHENTICATE, `84 82 <level> 00 Lc <host cryptogram> <C-MAC>`, globalplatform.md sections
//! 1.2 and 1.3: 8 bytes each, in SCP03's S16 mode 16. Level 10 (response MACs alone) belongs to variants that we do not have.

use super::{Level, expect};
use crate::apdu::{Apdu, Command, Status};

/// The host's proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAuthenticate {
    /// The protection from here on.
    pub level: Level,
    /// Proves that the host holds the keys; 8 or 16 bytes.
    pub host_cryptogram: Vec<u8>,
    /// The first MAC of the session, over this command; as long.
    pub mac: Vec<u8>,
}

impl Command for ExternalAuthenticate {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let data = [&self.host_cryptogram[..], &self.mac].concat();
        Apdu::new([0x84, 0x82, self.level as u8, 0x00], data, None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x84, 0x82)?;
        let level = Level::from_code(apdu.p1).filter(|_| apdu.p2 == 0).ok_or(Status::WRONG_P1P2)?;
        let width = match apdu.data.len() {
            16 => 8,
            32 => 16,
            _ => return Err(Status::WRONG_LENGTH),
        };
        let (host_cryptogram, mac) = apdu.data.split_at_checked(width).ok_or(Status::WRONG_LENGTH)?;
        Ok(ExternalAuthenticate { level, host_cryptogram: host_cryptogram.to_vec(), mac: mac.to_vec() })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
