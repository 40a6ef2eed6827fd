//! Logical channels (逻辑通道): several applications selected at once, each with a session of its own.
//!
//! Standard: GlobalPlatform MANAGE CHANNEL and the channel number in the class byte (globalplatform.md sections 1.1 and 1.5).
//! Invariant: a purse is selected on one channel at a time, since it has one memory of what it has begun; a secure channel
//! ends with its logical channel.

use std::mem;

use smartcard::gp::{Aid, ManageChannel};
use smartcard::{Apdu, Command, Response, Status};

use crate::habits::Held;
use crate::memory::{Element, Selected, Session};

/// How many there are, the basic one with them.
const CHANNELS: usize = 4;

/// What an element forgets without power, beside the session of the channel that it is serving.
#[derive(Default)]
pub(crate) struct Volatile {
    /// The card for the next tap: it comes before all others that are active. A new field does not end it.
    pub(crate) next_tap: Option<Aid>,
    /// The number of the channel that `Element::session` belongs to.
    current: usize,
    /// The sessions of the other channels that are open.
    parked: [Option<Session>; CHANNELS],
    /// An answer that is still to be fetched.
    pub(crate) held: Option<Held>,
}

impl Element {
    /// Makes this channel's session the one that is served.
    pub(crate) fn serve(&mut self, number: u8) -> Result<(), Status> {
        let number = usize::from(number);
        if number == self.volatile.current {
            return Ok(());
        }
        let place = self.volatile.parked.get_mut(number).ok_or(Status::NO_CHANNEL)?;
        let wanted = place.take().ok_or(Status::NO_CHANNEL)?;
        let left = mem::replace(&mut self.session, wanted);
        let current = mem::replace(&mut self.volatile.current, number);
        if let Some(place) = self.volatile.parked.get_mut(current) {
            *place = Some(left);
        }
        Ok(())
    }

    /// Opens and closes; on the basic channel or another one.
    pub(crate) fn manage_channel(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        match ManageChannel::from_apdu(apdu)? {
            ManageChannel::Open => {
                let (current, mut places) =
                    (self.volatile.current, self.volatile.parked.iter_mut().enumerate());
                let (number, place) = places
                    .find(|(number, place)| *number > 0 && *number != current && place.is_none())
                    .ok_or(Status::NOT_SUPPORTED)?;
                *place = Some(Session::default());
                Ok(Response::ok([u8::try_from(number).unwrap_or_default()]))
            }
            ManageChannel::Close(number) => {
                let number = usize::from(number);
                if number == self.volatile.current {
                    self.serve(0)?;
                }
                let closed = self.volatile.parked.get_mut(number).and_then(Option::take);
                let closed = closed.ok_or(Status::NO_CHANNEL)?;
                self.leave(closed.selected);
                Ok(Response::ok([]))
            }
        }
    }

    /// What a purse had begun is over when nobody has it selected any more.
    pub(crate) fn leave(&mut self, selected: Selected) {
        if let Selected::Purse(name) = selected {
            self.instance_mut(&name).into_iter().for_each(|instance| instance.purse.reset());
        }
    }

    pub(crate) fn is_selected_elsewhere(&self, selected: Selected) -> bool {
        self.volatile.parked.iter().flatten().any(|session| session.selected == selected)
    }

    /// A reset leaves the basic channel alone.
    pub(crate) fn close_channels(&mut self) {
        self.session = Session::default();
        self.volatile.current = 0;
        self.volatile.parked = Default::default();
        self.volatile.held = None;
    }
}
