//! How many requests a party may send (请求频率): a bucket for each party that drains at the pace of its registry file.
//!
//! Standard: the generic cell rate algorithm of ITU-T I.371, which is a token bucket with one number; 429 by RFC 6585.
//! Invariant: a request that is refused here has cost one signature and moved nothing: no nonce, no turn of the store.
//!
//! Only parties with a good signature have a bucket, so there are never more than the registry has. Each centre counts
//! for itself. Phones and pages are not counted: behind a carrier or a proxy thousands of them have one address.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::registry::Pace;

use crate::core::Caller;
use crate::problem::{Code, Problem};

const SECOND: Duration = Duration::from_secs(1);

/// Time since any moment, never backwards.
type Ticks = Box<dyn Fn() -> Duration + Send + Sync>;

/// The buckets. Without a clock nothing is counted.
#[derive(Default)]
pub(crate) struct Pacer {
    ticks: Option<Ticks>,
    /// When each party's bucket is empty.
    empty_at: Mutex<HashMap<Caller, Duration>>,
}

impl Pacer {
    /// Counts by this clock.
    pub(crate) fn by(ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Pacer { ticks: Some(Box::new(ticks)), empty_at: Mutex::default() }
    }

    /// One more request of a party.
    pub(crate) fn admit(&self, party: &Caller, pace: Pace) -> Result<(), Problem> {
        let Some(ticks) = &self.ticks else { return Ok(()) };
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = ticks();
        let empty = empty_at.entry(party.clone()).or_default();
        let each = SECOND.checked_div(pace.per_second.get()).unwrap_or(SECOND);
        let next = now.max(*empty).saturating_add(each);
        let over = next.saturating_sub(now).saturating_sub(each.saturating_mul(pace.burst.get()));
        if over.is_zero() {
            *empty = next;
            return Ok(());
        }
        let whole = u32::try_from(over.as_nanos().div_ceil(SECOND.as_nanos())).unwrap_or(u32::MAX);
        Err(Code::TooManyRequests.about(pace.per_second).retry_after(whole))
    }
}

impl fmt::Debug for Pacer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pacer").field("counts", &self.ticks.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn pacer() -> (Pacer, Arc<AtomicU64>) {
        let millis = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&millis);
        (Pacer::by(move || Duration::from_millis(clock.load(Ordering::Relaxed))), millis)
    }

    fn pace(per_second: u32, burst: u32) -> Pace {
        let number = |n| NonZeroU32::new(n).unwrap();
        Pace { per_second: number(per_second), burst: number(burst) }
    }

    #[test]
    fn a_bucket_gives_its_burst_then_its_pace_and_is_full_after_a_pause() {
        let (pacer, millis) = pacer();
        let party = Caller::Wallet("alipay".parse().unwrap());
        let admits = || pacer.admit(&party, pace(10, 3)).is_ok();
        assert_eq!([admits(), admits(), admits(), admits()], [true, true, true, false]);
        millis.store(99, Ordering::Relaxed);
        assert!(!admits());
        millis.store(100, Ordering::Relaxed);
        assert_eq!([admits(), admits()], [true, false], "what was refused has taken nothing");
        millis.store(60_000, Ordering::Relaxed);
        assert_eq!(
            [admits(), admits(), admits(), admits()],
            [true, true, true, false],
            "never more than full"
        );
    }

    #[test]
    fn each_party_has_its_own_bucket_and_hears_when_to_come_back() {
        let (pacer, millis) = pacer();
        let (one, other) = (Caller::Wallet("alipay".parse().unwrap()), Caller::City("2000".parse().unwrap()));
        for _ in 0..5 {
            pacer.admit(&one, pace(1, 5)).unwrap();
        }
        let refused = pacer.admit(&one, pace(1, 5)).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::TooManyRequests, Some(1)));
        pacer.admit(&other, pace(1, 5)).unwrap();
        // Who comes back when told to is let in.
        millis.store(1000, Ordering::Relaxed);
        pacer.admit(&one, pace(1, 5)).unwrap();
    }

    #[test]
    fn without_a_clock_nothing_is_counted() {
        let pacer = Pacer::default();
        for _ in 0..1000 {
            pacer.admit(&Caller::Centre, pace(1, 1)).unwrap();
        }
    }
}
