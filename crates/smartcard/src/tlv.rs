//! BER-TLV (tag, length, value): how cards name the parts of an answer.
//!
//! Standard: ISO 7816-4 BER-TLV as GlobalPlatform uses it, globalplatform.md sections 1.1 and 1.5.
//! Invariant: reading borrows, never panics, and never reaches past the bytes it was given.
//!
//! A tag is written as the hex people say: `0x4F`, `0x9F70`. One to three bytes.

/// One object: its tag and the bytes of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag, all its bytes.
    pub tag: u32,
    /// The value.
    pub value: &'a [u8],
}

/// The first object and what follows it; `None` if the bytes are cut short or the length is indefinite.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let (tag, rest) = read_tag(bytes)?;
    let (value, rest) = read_lv(rest)?;
    Some((Tlv { tag, value }, rest))
}

/// All objects in a row; `None` if any is malformed or bytes are left over.
#[must_use]
pub fn read_all(bytes: &[u8]) -> Option<Vec<Tlv<'_>>> {
    let mut objects = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (object, tail) = read(rest)?;
        objects.push(object);
        rest = tail;
    }
    Some(objects)
}

/// The value of the first object with this tag, on the top level only.
#[must_use]
pub fn find(bytes: &[u8], tag: u32) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let (object, tail) = read(rest)?;
        if object.tag == tag {
            return Some(object.value);
        }
        rest = tail;
    }
}

/// [`find`] from template to template: `find_path(fci, &[0x6F, 0xA5])`.
#[must_use]
pub fn find_path<'a>(bytes: &'a [u8], path: &[u32]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |inside, tag| find(inside, *tag))
}

/// A value behind a length alone (LV), and what follows it.
pub(crate) fn read_lv(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7F => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7F))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Appends one object.
pub fn write(out: &mut Vec<u8>, tag: u32, value: &[u8]) {
    push_number(out, tag.to_be_bytes());
    write_lv(out, value);
}

/// Tags alone, one behind the other: what a tag list (5C) holds.
#[must_use]
pub fn tags(tags: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    tags.iter().for_each(|tag| push_number(&mut out, tag.to_be_bytes()));
    out
}

/// The tags of a tag list; `None` if the last one is cut short.
#[must_use]
pub fn read_tags(bytes: &[u8]) -> Option<Vec<u32>> {
    let mut tags = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, tail) = read_tag(rest)?;
        tags.push(tag);
        rest = tail;
    }
    Some(tags)
}

/// One object as bytes of its own.
#[must_use]
pub fn object(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, tag, value);
    out
}

/// Appends a value behind its length alone (LV).
pub(crate) fn write_lv(out: &mut Vec<u8>, value: &[u8]) {
    let length = value.len();
    if length >= 0x80 {
        let zeros = usize::try_from(length.leading_zeros()).unwrap_or(0) / 8;
        out.push(0x80 | u8::try_from(size_of::<usize>().saturating_sub(zeros)).unwrap_or(0x7F));
    }
    push_number(out, length.to_be_bytes());
    out.extend_from_slice(value);
}

/// Without leading zero bytes, but at least one byte.
fn push_number<const N: usize>(out: &mut Vec<u8>, number: [u8; N]) {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    out.extend(number.iter().skip(zeros.min(N.saturating_sub(1))));
}

fn read_tag(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut tag = u32::from(*first);
    if first & 0x1F != 0x1F {
        return Some((tag, rest));
    }
    for _ in 0..2 {
        let (next, tail) = rest.split_first()?;
        tag = tag << 8 | u32::from(*next);
        rest = tail;
        if next & 0x80 == 0 {
            return Some((tag, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_length_form_survives_the_wire() {
        for (length, head) in
            [(0, "4F00"), (0x7F, "4F7F"), (0x80, "4F8180"), (0xFF, "4F81FF"), (0x100, "4F820100")]
        {
            let bytes = object(0x4F, &vec![7; length]);
            assert!(hex::encode_upper(&bytes).starts_with(head), "{head}");
            assert_eq!(read(&bytes), Some((Tlv { tag: 0x4F, value: &vec![7; length] }, &[][..])));
        }
    }

    #[test]
    fn tags_of_one_to_three_bytes_are_read() {
        let bytes = [object(0x84, &[1]), object(0x9F70, &[2]), object(0xDF_8101, &[3])].concat();
        let tags: Vec<u32> = read_all(&bytes).unwrap().iter().map(|object| object.tag).collect();
        assert_eq!(tags, [0x84, 0x9F70, 0xDF_8101]);
        assert_eq!(find(&bytes, 0x9F70), Some(&[2][..]));
        assert_eq!(find(&bytes, 0x4F), None);
        assert_eq!(find_path(&object(0x6F, &bytes), &[0x6F, 0x84]), Some(&[1][..]));
    }

    #[test]
    fn what_is_cut_short_or_indefinite_is_refused() {
        for bytes in
            [&[][..], &[0x4F], &[0x4F, 2, 1], &[0x4F, 0x80], &[0x4F, 0x82, 1], &[0x9F, 0x81, 0x81, 1, 0]]
        {
            assert_eq!(read(bytes), None, "{bytes:02X?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = (read_all(&bytes), find(&bytes, 0x4F), find_path(&bytes, &[0x6F, 0xA5]));
        }

        #[test]
        fn what_is_written_is_read(
            objects in prop::collection::vec(
                (prop::sample::select(vec![0x4F_u32, 0x84, 0x9F70, 0xE3, 0xDF_8101]), any::<Vec<u8>>()), 0..5),
        ) {
            let bytes = objects.iter().map(|(tag, value)| object(*tag, value)).collect::<Vec<_>>().concat();
            let read: Vec<_> = read_all(&bytes).unwrap().iter().map(|o| (o.tag, o.value.to_vec())).collect();
            prop_assert_eq!(read, objects);
        }
    }
}
