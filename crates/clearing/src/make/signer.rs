//! Who plays the cards: only a card has the key that makes its TAC.

use keys::{CardRef, KeyUsage, Purchase, demo_card_keys, purchase_tac};
use model::{Tac, TapRecord};

/// Makes TACs as the cards would.
pub trait Cards {
    /// Puts the TAC of `card` on each of its taps.
    fn sign(&self, card: &CardRef, taps: &mut [TapRecord]);
}

/// The cards of a demo network, whose roots are published.
#[derive(Clone, Copy, Debug, Default)]
pub struct DemoCards;

impl Cards for DemoCards {
    fn sign(&self, card: &CardRef, taps: &mut [TapRecord]) {
        let keys = demo_card_keys(card);
        let Some(tac_key) = keys.get(KeyUsage::Tac, 1) else { return };
        for tap in taps {
            let purchase = Purchase {
                amount: tap.amount,
                txn_type: tap.kind.code(),
                terminal: tap.terminal,
                at: tap.at,
            };
            tap.tac = Tac(purchase_tac(&tac_key.key, &purchase, tap.terminal_seq).bytes());
        }
    }
}
