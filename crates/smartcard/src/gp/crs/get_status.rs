//! GET STATUS of the CRS: which contactless applications there are and which of them is active.
//!
//! Standard: Amendment C GET STATUS, `80 F2 40 P2 Lc 4F len aid 00`, globalplatform.md section 2. P2 `00` first, `01` next;
//! the answer is a row of `61{4F aid, 9F70 <life cycle, availability>}`, `6310` if more follows.

use super::super::{ALL, Aid, LifeCycle, expect};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// Can the application be reached over the air?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Availability {
    /// No, but it may be.
    Deactivated = 0x00,
    /// Yes.
    Activated = 0x01,
    /// No, and only the application itself can change that.
    NonActivatable = 0x80,
}

/// Asks for the contactless applications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetActivation {
    /// A name or its beginning; empty for all.
    pub name: Vec<u8>,
    /// The rest of an answer that ended in `6310`.
    pub next: bool,
}

/// One application and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Its name.
    pub aid: Aid,
    /// Its life cycle.
    pub life_cycle: LifeCycle,
    /// Its availability over the air.
    pub availability: Availability,
}

impl Activation {
    /// `61{4F, 9F70}`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut inside = tlv::object(0x4F, self.aid.as_bytes());
        tlv::write(&mut inside, 0x9F70, &[self.life_cycle.0, self.availability as u8]);
        tlv::object(0x61, &inside)
    }

    fn parse(inside: &[u8]) -> Option<Self> {
        let [life_cycle, availability] = *tlv::find(inside, 0x9F70)? else { return None };
        let availability = match availability {
            0x00 => Availability::Deactivated,
            0x01 => Availability::Activated,
            0x80 => Availability::NonActivatable,
            _ => return None,
        };
        let aid = tlv::find(inside, 0x4F).and_then(Aid::new)?;
        Some(Activation { aid, life_cycle: LifeCycle(life_cycle), availability })
    }
}

impl GetActivation {
    /// Asks for what follows after `6310`.
    #[must_use]
    pub fn continued(&self) -> Self {
        GetActivation { next: true, ..self.clone() }
    }
}

impl Command for GetActivation {
    type Response = Vec<Activation>;

    fn to_apdu(&self) -> Apdu {
        Apdu::new([0x80, 0xF2, 0x40, u8::from(self.next)], tlv::object(0x4F, &self.name), ALL)
    }

    /// A tag list (5C) is accepted; the answer is the same.
    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xF2)?;
        let next = match (apdu.p1, apdu.p2) {
            (0x40, 0x00) => false,
            (0x40, 0x01) => true,
            _ => return Err(Status::WRONG_P1P2),
        };
        let name = tlv::find(&apdu.data, 0x4F).filter(|name| name.len() <= 16).ok_or(Status::WRONG_DATA)?;
        Ok(GetActivation { name: name.to_vec(), next })
    }

    /// Also of the data of several answers, one behind the other.
    fn parse_response(data: &[u8]) -> Option<Vec<Activation>> {
        let row = tlv::read_all(data)?;
        row.iter()
            .map(|object| if object.tag == 0x61 { Activation::parse(object.value) } else { None })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activation_survives_the_wire() {
        for availability in [Availability::Deactivated, Availability::Activated, Availability::NonActivatable]
        {
            let one = Activation { aid: Aid::DOMAIN_MODULE, life_cycle: LifeCycle::SELECTABLE, availability };
            let bytes = [one.to_bytes(), one.to_bytes()].concat();
            assert_eq!(GetActivation::parse_response(&bytes), Some(vec![one, one]));
        }
        assert_eq!(GetActivation::parse_response(&[0x61, 3, 0x4F, 1, 1]), None);
    }
}
