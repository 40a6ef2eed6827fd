//! A whole network in one process in simulated time, from one seed.
