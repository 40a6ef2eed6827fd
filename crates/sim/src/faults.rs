//! Cards that leave the field (掉卡): a channel that goes silent at a chosen command.

use smartcard::{Channel, ChannelError};

/// What is lost at the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The command never reaches the card.
    Command,
    /// The card does what it is told, and its answer is lost.
    Answer,
}

/// A channel that works until a command with the chosen instruction byte, and is silent from then on.
pub struct Leaving<C> {
    card: C,
    at: Option<(u8, Cut)>,
    gone: bool,
}

impl<C: Channel> Leaving<C> {
    /// `card`, which leaves at the first command with instruction byte `at`, if any.
    pub fn new(card: C, at: Option<(u8, Cut)>) -> Self {
        Leaving { card, at, gone: false }
    }
}

fn lost() -> ChannelError {
    ChannelError::Lost("the card has left the field".into())
}

impl<C: Channel> Channel for Leaving<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if self.gone {
            return Err(lost());
        }
        match self.at.filter(|(ins, _)| command.get(1) == Some(ins)) {
            None => self.card.transmit(command),
            Some((_, cut)) => {
                self.gone = true;
                self.at = None;
                if cut == Cut::Answer {
                    self.card.transmit(command)?;
                }
                Err(lost())
            }
        }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        if self.gone {
            return Err(lost());
        }
        self.card.reset()
    }
}
