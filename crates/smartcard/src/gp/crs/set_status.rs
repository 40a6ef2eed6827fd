//! SET STATUS of the CRS: switches contactless applications on and off, and puts them in order.
//!
//! Standard: Amendment C SET STATUS for availability, `80 F0 01 P2 Lc {4F len aid}..`, globalplatform.md section 2. P2 `01` on,
//! `00` off. Each application is handled on its own; `6320` says that some failed, and the answer names them.
//! Priority is P1 `02`: P2 `01` highest, `81` lowest, `02` for the next tap alone, `82` takes that back.

use super::super::{ALL, Aid, expect};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// Switches applications on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetActivation {
    /// On or off.
    pub active: bool,
    /// Which ones, at least one.
    pub aids: Vec<Aid>,
}

/// Where in the order in which readers meet them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Priority {
    /// Before all others, from now on.
    Highest = 0x01,
    /// Behind all others, from now on.
    Lowest = 0x81,
    /// Before all others until the power is gone: the card for the next tap.
    NextTap = 0x02,
    /// As if there had been no next tap.
    Usual = 0x82,
}

/// Gives an application its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetPriority {
    /// Its place.
    pub priority: Priority,
    /// Its name; `None` only with [`Priority::Usual`].
    pub aid: Option<Aid>,
}

impl Command for SetPriority {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let name = self.aid.map(|aid| write_names(&[aid])).unwrap_or_default();
        Apdu::new([0x80, 0xF0, 0x02, self.priority as u8], name, ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xF0)?;
        let priority = match (apdu.p1, apdu.p2) {
            (0x02, 0x01) => Priority::Highest,
            (0x02, 0x81) => Priority::Lowest,
            (0x02, 0x02) => Priority::NextTap,
            (0x02, 0x82) => Priority::Usual,
            _ => return Err(Status::WRONG_P1P2),
        };
        match read_names(&apdu.data).as_deref() {
            Some([aid]) => Ok(SetPriority { priority, aid: Some(*aid) }),
            Some([]) if priority == Priority::Usual => Ok(SetPriority { priority, aid: None }),
            _ => Err(Status::WRONG_DATA),
        }
    }

    fn parse_response(_: &[u8]) -> Option<()> {
        Some(())
    }
}

/// The answer to [`Status::SOME_FAILED`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Active applications that stand in the way.
    pub conflicting: Vec<Aid>,
    /// Applications whose state did not change.
    pub failed: Vec<Aid>,
}

impl Failures {
    /// `A0{4F..} A1{4F..}`, each only if not empty.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tag, aids) in [(0xA0, &self.conflicting), (0xA1, &self.failed)] {
            if !aids.is_empty() {
                tlv::write(&mut bytes, tag, &write_names(aids));
            }
        }
        bytes
    }

    /// From the data that came with `6320`.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        tlv::read_all(data)?;
        let names = |tag| tlv::find(data, tag).map_or_else(|| Some(Vec::new()), read_names);
        Some(Failures { conflicting: names(0xA0)?, failed: names(0xA1)? })
    }
}

impl Command for SetActivation {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x80, 0xF0, 0x01, u8::from(self.active)], write_names(&self.aids), ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xF0)?;
        let active = match (apdu.p1, apdu.p2) {
            (0x01, 0x00) => false,
            (0x01, 0x01) => true,
            _ => return Err(Status::WRONG_P1P2),
        };
        let aids = read_names(&apdu.data).filter(|aids| !aids.is_empty()).ok_or(Status::WRONG_DATA)?;
        Ok(SetActivation { active, aids })
    }

    fn parse_response(_: &[u8]) -> Option<()> {
        Some(())
    }
}

fn write_names(aids: &[Aid]) -> Vec<u8> {
    aids.iter().flat_map(|aid| tlv::object(0x4F, aid.as_bytes())).collect()
}

fn read_names(bytes: &[u8]) -> Option<Vec<Aid>> {
    let row = tlv::read_all(bytes)?;
    row.iter().map(|object| if object.tag == 0x4F { Aid::new(object.value) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failed_ones_are_named() {
        let failures = Failures {
            conflicting: vec![Aid::DOMAIN_MODULE],
            failed: vec![Aid::DOMAIN_PACKAGE, Aid::ISSUER_DOMAIN],
        };
        assert_eq!(Failures::parse(&failures.to_bytes()), Some(failures));
        assert_eq!(Failures::parse(&[]), Some(Failures::default()));
        assert_eq!(Failures::parse(&[0xA1, 3, 0x4F, 1, 0]), None);
    }
}
