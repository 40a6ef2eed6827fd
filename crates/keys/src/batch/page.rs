//! A page of taps in columns, and what was found on it.
//!
//! Standard: what a TAC covers, card.md section 2.2.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::batch::TapFacts;
use crate::block::{Key8, Key16};

/// Taps on a page: as many as the widest register has lanes.
pub(super) const PAGE: usize = 512;

/// Up to [`PAGE`] taps of one city's cards. What is not filled is zeros, and its answer is not looked at.
#[repr(align(64))]
pub(super) struct Page {
    /// The cards' numbers, big endian, as their keys are diversified by.
    pub(super) cards: [u64; PAGE],
    /// The three padded blocks that a TAC covers, big endian.
    pub(super) blocks: [[u64; PAGE]; 3],
    /// The TACs that came with the taps, in the upper half.
    pub(super) tacs: [u64; PAGE],
}

impl Page {
    pub(super) const fn new() -> Self {
        Page { cards: [0; PAGE], blocks: [[0; PAGE]; 3], tacs: [0; PAGE] }
    }

    /// Writes a tap to its place; a place beyond the page is none.
    pub(super) fn set(&mut self, place: usize, tap: &TapFacts) {
        let TapFacts { card, blocks, tac } = *tap;
        let columns = [&mut self.cards].into_iter().chain(&mut self.blocks).chain([&mut self.tacs]);
        let words = [card].into_iter().chain(blocks).chain([u64::from(tac) << 32]);
        for (column, word) in columns.zip(words) {
            if let Some(cell) = column.get_mut(place) {
                *cell = word;
            }
        }
    }
}

/// A city's TAC key with each bit for all lanes: all ones or all zeros.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct CityBits {
    pub(super) first: [u64; 64],
    pub(super) second: [u64; 64],
}

impl CityBits {
    pub(super) fn new(key: &Key16) -> Self {
        let (first, second) = key.halves();
        CityBits { first: bits(&first), second: bits(&second) }
    }
}

fn bits(key: &Key8) -> [u64; 64] {
    let mut word = u64::from_be_bytes(key.0);
    let bits = std::array::from_fn(|place| (word >> (63 - place) & 1).wrapping_neg());
    word.zeroize();
    bits
}

/// One bit a tap of a page: its TAC is not its card's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong([u64; PAGE / 64]);

impl Wrong {
    /// The answer for the taps from `from`: tap `n` of them at bit `63 - n / lanes.len()` of word `n % lanes.len()`.
    pub(super) fn note(&mut self, from: usize, lanes: &[u64]) {
        if lanes.iter().all(|lane| *lane == 0) {
            return;
        }
        for index in 0..64 * lanes.len() {
            let lane = lanes.get(index % lanes.len()).copied().unwrap_or_default();
            let tap = from + index;
            if let Some(word) = self.0.get_mut(tap / 64) {
                *word |= (lane >> (63 - index / lanes.len()) & 1) << (tap % 64);
            }
        }
    }

    /// Whether the page's `tap`-th TAC is wrong.
    pub(super) fn is_wrong(&self, tap: usize) -> bool {
        self.0.get(tap / 64).is_none_or(|word| word >> (tap % 64) & 1 == 1)
    }
}
