//! Secure channels as a phone's profile names them: `scp02-15`, `scp03-70`.
//!
//! Standard: SCP02 and SCP03 with their parameter `i` (globalplatform.md sections 1.2 and 1.3).
//! Invariant: only variants that are written here can be named; one with encrypted but unsigned responses cannot.

use std::fmt;
use std::str::FromStr;

use crate::number::NumberError;

/// Secure channel protocol and its option `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scp {
    /// 3DES: three keys, explicit opening, MAC over the modified command, ICV encrypted.
    Scp02 {
        /// The card's challenge follows from its counter and its domain's name (i=55); else it is random (i=15).
        pseudo_random: bool,
    },
    /// AES.
    Scp03(Scp03),
}

/// The option of SCP03.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scp03 {
    /// S16: challenges, cryptograms and MACs have 16 bytes instead of 8 (bit `01`).
    pub wide: bool,
    /// The card's challenge follows from its counter and its domain's name (bit `10`); else it is random.
    pub pseudo_random: bool,
    /// How responses can be protected (bits `20` and `40`).
    pub responses: ResponseSecurity,
}

/// How a card can protect what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseSecurity {
    /// Not at all.
    None,
    /// With a MAC.
    Mac,
    /// With a MAC, over enciphered data.
    MacAndEncryption,
}

/// How an element counts the commands of an SCP03 session for their encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncryptionCounter {
    /// Every command, as the standard says.
    #[default]
    EveryCommand,
    /// Only commands with data: a fault that cards in the field have.
    OnlyWithData,
}

impl Scp {
    /// SCP02, option 15.
    pub const SCP02_15: Scp = Scp::Scp02 { pseudo_random: false };

    /// The protocol's number.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        match self {
            Scp::Scp02 { .. } => 0x02,
            Scp::Scp03(_) => 0x03,
        }
    }

    /// The parameter `i`.
    #[must_use]
    pub const fn option(self) -> u8 {
        match self {
            Scp::Scp02 { pseudo_random: false } => 0x15,
            Scp::Scp02 { pseudo_random: true } => 0x55,
            Scp::Scp03(scp03) => scp03.option(),
        }
    }

    /// From protocol and `i`; `None` if the variant is not one of ours.
    #[must_use]
    pub const fn new(protocol: u8, option: u8) -> Option<Self> {
        match (protocol, option) {
            (0x02, 0x15) => Some(Scp::Scp02 { pseudo_random: false }),
            (0x02, 0x55) => Some(Scp::Scp02 { pseudo_random: true }),
            (0x03, option) => match Scp03::new(option) {
                Some(scp03) => Some(Scp::Scp03(scp03)),
                None => None,
            },
            _ => None,
        }
    }
}

impl Scp03 {
    /// The parameter `i`.
    #[must_use]
    pub const fn option(self) -> u8 {
        let responses = match self.responses {
            ResponseSecurity::None => 0x00,
            ResponseSecurity::Mac => 0x20,
            ResponseSecurity::MacAndEncryption => 0x60,
        };
        let wide = if self.wide { 0x01 } else { 0x00 };
        let pseudo_random = if self.pseudo_random { 0x10 } else { 0x00 };
        responses | pseudo_random | wide
    }

    /// From the parameter `i`.
    #[must_use]
    pub const fn new(option: u8) -> Option<Self> {
        let responses = match option & 0xEE {
            0x00 => ResponseSecurity::None,
            0x20 => ResponseSecurity::Mac,
            0x60 => ResponseSecurity::MacAndEncryption,
            _ => return None,
        };
        Some(Scp03 { wide: option & 0x01 != 0, pseudo_random: option & 0x10 != 0, responses })
    }

    /// Bytes of a challenge, a cryptogram and a MAC.
    #[must_use]
    pub const fn width(self) -> usize {
        if self.wide { 16 } else { 8 }
    }
}

impl FromStr for Scp {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let option = |digits: &str| {
            let mut option = [0];
            hex::decode_to_slice(digits, &mut option).ok().map(|()| u8::from_be_bytes(option))
        };
        let parts = text.split_once('-').and_then(|(name, digits)| match name {
            "scp02" => Some((0x02, option(digits)?)),
            "scp03" => Some((0x03, option(digits)?)),
            _ => None,
        });
        let scp = parts.and_then(|(protocol, option)| Scp::new(protocol, option));
        scp.ok_or_else(|| {
            NumberError::new(
                text,
                "a secure channel",
                "scp02-15, scp02-55, or scp03- with an option such as 00, 10, 60, 70",
            )
        })
    }
}

impl fmt::Display for Scp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scp{:02}-{:02X}", self.protocol(), self.option())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_read_as_it_is_written_and_no_other_is() {
        let mut read = Vec::new();
        for (protocol, option) in (0..=4_u8).flat_map(|protocol| (0..=u8::MAX).map(move |i| (protocol, i))) {
            let text = format!("scp{protocol:02}-{option:02X}");
            let scp = text.parse::<Scp>().ok();
            assert_eq!(scp, Scp::new(protocol, option));
            read.extend(scp.map(|scp| {
                assert_eq!((scp.to_string(), scp.option()), (text, option));
                option
            }));
        }
        let options = [0x15, 0x55, 0, 1, 0x10, 0x11, 0x20, 0x21, 0x30, 0x31, 0x60, 0x61, 0x70, 0x71];
        assert_eq!(read, options);
        for text in ["", "scp02", "scp02-", "scp02-5", "scp02-055", "scp03-+1", "SCP03-70", "scp03-40"] {
            assert!(text.parse::<Scp>().is_err(), "{text}");
        }
    }
}
