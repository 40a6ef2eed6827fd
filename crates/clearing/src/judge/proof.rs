//! Who can check a TAC: a column of records at once.

use std::collections::BTreeMap;

use keys::{KeyService, Purchase, TapFacts};
use model::{CityCode, TapRecord, TxnType};

/// Checks TACs.
pub trait Proofs: Send + Sync {
    /// For each tap, whether its TAC is the one that its card would have made. As many answers as taps.
    fn verify(&self, taps: &[&TapRecord]) -> Vec<bool>;
}

/// Any key service, asked for all taps of one city's one key at once. A tap of a key that is not held is not proven.
pub struct ByCity<'a>(pub &'a dyn KeyService);

/// The taps of one key: where they stand, and what their TACs cover.
#[derive(Default)]
struct Column {
    places: Vec<usize>,
    taps: Vec<TapFacts>,
}

impl Proofs for ByCity<'_> {
    fn verify(&self, taps: &[&TapRecord]) -> Vec<bool> {
        let mut columns = BTreeMap::<(CityCode, u8, u8), Column>::new();
        for (place, tap) in taps.iter().enumerate().filter(|(_, tap)| tap.kind != TxnType::Load) {
            let column = columns.entry((tap.issuer, tap.key_version, tap.algorithm)).or_default();
            column.places.push(place);
            column.taps.push(facts(tap));
        }
        let mut proven = vec![false; taps.len()];
        let mut mark = |place: &usize, is| {
            if let Some(proven) = proven.get_mut(*place) {
                *proven = is;
            }
        };
        for ((city, version, algorithm), Column { places, taps }) in columns {
            if let Ok(wrong) = self.0.wrong_tacs(city, (version, algorithm), &taps) {
                places.iter().for_each(|place| mark(place, true));
                wrong.iter().filter_map(|tap| places.get(*tap)).for_each(|place| mark(place, false));
            }
        }
        proven
    }
}

fn facts(tap: &TapRecord) -> TapFacts {
    let purchase =
        Purchase { amount: tap.amount, txn_type: tap.kind.code(), terminal: tap.terminal, at: tap.at };
    TapFacts::new(tap.card, &purchase, tap.terminal_seq, tap.tac)
}

#[cfg(test)]
mod tests {
    use keys::SoftwareKeys;
    use proptest::prelude::*;

    use super::*;
    use crate::make::{Cards, DemoCards};
    use crate::sample::any_tap;

    proptest! {
        #[test]
        fn a_column_says_what_each_tap_says_alone(
            taps in prop::collection::vec((any_tap(), any::<bool>(), 0_u8..3, 0_u8..2), 0..200)
        ) {
            let keys = SoftwareKeys::demo();
            let mut column = Vec::new();
            for (tap, is_signed, key_version, algorithm) in taps {
                let mut tap = [TapRecord { key_version, algorithm, ..tap }];
                if is_signed {
                    DemoCards.sign(&keys::CardRef { city: tap[0].issuer, number: tap[0].card }, &mut tap);
                }
                column.extend(tap);
            }
            let taps: Vec<&TapRecord> = column.iter().collect();
            let alone: Vec<bool> = taps.iter().map(|tap| keys.verify_tap(tap).is_ok()).collect();
            prop_assert_eq!(ByCity(&keys).verify(&taps), alone);
        }
    }
}
