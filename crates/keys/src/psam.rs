//! What a purchase SAM (PSAM, 消费安全存取模块) holds and can do with it.
//!
//! Standard: INIT_SAM_FOR_PURCHASE's key derivation (card.md sections 3 and 4): a national PSAM derives root to city
//! to card, a city's PSAM city to card; the command names the card first.
//! Invariant: its key is used here and never given out.

use crate::block::Key16;
use crate::purse::PurchaseSession;

/// A PSAM's purchase key and how deep it derives. A national PSAM's key is a root, so no encoding of this exists.
#[derive(Clone, Debug)]
pub struct PsamKeys {
    purchase: Key16,
    version: u8,
    levels: u8,
}

impl PsamKeys {
    pub(crate) const fn new(purchase: Key16, version: u8, levels: u8) -> Self {
        PsamKeys { purchase, version, levels }
    }

    /// How many diversifiers INIT_SAM_FOR_PURCHASE must bring: 2 in a national PSAM, 1 in a city's.
    #[must_use]
    pub const fn levels(&self) -> u8 {
        self.levels
    }

    /// Version of the purchase key.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// The session with one card. `diversifiers` as the command has them: card first, then city.
    /// `None` if their number or the key version does not fit.
    #[must_use]
    pub fn session(
        &self,
        version: u8,
        diversifiers: &[[u8; 8]],
        random: [u8; 4],
        counter: u16,
        terminal_seq: u32,
    ) -> Option<PurchaseSession> {
        if version != self.version || diversifiers.len() != usize::from(self.levels) {
            return None;
        }
        let card_key = diversifiers.iter().rev().fold(self.purchase.clone(), |key, by| key.diversify(by));
        Some(PurchaseSession::new(&card_key, random, counter, terminal_seq))
    }
}
