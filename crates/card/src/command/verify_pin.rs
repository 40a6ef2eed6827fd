//! VERIFY PIN (验证口令).
//!
//! Standard: ISO 7816-4 VERIFY as PBOC cards take it: the digits are packed, two a byte (card.md section 1.6).
//! Invariant: a PIN is never printed.

use std::fmt;

use smartcard::{Apdu, Command, Status};

use super::expect_header;

const HEADER: [u8; 4] = [0x00, 0x20, 0x00, 0x00];

/// A PIN as it goes over the wire: 2 to 6 bytes, `123456` is `12 34 56`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(Vec<u8>);

/// `00 20 00 00`: presents the PIN. `63Cx` says how many tries are left, `6983` that none is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyPin {
    /// The PIN.
    pub pin: Pin,
}

impl Pin {
    /// From the packed bytes. `None` unless there are 2 to 6.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (2..=6).contains(&bytes.len()).then(|| Pin(bytes.to_vec()))
    }

    /// The packed bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(masked)")
    }
}

impl Command for VerifyPin {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::new(HEADER, self.pin.bytes(), None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        Pin::new(&apdu.data).map(|pin| VerifyPin { pin }).ok_or(Status::WRONG_LENGTH)
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
