//! A demo: days in the life of a network, from one seed, and the books at their end.
//!
//! Invariant: the same settings give the same books, byte for byte.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::sync::Arc;

use centre::{Config, Core, Storage};
use keys::{KeyService, Seeded, SoftwareKeys};
use model::registry::Registry;
use model::{CardTime, Date};
use terminal::DenyList;

use crate::SimError;
use crate::audit;
use crate::books::Books;
use crate::clock::SimClock;
use crate::desk::Desk;
use crate::links::Links;
use crate::network::{Network, Observer, Weather};
use crate::upload;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Another seed, another network.
    pub seed: u64,
    /// How many passengers.
    pub passengers: u32,
    /// How many times a card is held to a reader, over all days.
    pub taps: u32,
    /// How many days.
    pub days: u32,
    /// The first of them.
    pub first_day: Date,
    /// Where the centre keeps its books; `None`: in memory.
    pub data: Option<PathBuf>,
    /// What goes wrong.
    pub weather: Weather,
}

/// Hours of service.
const OPENS_AT_SECONDS: i64 = 6 * 3600;
const CLOSES_AT_SECONDS: i64 = 22 * 3600;
/// Passengers join before service begins.
const JOIN_AT_SECONDS: i64 = 4 * 3600;
/// Back ends upload after service.
const UPLOAD_AT_SECONDS: i64 = 23 * 3600;
/// Whoever is inside a gate comes out after so long.
const TRIP_SECONDS: std::ops::Range<u64> = 600..3000;
/// Of a thousand passengers, so many lose their card on the first day at noon.
const LOST_PER_MILLE: u64 = 2;

/// Runs a demo on `registry`; `observer` is told of every exchange with a card, `progress` of every tap.
///
/// # Errors
/// [`SimError`]: the network cannot be built, or answered as the story does not foresee.
pub fn demo(
    settings: &Settings,
    registry: Registry,
    observer: Option<Observer>,
    progress: &mut dyn FnMut(u64),
) -> Result<Books, SimError> {
    let registry = Arc::new(registry);
    let random = Seeded::new(settings.seed);
    let clock = SimClock::new(settings.first_day.start());
    let keys: Arc<dyn KeyService> = Arc::new(SoftwareKeys::demo());
    let core = Core::open(Config {
        registry: Arc::clone(&registry),
        keys: Arc::clone(&keys),
        clock: Arc::new(clock.clone()),
        entropy: Box::new(random.fork("centre")),
        storage: settings.data.clone().map_or(Storage::Memory, Storage::Folder),
        demo: true,
    });
    let core = Arc::new(core.map_err(|error| SimError::Centre(error.to_string()))?);
    let links = Links::new(centre::http::router(Arc::clone(&core)))?;
    let desk = Desk::open(&registry, &links, &clock, &random)?;
    let story = random.fork("story");
    let mut network = Network::new(&registry, keys, links, desk, clock, story, settings.weather, observer)?;
    let books = &mut network.books;
    (books.seed, books.days, books.passengers) = (settings.seed, settings.days, settings.passengers);
    books.first_day = settings.first_day.to_string();

    let mut done = 0_u64;
    for day in 0..settings.days {
        let date = settings.first_day.plus_days(i32::try_from(day).unwrap_or(i32::MAX));
        if day == 0 {
            join(&mut network, settings.passengers, date)?;
        }
        let taps = share(settings.taps, settings.days, day);
        ride(&mut network, taps, date, day == 0, &mut |taps| progress(taps.saturating_add(done)))?;
        done = u64::from(taps).saturating_add(done);
        upload::evening(&mut network, date, at(date, UPLOAD_AT_SECONDS))?;
    }
    audit::audit(&mut network, &core)?;
    Ok(network.books)
}

fn at(date: Date, seconds: i64) -> CardTime {
    date.start().plus_seconds(seconds)
}

/// The `index`-th of `parts` nearly equal parts of `whole`.
fn share(whole: u32, parts: u32, index: u32) -> u32 {
    let upto = |n: u32| u64::from(whole).saturating_mul(n.into()).checked_div(parts.into()).unwrap_or(0);
    u32::try_from(upto(index.saturating_add(1)).saturating_sub(upto(index))).unwrap_or(0)
}

fn join(network: &mut Network<'_>, passengers: u32, date: Date) -> Result<(), SimError> {
    for index in 0..passengers {
        let seconds = i64::from(index).saturating_mul(OPENS_AT_SECONDS.saturating_sub(JOIN_AT_SECONDS));
        let seconds = seconds.checked_div(i64::from(passengers)).unwrap_or(0);
        network.join(at(date, JOIN_AT_SECONDS.saturating_add(seconds)))?;
    }
    Ok(())
}

/// A day of taps: new ones evenly over the hours of service, and those that a trip's entry has made due.
fn ride(
    network: &mut Network<'_>,
    taps: u32,
    date: Date,
    cards_are_lost: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<(), SimError> {
    let mut due: BinaryHeap<Reverse<(CardTime, usize)>> = BinaryHeap::new();
    let span = CLOSES_AT_SECONDS.saturating_sub(OPENS_AT_SECONDS);
    let mut noon = cards_are_lost;
    for tap in 0..taps {
        let offset = i64::from(tap).saturating_mul(span).checked_div(i64::from(taps)).unwrap_or(0);
        let planned = at(date, OPENS_AT_SECONDS.saturating_add(offset));
        if noon && planned >= at(date, 12 * 3600) {
            noon = false;
            lose_cards(network, planned)?;
        }
        let (index, now) = match due.peek() {
            Some(Reverse((time, index))) if *time <= planned => {
                let next = (*index, planned.max(*time));
                due.pop();
                next
            }
            _ => (someone(network), planned),
        };
        if network.riders.get(index).is_some_and(|rider| rider.wants_load) {
            network.clock.advance_to(now);
            network.load(index)?;
        }
        network.tap(index, now)?;
        if network.is_inside(index) {
            let stay = TRIP_SECONDS
                .start
                .saturating_add(network.random.below(TRIP_SECONDS.end - TRIP_SECONDS.start));
            due.push(Reverse((now.plus_seconds(i64::try_from(stay).unwrap_or(0)), index)));
        }
        progress(u64::from(tap).saturating_add(1));
    }
    Ok(())
}

/// Somebody who is not inside a gate: whoever is has a way out already planned.
fn someone(network: &mut Network<'_>) -> usize {
    let count = u64::try_from(network.riders.len()).unwrap_or(u64::MAX);
    for _ in 0..64 {
        let index = usize::try_from(network.random.below(count)).unwrap_or(0);
        if !network.is_inside(index) {
            return index;
        }
    }
    0
}

/// Some passengers lose their cards; the cities' back ends put them on the deny list, and the readers get it.
fn lose_cards(network: &mut Network<'_>, now: CardTime) -> Result<(), SimError> {
    network.clock.advance_to(now);
    let mut denied = Vec::new();
    for index in 0..network.riders.len() {
        if network.random.below(1000) >= LOST_PER_MILLE {
            continue;
        }
        let Some(rider) = network.riders.get(index) else { continue };
        let (Some(number), city) = (rider.number, rider.passenger.home) else { continue };
        upload::deny(network, city, number)?;
        denied.push((city, number));
    }
    let count = u64::try_from(denied.len()).unwrap_or(u64::MAX);
    network.books.cards.denied = network.books.cards.denied.saturating_add(count);
    network.give_deny_list(DenyList::new(1, denied));
    Ok(())
}
