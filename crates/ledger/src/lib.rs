//! Double entry: pending, post, void, settlement days; a log that anyone can add up.
