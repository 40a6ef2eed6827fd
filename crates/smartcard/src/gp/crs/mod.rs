//! The contactless registry service (CRS, 非接触注册服务): which application answers at the reader.
//!
//! Standard: GlobalPlatform Amendment C, globalplatform.md section 2. The service is an application of its own,
//! [`super::Aid::CONTACTLESS_REGISTRY`], and these are its commands.

mod get_status;
mod set_status;

pub use get_status::{Activation, Availability, GetActivation};
pub use set_status::{Failures, Priority, SetActivation, SetPriority};

use crate::tlv;

/// What the service says of itself: inside `A5` of its FCI, and as the answer of GET DATA `00A5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrsInfo {
    /// Version of the service.
    pub version: [u8; 2],
    /// Rises with every change of the registry.
    pub update_counter: u16,
}

impl CrsInfo {
    /// What stands inside `A5`: `9F08 version, 80 counter`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = tlv::object(0x9F08, &self.version);
        tlv::write(&mut bytes, 0x80, &self.update_counter.to_be_bytes());
        bytes
    }

    /// From what stands inside `A5`.
    #[must_use]
    pub fn parse(inside: &[u8]) -> Option<Self> {
        Some(CrsInfo {
            version: tlv::find(inside, 0x9F08)?.try_into().ok()?,
            update_counter: u16::from_be_bytes(tlv::find(inside, 0x80)?.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_update_counter_survives_the_wire() {
        let info = CrsInfo { version: [1, 0], update_counter: 0x0203 };
        assert_eq!(hex::encode_upper(info.to_bytes()), "9F0802010080020203");
        assert_eq!(CrsInfo::parse(&info.to_bytes()), Some(info));
        assert_eq!(CrsInfo::parse(&[0x9F, 8, 2, 1]), None);
    }
}
