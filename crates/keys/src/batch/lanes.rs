//! What a register of lanes can do, for each kind of register: one module a kind, all with the same names.
//!
//! Standard: FIPS 46-3 is written over these; the instructions are those of SSE2, AVX2 and AVX-512F.
//!
//! A lane is one bit of a register; a register of `WORDS` words carries `64 * WORDS` records at once. On x86 every
//! function bears the target feature that its module is for, so that it is inlined into code that bears it too.

/// Writes a boolean function of three registers as few operations of two, where no instruction takes three.
///
/// `L` is the truth table: bit `a * 4 + b * 2 + c`. Split on `a` it is two functions of `b` and `c`, and their difference.
macro_rules! lut_of_pairs {
    ($(#[$on:meta])*) => {
        $(#[$on])*
        #[inline]
        fn pair(table: i32, b: V, c: V) -> V {
            match table & 15 {
                0 => splat(0),
                1 => not(or(b, c)),
                2 => and_not(c, b),
                3 => not(b),
                4 => and_not(b, c),
                5 => not(c),
                6 => xor(b, c),
                7 => not(and(b, c)),
                8 => and(b, c),
                9 => not(xor(b, c)),
                10 => c,
                11 => not(and_not(b, c)),
                12 => b,
                13 => not(and_not(c, b)),
                14 => or(b, c),
                _ => splat(u64::MAX),
            }
        }

        $(#[$on])*
        #[inline]
        fn lut<const L: i32>(a: V, b: V, c: V) -> V {
            let (with, without) = (L >> 4 & 15, L & 15);
            match (with, without) {
                (0, _) => and_not(pair(without, b, c), a),
                (_, 0) => and(pair(with, b, c), a),
                (15, _) => or(pair(without, b, c), a),
                _ if with == without => pair(without, b, c),
                _ if with ^ without == 15 => xor(pair(without, b, c), a),
                _ => xor(pair(without, b, c), and(a, pair(with ^ without, b, c))),
            }
        }
    };
}

/// 64 lanes in a word of any machine.
pub(super) mod portable {
    type V = u64;
    const WORDS: usize = 1;

    fn load([word]: &[u64; WORDS]) -> V {
        *word
    }
    fn store(lanes: V) -> [u64; WORDS] {
        [lanes]
    }
    fn splat(word: u64) -> V {
        word
    }
    fn xor(a: V, b: V) -> V {
        a ^ b
    }
    fn and(a: V, b: V) -> V {
        a & b
    }
    fn or(a: V, b: V) -> V {
        a | b
    }
    fn and_not(a: V, b: V) -> V {
        a & !b
    }
    fn not(a: V) -> V {
        !a
    }
    fn left(a: V, by: i64) -> V {
        a << (by & 63)
    }
    fn right(a: V, by: i64) -> V {
        a >> (by & 63)
    }
    lut_of_pairs!();
    crate::batch::bits::bits!();
}

/// 128 lanes: SSE2, which every x86-64 has.
#[cfg(target_arch = "x86_64")]
pub(super) mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_andnot_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_or_si128,
        _mm_set_epi64x, _mm_set1_epi64x, _mm_sll_epi64, _mm_srl_epi64, _mm_unpackhi_epi64, _mm_xor_si128,
    };

    type V = __m128i;
    const WORDS: usize = 2;

    #[target_feature(enable = "sse2")]
    fn load([a, b]: &[u64; WORDS]) -> V {
        _mm_set_epi64x(b.cast_signed(), a.cast_signed())
    }
    #[target_feature(enable = "sse2")]
    fn store(lanes: V) -> [u64; WORDS] {
        let high = _mm_unpackhi_epi64(lanes, lanes);
        [_mm_cvtsi128_si64(lanes).cast_unsigned(), _mm_cvtsi128_si64(high).cast_unsigned()]
    }
    #[target_feature(enable = "sse2")]
    fn splat(word: u64) -> V {
        _mm_set1_epi64x(word.cast_signed())
    }
    #[target_feature(enable = "sse2")]
    fn xor(a: V, b: V) -> V {
        _mm_xor_si128(a, b)
    }
    #[target_feature(enable = "sse2")]
    fn and(a: V, b: V) -> V {
        _mm_and_si128(a, b)
    }
    #[target_feature(enable = "sse2")]
    fn or(a: V, b: V) -> V {
        _mm_or_si128(a, b)
    }
    #[target_feature(enable = "sse2")]
    fn and_not(a: V, b: V) -> V {
        _mm_andnot_si128(b, a)
    }
    #[target_feature(enable = "sse2")]
    fn not(a: V) -> V {
        xor(a, splat(u64::MAX))
    }
    #[target_feature(enable = "sse2")]
    fn left(a: V, by: i64) -> V {
        _mm_sll_epi64(a, _mm_cvtsi64_si128(by))
    }
    #[target_feature(enable = "sse2")]
    fn right(a: V, by: i64) -> V {
        _mm_srl_epi64(a, _mm_cvtsi64_si128(by))
    }
    lut_of_pairs!(#[target_feature(enable = "sse2")]);
    crate::batch::bits::bits!(#[target_feature(enable = "sse2")]);
}

/// 256 lanes: AVX2.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_cvtsi64_si128, _mm256_and_si256, _mm256_andnot_si256, _mm256_extract_epi64,
        _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi64x, _mm256_sll_epi64, _mm256_srl_epi64,
        _mm256_xor_si256,
    };

    type V = __m256i;
    const WORDS: usize = 4;

    #[target_feature(enable = "avx2")]
    fn load([a, b, c, d]: &[u64; WORDS]) -> V {
        _mm256_set_epi64x(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
    }
    #[target_feature(enable = "avx2")]
    fn store(lanes: V) -> [u64; WORDS] {
        [
            _mm256_extract_epi64::<0>(lanes).cast_unsigned(),
            _mm256_extract_epi64::<1>(lanes).cast_unsigned(),
            _mm256_extract_epi64::<2>(lanes).cast_unsigned(),
            _mm256_extract_epi64::<3>(lanes).cast_unsigned(),
        ]
    }
    #[target_feature(enable = "avx2")]
    fn splat(word: u64) -> V {
        _mm256_set1_epi64x(word.cast_signed())
    }
    #[target_feature(enable = "avx2")]
    fn xor(a: V, b: V) -> V {
        _mm256_xor_si256(a, b)
    }
    #[target_feature(enable = "avx2")]
    fn and(a: V, b: V) -> V {
        _mm256_and_si256(a, b)
    }
    #[target_feature(enable = "avx2")]
    fn or(a: V, b: V) -> V {
        _mm256_or_si256(a, b)
    }
    #[target_feature(enable = "avx2")]
    fn and_not(a: V, b: V) -> V {
        _mm256_andnot_si256(b, a)
    }
    #[target_feature(enable = "avx2")]
    fn not(a: V) -> V {
        xor(a, splat(u64::MAX))
    }
    #[target_feature(enable = "avx2")]
    fn left(a: V, by: i64) -> V {
        _mm256_sll_epi64(a, _mm_cvtsi64_si128(by))
    }
    #[target_feature(enable = "avx2")]
    fn right(a: V, by: i64) -> V {
        _mm256_srl_epi64(a, _mm_cvtsi64_si128(by))
    }
    lut_of_pairs!(#[target_feature(enable = "avx2")]);
    crate::batch::bits::bits!(#[target_feature(enable = "avx2")]);
}

/// 512 lanes: AVX-512, whose one instruction takes any function of three.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm_cvtsi64_si128, _mm256_extract_epi64, _mm512_and_si512, _mm512_extracti64x4_epi64,
        _mm512_set_epi64, _mm512_set1_epi64, _mm512_sll_epi64, _mm512_srl_epi64, _mm512_ternarylogic_epi64,
        _mm512_xor_si512,
    };

    type V = __m512i;
    const WORDS: usize = 8;

    #[target_feature(enable = "avx512f")]
    fn load(words: &[u64; WORDS]) -> V {
        let [a, b, c, d, e, f, g, h] = words.map(u64::cast_signed);
        _mm512_set_epi64(h, g, f, e, d, c, b, a)
    }
    #[target_feature(enable = "avx512f")]
    fn store(lanes: V) -> [u64; WORDS] {
        let (low, high) = (_mm512_extracti64x4_epi64::<0>(lanes), _mm512_extracti64x4_epi64::<1>(lanes));
        [
            _mm256_extract_epi64::<0>(low).cast_unsigned(),
            _mm256_extract_epi64::<1>(low).cast_unsigned(),
            _mm256_extract_epi64::<2>(low).cast_unsigned(),
            _mm256_extract_epi64::<3>(low).cast_unsigned(),
            _mm256_extract_epi64::<0>(high).cast_unsigned(),
            _mm256_extract_epi64::<1>(high).cast_unsigned(),
            _mm256_extract_epi64::<2>(high).cast_unsigned(),
            _mm256_extract_epi64::<3>(high).cast_unsigned(),
        ]
    }
    #[target_feature(enable = "avx512f")]
    fn splat(word: u64) -> V {
        _mm512_set1_epi64(word.cast_signed())
    }
    #[target_feature(enable = "avx512f")]
    fn xor(a: V, b: V) -> V {
        _mm512_xor_si512(a, b)
    }
    #[target_feature(enable = "avx512f")]
    fn and(a: V, b: V) -> V {
        _mm512_and_si512(a, b)
    }
    #[target_feature(enable = "avx512f")]
    fn left(a: V, by: i64) -> V {
        _mm512_sll_epi64(a, _mm_cvtsi64_si128(by))
    }
    #[target_feature(enable = "avx512f")]
    fn right(a: V, by: i64) -> V {
        _mm512_srl_epi64(a, _mm_cvtsi64_si128(by))
    }
    #[target_feature(enable = "avx512f")]
    fn lut<const L: i32>(a: V, b: V, c: V) -> V {
        _mm512_ternarylogic_epi64::<L>(a, b, c)
    }
    crate::batch::bits::bits!(#[target_feature(enable = "avx512f")]);
}
