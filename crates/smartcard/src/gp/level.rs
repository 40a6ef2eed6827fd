//! Security levels (安全级别): how the commands and answers of a session are protected.
//!
//! Standard: GlobalPlatform, P1 of EXTERNAL AUTHENTICATE, for SCP02 and SCP03 (globalplatform.md sections 1.2 and 1.3). SCP02 in
//! its variants 15 and 55 protects no answers.

use keys::{ResponseSecurity, Scp};

/// How the commands and answers of a session are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Not at all; the two sides only know each other.
    Plain = 0x00,
    /// Each command carries a MAC.
    Mac = 0x01,
    /// Each command carries a MAC, and its data is encrypted.
    MacAndEncryption = 0x03,
    /// Each command and each good answer carries a MAC.
    Macs = 0x11,
    /// The same, and the commands' data is encrypted.
    MacsAndEncryption = 0x13,
    /// The same, and the answers' data is encrypted too.
    Full = 0x33,
}

impl Level {
    /// All, from none to most.
    pub const ALL: [Level; 6] = [
        Level::Plain,
        Level::Mac,
        Level::MacAndEncryption,
        Level::Macs,
        Level::MacsAndEncryption,
        Level::Full,
    ];

    /// From P1 of EXTERNAL AUTHENTICATE.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Level::ALL.into_iter().find(|level| *level as u8 == code)
    }

    /// The most that a channel can give.
    #[must_use]
    pub const fn strongest(scp: Scp) -> Self {
        match scp {
            Scp::Scp02 { .. } => Level::MacAndEncryption,
            Scp::Scp03(scp03) => match scp03.responses {
                ResponseSecurity::None => Level::MacAndEncryption,
                ResponseSecurity::Mac => Level::MacsAndEncryption,
                ResponseSecurity::MacAndEncryption => Level::Full,
            },
        }
    }

    /// Whether a channel can give it.
    #[must_use]
    pub fn fits(self, scp: Scp) -> bool {
        self <= Level::strongest(scp)
    }

    /// Commands carry a MAC.
    #[must_use]
    pub const fn signs_commands(self) -> bool {
        !matches!(self, Level::Plain)
    }

    /// Commands' data is encrypted.
    #[must_use]
    pub const fn encrypts_commands(self) -> bool {
        matches!(self, Level::MacAndEncryption | Level::MacsAndEncryption | Level::Full)
    }

    /// Answers carry a MAC.
    #[must_use]
    pub const fn signs_answers(self) -> bool {
        matches!(self, Level::Macs | Level::MacsAndEncryption | Level::Full)
    }

    /// Answers' data is encrypted.
    #[must_use]
    pub const fn encrypts_answers(self) -> bool {
        matches!(self, Level::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_gives_the_levels_of_its_option_and_no_more() {
        let levels = |protocol, option| {
            let scp = Scp::new(protocol, option).unwrap();
            Level::ALL
                .into_iter()
                .filter(|level| level.fits(scp))
                .map(|level| level as u8)
                .collect::<Vec<_>>()
        };
        for (protocol, option) in [(2, 0x15), (2, 0x55), (3, 0x00), (3, 0x10), (3, 0x11)] {
            assert_eq!(levels(protocol, option), [0x00, 0x01, 0x03]);
        }
        assert_eq!(levels(3, 0x30), [0x00, 0x01, 0x03, 0x11, 0x13]);
        assert_eq!(levels(3, 0x60), [0x00, 0x01, 0x03, 0x11, 0x13, 0x33]);
        assert_eq!(levels(3, 0x70), levels(3, 0x61));
        let known = (0..=u8::MAX).filter(|code| Level::from_code(*code).is_some());
        assert_eq!(known.collect::<Vec<_>>(), [0x00, 0x01, 0x03, 0x11, 0x13, 0x33]);
    }
}
