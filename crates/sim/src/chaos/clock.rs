//! A party's own clock: the time of the world, off by as much as the party's clock is wrong, and the thread on which
//! its life hangs.
//!
//! A process asks the time between its writes. So a clock that ends its process at one of these questions kills it where
//! it hurts: after one write and before the next.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use model::{CardTime, Clock};

/// What a killed process is unwound with: no message, no hook.
struct Killed;

/// The world's time, in seconds of the card calendar.
#[derive(Clone, Debug)]
pub(super) struct Time(Arc<AtomicI64>);

/// One party's clock; clones are the same clock.
#[derive(Clone, Debug)]
pub(super) struct PartyClock {
    time: Time,
    wrong_by: Arc<AtomicI64>,
    /// Questions until the process is killed; 0: it lives.
    fuse: Arc<AtomicU32>,
    killed: Arc<AtomicU32>,
}

impl Time {
    pub(super) fn new(start: CardTime) -> Self {
        Time(Arc::new(AtomicI64::new(start.as_seconds())))
    }

    pub(super) fn now(&self) -> CardTime {
        at(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds.max(0), Ordering::Relaxed);
    }
}

fn at(seconds: i64) -> CardTime {
    CardTime::from_seconds(seconds).unwrap_or_else(|| CardTime::from_unix_seconds(0))
}

impl PartyClock {
    pub(super) fn new(time: &Time) -> Self {
        PartyClock {
            time: time.clone(),
            wrong_by: Arc::default(),
            fuse: Arc::default(),
            killed: Arc::default(),
        }
    }

    /// From now on the clock is wrong by so much.
    pub(super) fn set_wrong_by(&self, seconds: i64) {
        self.wrong_by.store(seconds, Ordering::Relaxed);
    }

    /// The process will not survive the `questions`-th question from now.
    pub(super) fn light(&self, questions: u32) {
        self.fuse.store(questions, Ordering::Relaxed);
    }

    /// The danger is over; whether the process was killed.
    pub(super) fn put_out(&self) -> bool {
        self.fuse.store(0, Ordering::Relaxed);
        self.killed.swap(0, Ordering::Relaxed) > 0
    }
}

impl Clock for PartyClock {
    fn now(&self) -> CardTime {
        let left = self.fuse.load(Ordering::Relaxed);
        if left > 0 {
            self.fuse.store(left.saturating_sub(1), Ordering::Relaxed);
            if left == 1 {
                self.killed.store(1, Ordering::Relaxed);
                resume_unwind(Box::new(Killed));
            }
        }
        at(self.time.now().as_seconds().saturating_add(self.wrong_by.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lit_fuse_ends_the_process_at_its_question_and_not_before() {
        let clock = PartyClock::new(&Time::new("2014-10-20 07:45:00".parse().unwrap()));
        clock.light(2);
        clock.now();
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| clock.now()));
        assert!(asked.is_err() && clock.put_out());
        clock.now();
        assert!(!clock.put_out());
    }

    #[test]
    fn a_wrong_clock_is_wrong_by_as_much_as_it_was_told() {
        let time = Time::new("2014-10-20 07:45:00".parse().unwrap());
        let clock = PartyClock::new(&time);
        clock.set_wrong_by(-60);
        time.pass(30);
        assert_eq!(clock.now().to_string(), "2014-10-20 07:44:30");
    }
}
