//! The story (经过): what happened, step by step, with whom; the last of it is kept for the reader, all of it goes into
//! one digest.
//!
//! Invariant: the digest is a function of the seed alone.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// Events that are kept.
const KEPT: usize = 20_000;
/// Events of a story that is told.
const TOLD: usize = 60;
/// FNV-1a, 64 bits: enough to tell two runs apart.
const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01B3;

/// Whom an event concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// A passenger, with phone and card, by number.
    Passenger(usize),
    /// Everybody: a kill, a jump of the clocks, the end of a day.
    All,
}

struct Event {
    step: u64,
    who: Who,
    text: String,
}

/// Everything that happened.
pub(super) struct Story {
    events: VecDeque<Event>,
    digest: u64,
    step: u64,
    /// How often each kind of fault struck.
    pub(super) faults: BTreeMap<&'static str, u64>,
}

impl Story {
    pub(super) fn new() -> Self {
        Story { events: VecDeque::new(), digest: FNV_OFFSET, step: 0, faults: BTreeMap::new() }
    }

    /// A new world; what was told before is over.
    pub(super) fn forget(&mut self) {
        self.events.clear();
    }

    /// The next step begins.
    pub(super) fn next_step(&mut self) {
        self.step = self.step.saturating_add(1);
    }

    pub(super) fn step(&self) -> u64 {
        self.step
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn tell(&mut self, who: Who, text: String) {
        for byte in self.step.to_be_bytes().iter().chain(text.as_bytes()) {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
        }
        if self.events.len() >= KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Event { step: self.step, who, text });
    }

    /// A fault strikes: it is counted, and told.
    pub(super) fn fault(&mut self, who: Who, kind: &'static str) {
        let count = self.faults.entry(kind).or_default();
        *count = count.saturating_add(1);
        self.tell(who, format!("fault: {kind}"));
    }

    /// The last events that concern `who`.
    pub(super) fn about(&self, who: Who) -> String {
        let wanted = |event: &&Event| who == Who::All || event.who == who || event.who == Who::All;
        let last: Vec<&Event> = self.events.iter().rev().filter(wanted).take(TOLD).collect();
        let mut text = String::new();
        for event in last.into_iter().rev() {
            let whose = match event.who {
                Who::Passenger(index) => format!("passenger {index}"),
                Who::All => "all".to_owned(),
            };
            // Writing into a string does not fail.
            let _ = writeln!(text, "{:>9}  {whose:<13} {}", event.step, event.text);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_tells_what_concerns_one_passenger_and_everybody() {
        let mut story = Story::new();
        for (who, text) in [(Who::Passenger(1), "loads"), (Who::Passenger(2), "taps"), (Who::All, "night")] {
            story.next_step();
            story.tell(who, text.to_owned());
        }
        let told = story.about(Who::Passenger(1));
        assert!(told.contains("loads") && told.contains("night") && !told.contains("taps"), "{told}");
    }

    #[test]
    fn another_word_or_another_step_is_another_digest() {
        let digest = |steps: u64, text: &str| {
            let mut story = Story::new();
            (0..steps).for_each(|_| story.next_step());
            story.tell(Who::All, text.to_owned());
            story.digest()
        };
        assert_eq!(digest(1, "a"), digest(1, "a"));
        assert_ne!(digest(1, "a"), digest(1, "b"));
        assert_ne!(digest(1, "a"), digest(2, "a"));
    }
}
