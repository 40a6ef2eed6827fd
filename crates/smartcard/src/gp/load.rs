//! LOAD: brings a load file onto the card, block by block, after INSTALL [for load].
//!
//! Standard: GlobalPlatform LOAD, `80 E8 P1 <number> Lc block`, globalplatform.md section 1.5: P1 `80` is the last block. The
//! blocks together are `[E2{4F, C3}]* C4 len <load file>`: signatures (DAP) of security domains, then the load file data block.
//! Invariant: a block that is not whole, or a length that does not fit, is no load file.

use super::{ALL, Aid, expect, no_receipt};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Counts from 0.
    pub number: u8,
    /// No block follows.
    pub last: bool,
    /// The data.
    pub block: Vec<u8>,
}

/// A load file with the signatures that stand before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadFile {
    /// Signatures over its hash.
    pub signatures: Vec<Dap>,
    /// The load file data block, whose hash INSTALL [for load] names.
    pub code: Vec<u8>,
}

/// A security domain's signature over the hash of a load file data block (data authentication pattern).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dap {
    /// Whose.
    pub domain: Aid,
    /// The signature.
    pub signature: Vec<u8>,
}

const LAST: u8 = 0x80;
const DAP: u32 = 0xE2;
const CODE: u32 = 0xC4;

impl Load {
    /// The file in blocks of at most `block` bytes. `None` if a block is empty or there are more than can be numbered.
    #[must_use]
    pub fn series(file: &LoadFile, block: usize) -> Option<Vec<Load>> {
        let bytes = file.to_bytes();
        let blocks: Vec<&[u8]> = if block == 0 { return None } else { bytes.chunks(block).collect() };
        let last = blocks.len().checked_sub(1)?;
        let numbered = blocks.into_iter().enumerate().map(|(index, block)| {
            Some(Load { number: u8::try_from(index).ok()?, last: index == last, block: block.to_vec() })
        });
        numbered.collect()
    }
}

impl LoadFile {
    /// Signatures, then the load file data block.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Dap { domain, signature } in &self.signatures {
            let inside = [tlv::object(0x4F, domain.as_bytes()), tlv::object(0xC3, signature)].concat();
            tlv::write(&mut bytes, DAP, &inside);
        }
        tlv::write(&mut bytes, CODE, &self.code);
        bytes
    }

    /// From all blocks put together; `None` unless it is that and nothing else. A ciphered file (`D4`) is not understood.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let row = tlv::read_all(bytes)?;
        let (code, signatures) = row.split_last()?;
        if code.tag != CODE {
            return None;
        }
        let signature = |object: &tlv::Tlv<'_>| {
            (object.tag == DAP).then_some(())?;
            let domain = tlv::find(object.value, 0x4F).and_then(Aid::new)?;
            Some(Dap { domain, signature: tlv::find(object.value, 0xC3)?.to_vec() })
        };
        let signatures = signatures.iter().map(signature).collect::<Option<_>>()?;
        Some(LoadFile { signatures, code: code.value.to_vec() })
    }
}

impl Command for Load {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let p1 = if self.last { LAST } else { 0 };
        Apdu::new([0x80, 0xE8, p1, self.number], self.block.as_slice(), ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xE8)?;
        if apdu.p1 & !LAST != 0 {
            return Err(Status::WRONG_P1P2);
        }
        if apdu.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        Ok(Load { number: apdu.p2, last: apdu.p1 == LAST, block: apdu.data.clone() })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        no_receipt(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_is_cut_into_numbered_blocks_and_put_together_again() {
        let dap = Dap { domain: Aid::DOMAIN_MODULE, signature: vec![7; 128] };
        let file = LoadFile { signatures: vec![dap], code: (0..=255).cycle().take(700).collect() };
        let series = Load::series(&file, 239).unwrap();
        assert_eq!(series.len(), 4);
        assert_eq!(series.iter().map(|load| load.to_apdu().p1).collect::<Vec<_>>(), [0, 0, 0, 0x80]);
        let bytes: Vec<u8> = series.iter().flat_map(|load| load.block.clone()).collect();
        assert_eq!(LoadFile::parse(&bytes), Some(file.clone()));
        for cut in 0..bytes.len() {
            assert_eq!(LoadFile::parse(&bytes[..cut]), None, "cut to {cut}");
        }
        assert_eq!(LoadFile::parse(&[&bytes[..], &[0xC4, 0]].concat()), None, "two load files");
        assert_eq!(Load::series(&file, 0), None);
        assert_eq!(Load::series(&file, 2), None, "more than 256 blocks");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = LoadFile::parse(&bytes);
        }
    }
}
