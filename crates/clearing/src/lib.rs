//! From record files to verdicts to positions.
