//! The deny list (黑名单): cards that no reader may take, as the centre last told this reader.
//!
//! Invariant: a look-up is exact, and every outcome can name the version it was judged by, because that
//! version decides who bears a stolen card's loss.

use std::collections::BTreeMap;

use model::{CardNumber, CityCode};

/// Denied cards per issuing city, 8 bytes a card, sorted: a look-up is one binary search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenyList {
    version: u32,
    cities: BTreeMap<CityCode, Box<[u64]>>,
}

impl DenyList {
    /// The list as of `version`. Order and repetition in `cards` do not matter.
    #[must_use]
    pub fn new(version: u32, cards: impl IntoIterator<Item = (CityCode, CardNumber)>) -> Self {
        let mut cities: BTreeMap<CityCode, Vec<u64>> = BTreeMap::new();
        for (city, card) in cards {
            cities.entry(city).or_default().push(card.as_u64());
        }
        let sorted = |mut numbers: Vec<u64>| {
            numbers.sort_unstable();
            numbers.dedup();
            numbers.into_boxed_slice()
        };
        DenyList {
            version,
            cities: cities.into_iter().map(|(city, numbers)| (city, sorted(numbers))).collect(),
        }
    }

    /// The centre's number of this list; 0 before the first one arrived.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether the card must be refused.
    #[must_use]
    pub fn denies(&self, city: CityCode, card: CardNumber) -> bool {
        self.cities.get(&city).is_some_and(|numbers| numbers.binary_search(&card.as_u64()).is_ok())
    }

    /// How many cards it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cities.values().map(|numbers| numbers.len()).sum()
    }

    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cities.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_denied_exactly_when_the_list_names_it_for_its_city() {
        let (shanghai, ningbo) = (CityCode::new(2000).unwrap(), CityCode::new(3150).unwrap());
        let named: Vec<_> = (0..1000_u64).rev().map(|n| (shanghai, CardNumber::from_u64(n * 2))).collect();
        let twice = named.iter().chain(&named).copied();
        let list = DenyList::new(7, twice);
        assert_eq!((list.version(), list.len()), (7, 1000));
        for n in 0..2000 {
            assert_eq!(list.denies(shanghai, CardNumber::from_u64(n)), n % 2 == 0, "{n}");
            assert!(!list.denies(ningbo, CardNumber::from_u64(n)));
        }
    }

    #[test]
    fn an_empty_list_denies_nobody() {
        let list = DenyList::default();
        assert!(list.is_empty() && list.version() == 0);
        assert!(!list.denies(CityCode::new(0).unwrap(), CardNumber::from_u64(0)));
    }
}
