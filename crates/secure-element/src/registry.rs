//! The contactless registry service (CRS, 非接触注册服务): which card readers see.
//!
//! Standard: GlobalPlatform Amendment C, GET DATA, GET STATUS and SET STATUS of the CRS (globalplatform.md section 2).
//! Invariant: a reader that selects by the cards' common name meets the card that was activated last.

use smartcard::gp::crs::{Activation, Availability, CrsInfo, Failures, GetActivation, SetActivation};
use smartcard::gp::{Aid, LifeCycle};
use smartcard::{Apdu, Command, Response, Status, tlv};

use crate::element::SoftwareElement;
use crate::memory::{PurseSlot, aid};

impl SoftwareElement {
    pub(crate) fn registry_info(&self) -> Vec<u8> {
        CrsInfo { version: [1, 0], update_counter: self.memory.activations }.to_bytes()
    }

    pub(crate) fn registry(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        match (apdu.cla, apdu.ins) {
            (0x80, 0xCA) if (apdu.p1, apdu.p2) == (0x00, 0xA5) => {
                Ok(Response::ok(tlv::object(0xA5, &self.registry_info())))
            }
            (0x80, 0xF2) => self.activations(apdu),
            (0x80, 0xF0) => self.set_activation(apdu),
            (0x80, _) => Err(Status::WRONG_INS),
            _ => Err(Status::WRONG_CLA),
        }
    }

    fn activations(&self, apdu: &Apdu) -> Result<Response, Status> {
        let GetActivation { name, .. } = GetActivation::from_apdu(apdu)?;
        let found = self.memory.purses.iter().filter(|slot| slot.name.starts_with(&name));
        let rows: Vec<u8> = found.flat_map(|slot| shown(slot).to_bytes()).collect();
        if rows.is_empty() { Err(Status::NOT_FOUND) } else { Ok(Response::ok(rows)) }
    }

    /// Each name on its own; those that cannot be switched are listed with `6320`.
    fn set_activation(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let SetActivation { active, aids } = SetActivation::from_apdu(apdu)?;
        let mut failed: Vec<Aid> = Vec::new();
        for name in aids {
            if self.switch(&name, active).is_none() {
                failed.push(name);
            }
        }
        if failed.is_empty() {
            return Ok(Response::ok([]));
        }
        let data = Failures { conflicting: Vec::new(), failed }.to_bytes();
        Ok(Response { data, status: Status::SOME_FAILED })
    }

    /// `None` if there is no such card, or it is no card yet.
    fn switch(&mut self, name: &Aid, active: bool) -> Option<()> {
        let index = self.memory.purse(name.as_bytes())?;
        self.purses.get(index).filter(|purse| purse.is_personalised() || !active)?;
        let next = self.memory.activations.checked_add(1)?;
        let slot = self.memory.purses.get_mut(index)?;
        if active != (slot.activated > 0) || active {
            self.memory.activations = next;
            slot.activated = if active { next } else { 0 };
        }
        Some(())
    }
}

fn shown(slot: &PurseSlot) -> Activation {
    let availability = if slot.activated > 0 { Availability::Activated } else { Availability::Deactivated };
    Activation { aid: aid(&slot.name), life_cycle: LifeCycle::SELECTABLE, availability }
}
