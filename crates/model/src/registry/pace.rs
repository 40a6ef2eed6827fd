//! How fast a party may send its requests (请求频率).

use std::num::NonZeroU32;

/// So many requests in a second, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// In each second.
    pub per_second: NonZeroU32,
    /// At once, after as long a pause as it takes.
    pub burst: NonZeroU32,
}

/// What a city's back end may cost; what is absent is as in [`Pace::default`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CityLimits {
    /// Signed requests in a second.
    pub requests_per_second: Option<NonZeroU32>,
    /// Signed requests at once.
    pub requests_burst: Option<NonZeroU32>,
}

impl Pace {
    /// Where nothing is said: 100 in a second, 200 at once.
    const USUAL: Pace = Pace {
        per_second: NonZeroU32::new(100).unwrap(), // checked by the compiler
        burst: NonZeroU32::new(200).unwrap(),
    };

    /// What a file says; a burst that it does not say is twice a second's.
    pub(super) fn of(per_second: Option<NonZeroU32>, burst: Option<NonZeroU32>) -> Self {
        let usual = Pace::USUAL;
        let double = per_second.map(|n| n.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        Pace {
            per_second: per_second.unwrap_or(usual.per_second),
            burst: burst.or(double).unwrap_or(usual.burst),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Pace::USUAL
    }
}

impl CityLimits {
    /// Its pace.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::of(self.requests_per_second, self.requests_burst)
    }
}
