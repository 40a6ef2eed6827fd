//! When a delivery is tried again (重试): after as long again as has passed, for a day, and not in step with others.
//!
//! Standard: Standard Webhooks, "Deliverability and reliability": back-off that grows, with jitter; Retry-After.
//! Invariant: the last attempt is made a day after the first; then it is given up, never before.

/// How long a delivery is tried.
pub(super) const DAY_SECONDS: i64 = 24 * 3600;
const SHORTEST: i64 = 5;
const LONGEST: i64 = 4 * 3600;

/// The next attempt's time, or `None` to give up. Unix time; `asked` is the receiver's Retry-After.
pub(super) fn next(first: i64, now: i64, asked: Option<u32>, random: u16) -> Option<i64> {
    let last = first.saturating_add(DAY_SECONDS);
    if now >= last {
        return None;
    }
    let passed = now.saturating_sub(first).clamp(SHORTEST, LONGEST);
    // Between three quarters of it and one and a quarter.
    let jitter = passed.saturating_mul(i64::from(random)).wrapping_shr(17);
    let wait = passed.saturating_sub(passed.wrapping_shr(2)).saturating_add(jitter);
    let wait = wait.max(i64::from(asked.unwrap_or(0)));
    Some(now.saturating_add(wait).min(last))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests {
    use super::*;

    fn attempts(random: u16) -> Vec<i64> {
        let mut at = vec![0];
        while let Some(next) = next(0, at[at.len() - 1], None, random) {
            assert!(next > at[at.len() - 1]);
            at.push(next);
        }
        at
    }

    #[test]
    fn the_waits_grow_and_the_last_attempt_is_a_day_after_the_first() {
        assert_eq!(attempts(u16::MAX / 2)[..6], [0, 5, 10, 20, 39, 78]);
        for random in [0, 1, 1000, u16::MAX / 2, u16::MAX] {
            let at = attempts(random);
            assert_eq!(at[at.len() - 1], DAY_SECONDS);
            assert!((15..30).contains(&at.len()), "{} attempts", at.len());
        }
    }

    #[test]
    fn chance_moves_an_attempt_by_a_quarter_at_most() {
        assert_eq!((next(0, 1000, None, 0), next(0, 1000, None, u16::MAX)), (Some(1750), Some(2249)));
    }

    #[test]
    fn the_receivers_own_wish_is_kept_within_the_day() {
        assert_eq!(next(0, 10, Some(3600), 0), Some(3610));
        assert_eq!(next(0, 10, Some(u32::MAX), 0), Some(DAY_SECONDS));
    }
}
