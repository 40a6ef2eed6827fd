//! Data grouping identifiers (DGI, 数据分组): numbered values inside STORE DATA.
//!
//! Standard: DGI format, globalplatform.md section 1.5: 2-byte identifier, length of 1 byte (`00`-`FE`) or `FF` and 2 bytes, value.
//! A value may run over several STORE DATA; its length always states the whole value.
//! Invariant: a reader holds back what is not yet whole, and never more than one value may have.

/// One numbered value. It may hold keys, so it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Dgi {
    /// The identifier.
    pub id: u16,
    /// The value, at most 65535 bytes.
    pub value: Vec<u8>,
}

impl Dgi {
    /// A value with its identifier.
    #[must_use]
    pub fn new(id: u16, value: impl Into<Vec<u8>>) -> Self {
        Dgi { id, value: value.into() }
    }

    /// Identifier, length, value; `None` if the value is longer than its length can say.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let length = u16::try_from(self.value.len()).ok()?;
        let mut bytes = self.id.to_be_bytes().to_vec();
        match u8::try_from(length) {
            Ok(short @ 0..=0xFE) => bytes.push(short),
            _ => {
                bytes.push(0xFF);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
        }
        bytes.extend_from_slice(&self.value);
        Some(bytes)
    }

    /// The first value and what follows it; `None` if it is not yet whole.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<(Dgi, &[u8])> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (length, rest) = match rest.split_first()? {
            (0xFF, rest) => {
                let (length, rest) = rest.split_first_chunk()?;
                (u16::from_be_bytes(*length), rest)
            }
            (short, rest) => (u16::from(*short), rest),
        };
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        Some((Dgi::new(u16::from_be_bytes(*id), value), rest))
    }
}

impl std::fmt::Debug for Dgi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dgi({:04X}, {} bytes)", self.id, self.value.len())
    }
}

/// The values in a row, cut into blocks of at most `block` bytes; `None` if a value is too long or a block is empty.
#[must_use]
pub fn blocks(values: &[Dgi], block: usize) -> Option<Vec<Vec<u8>>> {
    let bytes = values.iter().map(Dgi::to_bytes).collect::<Option<Vec<_>>>()?.concat();
    (block > 0).then(|| bytes.chunks(block).map(<[u8]>::to_vec).collect())
}

/// Puts the values together again, block by block.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reader {
    held_back: Vec<u8>,
}

impl Reader {
    /// The values that this block makes whole.
    pub fn push(&mut self, block: &[u8]) -> Vec<Dgi> {
        self.held_back.extend_from_slice(block);
        let mut values = Vec::new();
        let mut rest = self.held_back.as_slice();
        while let Some((value, tail)) = Dgi::read(rest) {
            values.push(value);
            rest = tail;
        }
        self.held_back = rest.to_vec();
        values
    }

    /// Is nothing held back? It must be so after the last block.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.held_back.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_length_has_one_byte_or_three() {
        for (length, head) in [(0, "007000"), (0xFE, "0070FE"), (0xFF, "0070FF00FF"), (0x100, "0070FF0100")] {
            let value = Dgi::new(0x0070, vec![7; length]);
            let bytes = value.to_bytes().unwrap();
            assert!(hex::encode_upper(&bytes).starts_with(head), "{head}");
            assert_eq!(Dgi::read(&bytes), Some((value, &[][..])));
        }
        assert_eq!(Dgi::new(1, vec![0; 0x1_0000]).to_bytes(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let mut reader = Reader::default();
            let values = reader.push(&bytes);
            prop_assert!(values.len() <= bytes.len());
        }

        #[test]
        fn values_survive_any_cut_into_blocks(
            values in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..600)), 1..5),
            size in 1_usize..300,
        ) {
            let values: Vec<_> = values.into_iter().map(|(id, value)| Dgi::new(id, value)).collect();
            let mut reader = Reader::default();
            let read: Vec<_> =
                blocks(&values, size).unwrap().iter().flat_map(|block| reader.push(block)).collect();
            prop_assert_eq!(read, values);
            prop_assert!(reader.is_whole());
        }
    }
}
