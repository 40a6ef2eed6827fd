//! The keys that a city card carries, and the names of their uses.
//!
//! Standard: the key set of a City Union card (card.md sections 1.6 and 3); the numbers are the FMCOS key types.

use minicbor::{Decode, Encode};

use crate::block::Key16;

/// What a card key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum KeyUsage {
    /// INTERNAL AUTHENTICATE.
    #[n(0x33)]
    InternalAuth = 0x33,
    /// TAC (DTK).
    #[n(0x34)]
    Tac = 0x34,
    /// Line protection of files and of APPLICATION BLOCK and UNBLOCK (DAMK).
    #[n(0x36)]
    Maintenance = 0x36,
    /// PIN unblock.
    #[n(0x37)]
    PinUnblock = 0x37,
    /// PIN reload.
    #[n(0x38)]
    PinReload = 0x38,
    /// EXTERNAL AUTHENTICATE.
    #[n(0x39)]
    Control = 0x39,
    /// Purchase (DPK).
    #[n(0x3E)]
    Purchase = 0x3E,
    /// Load (DLK).
    #[n(0x3F)]
    Load = 0x3F,
}

impl KeyUsage {
    /// Every use, in the order of its number.
    pub const ALL: [KeyUsage; 8] = [
        KeyUsage::InternalAuth,
        KeyUsage::Tac,
        KeyUsage::Maintenance,
        KeyUsage::PinUnblock,
        KeyUsage::PinReload,
        KeyUsage::Control,
        KeyUsage::Purchase,
        KeyUsage::Load,
    ];

    /// The key type's number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the key type's number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        KeyUsage::ALL.into_iter().find(|usage| usage.code() == code)
    }

    /// A name for people and for check value lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            KeyUsage::InternalAuth => "internal-auth",
            KeyUsage::Tac => "tac",
            KeyUsage::Maintenance => "maintenance",
            KeyUsage::PinUnblock => "pin-unblock",
            KeyUsage::PinReload => "pin-reload",
            KeyUsage::Control => "control",
            KeyUsage::Purchase => "purchase",
            KeyUsage::Load => "load",
        }
    }
}

/// One key of a card.
#[derive(Clone, Debug, Encode, Decode)]
pub struct CardKey {
    /// What for.
    #[n(0)]
    pub usage: KeyUsage,
    /// Which generation.
    #[n(1)]
    pub version: u8,
    /// 0 is 3DES.
    #[n(2)]
    pub algorithm: u8,
    /// The key.
    #[n(3)]
    pub key: Key16,
}

/// The keys of one card.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct CardKeys(#[n(0)] Vec<CardKey>);

impl CardKeys {
    /// The keys, in the given order.
    #[must_use]
    pub fn new(keys: Vec<CardKey>) -> Self {
        CardKeys(keys)
    }

    /// The `index`-th key of a use, from 1, as commands name it.
    #[must_use]
    pub fn get(&self, usage: KeyUsage, index: u8) -> Option<&CardKey> {
        let before = usize::from(index).checked_sub(1)?;
        self.0.iter().filter(|key| key.usage == usage).nth(before)
    }

    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &CardKey> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
