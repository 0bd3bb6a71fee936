//! AVX-512: sixteen nonces at a time.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_srli_epi32,
    _mm512_ternarylogic_epi32, _mm512_testn_epi32_mask,
};

use super::{
    job::{Hit, Job},
    lanes::{self, Lanes},
};

/// # Safety
/// The CPU has AVX-512.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn scan(job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
    // SAFETY: the CPU has AVX-512, all that `Vector` needs.
    unsafe { lanes::search::<Vector>(job, first, count, hits) }
}

#[derive(Clone, Copy)]
struct Vector(__m512i);

/// Truth tables of functions of three bits, as the instruction takes them.
const EXCLUSIVE_OR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

/// Exclusive or of rotations to the right by two numbers and a third rotation or shift.
macro_rules! sigma {
    ($x:expr, $one:literal $two:literal $last:ident $three:literal) => {{
        let rotated = (_mm512_ror_epi32::<$one>($x), _mm512_ror_epi32::<$two>($x));
        _mm512_ternarylogic_epi32::<EXCLUSIVE_OR>(rotated.0, rotated.1, $last::<$three>($x))
    }};
}

// SAFETY of the blocks below that have no comment of their own: a `Vector` is made only where the CPU has AVX-512, and the
// instructions touch no memory.
impl Lanes for Vector {
    const WIDTH: u32 = 16;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { _mm512_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    unsafe fn nonces(first: u32) -> Self {
        let mut lane = first;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = [(); 16].map(|()| {
            let word = lane.swap_bytes().cast_signed();
            lane = lane.wrapping_add(1);
            word
        });
        // SAFETY: the caller's.
        Self(unsafe { _mm512_setr_epi32(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn big_sigma0(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 2 13 _mm512_ror_epi32 22) })
    }

    #[inline(always)]
    fn big_sigma1(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 6 11 _mm512_ror_epi32 25) })
    }

    #[inline(always)]
    fn sigma0(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 7 18 _mm512_srli_epi32 3) })
    }

    #[inline(always)]
    fn sigma1(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { sigma!(self.0, 17 19 _mm512_srli_epi32 10) })
    }

    #[inline(always)]
    fn choose(self, one: Self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ternarylogic_epi32::<CHOOSE>(self.0, one.0, other.0) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ternarylogic_epi32::<MAJORITY>(self.0, second.0, third.0) })
    }

    #[inline(always)]
    fn zeros(self, mask: Self) -> u32 {
        // SAFETY: see above.
        u32::from(unsafe { _mm512_testn_epi32_mask(self.0, mask.0) })
    }
}
