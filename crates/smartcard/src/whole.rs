//! The whole answer: what a card holds back is fetched, what it wants asked with another length is asked again.
//!
//! Standard: ISO 7816-3 T=0 as elements behind a wired interface do it: `61xx` and GET RESPONSE `00 C0 00 00 xx`, `6Cxx`.
//! Invariant: a command is sent a second time only after `6Cxx`, which says that it was not carried out; an answer
//! that breaks off while it is fetched is silence.

use crate::channel::{Channel, ChannelError};

/// An answer has 256 bytes at most; a card that goes on for longer is not a card.
const PIECES: usize = 16;

/// Sends the bytes of one command and fetches the whole answer.
///
/// # Errors
/// As [`Channel::transmit`].
pub fn whole<C: Channel + ?Sized>(channel: &mut C, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
    let mut answer = channel.transmit(command)?;
    if let Some(again) = asked_again(command, &answer) {
        answer = channel.transmit(&again)?;
    }
    let class = command.first().map_or(0, |class| class & 0x03);
    let mut data = Vec::new();
    for _ in 0..PIECES {
        match answer.split_last_chunk::<2>() {
            Some((piece, [0x61, left])) => {
                data.extend_from_slice(piece);
                answer = channel.transmit(&[class, 0xC0, 0x00, 0x00, *left])?;
            }
            _ => break,
        }
    }
    data.extend(answer);
    Ok(data)
}

/// The command with the length that a card wants, if it can have another one than it has.
fn asked_again(command: &[u8], answer: &[u8]) -> Option<Vec<u8>> {
    let [0x6C, length] = *answer else { return None };
    let (le, head) = command.split_last()?;
    let has_le = match head {
        [_, _, _, _] => true,
        [_, _, _, _, lc, data @ ..] => data.len() == usize::from(*lc),
        _ => false,
    };
    (has_le && *le != length).then(|| [head, &[length]].concat())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Answers one after the other, and keeps what it was sent.
    struct Script(VecDeque<Option<&'static str>>, Vec<String>);

    impl Channel for Script {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            self.1.push(hex::encode_upper(command));
            let answer = self.0.pop_front().unwrap_or(Some("6102"));
            answer.map(|answer| hex::decode(answer).unwrap()).ok_or(ChannelError::Lost("gone".into()))
        }
    }

    fn asked(command: &str, answers: &[Option<&'static str>]) -> (Option<String>, Vec<String>) {
        let mut card = Script(answers.iter().copied().collect(), Vec::new());
        let answer = whole(&mut card, &hex::decode(command).unwrap());
        (answer.ok().map(hex::encode_upper), card.1)
    }

    #[test]
    fn what_is_held_back_is_fetched_and_its_status_is_the_last_one() {
        let (answer, sent) = asked("80F24002024F0000", &[Some("6104"), Some("AABB6102"), Some("CCDD6310")]);
        assert_eq!(answer.as_deref(), Some("AABBCCDD6310"));
        assert_eq!(sent, ["80F24002024F0000", "00C0000004", "00C0000002"]);
        let (answer, sent) = asked("82F24002024F0000", &[Some("6102"), Some("AABB9000")]);
        assert_eq!((answer.as_deref(), sent[1].as_str()), (Some("AABB9000"), "02C0000002"), "on its channel");
    }

    #[test]
    fn a_wrong_length_is_asked_again_once_and_only_where_there_is_one() {
        let (answer, sent) = asked("80CA006600", &[Some("6C1C"), Some("AA9000")]);
        assert_eq!(
            (answer.as_deref(), sent),
            (Some("AA9000"), vec!["80CA006600".into(), "80CA00661C".into()])
        );
        assert_eq!(asked("80CA006600", &[Some("6C1C"), Some("6C1D")]).0.as_deref(), Some("6C1D"));
        assert_eq!(asked("80CA00661C", &[Some("6C1C")]).1.len(), 1, "it has that length already");
        assert_eq!(asked("805200000B0000000000000000000000", &[Some("6C04")]).1.len(), 1, "no length at all");
        assert_eq!(asked("80500000080011223344556677", &[Some("6C1C")]).1.len(), 1, "its last byte is data");
    }

    #[test]
    fn silence_in_between_is_silence_and_an_endless_answer_ends() {
        assert_eq!(asked("80CA006600", &[Some("6104"), None]).0, None);
        let (answer, sent) = asked("80CA006600", &[]);
        assert_eq!((answer.as_deref(), sent.len()), (Some("6102"), PIECES + 1));
    }
}
