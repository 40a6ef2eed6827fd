//! A software secure element and a software plastic card: the bytes of real ones, and a memory that survives a kill.
//!
//! Both are a [`smartcard::Channel`]; [`smartcard::vpcd::serve`] puts either behind a socket.

mod element;
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
