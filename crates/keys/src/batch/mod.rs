//! Batch TAC verification (批量验证): a column of taps at once, bitsliced over as many lanes as the machine's registers
//! have, with the cards' keys derived in the lanes.
//!
//! Standard: card.md sections 2 (TAC of a purchase) and 3 (diversification); FIPS 46-3.
//! Invariant: the answer is that of the plain check, whatever the width; no branch and no address depends on a key.
#![allow(clippy::arithmetic_side_effects)] // indices into tables and lanes, and bits; no money and no lengths from outside

mod bits;
mod lanes;
mod page;
mod sboxes;
mod wiring;

#[cfg(test)]
mod tests;

use model::{CardNumber, Tac};

use crate::block::Key16;
use crate::purse::Purchase;
use page::{CityBits, PAGE, Page, Wrong};

/// How wide the registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 64 lanes, on any machine.
    Portable,
    /// 128 lanes: SSE2.
    Sse2,
    /// 256 lanes: AVX2.
    Avx2,
    /// 512 lanes: AVX-512.
    Avx512,
}

impl Width {
    /// What this machine has, the narrowest first.
    #[must_use]
    pub fn available() -> Vec<Width> {
        #[cfg(target_arch = "x86_64")]
        {
            let mut widths = vec![Width::Portable, Width::Sse2];
            widths.extend(std::arch::is_x86_feature_detected!("avx2").then_some(Width::Avx2));
            widths.extend(std::arch::is_x86_feature_detected!("avx512f").then_some(Width::Avx512));
            widths
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![Width::Portable]
    }

    /// The widest that this machine has.
    #[must_use]
    pub fn widest() -> Width {
        Width::available().last().copied().unwrap_or(Width::Portable)
    }

    /// Records at once.
    #[must_use]
    pub const fn lanes(self) -> usize {
        match self {
            Width::Portable => 64,
            Width::Sse2 => 128,
            Width::Avx2 => 256,
            Width::Avx512 => 512,
        }
    }

    /// For reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Width::Portable => "portable",
            Width::Sse2 => "sse2",
            Width::Avx2 => "avx2",
            Width::Avx512 => "avx512",
        }
    }

    /// Falls back where the machine has not this width.
    fn wrong(self, city: &CityBits, page: &Page) -> Wrong {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected;
            match self {
                Width::Avx512 if is_x86_feature_detected!("avx512f") => {
                    #[allow(unsafe_code)]
                    // SAFETY: the function needs AVX-512F and nothing else, and the machine has it.
                    return unsafe { lanes::avx512::wrong(city, page) };
                }
                Width::Avx512 | Width::Avx2 if is_x86_feature_detected!("avx2") => {
                    #[allow(unsafe_code)]
                    // SAFETY: the function needs AVX2 and nothing else, and the machine has it.
                    return unsafe { lanes::avx2::wrong(city, page) };
                }
                Width::Portable => {}
                _ => {
                    #[allow(unsafe_code)]
                    // SAFETY: the function needs SSE2 and nothing else, which every x86-64 has.
                    return unsafe { lanes::sse2::wrong(city, page) };
                }
            }
        }
        lanes::portable::wrong(city, page)
    }
}

/// What a tap's TAC covers, as the machine takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapFacts {
    card: u64,
    blocks: [u64; 3],
    tac: u32,
}

impl TapFacts {
    /// A purchase of `card` with its reader's counter, and the TAC that came with it.
    #[must_use]
    pub fn new(card: CardNumber, purchase: &Purchase, terminal_seq: u32, tac: Tac) -> Self {
        let word = u64::from_be_bytes;
        let [a, b, c, d] = purchase.amount.to_be_bytes();
        let [e, f, g, h, i, j] = purchase.terminal.bytes();
        let [k, l, m, n] = terminal_seq.to_be_bytes();
        let ([o, p, q, r], [s, t, u]) = (purchase.at.date_bcd(), purchase.at.time_bcd());
        let blocks = [
            word([a, b, c, d, purchase.txn_type, e, f, g]),
            word([h, i, j, k, l, m, n, o]),
            word([p, q, r, s, t, u, 0x80, 0]),
        ];
        TapFacts { card: card.as_u64(), blocks, tac: tac.as_u32() }
    }
}

/// Checks taps of one city's cards, page after page.
pub(crate) struct Checker {
    city: CityBits,
    width: Width,
    page: Box<Page>,
}

impl Checker {
    pub(crate) fn new(city_key: &Key16, width: Width) -> Self {
        Checker { city: CityBits::new(city_key), width, page: Box::new(Page::new()) }
    }

    /// Calls `wrong` with the index of each tap whose TAC is not its card's.
    pub(crate) fn check(&mut self, taps: &[TapFacts], mut wrong: impl FnMut(usize)) {
        for (number, taps) in taps.chunks(PAGE).enumerate() {
            for (place, tap) in taps.iter().enumerate() {
                self.page.set(place, tap);
            }
            let found = self.width.wrong(&self.city, &self.page);
            (0..taps.len()).filter(|tap| found.is_wrong(*tap)).for_each(|tap| wrong(number * PAGE + tap));
        }
    }
}
