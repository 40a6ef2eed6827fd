//! Secure channels (安全通道): host and card prove their keys to each other, then each command carries a MAC and, if
//! asked, its data is encrypted; over AES, answers too.
//!
//! Standard: GlobalPlatform SCP02 in the variants i=15 and i=55 (globalplatform.md section 1.2), and SCP03 in every variant
//! of random or pseudo-random challenge, with no protection of answers, MACs, or MACs and encryption, in S8 and S16 mode
//! (section 1.3).
//! Invariant: the order of a session is types: [`Opening`] is consumed by the card's proof and gives a [`Session`], and a card's
//! session keys exist only in a channel whose host has proved itself. Each MAC starts from the one before; keys stay inside
//! [`keys::ChannelKeys`]. An option or a level that is not the one agreed on is refused, never taken instead.
//!
//! Commands come here on the basic logical channel: the MAC is computed as if there were no other, so who
//! serves several takes their number off the class byte first.

mod card;
mod host;
mod scp02;
mod scp03;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_levels;

pub use card::{CardChannel, KeySet};
pub use host::{NotAuthenticated, Opening, Session, WrongAnswer};

/// How many bytes of plain data a command may have so that every level of every 8-byte variant can carry it: what a short
/// command holds, less the MAC, cut to whole cipher blocks, less one byte of padding. In S16 mode it is 16 less.
pub const MAX_DATA: usize = 239;

/// Bit of the class byte: the command is protected.
const SECURE: u8 = 0x04;

/// One direction's state of an open session, the same on both sides.
enum Chain {
    Scp02(scp02::Chain),
    Scp03(scp03::Chain),
}
