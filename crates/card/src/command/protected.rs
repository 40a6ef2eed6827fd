//! Line protection (线路保护): a command with a 4-byte MAC behind its data and bit 3 of its class set.
//!
//! Standard: PBOC secure messaging, MAC only (card.md section 2.4): the MAC covers class, instruction,
//! parameters, the length byte that already counts the MAC, and the data; it starts from the card's challenge.

use smartcard::{Apdu, Command, Status};

const PROTECTED: u8 = 0x04;
const MAC: usize = 4;

/// `command` with its MAC: `04 D6` for `00 D6`, `84 1E` for `80 1E`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected<C> {
    /// The command without the MAC.
    pub command: C,
    /// The MAC.
    pub mac: [u8; MAC],
}

impl<C: Command> Protected<C> {
    /// What the MAC of `command` is made over.
    #[must_use]
    pub fn mac_input(command: &C) -> Vec<u8> {
        let mut bytes = with_mac(command.to_apdu(), [0; MAC]).to_bytes();
        let without_mac = bytes.len().saturating_sub(MAC);
        bytes.truncate(without_mac);
        bytes
    }
}

fn with_mac(mut apdu: Apdu, mac: [u8; MAC]) -> Apdu {
    apdu.cla |= PROTECTED;
    apdu.data.extend(mac);
    apdu.le = None;
    apdu
}

impl<C: Command> Command for Protected<C> {
    type Response = C::Response;

    fn to_apdu(&self) -> Apdu {
        with_mac(self.command.to_apdu(), self.mac)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        if apdu.cla & PROTECTED == 0 {
            return Err(Status::SM_MISSING);
        }
        let (data, mac) = apdu.data.split_last_chunk::<MAC>().ok_or(Status::SM_MISSING)?;
        let [cla, ins, p1, p2] = apdu.header();
        let plain = Apdu::new([cla & !PROTECTED, ins, p1, p2], data, None);
        Ok(Protected { command: C::from_apdu(&plain)?, mac: *mac })
    }

    fn parse_response(data: &[u8]) -> Option<C::Response> {
        C::parse_response(data)
    }
}
