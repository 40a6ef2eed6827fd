//! EXTERNAL AUTHENTICATE: the host proves its keys and sets how the following commands are protected.
//!
//! Standard: SCP02 EXTERNAL AUTHENTICATE, `84 82 <level> 00 10 <host cryptogram> <C-MAC>`, globalplatform.md
//! section 1.2. Levels with response MACs are not part of the variant i=15.

use super::expect;
use crate::apdu::{Apdu, Command, Status};

/// How the commands of a session are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Not at all; the two sides only know each other.
    Plain = 0x00,
    /// Each command carries a MAC.
    Mac = 0x01,
    /// Each command carries a MAC, and its data is encrypted.
    MacAndEncryption = 0x03,
}

/// The host's proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAuthenticate {
    /// The protection from here on.
    pub level: Level,
    /// Proves that the host holds the keys.
    pub host_cryptogram: [u8; 8],
    /// The first MAC of the session, over this command.
    pub mac: [u8; 8],
}

impl Command for ExternalAuthenticate {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x84, 0x82, self.level as u8, 0x00], [self.host_cryptogram, self.mac].concat(), None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x84, 0x82)?;
        let level = match (apdu.p1, apdu.p2) {
            (0x00, 0) => Level::Plain,
            (0x01, 0) => Level::Mac,
            (0x03, 0) => Level::MacAndEncryption,
            _ => return Err(Status::WRONG_P1P2),
        };
        match apdu.data.as_chunks() {
            ([host_cryptogram, mac], []) => {
                Ok(ExternalAuthenticate { level, host_cryptogram: *host_cryptogram, mac: *mac })
            }
            _ => Err(Status::WRONG_LENGTH),
        }
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
