//! Anything that takes a command APDU and answers: a chip in a reader, a secure element in a phone, a
//! PSAM in its slot, a software twin of each.
//!
//! Standard: ISO 7816-4 command and response pairs; how they travel is the channel's own matter.
//! Invariant: silence is told apart from a command that was never sent.

use crate::apdu::{Apdu, ApduError, Response};
use crate::whole::whole;

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// Silence: the card left the field, the line was cut. The command may or may not have run.
    #[error("no answer from the card: {0}")]
    Lost(String),
    /// The command was never sent.
    #[error("the command was not sent: {0}")]
    NotSent(String),
    /// The answer is not an APDU.
    #[error("the card's answer is not an APDU: {0}")]
    BadAnswer(#[from] ApduError),
}

/// Takes a command, gives the answer.
pub trait Channel {
    /// Sends the bytes of one command and waits for its answer, which ends in two status bytes.
    ///
    /// # Errors
    /// [`ChannelError::Lost`] when no answer came: what the command did is then unknown.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError>;

    /// Power off and on, or a new field: volatile state is gone.
    ///
    /// # Errors
    /// [`ChannelError`] when the card does not come back.
    fn reset(&mut self) -> Result<(), ChannelError> {
        Ok(())
    }

    /// A command and its whole answer ([`crate::whole`]), parsed.
    ///
    /// # Errors
    /// As [`Channel::transmit`].
    fn exchange(&mut self, command: &Apdu) -> Result<Response, ChannelError> {
        let bytes = command.checked_bytes().map_err(|e| ChannelError::NotSent(e.to_string()))?;
        Ok(Response::parse(&whole(self, &bytes)?)?)
    }
}

impl<C: Channel + ?Sized> Channel for &mut C {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        (**self).transmit(command)
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        (**self).reset()
    }
}

impl<C: Channel + ?Sized> Channel for Box<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        (**self).transmit(command)
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        (**self).reset()
    }
}
