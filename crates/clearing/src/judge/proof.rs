//! Who can check a TAC: a column of records at once, so that a faster checker has a door to come in by.

use keys::KeyService;
use model::TapRecord;

/// Checks TACs.
pub trait Proofs: Send + Sync {
    /// For each tap, whether its TAC is the one that its card would have made. As many answers as taps.
    fn verify(&self, taps: &[&TapRecord]) -> Vec<bool>;
}

/// Any key service, asked for one tap after the other.
pub struct OneByOne<'a>(pub &'a dyn KeyService);

impl Proofs for OneByOne<'_> {
    fn verify(&self, taps: &[&TapRecord]) -> Vec<bool> {
        taps.iter().map(|tap| self.0.verify_tap(tap).is_ok()).collect()
    }
}
