//! The key hierarchy (密钥体系) and everything that is computed under a key.
//!
//! National root to city to card; session keys, MACs and TACs of the purse; the keys of a secure channel.
//! Invariant: keys come out of this crate only enciphered.

mod block;
mod card_keys;
mod channel;
mod entropy;
mod line;
mod mac;
mod purse;

pub use block::Key16;
pub use card_keys::{CardKey, CardKeys, KeyUsage};
pub use channel::{ChannelKeys, KeyScheme, StaticKeys, WrappedKey};
pub use entropy::Seeded;
pub use line::{challenge_response, line_decrypt, line_encrypt, line_mac};
pub use mac::Mac4;
pub use purse::{LoadOffer, LoadSession, Purchase, PurchaseSession, load_tac, purchase_tac};
