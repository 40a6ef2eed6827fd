//! Command and response APDUs (ISO 7816-4), short form, and status words.
//!
//! Standard: ISO 7816-4 short APDUs, globalplatform.md section 1.1; status words of GlobalPlatform and of the purse.

use std::fmt;

/// A command APDU: header, data, expected length.
#[derive(Clone, PartialEq, Eq)]
pub struct Apdu {
    /// Class.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Command data, at most 255 bytes.
    pub data: Vec<u8>,
    /// Expected response length; 256 is written `00`. `None`: no Le byte.
    pub le: Option<u16>,
}

/// Why bytes are not an APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApduError {
    /// Fewer bytes than a header (command) or a status word (response).
    #[error("{0} bytes are too few for an APDU")]
    TooShort(usize),
    /// Lc does not fit the bytes that follow.
    #[error("Lc says {lc} bytes, {found} follow")]
    WrongLc {
        /// The length byte.
        lc: u8,
        /// Bytes behind it.
        found: usize,
    },
    /// More than a short APDU can carry.
    #[error("{0} bytes of data do not fit in a short APDU; at most 255")]
    TooLong(usize),
}

impl Apdu {
    /// A command without data; `le` as given.
    #[must_use]
    pub fn case2(header: [u8; 4], le: Option<u16>) -> Self {
        Apdu::new(header, Vec::new(), le)
    }

    /// A command from its header, data and expected length.
    #[must_use]
    pub fn new([cla, ins, p1, p2]: [u8; 4], data: impl Into<Vec<u8>>, le: Option<u16>) -> Self {
        Apdu { cla, ins, p1, p2, data: data.into(), le }
    }

    /// The four header bytes.
    #[must_use]
    pub const fn header(&self) -> [u8; 4] {
        [self.cla, self.ins, self.p1, self.p2]
    }

    /// The bytes on the wire. Data beyond 255 bytes is a defect of the caller and is cut off:
    /// use [`Apdu::checked_bytes`] where the length comes from outside.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let data = self.data.get(..255).unwrap_or(&self.data);
        let mut bytes = self.header().to_vec();
        if !data.is_empty() {
            bytes.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(data);
        }
        if let Some(le) = self.le {
            bytes.push(u8::try_from(le).unwrap_or(0));
        }
        bytes
    }

    /// The bytes on the wire, or an error if the data is too long.
    ///
    /// # Errors
    /// [`ApduError::TooLong`].
    pub fn checked_bytes(&self) -> Result<Vec<u8>, ApduError> {
        if self.data.len() > 255 { Err(ApduError::TooLong(self.data.len())) } else { Ok(self.to_bytes()) }
    }

    /// From the bytes on the wire: header; header Le; header Lc data; header Lc data Le.
    ///
    /// # Errors
    /// [`ApduError`] when the length byte does not fit what follows.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        let (header, body) = bytes.split_first_chunk::<4>().ok_or(ApduError::TooShort(bytes.len()))?;
        let le_of = |byte: u8| if byte == 0 { 256 } else { u16::from(byte) };
        match body {
            [] => Ok(Apdu::case2(*header, None)),
            [le] => Ok(Apdu::case2(*header, Some(le_of(*le)))),
            [lc, rest @ ..] => {
                let wrong = ApduError::WrongLc { lc: *lc, found: rest.len() };
                let (data, tail) = rest.split_at_checked(usize::from(*lc)).ok_or(wrong)?;
                match tail {
                    [] => Ok(Apdu::new(*header, data, None)),
                    [le] => Ok(Apdu::new(*header, data, Some(le_of(*le)))),
                    _ => Err(wrong),
                }
            }
        }
    }
}

impl fmt::Debug for Apdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Apdu({:02X?}, {} bytes, le {:?})", self.header(), self.data.len(), self.le)
    }
}

/// A status word (SW1 SW2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

macro_rules! statuses {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        impl Status {
            $(#[doc = $text] pub const $name: Status = Status($code);)*

            /// What the word says, or `None` if it has no fixed meaning here.
            #[must_use]
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 { $($code => Some($text),)* _ => None }
            }
        }
    };
}
statuses! {
    OK = 0x9000, "done";
    FILE_INVALIDATED = 0x6283, "selected file invalid, or card locked";
    AUTH_FAILED = 0x6300, "authentication failed";
    MORE_DATA = 0x6310, "more data available";
    SOME_FAILED = 0x6320, "some of the applications failed";
    STATE_UNCHANGED = 0x6400, "state unchanged";
    MEMORY_FAILURE = 0x6581, "memory failure";
    WRONG_LENGTH = 0x6700, "wrong length";
    NO_CHANNEL = 0x6881, "logical channel not supported";
    NOT_IN_THIS_STATE = 0x6901, "command not accepted in this state";
    WRONG_FILE_TYPE = 0x6981, "command does not fit the file type";
    SECURITY_NOT_SATISFIED = 0x6982, "security state not satisfied";
    AUTH_BLOCKED = 0x6983, "authentication method blocked";
    BAD_RANDOM = 0x6984, "random number not valid";
    CONDITIONS_NOT_SATISFIED = 0x6985, "conditions of use not satisfied";
    SM_MISSING = 0x6987, "secure messaging object missing";
    SM_WRONG = 0x6988, "secure messaging MAC wrong";
    WRONG_DATA = 0x6A80, "wrong data";
    NOT_SUPPORTED = 0x6A81, "not supported, or card or application locked";
    FILE_NOT_FOUND = 0x6A82, "file or application not found";
    RECORD_NOT_FOUND = 0x6A83, "record not found";
    NO_ROOM = 0x6A84, "no room";
    WRONG_P1P2 = 0x6A86, "wrong P1 P2";
    NOT_FOUND = 0x6A88, "key or data not found";
    WRONG_OFFSET = 0x6B00, "offset beyond the end";
    WRONG_INS = 0x6D00, "instruction not supported";
    WRONG_CLA = 0x6E00, "class not supported";
    WRONG_MAC = 0x9302, "MAC wrong";
    APP_LOCKED = 0x9303, "application permanently locked";
    BALANCE_LOW = 0x9401, "balance too low";
    COUNTER_MAX = 0x9402, "counter at its maximum";
    WRONG_KEY_INDEX = 0x9403, "key index not supported";
    PROOF_NOT_AVAILABLE = 0x9406, "the asked MAC or TAC is not available";
}

impl Status {
    /// `9000`.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0x9000
    }

    /// Whether a command that answers this may have changed the card although it is not `9000`: an answer still to be
    /// fetched (`61xx`), a warning (`62xx`, `63xx`), a memory that failed (`65xx`), a fault without a name (`6Fxx`).
    #[must_use]
    pub const fn leaves_open(self) -> bool {
        matches!(self.0 >> 8, 0x61 | 0x62 | 0x63 | 0x65 | 0x6F)
    }

    /// `63Cx`: wrong PIN, `x` tries left.
    #[must_use]
    pub fn tries_left(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        (high == 0x63 && low & 0xF0 == 0xC0).then_some(low & 0x0F)
    }

    /// `63Cx` with `tries` left.
    #[must_use]
    pub fn wrong_pin(tries: u8) -> Self {
        Status(0x63C0 | u16::from(tries & 0x0F))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.meaning(), self.tries_left()) {
            (Some(text), _) => write!(f, "{:04X} ({text})", self.0),
            (None, Some(tries)) => write!(f, "{:04X} (PIN wrong, {tries} tries left)", self.0),
            (None, None) => write!(f, "{:04X}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

/// A response APDU: data and status word.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Response data, at most 256 bytes.
    pub data: Vec<u8>,
    /// Status word.
    pub status: Status,
}

impl Response {
    /// `9000` with data.
    #[must_use]
    pub fn ok(data: impl Into<Vec<u8>>) -> Self {
        Response { data: data.into(), status: Status::OK }
    }

    /// A status word alone.
    #[must_use]
    pub const fn status(status: Status) -> Self {
        Response { data: Vec::new(), status }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.data.clone();
        bytes.extend_from_slice(&self.status.0.to_be_bytes());
        bytes
    }

    /// From the bytes on the wire.
    ///
    /// # Errors
    /// [`ApduError::TooShort`] below two bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        let (data, status) = bytes.split_last_chunk::<2>().ok_or(ApduError::TooShort(bytes.len()))?;
        Ok(Response { data: data.to_vec(), status: Status(u16::from_be_bytes(*status)) })
    }
}

impl From<Status> for Response {
    fn from(status: Status) -> Self {
        Response::status(status)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} bytes, {:?})", self.data.len(), self.status)
    }
}

/// A typed command: its bytes, and the one response that answers it. Both sides of the wire use the same type.
pub trait Command: Sized {
    /// What a `9000` answer carries.
    type Response;

    /// The command's bytes, for the terminal's side.
    fn to_apdu(&self) -> Apdu;

    /// The command from its bytes, for the card's side; the error is what the card answers.
    ///
    /// # Errors
    /// The status word for a header or length that does not fit.
    fn from_apdu(apdu: &Apdu) -> Result<Self, Status>;

    /// The data of a `9000` answer, for the terminal's side. `None` if it does not fit.
    fn parse_response(data: &[u8]) -> Option<Self::Response>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_cases_survive_the_wire() {
        for hex in
            ["00A40000", "805C000204", "0084000000", "8052000001FF", "805000020B01000010000011223344551000"]
        {
            let Ok(bytes) = hex::decode(hex) else { panic!("{hex}") };
            match Apdu::parse(&bytes) {
                Ok(apdu) => assert_eq!(apdu.to_bytes(), bytes),
                Err(error) => assert!(matches!(error, ApduError::WrongLc { .. }), "{hex}"),
            }
        }
    }

    #[test]
    fn a_length_that_does_not_fit_is_refused() {
        assert_eq!(Apdu::parse(&[0, 0xA4, 4]), Err(ApduError::TooShort(3)));
        assert_eq!(Apdu::parse(&[0, 0xA4, 4, 0, 5, 1, 2]), Err(ApduError::WrongLc { lc: 5, found: 2 }));
        assert_eq!(Apdu::parse(&[0, 0xA4, 4, 0, 1, 1, 2, 3]), Err(ApduError::WrongLc { lc: 1, found: 3 }));
        assert_eq!(Response::parse(&[0x90]), Err(ApduError::TooShort(1)));
    }

    #[test]
    fn only_some_refusals_prove_that_nothing_changed() {
        for status in [0x6110, 0x6281, 0x63C0, 0x6581, 0x6F00] {
            assert!(Status(status).leaves_open(), "{status:04X}");
        }
        for status in [0x9000, 0x6400, 0x6700, 0x6985, 0x6A81, 0x6C04, 0x9302, 0x9401] {
            assert!(!Status(status).leaves_open(), "{status:04X}");
        }
    }

    #[test]
    fn a_status_says_what_it_means() {
        assert_eq!(Status(0x63C2).to_string(), "63C2 (PIN wrong, 2 tries left)");
        assert_eq!(Status::BALANCE_LOW.to_string(), "9401 (balance too low)");
    }
}
