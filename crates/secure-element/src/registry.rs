//! The contactless registry service (CRS, 非接触注册服务): which card readers see.
//!
//! Standard: GlobalPlatform Amendment C, GET DATA, GET STATUS and SET STATUS of the CRS (globalplatform.md section 2).
//! Invariant: a reader that selects by the cards' common name meets the card that was activated last; only a
//! personalised card that is not locked can be active.

use model::registry::Quirk;
use smartcard::gp::crs::{
    Activation, Availability, CrsInfo, Failures, GetActivation, Priority, SetActivation, SetPriority,
};
use smartcard::gp::{Aid, GetData};
use smartcard::{Apdu, Command, Response, Status, tlv};

use crate::memory::{Element, Instance};

/// P1 of the SET STATUS that puts cards in order.
const PRIORITY: u8 = 0x02;
/// Tag of what the service says of itself.
const INFO: u16 = 0x00A5;

impl Element {
    pub(crate) fn registry_info(&self) -> Vec<u8> {
        CrsInfo { version: [1, 0], update_counter: self.updates }.to_bytes()
    }

    pub(crate) fn registry(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        match (apdu.cla, apdu.ins) {
            (0x80, 0xCA) if GetData::from_apdu(apdu)?.tag == INFO => {
                Ok(Response::ok(tlv::object(u32::from(INFO), &self.registry_info())))
            }
            (0x80, 0xCA) => Err(Status::NOT_FOUND),
            (0x80, 0xF2) => self.activations(apdu),
            (0x80, 0xF0) if apdu.p1 == PRIORITY => self.set_priority(apdu),
            (0x80, 0xF0) => self.set_activation(apdu),
            (0x00 | 0x80, _) => Err(Status::WRONG_INS),
            _ => Err(Status::WRONG_CLA),
        }
    }

    fn activations(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let GetActivation { name, next } = GetActivation::from_apdu(apdu)?;
        if !next {
            let found = self.purses.iter().filter(|instance| instance.name.answers_to(&name));
            self.session.rows = found.map(|instance| shown(instance).to_bytes()).collect();
        }
        self.rows(next)
    }

    /// Each name on its own; those that cannot be switched are listed with `6320`.
    fn set_activation(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let SetActivation { active, aids } = SetActivation::from_apdu(apdu)?;
        let mut failures = Failures::default();
        for name in aids {
            let conflicting = if active { self.in_conflict(&name) } else { Vec::new() };
            if !conflicting.is_empty() || self.switch(&name, active).is_none() {
                failures.failed.push(name);
                let new = conflicting.into_iter().filter(|other| !failures.conflicting.contains(other));
                failures.conflicting.extend(new.collect::<Vec<_>>());
            }
        }
        if failures.failed.is_empty() {
            return Ok(Response::ok([]));
        }
        Ok(Response { data: failures.to_bytes(), status: Status::SOME_FAILED })
    }

    /// The active cards beside which this one cannot be active.
    fn in_conflict(&self, name: &Aid) -> Vec<Aid> {
        if !self.birth.has(Quirk::OneActiveCard) || self.instance(name).is_none() {
            return Vec::new();
        }
        let active = |other: &&Instance| other.activated > 0 && !other.locked && other.name != *name;
        self.purses.iter().filter(active).map(|other| other.name).collect()
    }

    /// Only a card that readers can meet has a place in the order.
    fn set_priority(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let SetPriority { priority, aid } = SetPriority::from_apdu(apdu)?;
        let Some(name) = aid else {
            self.volatile.next_tap = None;
            return Ok(Response::ok([]));
        };
        let instance = self.instance(&name).ok_or(Status::NOT_FOUND)?;
        if instance.activated == 0 || instance.locked {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        match priority {
            Priority::Highest => self.switch(&name, true).ok_or(Status::CONDITIONS_NOT_SATISFIED)?,
            Priority::Lowest => self.put_last(&name).ok_or(Status::CONDITIONS_NOT_SATISFIED)?,
            Priority::NextTap => self.volatile.next_tap = Some(name),
            Priority::Usual => self.volatile.next_tap = self.volatile.next_tap.filter(|next| *next != name),
        }
        Ok(Response::ok([]))
    }

    /// Behind all that are active: each of them moves up by one.
    fn put_last(&mut self, name: &Aid) -> Option<()> {
        self.activations = self.activations.checked_add(1)?;
        for instance in self.purses.iter_mut().filter(|instance| instance.activated > 0) {
            instance.activated =
                if instance.name == *name { 1 } else { instance.activated.checked_add(1)? };
        }
        self.registry_changed();
        Some(())
    }

    /// `None` if there is no such card, or it cannot be active.
    fn switch(&mut self, name: &Aid, active: bool) -> Option<()> {
        let next = self.activations.checked_add(1)?;
        let instance = self.instance_mut(name)?;
        if active {
            let able = instance.purse.is_personalised() && instance.selectable && !instance.locked;
            able.then_some(())?;
            instance.activated = next;
            self.activations = next;
        } else if instance.activated == 0 {
            return Some(());
        } else {
            instance.activated = 0;
            self.volatile.next_tap = self.volatile.next_tap.filter(|next| next != name);
        }
        self.registry_changed();
        Some(())
    }

    /// As many rows of a GET STATUS as an answer holds; `6310` says that more follow.
    pub(crate) fn rows(&mut self, next: bool) -> Result<Response, Status> {
        let nothing = if next { Status::CONDITIONS_NOT_SATISFIED } else { Status::NOT_FOUND };
        let (mut data, most) = (Vec::new(), self.session.channel.longest_answer());
        let mut rest = std::mem::take(&mut self.session.rows).into_iter().peekable();
        while let Some(row) = rest.next_if(|row| data.len().saturating_add(row.len()) <= most) {
            data.extend(row);
        }
        self.session.rows = rest.collect();
        match (data.is_empty(), self.session.rows.is_empty()) {
            (true, _) => Err(nothing),
            (false, true) => Ok(Response::ok(data)),
            (false, false) => Ok(Response { data, status: Status::MORE_DATA }),
        }
    }
}

fn shown(instance: &Instance) -> Activation {
    let availability = if instance.activated > 0 && !instance.locked {
        Availability::Activated
    } else {
        Availability::Deactivated
    };
    Activation { aid: instance.name, life_cycle: instance.life_cycle(), availability }
}
