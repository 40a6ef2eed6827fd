//! Card production life cycle (CPLC): who made the chip, and its serial number.
//!
//! Standard: CPLC data, tag 9F7F, 42 bytes in 18 fields, globalplatform.md section 1.5. Not every element has it.

use crate::tlv;

/// Who made the chip and when. Fields that nobody reads here are kept as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cplc([u8; 42]);

impl Cplc {
    /// The tag, for GET DATA.
    pub const TAG: u16 = 0x9F7F;

    /// Of a chip by its maker, type, operating system, serial and batch; all dates are left zero.
    #[must_use]
    pub fn new(fabricator: u16, ic_type: u16, system: u16, serial: [u8; 4], batch: [u8; 2]) -> Self {
        let mut bytes = [0; 42];
        let fields = [fabricator.to_be_bytes(), ic_type.to_be_bytes(), system.to_be_bytes()];
        let head = [&fields.concat()[..], &[0; 6], &serial, &batch].concat();
        bytes.iter_mut().zip(head).for_each(|(byte, value)| *byte = value);
        Cplc(bytes)
    }

    /// The maker of the chip.
    #[must_use]
    pub const fn fabricator(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// The type of the chip.
    #[must_use]
    pub const fn ic_type(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// The chip's serial number.
    #[must_use]
    pub const fn serial(&self) -> [u8; 4] {
        [self.0[12], self.0[13], self.0[14], self.0[15]]
    }

    /// The chip's batch: together with the serial it names one chip of a type.
    #[must_use]
    pub const fn batch(&self) -> [u8; 2] {
        [self.0[16], self.0[17]]
    }

    /// `9F7F 2A ..`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        tlv::object(u32::from(Self::TAG), &self.0)
    }

    /// From the answer of GET DATA.
    #[must_use]
    pub fn parse(object: &[u8]) -> Option<Self> {
        tlv::find(object, u32::from(Self::TAG))?.try_into().ok().map(Cplc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_stands_behind_six_fields() {
        let cplc = Cplc::new(0x4790, 0x5168, 0x4791, [1, 2, 3, 4], [5, 6]);
        let bytes = cplc.to_bytes();
        assert_eq!(hex::encode_upper(&bytes[..21]), "9F7F2A479051684791000000000000010203040506");
        assert_eq!((bytes.len(), Cplc::parse(&bytes)), (45, Some(cplc)));
        assert_eq!((cplc.fabricator(), cplc.ic_type()), (0x4790, 0x5168));
        assert_eq!((cplc.serial(), cplc.batch()), ([1, 2, 3, 4], [5, 6]));
        assert_eq!(Cplc::parse(&bytes[..44]), None);
    }
}
