//! SET STATUS: moves a card, security domain or application along its life cycle.
//!
//! Standard: GlobalPlatform SET STATUS, `80 F0 P1 <state> Lc AID`, globalplatform.md section 1.5.
//! Contactless activation has its own form: [`super::crs::SetActivation`].

use super::{Aid, expect};
use crate::apdu::{Apdu, Command, Status};

/// A life cycle byte; its meaning depends on what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeCycle(pub u8);

impl LifeCycle {
    /// A load file that is there.
    pub const LOADED: LifeCycle = LifeCycle(0x01);
    /// An application or security domain that exists.
    pub const INSTALLED: LifeCycle = LifeCycle(0x03);
    /// An application or security domain that may be selected.
    pub const SELECTABLE: LifeCycle = LifeCycle(0x07);
    /// A security domain that has its keys.
    pub const PERSONALIZED: LifeCycle = LifeCycle(0x0F);
    /// A card in the field.
    pub const SECURED: LifeCycle = LifeCycle(0x0F);
    /// A card that may still be unlocked.
    pub const CARD_LOCKED: LifeCycle = LifeCycle(0x7F);
    /// A card that is no more.
    pub const TERMINATED: LifeCycle = LifeCycle(0xFF);

    /// The same state, locked (applications and security domains).
    #[must_use]
    pub const fn locked(self) -> Self {
        LifeCycle(self.0 | 0x80)
    }

    /// Is an application or security domain locked?
    #[must_use]
    pub const fn is_locked(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// Whose state is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StatusScope {
    /// The issuer security domain, and with it the card.
    Card = 0x80,
    /// An application or a security domain.
    Application = 0x40,
    /// A security domain and all applications under it.
    DomainAndApplications = 0x60,
}

/// Sets a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStatus {
    /// Whose.
    pub scope: StatusScope,
    /// The target state.
    pub state: LifeCycle,
    /// Its name; the card needs none.
    pub aid: Option<Aid>,
}

impl Command for SetStatus {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let name = self.aid.as_ref().map(Aid::as_bytes).unwrap_or_default();
        Apdu::new([0x80, 0xF0, self.scope as u8, self.state.0], name, None)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xF0)?;
        let scope = match apdu.p1 {
            0x80 => StatusScope::Card,
            0x40 => StatusScope::Application,
            0x60 => StatusScope::DomainAndApplications,
            _ => return Err(Status::WRONG_P1P2),
        };
        let aid = match (scope, apdu.data.as_slice()) {
            (StatusScope::Card, []) => None,
            (_, name) => Some(Aid::new(name).ok_or(Status::WRONG_DATA)?),
        };
        Ok(SetStatus { scope, state: LifeCycle(apdu.p2), aid })
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        data.is_empty().then_some(())
    }
}
