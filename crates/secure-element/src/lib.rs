//! A software secure element (安全模块) and a software plastic card (实体卡): the bytes of real ones, and a memory
//! that survives a kill.
//!
//! Both are a [`smartcard::Channel`]; [`smartcard::vpcd::serve`] with [`ATR`] puts either behind a socket.
//!
//! Standard: GlobalPlatform Card Specification 2.2.1, SCP02, SCP03, Amendment C (globalplatform.md sections 1 and 2);
//! the purse is [`card::Purse`].
//! Invariant: a command's effect is kept before its answer leaves, whole or not at all.

mod authenticate;
mod channels;
mod chip;
mod content;
mod element;
mod habits;
mod manage;
mod memory;
mod personalise;
mod plastic;
mod registry;
mod store;

pub use element::SoftwareElement;
pub use personalise::{PersonaliseError, personalise};
pub use plastic::PlasticCard;
pub use store::{FileStore, MemoryStore, Store};

/// Answer to reset: direct convention, T=0 and T=1, so that host tools find the chip.
pub const ATR: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
