//! Acceptance (受理): the issuers whose cards this reader takes, each from a day on, as the centre last told it.
//!
//! Invariant: it says exactly what the registry's matrix says for the reader's city, on every day.

use std::collections::BTreeMap;

use model::registry::{KeyGeneration, Registry};
use model::{CityCode, Date};

/// One row of the acceptance matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptanceList {
    version: u32,
    /// `None`: always.
    from: BTreeMap<CityCode, Option<Date>>,
}

impl AcceptanceList {
    /// The list as of `version`: issuers, and the first day of each; `None` for always.
    #[must_use]
    pub fn new(version: u32, issuers: impl IntoIterator<Item = (CityCode, Option<Date>)>) -> Self {
        AcceptanceList { version, from: issuers.into_iter().collect() }
    }

    /// What the registry says for the readers of `acquirer`.
    #[must_use]
    pub fn of(registry: &Registry, acquirer: CityCode, version: u32) -> Self {
        let Some(readers) = registry.city(acquirer) else { return AcceptanceList::new(version, []) };
        let exception = |issuer| registry.exceptions().find(|e| e.acquirer == acquirer && e.issuer == issuer);
        let issuers = registry.cities().filter_map(|cards| {
            if cards.code == acquirer {
                return Some((acquirer, None));
            }
            if [readers, cards].iter().any(|city| city.key_generation == KeyGeneration::First) {
                return None;
            }
            let from = match exception(cards.code) {
                Some(exception) => exception.from?,
                None => readers.joined?.max(cards.joined?),
            };
            Some((cards.code, Some(from)))
        });
        AcceptanceList::new(version, issuers)
    }

    /// The centre's number of this list.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether a card of `issuer` is taken on a day.
    #[must_use]
    pub fn takes(&self, issuer: CityCode, on: Date) -> bool {
        self.from.get(&issuer).is_some_and(|from| from.is_none_or(|from| from <= on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readers_list_says_what_the_registry_says() {
        let registry = Registry::embedded().unwrap();
        let first: Date = "2012-01-01".parse().unwrap();
        let cities: Vec<_> = registry.cities().map(|city| city.code).collect();
        for acquirer in &cities {
            let list = AcceptanceList::of(&registry, *acquirer, 1);
            for issuer in &cities {
                for day in (0..2000).step_by(7).map(|days| first.plus_days(days)) {
                    let told = registry.accepts(*acquirer, *issuer, day).is_ok();
                    assert_eq!(list.takes(*issuer, day), told, "{acquirer} takes {issuer} on {day}");
                }
            }
            assert!(!list.takes(CityCode::new(9999).unwrap(), first));
        }
    }
}
