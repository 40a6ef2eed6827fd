//! How one entry lies in the batch: `length(2) || complement of length(2) || payload || CRC-32(4) || A5`.
//!
//! Invariant: cutting the bytes anywhere, or filling a tail with zeros as a file system may after a power
//! cut, leaves a prefix of whole frames and a torn tail. Any other change is damage, and is said.

/// The last byte of a frame: never zero, so that a tail of zeros is not part of one.
const END: u8 = 0xA5;
const HEAD: usize = 4;
const TAIL: usize = 5;

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A whole frame, and what follows it.
    Whole { payload: &'a [u8], rest: &'a [u8] },
    /// Nothing, or the beginning of a frame whose end was never written.
    Torn,
    /// Bytes that were whole once and are not what was written.
    Damaged,
}

/// The frame around `payload`; `None` if it is too long for one.
pub(crate) fn frame(payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(payload.len()).ok()?;
    let mut bytes = Vec::with_capacity(payload.len().saturating_add(HEAD).saturating_add(TAIL));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&(!length).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(payload).to_be_bytes());
    bytes.push(END);
    Some(bytes)
}

/// Takes one frame off the front of `bytes`, which must not end in zeros (see [`without_zero_tail`]).
pub(crate) fn read(bytes: &[u8]) -> Frame<'_> {
    let Some((&[a, b, c, d], body)) = bytes.split_first_chunk::<HEAD>() else {
        return Frame::Torn;
    };
    let length = u16::from_be_bytes([a, b]);
    if !length != u16::from_be_bytes([c, d]) {
        return Frame::Damaged;
    }
    let Some((payload, tail)) = body.split_at_checked(usize::from(length)) else {
        return Frame::Torn;
    };
    let Some((&[e, f, g, h, end], rest)) = tail.split_first_chunk::<TAIL>() else {
        return Frame::Torn;
    };
    if end == END && u32::from_be_bytes([e, f, g, h]) == crc32fast::hash(payload) {
        Frame::Whole { payload, rest }
    } else {
        Frame::Damaged
    }
}

/// `bytes` up to the last one that is not zero.
pub(crate) fn without_zero_tail(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    bytes.get(..end).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_cut_anywhere_is_torn_and_never_damaged() {
        let whole = frame(b"four bytes").unwrap();
        assert_eq!(read(&whole), Frame::Whole { payload: b"four bytes", rest: &[] });
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Frame::Torn, "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_with_any_flipped_bit_is_damaged_and_never_whole() {
        let whole = frame(b"a ride").unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped), Frame::Damaged, "bit {bit}");
        }
    }

    #[test]
    fn a_tail_of_zeros_is_no_part_of_a_batch() {
        let mut bytes = frame(&[0, 0]).unwrap();
        let length = bytes.len();
        bytes.resize(length + 4096, 0);
        assert_eq!(without_zero_tail(&bytes).len(), length);
        assert!(without_zero_tail(&[0; 9]).is_empty());
    }

    #[test]
    fn what_is_too_long_is_not_framed() {
        assert!(frame(&vec![1; 0xFFFF]).is_some());
        assert!(frame(&vec![1; 0x1_0000]).is_none());
    }
}
