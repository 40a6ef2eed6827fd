//! The bitsliced machine (位切片): DES and the TAC's chain, on as many records as a register has lanes.
//!
//! Standard: FIPS 46-3 for DES; card.md sections 2 and 3 for the TAC: the card's key by one diversification of its
//! city's, its halves folded, CBC-MAC over three blocks.
//! Invariant: no branch and no address depends on a key or on data; the tables that choose are the same for all.

/// Defines `wrong` for the kind of register of the module that it stands in.
macro_rules! bits {
    ($(#[$on:meta])*) => {
        use zeroize::{Zeroize, Zeroizing};

        use crate::batch::page::{CityBits, PAGE, Page, Wrong};
        use crate::batch::sboxes::sboxes;
        use crate::batch::wiring::{FP, IP, OUT, SCHEDULE};

        /// Records in one go.
        const LANES: usize = 64 * WORDS;

        /// Half a block, in the order after the initial permutation.
        type Half = [V; 32];

        /// The bits of a key, each for every lane.
        #[derive(Zeroize)]
        #[repr(align(64))]
        struct Key([[u64; WORDS]; 64]);

        impl Key {
            /// One key for all lanes.
            fn shared(bits: &[u64; 64]) -> Zeroizing<Key> {
                Zeroizing::new(Key(bits.map(|bit| [bit; WORDS])))
            }
        }

        sboxes!(V, lut, $(#[$on])*);

        /// One round: `left` takes the round function of `right`.
        $(#[$on])*
        fn round(left: &mut Half, right: &Half, key: &Key, schedule: &[u8; 48]) {
            macro_rules! sbox {
                ($name:ident, $box:literal) => {
                    let mut input = [splat(0); 6];
                    for (place, input) in input.iter_mut().enumerate() {
                        let key = load(&key.0[usize::from(schedule[6 * $box + place] & 63)]);
                        *input = xor(right[(4 * $box + 31 + place) & 31], key);
                    }
                    for (place, output) in $name(input).into_iter().enumerate() {
                        let at = OUT[4 * $box + place] & 31;
                        left[at] = xor(left[at], output);
                    }
                };
            }
            sbox!(s1, 0);
            sbox!(s2, 1);
            sbox!(s3, 2);
            sbox!(s4, 3);
            sbox!(s5, 4);
            sbox!(s6, 5);
            sbox!(s7, 6);
            sbox!(s8, 7);
        }

        /// DES between its two permutations; the halves come out exchanged, as the standard has it.
        $(#[$on])*
        fn encrypt(left: &mut Half, right: &mut Half, key: &Key) {
            for [odd, even] in SCHEDULE.as_chunks::<2>().0 {
                round(left, right, key, odd);
                round(right, left, key, even);
            }
            std::mem::swap(left, right);
        }

        /// The same with the rounds' keys from the last to the first.
        $(#[$on])*
        fn decrypt(left: &mut Half, right: &mut Half, key: &Key) {
            for [odd, even] in SCHEDULE.as_chunks::<2>().0.iter().rev() {
                round(left, right, key, even);
                round(right, left, key, odd);
            }
            std::mem::swap(left, right);
        }

        /// Turns words, one a record, into registers, one a bit, the most significant first.
        ///
        /// Record `n` is word `n % WORDS` of row `n / WORDS`, and comes to that word's bit `63 - n / WORDS`.
        $(#[$on])*
        fn transposed(words: &[u64]) -> [V; 64] {
            let mut rows = [splat(0); 64];
            for (row, words) in rows.iter_mut().zip(words.as_chunks::<WORDS>().0) {
                *row = load(words);
            }
            let (mut distance, mut low) = (32_u8, 0xFFFF_FFFF_u64);
            while distance > 0 {
                for group in rows.chunks_exact_mut(2 * usize::from(distance)) {
                    let (first, second) = group.split_at_mut(usize::from(distance));
                    for (a, b) in first.iter_mut().zip(second) {
                        let change = and(xor(*a, right(*b, distance.into())), splat(low));
                        *a = xor(*a, change);
                        *b = xor(*b, left(change, distance.into()));
                    }
                }
                distance /= 2;
                low ^= low << distance;
            }
            rows
        }

        /// Adds a block to the halves, by way of the initial permutation.
        $(#[$on])*
        fn add(left: &mut Half, right: &mut Half, block: &[V; 64]) {
            for place in 0..32 {
                left[place] = xor(left[place], block[usize::from(IP[place])]);
                right[place] = xor(right[place], block[usize::from(IP[place + 32])]);
            }
        }

        /// Bit `place` of a block, by way of the final permutation.
        $(#[$on])*
        fn taken(left: &Half, right: &Half, place: usize) -> V {
            let from = usize::from(FP[place]);
            if from < 32 { left[from] } else { right[from - 32] }
        }

        /// 3DES of a block that is the same wires for both permutations between.
        $(#[$on])*
        fn half_key(block: &[V; 64], first: &Key, second: &Key) -> (Half, Half) {
            let (mut left, mut right) = ([splat(0); 32], [splat(0); 32]);
            add(&mut left, &mut right, block);
            encrypt(&mut left, &mut right, first);
            decrypt(&mut left, &mut right, second);
            encrypt(&mut left, &mut right, first);
            (left, right)
        }

        /// The folded TAC keys of these cards.
        $(#[$on])*
        fn card_keys(numbers: &[u64], first: &Key, second: &Key) -> Zeroizing<Key> {
            let mut number = transposed(numbers);
            let with = half_key(&number, first, second);
            for bit in &mut number {
                *bit = xor(*bit, splat(u64::MAX));
            }
            let without = half_key(&number, first, second);
            let mut key = Key::shared(&[0; 64]);
            for place in 0..64 {
                let bit = xor(taken(&with.0, &with.1, place), taken(&without.0, &without.1, place));
                key.0[place] = store(bit);
            }
            key
        }

        /// Which records of a page have not the TAC that their cards would have made.
        $(#[$on])*
        pub(in crate::batch) fn wrong(city: &CityBits, page: &Page) -> Wrong {
            let (first, second) = (Key::shared(&city.first), Key::shared(&city.second));
            let mut wrong = Wrong::default();
            for from in (0..PAGE).step_by(LANES) {
                let run = from..from + LANES;
                let key = card_keys(&page.cards[run.clone()], &first, &second);
                let (mut left, mut right) = ([splat(0); 32], [splat(0); 32]);
                for blocks in &page.blocks {
                    add(&mut left, &mut right, &transposed(&blocks[run.clone()]));
                    encrypt(&mut left, &mut right, &key);
                }
                let given = transposed(&page.tacs[run]);
                let mut differs = splat(0);
                for place in 0..32 {
                    let bit = xor(taken(&left, &right, place), given[place]);
                    differs = xor(differs, xor(bit, and(differs, bit)));
                }
                wrong.note(from, &store(differs));
            }
            wrong
        }
    };
}
pub(super) use bits;
