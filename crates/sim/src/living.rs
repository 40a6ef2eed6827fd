//! A living network (演示网络): a few passengers who ride and load in real time, beside a running centre.
//!
//! Invariant: it uses the same doors as everyone else; the centre cannot tell its passengers from others.

use std::sync::Arc;

use keys::{KeyService, Seeded};
use model::registry::Registry;
use model::{CardTime, Clock};

use crate::SimError;
use crate::clock::SimClock;
use crate::desk::Desk;
use crate::links::Links;
use crate::network::{Network, Weather};
use crate::upload;

/// So few that a page can show them.
const PASSENGERS: usize = 24;
/// Readers are emptied after so many taps.
const TAPS_PER_UPLOAD: u64 = 5;
/// A file's number grows with the time of day, so that it never comes twice: one for each sender in so many seconds.
const SECONDS_PER_NUMBER: i64 = 20;
/// Senders that share a city's numbers.
const SENDERS: u16 = 2;

/// Lives until `pause` says that it is over: `pause` waits a moment and returns whether to go on.
///
/// # Errors
/// [`SimError`] when the network cannot be built, or the centre answers as it should not.
pub fn live(
    registry: &Registry,
    keys: Arc<dyn KeyService>,
    links: Links,
    clock: &dyn Clock,
    seed: u64,
    mut pause: impl FnMut() -> bool,
) -> Result<(), SimError> {
    let (random, time) = (Seeded::new(seed), SimClock::new(clock.now()));
    let desk = Desk::open(registry, &links, &time, &random)?;
    let story = random.fork("story");
    let mut network = Network::new(registry, keys, links, desk, time, story, Weather::default(), None)?;
    let (mut taps, mut uploaded_at) = (0_u64, clock.now());
    while pause() {
        let now = clock.now();
        network.clock.advance_to(now);
        if network.riders.len() < PASSENGERS && (network.riders.len() < 4 || network.random.below(4) == 0) {
            network.join(now)?;
            continue;
        }
        let count = u64::try_from(network.riders.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(network.random.below(count)).unwrap_or(0);
        if network.riders.get(index).is_some_and(|rider| rider.wants_load) {
            network.load(index)?;
        }
        network.tap(index, now)?;
        taps = taps.saturating_add(1);
        if taps.is_multiple_of(TAPS_PER_UPLOAD) && now.seconds_since(uploaded_at) > SECONDS_PER_NUMBER {
            upload::collect(&mut network, now.date(), now, file_number(now, 0), false)?;
            uploaded_at = now;
        }
    }
    // What the readers still have goes up under the next number.
    let now = clock.now();
    let next = now.plus_seconds(SECONDS_PER_NUMBER);
    upload::collect(&mut network, now.date(), now, file_number(next, 0), false)
}

/// The number of a file that `sender` (0 or 1) of a city makes at `now`; the next one comes 20 seconds later.
#[must_use]
pub fn file_number(now: CardTime, sender: u16) -> u16 {
    let slot = now.seconds_since(now.date().start()).checked_div(SECONDS_PER_NUMBER).unwrap_or(0);
    let first = u16::try_from(slot).unwrap_or(0).saturating_mul(SENDERS);
    first.saturating_add(sender).saturating_add(1)
}
