//! Random bytes from a seed: a simulated network is the same network every time.
//!
//! Standard: ChaCha20 as a random number generator (RFC 8439 block function).
//! Invariant: a seed gives the same bytes in every release.

use model::Entropy;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Random bytes that follow from a seed. Never for a network whose money is real.
#[derive(Clone)]
pub struct Seeded {
    root: [u8; 32],
    stream: ChaCha20Rng,
}

impl Seeded {
    /// From a number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut root = [0; 32];
        root.iter_mut().zip(seed.to_be_bytes()).for_each(|(to, from)| *to = from);
        Seeded { root, stream: ChaCha20Rng::from_seed(root) }
    }

    /// An independent source for `label`, text without NUL, the same whatever was drawn from this one before.
    #[must_use]
    pub fn fork(&self, label: &str) -> Seeded {
        let mut root = self.root;
        for chunk in label.as_bytes().chunks(16).chain([&[0x80_u8][..]]) {
            root.iter_mut().skip(16).zip(chunk).for_each(|(to, from)| *to ^= from);
            ChaCha20Rng::from_seed(root).fill_bytes(&mut root);
        }
        Seeded { root, stream: ChaCha20Rng::from_seed(root) }
    }

    /// The next random number.
    #[must_use]
    pub fn next_u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A number below `bound`; 0 if `bound` is 0.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()).saturating_mul(u128::from(bound));
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, buffer: &mut [u8]) {
        self.stream.fill_bytes(buffer);
    }
}
