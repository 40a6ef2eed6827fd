//! A [`Channel`] that tells what passes through it.
//!
//! Standard: none of its own; the bytes reported are the APDUs as they were sent and answered (ISO 7816-4).

use crate::channel::{Channel, ChannelError};

/// Wraps a channel and reports every exchange, answered or not, once it is over.
pub struct Transcript<C, F> {
    channel: C,
    report: F,
}

impl<C: Channel, F: FnMut(&[u8], Result<&[u8], &ChannelError>)> Transcript<C, F> {
    /// `report` is called with the command and what came of it.
    pub const fn new(channel: C, report: F) -> Self {
        Transcript { channel, report }
    }

    /// The channel inside, without the reporting.
    pub fn into_inner(self) -> C {
        self.channel
    }
}

impl<C: Channel, F: FnMut(&[u8], Result<&[u8], &ChannelError>)> Channel for Transcript<C, F> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.channel.transmit(command);
        (self.report)(command, answer.as_deref());
        answer
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.channel.reset()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OnceThenSilent(bool);

    impl Channel for OnceThenSilent {
        fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
            if std::mem::replace(&mut self.0, true) {
                Err(ChannelError::Lost("out of the field".into()))
            } else {
                Ok(vec![0x90, 0])
            }
        }
    }

    #[test]
    fn answers_and_silence_are_both_reported() {
        let mut lines = Vec::new();
        let mut channel =
            Transcript::new(OnceThenSilent(false), |command: &[u8], answer: Result<&[u8], &_>| {
                lines.push((hex::encode(command), answer.map(hex::encode).map_err(ToString::to_string)));
            });
        assert_eq!(channel.transmit(&[0, 0x84, 0, 0, 4]), Ok(vec![0x90, 0]));
        assert!(matches!(channel.transmit(&[0, 0x84, 0, 0, 4]), Err(ChannelError::Lost(_))));
        assert_eq!(lines[0], ("0084000004".into(), Ok("9000".into())));
        assert_eq!(lines[1], ("0084000004".into(), Err("no answer from the card: out of the field".into())));
    }
}
