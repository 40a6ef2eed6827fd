//! MANAGE CHANNEL: opens and closes logical channels (逻辑通道) beside the basic one.
//!
//! Standard: `00 70 00 00 01` opens and is answered with the number, `00 70 80 n` closes; globalplatform.md sections 1.1 and
//! 1.5. The number of its channel stands in the two low bits of a command's class.

use super::expect;
use crate::apdu::{Apdu, Command, Status};

/// Opens or closes a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManageChannel {
    /// Opens the first that is free.
    Open,
    /// Closes this one, 1 to 3.
    Close(u8),
}

impl Command for ManageChannel {
    /// The number of the channel that was opened; `None` after closing one.
    type Response = Option<u8>;

    fn to_apdu(&self) -> Apdu {
        match self {
            ManageChannel::Open => Apdu::case2([0x00, 0x70, 0x00, 0x00], Some(1)),
            ManageChannel::Close(number) => Apdu::case2([0x00, 0x70, 0x80, *number], None),
        }
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x00, 0x70)?;
        if !apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        match (apdu.p1, apdu.p2) {
            (0x00, 0x00) => Ok(ManageChannel::Open),
            (0x80, number @ 1..=3) => Ok(ManageChannel::Close(number)),
            (0x80, 4..=19) => Err(Status::NO_CHANNEL),
            _ => Err(Status::WRONG_P1P2),
        }
    }

    fn parse_response(data: &[u8]) -> Option<Option<u8>> {
        match data {
            [] => Some(None),
            [number @ 1..=19] => Some(Some(*number)),
            _ => None,
        }
    }
}

/// Which channel a command is for, and the command as the basic channel would have it. Channels from 4 on are answered
/// `6881` by every element here; other classes are left as they are.
///
/// # Errors
/// `6881`.
pub fn on_basic_channel(apdu: &Apdu) -> Result<(u8, Apdu), Status> {
    match apdu.cla {
        0x00..=0x0F | 0x80..=0x8F => Ok((apdu.cla & 0x03, Apdu { cla: apdu.cla & !0x03, ..apdu.clone() })),
        0x40..=0x7F | 0xC0..=0xFE => Err(Status::NO_CHANNEL),
        _ => Ok((0, apdu.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_names_the_channel() {
        let on = |cla| on_basic_channel(&Apdu::case2([cla, 0xCA, 0, 0], None)).map(|(n, apdu)| (n, apdu.cla));
        assert_eq!((on(0x00), on(0x01), on(0x87)), (Ok((0, 0x00)), Ok((1, 0x00)), Ok((3, 0x84))));
        assert_eq!((on(0xC0), on(0xE1)), (Err(Status::NO_CHANNEL), Err(Status::NO_CHANNEL)));
        assert_eq!(on(0xA0), Ok((0, 0xA0)));
        assert_eq!(ManageChannel::parse_response(&[2]), Some(Some(2)));
        assert_eq!(ManageChannel::parse_response(&[0]), None, "the basic channel is never opened");
    }
}
