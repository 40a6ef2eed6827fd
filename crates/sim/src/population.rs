//! Who lives in the simulated network: passengers with a home city, a wallet and a phone or a plastic card, and
//! where they ride.
//!
//! Invariant: everything follows from the seed and the registry; nothing here touches a card.

use keys::Seeded;
use model::registry::{City, Flow, Operator, Phone, Registry};
use model::{CityCode, Date, WalletId};

/// Of a hundred passengers, so many hold a plastic card to the phone instead of a card in it.
const PLASTIC_PERCENT: u64 = 10;
/// Of a hundred taps, so many are made in another city.
const AWAY_PERCENT: u64 = 12;

/// One passenger.
#[derive(Clone, Debug)]
pub(crate) struct Passenger {
    /// Name at the wallet.
    pub name: String,
    /// Where the card is from.
    pub home: CityCode,
    /// Who takes the money.
    pub wallet: WalletId,
    /// The phone model's id.
    pub phone: String,
    /// Holds a plastic card.
    pub plastic: bool,
}

/// The network's people and places, to draw from.
pub(crate) struct Population<'a> {
    cities: Vec<(&'a City, u64)>,
    city_weight: u64,
    wallets: Vec<WalletId>,
    phones: Vec<&'a Phone>,
    registry: &'a Registry,
}

impl<'a> Population<'a> {
    /// The cities that have joined by `day`; a city weighs as much as it has readers.
    #[must_use]
    pub(crate) fn new(registry: &'a Registry, day: Date) -> Self {
        let joined = registry.cities().filter(|city| city.joined.is_some_and(|joined| joined <= day));
        let weight = |city: &City| {
            registry
                .operators_of(city.code)
                .map(|o| u64::from(o.terminals.count))
                .fold(0, u64::saturating_add)
        };
        let cities: Vec<_> = joined.map(|city| (city, weight(city))).collect();
        Population {
            city_weight: cities.iter().map(|(_, weight)| *weight).fold(0, u64::saturating_add),
            cities,
            wallets: registry.wallets().map(|wallet| wallet.id.clone()).collect(),
            phones: registry.phones().collect(),
            registry,
        }
    }

    /// Whether there is anyone and anything at all.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.city_weight == 0 || self.wallets.is_empty() || self.phones.is_empty()
    }

    /// The `index`-th passenger.
    pub(crate) fn passenger(&self, index: u32, random: &mut Seeded) -> Option<Passenger> {
        Some(Passenger {
            name: format!("passenger-{index:06}"),
            home: self.city(random)?.code,
            wallet: pick(&self.wallets, random)?.clone(),
            phone: pick(&self.phones, random)?.id.clone(),
            plastic: random.below(100) < PLASTIC_PERCENT,
        })
    }

    /// Where somebody from `home` rides next: a city and one of its operators.
    pub(crate) fn ride(&self, home: CityCode, random: &mut Seeded) -> Option<&'a Operator> {
        let city = match random.below(100) < AWAY_PERCENT {
            true => self.city(random)?.code,
            false => home,
        };
        let operators: Vec<_> = self.registry.operators_of(city).collect();
        let total = operators.iter().map(|o| u64::from(o.terminals.count)).fold(0, u64::saturating_add);
        let mut left = random.below(total);
        operators.into_iter().find(|operator| {
            let count = u64::from(operator.terminals.count);
            let here = left < count;
            left = left.saturating_sub(count);
            here
        })
    }

    fn city(&self, random: &mut Seeded) -> Option<&'a City> {
        let mut left = random.below(self.city_weight);
        let found = self.cities.iter().find(|(_, weight)| {
            let here = left < *weight;
            left = left.saturating_sub(*weight);
            here
        });
        found.map(|(city, _)| *city)
    }
}

/// One of `things`, all alike.
pub(crate) fn pick<'t, T>(things: &'t [T], random: &mut Seeded) -> Option<&'t T> {
    let count = u64::try_from(things.len()).unwrap_or(u64::MAX);
    usize::try_from(random.below(count)).ok().and_then(|index| things.get(index))
}

/// Whether passengers of this operator go in and out.
#[must_use]
pub(crate) fn has_gates(operator: &Operator) -> bool {
    operator.flow == Flow::EntryExit
}
