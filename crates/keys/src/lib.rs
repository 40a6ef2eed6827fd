//! The key hierarchy (密钥体系) and everything that is computed under a key.
//!
//! National root to city to card; session keys, MACs and TACs of the purse; the keys of a secure channel; one
//! service of verbs, and a vault.
//! Invariant: keys come out of this crate only enciphered.

mod aes;
mod batch;
mod block;
mod card_keys;
mod ceremony;
mod channel;
mod demo;
mod element_keys;
mod entropy;
mod hierarchy;
mod line;
mod mac;
mod psam;
mod purse;
mod receipt;
mod roots;
mod sam;
mod scp03;
mod service;
mod software;
pub mod vault;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod vectors_channel;

pub use aes::AesKey;
pub use batch::{TapFacts, Width};
pub use block::Key16;
pub use card_keys::{CardKey, CardKeys, KeyUsage};
pub use ceremony::{CeremonyError, Component, ComponentError};
pub use channel::{Scp02Keys, StaticKeys, WrappedKey};
pub use demo::{demo_card_keys, demo_constants, demo_element_keys, demo_transport_keys};
pub use element_keys::{ChannelKeys, ElementKeys, SealedKey};
pub use entropy::Seeded;
pub use line::{challenge_response, line_decrypt, line_encrypt, line_mac};
pub use mac::Mac4;
pub use model::registry::{AesCheck, EncryptionCounter, KeyKind, KeyScheme, ResponseSecurity, Scp, Scp03};
pub use psam::PsamKeys;
pub use purse::{LoadOffer, LoadSession, Purchase, PurchaseSession, load_tac, purchase_tac};
pub use receipt::{receipt_mac, verify_receipt};
pub use roots::Roots;
pub use sam::SamPurpose;
pub use scp03::{AesKeys, Scp03Keys};
pub use service::{
    CardRef, Challenges, ChannelFacts, ChannelOwner, CheckValue, KeyError, KeyService, LoadProof,
    LoadRequest, PsamScope, PurchaseOfferFacts, PurchaseRequest, WrappedCardKey,
};
pub use software::SoftwareKeys;
