//! Simulated time: it moves when the story moves it.

use std::sync::{Arc, Mutex, PoisonError};

use model::{CardTime, Clock};

/// A clock that all parts of a simulated network share.
#[derive(Clone, Debug)]
pub(crate) struct SimClock(Arc<Mutex<CardTime>>);

impl SimClock {
    /// A clock that shows `start`.
    #[must_use]
    pub(crate) fn new(start: CardTime) -> Self {
        SimClock(Arc::new(Mutex::new(start)))
    }

    /// Moves the clock to `time`; it never goes back.
    pub(crate) fn advance_to(&self, time: CardTime) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = time.max(*now);
    }
}

impl Clock for SimClock {
    fn now(&self) -> CardTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
