//! Habits (习性) of elements behind a wired interface: an answer that must be fetched, a length that must be exact.
//!
//! Standard: ISO 7816-3 T=0, `61xx` with GET RESPONSE and `6Cxx`; which element does so is in its phone's profile.
//! Invariant: a command is carried out once, also when it is asked twice; what was held back is forgotten with the next
//! command that does not ask for it.

use model::registry::Quirk;
use smartcard::{Apdu, Response, Status};

use crate::memory::{Element, Selected};

/// An answer that waits.
pub(crate) struct Held {
    /// What it answers.
    command: Apdu,
    response: Response,
    /// It waits for GET RESPONSE, not for the command with the right length.
    fetched: bool,
}

const GET_RESPONSE: [u8; 4] = [0x00, 0xC0, 0x00, 0x00];

impl Element {
    /// The answer that this command fetches; `None`: it is a command of its own.
    pub(crate) fn fetched(&mut self, command: &Apdu) -> Option<Response> {
        let held = self.volatile.held.take();
        if command.header() == GET_RESPONSE && command.data.is_empty() && self.birth.has(Quirk::GetResponse) {
            let held = held.filter(|held| held.fetched);
            return Some(match (held, command.le) {
                (Some(held), Some(le)) if usize::from(le) == held.response.data.len() => held.response,
                (Some(held), _) => {
                    let status = announced(0x6C, &held.response);
                    self.volatile.held = Some(held);
                    status.into()
                }
                (None, _) => Status::CONDITIONS_NOT_SATISFIED.into(),
            });
        }
        let same = |held: &Held| {
            !held.fetched
                && (held.command.header(), &held.command.data) == (command.header(), &command.data)
                && command.le.map(usize::from) == Some(held.response.data.len())
        };
        held.filter(same).map(|held| held.response)
    }

    /// The answer as this element gives it.
    pub(crate) fn given(&mut self, command: &Apdu, response: Response) -> Response {
        let (length, le) = (response.data.len(), command.le.map(usize::from));
        let fetched = self.birth.has(Quirk::GetResponse) && !command.data.is_empty();
        let exact = self.birth.has(Quirk::ExactLe) && self.is_question(command) && le != Some(length);
        if length == 0 || le.is_none() || !(fetched || exact) {
            return response;
        }
        let status = announced(if fetched { 0x61 } else { 0x6C }, &response);
        self.volatile.held = Some(Held { command: command.clone(), response, fetched });
        status.into()
    }

    /// A command that changes nothing that is kept.
    fn is_question(&self, command: &Apdu) -> bool {
        match command.ins {
            0xA4 | 0xCA | 0xF2 => true,
            0x50 => matches!(self.session.selected, Selected::Issuer | Selected::Domain(_)),
            _ => false,
        }
    }
}

/// 256 bytes are announced as `00`.
fn announced(kind: u8, response: &Response) -> Status {
    Status(u16::from_be_bytes([kind, u8::try_from(response.data.len()).unwrap_or(0)]))
}
